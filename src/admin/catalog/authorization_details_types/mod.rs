//! `/admin/authorization-details-types`: what clients may ask for in particular (RFC 9396).

// A type as JSON.
pub(in crate::admin) mod document;

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::Value;

use self::document::{AuthorizationDetailsTypeChange, AuthorizationDetailsTypeDocument, AuthorizationDetailsTypeInput};
use super::{ListQuery, removed};
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
use crate::model::authorization_details::AuthorizationDetailsType;

const TYPES: &str = "/admin/authorization-details-types";
const TYPE: &str = "/admin/authorization-details-types/{type}";

const EXAMPLE: &str = r#"{
    "type": "payment_initiation",
    "schema": {
        "type": "object",
        "additionalProperties": false,
        "required": ["amount", "currency", "creditorName"],
        "properties": {
            "amount": {"type": "string", "maxLength": 20},
            "currency": {"enum": ["EUR", "USD"]},
            "creditorName": {"type": "string", "maxLength": 70}
        }
    },
    "name": {"en": "Payment", "de": "Zahlung"},
    "sentence": {"en": "Pay {amount} {currency} to {creditorName}"},
    "resources": []
}"#;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Clients.read(), AdminArea::Clients.full());
    let doc = |summary, says| Doc::new(summary).says(says);
    endpoints
        .get(
            TYPES,
            read,
            list,
            doc("List types of authorization details", "By identifier.")
                .query::<ListQuery>()
                .answers::<Page<AuthorizationDetailsTypeDocument>>(),
        )
        .post(
            TYPES,
            full,
            create,
            doc(
                "Register a type of authorization details",
                "Clients that name it may send objects of it as `authorization_details` (RFC 9396). An identifier that was \
                 taken away is not given again.",
            )
            .body::<AuthorizationDetailsTypeInput>()
            .example(EXAMPLE)
            .creates_at_a_place::<AuthorizationDetailsTypeDocument>()
            .refuses(&[409]),
        )
        .get(
            TYPE,
            read,
            show,
            doc("Show a type of authorization details", "In the path the identifier is percent-encoded.")
                .answers::<AuthorizationDetailsTypeDocument>()
                .tagged(),
        )
        .patch(
            TYPE,
            full,
            change,
            doc(
                "Change a type of authorization details",
                "Its identifier stays. What was granted before stays too, whatever the schema says now.",
            )
            .patch::<AuthorizationDetailsTypeChange>()
            .example(r#"{"name": {"en": "Payment"}}"#)
            .answers::<AuthorizationDetailsTypeDocument>()
            .tagged(),
        )
        .delete(
            TYPE,
            full,
            delete,
            doc("Take a type of authorization details away for good", "Refused as long as a client names it.")
                .conditional()
                .refuses(&[409]),
        )
}

/// One page of the types.
pub(in crate::admin) async fn list_types(
    app: &App,
    query: &ListQuery,
) -> Result<Page<AuthorizationDetailsTypeDocument>, Problem> {
    let span = Span::<String>::read(query.limit, query.cursor.as_deref())?;
    let read = app.postgres.list_authorization_details_type_records(span.after.as_deref(), span.to_read()).await?;
    span.page(read, |record| record.value.name_of_type.clone(), AuthorizationDetailsTypeDocument::of)
}

/// The type with that identifier.
pub(in crate::admin) async fn find_type(app: &App, name: &str) -> Result<AuthorizationDetailsTypeDocument, Problem> {
    let found = app.postgres.find_authorization_details_type_record(name).await?;
    found.map(AuthorizationDetailsTypeDocument::of).ok_or_else(Problem::not_found)
}

/// Registers a type.
pub(in crate::admin) async fn register_type(
    app: &App,
    caller: &Caller,
    input: AuthorizationDetailsTypeInput,
    key: Option<IdempotencyKey>,
    now: DateTime<Utc>,
) -> Result<Created, Problem> {
    let known = AuthorizationDetailsType::from(input);
    check_resources(app, &known, now).await?;
    let document =
        AuthorizationDetailsTypeDocument { value: known.clone(), created_at: now, updated_at: now, revision: 1 };
    let answer = Answer::new(app, caller, key, &document, now)?;
    let event = AuditEvent::new(AuditEventKind::AuthorizationDetailsTypeRegistered).to_object(&known.name_of_type);
    let recording = caller.recording(app, event, now);
    let outcome = recording.register_authorization_details_type(&known, answer.kept(), now).await?;
    app.registry.forget();
    answer.settle(app, outcome)
}

/// Changes a type.
pub(in crate::admin) async fn change_type(
    app: &App,
    caller: &Caller,
    name: &str,
    (expected, patch): (Expected, MergePatch),
    now: DateTime<Utc>,
) -> Result<AuthorizationDetailsTypeDocument, Problem> {
    let found = find_type(app, name).await?;
    let revision = expected.check(found.revision)?;
    let Value::Object(mut document) = serde_json::to_value(&found.value)? else {
        return Err(Problem::new(ProblemType::Internal));
    };
    document.remove("type");
    let mut patched = patch.apply(document);
    if patched.contains_key("type") {
        return Err(Problem::invalid_body(vec![Violation::new("/type", "an identifier cannot be changed")]));
    }
    patched.insert("type".to_owned(), name.into());
    let input = AuthorizationDetailsTypeInput::from_object(patched).map_err(Problem::invalid_body)?;
    let known = AuthorizationDetailsType::from(input);
    check_resources(app, &known, now).await?;
    let event = AuditEvent::new(AuditEventKind::AuthorizationDetailsTypeChanged).to_object(name);
    let outcome = caller.recording(app, event, now).change_authorization_details_type(&known, revision, now).await?;
    app.registry.forget();
    changed(outcome)?;
    find_type(app, name).await
}

/// Takes a type away for good.
pub(in crate::admin) async fn remove_type(
    app: &App,
    caller: &Caller,
    name: &str,
    expected: Expected,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let revision = expected.check(find_type(app, name).await?.revision)?;
    let event = AuditEvent::new(AuditEventKind::AuthorizationDetailsTypeRemoved).to_object(name);
    let outcome = caller.recording(app, event, now).remove_authorization_details_type(name, revision, now).await?;
    app.registry.forget();
    removed(outcome)
}

async fn check_resources(app: &App, known: &AuthorizationDetailsType, now: DateTime<Utc>) -> Result<(), Problem> {
    let catalog = app.registry.catalog(now).await?;
    let missing = known.resources.iter().enumerate().filter(|(_, uri)| catalog.find_resource(uri).is_none());
    let violations: Vec<Violation> = missing
        .map(|(index, _)| Violation::new(format!("/resources/{index}"), "there is no such resource registered"))
        .collect();
    if violations.is_empty() { Ok(()) } else { Err(Problem::invalid_body(violations)) }
}

async fn list(
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<Page<AuthorizationDetailsTypeDocument>, Problem> {
    list_types(&app, &query).await
}

async fn show(State(app): State<App>, Path(name): Path<String>) -> Result<AuthorizationDetailsTypeDocument, Problem> {
    find_type(&app, &name).await
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    Creation { body, key }: Creation<AuthorizationDetailsTypeInput>,
) -> Result<Created, Problem> {
    register_type(&app, &caller, body, key, app.clock.now()).await?.at(&app, TYPES, "type")
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    expected: Expected,
    patch: MergePatch,
) -> Result<AuthorizationDetailsTypeDocument, Problem> {
    change_type(&app, &caller, &name, (expected, patch), app.clock.now()).await
}

async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    expected: Expected,
) -> Result<StatusCode, Problem> {
    remove_type(&app, &caller, &name, expected, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
