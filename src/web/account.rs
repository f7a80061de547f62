//! `/account/consents`: the applications a person allowed, each of which they can take it back from.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};

use super::attempt;
use crate::app::App;
use crate::flow::session;
use crate::http::browser::{Browser, Csp};
use crate::http::form::{OAuthForm, OAuthQuery};
use crate::http::pages::consent::{ConsentView, ConsentsPage};
use crate::http::pages::locale::Locale;
use crate::http::pages::view::{ClientView, PersonView, Text};
use crate::http::{continuation, csrf, pages};
use crate::identity::backend::Person;
use crate::model::id::{ClientId, SubjectId};
use crate::protocol::error::OAuthError;
use crate::protocol::form::{self, Form};

const HERE: &str = "/account/consents";

/// The list.
pub async fn get(State(app): State<App>, browser: Browser, query: Result<OAuthQuery, OAuthError>) -> Response {
    continuation::or_error_page(&browser, async { show(&app, &browser, &query?.0, app.clock.now()).await }).await
}

/// Takes one back, with every token that came of it.
pub async fn post(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    form: Result<OAuthForm, OAuthError>,
) -> Response {
    continuation::or_error_page(&browser, async { withdraw(&app, &browser, &headers, &form?.0).await }).await
}

async fn show(app: &App, browser: &Browser, form: &Form, now: DateTime<Utc>) -> Result<Response, OAuthError> {
    let Some((subject, person)) = who(app, browser, now).await? else {
        return Ok(browser.redirect(&app.url("/login?switch=1")));
    };
    let site = browser.site(&[]);
    let consents = list(app, &subject, site.locale, now).await?;
    let withdrawn = match form.one("withdrawn")? {
        Some(client_id) => app.registry.find_client(&ClientId::new(client_id), now).await?,
        None => None,
    };
    let page = ConsentsPage {
        site: &site,
        csrf: &csrf::token(app, &browser.id),
        person: &PersonView::new(&person.display_name, &person.username),
        // A link that only claims it must not say so while the consent stands.
        withdrawn: withdrawn
            .as_deref()
            .filter(|client| consents.iter().all(|consent| consent.client.id != client.id.as_str()))
            .map(|client| client.display_name(site.locale.tag())),
        consents: &consents,
    };
    Ok(browser.page(StatusCode::OK, pages::html(&page), &Csp::default()))
}

async fn withdraw(app: &App, browser: &Browser, headers: &HeaderMap, form: &Form) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    if !attempt::is_ours(app, browser, headers, form)? {
        return Ok(continuation::forged(browser));
    }
    let Some((subject, _)) = who(app, browser, now).await? else {
        return Ok(browser.redirect(&app.url("/login?switch=1")));
    };
    let client_id = form.required("client_id", "the parameter client_id is missing")?;
    app.postgres.delete_consent(&subject, &ClientId::new(client_id), now).await?;
    let query = form::encode([("withdrawn", client_id)]);
    Ok(browser.redirect(&app.url(&format!("{HERE}?{query}"))))
}

/// Who looks at their account: the session's row must still stand, whatever the browser's record says.
pub(super) async fn who(
    app: &App,
    browser: &Browser,
    now: DateTime<Utc>,
) -> Result<Option<(SubjectId, Person)>, OAuthError> {
    let Some(signed_in) = browser.session.signed_in(now).await? else {
        return Ok(None);
    };
    if !session::is_used(app, &signed_in, now).await? {
        return Ok(None);
    }
    Ok(app.identity.find_person(&signed_in.subject).await?.map(|person| (signed_in.subject, person)))
}

async fn list(
    app: &App,
    subject: &SubjectId,
    locale: Locale,
    now: DateTime<Utc>,
) -> Result<Vec<ConsentView>, OAuthError> {
    let catalog = app.registry.catalog(now).await?;
    let mut views = Vec::new();
    for (client_id, consent) in app.postgres.list_consents(subject, now).await? {
        let client = match app.registry.find_client(&client_id, now).await? {
            Some(client) => ClientView::of(&client, locale),
            None => continue,
        };
        let scopes = consent.scopes.iter().filter(|name| *name != "openid" && *name != "offline_access");
        let sentence = |name: &String| match catalog.find_scope(name) {
            Some(scope) => attempt::scope_sentence(scope, locale),
            None => Text { text: name.clone(), lang: None },
        };
        let resources = consent.resources.iter().map(|uri| match catalog.find_resource(uri) {
            Some(resource) => attempt::resource_name(resource, locale),
            None => Text { text: uri.as_str().to_owned(), lang: None },
        });
        views.push(ConsentView {
            client,
            scopes: scopes.map(sentence).collect(),
            resources: resources.collect(),
            is_offline: consent.scopes.iter().any(|name| name == "offline_access"),
            since: consent.granted_at.date_naive(),
        });
    }
    Ok(views)
}
