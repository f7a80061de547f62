//! `/revoke` (RFC 7009). A refresh token takes its whole family with it, an access token only itself.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};

use super::paths;
use crate::app::App;
use crate::flow::access_token::AccessTokenClaims;
use crate::flow::client;
use crate::http::client_certificate::ClientCertificate;
use crate::http::client_ip::ClientIp;
use crate::http::form::OAuthForm;
use crate::http::headers::no_store;
use crate::keys::token::PlainRefreshToken;
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord};
use crate::model::client::Client;
use crate::model::lifetimes::CLOCK_TOLERANCE;
use crate::protocol::error::OAuthError;

/// A revocation request. Unknown, expired and forged tokens are answered like revoked ones (section 2.2).
pub async fn post(
    State(app): State<App>,
    client_ip: ClientIp,
    certificate: ClientCertificate,
    headers: HeaderMap,
    OAuthForm(form): OAuthForm,
) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    form.refuse_repeats()?;
    let caller =
        client::authenticate(&app, &[paths::REVOKE, paths::TOKEN], (&headers, certificate.as_ref()), &form, now)
            .await?;
    let token = form.required("token", "the parameter token is missing")?;
    let revoked = if let Some(presented) = PlainRefreshToken::parse(&app.master_keys, token) {
        let is_revoked = revoke_refresh_token(&app, &caller, &presented, now).await?;
        is_revoked.then(|| AuditEvent::new(AuditEventKind::TokenFamilyRevoked).to_object(presented.id()))
    } else if let Some(claims) = AccessTokenClaims::decode(&app, token, now) {
        revoke_access_token(&app, &caller, &claims, now).await?;
        Some(AuditEvent::new(AuditEventKind::TokensRevoked).to_object(claims.jti))
    } else {
        None
    };
    if let Some(event) = revoked {
        let (event, actor) = (event.to_client(&caller.id), Actor::Client(caller.id.clone()));
        app.audit.note(AuditRecord { event, actor, origin: client_ip.origin(&headers), happened_at: now });
    }
    Ok((StatusCode::OK, no_store()).into_response())
}

/// Whether there was anything left to revoke.
async fn revoke_refresh_token(
    app: &App,
    caller: &Client,
    presented: &PlainRefreshToken,
    now: DateTime<Utc>,
) -> Result<bool, OAuthError> {
    // The verb names the client: another client's token is not touched.
    if app.postgres.revoke_family(presented.id(), &caller.id, "revoked", now).await? {
        return Ok(true);
    }
    match app.postgres.find_family(presented.id(), None, now).await? {
        Some(family) if family.grant.client_id != caller.id => Err(foreign()),
        _ => Ok(false),
    }
}

async fn revoke_access_token(
    app: &App,
    caller: &Client,
    claims: &AccessTokenClaims,
    now: DateTime<Utc>,
) -> Result<(), OAuthError> {
    if claims.client_id != caller.id.as_str() {
        return Err(foreign());
    }
    let expires_at = DateTime::from_timestamp(claims.exp, 0).unwrap_or(now) + CLOCK_TOLERANCE;
    app.postgres.insert_revoked_token(&claims.jti, expires_at).await?;
    Ok(())
}

/// Section 2.1: only by the client that it was issued to, which is told so.
fn foreign() -> OAuthError {
    OAuthError::invalid_grant("the token was issued to another client")
}
