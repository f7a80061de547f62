//! What a client is answered through the browser: parameters (RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207), or a JWT with
//! them inside (JARM section 2). A response that should be signed or encrypted is that, or it is not sent.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::authorization_request::ReturnAddress;
use super::decoupled::Waiter;
use super::encryption::Envelope;
use crate::app::App;
use crate::model::client::Client;
use crate::protocol::error::OAuthError;
use crate::protocol::response_mode::ResponseMode;

/// How long a signed response is good: JARM section 2.1 recommends ten minutes at most, and it is used at once.
const LIFE: TimeDelta = TimeDelta::minutes(2);

/// An authorization response, success or error, ready to be sent to the client through the browser. Has no `Debug`: it may
/// hold a code.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationResponse {
    /// Where it goes.
    pub redirect_uri: String,
    /// How.
    pub response_mode: ResponseMode,
    /// What it says.
    pub parameters: Vec<(&'static str, String)>,
    /// Whether it goes to a page of ours, which says what became of the request of somebody who waits elsewhere.
    pub is_own: bool,
    /// The languages that the request asked for, for a page that sends the browser there.
    pub ui_locales: Vec<String>,
}

impl AuthorizationResponse {
    /// What the answers of `client` in this mode are put into; `None`: nothing. Found before a code is made.
    pub async fn find_envelope(
        app: &App,
        client: &Arc<Client>,
        response_mode: ResponseMode,
        now: DateTime<Utc>,
    ) -> Result<Option<Envelope>, OAuthError> {
        let encryption = client.settings.authorization_encryption().filter(|_| response_mode.is_signed());
        Envelope::find(app, client, encryption, now).await
    }

    /// A success: the code, the state, and the issuer (RFC 9207).
    pub async fn code(
        app: &App,
        to: ReturnAddress,
        code: String,
        envelope: Option<Envelope>,
        now: DateTime<Utc>,
    ) -> Result<Self, OAuthError> {
        let parameters = vec![("code", code)];
        if !to.response_mode.is_signed() {
            return Ok(Self::plain(app, to, parameters));
        }
        let client = find_client(app, &to, now).await?;
        Self::signed(app, &client, (to, parameters), envelope, now).await
    }

    /// An error: its code and description, the state, and the issuer, which RFC 9207 section 2 asks for on errors too.
    pub async fn error(
        app: &App,
        to: ReturnAddress,
        error: &OAuthError,
        now: DateTime<Utc>,
    ) -> Result<Self, OAuthError> {
        let parameters =
            vec![("error", error.code().as_str().to_owned()), ("error_description", error.description().to_owned())];
        if !to.response_mode.is_signed() {
            return Ok(Self::plain(app, to, parameters));
        }
        let client = find_client(app, &to, now).await?;
        let envelope = Self::find_envelope(app, &client, to.response_mode, now).await?;
        Self::signed(app, &client, (to, parameters), envelope, now).await
    }

    /// What a person sees who decided in `attempt` for somebody who waits elsewhere, and is told when they ask.
    pub fn of_decoupled(app: &App, waiter: Waiter, attempt: &str) -> Self {
        let parameters = vec![("interaction", attempt.to_owned())];
        Self {
            redirect_uri: app.url(waiter.done()),
            response_mode: ResponseMode::Query,
            parameters,
            is_own: true,
            ui_locales: Vec::new(),
        }
    }

    fn plain(app: &App, to: ReturnAddress, mut parameters: Vec<(&'static str, String)>) -> Self {
        let ReturnAddress { client_id: _, redirect_uri, response_mode, state, ui_locales, is_decoupled: _ } = to;
        parameters.extend(state.map(|state| ("state", state)));
        parameters.push(("iss", app.issuer().to_owned()));
        Self { redirect_uri, response_mode, parameters, is_own: false, ui_locales }
    }

    /// JARM section 2.2: signed, and then encrypted if the client wants that.
    async fn signed(
        app: &App,
        client: &Client,
        (to, mut parameters): (ReturnAddress, Vec<(&'static str, String)>),
        envelope: Option<Envelope>,
        now: DateTime<Utc>,
    ) -> Result<Self, OAuthError> {
        let ReturnAddress { client_id, redirect_uri, response_mode, state, ui_locales, is_decoupled: _ } = to;
        parameters.extend(state.map(|state| ("state", state)));
        let alg = client.settings.authorization_signed_response_alg;
        let claims = claims(app.issuer(), client_id.as_str(), parameters, now);
        let jwt = app.keys.current().sign_jwt(alg, "JWT", &claims).await?;
        let response = match envelope {
            Some(envelope) => envelope.nest(&jwt, None)?,
            None => jwt,
        };
        let parameters = vec![("response", response)];
        Ok(Self { redirect_uri, response_mode, parameters, is_own: false, ui_locales })
    }
}

async fn find_client(app: &App, to: &ReturnAddress, now: DateTime<Utc>) -> Result<Arc<Client>, OAuthError> {
    let client = app.registry.find_client(&to.client_id, now).await?;
    client.ok_or_else(|| OAuthError::server_error("the client is not registered any more"))
}

/// JARM section 2.1: what the response says, and who says it to whom. RFC 9207 section 2.4: then there is no `iss` beside it.
fn claims(
    issuer: &str,
    client_id: &str,
    parameters: Vec<(&'static str, String)>,
    now: DateTime<Utc>,
) -> Map<String, Value> {
    let about: [(&str, Value); 4] = [
        ("iss", issuer.into()),
        ("aud", client_id.into()),
        ("iat", now.timestamp().into()),
        ("exp", (now + LIFE).timestamp().into()),
    ];
    let parameters = parameters.into_iter().map(|(name, value)| (name, Value::from(value)));
    parameters.chain(about).map(|(name, value)| (name.to_owned(), value)).collect()
}
