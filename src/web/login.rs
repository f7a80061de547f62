//! `/login`: a username and a password, for an authorization attempt or for the person's own account.
//!
//! 1. A wrong password shows the page again, with the username kept.
//! 2. A right one begins a session with a new id, is noted in the attempt, and the attempt goes on.
//! 3. A page whose attempt expired begins anew by itself, and says so.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::attempt;
use super::sign_in::{self, Signed};
use crate::app::App;
use crate::flow::interaction::{self, Found, Interaction, Next};
use crate::http::browser::Browser;
use crate::http::form::{OAuthForm, OAuthQuery};
use crate::http::pages::login::{LoginNotice, LoginPage, LoginProblem};
use crate::http::pages::view::Guard;
use crate::http::{continuation, csrf, pages};
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// Where a sign-in without an attempt leads.
const ACCOUNT: &str = "/account/consents";

/// What the page shows besides who asks.
#[derive(Default)]
struct Shown {
    username: String,
    is_again: bool,
    notice: Option<LoginNotice>,
    problem: Option<LoginProblem>,
}

/// The page.
pub async fn get(State(app): State<App>, browser: Browser, query: Result<OAuthQuery, OAuthError>) -> Response {
    continuation::or_error_page(&browser, async { show(&app, &browser, &query?.0, app.clock.now()).await }).await
}

/// What was typed.
pub async fn post(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    form: Result<OAuthForm, OAuthError>,
) -> Response {
    continuation::or_error_page(&browser, async { submit(&app, &browser, &headers, &form?.0).await }).await
}

async fn show(app: &App, browser: &Browser, form: &Form, now: DateTime<Utc>) -> Result<Response, OAuthError> {
    let Some(id) = form.one("interaction")? else {
        return match browser.session.signed_in(now).await? {
            Some(_) if !form.has("switch") => Ok(browser.redirect(&app.url(ACCOUNT))),
            _ => page(app, browser, None, Shown::default(), now).await,
        };
    };
    match interaction::find(app, id, &browser.id.hash(), now).await? {
        Found::Open(attempt) => show_attempt(app, browser, *attempt, form, now).await,
        Found::Expired(request) => {
            let attempt = interaction::begin(app, *request, Some(browser.id.hash()), &browser.network, now).await?;
            Ok(browser.redirect(&continuation::page_url(app, "/login", &attempt.id, "&notice=expired")))
        }
        Found::Finished(attempt) => Ok(continuation::finished(app, browser, *attempt, now).await),
        Found::Foreign => Ok(continuation::foreign(browser)),
    }
}

async fn show_attempt(
    app: &App,
    browser: &Browser,
    attempt: Interaction,
    form: &Form,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let signed_in = browser.session.signed_in(now).await?;
    let next = interaction::next(app, &attempt.request, Some(&attempt), signed_in.as_ref(), now).await;
    let reauthenticate = match next {
        Ok(Next::Login { reauthenticate }) => reauthenticate,
        // The person wants another account than the one that is signed in.
        Ok(_) if form.has("switch") => None,
        // The back button, or an error that is the client's to know.
        _ => return Ok(continuation::proceed(app, browser, attempt.request.clone(), Some(attempt), now).await),
    };
    let present = signed_in.map(|signed_in| signed_in.subject);
    let notice = match (&reauthenticate, &present) {
        (Some(required), Some(present)) if required != present => Some(LoginNotice::OtherAccount),
        _ if form.one("notice")? == Some("expired") => Some(LoginNotice::Expired),
        _ => None,
    };
    // Whose page it is may only be said to that very person: an `id_token_hint` proves nothing about who looks at it.
    let again = reauthenticate.filter(|required| Some(required) == present.as_ref());
    let username = attempt::username(app, &attempt, again.as_ref()).await?;
    let shown = Shown { username, is_again: again.is_some(), notice, problem: None };
    page(app, browser, Some(&attempt), shown, now).await
}

async fn submit(app: &App, browser: &Browser, headers: &HeaderMap, form: &Form) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    if !attempt::is_ours(app, browser, headers, form)? {
        return Ok(continuation::forged(browser));
    }
    if form.one("action")? == Some("cancel") {
        return attempt::refuse(app, browser, form, now).await;
    }
    let username = form.one("username")?.unwrap_or_default().to_owned();
    let attempt = match form.one("interaction")? {
        None => None,
        Some(id) => match interaction::find(app, id, &browser.id.hash(), now).await? {
            Found::Open(attempt) => Some(*attempt),
            Found::Expired(request) => {
                let attempt = interaction::begin(app, *request, Some(browser.id.hash()), &browser.network, now).await?;
                let shown = Shown { username, notice: Some(LoginNotice::Expired), ..Shown::default() };
                return page(app, browser, Some(&attempt), shown, now).await;
            }
            Found::Finished(attempt) => return Ok(continuation::finished(app, browser, *attempt, now).await),
            Found::Foreign => return Ok(continuation::foreign(browser)),
        },
    };
    let problem = match form.one("password")? {
        Some(password) if !username.is_empty() => {
            match sign_in::sign_in(app, browser, (&username, password), headers, now).await? {
                Signed::In { signed_in, cookie } => {
                    let mut response = match attempt {
                        None => browser.redirect(&app.url(ACCOUNT)),
                        Some(attempt) => {
                            let attempt = interaction::record_sign_in(app, attempt, &signed_in, now).await?;
                            continuation::proceed(app, browser, attempt.request.clone(), Some(attempt), now).await
                        }
                    };
                    if let Some(cookie) = cookie {
                        response.headers_mut().append(SET_COOKIE, cookie);
                    }
                    return Ok(response);
                }
                Signed::Refused(problem) => problem,
            }
        }
        _ => LoginProblem::Missing,
    };
    let shown = Shown { username, problem: Some(problem), ..Shown::default() };
    page(app, browser, attempt.as_ref(), shown, now).await
}

async fn page(
    app: &App,
    browser: &Browser,
    attempt: Option<&Interaction>,
    shown: Shown,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let (site, client) = match attempt {
        Some(attempt) => attempt::site_and_client(app, browser, attempt, now).await?,
        None => (browser.site(&[]), None),
    };
    let page = LoginPage {
        site: &site,
        form: Guard { interaction: attempt.map(|attempt| attempt.id.as_str()), csrf: &csrf::token(app, &browser.id) },
        client: client.as_ref(),
        username: &shown.username,
        is_again: shown.is_again,
        notice: shown.notice,
        problem: shown.problem,
    };
    let csp = attempt.map(|attempt| continuation::page_csp(app, &attempt.request)).unwrap_or_default();
    let mut response = browser.page(status(shown.problem), pages::html(&page), &csp);
    if let Some(LoginProblem::Throttled(wait)) = shown.problem {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    } else if shown.problem == Some(LoginProblem::Busy) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    Ok(response)
}

fn status(problem: Option<LoginProblem>) -> StatusCode {
    match problem {
        None => StatusCode::OK,
        // Not 401, which would need a WWW-Authenticate (RFC 9110 section 15.5.2).
        Some(LoginProblem::Refused | LoginProblem::Missing) => StatusCode::BAD_REQUEST,
        Some(LoginProblem::Throttled(_)) => StatusCode::TOO_MANY_REQUESTS,
        Some(LoginProblem::Busy) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
