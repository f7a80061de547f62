//! `/device` (RFC 8628 section 3.3): the code that a device shows becomes an attempt, in which the person signs in and decides.
//!
//! 1. The code is typed, or comes with the link and is compared with the device: following a link is not enough.
//! 2. Whoever tries codes is slowed down, by network, browser and session; a code is looked up by a form of ours alone.
//! 3. The attempt goes on like any other, always with a question. It ends on a page that says what became of the device.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::attempt;
use crate::app::App;
use crate::flow::authorization_request::AuthorizationRequest;
use crate::flow::device_code;
use crate::flow::throttle::{self, Admission};
use crate::http::browser::{Browser, Csp};
use crate::http::form::{OAuthForm, OAuthQuery};
use crate::http::pages::device::{DevicePage, DeviceProblem};
use crate::http::{continuation, csrf, pages, remark};
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::user_code::UserCode;

/// What is typed instead of a code is not worth keeping beyond that, in bytes.
const LONGEST_TYPED: usize = 64;

/// What the page says when it is shown after a form: waits in the state store until the redirect comes.
#[derive(Default, Serialize, Deserialize)]
struct Remark {
    typed: String,
    problem: Option<DeviceProblem>,
}

/// What a code that somebody typed leads to.
enum Looked {
    Waiting(Box<AuthorizationRequest>),
    Refused(DeviceProblem),
}

/// The page. A code in the address is shown, and not looked up.
pub async fn get(State(app): State<App>, browser: Browser, query: Result<OAuthQuery, OAuthError>) -> Response {
    continuation::or_error_page(&browser, async { show(&app, &browser, &query?.0, app.clock.now()).await }).await
}

/// The code.
pub async fn post(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    form: Result<OAuthForm, OAuthError>,
) -> Response {
    continuation::or_error_page(&browser, async { submit(&app, &browser, &headers, &form?.0).await }).await
}

async fn show(app: &App, browser: &Browser, form: &Form, now: DateTime<Utc>) -> Result<Response, OAuthError> {
    let remark: Remark = remark::take(app, browser, device_code::PAGE, now).await?.unwrap_or_default();
    let shown = form.one("user_code")?.and_then(UserCode::parse).map(|code| code.display());
    let page = DevicePage {
        site: &browser.site(&[]),
        csrf: &csrf::token(app, &browser.id),
        shown: shown.as_deref().filter(|_| remark.problem.is_none()),
        typed: &remark.typed,
        problem: remark.problem,
    };
    let wait = match remark.problem {
        Some(DeviceProblem::Throttled(wait)) => Some(wait),
        _ => None,
    };
    let status = if wait.is_some() { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::OK };
    let csp = continuation::or_to_frontend(app, Csp::default());
    let mut response = browser.page(status, pages::html(&page), &csp);
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    Ok(response)
}

async fn submit(app: &App, browser: &Browser, headers: &HeaderMap, form: &Form) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    if !attempt::is_ours(app, browser, headers, form)? {
        return Ok(continuation::forged(browser));
    }
    let typed = form.one("user_code")?.unwrap_or_default();
    match look_up(app, browser, typed, now).await? {
        Looked::Waiting(request) => Ok(continuation::proceed(app, browser, *request, None, now).await),
        Looked::Refused(problem) => {
            let typed = if typed.len() <= LONGEST_TYPED { typed.to_owned() } else { String::new() };
            let remark = Remark { typed, problem: Some(problem) };
            remark::keep(app, browser, device_code::PAGE, &remark, now).await?;
            Ok(browser.redirect(&app.url(device_code::PAGE)))
        }
    }
}

/// The request of the device that shows what was typed. A code that is none or is over counts against whoever typed it; one
/// that cannot be a code tells nothing and does not.
async fn look_up(app: &App, browser: &Browser, typed: &str, now: DateTime<Utc>) -> Result<Looked, OAuthError> {
    let Some(code) = UserCode::parse(typed) else { return Ok(Looked::Refused(DeviceProblem::Wrong)) };
    let signed_in = browser.session.signed_in(now).await?;
    let session = signed_in.map(|signed_in| format!("session {}", signed_in.sid));
    let typists: Vec<String> = [format!("browser {}", browser.id.hash())].into_iter().chain(session).collect();
    let (state, limits) = (app.state.as_ref(), &app.config.throttle);
    let reserved = match throttle::reserve_user_code(state, limits, &browser.network, &typists, now).await? {
        Admission::Admitted(reserved) => reserved,
        Admission::Wait(wait) => return Ok(Looked::Refused(DeviceProblem::Throttled(wait))),
    };
    match device_code::find_waiting(app, &code, now).await? {
        Some(request) => {
            reserved.refund(state, now).await?;
            Ok(Looked::Waiting(Box::new(request)))
        }
        None => {
            reserved.count_failure(state, now).await?;
            Ok(Looked::Refused(DeviceProblem::Wrong))
        }
    }
}
