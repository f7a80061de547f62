//! `/device_authorization` (RFC 8628 section 3.1): a device without a keyboard or a browser asks, and gets a code to show to a
//! person, who goes on with it in a browser of their own.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::Serialize;

use super::{decoupled, paths};
use crate::app::App;
use crate::flow::device_code::{self, Begun};
use crate::flow::replay::Mark;
use crate::flow::throttle::Network;
use crate::flow::{client, client_document, dpop, throttle};
use crate::http::client_certificate::ClientCertificate;
use crate::http::client_ip::ClientIp;
use crate::http::form::OAuthForm;
use crate::http::headers;
use crate::model::client::{Client, GrantType};
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// RFC 8628 section 3.2.
#[derive(Serialize)]
struct DeviceAuthorization {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: i64,
    interval: i64,
}

/// A device authorization request.
pub async fn post(
    State(app): State<App>,
    client_ip: ClientIp,
    certificate: ClientCertificate,
    request_headers: HeaderMap,
    OAuthForm(form): OAuthForm,
) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    form.refuse_repeats()?;
    let endpoints = [paths::DEVICE_AUTHORIZATION, paths::TOKEN];
    let network = client_ip.network();
    client_document::refresh_caller(&app, (&request_headers, &form), &network, now).await?;
    let presented = (&request_headers, certificate.as_ref());
    let (client, assertion) = client::verify(&app, &endpoints, presented, &form, now).await?;
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
    let proof = dpop::verify_optional(app, paths::DEVICE_AUTHORIZATION, request_headers, now)?;
    if !client.has_grant(GrantType::DeviceCode) {
        return Err(OAuthError::unauthorized_client("the client may not use the device authorization grant"));
    }
    // There is no such thing as a signed device authorization request.
    decoupled::refuse_if_signed(app, &client, "the client has to sign its requests, which a device cannot")?;
    // A public client is anybody who knows its name, and each request is a record.
    if client.is_public()
        && let Some(wait) = throttle::count_beginning(app.state.as_ref(), &app.config.throttle, network, now).await?
    {
        let error = OAuthError::temporarily_unavailable("too many devices were begun from this network");
        return Err(error.with_wait(wait));
    }
    dpop::burn(app, assertion, proof.as_ref(), now).await?;
    let asked = decoupled::asked(app, &client, form, proof.as_ref(), now).await?;
    let Begun { device_code, user_code } = device_code::begin(app, &client, asked, now).await?;
    let (user_code, verification_uri) = (user_code.display(), app.url(device_code::PAGE));
    let answer = DeviceAuthorization {
        device_code,
        verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
        user_code,
        verification_uri,
        expires_in: app.config.device_authorization.lifetime.num_seconds(),
        interval: app.config.device_authorization.interval.num_seconds(),
    };
    let nonce = headers::dpop_nonce(proof.as_ref().and_then(|proof| proof.next_nonce.as_deref()));
    Ok((headers::no_store(), nonce, Json(answer)).into_response())
}
