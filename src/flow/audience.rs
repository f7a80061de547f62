//! Where a token may be used (RFC 8707, RFC 9068 section 3).

use chrono::{DateTime, Utc};

use super::access_token::Audience;
use crate::app::App;
use crate::model::catalog::Resource;
use crate::model::client::Client;
use crate::model::id::ResourceUri;
use crate::protocol::claims::release::claims_of;
use crate::protocol::error::OAuthError;
use crate::storage::StoreError;
use crate::storage::registry::Catalog;

/// The `aud` of a token: the resources, or the default audience when there are none.
pub async fn of(app: &App, resources: &[ResourceUri], now: DateTime<Utc>) -> Result<Audience, StoreError> {
    if !resources.is_empty() {
        return Ok(Audience::from(resources.iter().map(ToString::to_string).collect::<Vec<_>>()));
    }
    let default = match app.config.oidc.default_resource.as_deref() {
        Some(configured) => default_audience(configured, app.issuer(), app.registry.catalog(now).await?.as_ref()),
        None => app.issuer(),
    };
    Ok(Audience::One(default.to_owned()))
}

/// The configured default, unless it is a restricted resource: those are only for clients that were given them by name.
fn default_audience<'a>(configured: &'a str, issuer: &'a str, catalog: &Catalog) -> &'a str {
    let is_restricted = |resource: &Resource| resource.restricted && resource.uri.as_str() == configured;
    if catalog.resources.iter().any(is_restricted) { issuer } else { configured }
}

/// The scopes that a token for `resources` carries: those that mean something there, and those about the person, which
/// mean something at our own userinfo endpoint. Without resources nothing is left out.
pub async fn scopes_at(
    app: &App,
    scopes: &[String],
    resources: &[ResourceUri],
    now: DateTime<Utc>,
) -> Result<Vec<String>, StoreError> {
    if resources.is_empty() {
        return Ok(scopes.to_vec());
    }
    let catalog = app.registry.catalog(now).await?;
    let there: Vec<&Resource> = resources.iter().filter_map(|uri| catalog.find_resource(uri)).collect();
    let means_something =
        |scope: &&String| is_identity_scope(scope) || there.iter().any(|resource| resource.scopes.contains(scope));
    Ok(scopes.iter().filter(means_something).cloned().collect())
}

/// Checks that `client` may ask for every one of `resources`.
pub async fn check(
    app: &App,
    client: &Client,
    resources: &[ResourceUri],
    now: DateTime<Utc>,
) -> Result<(), OAuthError> {
    if resources.is_empty() {
        return Ok(());
    }
    let catalog = app.registry.catalog(now).await?;
    let all = resources.iter().all(|uri| may_ask(&catalog, client, uri));
    // RFC 8707 section 2.
    if all { Ok(()) } else { Err(OAuthError::invalid_target("the resource is unknown, or not for this client")) }
}

/// Those of the granted `resources` that `client` may still ask for: what was taken from it since ends with its next token.
pub async fn still_allowed(
    app: &App,
    client: &Client,
    resources: &[ResourceUri],
    now: DateTime<Utc>,
) -> Result<Vec<ResourceUri>, OAuthError> {
    if resources.is_empty() {
        return Ok(Vec::new());
    }
    let catalog = app.registry.catalog(now).await?;
    let left: Vec<ResourceUri> = resources.iter().filter(|uri| may_ask(&catalog, client, uri)).cloned().collect();
    // None left is not none asked for: that would be the default audience.
    if left.is_empty() {
        Err(OAuthError::invalid_target("the client may not have the resource any more"))
    } else {
        Ok(left)
    }
}

/// Every resource that `client` may ask for.
pub async fn allowed(app: &App, client: &Client, now: DateTime<Utc>) -> Result<Vec<ResourceUri>, OAuthError> {
    let catalog = app.registry.catalog(now).await?;
    let uris = catalog.resources.iter().map(|resource| &resource.uri);
    Ok(uris.filter(|uri| may_ask(&catalog, client, uri)).cloned().collect())
}

fn may_ask(catalog: &Catalog, client: &Client, uri: &ResourceUri) -> bool {
    let given = &client.settings.resources;
    catalog.find_resource(uri).is_some_and(|resource| {
        let must_be_given = resource.restricted || !given.is_empty();
        !must_be_given || given.contains(uri)
    })
}

/// Whether a scope is about a person rather than about an API (OpenID Connect Core sections 3.1.2.1, 5.4 and 11).
pub fn is_identity_scope(scope: &str) -> bool {
    matches!(scope, "openid" | "offline_access") || !claims_of(scope).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::client::ClientSettings;
    use crate::model::id::ClientId;

    const OPEN: &str = "https://open.example/";
    const RESTRICTED: &str = "https://admin.example/";

    fn catalog() -> Catalog {
        let resource = |uri: &str| Resource {
            uri: ResourceUri::new(uri),
            name: [("en".to_owned(), uri.to_owned())].into(),
            scopes: Vec::new(),
            restricted: uri == RESTRICTED,
        };
        Catalog { scopes: Vec::new(), resources: vec![resource(OPEN), resource(RESTRICTED)], ..Catalog::default() }
    }

    fn may_ask_with(given: &[&str], uri: &str) -> bool {
        let resources = given.iter().copied().map(ResourceUri::new).collect();
        let settings = ClientSettings { resources, ..ClientSettings::default() };
        let client = Client {
            id: ClientId::new("c"),
            enabled: true,
            settings,
            secrets: Vec::new(),
            generation: 0,
            registered_through: None,
        };
        may_ask(&catalog(), &client, &ResourceUri::new(uri))
    }

    #[test]
    fn a_restricted_resource_is_never_a_default_audience() {
        let default = |configured| default_audience(configured, "https://issuer.example", &catalog());
        assert_eq!(default(RESTRICTED), "https://issuer.example");
        assert_eq!(default(OPEN), OPEN);
        assert_eq!(default("https://not.registered.example"), "https://not.registered.example");
    }

    #[test]
    fn a_restricted_resource_is_only_for_clients_that_were_given_it() {
        assert!(may_ask_with(&[], OPEN) && may_ask_with(&[RESTRICTED], RESTRICTED));
        assert!(!may_ask_with(&[], RESTRICTED) && !may_ask_with(&[OPEN], RESTRICTED));
    }

    #[test]
    fn a_client_with_a_list_keeps_to_it_and_nobody_gets_what_is_not_registered() {
        assert!(!may_ask_with(&[RESTRICTED], OPEN));
        assert!(!may_ask_with(&["https://gone.example/"], "https://gone.example/"));
    }
}
