//! `/backchannel_authentication` (OpenID Connect CIBA section 7): a client asks for a person who is elsewhere, by a hint at who they
//! are, and gets a name for its request. The person decides on a page of their own; nothing is ever decided for them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderMap;
use serde::Serialize;

use super::{authorize, decoupled, paths};
use crate::app::App;
use crate::flow::backchannel_authentication::{self, Call};
use crate::flow::replay::Mark;
use crate::flow::throttle::{self, Admission};
use crate::flow::{client, dpop, id_token, subject};
use crate::http::client_certificate::ClientCertificate;
use crate::http::form::OAuthForm;
use crate::http::headers;
use crate::model::client::{Client, GrantType, SubjectType, TokenDeliveryMode};
use crate::model::id::SubjectId;
use crate::protocol::backchannel_authentication as protocol;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::storage::StoreError;

/// When to come again if too much waits for a person already.
const FULL: Duration = Duration::from_secs(60);

/// Section 7.3.
#[derive(Serialize)]
struct Acknowledgement {
    auth_req_id: String,
    expires_in: i64,
    interval: i64,
}

/// A backchannel authentication request.
pub async fn post(
    State(app): State<App>,
    certificate: ClientCertificate,
    request_headers: HeaderMap,
    OAuthForm(form): OAuthForm,
) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    form.refuse_repeats()?;
    let endpoints = [paths::BACKCHANNEL_AUTHENTICATION, paths::TOKEN];
    let presented = (&request_headers, certificate.as_ref());
    let (client, assertion) = client::verify(&app, &endpoints, presented, &form, now).await?;
    let id = client.id.clone();
    client::counted(&app, &id, answer(&app, (client, assertion), &request_headers, &form, now).await)
}

/// The answer to a client that has authenticated.
async fn answer(
    app: &App,
    (client, assertion): (Arc<Client>, Option<Mark>),
    request_headers: &HeaderMap,
    form: &Form,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let proof = dpop::verify_optional(app, paths::BACKCHANNEL_AUTHENTICATION, request_headers, now)?;
    // A public client cannot authenticate, which section 7.1 requires.
    if !client.has_grant(GrantType::Ciba) || client.is_public() {
        return Err(OAuthError::unauthorized_client("the client may not use backchannel authentication"));
    }
    let description = "the client has to sign its requests, which is not supported here";
    decoupled::refuse_if_signed(app, &client, description)?;
    dpop::burn(app, assertion, proof.as_ref(), now).await?;
    if form.has("request") || form.has("request_uri") {
        return Err(OAuthError::invalid_request("signed backchannel authentication requests are not supported"));
    }
    let asked = decoupled::asked(app, &client, form, proof.as_ref(), now).await?;
    if !asked.scopes.iter().any(|scope| scope == "openid") {
        return Err(OAuthError::invalid_scope("the scope openid must be asked for"));
    }
    let call = call(app, &client, form, now).await?;
    let lifetime = call.lifetime;
    let settings = &app.config.backchannel_authentication;
    let Some(auth_req_id) = backchannel_authentication::begin(app, &client, (asked, call), now).await? else {
        return Err(OAuthError::temporarily_unavailable("too many requests wait for this person").with_wait(FULL));
    };
    let (expires_in, interval) = (lifetime.num_seconds(), settings.interval.num_seconds());
    let nonce = headers::dpop_nonce(proof.as_ref().and_then(|proof| proof.next_nonce.as_deref()));
    Ok((headers::no_store(), nonce, Json(Acknowledgement { auth_req_id, expires_in, interval })).into_response())
}

/// Everything but what is asked for. Whom the client means comes last: only a request without another fault finds out.
async fn call(app: &App, client: &Client, form: &Form, now: DateTime<Utc>) -> Result<Call, OAuthError> {
    let settings = &app.config.backchannel_authentication;
    let binding_message = form.one("binding_message")?.map(protocol::binding_message).transpose()?;
    let lifetime = match form.one("requested_expiry")?.map(protocol::requested_expiry).transpose()? {
        Some(asked) => asked.min(settings.longest_lifetime),
        None => settings.lifetime,
    };
    let acr_values = form.one("acr_values")?.map(|text| authorize::reachable(app, text.split(' ')));
    let client_notification_token = match client.settings.backchannel_token_delivery_mode {
        Some(TokenDeliveryMode::Ping) => {
            let missing = "the parameter client_notification_token is missing, which the mode ping needs";
            let token = form.required("client_notification_token", missing)?;
            Some(protocol::client_notification_token(token)?.to_owned())
        }
        Some(TokenDeliveryMode::Poll) | None => None,
    };
    let subject = person(app, client, form, now).await?;
    let limit = (app.config.throttle.window, settings.requests_per_person);
    let by = (&client.id, &subject);
    if let Some(wait) = throttle::count_backchannel_request(app.state.as_ref(), limit, by, now).await? {
        let error = OAuthError::temporarily_unavailable("the client sent this person too many requests");
        return Err(error.with_wait(wait));
    }
    let acr_values = acr_values.unwrap_or_default();
    Ok(Call { subject, acr_values, binding_message, client_notification_token, lifetime })
}

/// Whom the client means, by exactly one hint (section 7.1).
async fn person(app: &App, client: &Client, form: &Form, now: DateTime<Utc>) -> Result<SubjectId, OAuthError> {
    let (name, token) = (form.one("login_hint")?, form.one("id_token_hint")?);
    if form.has("login_hint_token") {
        return Err(OAuthError::invalid_request("login_hint_token is not supported: send login_hint or id_token_hint"));
    }
    let found = match (name, token) {
        (Some(name), None) => named(app, client, name, now).await?,
        (None, Some(token)) => known(app, client, token, now).await?,
        _ => return Err(OAuthError::invalid_request("there must be exactly one of login_hint and id_token_hint")),
    };
    found.ok_or_else(|| OAuthError::unknown_user_id("nobody here is meant by the hint"))
}

/// Whoever signs in with that name. The specification wants the client to be told that there is nobody (section 13), so a client that
/// asks for many is slowed down.
async fn named(app: &App, client: &Client, name: &str, now: DateTime<Utc>) -> Result<Option<SubjectId>, OAuthError> {
    let (state, settings) = (app.state.as_ref(), &app.config.backchannel_authentication);
    let limit: (TimeDelta, u32) = (app.config.throttle.window, settings.unknown_hints_per_client);
    let reserved = match throttle::reserve_hint(state, limit, &client.id, now).await? {
        Admission::Admitted(reserved) => reserved,
        Admission::Wait(wait) => {
            let error = OAuthError::temporarily_unavailable("too many hints of the client meant nobody");
            return Err(error.with_wait(wait));
        }
    };
    let found = app.identity.find_subject(name).await?;
    match found {
        Some(_) => reserved.refund(state, now).await?,
        None => reserved.count_failure(state, now).await?,
    }
    Ok(found)
}

/// Whoever the client got that ID token for.
async fn known(app: &App, client: &Client, token: &str, now: DateTime<Utc>) -> Result<Option<SubjectId>, OAuthError> {
    let hint = id_token::verify_hint(app, token, now)
        .await?
        .filter(|hint| hint.client_id == client.id)
        .ok_or_else(|| OAuthError::invalid_request("the id_token_hint is not an ID token of this client"))?;
    let subject = match client.settings.subject_type {
        SubjectType::Public => Some(hint.subject),
        // What its sector calls people cannot be turned back, but the session can be looked up.
        SubjectType::Pairwise => {
            let session = app.postgres.find_session_record(hint.sid, now).await?;
            let subject = session.map(|session| session.subject);
            let seen = subject.as_ref().map(|subject| subject::seen_by(app, client, subject)).transpose()?;
            subject.filter(|_| seen == Some(hint.subject))
        }
    };
    let Some(subject) = subject else { return Ok(None) };
    let person: Result<_, StoreError> = app.identity.find_person(&subject).await;
    Ok(person?.map(|_| subject))
}
