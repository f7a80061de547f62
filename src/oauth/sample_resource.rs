//! `/resource`: a protected resource to try tokens at, in development and for certification. It does what any resource server
//! has to: it takes a token in the header alone, checks what the token is bound to, whether it stands, and for whom it is.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;
use uuid::Uuid;

use super::paths;
use crate::app::App;
use crate::flow::audience;
use crate::flow::bearer::{self, PossessedToken, ResourceRequest};
use crate::http::client_certificate::ClientCertificate;
use crate::http::form::OAuthQuery;
use crate::http::headers::{dpop_nonce, no_store};
use crate::protocol::bearer::PresentedToken;
use crate::protocol::error::OAuthError;

/// By which a caller finds its request again (FAPI 1.0 Baseline section 6.2.1).
const INTERACTION_ID: HeaderName = HeaderName::from_static("x-fapi-interaction-id");

/// What there is to see: what the token says.
#[derive(Serialize)]
struct Sight<'a> {
    sub: &'a str,
    client_id: &'a str,
    scope: &'a str,
}

/// A request with an access token.
pub async fn get(
    State(app): State<App>,
    method: Method,
    certificate: ClientCertificate,
    headers: HeaderMap,
    OAuthQuery(query): OAuthQuery,
) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    let authorization = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let token = PresentedToken::collect(authorization, &query, None)?;
    let request = ResourceRequest {
        method: &method,
        path: paths::RESOURCE,
        headers: &headers,
        certificate: certificate.as_ref(),
    };
    let possessed = PossessedToken::verify(&app, token, &request, now)?;
    bearer::verify_standing(&app, &possessed, now).await?;
    let claims = &possessed.claims;
    // The default audience is whom a client means that names no resource.
    if claims.aud != audience::of(&app, &[], now).await? && !claims.aud.contains(&app.url(paths::RESOURCE)) {
        let error = OAuthError::invalid_token("the access token is for another resource");
        return Err(error.with_challenge(token.scheme().challenge()));
    }
    let sight = Sight { sub: &claims.sub, client_id: &claims.client_id, scope: &claims.scope };
    let nonce = dpop_nonce(possessed.next_nonce());
    Ok((no_store(), nonce, interaction(&headers), Json(sight)).into_response())
}

/// The identifier that the caller gave, if it is a UUID: nothing else of a request comes back in a header.
fn interaction(headers: &HeaderMap) -> HeaderMap {
    let id = headers.get(INTERACTION_ID).and_then(|value| value.to_str().ok());
    let id = id.filter(|id| id.len() == 36 && Uuid::try_parse(id).is_ok());
    id.and_then(|id| HeaderValue::try_from(id).ok()).map(|id| (INTERACTION_ID, id)).into_iter().collect()
}
