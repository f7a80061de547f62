//! Who is let in. It stands in front of every page, so that none can forget it, and a page without a rule lets nobody in.
//!
//! It is also where refusals become pages: whatever answered with a [`Problem`], the person is told by a page.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::StatusCode;
use http::header::RETRY_AFTER;
use http::request::Parts;

use super::draft;
use super::frame::{Frame, Room};
use super::visit::{Visit, Visitor};
use crate::admin::admit::Gate;
use crate::admin::caller::Caller;
use crate::app::App;
use crate::http::browser::{Browser, Csp};
use crate::http::form::TickedForm;
use crate::http::pages::html;
use crate::http::pages::locale::Locale;
use crate::http::pages::view::{PersonView, Site};
use crate::http::problem::{Problem, ProblemType};
use crate::http::{csrf, return_to};
use crate::protocol::form::Form;

/// What is refused to somebody who is let in.
#[derive(Template)]
#[template(path = "console/refused.html", config = "src/http/pages/askama.toml")]
struct RefusedPage<'a> {
    frame: Frame,
    words: Words<'a>,
}

/// What is refused at the door.
#[derive(Template)]
#[template(path = "console/closed.html", config = "src/http/pages/askama.toml")]
struct ClosedPage<'a> {
    site: &'a Site,
    words: Words<'a>,
    /// For whoever has another account.
    sign_in_url: Option<String>,
}

/// What a refusal says.
struct Words<'a> {
    heading: &'static str,
    explanation: &'static str,
    detail: Option<&'a str>,
    code: String,
    support_id: &'a str,
}

/// Lets a request in with its [`Visit`], or answers it.
pub(super) async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let browser = match Browser::from_request_parts(&mut parts, &gate.app).await {
        Ok(browser) => Arc::new(browser),
        Err(status) => return status.into_response(),
    };
    let (here, now) = (address(&parts), gate.app.clock.now());
    match enter(&gate, &browser, Request::from_parts(parts, body), now).await {
        Ok((visit, request)) => {
            let mut response = next.run(request).await;
            match response.extensions_mut().remove::<Problem>() {
                Some(problem) => refused(&visit, &problem, &response),
                None => response,
            }
        }
        Err(problem) if asks_for_sign_in(&problem) => browser.redirect(&return_to::login_url(&gate.app, &here)),
        Err(problem) => closed(&gate.app, &browser, problem, &here),
    }
}

async fn enter(
    gate: &Gate,
    browser: &Arc<Browser>,
    request: Request,
    now: DateTime<Utc>,
) -> Result<(Visit, Request), Problem> {
    let (mut parts, body) = request.into_parts();
    let access = gate.find(&parts)?.access;
    let (caller, person) = match Caller::in_person(&gate.app, browser, now).await {
        Ok(found) => found,
        Err(problem) if asks_for_sign_in(&problem) && !parts.method.is_safe() => {
            let path = parts.uri.path().to_owned();
            if let Ok(form) = read_form(&gate.app, browser, Request::from_parts(parts, body)).await {
                draft::keep(&gate.app, browser, &path, &form, now).await?;
            }
            return Err(problem);
        }
        Err(problem) => return Err(problem),
    };
    access.check(&caller)?;
    let query = Form::parse(parts.uri.query().unwrap_or_default().as_bytes())?;
    let form = if parts.method.is_safe() {
        Form::default()
    } else {
        read_form(&gate.app, browser, Request::from_parts(parts.clone(), body)).await?
    };
    let visit = Visit::new(Visitor {
        person: PersonView::new(&person.display_name, &person.username),
        csrf: csrf::token(&gate.app, &browser.id),
        site: Site::new(Locale::En, gate.app.issuer()),
        path: parts.uri.path().to_owned(),
        here: address(&parts),
        browser: Arc::clone(browser),
        caller,
        query,
        form,
        now,
    });
    parts.extensions.insert(visit.clone());
    // Whatever the body was, it is in the visit now.
    Ok((visit, Request::from_parts(parts, Body::empty())))
}

/// What was typed on a page of ours, in this very browser.
async fn read_form(app: &App, browser: &Browser, request: Request) -> Result<Form, Problem> {
    // A frontend can learn the token, to sign people in; it administers nothing.
    let is_foreign = csrf::is_from_elsewhere(app, request.headers());
    let TickedForm(form) = TickedForm::from_request(request, app).await?;
    if is_foreign || !csrf::verify(app, &browser.id, form.one("csrf")?) {
        return Err(Problem::new(ProblemType::Csrf));
    }
    Ok(form)
}

/// The page that was asked for, or that of the form that was sent: where a sign-in leads back to.
fn address(parts: &Parts) -> String {
    let path = parts.uri.path();
    match parts.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

fn asks_for_sign_in(problem: &Problem) -> bool {
    matches!(problem.kind(), ProblemType::Unauthenticated | ProblemType::InsufficientUserAuthentication)
}

fn refused(visit: &Visit, problem: &Problem, response: &Response) -> Response {
    let frame = Frame::new(visit, Room::Elsewhere, None);
    let words = Words::of(problem, &visit.browser.support_id);
    let page = html(&RefusedPage { frame, words });
    with_retry(visit.browser.page(response.status(), page, &Csp::default()), response)
}

fn closed(app: &App, browser: &Browser, problem: Problem, here: &str) -> Response {
    let is_forbidden = problem.kind() == ProblemType::Forbidden;
    let sign_in_url = is_forbidden.then(|| return_to::login_url(app, here));
    let (site, response) = (Site::new(Locale::En, app.issuer()), problem.clone().into_response());
    let mut words = Words::of(&problem, &browser.support_id);
    if is_forbidden {
        words.heading = "Only for administrators";
        words.explanation =
            "This is where the server is administered, and the account that is signed in here does not administer it.";
    }
    let page = html(&ClosedPage { site: &site, words, sign_in_url });
    with_retry(browser.page(response.status(), page, &Csp::default()), &response)
}

fn with_retry(mut page: Response, plain: &Response) -> Response {
    if let Some(wait) = plain.headers().get(RETRY_AFTER) {
        page.headers_mut().insert(RETRY_AFTER, wait.clone());
    }
    page
}

impl<'a> Words<'a> {
    fn of(problem: &'a Problem, support_id: &'a str) -> Self {
        let (heading, explanation) = match problem.kind() {
            ProblemType::NotFound => {
                ("There is no such thing", "It may have been deleted meanwhile, or the address is not right.")
            }
            ProblemType::Csrf => (
                "The form did not come from here",
                "Nothing was changed. Open the page again and send its form once more.",
            ),
            ProblemType::Forbidden | ProblemType::InsufficientScope => ("You may not do this", "Nothing was changed."),
            ProblemType::Conflict | ProblemType::AlreadyExists => ("This cannot be done now", "Nothing was changed."),
            ProblemType::PreconditionFailed => (
                "It was changed meanwhile",
                "Somebody else changed it since you opened the page. Nothing was changed now: open it again, look, and decide anew.",
            ),
            ProblemType::Unavailable => {
                ("The server cannot reach its storage", "Nothing is wrong with what you did. Try again in a moment.")
            }
            ProblemType::Internal => {
                ("The server made a mistake", "Please tell whoever runs it, with the request number below.")
            }
            ProblemType::Unauthenticated
            | ProblemType::TwoCredentials
            | ProblemType::InsufficientUserAuthentication
            | ProblemType::MethodNotAllowed
            | ProblemType::InvalidParameter
            | ProblemType::InvalidJson
            | ProblemType::InvalidBody
            | ProblemType::BodyTooLarge
            | ProblemType::UnsupportedMediaType
            | ProblemType::PreconditionRequired
            | ProblemType::IdempotencyKeyReused => ("This request cannot be understood", "Nothing was changed."),
        };
        let status = problem.kind().status();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
        Self { heading, explanation, detail: problem.detail(), code, support_id }
    }
}
