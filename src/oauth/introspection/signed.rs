//! Introspection answers as JWTs (RFC 9701): for a resource server that keeps what it was told, and may have to show it.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::Introspection;
use crate::app::App;
use crate::flow::access_token::{AccessTokenClaims, Audience};
use crate::flow::encryption::Envelope;
use crate::flow::{audience, client};
use crate::http::accept;
use crate::http::headers::no_store;
use crate::model::client::Client;
use crate::protocol::error::OAuthError;

/// Section 5, and of the request section 4.
const MEDIA_TYPE: &str = "application/token-introspection+jwt";

/// Section 5: so that it is taken for no other JWT, least of all for an access token.
const TYP: &str = "token-introspection+jwt";

/// Section 5. There is no `sub` and no `exp`: whoever takes such a JWT for an access token finds that it lacks what those have.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    token_introspection: &'a Introspection,
}

/// Whether the answer is to be a JWT: the caller asks for one, or registered that it always gets one. Section 8.2: what is
/// encrypted is told in no other way, or whoever stole the caller's credentials could ask for it in the clear.
pub(super) fn is_wanted(caller: &Client, headers: &HeaderMap) -> Result<bool, OAuthError> {
    let is_encrypted = caller.settings.introspection_encryption().is_some();
    if !caller.settings.require_signed_introspection_response && !is_encrypted {
        return Ok(accept::prefers(headers, MEDIA_TYPE, "application/json"));
    }
    if accept::weight_of(headers, MEDIA_TYPE) == 0 {
        let refused =
            OAuthError::invalid_request("the client registered that its answers are JWTs: it must accept those");
        return Err(refused.with_status(406));
    }
    Ok(true)
}

/// What an access token says to `caller`. Section 5: a resource server is told the scopes that mean something to it, and not
/// where else the token is good. The client that has the token is told everything.
pub(super) async fn narrowed(
    app: &App,
    caller: &Client,
    claims: AccessTokenClaims,
    now: DateTime<Utc>,
) -> Result<AccessTokenClaims, OAuthError> {
    if claims.client_id == caller.id.as_str() {
        return Ok(claims);
    }
    let served: Vec<_> =
        caller.settings.serves.iter().filter(|resource| claims.aud.contains(resource.as_str())).cloned().collect();
    let scopes: Vec<_> = claims.scope.split(' ').map(ToOwned::to_owned).collect();
    let scope = audience::scopes_at(app, &scopes, &served, now).await?.join(" ");
    let aud = Audience::from(served.iter().map(ToString::to_string).collect::<Vec<_>>());
    Ok(AccessTokenClaims { scope, aud, ..claims })
}

/// The answer, signed for `caller`, and then encrypted if it wants that.
pub(super) async fn send(
    app: &App,
    caller: &Arc<Client>,
    token_introspection: &Introspection,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let envelope = Envelope::find(app, caller, caller.settings.introspection_encryption(), now).await?;
    let default = || client::profile(app, caller).default_alg();
    let alg = caller.settings.introspection_signed_response_alg.unwrap_or_else(default);
    let claims = Claims { iss: app.issuer(), aud: caller.id.as_str(), iat: now.timestamp(), token_introspection };
    let jwt = app.keys.current().sign_jwt(alg, TYP, &claims).await?;
    let jwt = match envelope {
        Some(envelope) => envelope.nest(&jwt, Some(TYP))?,
        None => jwt,
    };
    Ok((no_store(), [(CONTENT_TYPE, MEDIA_TYPE)], jwt).into_response())
}
