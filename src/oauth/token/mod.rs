//! `/token` (RFC 6749 section 3.2): who calls, which grant, and what the grant decided.

// The grants: one file each.
pub mod grants;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;

use super::paths;
use crate::app::App;
use crate::flow::{client, issue};
use crate::http::form::OAuthForm;
use crate::http::headers;
use crate::model::client::GrantType;
use crate::protocol::error::OAuthError;

/// A token request.
pub async fn post(
    State(app): State<App>,
    request_headers: HeaderMap,
    OAuthForm(form): OAuthForm,
) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    form.refuse_repeats()?;
    let client = client::authenticate(&app, &[paths::TOKEN], &request_headers, &form, now).await?;
    let grant_type = form.required("grant_type", "the parameter grant_type is missing")?;
    let grant = GrantType::from_name(grant_type)
        .ok_or_else(|| OAuthError::unsupported_grant_type("the grant_type is not supported"))?;
    if !client.has_grant(grant) {
        return Err(OAuthError::unauthorized_client("the client may not use this grant_type"));
    }
    let issuance = match grant {
        GrantType::AuthorizationCode => grants::authorization_code::decide(&app, client, &form, now).await?,
        GrantType::RefreshToken => grants::refresh_token::decide(&app, client, &form, now).await?,
        GrantType::ClientCredentials => grants::client_credentials::decide(&app, client, &form, now).await?,
    };
    let response = issue::tokens(&app, issuance, now).await?;
    // RFC 6749 section 5.1.
    Ok((headers::no_store(), Json(response)).into_response())
}
