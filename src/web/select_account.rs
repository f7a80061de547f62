//! `/select-account`: whether to go on with the account that is signed in (`prompt=select_account`).

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};

use super::attempt::{self, Opened};
use crate::app::App;
use crate::flow::interaction::{self, Interaction, Next};
use crate::http::browser::Browser;
use crate::http::form::{OAuthForm, OAuthQuery};
use crate::http::pages::select_account::SelectAccountPage;
use crate::http::pages::view::{Guard, PersonView};
use crate::http::{continuation, csrf, pages};
use crate::identity::backend::Person;
use crate::model::id::SubjectId;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// The question.
pub async fn get(State(app): State<App>, browser: Browser, query: Result<OAuthQuery, OAuthError>) -> Response {
    continuation::or_error_page(&browser, async { show(&app, &browser, &query?.0, app.clock.now()).await }).await
}

/// The answer.
pub async fn post(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    form: Result<OAuthForm, OAuthError>,
) -> Response {
    continuation::or_error_page(&browser, async { submit(&app, &browser, &headers, &form?.0).await }).await
}

async fn show(app: &App, browser: &Browser, form: &Form, now: DateTime<Utc>) -> Result<Response, OAuthError> {
    let attempt = match attempt::open(app, browser, form, now).await? {
        Opened::Waiting(attempt) => *attempt,
        Opened::Elsewhere(response) => return Ok(response),
    };
    let signed_in = browser.session.signed_in(now).await?;
    match (interaction::next(app, &attempt.request, Some(&attempt), signed_in.as_ref(), now).await, &signed_in) {
        (Ok(Next::SelectAccount(person)), Some(signed_in)) => {
            page(app, browser, &attempt, &person, &signed_in.subject, now).await
        }
        _ => Ok(continuation::proceed(app, browser, attempt.request.clone(), Some(attempt), now).await),
    }
}

async fn submit(app: &App, browser: &Browser, headers: &HeaderMap, form: &Form) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    if !attempt::is_ours(app, browser, headers, form)? {
        return Ok(continuation::forged(browser));
    }
    let choice = form.one("choice")?;
    if choice == Some("cancel") {
        return attempt::refuse(app, browser, form, now).await;
    }
    let mut attempt = match attempt::open(app, browser, form, now).await? {
        Opened::Waiting(attempt) => *attempt,
        Opened::Elsewhere(response) => return Ok(response),
    };
    if choice == Some("another") {
        return Ok(browser.redirect(&continuation::page_url(app, "/login", &attempt.id, "&switch=1")));
    }
    let shown = form.one("account")?.map(SubjectId::new);
    if let Some(signed_in) = browser.session.signed_in(now).await? {
        // Somebody else may have signed in since the page was shown: they chose nothing.
        if choice == Some("continue") && shown == Some(signed_in.subject.clone()) {
            attempt = interaction::record_account(app, attempt, &signed_in.subject, now).await?;
        }
    }
    Ok(continuation::proceed(app, browser, attempt.request.clone(), Some(attempt), now).await)
}

async fn page(
    app: &App,
    browser: &Browser,
    attempt: &Interaction,
    person: &Person,
    account: &SubjectId,
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let (site, client) = attempt::site_and_client(app, browser, attempt, now).await?;
    let page = SelectAccountPage {
        site: &site,
        form: Guard { interaction: Some(&attempt.id), csrf: &csrf::token(app, &browser.id) },
        client: &client.unwrap_or_default(),
        person: &PersonView::new(&person.display_name, &person.username),
        account: account.as_str(),
    };
    Ok(browser.page(StatusCode::OK, pages::html(&page), &continuation::page_csp(app, &attempt.request)))
}
