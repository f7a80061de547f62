//! The steps of an authorization attempt as JSON, for a frontend of the operator's own (`FRONTEND_BASE_URL`).
//!
//! The browser arrives at the frontend with `?interaction=ID`. `GET /auth/session` gives the CSRF token and says who is
//! signed in; each other call answers with what is needed next, and at the end with where to send the browser. The same
//! functions decide as behind the pages.

// What a frontend is told to do next.
mod step;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use self::step::{Step, delivered, next_step};
use super::attempt;
use super::sign_in::{self, Signed};
use crate::app::App;
use crate::flow::authorization_request::AuthorizationRequest;
use crate::flow::interaction::{self, Found, Interaction};
use crate::flow::session;
use crate::http::browser::Browser;
use crate::http::csrf;
use crate::http::form::OAuthQuery;
use crate::http::headers::no_store;
use crate::http::json::OAuthJson;
use crate::http::pages::login::LoginProblem;
use crate::model::id::SubjectId;
use crate::protocol::error::OAuthError;

/// A sign-in.
#[derive(Deserialize)]
pub struct Credentials {
    csrf: Option<String>,
    interaction: Option<String>,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

/// An answer to the question of a page.
#[derive(Deserialize)]
pub struct Decision {
    csrf: Option<String>,
    interaction: String,
    decision: Choice,
    /// Who was asked: the `account` of the question.
    account: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Choice {
    /// What is asked is allowed.
    Allow,
    /// Go on with the account that is signed in.
    Continue,
    /// Do not.
    Deny,
}

/// Who is signed in, and the token that each other call carries.
pub async fn session(State(app): State<App>, browser: Browser) -> Response {
    let now = app.clock.now();
    let found = async {
        let person = match browser.session.signed_in(now).await? {
            Some(signed_in) if session::is_alive(&app, &signed_in, now).await? => {
                app.identity.find_person(&signed_in.subject).await?.map(|person| {
                    json!({"account": signed_in.subject, "name": person.display_name, "username": person.username})
                })
            }
            Some(_) | None => None,
        };
        Ok::<_, OAuthError>(json!({"csrf": csrf::token(&app, &browser.id), "person": person}))
    };
    answer(&browser, found.await.map(|body| (StatusCode::OK, body)))
}

/// What an attempt needs next.
pub async fn consent(State(app): State<App>, browser: Browser, query: Result<OAuthQuery, OAuthError>) -> Response {
    let now = app.clock.now();
    let step = async {
        let OAuthQuery(form) = query?;
        let id = form.required("interaction", "the parameter interaction is missing")?;
        let (request, attempt) = find(&app, &browser, id, now).await?;
        next_step(&app, &browser, request, attempt, now).await
    };
    answer(&browser, step.await.and_then(|step| encoded(&step)))
}

/// Signs in.
pub async fn login(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    body: Result<OAuthJson<Credentials>, OAuthError>,
) -> Response {
    let now = app.clock.now();
    let signed = async {
        let OAuthJson(body) = body?;
        guard(&app, &browser, &headers, body.csrf.as_deref())?;
        if body.username.is_empty() || body.password.is_empty() {
            return Err(OAuthError::invalid_request("username and password are needed"));
        }
        let waiting = match &body.interaction {
            Some(id) => Some(find(&app, &browser, id, now).await?),
            None => None,
        };
        match sign_in::sign_in(&app, &browser, (&body.username, &body.password), &headers, now).await? {
            Signed::Refused(problem) => Ok(refused(&browser, problem)),
            Signed::In { signed_in, cookie } => {
                let step = match waiting {
                    None => Step::Account,
                    Some((request, Some(attempt))) => {
                        let attempt = interaction::record_sign_in(&app, attempt, &signed_in, now).await?;
                        next_step(&app, &browser, request, Some(attempt), now).await?
                    }
                    Some((request, None)) => {
                        let attempt =
                            interaction::begin(&app, request, Some(browser.id.hash()), &browser.network, now).await?;
                        let attempt = interaction::record_sign_in(&app, attempt, &signed_in, now).await?;
                        next_step(&app, &browser, attempt.request.clone(), Some(attempt), now).await?
                    }
                };
                let mut response = answer(&browser, encoded(&step));
                if let Some(cookie) = cookie {
                    response.headers_mut().append(SET_COOKIE, cookie);
                }
                Ok(response)
            }
        }
    };
    signed.await.unwrap_or_else(|error| answer(&browser, Err(error)))
}

/// Answers the question of a page.
pub async fn decision(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    body: Result<OAuthJson<Decision>, OAuthError>,
) -> Response {
    let now = app.clock.now();
    let step = async {
        let OAuthJson(body) = body?;
        guard(&app, &browser, &headers, body.csrf.as_deref())?;
        if body.decision == Choice::Deny {
            let attempt = attempt::refusable(&app, &browser, &body.interaction, now).await?;
            let attempt = attempt.ok_or_else(unknown)?;
            return Ok(delivered(interaction::deny(&app, attempt, now).await?));
        }
        let (request, attempt) = find(&app, &browser, &body.interaction, now).await?;
        let asked = body.account.map(SubjectId::new);
        let signed_in =
            browser.session.signed_in(now).await?.filter(|signed_in| asked.as_ref() == Some(&signed_in.subject));
        let attempt = match (attempt, signed_in, body.decision) {
            (Some(attempt), Some(signed_in), Choice::Allow) => {
                Some(interaction::allow(&app, attempt, &signed_in, browser.origin(), now).await?)
            }
            (Some(attempt), Some(signed_in), Choice::Continue) => {
                Some(interaction::record_account(&app, attempt, &signed_in.subject, now).await?)
            }
            (attempt, _, _) => attempt,
        };
        next_step(&app, &browser, request, attempt, now).await
    };
    answer(&browser, step.await.and_then(|step| encoded(&step)))
}

/// The attempt, or only its request if it expired and begins anew.
async fn find(
    app: &App,
    browser: &Browser,
    id: &str,
    now: DateTime<Utc>,
) -> Result<(AuthorizationRequest, Option<Interaction>), OAuthError> {
    match interaction::find(app, id, &browser.id.hash(), now).await? {
        Found::Open(attempt) => Ok((attempt.request.clone(), Some(*attempt))),
        Found::Finished(attempt) if attempt.is_repeatable(now) => Ok((attempt.request.clone(), Some(*attempt))),
        Found::Expired(request) => Ok((*request, None)),
        Found::Finished(_) | Found::Foreign => Err(unknown()),
    }
}

fn guard(app: &App, browser: &Browser, headers: &HeaderMap, token: Option<&str>) -> Result<(), OAuthError> {
    if csrf::is_foreign(app, headers) || !csrf::verify(app, &browser.id, token) {
        return Err(OAuthError::access_denied("the csrf token is missing or not the one of this browser"));
    }
    Ok(())
}

fn unknown() -> OAuthError {
    OAuthError::invalid_request("the sign-in is unknown in this browser, start again at the application")
}

fn refused(browser: &Browser, problem: LoginProblem) -> Response {
    let (status, problem, wait) = match problem {
        LoginProblem::Refused | LoginProblem::Missing => (StatusCode::FORBIDDEN, "refused", None),
        LoginProblem::Throttled(wait) => (StatusCode::TOO_MANY_REQUESTS, "throttled", Some(wait.as_secs().max(1))),
        LoginProblem::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", Some(5)),
    };
    let mut response = answer(browser, Ok((status, json!({"problem": problem}))));
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn encoded(step: &Step) -> Result<(StatusCode, Value), OAuthError> {
    let body = serde_json::to_value(step)
        .map_err(|error| OAuthError::server_error("the server could not complete the request").with_source(error))?;
    Ok((StatusCode::OK, body))
}

fn answer(browser: &Browser, result: Result<(StatusCode, Value), OAuthError>) -> Response {
    let response = match result {
        Ok((status, body)) => (status, no_store(), Json(body)).into_response(),
        Err(error) => error.into_response(),
    };
    browser.with_cookie(response)
}
