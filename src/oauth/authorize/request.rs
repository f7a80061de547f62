//! Is the client known and the redirect URI its own? Nothing else is looked at before.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::flow::authorization_request::ReturnAddress;
use crate::model::client::Client;
use crate::model::id::ClientId;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::locale;
use crate::protocol::redirect_uri;
use crate::protocol::response_mode::ResponseMode;

/// A request whose answer may be sent to the client.
pub struct Trusted {
    /// Who asks.
    pub client: Arc<Client>,
    /// Where the answer goes.
    pub to: ReturnAddress,
    /// Whether the request said so, rather than leaving it to the registration.
    pub has_redirect_uri: bool,
}

/// The client that asks, if it may (RFC 6749 section 4.1.2.1: else tell the person and do not redirect).
pub async fn client(app: &App, form: &Form, now: DateTime<Utc>) -> Result<Arc<Client>, OAuthError> {
    let client_id = form.required("client_id", "the parameter client_id is missing")?;
    app.registry
        .find_client(&ClientId::new(client_id), now)
        .await?
        .filter(|client| client.enabled)
        .ok_or_else(|| OAuthError::invalid_client("the client is unknown or disabled").with_status(400))
}

/// Checks the redirect URI; if it is wrong, the person is told and nobody is redirected (section 4.1.2.1 again).
pub fn trust(client: Arc<Client>, form: &Form) -> Result<Trusted, OAuthError> {
    let redirect_uri = redirect_uri(&client, form)?;
    // A response mode or a state that cannot be read is the client's error, to be told in the default way.
    let response_mode = form.one("response_mode").ok().flatten().and_then(ResponseMode::from_name);
    let state = form.one("state").ok().flatten().map(ToOwned::to_owned);
    let client_id = client.id.clone();
    let response_mode = response_mode.unwrap_or_default();
    let ui_locales = locale::parse(form.one("ui_locales").ok().flatten());
    let to = ReturnAddress { client_id, redirect_uri, response_mode, state, ui_locales, is_decoupled: false };
    Ok(Trusted { client, to, has_redirect_uri: form.has("redirect_uri") })
}

fn redirect_uri(client: &Client, form: &Form) -> Result<String, OAuthError> {
    let registered = &client.settings.redirect_uris;
    if let Some(presented) = form.one("redirect_uri")? {
        return if redirect_uri::is_registered(registered, presented, client.settings.application_type) {
            Ok(presented.to_owned())
        } else {
            Err(OAuthError::invalid_request("the redirect_uri is not registered for this client"))
        };
    }
    // RFC 6749 section 3.1.2.3 lets it be left out when a single one is registered; OpenID Connect Core section 3.1.2.1
    // never does.
    let is_openid = form.one("scope").ok().flatten().is_some_and(|scope| scope.split(' ').any(|s| s == "openid"));
    match registered.as_slice() {
        [only] if !is_openid => Ok(only.clone()),
        _ => Err(OAuthError::invalid_request("the parameter redirect_uri is missing")),
    }
}
