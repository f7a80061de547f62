//! `/resource`: a protected resource to try tokens at, in development and for certification. It does what any resource server
//! has to: it takes a token in the header alone, checks what the token is bound to, whether it stands, and for whom it is. Its
//! refusals name its metadata (RFC 9728 section 5.1), if it is registered.
//!
//! What an operation may demand of the sign-in (RFC 9470), a caller chooses here by the parameters `acr_values` and `max_age`: it
//! is the caller who wants to see how a step-up goes.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;
use uuid::Uuid;

use super::{paths, protected_resource};
use crate::app::App;
use crate::flow::access_token::AccessTokenClaims;
use crate::flow::audience;
use crate::flow::bearer::{self, PossessedToken, ResourceRequest};
use crate::http::client_certificate::ClientCertificate;
use crate::http::form::OAuthQuery;
use crate::http::headers::{dpop_nonce, no_store};
use crate::protocol::bearer::{PresentedToken, TokenScheme};
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

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
    let request = ResourceRequest {
        method: &method,
        path: paths::RESOURCE,
        headers: &headers,
        certificate: certificate.as_ref(),
    };
    match answer(&app, &request, &query).await {
        Ok(response) => Ok(response),
        Err(error) => Err(with_metadata(&app, error).await),
    }
}

async fn answer(app: &App, request: &ResourceRequest<'_>, query: &Form) -> Result<Response, OAuthError> {
    let (now, headers) = (app.clock.now(), request.headers);
    let authorization = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let token = PresentedToken::collect(authorization, query, None)?;
    let possessed = PossessedToken::verify(app, token, request, now)?;
    bearer::verify_standing(app, &possessed, now).await?;
    let claims = &possessed.claims;
    // The default audience is whom a client means that names no resource.
    if claims.aud != audience::of(app, &[], now).await? && !claims.aud.contains(&app.url(paths::RESOURCE)) {
        let error = OAuthError::invalid_token("the access token is for another resource");
        return Err(error.with_challenge(token.scheme().challenge()));
    }
    Demand::read(query)?.check(claims, token.scheme(), now)?;
    let sight = Sight { sub: &claims.sub, client_id: &claims.client_id, scope: &claims.scope };
    let nonce = dpop_nonce(possessed.next_nonce());
    Ok((no_store(), nonce, interaction(headers), Json(sight)).into_response())
}

/// A client that knows nothing of this resource learns here where to read of it. Who is unregistered has nothing to read.
async fn with_metadata(app: &App, error: OAuthError) -> OAuthError {
    match protected_resource::public_catalog(app).await {
        Ok(catalog) if protected_resource::find(&catalog, &app.url(paths::RESOURCE)).is_some() => {
            error.with_challenge_parameter("resource_metadata", &protected_resource::url(app, paths::RESOURCE))
        }
        _ => error,
    }
}

/// What the sign-in behind a token has to be (RFC 9470 section 3).
struct Demand<'a> {
    /// One of these classes; empty: any.
    acr_values: Option<&'a str>,
    /// So recent, in seconds.
    max_age: Option<(&'a str, i64)>,
}

impl<'a> Demand<'a> {
    fn read(query: &'a Form) -> Result<Self, OAuthError> {
        let seconds = |text: &'a str| match text.parse::<u32>() {
            Ok(seconds) => Ok((text, i64::from(seconds))),
            Err(_) => Err(OAuthError::invalid_request("the max_age is not a number of seconds")),
        };
        let acr_values = query.one("acr_values")?.filter(|values| !values.is_empty());
        Ok(Self { acr_values, max_age: query.one("max_age")?.map(seconds).transpose()? })
    }

    /// Says what is missing in the words that the client is to repeat in its authorization request (section 3 and 4).
    fn check(self, claims: &AccessTokenClaims, scheme: TokenScheme, now: DateTime<Utc>) -> Result<(), OAuthError> {
        let reaches = |wanted: &str| claims.acr.as_deref().is_some_and(|acr| wanted.split(' ').any(|one| one == acr));
        let is_recent = |age: i64| claims.auth_time.is_some_and(|at| at.saturating_add(age) >= now.timestamp());
        let refused =
            |description| OAuthError::insufficient_user_authentication(description).with_challenge(scheme.challenge());
        match (self.acr_values, self.max_age) {
            (Some(wanted), _) if !reaches(wanted) => {
                Err(refused("another kind of sign-in is required").with_challenge_parameter("acr_values", wanted))
            }
            (_, Some((text, age))) if !is_recent(age) => {
                Err(refused("a more recent sign-in is required").with_challenge_parameter("max_age", text))
            }
            _ => Ok(()),
        }
    }
}

/// The identifier that the caller gave, if it is a UUID: nothing else of a request comes back in a header.
fn interaction(headers: &HeaderMap) -> HeaderMap {
    let id = headers.get(INTERACTION_ID).and_then(|value| value.to_str().ok());
    let id = id.filter(|id| id.len() == 36 && Uuid::try_parse(id).is_ok());
    id.and_then(|id| HeaderValue::try_from(id).ok()).map(|id| (INTERACTION_ID, id)).into_iter().collect()
}
