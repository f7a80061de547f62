//! `/authorize` (RFC 6749 section 3.1, OpenID Connect Core section 3.1.2).
//!
//! 0. [`pushed`]: was it pushed before? Then all of this was done.
//! 1. [`request`]: is the client known and the redirect URI its own? Until then an error is a page.
//! 2. [`validate`]: is everything else well-formed and allowed? From here on an error is a redirect.
//! 3. [`continuation`]: what is missing, and is a page allowed? Shared with the pages that come back.

mod pushed;
mod request;
mod validate;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};

pub(super) use self::validate::{reachable, scopes};
use super::paths::AUTHORIZE_RESUME;
use crate::app::App;
use crate::flow::authorization_request::{AuthorizationRequest, ReturnAddress};
use crate::flow::client::profile;
use crate::flow::interaction::{self, Found};
use crate::flow::throttle::Network;
use crate::flow::{client_document, pushed_request, request_object};
use crate::http::browser::Browser;
use crate::http::continuation;
use crate::http::form::{OAuthForm, OAuthQuery};
use crate::model::client::Client;
use crate::model::id::ClientId;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// What went wrong, and where it may be said.
#[derive(Debug)]
pub enum Refusal {
    /// To the person: whoever asked cannot be trusted with an answer.
    Page(OAuthError),
    /// To the client.
    Redirect(ReturnAddress, OAuthError),
}

/// An authorization request in the query.
pub async fn get(State(app): State<App>, browser: Browser, query: Result<OAuthQuery, OAuthError>) -> Response {
    let now = app.clock.now();
    let read = match query {
        Ok(OAuthQuery(form)) => read(&app, &form, &browser.network, now).await,
        Err(error) => Err(Refusal::Page(error)),
    };
    match read {
        Ok(request) => continuation::proceed(&app, &browser, request, None, now).await,
        Err(refusal) => refuse(&app, &browser, refusal, now).await,
    }
}

/// An authorization request in a form. Browsers send no `SameSite=Lax` cookie with a POST from another site, so whoever is
/// signed in is only known after a redirect of our own: the attempt is kept, and the next GET binds it to the browser.
pub async fn post(State(app): State<App>, browser: Browser, body: Result<OAuthForm, OAuthError>) -> Response {
    let now = app.clock.now();
    let browser = browser.from_elsewhere();
    let read = match body {
        Ok(OAuthForm(form)) => read(&app, &form, &browser.network, now).await,
        Err(error) => Err(Refusal::Page(error)),
    };
    let request = match read {
        Ok(request) => request,
        Err(refusal) => return refuse(&app, &browser, refusal, now).await,
    };
    let to = request.return_address();
    match interaction::begin(&app, request, None, &browser.network, now).await {
        Ok(attempt) => browser.redirect(&app.url(&format!("{AUTHORIZE_RESUME}?interaction={}", attempt.id))),
        Err(error) => refuse(&app, &browser, Refusal::Redirect(to, error), now).await,
    }
}

/// Goes on with an attempt.
pub async fn resume(State(app): State<App>, browser: Browser, query: Result<OAuthQuery, OAuthError>) -> Response {
    let now = app.clock.now();
    let id = query.and_then(|OAuthQuery(form)| Ok(form.one("interaction")?.unwrap_or_default().to_owned()));
    let found = match id {
        Ok(id) => interaction::find(&app, &id, &browser.id.hash(), now).await,
        Err(error) => return refuse(&app, &browser, Refusal::Page(error), now).await,
    };
    match found {
        Ok(Found::Open(attempt)) => {
            continuation::proceed(&app, &browser, attempt.request.clone(), Some(*attempt), now).await
        }
        Ok(Found::Expired(request)) => continuation::proceed(&app, &browser, *request, None, now).await,
        Ok(Found::Finished(attempt)) => continuation::finished(&app, &browser, *attempt, now).await,
        Ok(Found::Foreign) => continuation::foreign(&browser),
        Err(error) => refuse(&app, &browser, Refusal::Page(error.into()), now).await,
    }
}

async fn read(app: &App, form: &Form, network: &Network, now: DateTime<Utc>) -> Result<AuthorizationRequest, Refusal> {
    if let Some(client_id) = form.one("client_id").map_err(Refusal::Page)? {
        client_document::refresh(app, &ClientId::new(client_id), network, now).await.map_err(Refusal::Page)?;
    }
    if let Some(uri) = form.one("request_uri").map_err(Refusal::Page)?.filter(|uri| pushed_request::is_pushed(uri)) {
        return pushed::read(app, form, uri, now).await;
    }
    let client = request::client(app, form, now).await.map_err(Refusal::Page)?;
    let must_push = app.config.pushed_requests.required
        || client.settings.require_pushed_authorization_requests
        || profile(app, &client).is_fapi2();
    let inside = match request_object::open(app, &client, form, network, now).await {
        Ok(inside) => inside,
        Err(error) => return Err(about_the_object(client, form, error)),
    };
    let form = inside.as_ref().unwrap_or(form);
    let trusted = request::trust(client, form).map_err(Refusal::Page)?;
    let to = trusted.to.clone();
    let read = if must_push {
        // RFC 9126 section 4: once it is required, nothing else will do.
        Err(OAuthError::invalid_request("the authorization request must be pushed"))
    } else {
        validate::validate(app, trusted, form, now).await
    };
    read.map_err(|error| Refusal::Redirect(to, error))
}

/// Where an error in a request object may be said: at a redirect URI that is outside of it too, if that one is registered.
fn about_the_object(client: Arc<Client>, form: &Form, error: OAuthError) -> Refusal {
    match request::trust(client, form) {
        Ok(trusted) => Refusal::Redirect(trusted.to, error),
        Err(_) => Refusal::Page(error),
    }
}

/// The request in `form`, sent by `client` itself: every error is for it.
pub(super) async fn read_from(
    app: &App,
    client: Arc<Client>,
    form: &Form,
    network: &Network,
    now: DateTime<Utc>,
) -> Result<AuthorizationRequest, OAuthError> {
    let inside = request_object::open(app, &client, form, network, now).await?;
    let form = inside.as_ref().unwrap_or(form);
    // FAPI 2.0 Security Profile section 5.3.2.2: where the answer goes is said in every pushed request.
    if profile(app, &client).is_fapi2() && !form.has("redirect_uri") {
        return Err(OAuthError::invalid_request("the parameter redirect_uri is missing"));
    }
    validate::validate(app, request::trust(client, form)?, form, now).await
}

async fn refuse(app: &App, browser: &Browser, refusal: Refusal, now: DateTime<Utc>) -> Response {
    match refusal {
        Refusal::Page(error) => continuation::error_page(browser, &error),
        Refusal::Redirect(to, error) => continuation::error_response(app, browser, to, &error, now).await,
    }
}
