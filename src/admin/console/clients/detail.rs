//! `/console/clients/{client_id}`: one client.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{kind_of, name_of, path_of};
use crate::admin::clients;
use crate::admin::console::frame::{Frame, Room};
use crate::admin::console::table::Pages;
use crate::admin::console::time;
use crate::admin::console::visit::Visit;
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::client::{ClientSettings, ConsentPolicy, GrantType};
use crate::model::id::ClientId;
use crate::model::registration::RegisteredThrough;
use crate::protocol::mtls::{RegisteredName, registered_names};
use crate::storage::postgres::client_record::ClientRecord;

const CLIENT: &str = "/console/clients/{client_id}";

/// The pages of this file.
pub(super) fn pages(pages: Pages) -> Pages {
    pages.page(CLIENT, AdminArea::Clients.read(), get)
}

#[derive(Template)]
#[template(path = "console/client.html", config = "src/http/pages/askama.toml")]
struct ClientPage {
    frame: Frame,
    name: String,
    path: String,
    kind: &'static str,
    enabled: bool,
    /// Its settings in words: a name, and one line for each value.
    facts: Vec<(&'static str, Vec<String>)>,
    /// Whether it can have secrets at all.
    has_secrets: bool,
    without: &'static str,
    secrets: Vec<Secret>,
}

/// A secret in the list.
struct Secret {
    id: String,
    path: String,
    created: String,
    /// When it ends; absent: never.
    expires: Option<String>,
    is_over: bool,
}

async fn get(State(app): State<App>, visit: Visit, Path(id): Path<ClientId>) -> Result<Response, Problem> {
    let record = clients::find(&app, &id).await?;
    let frame = visit.frame(&app, Room::Clients).await?;
    Ok(visit.page(&ClientPage::new(frame, &record, visit.now)))
}

impl ClientPage {
    fn new(frame: Frame, record: &ClientRecord, now: DateTime<Utc>) -> Self {
        let path = path_of(&record.id);
        let secret = |secret: &crate::storage::postgres::client_record::SecretRecord| Secret {
            id: secret.id.to_string(),
            path: format!("{path}/secrets/{}", secret.id),
            created: time::words(secret.created_at),
            expires: secret.expires_at.map(time::words),
            is_over: secret.expires_at.is_some_and(|expires_at| expires_at <= now),
        };
        Self {
            frame,
            name: name_of(&record.settings, &record.id),
            kind: kind_of(&record.settings),
            enabled: record.enabled,
            facts: facts(record),
            has_secrets: record.settings.token_endpoint_auth_method.has_secret(),
            without: if record.settings.token_endpoint_auth_method.proves_key() {
                "It proves that it has its own key, and needs none."
            } else {
                "It cannot keep a secret, so it has none."
            },
            secrets: record.secrets.iter().map(secret).collect(),
            path,
        }
    }
}

fn facts(record: &ClientRecord) -> Vec<(&'static str, Vec<String>)> {
    let settings = &record.settings;
    let uris = |uris: &[crate::model::id::ResourceUri]| uris.iter().map(|uri| uri.as_str().to_owned()).collect();
    let grants = settings.grant_types.iter().map(|grant| grant.as_str().to_owned()).collect();
    let mut facts = vec![
        ("Identifier", vec![record.id.as_str().to_owned()]),
        ("Redirect URIs", settings.redirect_uris.clone()),
        ("Grants", grants),
        ("Authenticates with", vec![settings.token_endpoint_auth_method.as_str().to_owned()]),
        ("Its keys are at", settings.jwks_uri.iter().cloned().collect()),
        ("Its keys", settings.jwks.iter().flat_map(keys).collect()),
        ("Its certificate is for", registered_names(settings).iter().map(certificate).collect()),
        ("Its access tokens are bound to", bindings(settings)),
        ("Scopes", vec![settings.scopes.join(" ")]),
        ("Resources", uris(&settings.resources)),
        ("Is the resource", uris(&settings.serves)),
        ("Exchanges tokens for", uris(&settings.token_exchange.resources)),
        ("Exchanged tokens", exchanges(settings)),
        ("Consent", vec![consent(settings).to_owned()]),
        ("Back-channel logout", settings.backchannel_logout_uri.iter().cloned().collect()),
        ("Is told of decisions at", settings.backchannel_client_notification_endpoint.iter().cloned().collect()),
        ("Front-channel logout", settings.frontchannel_logout_uri.iter().cloned().collect()),
        ("Registered", vec![time::words(record.created_at)]),
        ("Registered itself", record.registered_through.into_iter().map(itself).collect()),
        ("Last changed", vec![time::words(record.updated_at)]),
    ];
    facts.retain(|(_, values)| values.iter().any(|value| !value.is_empty()));
    facts
}

/// Each key in a few words: its name, and what it is for.
fn keys(jwks: &Value) -> Vec<String> {
    let text = |key: &Value, member: &str| key.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let words = |key: &Value| {
        let (kid, alg) = (text(key, "kid"), text(key, "alg"));
        let kid = if kid.is_empty() { "without a name".to_owned() } else { kid };
        let kind = if alg.is_empty() { text(key, "kty") } else { alg };
        format!("{kid} ({kind})")
    };
    jwks.get("keys").and_then(Value::as_array).into_iter().flatten().map(words).collect()
}

fn itself(through: RegisteredThrough) -> String {
    match through {
        RegisteredThrough::Open => "as everybody may".to_owned(),
        RegisteredThrough::InitialAccessToken => "with an initial access token".to_owned(),
        RegisteredThrough::ClientMetadataDocument => "by the document at its identifier".to_owned(),
    }
}

fn certificate(name: &RegisteredName<'_>) -> String {
    match name {
        RegisteredName::SubjectDn(subject) => format!("{subject} (subject)"),
        RegisteredName::Dns(dns) => format!("{dns} (DNS name)"),
        RegisteredName::Uri(uri) => format!("{uri} (URI)"),
        RegisteredName::Ip(ip) => format!("{ip} (IP address)"),
        RegisteredName::Email(email) => format!("{email} (mail address)"),
    }
}

fn bindings(settings: &ClientSettings) -> Vec<String> {
    let key = settings.dpop_bound_access_tokens.then_some("a key of its own");
    let certificate = settings.tls_client_certificate_bound_access_tokens.then_some("its certificate");
    key.into_iter().chain(certificate).map(ToOwned::to_owned).collect()
}

fn exchanges(settings: &ClientSettings) -> Vec<String> {
    let policy = &settings.token_exchange;
    let said = [
        (policy.delegation, "name who acts"),
        (policy.impersonation, "may name the subject alone"),
        (policy.client_subjects, "may be about a client that acts for itself"),
    ];
    let is_used = settings.grant_types.contains(&GrantType::TokenExchange);
    said.into_iter().filter(|(is_so, _)| *is_so && is_used).map(|(_, what)| what.to_owned()).collect()
}

fn consent(settings: &ClientSettings) -> &'static str {
    match settings.consent {
        ConsentPolicy::Remembered => "asked once and remembered",
        ConsentPolicy::Always => "asked every time",
        ConsentPolicy::FirstParty => "never asked: our own application",
    }
}
