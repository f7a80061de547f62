//! `/admin/scopes`: what a token may allow, and what the consent page says of it.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ListQuery, RESERVED, Times, built_in, removed, stays, text_schema, text_violations};
use crate::admin::caller::Caller;
use crate::admin::endpoint::{Doc, Endpoints};
use crate::admin::idempotency::{Answer, Created, IdempotencyKey};
use crate::admin::json::{self, Creation, FromObject, MergePatch};
use crate::admin::page::{Page, Span};
use crate::admin::path::Path;
use crate::admin::precondition::{Expected, changed, etag};
use crate::admin::query::Query;
use crate::app::App;
use crate::http::problem::{Problem, ProblemType, Violation};
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::catalog::{Localized, Scope};
use crate::protocol::scope::is_scope_token;
use crate::storage::postgres::scope_record::ScopeRecord;

const SCOPES: &str = "/admin/scopes";
const SCOPE: &str = "/admin/scopes/{name}";

/// The longest name.
const MAX_NAME: usize = 128;

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
            .creates::<ScopeDocument>()
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

/// A scope.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Scope")]
pub(in crate::admin) struct ScopeDocument {
    /// Its name, a `scope-token` of RFC 6749.
    pub(in crate::admin) name: String,
    /// What the consent page says it allows, by language tag.
    pub(in crate::admin) description: Localized,
    /// Whether discovery lists it.
    pub(in crate::admin) published: bool,
    /// Whether it is part of the server: it can be neither changed nor taken away.
    pub(in crate::admin) built_in: bool,
    /// When it was registered; absent if it is part of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) created_at: Option<DateTime<Utc>>,
    /// When it last changed; absent if it is part of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) updated_at: Option<DateTime<Utc>>,
    #[serde(skip)]
    pub(in crate::admin) revision: Option<i64>,
}

/// What a caller says of a scope.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct ScopeInput {
    /// Its name: visible ASCII characters without `"` and `\`, not beginning with `admin:`.
    #[schemars(length(min = 1, max = MAX_NAME), regex(pattern = r"^(?!admin:)[!#-\[\]-~]+$"))]
    pub(in crate::admin) name: String,
    /// What the consent page says it allows, by language tag; `en` at least.
    #[schemars(schema_with = "text_schema")]
    pub(in crate::admin) description: Localized,
    /// Whether discovery lists it; absent: no.
    #[serde(default)]
    pub(in crate::admin) published: bool,
}

/// What can be changed of a scope.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a merge patch is read as what it makes; the type is what the OpenAPI document shows")]
struct ScopeChange {
    /// Texts by language tag; null takes one away.
    description: Option<std::collections::BTreeMap<String, Option<String>>>,
    /// Whether discovery lists it.
    published: Option<bool>,
}

impl FromObject for ScopeInput {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let input: Self = json::read(Value::Object(object))?;
        let mut violations = text_violations("/description", &input.description);
        if !is_scope_token(&input.name) || input.name.len() > MAX_NAME {
            let detail = format!("it must be 1 to {MAX_NAME} visible ASCII characters without \" and \\");
            violations.push(Violation::new("/name", detail));
        }
        if input.name.starts_with(RESERVED) {
            violations.push(Violation::new("/name", "names that begin with admin: belong to the server"));
        }
        if input.name == "openid" && !input.published {
            violations.push(Violation::new("/published", "openid stays published"));
        }
        if violations.is_empty() { Ok(input) } else { Err(violations) }
    }
}

impl ScopeDocument {
    fn new(scope: Scope, revision: Option<i64>, times: Option<Times>) -> Self {
        let (created_at, updated_at) = times.unzip();
        let Scope { name, description, published } = scope;
        Self { name, description, published, built_in: revision.is_none(), created_at, updated_at, revision }
    }

    fn of(record: ScopeRecord) -> Self {
        Self::new(record.scope, Some(record.revision), Some((record.created_at, record.updated_at)))
    }
}

impl IntoResponse for ScopeDocument {
    fn into_response(self) -> Response {
        (self.revision.map(etag), Json(self)).into_response()
    }
}

impl From<ScopeInput> for Scope {
    fn from(ScopeInput { name, description, published }: ScopeInput) -> Self {
        Self { name, description, published }
    }
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
    register_scope(&app, &caller, body, key, app.clock.now()).await
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
