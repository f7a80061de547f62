//! `/account/requests` (OpenID Connect CIBA section 8): what applications ask of a person who is not in front of them.
//!
//! 1. The list says who asks, for what, and what to compare. Looking at it decides nothing.
//! 2. What the person wants to decide becomes an attempt like any other, always with a question, and with a sign-in where the
//!    client or the request asks for that.
//! 3. Refusing takes one press, here or there.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use uuid::Uuid;

use super::account::who;
use super::attempt;
use crate::app::App;
use crate::flow::backchannel_authentication::{self, PAGE, Waiting};
use crate::flow::decoupled::{self, Outcome, Waiter};
use crate::http::browser::{Browser, Csp};
use crate::http::form::OAuthForm;
use crate::http::pages::locale::Locale;
use crate::http::pages::requests::{PendingView, RequestsPage, RequestsRemark};
use crate::http::pages::view::{ClientView, PersonView};
use crate::http::{continuation, csrf, pages, remark, return_to};
use crate::identity::backend::Person;
use crate::model::authorization_details::type_of;
use crate::model::id::{FamilyId, SubjectId};
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::random;
use crate::storage::registry::Catalog;

/// The list.
pub async fn get(State(app): State<App>, browser: Browser) -> Response {
    let now = app.clock.now();
    let shown = async {
        match who(&app, &browser, now).await? {
            Some(person) => page(&app, &browser, &person, now).await,
            None => Ok(browser.redirect(&return_to::login_url(&app, PAGE))),
        }
    };
    continuation::or_error_page(&browser, shown).await
}

/// Looks at one, or refuses it.
pub async fn post(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    form: Result<OAuthForm, OAuthError>,
) -> Response {
    continuation::or_error_page(&browser, async { submit(&app, &browser, &headers, &form?.0).await }).await
}

async fn submit(app: &App, browser: &Browser, headers: &HeaderMap, form: &Form) -> Result<Response, OAuthError> {
    let now = app.clock.now();
    if !attempt::is_ours(app, browser, headers, form)? {
        return Ok(continuation::forged(browser));
    }
    let Some((subject, _)) = who(app, browser, now).await? else {
        return Ok(browser.redirect(&return_to::login_url(app, PAGE)));
    };
    let id = form.one("id")?.and_then(|id| Uuid::try_parse(id).ok()).map(FamilyId);
    let waiting = match id {
        Some(id) => backchannel_authentication::find(app, id, &subject, now).await?,
        None => None,
    };
    let told = match (waiting, form.one("action")?) {
        (Some(waiting), Some("look")) => {
            return Ok(continuation::proceed(app, browser, waiting.into_request(app)?, None, now).await);
        }
        (Some(waiting), Some("refuse")) => refuse(app, &waiting, now).await?,
        _ => RequestsRemark::Gone,
    };
    remark::keep_for(app, &subject, PAGE, &told, now).await?;
    Ok(browser.redirect(&app.url(PAGE)))
}

/// Refuses without an attempt: whoever does not know what it is need not look at it.
async fn refuse(app: &App, waiting: &Waiting, now: DateTime<Utc>) -> Result<RequestsRemark, OAuthError> {
    let (waiter, by) = (Waiter::Backchannel(waiting.id), random::id());
    decoupled::refuse(app, waiter, &by, now).await?;
    Ok(match decoupled::outcome(app, waiter, &by, now).await? {
        Outcome::Refused => RequestsRemark::Refused,
        Outcome::Waiting | Outcome::Approved | Outcome::Over => RequestsRemark::Gone,
    })
}

async fn page(
    app: &App,
    browser: &Browser,
    (subject, person): &(SubjectId, Person),
    now: DateTime<Utc>,
) -> Result<Response, OAuthError> {
    let remark = remark::take_for(app, subject, PAGE, now).await?;
    let site = browser.site(&[]);
    let catalog = app.registry.catalog(now).await?;
    let waiting = backchannel_authentication::list(app, subject, now).await?;
    let requests: Vec<_> = waiting.into_iter().map(|waiting| view(waiting, &catalog, site.locale, now)).collect();
    let page = RequestsPage {
        site: &site,
        csrf: &csrf::token(app, &browser.id),
        person: &PersonView::new(&person.display_name, &person.username),
        requests: &requests,
        remark,
    };
    let csp = continuation::or_to_frontend(app, Csp::default());
    Ok(browser.page(StatusCode::OK, pages::html(&page), &csp))
}

fn view(waiting: Waiting, catalog: &Catalog, locale: Locale, now: DateTime<Utc>) -> PendingView {
    let Waiting { id, record, client } = waiting;
    let scopes = record.scopes.iter().filter(|name| *name != "openid" && *name != "offline_access");
    let resources = record.resources.iter().filter_map(|uri| catalog.find_resource(uri));
    let details = record.authorization_details.iter().filter_map(|detail| {
        let known = catalog.find_authorization_details_type(type_of(detail))?;
        Some(attempt::detail(detail, known, locale))
    });
    PendingView {
        id: id.to_string(),
        client: ClientView::of(&client, locale),
        scopes: scopes
            .filter_map(|name| catalog.find_scope(name))
            .map(|scope| attempt::scope_sentence(scope, locale))
            .collect(),
        resources: resources.map(|resource| attempt::resource_name(resource, locale)).collect(),
        details: details.collect(),
        is_offline: record.scopes.iter().any(|name| name == "offline_access"),
        ends_in: (record.expires_at - now).num_seconds().max(0).unsigned_abs(),
        binding_message: record.backchannel.and_then(|said| said.binding_message),
    }
}
