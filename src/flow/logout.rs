//! Ending a session and telling the clients (OpenID Connect Back-Channel Logout, Front-Channel Logout).

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::subject;
use crate::app::App;
use crate::model::client::Client;
use crate::model::id::{Sid, SubjectId};
use crate::model::session::EndReason;
use crate::model::signing_key::KeyPurpose;
use crate::protocol::authorization_response::append_query;
use crate::protocol::error::OAuthError;
use crate::random;
use crate::storage::StoreError;

/// The event that makes a JWT a logout token (Back-Channel Logout section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How long a logout token may be used: section 2.4 asks for at most two minutes.
const LOGOUT_TOKEN_LIFETIME: TimeDelta = TimeDelta::minutes(2);

#[derive(Serialize)]
struct LogoutTokenClaims<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    sid: String,
    events: Value,
}

/// A logout token for `client`, signed with the algorithm of its ID tokens. It never has a `nonce`, so that it cannot pass
/// for an ID token.
pub async fn logout_token(
    app: &App,
    client: &Client,
    sid: Sid,
    subject: &SubjectId,
    now: DateTime<Utc>,
) -> Result<String, OAuthError> {
    let claims = LogoutTokenClaims {
        iss: app.issuer(),
        sub: subject::seen_by(app, client, subject)?.to_string(),
        aud: client.id.as_str(),
        iat: now.timestamp(),
        exp: (now + LOGOUT_TOKEN_LIFETIME).timestamp(),
        jti: random::id(),
        sid: subject::session_seen_by(app, client, sid)?.to_string(),
        events: json!({ EVENT: {} }),
    };
    let alg = client.settings.id_token_signed_response_alg;
    Ok(app.keys.current().sign_jwt_for(KeyPurpose::Logout, alg, "logout+jwt", &claims).await?)
}

/// A session that is over.
#[derive(Clone, Debug, Default)]
pub struct EndedSession {
    /// Whether it was not before.
    pub was_open: bool,
    /// The addresses that the browser itself must call (front-channel).
    pub frames: Vec<String>,
}

/// Ends a session. The rows that will tell the clients are written in the same transaction; the bell only saves them from
/// waiting for their job's next turn.
pub async fn end_session(
    app: &App,
    sid: Sid,
    reason: EndReason,
    now: DateTime<Utc>,
) -> Result<EndedSession, StoreError> {
    let clients = app.postgres.list_logout_clients(sid).await?;
    let was_open = app.postgres.end_session(sid, reason, now).await?;
    if was_open {
        app.outbox_bell.notify_one();
    }
    let frames = clients.iter().filter_map(|client| frontchannel_uri(app, client, sid)).collect();
    Ok(EndedSession { was_open, frames })
}

/// Front-Channel Logout section 2: `iss` and `sid` are appended, to whatever query is registered.
fn frontchannel_uri(app: &App, client: &Client, sid: Sid) -> Option<String> {
    let uri = client.settings.frontchannel_logout_uri.as_deref()?;
    if !client.settings.frontchannel_logout_session_required {
        return Some(uri.to_owned());
    }
    // One that cannot be told which session ended is told nothing; the others are.
    let sid = subject::session_seen_by(app, client, sid).ok()?;
    Some(append_query(uri, [("iss", app.issuer()), ("sid", &sid.to_string())]))
}
