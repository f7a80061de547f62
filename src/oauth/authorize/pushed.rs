//! A request that was pushed before (RFC 9126 section 4). Only `client_id` and `request_uri` count; whatever else is beside
//! them is not looked at.

use chrono::{DateTime, Utc};

use super::{Refusal, request};
use crate::app::App;
use crate::flow::authorization_request::AuthorizationRequest;
use crate::flow::pushed_request::{self, Found};
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// The request that is meant.
pub(super) async fn read(
    app: &App,
    form: &Form,
    request_uri: &str,
    now: DateTime<Utc>,
) -> Result<AuthorizationRequest, Refusal> {
    let client = request::client(app, form, now).await.map_err(Refusal::Page)?;
    let found = pushed_request::find(app, &client.id, request_uri, now).await;
    match found.map_err(|error| Refusal::Page(error.into()))? {
        Found::Open(request) => Ok(*request),
        Found::Over(to) => {
            let error = OAuthError::invalid_request_uri("the request_uri was used before or has expired");
            Err(Refusal::Redirect(to, error))
        }
        Found::Foreign | Found::Unknown => {
            Err(Refusal::Page(OAuthError::invalid_request_uri("the request_uri is not one of this client")))
        }
    }
}
