//! `/consent`: whether an application may have what it asks for.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};

use super::attempt::{self, Opened};
use crate::app::App;
use crate::flow::interaction::{self, ConsentQuestion, Interaction, Next};
use crate::http::browser::Browser;
use crate::http::form::{OAuthForm, OAuthQuery};
use crate::http::pages::consent::{ConsentPage, DetailView};
use crate::http::pages::view::{ClientView, Guard, PersonView, Text, return_host};
use crate::http::{continuation, csrf, pages};
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
        (Ok(Next::Consent(question)), Some(signed_in)) => {
            Ok(page(app, browser, &attempt, &question, &signed_in.subject))
        }
        // Another step is due, or none, or the client must be told of an error.
        _ => Ok(continuation::proceed(app, browser, attempt.request.clone(), Some(attempt), now).await),
    }
}

async fn submit(app: &App, browser: &Browser, headers: &HeaderMap, form: &Form) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    if !attempt::is_ours(app, browser, headers, form)? {
        return Ok(continuation::forged(browser));
    }
    if form.one("decision")? == Some("deny") {
        return attempt::refuse(app, browser, form, now).await;
    }
    let mut attempt = match attempt::open(app, browser, form, now).await? {
        Opened::Waiting(attempt) => *attempt,
        Opened::Elsewhere(response) => return Ok(response),
    };
    let asked = form.one("account")?.map(SubjectId::new);
    if let Some(signed_in) = browser.session.signed_in(now).await? {
        // Somebody else may have signed in since the page was shown: their consent was not asked for.
        if form.one("decision")? == Some("allow") && asked == Some(signed_in.subject.clone()) {
            attempt = interaction::allow(app, attempt, &signed_in, browser.origin(), now).await?;
        }
    }
    Ok(continuation::proceed(app, browser, attempt.request.clone(), Some(attempt), now).await)
}

fn page(
    app: &App,
    browser: &Browser,
    attempt: &Interaction,
    question: &ConsentQuestion,
    account: &SubjectId,
) -> Response {
    let site = browser.site(&attempt.request.ui_locales).within(attempt.request.display);
    let scopes: Vec<Text> = question.scopes.iter().map(|scope| attempt::scope_sentence(scope, site.locale)).collect();
    let resources: Vec<Text> =
        question.resources.iter().map(|resource| attempt::resource_name(resource, site.locale)).collect();
    let details: Vec<DetailView> =
        question.details.iter().map(|(detail, known)| attempt::detail(detail, known, site.locale)).collect();
    let page = ConsentPage {
        site: &site,
        form: Guard { interaction: Some(&attempt.id), csrf: &csrf::token(app, &browser.id) },
        client: &ClientView::of(&question.client, site.locale),
        named_by: question.named_by.as_deref(),
        registered_itself: question.registered_itself,
        person: &PersonView::new(&question.person.display_name, &question.person.username),
        account: account.as_str(),
        scopes: &scopes,
        resources: &resources,
        details: &details,
        is_offline: question.is_offline,
        is_device: attempt.request.device.is_some(),
        is_backchannel: attempt.request.backchannel.is_some(),
        binding_message: attempt.request.binding_message.as_deref(),
        returns_to: &return_host(&attempt.request.redirect_uri),
        switch_url: &continuation::page_url(app, "/login", &attempt.id, "&switch=1"),
    };
    browser.page(StatusCode::OK, pages::html(&page), &continuation::page_csp(app, &attempt.request))
}
