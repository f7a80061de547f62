//! The attempt that a page belongs to, as each page finds it.

use std::sync::Arc;

use axum::response::Response;
use chrono::{DateTime, Utc};
use http::HeaderMap;

use crate::app::App;
use crate::flow::interaction::{self, Found, Interaction};
use crate::http::browser::Browser;
use crate::http::pages::consent::DetailView;
use crate::http::pages::locale::Locale;
use crate::http::pages::view::{ClientView, Site, Text};
use crate::http::{authorization_response, continuation, csrf};
use crate::model::authorization_details::{AuthorizationDetail, AuthorizationDetailsType};
use crate::model::catalog::{Resource, Scope};
use crate::model::client::Client;
use crate::model::id::SubjectId;
use crate::protocol::authorization_details::sentence;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::storage::StoreError;

/// What a form is about: an attempt that waits for it, or an answer to send at once.
pub enum Opened {
    /// It waits.
    Waiting(Box<Interaction>),
    /// There is nothing to wait for.
    Elsewhere(Response),
}

/// The attempt that `form` names, for a page that only makes sense while it waits. One that expired begins anew.
pub async fn open(app: &App, browser: &Browser, form: &Form, now: DateTime<Utc>) -> Result<Opened, OAuthError> {
    let id = form.one("interaction")?.unwrap_or_default();
    Ok(match interaction::find(app, id, &browser.id.hash(), now).await? {
        Found::Open(attempt) => Opened::Waiting(attempt),
        Found::Expired(request) => Opened::Elsewhere(continuation::proceed(app, browser, *request, None, now).await),
        Found::Finished(attempt) => Opened::Elsewhere(continuation::finished(app, browser, *attempt, now).await),
        Found::Foreign => Opened::Elsewhere(continuation::foreign(browser)),
    })
}

/// Whether `form` came from a page of ours in this very browser.
pub fn is_ours(app: &App, browser: &Browser, headers: &HeaderMap, form: &Form) -> Result<bool, OAuthError> {
    Ok(!csrf::is_foreign(app, headers) && csrf::verify(app, &browser.id, form.one("csrf")?))
}

/// Tells the client that the person refused.
pub async fn refuse(app: &App, browser: &Browser, form: &Form, now: DateTime<Utc>) -> Result<Response, OAuthError> {
    let id = form.one("interaction")?.unwrap_or_default();
    match refusable(app, browser, id, now).await? {
        Some(attempt) => Ok(authorization_response::send(browser, interaction::deny(app, attempt, now).await?)),
        None => match open(app, browser, form, now).await? {
            Opened::Elsewhere(response) => Ok(response),
            Opened::Waiting(_) => Ok(continuation::foreign(browser)),
        },
    }
}

/// The attempt, if it can still be refused: a second press of the button is answered like the first.
pub async fn refusable(
    app: &App,
    browser: &Browser,
    id: &str,
    now: DateTime<Utc>,
) -> Result<Option<Interaction>, OAuthError> {
    Ok(match interaction::find(app, id, &browser.id.hash(), now).await? {
        Found::Open(attempt) => Some(*attempt),
        Found::Finished(attempt) => Some(*attempt).filter(|attempt| attempt.is_repeatable(now)),
        Found::Expired(request) => {
            Some(interaction::begin(app, *request, Some(browser.id.hash()), &browser.network, now).await?)
        }
        Found::Foreign => None,
    })
}

/// The server and the client as the page of an attempt shows them.
pub async fn site_and_client(
    app: &App,
    browser: &Browser,
    attempt: &Interaction,
    now: DateTime<Utc>,
) -> Result<(Site, Option<ClientView>), StoreError> {
    let site = browser.site(&attempt.request.ui_locales).within(attempt.request.display);
    let client: Option<Arc<Client>> = app.registry.find_client(&attempt.request.client_id, now).await?;
    let view = client.map(|client| ClientView::of(&client, site.locale));
    Ok((site, view))
}

/// What a sign-in is filled in with: the name of whoever must sign in `again`, else what the client hinted at.
pub async fn username(app: &App, attempt: &Interaction, again: Option<&SubjectId>) -> Result<String, StoreError> {
    let Some(subject) = again else {
        return Ok(attempt.request.login_hint.clone().unwrap_or_default());
    };
    Ok(app.identity.find_person(subject).await?.map(|person| person.username).unwrap_or_default())
}

/// What a scope allows, in a sentence; its name where it has none.
pub fn scope_sentence(scope: &Scope, locale: Locale) -> Text {
    Text::of(&scope.description, locale, &scope.name)
}

/// What is asked for in particular, in words; its members where the type has no sentence, or one that does not fit.
pub fn detail(detail: &AuthorizationDetail, known: &AuthorizationDetailsType, locale: Locale) -> DetailView {
    let Text { text, lang } = Text::of(&known.sentence, locale, "");
    let filled = sentence::fill(&text, detail).filter(|text| !text.is_empty());
    DetailView {
        name: Text::of(&known.name, locale, &known.name_of_type),
        sentence: filled.map(|text| Text { text, lang }),
        members: sentence::members(detail),
    }
}

/// What a resource is called; its address where it has no name.
pub fn resource_name(resource: &Resource, locale: Locale) -> Text {
    Text::of(&resource.name, locale, resource.uri.as_str())
}
