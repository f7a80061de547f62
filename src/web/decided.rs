//! The page that says what became of the request of somebody who waits elsewhere: a device (RFC 8628), or a client whose person
//! decided on a page of their own (OpenID Connect CIBA).

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::StatusCode;

use crate::app::App;
use crate::flow::decoupled::{self, Outcome, Waiter};
use crate::flow::interaction::{self, Found};
use crate::http::browser::{Browser, Csp};
use crate::http::form::OAuthQuery;
use crate::http::pages::device::{DeviceEnd, DeviceEndPage, EndOf};
use crate::http::{continuation, pages};
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// What became of it, told to the browser that decided.
pub async fn get(State(app): State<App>, browser: Browser, query: Result<OAuthQuery, OAuthError>) -> Response {
    continuation::or_error_page(&browser, async { end(&app, &browser, &query?.0, app.clock.now()).await }).await
}

async fn end(app: &App, browser: &Browser, form: &Form, now: DateTime<Utc>) -> Result<Response, OAuthError> {
    let id = form.one("interaction")?.unwrap_or_default();
    let (attempt, is_open) = match interaction::find(app, id, &browser.id.hash(), now).await? {
        Found::Open(attempt) => (attempt, true),
        Found::Finished(attempt) => (attempt, false),
        Found::Expired(_) | Found::Foreign => return Ok(continuation::foreign(browser)),
    };
    let Some(waiter) = attempt.request.waiter() else { return Ok(continuation::foreign(browser)) };
    let end = match decoupled::outcome(app, waiter, &attempt.id, now).await? {
        Outcome::Approved => DeviceEnd::Approved,
        Outcome::Refused => DeviceEnd::Refused,
        // Nobody answered yet: the page was opened too early.
        Outcome::Waiting if is_open => {
            return Ok(continuation::proceed(app, browser, attempt.request.clone(), Some(*attempt), now).await);
        }
        Outcome::Waiting | Outcome::Over => DeviceEnd::Over,
    };
    let of = match waiter {
        Waiter::Device(_) => EndOf::Device,
        Waiter::Backchannel(_) => EndOf::Request,
    };
    let page = DeviceEndPage { site: &browser.site(&[]), of, end };
    Ok(browser.page(StatusCode::OK, pages::html(&page), &Csp::default()))
}
