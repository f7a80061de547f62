//! `/register/{client_id}` (RFC 7592): a client reads, replaces and deletes its registration with its registration access token.
//!
//! Replacing gives a new token: one that leaked ends with the next change, and of two changes at once one is refused instead of
//! being undone unseen.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::information::Information;
use super::{information, limits, metadata, record, token};
use crate::app::App;
use crate::flow::registration::{check_addresses, check_keys, hash_registration_access_token};
use crate::flow::throttle;
use crate::http::client_ip::ClientIp;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::client::{Client, ClientSecret};
use crate::model::id::{ClientId, ResourceUri};
use crate::protocol::error::OAuthError;
use crate::protocol::registration;
use crate::random;
use crate::storage::postgres::client_record::{Change, Registration, Replacement};

/// How often a change is tried while others change the client.
const TRIES: usize = 5;

/// What a client may not say of itself (RFC 7592 section 2.2).
const NOT_FOR_CLIENTS: [&str; 4] =
    ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];

/// The admin API, which a client that it was given to may not take along to other redirect URIs.
const ADMIN: &str = "/admin";

/// A client that proved to be the one it manages.
struct Managed {
    client: Client,
    registration: Registration,
    token: String,
}

/// RFC 7592 section 2.1.
pub async fn get(
    State(app): State<App>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, OAuthError> {
    let Managed { client, registration, token } = verify(&app, &named(path)?, &headers).await?;
    let issued_at = registration.created_at;
    Information { id: &client.id, settings: &client.settings, secret: None, token, issued_at }.send(&app)
}

/// RFC 7592 section 2.2: everything that is not said has its default afterwards.
pub async fn put(
    State(app): State<App>,
    client_ip: ClientIp,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    let id = named(path)?;
    let mut managed = verify(&app, &id, &headers).await?;
    let network = client_ip.network();
    // Each is a row in the record, and has every instance look for its clients anew.
    let wait = throttle::count_registration_change(app.state.as_ref(), &app.config.registration, (&network, &id), now);
    if let Some(wait) = wait.await? {
        let error =
            OAuthError::temporarily_unavailable("the registration, or others from this network, changed too often");
        return Err(error.with_wait(wait));
    }
    let said = metadata::read(&app, request).await?;
    let event = AuditEvent::new(AuditEventKind::ClientChanged).to_client(&id);
    let store = app.postgres.recording(record(event, &id, client_ip.origin(&headers), now));
    for _ in 0..TRIES {
        check_identity(&app, &managed.client, &said, now)?;
        let mut limits = limits::of(&app, managed.registration.policy.as_ref(), now).await?;
        let before = &managed.client.settings;
        if managed.registration.is_changed_by_hand {
            limits::keep_within(&mut limits, before);
        }
        let mut settings = registration::settings(&said, before, &limits)?;
        if managed.registration.is_changed_by_hand {
            limits::keep_strict(&mut settings, before);
            limits::check_strict(&app, &settings)?;
        }
        check_keys(&app, &settings)?;
        check_addresses(&app, &settings)?;
        limits::check_sector(&app, &settings, Some(&managed.client.settings), &network, now).await?;
        let made =
            if managed.client.secrets.is_empty() { information::new_secret(&app, &id, &settings)? } else { None };
        let (secret, kept) = made.unzip();
        let token = random::token();
        let new = Replacement {
            settings: &settings,
            token_hash: hash_registration_access_token(&id, &token),
            secret: kept.as_ref(),
        };
        match store.replace_registration(&id, managed.registration.revision, new, now).await? {
            Change::Changed(_) => {
                app.registry.forget();
                let issued_at = managed.registration.created_at;
                return Information { id: &id, settings: &settings, secret, token, issued_at }.send(&app);
            }
            // Whoever came first may have had the same token, which is over then.
            Change::Stale => managed = verify(&app, &id, &headers).await?,
            Change::Absent => return Err(token::refused_registration()),
        }
    }
    Err(restless())
}

/// RFC 7592 section 2.3: with the client everything ends that it was given.
pub async fn delete(
    State(app): State<App>,
    client_ip: ClientIp,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<StatusCode, OAuthError> {
    let now = app.clock.now();
    let id = named(path)?;
    let event = AuditEvent::new(AuditEventKind::ClientDeleted).to_client(&id);
    let store = app.postgres.recording(record(event, &id, client_ip.origin(&headers), now));
    for _ in 0..TRIES {
        let managed = verify(&app, &id, &headers).await?;
        match store.delete_client(&id, managed.registration.revision, now).await? {
            Change::Changed(_) => {
                app.registry.forget();
                return Ok(StatusCode::NO_CONTENT);
            }
            Change::Stale => {}
            Change::Absent => return Err(token::refused_registration()),
        }
    }
    Err(restless())
}

fn named(path: Result<Path<String>, PathRejection>) -> Result<ClientId, OAuthError> {
    // Postgres would answer NUL with an error instead of no row.
    let id = path.ok().map(|Path(id)| id).filter(|id| !id.contains('\0'));
    id.map(ClientId::new).ok_or_else(token::refused_registration)
}

/// Whoever has the token of the client. Unknown, deleted and foreign clients are told apart by nobody. The registration is read
/// first: a client that changes in between has another revision, and the change is tried again.
async fn verify(app: &App, id: &ClientId, headers: &HeaderMap) -> Result<Managed, OAuthError> {
    let presented = token::bearer(headers)?;
    let presented = presented.ok_or_else(|| token::missing("a registration access token is required"))?;
    let registration = app.postgres.find_registration(id).await?.ok_or_else(token::refused_registration)?;
    if !bool::from(registration.token_hash.ct_eq(&hash_registration_access_token(id, presented))) {
        return Err(token::refused_registration());
    }
    if !registration.enabled {
        return Err(OAuthError::access_denied("the client was disabled by an administrator"));
    }
    let client = app.postgres.find_client(id).await?.ok_or_else(token::refused_registration)?;
    Ok(Managed { client, registration, token: presented.to_owned() })
}

/// RFC 7592 section 2.2: the document says whose it is, and nothing that the server says.
fn check_identity(app: &App, client: &Client, said: &Map<String, Value>, now: DateTime<Utc>) -> Result<(), OAuthError> {
    if client.settings.resources.contains(&ResourceUri::new(app.url(ADMIN))) {
        return Err(OAuthError::access_denied("a client of the admin API is changed by administrators alone"));
    }
    if limits::has_trust(&client.settings) {
        return Err(OAuthError::access_denied("a client that administrators trust is changed by administrators alone"));
    }
    if said.get("client_id").and_then(Value::as_str) != Some(client.id.as_str()) {
        return Err(OAuthError::invalid_client_metadata("client_id must be that of the client"));
    }
    if NOT_FOR_CLIENTS.iter().any(|name| said.contains_key(*name)) {
        return Err(OAuthError::invalid_client_metadata("the document has a member that only the server gives"));
    }
    match said.get("client_secret") {
        None => Ok(()),
        Some(Value::String(secret)) if has_secret(app, client, secret, now) => Ok(()),
        Some(_) => Err(OAuthError::invalid_client_metadata("client_secret must be that of the client")),
    }
}

fn has_secret(app: &App, client: &Client, presented: &str, now: DateTime<Utc>) -> bool {
    let live = client.secrets.iter().filter(|secret| secret.expires_at.is_none_or(|expires_at| now < expires_at));
    let is_it = |kept: &ClientSecret| {
        let made = app.master_keys.client_secret_mac(kept.key_id, &client.id, presented);
        made.is_some_and(|made| made.ct_eq(&kept.mac).into())
    };
    live.fold(false, |found, kept| found | is_it(kept))
}

fn restless() -> OAuthError {
    OAuthError::temporarily_unavailable("the client is being changed again and again, try again shortly")
}
