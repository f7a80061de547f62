//! `/userinfo` (OpenID Connect Core section 5.3): claims about the person behind an access token.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Map, Value};

use super::paths;
use crate::app::App;
use crate::flow::bearer::{self, Bearer, PossessedToken, ResourceRequest};
use crate::flow::encryption::Envelope;
use crate::flow::id_token::claims_request;
use crate::http::client_certificate::ClientCertificate;
use crate::http::form::{OAuthQuery, OptionalOAuthForm};
use crate::http::headers::{dpop_nonce, no_store};
use crate::model::client::Client;
use crate::model::id::ClientId;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::bearer::PresentedToken;
use crate::protocol::claims::ClaimsRequest;
use crate::protocol::claims::release::release_userinfo;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// The token is in the Authorization header.
pub async fn get(
    State(app): State<App>,
    method: Method,
    certificate: ClientCertificate,
    headers: HeaderMap,
    OAuthQuery(query): OAuthQuery,
) -> Result<Response, OAuthError> {
    let request = ResourceRequest {
        method: &method,
        path: paths::USERINFO,
        headers: &headers,
        certificate: certificate.as_ref(),
    };
    answer(&app, &request, &query, None).await
}

/// The token is in the Authorization header or in the form (RFC 6750 sections 2.1 and 2.2).
pub async fn post(
    State(app): State<App>,
    method: Method,
    certificate: ClientCertificate,
    headers: HeaderMap,
    OAuthQuery(query): OAuthQuery,
    OptionalOAuthForm(form): OptionalOAuthForm,
) -> Result<Response, OAuthError> {
    let request = ResourceRequest {
        method: &method,
        path: paths::USERINFO,
        headers: &headers,
        certificate: certificate.as_ref(),
    };
    answer(&app, &request, &query, form.as_ref()).await
}

async fn answer(
    app: &App,
    request: &ResourceRequest<'_>,
    query: &Form,
    form: Option<&Form>,
) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    let authorization = request.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let token = PresentedToken::collect(authorization, query, form)?;
    let possessed = PossessedToken::verify(app, token, request, now)?;
    let bearer = bearer::verify_person(app, possessed, now).await?;
    if !bearer.claims.has_scope("openid") {
        let error = OAuthError::insufficient_scope("the access token does not have the scope openid");
        return Err(error.with_challenge(token.scheme().challenge_for("openid")));
    }
    let client = app.registry.find_client(&ClientId::new(bearer.claims.client_id.as_str()), now).await?;
    let client = client.ok_or_else(|| {
        OAuthError::invalid_token("the client of the access token is gone").with_challenge(token.scheme().challenge())
    })?;
    let claims = released(&bearer);
    let envelope = Envelope::find(app, &client, client.settings.userinfo_encryption(), now).await?;
    let response = match (client.settings.userinfo_signed_response_alg, envelope) {
        (None, None) => (no_store(), Json(claims)).into_response(),
        (None, Some(envelope)) => as_jwt(envelope.seal(Value::Object(claims).to_string().as_bytes())?),
        (Some(alg), None) => as_jwt(signed(app, &client, (alg, claims), now).await?),
        (Some(alg), Some(envelope)) => as_jwt(envelope.nest(&signed(app, &client, (alg, claims), now).await?, None)?),
    };
    Ok((dpop_nonce(bearer.next_nonce.as_deref()), response).into_response())
}

fn released(bearer: &Bearer) -> Map<String, Value> {
    let grant = &bearer.family.grant;
    // What the first client asked for by name was for that client.
    let request = if bearer.claims.is_exchanged() { ClaimsRequest::default() } else { claims_request(grant) };
    let scopes: Vec<String> = bearer.claims.scope.split(' ').map(ToOwned::to_owned).collect();
    let mut released = release_userinfo(&scopes, &request, &bearer.person.claims);
    // Section 5.3.2: exactly what the ID token said that was issued with it.
    released.insert("sub".to_owned(), bearer.claims.sub.as_str().into());
    released
}

/// Section 5.3.2: whatever was done to it.
fn as_jwt(jwt: String) -> Response {
    (no_store(), [(CONTENT_TYPE, "application/jwt")], jwt).into_response()
}

/// Section 5.3.2: a signed answer names its issuer and its audience.
async fn signed(
    app: &App,
    client: &Client,
    (alg, mut claims): (SigningAlg, Map<String, Value>),
    now: DateTime<Utc>,
) -> Result<String, OAuthError> {
    claims.insert("iss".to_owned(), app.issuer().into());
    claims.insert("aud".to_owned(), client.id.as_str().into());
    claims.insert("iat".to_owned(), now.timestamp().into());
    Ok(app.keys.current().sign_jwt(alg, "JWT", &claims).await?)
}
