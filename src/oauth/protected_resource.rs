//! Metadata of protected resources (RFC 9728): what a client has to know of a registered resource before it asks for a token.
//!
//! A resource on our own origin has its document where section 3.1 puts it. For one that is elsewhere, its operator lets the
//! well-known address there answer with `/.well-known/oauth-protected-resource?resource=<its identifier>` of this server, so that
//! there is one place where the scopes of a resource are written down. Restricted resources are nobody's business.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use chrono::TimeDelta;
use http::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value};

use super::paths;
use crate::app::App;
use crate::http::document::{self, Document};
use crate::http::form::OAuthQuery;
use crate::model::catalog::Resource;
use crate::model::id::ResourceUri;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::dpop;
use crate::protocol::error::OAuthError;
use crate::storage::StoreError;
use crate::storage::registry::Catalog;

/// How long a copy is good: a scope that was added is found within that time.
const MAX_AGE: TimeDelta = TimeDelta::minutes(5);

/// Section 2. How a foreign resource takes its tokens is not registered, so nothing is said of it.
#[derive(Serialize)]
struct Metadata<'a> {
    resource: &'a str,
    authorization_servers: [&'a str; 1],
    // Section 3.2: what has no elements is left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<&'a str>,
    /// The types of authorization details that were registered for it by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_details_types_supported: Vec<&'a str>,
    /// `resource_name`, and in other languages `resource_name#<tag>` (section 2.1).
    #[serde(flatten)]
    names: Map<String, Value>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    presentation: Option<Presentation>,
}

/// How the resource of ours takes its tokens.
#[derive(Serialize)]
struct Presentation {
    bearer_methods_supported: [&'static str; 1],
    dpop_signing_alg_values_supported: [&'static str; 3],
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_client_certificate_bound_access_tokens: Option<bool>,
}

/// The metadata of the resource that the parameter `resource` names; without it, of the origin itself.
pub async fn get(
    State(app): State<App>,
    headers: HeaderMap,
    OAuthQuery(query): OAuthQuery,
) -> Result<Response, OAuthError> {
    let identifier = query.one("resource")?.unwrap_or(app.issuer());
    answer(&app, &headers, identifier).await
}

/// The metadata of the resource at this path of the origin.
pub async fn get_at(
    State(app): State<App>,
    headers: HeaderMap,
    Path(path): Path<String>,
) -> Result<Response, OAuthError> {
    answer(&app, &headers, &format!("{}/{path}", app.issuer())).await
}

/// Where the metadata of a resource on our own origin is: what its challenges name as `resource_metadata` (section 5.1).
pub fn url(app: &App, path: &str) -> String {
    app.url(&format!("{}{path}", paths::OAUTH_PROTECTED_RESOURCE))
}

/// The resource of that name, if the public may know of it.
pub fn find<'a>(catalog: &'a Catalog, identifier: &str) -> Option<&'a Resource> {
    catalog.find_resource(&ResourceUri::new(identifier)).filter(|resource| !resource.restricted)
}

async fn answer(app: &App, headers: &HeaderMap, identifier: &str) -> Result<Response, OAuthError> {
    let catalog = public_catalog(app).await?;
    let resource = find(&catalog, identifier)
        .ok_or_else(|| OAuthError::invalid_target("no such resource is registered").with_status(404))?;
    let document = Document::json(&metadata(app, &catalog, resource)).map_err(StoreError::corrupt)?;
    Ok(document::send(headers, &document.body, &document.etag, MAX_AGE))
}

/// When the database is down the last catalog is still true enough to be told.
pub async fn public_catalog(app: &App) -> Result<Arc<Catalog>, StoreError> {
    match app.registry.catalog(app.clock.now()).await {
        Ok(catalog) => Ok(catalog),
        Err(error) => app.registry.last_catalog().ok_or(error),
    }
}

fn metadata<'a>(app: &'a App, catalog: &'a Catalog, resource: &'a Resource) -> Metadata<'a> {
    let published = |name: &&String| catalog.find_scope(name).is_some_and(|scope| scope.published);
    let name = |(tag, text): (&String, &String)| {
        // `en` is the one without a tag, for whoever looks for nothing else.
        let member = if tag == "en" { "resource_name".to_owned() } else { format!("resource_name#{tag}") };
        (member, Value::from(text.as_str()))
    };
    let types = catalog.authorization_details_types.iter();
    let is_ours = resource.uri.as_str() == app.url(paths::RESOURCE);
    Metadata {
        resource: resource.uri.as_str(),
        authorization_servers: [app.issuer()],
        scopes_supported: resource.scopes.iter().filter(published).map(String::as_str).collect(),
        authorization_details_types_supported: types
            .filter(|known| known.resources.contains(&resource.uri))
            .map(|known| known.name_of_type.as_str())
            .collect(),
        names: resource.name.iter().map(name).collect(),
        presentation: is_ours.then(|| Presentation {
            bearer_methods_supported: ["header"],
            dpop_signing_alg_values_supported: dpop::ALGS.map(SigningAlg::as_str),
            tls_client_certificate_bound_access_tokens: app.config.takes_client_certificates().then_some(true),
        }),
    }
}
