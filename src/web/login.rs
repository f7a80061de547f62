//! `/login`: a username and a password, for an authorization attempt or for the person's own account.
//!
//! 1. A wrong password shows the page again, by a redirect, with the username kept.
//! 2. A right one begins a session with a new id, is noted in the attempt, and the attempt goes on.
//! 3. A page whose attempt expired begins anew by itself, and says so.
//! 4. Without an attempt it leads to the account, or back to the page of the console that asked for it.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::attempt;
use super::sign_in::{self, Signed};
use crate::app::App;
use crate::flow::authorization_request::AuthorizationRequest;
use crate::flow::interaction::{self, Found, Interaction, Next};
use crate::http::browser::Browser;
use crate::http::form::{OAuthForm, OAuthQuery};
use crate::http::pages::login::{LoginNotice, LoginPage, LoginProblem};
use crate::http::pages::view::Guard;
use crate::http::{continuation, csrf, pages, remark, return_to};
use crate::model::session::SignedIn;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// Where a sign-in without an attempt leads.
const ACCOUNT: &str = "/account/consents";

/// The longest username that is shown again: what the field of the page takes, in bytes of the widest characters.
const LONGEST_USERNAME: usize = 1024;

/// What the page says when it is shown after a form: waits in the state store until the redirect comes.
#[derive(Default, Serialize, Deserialize)]
struct Remark {
    username: String,
    notice: Option<LoginNotice>,
    problem: Option<LoginProblem>,
}

/// What a sign-in is for: an attempt, a page of the console, or the person's own account.
#[derive(Clone, Copy, Default)]
struct Aim<'a> {
    attempt: Option<&'a Interaction>,
    return_to: Option<&'a str>,
}

impl<'a> Aim<'a> {
    fn attempt(attempt: &'a Interaction) -> Self {
        Self { attempt: Some(attempt), return_to: None }
    }
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
        let remark = remark::take(app, browser, ACCOUNT, now).await?;
        let aim = Aim { attempt: None, return_to: return_to::parse(app, form.one(return_to::PARAMETER)?) };
        return match (browser.session.signed_in(now).await?, remark) {
            (Some(_), None) if !form.has("switch") => Ok(browser.redirect(&app.url(ACCOUNT))),
            (signed_in, remark) => show_own(app, browser, aim, (signed_in, remark.unwrap_or_default()), now).await,
        };
    };
    match interaction::find(app, id, &browser.id.hash(), now).await? {
        Found::Open(attempt) => show_attempt(app, browser, *attempt, form, now).await,
        Found::Expired(request) => begin_anew(app, browser, *request, String::new(), now).await,
        Found::Finished(attempt) => Ok(continuation::finished(app, browser, *attempt, now).await),
        Found::Foreign => Ok(continuation::foreign(browser)),
    }
}

/// Without an attempt. For the console, whoever is signed in proves it again.
async fn show_own(
    app: &App,
    browser: &Browser,
    aim: Aim<'_>,
    (signed_in, mut remark): (Option<SignedIn>, Remark),
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let again = signed_in.filter(|_| aim.return_to.is_some());
    if let Some(signed_in) = &again
        && remark.username.is_empty()
    {
        let person = app.identity.find_person(&signed_in.subject).await?;
        remark.username = person.map(|person| person.username).unwrap_or_default();
    }
    page(app, browser, aim, remark, again.is_some(), now).await
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
    let remark: Option<Remark> = remark::take(app, browser, &attempt.id, now).await?;
    let reauthenticate = match next {
        Ok(Next::Login { reauthenticate }) => reauthenticate,
        // The person wants another account than the one that is signed in, or just tried to.
        Ok(_) if form.has("switch") || remark.is_some() => None,
        // The back button, or an error that is the client's to know.
        _ => return Ok(continuation::proceed(app, browser, attempt.request.clone(), Some(attempt), now).await),
    };
    let present = signed_in.map(|signed_in| signed_in.subject);
    let mut remark = remark.unwrap_or_default();
    if reauthenticate.as_ref().zip(present.as_ref()).is_some_and(|(required, present)| required != present) {
        remark.notice = Some(LoginNotice::OtherAccount);
    }
    // Whose page it is may only be said to that very person: an `id_token_hint` proves nothing about who looks at it.
    let again = reauthenticate.filter(|required| Some(required) == present.as_ref());
    if remark.username.is_empty() {
        remark.username = attempt::username(app, &attempt, again.as_ref()).await?;
    }
    page(app, browser, Aim::attempt(&attempt), remark, again.is_some(), now).await
}

/// The page of an attempt that takes the place of one that expired, and says so.
async fn begin_anew(
    app: &App,
    browser: &Browser,
    request: AuthorizationRequest,
    username: String,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let attempt = interaction::begin(app, request, Some(browser.id.hash()), &browser.network, now).await?;
    if app.config.server.frontend_base_url.is_some() {
        // A frontend has nothing else to learn it from.
        return Ok(browser.redirect(&continuation::page_url(app, "/login", &attempt.id, "&notice=expired")));
    }
    let remark = Remark { username: shortened(username), notice: Some(LoginNotice::Expired), problem: None };
    show_again(app, browser, Aim::attempt(&attempt), &remark, now).await
}

/// Sends the browser to the page, which will have something to say.
async fn show_again(
    app: &App,
    browser: &Browser,
    aim: Aim<'_>,
    remark: &Remark,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let (about, url) = match (aim.attempt, aim.return_to) {
        (Some(attempt), _) => (attempt.id.as_str(), app.url(&format!("/login?interaction={}", attempt.id))),
        (None, Some(path)) => (ACCOUNT, return_to::login_url(app, path)),
        (None, None) => (ACCOUNT, app.url("/login")),
    };
    remark::keep(app, browser, about, remark, now).await?;
    Ok(browser.redirect(&url))
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
            Found::Expired(request) => return begin_anew(app, browser, *request, username, now).await,
            Found::Finished(attempt) => return Ok(continuation::finished(app, browser, *attempt, now).await),
            Found::Foreign => return Ok(continuation::foreign(browser)),
        },
    };
    let return_to = return_to::parse(app, form.one(return_to::PARAMETER)?);
    let problem = match form.one("password")? {
        Some(password) if !username.is_empty() => {
            match sign_in::sign_in(app, browser, (&username, password), headers, now).await? {
                Signed::In { signed_in, cookie } => {
                    let mut response = match attempt {
                        None => browser.redirect(&app.url(return_to.unwrap_or(ACCOUNT))),
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
    let remark = Remark { username: shortened(username), problem: Some(problem), notice: None };
    show_again(app, browser, Aim { attempt: attempt.as_ref(), return_to }, &remark, now).await
}

/// What is typed instead of a name is not worth keeping.
fn shortened(username: String) -> String {
    if username.len() <= LONGEST_USERNAME { username } else { String::new() }
}

async fn page(
    app: &App,
    browser: &Browser,
    Aim { attempt, return_to }: Aim<'_>,
    remark: Remark,
    is_again: bool,
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
        return_to,
        username: &remark.username,
        is_again,
        notice: remark.notice,
        problem: remark.problem,
    };
    let csp = attempt.map(|attempt| continuation::page_csp(app, &attempt.request)).unwrap_or_default();
    let mut response = browser.page(status(remark.problem), pages::html(&page), &csp);
    if let Some(LoginProblem::Throttled(wait)) = remark.problem {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    } else if remark.problem == Some(LoginProblem::Busy) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    Ok(response)
}

fn status(problem: Option<LoginProblem>) -> StatusCode {
    match problem {
        // Nothing is wrong with asking for the page.
        None | Some(LoginProblem::Refused | LoginProblem::Missing) => StatusCode::OK,
        Some(LoginProblem::Throttled(_)) => StatusCode::TOO_MANY_REQUESTS,
        Some(LoginProblem::Busy) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
