//! `/token` (RFC 6749 section 3.2): who calls, which key they have (RFC 9449 section 5), which grant, and what the grant decided.

// The grants: one file each.
pub mod grants;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::paths;
use crate::app::App;
use crate::flow::access_token::Binding;
use crate::flow::exchange::Possession;
use crate::flow::replay::Mark;
use crate::flow::{client, dpop, issue};
use crate::http::client_certificate::ClientCertificate;
use crate::http::client_ip::ClientIp;
use crate::http::form::OAuthForm;
use crate::http::headers;
use crate::model::audit::Origin;
use crate::model::client::{Client, GrantType};
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::mtls::Certificate;
use crate::protocol::token_exchange;

/// A token request.
pub async fn post(
    State(app): State<App>,
    client_ip: ClientIp,
    certificate: ClientCertificate,
    request_headers: HeaderMap,
    OAuthForm(form): OAuthForm,
) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    refuse_repeats(&form)?;
    let caller = (&request_headers, certificate.as_ref());
    let origin = client_ip.origin(&request_headers);
    let (client, assertion) = client::verify(&app, &[paths::TOKEN], caller, &form, now).await?;
    let id = client.id.clone();
    client::counted(&app, &id, answer(&app, (client, assertion), caller, (&form, &origin), now).await)
}

/// The answer to a client that has authenticated.
async fn answer(
    app: &App,
    (client, assertion): (Arc<Client>, Option<Mark>),
    (request_headers, certificate): (&HeaderMap, Option<&Certificate>),
    (form, origin): (&Form, &Origin),
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let proof = dpop::verify_optional(app, paths::TOKEN, request_headers, now)?;
    let settings = &client.settings;
    let by_certificate = settings.tls_client_certificate_bound_access_tokens;
    let is_bound = client::profile(app, &client).is_fapi2() && !by_certificate;
    if (is_bound || settings.dpop_bound_access_tokens) && proof.is_none() {
        return Err(OAuthError::invalid_dpop_proof(
            "the tokens of the client are bound to a key: a DPoP proof is required",
        ));
    }
    // Anybody can be a public client, and makes up as many proofs as they like, each of which would be a record: something of ours has to
    // come with it. Whoever signs has authenticated when the assertion is used up, and not before.
    let is_anybody = client.is_public();
    if !is_anybody {
        dpop::burn(app, assertion, proof.as_ref(), now).await?;
    }
    let jkt = proof.as_ref().map(|proof| proof.jkt.as_str());
    let grant_type = form.required("grant_type", "the parameter grant_type is missing")?;
    let grant = GrantType::from_name(grant_type)
        .ok_or_else(|| OAuthError::unsupported_grant_type("the grant_type is not supported"))?;
    if !client.has_grant(grant) {
        return Err(OAuthError::unauthorized_client("the client may not use this grant_type"));
    }
    if is_anybody {
        grants::check_genuine(app, grant, form)?;
        dpop::burn(app, None, proof.as_ref(), now).await?;
    }
    let x5t = client::certificate_to_bind(&client, certificate, now)?;
    let issuance = match grant {
        GrantType::AuthorizationCode => {
            grants::authorization_code::decide(app, client, (form, origin), jkt, now).await?
        }
        GrantType::RefreshToken => grants::refresh_token::decide(app, client, form, now).await?,
        GrantType::ClientCredentials => grants::client_credentials::decide(app, client, form, now).await?,
        GrantType::DeviceCode => grants::device_code::decide(app, client, (form, origin), jkt, now).await?,
        GrantType::Ciba => grants::ciba::decide(app, client, (form, origin), jkt, now).await?,
        GrantType::TokenExchange => {
            let possession = Possession { jkt, certificate };
            grants::token_exchange::decide(app, client, form, possession, now).await?
        }
    };
    let binding = Binding { jkt, x5t: x5t.as_deref() };
    let response = issue::tokens(app, issuance, binding, origin, now).await?;
    // RFC 6749 section 5.1.
    let nonce = headers::dpop_nonce(proof.as_ref().and_then(|proof| proof.next_nonce.as_deref()));
    Ok((headers::no_store(), nonce, Json(response)).into_response())
}

/// Which parameters may be repeated is for the grant to say.
fn refuse_repeats(form: &Form) -> Result<(), OAuthError> {
    if form.one("grant_type")? == Some(GrantType::TokenExchange.as_str()) {
        form.refuse_repeats_except(&token_exchange::REPEATABLE)
    } else {
        form.refuse_repeats()
    }
}
