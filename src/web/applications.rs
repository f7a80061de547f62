//! `/account/applications`: a person asks for a client, sees what became of it, and fetches the credentials once.
//!
//! What was refused is said on the page, after a redirect, with what was typed. Only credentials are in the answer to their
//! form: they are kept nowhere on the way.

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::who;
use super::attempt;
use crate::app::App;
use crate::flow::access_request::{self, AskOutcome, Asked, AskedKind};
use crate::http::browser::{Browser, Csp};
use crate::http::form::OAuthForm;
use crate::http::pages::applications::{
    ApplicationsPage, CredentialsView, RequestProblem, RequestState, RequestView, TypedRequest,
};
use crate::http::pages::locale::Locale;
use crate::http::pages::view::PersonView;
use crate::http::{continuation, csrf, pages, remark};
use crate::identity::backend::Person;
use crate::model::id::SubjectId;
use crate::protocol::client_metadata::Violation;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::storage::postgres::access_request::{AccessRequest, AccessRequestStatus};

const HERE: &str = "/account/applications";

/// The most requests on the page.
const MOST_SHOWN: i64 = 100;

/// What the page says when it is shown after a form: waits in the state store until the redirect comes.
#[derive(Default, Serialize, Deserialize)]
struct Remark {
    typed: TypedRequest,
    problems: Vec<RequestProblem>,
}

/// The list and the form.
pub async fn get(State(app): State<App>, browser: Browser) -> Response {
    let now = app.clock.now();
    let shown = async {
        match who(&app, &browser, now).await? {
            Some(person) => {
                let remark = remark::take_for(&app, &person.0, HERE, now).await?.unwrap_or_default();
                page(&app, &browser, &person, None, remark).await
            }
            None => Ok(browser.redirect(&app.url("/login?switch=1"))),
        }
    };
    continuation::or_error_page(&browser, shown).await
}

/// Asks, takes back, or fetches.
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
    let Some(person) = who(app, browser, now).await? else {
        return Ok(browser.redirect(&app.url("/login?switch=1")));
    };
    let refusal = match form.one("action")? {
        Some("withdraw") => withdraw(app, &person.0, form).await?,
        Some("fetch") => match fetch(app, &person.0, form, now).await? {
            Some(credentials) => return page(app, browser, &person, Some(credentials), Remark::default()).await,
            None => Some(gone()),
        },
        _ => ask(app, &person.0, form, now).await?,
    };
    if let Some(remark) = refusal {
        remark::keep_for(app, &person.0, HERE, &remark, now).await?;
    }
    Ok(browser.redirect(&app.url(HERE)))
}

async fn ask(app: &App, subject: &SubjectId, form: &Form, now: DateTime<Utc>) -> Result<Option<Remark>, OAuthError> {
    let text = |name| form.one(name).map(|text| text.unwrap_or_default().to_owned());
    let typed = TypedRequest {
        name: text("name")?,
        kind: text("kind")?,
        redirect_uris: text("redirect_uris")?,
        reason: text("reason")?,
    };
    // An application without a name would be shown by its identifier.
    let has_name = !typed.name.trim().is_empty();
    let lines = typed.redirect_uris.lines().map(str::trim).filter(|line| !line.is_empty());
    let asked = Asked {
        name: if has_name { &typed.name } else { " " },
        kind: AskedKind::from_name(&typed.kind).unwrap_or_default(),
        redirect_uris: lines.map(ToOwned::to_owned).collect(),
        reason: &typed.reason,
    };
    let problems = match access_request::ask(app, subject, &asked, now).await? {
        AskOutcome::Asked => return Ok(None),
        AskOutcome::TooMany => vec![RequestProblem::TooMany],
        AskOutcome::Refused(violations) => problems(&violations),
    };
    Ok(Some(Remark { typed, problems }))
}

/// What a person is told of what is wrong: one sentence for each field.
fn problems(violations: &[Violation]) -> Vec<RequestProblem> {
    let at = |pointer: &str| violations.iter().any(|(at, _)| at.starts_with(pointer));
    [
        ("/client_name", RequestProblem::Name),
        ("/redirect_uris", RequestProblem::RedirectUris),
        ("/reason", RequestProblem::Reason),
    ]
    .into_iter()
    .filter_map(|(pointer, problem)| at(pointer).then_some(problem))
    .collect()
}

async fn withdraw(app: &App, subject: &SubjectId, form: &Form) -> Result<Option<Remark>, OAuthError> {
    let is_withdrawn = match id(form)? {
        Some(id) => app.postgres.withdraw_access_request(id, subject).await?,
        None => false,
    };
    Ok(if is_withdrawn { None } else { Some(gone()) })
}

/// The credentials, unless they are not there any more. Told in the very answer, after which nobody has them.
async fn fetch(
    app: &App,
    subject: &SubjectId,
    form: &Form,
    now: DateTime<Utc>,
) -> Result<Option<CredentialsView>, OAuthError> {
    let delivered = match id(form)? {
        Some(id) => access_request::deliver(app, id, subject, now).await?,
        None => None,
    };
    Ok(delivered.map(|credentials| CredentialsView {
        client_id: credentials.client_id.as_str().to_owned(),
        client_secret: credentials.client_secret,
    }))
}

fn gone() -> Remark {
    Remark { problems: vec![RequestProblem::Gone], ..Remark::default() }
}

fn id(form: &Form) -> Result<Option<Uuid>, OAuthError> {
    Ok(form.one("id")?.and_then(|id| Uuid::try_parse(id).ok()))
}

async fn page(
    app: &App,
    browser: &Browser,
    (subject, person): &(SubjectId, Person),
    credentials: Option<CredentialsView>,
    remark: Remark,
) -> Result<Response, OAuthError> {
    let site = browser.site(&[]);
    let requests = app.postgres.list_access_requests((None, Some(subject)), None, MOST_SHOWN).await?;
    let requests: Vec<_> = requests.into_iter().map(|request| view(request, site.locale)).collect();
    let page = ApplicationsPage {
        site: &site,
        csrf: &csrf::token(app, &browser.id),
        person: &PersonView::new(&person.display_name, &person.username),
        requests: &requests,
        credentials: credentials.as_ref(),
        typed: &remark.typed,
        problems: &remark.problems,
    };
    Ok(browser.page(StatusCode::OK, pages::html(&page), &Csp::default()))
}

fn view(request: AccessRequest, locale: Locale) -> RequestView {
    let names = &request.settings.client_name;
    let name = names.get(locale.tag()).or_else(|| names.get(Locale::En.tag())).cloned().unwrap_or_default();
    RequestView {
        id: request.id.to_string(),
        name,
        state: match request.status {
            AccessRequestStatus::Open => RequestState::Open,
            AccessRequestStatus::Approved => RequestState::Approved,
            AccessRequestStatus::Refused => RequestState::Refused,
            AccessRequestStatus::Delivered => RequestState::Delivered,
        },
        since: request.created_at.date_naive(),
        note: request.note.filter(|note| !note.trim().is_empty()),
        client_id: request.client_id.map(|id| id.as_str().to_owned()),
    }
}
