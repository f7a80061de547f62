//! `/par` (RFC 9126): a client sends its authorization request itself, authenticated and out of everybody's sight, and gets a
//! short name for it.
//!
//! The request is validated here like at the authorization endpoint, and every error is told to the client at once.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::{authorize, paths};
use crate::app::App;
use crate::flow::authorization_request::AuthorizationRequest;
use crate::flow::dpop::{self, Proof};
use crate::flow::replay::Mark;
use crate::flow::throttle::Network;
use crate::flow::{client, client_document, pushed_request, throttle};
use crate::http::client_certificate::ClientCertificate;
use crate::http::client_ip::ClientIp;
use crate::http::form::OAuthForm;
use crate::http::headers;
use crate::model::client::Client;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// RFC 9126 section 2.2.
#[derive(Debug, Serialize)]
struct Pushed {
    request_uri: String,
    expires_in: i64,
}

/// A pushed authorization request.
pub async fn post(
    State(app): State<App>,
    client_ip: ClientIp,
    certificate: ClientCertificate,
    request_headers: HeaderMap,
    OAuthForm(form): OAuthForm,
) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    form.refuse_repeats()?;
    let network = client_ip.network();
    client_document::refresh_caller(&app, (&request_headers, &form), &network, now).await?;
    let presented = (&request_headers, certificate.as_ref());
    let (client, assertion) = client::verify(&app, &[paths::PAR, paths::TOKEN], presented, &form, now).await?;
    let id = client.id.clone();
    client::counted(&app, &id, answer(&app, (client, assertion), (&request_headers, &network), &form, now).await)
}

/// The answer to a client that has authenticated, or needs not.
async fn answer(
    app: &App,
    (client, assertion): (Arc<Client>, Option<Mark>),
    (request_headers, network): (&HeaderMap, &Network),
    form: &Form,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let proof = dpop::verify_optional(app, paths::PAR, request_headers, now)?;
    // RFC 9126 section 2.1.
    if form.has("request_uri") {
        return Err(OAuthError::invalid_request("a pushed request must not have the parameter request_uri"));
    }
    // A public client is anybody who knows its name, and each request is a record.
    if client.is_public()
        && let Some(wait) = throttle::count_beginning(app.state.as_ref(), &app.config.throttle, network, now).await?
    {
        let error = OAuthError::temporarily_unavailable("too many requests were pushed from this network");
        return Err(error.with_wait(wait));
    }
    // After that limit: each proof that is used up is a record too.
    dpop::burn(app, assertion, proof.as_ref(), now).await?;
    let mut request = authorize::read_from(app, client, form, network, now).await?;
    bind(&mut request, proof.as_ref())?;
    let request_uri = pushed_request::push(app, request, now).await?;
    let expires_in = app.config.pushed_requests.lifetime.num_seconds();
    let nonce = headers::dpop_nonce(proof.as_ref().and_then(|proof| proof.next_nonce.as_deref()));
    Ok((StatusCode::CREATED, headers::no_store(), nonce, Json(Pushed { request_uri, expires_in })).into_response())
}

/// RFC 9449 section 10.1: a proof binds the code to its key, like `dpop_jkt` does; both have to be the same one.
fn bind(request: &mut AuthorizationRequest, proof: Option<&Proof>) -> Result<(), OAuthError> {
    let Some(proof) = proof else { return Ok(()) };
    if request.dpop_jkt.as_ref().is_some_and(|jkt| *jkt != proof.jkt) {
        return Err(OAuthError::invalid_dpop_proof("the DPoP proof is by another key than dpop_jkt names"));
    }
    request.dpop_jkt = Some(proof.jkt.clone());
    Ok(())
}
