//! `/register` (RFC 7591, OpenID Connect Registration 1.0): a client registers itself.
//!
//! 1. Whoever asks may: with an initial access token, or because everybody may and the network has not registered too many.
//! 2. The metadata are read, narrowed to what such clients may have, and held to the rules of every registration.
//! 3. The client is registered, and the use of the initial access token counted, in one transaction.
//!
//! The admin API cannot be reached by this way: neither its scopes nor its resource are among what such a client may have.

// What the client is told.
mod information;
// What clients may have.
mod limits;
// `/register/{client_id}`
pub mod management;
// The body of a request.
mod metadata;
// The tokens that come in the header.
mod token;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use uuid::Uuid;

use self::information::Information;
use crate::app::App;
use crate::config::RegistrationMode;
use crate::flow::registration::{
    check_addresses, check_keys, hash_initial_access_token, hash_registration_access_token,
};
use crate::flow::throttle::{self, Network};
use crate::http::client_ip::ClientIp;
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord, Origin};
use crate::model::client::Client;
use crate::model::id::ClientId;
use crate::model::registration::{RegisteredThrough, RegistrationPolicy};
use crate::protocol::error::OAuthError;
use crate::protocol::registration;
use crate::random;
use crate::storage::postgres::client_record::{NewRegistration, RegistrationOutcome};
use crate::storage::postgres::initial_access_token::InitialAccessToken;

/// An initial access token that was shown.
struct Invitation {
    id: Uuid,
    hash: [u8; 32],
    policy: RegistrationPolicy,
}

/// A client registration request (RFC 7591 section 3.1).
pub async fn post(
    State(app): State<App>,
    client_ip: ClientIp,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    let network = client_ip.network();
    let invitation = admit(&app, &headers, &network, now).await?;
    let metadata = metadata::read(&app, request).await?;
    let policy = invitation.as_ref().map(|invitation| &invitation.policy);
    let limits = limits::of(&app, policy, now).await?;
    let settings = registration::settings(&metadata, &limits::base(&app), &limits)?;
    check_keys(&app, &settings)?;
    check_addresses(&app, &settings)?;
    limits::check_sector(&app, &settings, None, &network, now).await?;
    let id = ClientId::new(random::id());
    let secret = information::new_secret(&app, &id, &settings)?;
    let (secret, kept) = secret.unzip();
    let through = if invitation.is_some() { RegisteredThrough::InitialAccessToken } else { RegisteredThrough::Open };
    let client = Client {
        id,
        enabled: true,
        settings,
        secrets: kept.into_iter().collect(),
        generation: 0,
        registered_through: Some(through),
    };
    let token = random::token();
    let new = NewRegistration {
        client: &client,
        token_hash: hash_registration_access_token(&client.id, &token),
        initial_access_token: invitation.as_ref().map(|invitation| invitation.hash),
    };
    let event = AuditEvent::new(AuditEventKind::ClientRegistered).to_client(&client.id);
    // Whoever was invited is found by their invitation.
    let event = match &invitation {
        Some(invitation) => event.to_object(invitation.id),
        None => event,
    };
    let store = app.postgres.recording(record(event, &client.id, client_ip.origin(&headers), now));
    match store.register_itself(new, now).await? {
        RegistrationOutcome::Registered => {}
        RegistrationOutcome::Spent => return Err(token::refused_invitation()),
        RegistrationOutcome::Taken => {
            return Err(OAuthError::server_error("the server could not complete the request"));
        }
    }
    let information = Information { id: &client.id, settings: &client.settings, secret, token, issued_at: now };
    Ok((StatusCode::CREATED, information.send(&app)?).into_response())
}

/// Whether somebody may register a client here. The token is judged before the body is read: a stranger learns nothing of what
/// could be registered.
async fn admit(
    app: &App,
    headers: &HeaderMap,
    network: &Network,
    now: DateTime<Utc>,
) -> Result<Option<Invitation>, OAuthError> {
    let config = &app.config.registration;
    if let Some(presented) = token::bearer(headers)? {
        let hash = hash_initial_access_token(presented);
        let found = app.postgres.find_live_initial_access_token(hash, now).await?;
        let InitialAccessToken { id, policy, .. } = found.ok_or_else(token::refused_invitation)?;
        return Ok(Some(Invitation { id, hash, policy }));
    }
    if config.mode != RegistrationMode::Open {
        return Err(token::missing("an initial access token is required"));
    }
    if let Some(wait) = throttle::count_registration(app.state.as_ref(), config, network, now).await? {
        let error = OAuthError::temporarily_unavailable("too many clients were registered from this network");
        return Err(error.with_wait(wait));
    }
    Ok(None)
}

/// What a client did to itself.
fn record(event: AuditEvent, client: &ClientId, origin: Origin, now: DateTime<Utc>) -> AuditRecord {
    AuditRecord { event, actor: Actor::Client(client.clone()), origin, happened_at: now }
}
