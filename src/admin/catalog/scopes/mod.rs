//! `/admin/scopes`: what a token may allow, and what the consent page says of it.

// A scope as JSON.
pub(in crate::admin) mod document;

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::Value;

use self::document::{ScopeChange, ScopeDocument, ScopeInput};
use super::{ListQuery, built_in, removed, stays};
use crate::admin::caller::Caller;
use crate::admin::endpoint::{Doc, Endpoints};
use crate::admin::idempotency::{Answer, Created, IdempotencyKey};
use crate::admin::json::{Creation, FromObject, MergePatch};
use crate::admin::page::{Page, Span};
use crate::admin::path::Path;
use crate::admin::precondition::{Expected, changed};
use crate::admin::query::Query;
use crate::app::App;
use crate::http::problem::{Problem, ProblemType, Violation};
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::catalog::Scope;

const SCOPES: &str = "/admin/scopes";
const SCOPE: &str = "/admin/scopes/{name}";

/// The scopes that OpenID Connect defines (Core sections 3.1.2.1, 5.4 and 11). The server knows what they mean, and claims to
/// (Discovery section 3), so they cannot be taken away.
const OPENID: [&str; 6] = ["openid", "profile", "email", "address", "phone", "offline_access"];

const EXAMPLE: &str = r#"{
    "name": "invoices.read",
    "description": {"en": "See your invoices", "de": "Ihre Rechnungen sehen"},
    "published": true
}"#;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Clients.read(), AdminArea::Clients.full());
    let doc = |summary, says| Doc::new(summary).says(says);
    endpoints
        .get(
            SCOPES,
            read,
            list,
            doc("List scopes", "By name. Those of the admin API are part of the server: `built_in`.")
                .query::<ListQuery>()
                .answers::<Page<ScopeDocument>>(),
        )
        .post(
            SCOPES,
            full,
            create,
            doc(
                "Register a scope",
                "Names that begin with `admin:` belong to the server. A name that was taken away is not given again: \
                 consents that still have it would come to mean something else.",
            )
            .body::<ScopeInput>()
            .example(EXAMPLE)
            .creates_at_a_place::<ScopeDocument>()
            .refuses(&[409]),
        )
        .get(
            SCOPE,
            read,
            show,
            doc("Show a scope", "What is `built_in` has no `ETag`.").answers::<ScopeDocument>().tagged(),
        )
        .patch(
            SCOPE,
            full,
            change,
            doc(
                "Change a scope",
                "Its name stays. The scope `openid` stays published (OpenID Connect Discovery section 3).",
            )
            .patch::<ScopeChange>()
            .example(r#"{"description": {"de": "Ihre Rechnungen ansehen"}}"#)
            .answers::<ScopeDocument>()
            .tagged()
            .refuses(&[409]),
        )
        .delete(
            SCOPE,
            full,
            delete,
            doc(
                "Take a scope away for good",
                "Refused as long as a client or a resource names it, and for the scopes of OpenID Connect.",
            )
            .conditional()
            .refuses(&[409]),
        )
}

/// One page of the scopes.
pub(in crate::admin) async fn list_scopes(app: &App, query: &ListQuery) -> Result<Page<ScopeDocument>, Problem> {
    let span = Span::<String>::read(query.limit, query.cursor.as_deref())?;
    let after = span.after.as_deref();
    let (built_in, _) = built_in(app);
    let is_built_in = |name: &str| built_in.iter().any(|scope| scope.name == name);
    let stored = app.postgres.list_scope_records(after, span.to_read()).await?;
    let mut read: Vec<ScopeDocument> =
        stored.into_iter().filter(|record| !is_built_in(&record.scope.name)).map(ScopeDocument::of).collect();
    let on_page = built_in.iter().filter(|scope| after.is_none_or(|after| scope.name.as_str() > after));
    read.extend(on_page.map(|scope| ScopeDocument::new(scope.clone(), None, None)));
    read.sort_by(|one, other| one.name.cmp(&other.name));
    span.page(read, |scope| scope.name.clone(), |scope| scope)
}

/// The scope of that name.
pub(in crate::admin) async fn find_scope(app: &App, name: &str) -> Result<ScopeDocument, Problem> {
    if let Some(scope) = built_in(app).0.into_iter().find(|scope| scope.name == name) {
        return Ok(ScopeDocument::new(scope, None, None));
    }
    app.postgres.find_scope_record(name).await?.map(ScopeDocument::of).ok_or_else(Problem::not_found)
}

/// Registers a scope.
pub(in crate::admin) async fn register_scope(
    app: &App,
    caller: &Caller,
    input: ScopeInput,
    key: Option<IdempotencyKey>,
    now: DateTime<Utc>,
) -> Result<Created, Problem> {
    let scope = Scope::from(input);
    let document = ScopeDocument::new(scope.clone(), Some(1), Some((now, now)));
    let answer = Answer::new(app, caller, key, &document, now)?;
    let event = AuditEvent::new(AuditEventKind::ScopeRegistered).to_object(&scope.name);
    let outcome = caller.recording(app, event, now).register_scope(&scope, answer.kept(), now).await?;
    app.registry.forget();
    answer.settle(app, outcome)
}

/// Changes a scope.
pub(in crate::admin) async fn change_scope(
    app: &App,
    caller: &Caller,
    name: &str,
    (expected, patch): (Expected, MergePatch),
    now: DateTime<Utc>,
) -> Result<ScopeDocument, Problem> {
    let found = find_scope(app, name).await?;
    let Some(revision) = found.revision else { return Err(stays()) };
    let revision = expected.check(revision)?;
    let scope = Scope { name: found.name, description: found.description, published: found.published };
    let Value::Object(mut document) = serde_json::to_value(&scope)? else {
        return Err(Problem::new(ProblemType::Internal));
    };
    document.remove("name");
    let mut patched = patch.apply(document);
    if patched.contains_key("name") {
        return Err(Problem::invalid_body(vec![Violation::new("/name", "a name cannot be changed")]));
    }
    patched.insert("name".to_owned(), name.into());
    let scope = Scope::from(ScopeInput::from_object(patched).map_err(Problem::invalid_body)?);
    let event = AuditEvent::new(AuditEventKind::ScopeChanged).to_object(&scope.name);
    let outcome = caller.recording(app, event, now).change_scope(&scope, revision, now).await?;
    app.registry.forget();
    changed(outcome)?;
    find_scope(app, name).await
}

/// Takes a scope away for good.
pub(in crate::admin) async fn remove_scope(
    app: &App,
    caller: &Caller,
    name: &str,
    expected: Expected,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let found = find_scope(app, name).await?;
    let Some(revision) = found.revision else { return Err(stays()) };
    if OPENID.contains(&name) {
        let detail = "OpenID Connect defines it: it can be hidden, but not taken away";
        return Err(Problem::new(ProblemType::Conflict).with_detail(detail));
    }
    let event = AuditEvent::new(AuditEventKind::ScopeRemoved).to_object(name);
    let outcome = caller.recording(app, event, now).remove_scope(name, expected.check(revision)?, now).await?;
    app.registry.forget();
    removed(outcome)
}

async fn list(State(app): State<App>, Query(query): Query<ListQuery>) -> Result<Page<ScopeDocument>, Problem> {
    list_scopes(&app, &query).await
}

async fn show(State(app): State<App>, Path(name): Path<String>) -> Result<ScopeDocument, Problem> {
    find_scope(&app, &name).await
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    Creation { body, key }: Creation<ScopeInput>,
) -> Result<Created, Problem> {
    register_scope(&app, &caller, body, key, app.clock.now()).await?.at(&app, SCOPES, "name")
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    expected: Expected,
    patch: MergePatch,
) -> Result<ScopeDocument, Problem> {
    change_scope(&app, &caller, &name, (expected, patch), app.clock.now()).await
}

async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    expected: Expected,
) -> Result<StatusCode, Problem> {
    remove_scope(&app, &caller, &name, expected, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
