//! How an authorization attempt goes on, whoever was asked last: the authorization endpoint and every page end here.

use axum::Extension;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::browser::{Browser, Csp};
use super::oauth_error::{FailureCode, log_failure};
use super::pages::error::ErrorKind;
use super::pages::view::{ClientView, Link};
use super::{authorization_response, error_page};
use crate::app::App;
use crate::flow::authorization_request::{AuthorizationRequest, ReturnAddress};
use crate::flow::authorization_response::AuthorizationResponse;
use crate::flow::interaction::{self, Interaction, Next};
use crate::protocol::error::OAuthError;

/// Answers the request if nothing is missing, else sends the browser to the page that asks for it. A request that needs no
/// page gets no record of its own.
pub async fn proceed(
    app: &App,
    browser: &Browser,
    request: AuthorizationRequest,
    attempt: Option<Interaction>,
    now: DateTime<Utc>,
) -> Response {
    let to = request.return_address();
    match try_proceed(app, browser, request, attempt, now).await {
        Ok(response) => response,
        Err(error) => error_response(app, browser, to, &error, now).await,
    }
}

/// Tells the client of an error (RFC 6749 section 4.1.2.1).
pub async fn error_response(
    app: &App,
    browser: &Browser,
    to: ReturnAddress,
    error: &OAuthError,
    now: DateTime<Utc>,
) -> Response {
    log_failure(error);
    let code = error.code().as_str();
    app.metrics.clients.note_error(to.client_id.as_str(), code);
    if to.is_decoupled {
        // Whoever waits is told when they ask; here is only the person.
        return error_page(browser, error);
    }
    match AuthorizationResponse::error(app, to, error, now).await {
        Ok(response) => (Extension(FailureCode(code)), authorization_response::send(browser, response)).into_response(),
        // It could not be signed, and nothing else may be sent.
        Err(error) => error_page(browser, &error),
    }
}

async fn try_proceed(
    app: &App,
    browser: &Browser,
    request: AuthorizationRequest,
    attempt: Option<Interaction>,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let signed_in = browser.session.signed_in(now).await?;
    let next = match interaction::next(app, &request, attempt.as_ref(), signed_in.as_ref(), now).await {
        Ok(next) => next,
        Err(error) => {
            // The client is told of it, and nothing can be added to the attempt any more. An outage passes.
            if let Some(attempt) = attempt.filter(|_| error.status() < 500) {
                interaction::end(app, attempt, now).await?;
            }
            return Err(error);
        }
    };
    let page = match next {
        Next::Ready(permitted) => {
            let response = match attempt {
                Some(attempt) => interaction::finish(app, attempt, *permitted, now).await?,
                None => interaction::answer(app, &request, *permitted, now).await?,
            };
            return Ok(authorization_response::send(browser, response));
        }
        Next::Login { .. } => "/login",
        Next::SelectAccount(_) => "/select-account",
        Next::Consent(_) => "/consent",
    };
    let attempt = match attempt {
        Some(attempt) if !attempt.is_repeatable(now) => attempt,
        // None yet, or the person came back after they refused: it begins anew.
        _ => interaction::begin(app, request, Some(browser.id.hash()), &browser.network, now).await?,
    };
    Ok(browser.redirect(&page_url(app, page, &attempt.id, "")))
}

/// The address of an attempt's page, with what `more` adds to its query. A frontend of the operator's own takes the place of
/// our pages; same-site, so the cookies reach it.
pub fn page_url(app: &App, page: &str, attempt: &str, more: &str) -> String {
    let base = app.config.server.frontend_base_url.as_deref().unwrap_or(app.issuer()).trim_end_matches('/');
    format!("{base}{page}?interaction={attempt}{more}")
}

/// What a page of an attempt may do: its form may end at the client, or at the frontend if that shows the next page.
pub fn page_csp(app: &App, request: &AuthorizationRequest) -> Csp {
    or_to_frontend(app, Csp::returning_to(&request.redirect_uri))
}

/// The same, if its form may also end at the frontend.
pub fn or_to_frontend(app: &App, csp: Csp) -> Csp {
    match &app.config.server.frontend_base_url {
        Some(frontend) => csp.or_to(frontend),
        None => csp,
    }
}

/// An attempt that was answered before: a double click gets another answer, a return much later gets a page.
pub async fn finished(app: &App, browser: &Browser, attempt: Interaction, now: DateTime<Utc>) -> Response {
    if attempt.is_repeatable(now) {
        return proceed(app, browser, attempt.request.clone(), Some(attempt), now).await;
    }
    let site = browser.site(&attempt.request.ui_locales).within(attempt.request.display);
    let client = app.registry.find_client(&attempt.request.client_id, now).await.ok().flatten();
    let view = client.map(|client| ClientView::of(&client, site.locale));
    let back = view.and_then(|view| view.uri.map(|url| Link { url, name: view.name }));
    let error = OAuthError::invalid_request("this sign-in was completed before");
    explain(browser, &error, ErrorKind::Finished, back.as_ref())
}

/// An attempt that is unknown, or another browser's.
pub fn foreign(browser: &Browser) -> Response {
    let error = OAuthError::invalid_request("the sign-in is unknown in this browser, start again at the application");
    explain(browser, &error, ErrorKind::Lost, None)
}

/// A form that did not come from our page.
pub fn forged(browser: &Browser) -> Response {
    let error = OAuthError::access_denied("the form did not come from this page, open it again");
    explain(browser, &error, ErrorKind::Forged, None)
}

/// What a page's handler answers: an error becomes a page, because only the person can be told.
pub async fn or_error_page(browser: &Browser, answer: impl Future<Output = Result<Response, OAuthError>>) -> Response {
    answer.await.unwrap_or_else(|error| error_page(browser, &error))
}

/// An error that only the person can be told.
pub fn error_page(browser: &Browser, error: &OAuthError) -> Response {
    explain(browser, error, ErrorKind::of(error), None)
}

fn explain(browser: &Browser, error: &OAuthError, kind: ErrorKind, back: Option<&Link>) -> Response {
    browser.with_cookie(error_page::send(&browser.site(&[]), &browser.support_id, error, kind, back))
}
