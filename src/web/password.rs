//! `/account/password`: choosing a password, with the link of an invitation or a reset, or by proving the one before.
//!
//! 1. The link carries a ticket. It moves into a cookie at once, and the browser is sent on, so that it stays neither in the
//!    address bar nor in the history, and no page that holds it has it in its address.
//! 2. The form carries the ticket that its page was shown for: another link that is opened meanwhile does not change whose
//!    password is chosen.
//! 3. Opening a link uses nothing up: programs that look at mail open links too. Sending the form does.
//! 4. A form that was refused is answered with a redirect to the page, which says why.

use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::SecretString;

use super::account::who;
use super::attempt;
use super::sign_in::{self, Signed};
use crate::app::App;
use crate::flow::password::{self, Chosen, Origin, PAGE, Ticket};
use crate::http::browser::{Browser, Csp};
use crate::http::cookies::CookieName;
use crate::http::form::{OAuthForm, OAuthQuery};
use crate::http::pages::password::{Occasion, PasswordEnd, PasswordEndPage, PasswordPage, PasswordProblem};
use crate::http::pages::view::PersonView;
use crate::http::{continuation, csrf, pages, remark};
use crate::identity::backend::Person;
use crate::identity::local::password_policy::PasswordFlaw;
use crate::identity::local::people::LocalPeople;
use crate::model::id::SubjectId;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::storage::postgres::password_ticket::TicketPurpose;

/// How long a link that was opened may wait for its form.
const COOKIE_LIFETIME: TimeDelta = TimeDelta::hours(1);

/// The page.
pub async fn get(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    query: Result<OAuthQuery, OAuthError>,
) -> Response {
    let now = app.clock.now();
    continuation::or_error_page(&browser, async { show(&app, &browser, &headers, &query?.0, now).await }).await
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

async fn show(
    app: &App,
    browser: &Browser,
    headers: &HeaderMap,
    query: &Form,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let people = people(app)?;
    if let Some(ticket) = query.one("ticket")? {
        return Ok(match Ticket::parse(ticket) {
            Some(ticket) => back_to_ticket(app, browser, &ticket),
            None => end(app, browser, PasswordEnd::Over),
        });
    }
    if let Some(ticket) = CookieName::PasswordTicket.find(headers, app.config.server.has_secure_cookies()) {
        return show_ticket(app, browser, people, ticket, now).await;
    }
    match who(app, browser, now).await? {
        Some((_, person)) => {
            let problem = remark::take(app, browser, PAGE, now).await?;
            let view = PersonView::new(&person.display_name, &person.username);
            Ok(page(app, browser, (people, &view), Occasion::Change, problem))
        }
        None => Ok(browser.redirect(&app.url("/login?switch=1"))),
    }
}

async fn show_ticket(
    app: &App,
    browser: &Browser,
    people: &LocalPeople,
    ticket: &str,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let Some(parsed) = Ticket::parse(ticket) else {
        return Ok(end(app, browser, PasswordEnd::Over));
    };
    let Some(holder) = app.postgres.find_ticket_holder(&parsed.hash(), now).await? else {
        return Ok(end(app, browser, PasswordEnd::Over));
    };
    let problem = remark::take(app, browser, &about(&parsed), now).await?;
    let occasion = match holder.purpose {
        TicketPurpose::Invitation => Occasion::Invitation(ticket),
        TicketPurpose::Reset => Occasion::Reset(ticket),
    };
    let person = PersonView::new("", &holder.username);
    Ok(page(app, browser, (people, &person), occasion, problem))
}

/// What a remark on the page of that ticket is kept under: another ticket that is opened meanwhile has a page of its own.
fn about(ticket: &Ticket) -> String {
    format!("{PAGE}:{}", URL_SAFE_NO_PAD.encode(ticket.hash()))
}

/// Sends the browser back to the page of its ticket, whichever it opened last.
fn back_to_ticket(app: &App, browser: &Browser, ticket: &Ticket) -> Response {
    let is_secure = app.config.server.has_secure_cookies();
    let cookie = CookieName::PasswordTicket.set(ticket.as_str(), Some(COOKIE_LIFETIME), is_secure);
    with_cookie(browser.redirect(&app.url(PAGE)), cookie)
}

async fn submit(app: &App, browser: &Browser, headers: &HeaderMap, form: &Form) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    let people = people(app)?;
    if !attempt::is_ours(app, browser, headers, form)? {
        return Ok(continuation::forged(browser));
    }
    match form.one("ticket")? {
        Some(ticket) => submit_ticket(app, browser, people, headers, (ticket, form), now).await,
        None => match who(app, browser, now).await? {
            Some(person) => submit_change(app, browser, people, headers, (&person, form), now).await,
            None => Ok(browser.redirect(&app.url("/login?switch=1"))),
        },
    }
}

async fn submit_ticket(
    app: &App,
    browser: &Browser,
    people: &LocalPeople,
    headers: &HeaderMap,
    (text, form): (&str, &Form),
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let Some(ticket) = Ticket::parse(text) else {
        return Ok(end(app, browser, PasswordEnd::Over));
    };
    let problem = match typed(form)? {
        Ok(password) => {
            let origin = Origin { network: &browser.network, device: device(app, headers) };
            match judged(password::choose_with_ticket(app, people, (&ticket, &password), origin, now).await?) {
                Ok(()) => return Ok(end(app, browser, PasswordEnd::Chosen)),
                problem => problem.err().flatten(),
            }
        }
        Err(problem) => Some(problem),
    };
    // Without a problem the ticket is over, which its page says by itself.
    if let Some(problem) = problem {
        remark::keep(app, browser, &about(&ticket), &problem, now).await?;
    }
    Ok(back_to_ticket(app, browser, &ticket))
}

async fn submit_change(
    app: &App,
    browser: &Browser,
    people: &LocalPeople,
    headers: &HeaderMap,
    ((subject, person), form): (&(SubjectId, Person), &Form),
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let again = async |problem: PasswordProblem| {
        remark::keep(app, browser, PAGE, &problem, now).await?;
        Ok(browser.redirect(&app.url(PAGE)))
    };
    let password = match typed(form)? {
        Ok(password) => password,
        Err(problem) => return again(problem).await,
    };
    let Some(before) = form.one("current")?.filter(|before| !before.is_empty()) else {
        return again(PasswordProblem::Missing).await;
    };
    let before = SecretString::from(before);
    let origin = Origin { network: &browser.network, device: device(app, headers) };
    let whose = (subject, person.username.as_str());
    match judged(password::change(app, people, whose, (&before, &password), origin, now).await?) {
        Ok(()) => {}
        Err(problem) => return again(problem.unwrap_or(PasswordProblem::Unproven)).await,
    }
    // Everything ended with the old password, here too: the new one begins a session anew.
    let typed = (person.username.as_str(), form.one("password")?.unwrap_or_default());
    Ok(match sign_in::sign_in(app, browser, typed, headers, now).await? {
        Signed::In { cookie, .. } => with_cookie(end(app, browser, PasswordEnd::Changed), cookie),
        Signed::Refused(_) => end(app, browser, PasswordEnd::Chosen),
    })
}

/// The new password, if it was typed twice.
fn typed(form: &Form) -> Result<Result<SecretString, PasswordProblem>, OAuthError> {
    let (password, repeat) = (form.one("password")?.unwrap_or_default(), form.one("repeat")?.unwrap_or_default());
    Ok(match (password, repeat) {
        ("", _) | (_, "") => Err(PasswordProblem::Missing),
        (password, repeat) if password != repeat => Err(PasswordProblem::Different),
        (password, _) => Ok(SecretString::from(password)),
    })
}

/// What is said of an attempt that failed; nothing, if there is nothing to try again with.
fn judged(chosen: Chosen) -> Result<(), Option<PasswordProblem>> {
    Err(match chosen {
        Chosen::Done => return Ok(()),
        Chosen::Over => None,
        Chosen::Unproven => Some(PasswordProblem::Unproven),
        Chosen::Throttled(wait) => Some(PasswordProblem::Throttled(wait)),
        Chosen::Busy => Some(PasswordProblem::Busy),
        Chosen::Refused(PasswordFlaw::TooShort(least)) => Some(PasswordProblem::TooShort(least)),
        Chosen::Refused(PasswordFlaw::TooLong) => Some(PasswordProblem::TooLong),
        Chosen::Refused(PasswordFlaw::Common) => Some(PasswordProblem::Common),
        Chosen::Refused(PasswordFlaw::LikeUsername) => Some(PasswordProblem::LikeUsername),
    })
}

fn people(app: &App) -> Result<&LocalPeople, OAuthError> {
    let elsewhere =
        || OAuthError::invalid_request("this server does not keep the passwords of its people").with_status(404);
    app.people.as_ref().ok_or_else(elsewhere)
}

fn device<'a>(app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
    CookieName::Device.find(headers, app.config.server.has_secure_cookies())
}

fn page(
    app: &App,
    browser: &Browser,
    (people, person): (&LocalPeople, &PersonView),
    occasion: Occasion<'_>,
    problem: Option<PasswordProblem>,
) -> Response {
    let page = PasswordPage {
        site: &browser.site(&[]),
        csrf: &csrf::token(app, &browser.id),
        person,
        occasion,
        min_length: people.min_length(),
        problem,
    };
    let (status, wait) = match problem {
        Some(PasswordProblem::Throttled(wait)) => (StatusCode::TOO_MANY_REQUESTS, Some(wait.as_secs().max(1))),
        Some(PasswordProblem::Busy) => (StatusCode::SERVICE_UNAVAILABLE, Some(5)),
        // Nothing is wrong with asking for the page.
        None | Some(_) => (StatusCode::OK, None),
    };
    let mut response = browser.page(status, pages::html(&page), &Csp::default());
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The last page: whatever ticket the browser has is worth nothing any more.
fn end(app: &App, browser: &Browser, end: PasswordEnd) -> Response {
    let page = PasswordEndPage { site: &browser.site(&[]), end };
    let status = if end == PasswordEnd::Over { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let response = browser.page(status, pages::html(&page), &Csp::default());
    with_cookie(response, CookieName::PasswordTicket.remove(app.config.server.has_secure_cookies()))
}

fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
