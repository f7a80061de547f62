//! `/logout` (OpenID Connect RP-Initiated Logout 1.0).
//!
//! 1. [`read`]: is the hint ours, and is the address to return to registered? If not: a page, and nothing ends.
//! 2. [`decide`]: does the hint speak of the session of this browser? Then log out; otherwise ask.
//! 3. [`log_out`]: end the session, tell the clients, return.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};

use super::pages::{self, End};
use crate::app::App;
use crate::flow::id_token::{self, IdTokenHint};
use crate::flow::logout::{self, EndedSession};
use crate::http::browser::Browser;
use crate::http::form::{OAuthForm, OAuthQuery};
use crate::http::hand_over::hand_over;
use crate::http::headers::clear_cache;
use crate::http::{continuation, csrf};
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord};
use crate::model::id::{ClientId, Sid};
use crate::model::session::{EndReason, SignedIn};
use crate::oauth::paths;
use crate::protocol::authorization_response::append_query;
use crate::protocol::error::OAuthError;
use crate::protocol::form::{self, Form};
use crate::storage::StoreError;

/// A logout request after its checks.
struct LogoutRequest {
    hint: Option<IdTokenHint>,
    /// Where the browser goes afterwards: registered by the client, with the state appended.
    return_to: Option<String>,
}

/// Who must be signed out, and whether to ask first.
enum Decision<'a> {
    LogOut(Option<Sid>),
    Ask(Option<&'a SignedIn>),
}

/// A logout request in the query.
pub async fn get(State(app): State<App>, browser: Browser, query: Result<OAuthQuery, OAuthError>) -> Response {
    continuation::or_error_page(&browser, async { handle(&app, &browser, &query?.0).await }).await
}

/// A logout request in a form, or the answer to our question.
///
/// A form of another site comes without cookies (`SameSite=Lax`), so that it is not known who is signed in. Taken as it is,
/// any site could sign people out unasked; so the browser first comes back by a GET, which brings them.
pub async fn post(State(app): State<App>, browser: Browser, body: Result<OAuthForm, OAuthError>) -> Response {
    let is_answer = body.as_ref().is_ok_and(|OAuthForm(form)| form.has("decision"));
    let browser = if is_answer { browser } else { browser.from_elsewhere() };
    continuation::or_error_page(&browser, async {
        match &body?.0 {
            form if is_answer => answer(&app, &browser, form).await,
            form if !browser.session.has_cookie() => {
                Ok(browser.redirect(&app.url(&format!("{}?{}", paths::LOGOUT, form::encode(form.iter())))))
            }
            form => handle(&app, &browser, form).await,
        }
    })
    .await
}

async fn handle(app: &App, browser: &Browser, form: &Form) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    let request = read(app, form, now).await?;
    let signed_in = browser.session.signed_in(now).await?;
    match decide(app, &request, signed_in.as_ref(), now).await? {
        Decision::LogOut(sid) => log_out(app, browser, form, sid, request.return_to, now).await,
        Decision::Ask(signed_in) => pages::question(app, browser, form, signed_in, now).await,
    }
}

/// The person answered our question. The form carries the request again, which is read again.
async fn answer(app: &App, browser: &Browser, form: &Form) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    let request = read(app, form, now).await?;
    if !csrf::verify(app, &browser.id, form.one("csrf")?) {
        return Err(OAuthError::access_denied("the form did not come from this page, open it again"));
    }
    if form.one("decision")? != Some("confirm") {
        let end = End { ui_locales: pages::ui_locales(form), ..End::default() };
        return pages::show(app, browser, &end, now).await;
    }
    let sid = match browser.session.signed_in(now).await? {
        Some(signed_in) => Some(signed_in.sid),
        None => request.hint.as_ref().map(|hint| hint.sid),
    };
    log_out(app, browser, form, sid, request.return_to, now).await
}

async fn read(app: &App, form: &Form, now: DateTime<Utc>) -> Result<LogoutRequest, OAuthError> {
    form.refuse_repeats()?;
    let hint = match form.one("id_token_hint")? {
        Some(token) => Some(
            id_token::verify_hint(app, token, now)
                .await?
                .ok_or_else(|| OAuthError::invalid_request("the id_token_hint is not an ID token of this server"))?,
        ),
        None => None,
    };
    let client_id = match (form.one("client_id")?.map(ClientId::new), &hint) {
        (Some(named), Some(hint)) if named != hint.client_id => {
            return Err(OAuthError::invalid_request("the client_id is not the one of the id_token_hint"));
        }
        (named, hint) => named.or_else(|| hint.as_ref().map(|hint| hint.client_id.clone())),
    };
    let return_to = match form.one("post_logout_redirect_uri")? {
        Some(uri) => Some(return_address(app, client_id, uri, form.one("state")?, now).await?),
        None => None,
    };
    Ok(LogoutRequest { hint, return_to })
}

/// Section 3: exactly one of the registered addresses, or the browser stays here.
async fn return_address(
    app: &App,
    client_id: Option<ClientId>,
    uri: &str,
    state: Option<&str>,
    now: DateTime<Utc>,
) -> Result<String, OAuthError> {
    let unknown = || OAuthError::invalid_request("the post_logout_redirect_uri is not registered for this client");
    let client_id = client_id.ok_or_else(|| {
        OAuthError::invalid_request("a post_logout_redirect_uri needs an id_token_hint or a client_id")
    })?;
    let client =
        app.registry.find_client(&client_id, now).await?.filter(|client| client.enabled).ok_or_else(unknown)?;
    if !client.settings.post_logout_redirect_uris.iter().any(|registered| registered == uri) {
        return Err(unknown());
    }
    Ok(append_query(uri, state.map(|state| ("state", state))))
}

/// Section 2: ask, unless the hint was given to this very browser. ID tokens are no secrets: whoever found one could sign
/// its person out. Where nobody is signed in there is something to ask only while the session of the hint goes on elsewhere,
/// such as in a browser that was closed since.
async fn decide<'a>(
    app: &App,
    request: &LogoutRequest,
    signed_in: Option<&'a SignedIn>,
    now: DateTime<Utc>,
) -> Result<Decision<'a>, StoreError> {
    Ok(match (&request.hint, signed_in) {
        (Some(hint), Some(signed_in)) if hint.sid == signed_in.sid => Decision::LogOut(Some(signed_in.sid)),
        (_, Some(signed_in)) => Decision::Ask(Some(signed_in)),
        (Some(hint), None) => {
            let standing = app.postgres.find_standing(hint.sid, &hint.client_id, now).await?;
            if standing.is_some_and(|standing| standing.is_alive) {
                Decision::Ask(None)
            } else {
                Decision::LogOut(None)
            }
        }
        (None, None) => Decision::LogOut(None),
    })
}

async fn log_out(
    app: &App,
    browser: &Browser,
    form: &Form,
    sid: Option<Sid>,
    return_to: Option<String>,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let EndedSession { was_open, frames } = match sid {
        Some(sid) => logout::end_session(app, sid, EndReason::Logout, now).await?,
        None => EndedSession::default(),
    };
    if let Some(sid) = sid.filter(|_| was_open) {
        let here = browser.session.signed_in(now).await?.filter(|signed_in| signed_in.sid == sid);
        // An ID token is enough to end the session of a browser that has no cookie any more.
        let actor = here.map_or(Actor::Stranger, |signed_in| Actor::Person(signed_in.subject));
        let event = AuditEvent::new(AuditEventKind::SessionEnded).to_object(sid);
        app.audit.note(AuditRecord { event, actor, origin: browser.origin(), happened_at: now });
    }
    browser.session.clear().await?;
    let mut response = match return_to {
        // Without a page of ours in between nothing would load the clients' front-channel addresses.
        Some(address) if frames.is_empty() => hand_over(browser, &address, &pages::ui_locales(form)),
        go_on => {
            let end = End { frames, go_on, ui_locales: pages::ui_locales(form) };
            if browser.is_answering_form() {
                pages::show(app, browser, &end, now).await?
            } else {
                pages::logged_out(browser, &end, false)
            }
        }
    };
    let (name, value) = clear_cache();
    response.headers_mut().insert(name, value);
    Ok(response)
}
