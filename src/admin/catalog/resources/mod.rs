//! `/admin/resources`: APIs that accept our tokens (RFC 8707).
//!
//! A restricted resource is asked for only by clients whose registration names it, and is never a default audience. Who
//! registers clients gives it to them; the admin API itself only as far as they hold its scopes.

// A resource as JSON.
pub(in crate::admin) mod document;

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::Value;

use self::document::{ResourceChange, ResourceDocument, ResourceInput};
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
use crate::model::catalog::Resource;
use crate::model::id::ResourceUri;

const RESOURCES: &str = "/admin/resources";
const RESOURCE: &str = "/admin/resources/{uri}";

const EXAMPLE: &str = r#"{
    "uri": "https://invoices.example/api",
    "name": {"en": "Invoices", "de": "Rechnungen"},
    "scopes": [],
    "restricted": false
}"#;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Clients.read(), AdminArea::Clients.full());
    let doc = |summary, says| Doc::new(summary).says(says);
    endpoints
        .get(
            RESOURCES,
            read,
            list,
            doc("List resources", "By identifier. The admin API is one of them, and part of the server: `built_in`.")
                .query::<ListQuery>()
                .answers::<Page<ResourceDocument>>(),
        )
        .post(
            RESOURCES,
            full,
            create,
            doc(
                "Register a resource",
                "An API that accepts tokens of this server. The identifier is what clients send as `resource` and what \
                 tokens have as `aud`; one that was taken away is not given again.",
            )
            .body::<ResourceInput>()
            .example(EXAMPLE)
            .creates_at_a_place::<ResourceDocument>()
            .refuses(&[409]),
        )
        .get(
            RESOURCE,
            read,
            show,
            doc("Show a resource", "In the path the identifier is percent-encoded. What is `built_in` has no `ETag`.")
                .answers::<ResourceDocument>()
                .tagged(),
        )
        .patch(
            RESOURCE,
            full,
            change,
            doc(
                "Change a resource",
                "Its identifier stays. A scope that is taken from it is left out of its next tokens.",
            )
            .patch::<ResourceChange>()
            .example(r#"{"restricted": true}"#)
            .answers::<ResourceDocument>()
            .tagged()
            .refuses(&[409]),
        )
        .delete(
            RESOURCE,
            full,
            delete,
            doc(
                "Take a resource away for good",
                "Refused as long as a client names it, and while it is the default audience of the server.",
            )
            .conditional()
            .refuses(&[409]),
        )
}

/// One page of the resources.
pub(in crate::admin) async fn list_resources(app: &App, query: &ListQuery) -> Result<Page<ResourceDocument>, Problem> {
    let span = Span::<ResourceUri>::read(query.limit, query.cursor.as_deref())?;
    let (_, built_in) = built_in(app);
    let stored = app.postgres.list_resource_records(span.after.as_ref(), span.to_read()).await?;
    let mut read: Vec<ResourceDocument> =
        stored.into_iter().filter(|record| record.resource.uri != built_in.uri).map(ResourceDocument::of).collect();
    if span.after.as_ref().is_none_or(|after| built_in.uri > *after) {
        read.push(ResourceDocument::new(built_in, None, None));
    }
    read.sort_by(|one, other| one.uri.cmp(&other.uri));
    span.page(read, |resource| resource.uri.clone(), |resource| resource)
}

/// The resource with that identifier.
pub(in crate::admin) async fn find_resource(app: &App, uri: &ResourceUri) -> Result<ResourceDocument, Problem> {
    let (_, built_in) = built_in(app);
    if built_in.uri == *uri {
        return Ok(ResourceDocument::new(built_in, None, None));
    }
    app.postgres.find_resource_record(uri).await?.map(ResourceDocument::of).ok_or_else(Problem::not_found)
}

/// Registers a resource.
pub(in crate::admin) async fn register_resource(
    app: &App,
    caller: &Caller,
    input: ResourceInput,
    key: Option<IdempotencyKey>,
    now: DateTime<Utc>,
) -> Result<Created, Problem> {
    let resource = Resource::from(input);
    if resource.uri == built_in(app).1.uri {
        return Err(Problem::new(ProblemType::AlreadyExists).with_detail("it is part of the server"));
    }
    check_scopes(app, &resource, now).await?;
    let document = ResourceDocument::new(resource.clone(), Some(1), Some((now, now)));
    let answer = Answer::new(app, caller, key, &document, now)?;
    let event = AuditEvent::new(AuditEventKind::ResourceRegistered).to_object(&resource.uri);
    let outcome = caller.recording(app, event, now).register_resource(&resource, answer.kept(), now).await?;
    app.registry.forget();
    answer.settle(app, outcome)
}

/// Changes a resource.
pub(in crate::admin) async fn change_resource(
    app: &App,
    caller: &Caller,
    uri: &ResourceUri,
    (expected, patch): (Expected, MergePatch),
    now: DateTime<Utc>,
) -> Result<ResourceDocument, Problem> {
    let found = find_resource(app, uri).await?;
    let Some(revision) = found.revision else { return Err(stays()) };
    let revision = expected.check(revision)?;
    let ResourceDocument { name, scopes, restricted, .. } = found;
    let resource = Resource { uri: uri.clone(), name, scopes, restricted };
    let Value::Object(mut document) = serde_json::to_value(&resource)? else {
        return Err(Problem::new(ProblemType::Internal));
    };
    document.remove("uri");
    let mut patched = patch.apply(document);
    if patched.contains_key("uri") {
        return Err(Problem::invalid_body(vec![Violation::new("/uri", "an identifier cannot be changed")]));
    }
    patched.insert("uri".to_owned(), uri.as_str().into());
    let resource = Resource::from(ResourceInput::from_object(patched).map_err(Problem::invalid_body)?);
    check_scopes(app, &resource, now).await?;
    let event = AuditEvent::new(AuditEventKind::ResourceChanged).to_object(&resource.uri);
    let outcome = caller.recording(app, event, now).change_resource(&resource, revision, now).await?;
    app.registry.forget();
    changed(outcome)?;
    find_resource(app, uri).await
}

/// Takes a resource away for good.
pub(in crate::admin) async fn remove_resource(
    app: &App,
    caller: &Caller,
    uri: &ResourceUri,
    expected: Expected,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let found = find_resource(app, uri).await?;
    let Some(revision) = found.revision else { return Err(stays()) };
    if app.config.oidc.default_resource.as_deref() == Some(uri.as_str()) {
        let detail = "it is the default audience: oidc.default_resource names it";
        return Err(Problem::new(ProblemType::Conflict).with_detail(detail));
    }
    let event = AuditEvent::new(AuditEventKind::ResourceRemoved).to_object(uri);
    let outcome = caller.recording(app, event, now).remove_resource(uri, expected.check(revision)?, now).await?;
    app.registry.forget();
    removed(outcome)
}

async fn check_scopes(app: &App, resource: &Resource, now: DateTime<Utc>) -> Result<(), Problem> {
    let catalog = app.registry.catalog(now).await?;
    let scopes = resource.scopes.iter().enumerate().filter(|(_, name)| catalog.find_scope(name).is_none());
    let violations: Vec<Violation> = scopes
        .map(|(index, _)| Violation::new(format!("/scopes/{index}"), "there is no scope of that name registered"))
        .collect();
    if violations.is_empty() { Ok(()) } else { Err(Problem::invalid_body(violations)) }
}

async fn list(State(app): State<App>, Query(query): Query<ListQuery>) -> Result<Page<ResourceDocument>, Problem> {
    list_resources(&app, &query).await
}

async fn show(State(app): State<App>, Path(uri): Path<ResourceUri>) -> Result<ResourceDocument, Problem> {
    find_resource(&app, &uri).await
}

async fn create(
    State(app): State<App>,
    caller: Caller,
    Creation { body, key }: Creation<ResourceInput>,
) -> Result<Created, Problem> {
    register_resource(&app, &caller, body, key, app.clock.now()).await?.at(&app, RESOURCES, "uri")
}

async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(uri): Path<ResourceUri>,
    expected: Expected,
    patch: MergePatch,
) -> Result<ResourceDocument, Problem> {
    change_resource(&app, &caller, &uri, (expected, patch), app.clock.now()).await
}

async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(uri): Path<ResourceUri>,
    expected: Expected,
) -> Result<StatusCode, Problem> {
    remove_resource(&app, &caller, &uri, expected, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
