//! What a client is answered through the browser: parameters (RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207), or a JWT with
//! them inside (JARM section 2). A response that should be signed is signed or not sent.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::authorization_request::ReturnAddress;
use super::device_code;
use crate::app::App;
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
    /// Whether it goes to a page of ours, which says what became of a device.
    pub is_own: bool,
}

impl AuthorizationResponse {
    /// A success: the code, the state, and the issuer (RFC 9207).
    pub async fn code(app: &App, to: ReturnAddress, code: String, now: DateTime<Utc>) -> Result<Self, OAuthError> {
        Self::with(app, to, vec![("code", code)], now).await
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
        Self::with(app, to, parameters, now).await
    }

    /// What a person sees who decided about a device in `attempt`: the device itself is told when it asks.
    pub fn of_device(app: &App, attempt: &str) -> Self {
        let parameters = vec![("interaction", attempt.to_owned())];
        Self { redirect_uri: app.url(device_code::DONE), response_mode: ResponseMode::Query, parameters, is_own: true }
    }

    async fn with(
        app: &App,
        to: ReturnAddress,
        mut parameters: Vec<(&'static str, String)>,
        now: DateTime<Utc>,
    ) -> Result<Self, OAuthError> {
        let ReturnAddress { client_id, redirect_uri, response_mode, state, is_device: _ } = to;
        parameters.extend(state.map(|state| ("state", state)));
        if response_mode.is_signed() {
            let client = app.registry.find_client(&client_id, now).await?;
            let client = client.ok_or_else(|| OAuthError::server_error("the client is not registered any more"))?;
            let alg = client.settings.authorization_signed_response_alg;
            let claims = claims(app.issuer(), client_id.as_str(), parameters, now);
            let jwt = app.keys.current().sign_jwt(alg, "JWT", &claims).await?;
            parameters = vec![("response", jwt)];
        } else {
            parameters.push(("iss", app.issuer().to_owned()));
        }
        Ok(Self { redirect_uri, response_mode, parameters, is_own: false })
    }
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
