//! `/admin/access-requests`: people ask for clients, an administrator decides.
//!
//! Approving registers the client in the same transaction. The administrator never sees its secret: it waits, sealed, for
//! the person who asked, who fetches it once on their account page. Whoever approves gives no more than they hold, as with
//! any other client.

// A request as JSON.
pub(in crate::admin) mod document;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use self::document::{AccessRequestDocument, Approval, Refusal};
use super::caller::Caller;
use super::clients;
use super::clients::document::NewClient;
use super::endpoint::{Doc, Endpoints};
use super::json::{FromObject, Json, MergePatch};
use super::page::{Page, Span};
use super::path::Path;
use super::precondition::{Expected, etag};
use super::query::Query;
use crate::app::App;
use crate::flow::access_request::seal_secret;
use crate::http::problem::{Problem, ProblemType, Violation};
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::client::{Client, ClientSettings};
use crate::model::id::ClientId;
use crate::random;
use crate::storage::postgres::access_request::{AccessRequest, AccessRequestStatus, Decision, DecisionOutcome, Place};

const REQUESTS: &str = "/admin/access-requests";
const REQUEST: &str = "/admin/access-requests/{request_id}";
const APPROVE: &str = "/admin/access-requests/{request_id}/approve";
const REFUSE: &str = "/admin/access-requests/{request_id}/refuse";

const APPROVAL: &str = r#"{"client_id": "notes", "settings": {"scopes": ["openid"]}, "note": "Welcome."}"#;
const REFUSAL: &str = r#"{"note": "There is such an application already."}"#;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Clients.read(), AdminArea::Clients.full());
    let decision =
        |summary| Doc::new(summary).answers::<AccessRequestDocument>().tagged().heeds_if_match().refuses(&[409]);
    endpoints
        .get(
            REQUESTS,
            read,
            get_page,
            Doc::new("List the clients that people ask for")
                .query::<ListQuery>()
                .answers::<Page<AccessRequestDocument>>(),
        )
        .get(
            REQUEST,
            read,
            get_one,
            Doc::new("Show what a person asks for").answers::<AccessRequestDocument>().tagged(),
        )
        .post(
            APPROVE,
            full,
            post_approve,
            decision("Register the client that a person asks for").body::<Approval>().example(APPROVAL),
        )
        .post(REFUSE, full, post_refuse, decision("Refuse what a person asks for").body::<Refusal>().example(REFUSAL))
}

/// Which requests to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    /// So many on a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u16>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// Only requests that stand so.
    status: Option<AccessRequestStatus>,
}

async fn get_page(
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<Page<AccessRequestDocument>, Problem> {
    let span = Span::read(query.limit, query.cursor.as_deref())?;
    list(&app, query.status, &span).await
}

async fn get_one(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    shown(find(&app, parse(&id)?).await?)
}

async fn post_approve(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    expected: Option<Expected>,
    Json(approval): Json<Approval>,
) -> Result<Response, Problem> {
    shown(approve(&app, &caller, (parse(&id)?, expected, approval), app.clock.now()).await?)
}

async fn post_refuse(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    expected: Option<Expected>,
    Json(refusal): Json<Refusal>,
) -> Result<Response, Problem> {
    shown(refuse(&app, &caller, (parse(&id)?, expected, &refusal), app.clock.now()).await?)
}

/// A page of requests, newest first.
pub(in crate::admin) async fn list(
    app: &App,
    status: Option<AccessRequestStatus>,
    span: &Span<Place>,
) -> Result<Page<AccessRequestDocument>, Problem> {
    let read = app.postgres.list_access_requests((status, None), span.after, span.to_read()).await?;
    span.page(read, |request| (request.created_at, request.id), AccessRequestDocument::new)
}

/// A request, as its row stands.
pub(in crate::admin) async fn find(app: &App, id: Uuid) -> Result<AccessRequest, Problem> {
    app.postgres.find_access_request(id).await?.ok_or_else(Problem::not_found)
}

/// Registers the client that was asked for, with the approval's changes.
pub(in crate::admin) async fn approve(
    app: &App,
    caller: &Caller,
    (id, expected, approval): (Uuid, Option<Expected>, Approval),
    now: DateTime<Utc>,
) -> Result<AccessRequest, Problem> {
    let request = find(app, id).await?;
    let Approval { client_id, settings, note } = approval;
    let NewClient { client_id, enabled, settings } = changed(&request.settings, client_id, settings)?;
    clients::check(app, caller, &settings, now).await.map_err(|problem| problem.below("/settings"))?;
    clients::check_sector(app, &settings, None).await.map_err(|problem| problem.below("/settings"))?;
    let client_id = client_id.unwrap_or_else(|| ClientId::new(random::id()));
    let has_secret = settings.token_endpoint_auth_method.has_secret();
    let secret = if has_secret { Some(clients::new_secret(&app.master_keys, &client_id)?) } else { None };
    let (plain, secret) = secret.unzip();
    let sealed = plain.map(|plain| seal_secret(&app.master_keys, id, &plain)).transpose()?;
    let secrets = secret.into_iter().collect();
    let client = Client { id: client_id, enabled, settings, secrets, generation: 0, registered_through: None };
    let decision = Decision { by: &caller.principal(), note: note.as_deref(), expected: revision(expected) };
    let event = AuditEvent::new(AuditEventKind::AccessRequestApproved).to_subject(&request.subject);
    let store = caller.recording(app, event.to_client(&client.id).to_object(id), now);
    let outcome = store.approve_access_request(id, &client, sealed.as_deref(), decision, now).await?;
    app.registry.forget();
    decided(outcome)?;
    find(app, id).await
}

/// Refuses a request.
pub(in crate::admin) async fn refuse(
    app: &App,
    caller: &Caller,
    (id, expected, refusal): (Uuid, Option<Expected>, &Refusal),
    now: DateTime<Utc>,
) -> Result<AccessRequest, Problem> {
    let decision = Decision { by: &caller.principal(), note: refusal.note.as_deref(), expected: revision(expected) };
    let request = find(app, id).await?;
    let event = AuditEvent::new(AuditEventKind::AccessRequestRefused).to_subject(&request.subject).to_object(id);
    decided(caller.recording(app, event, now).refuse_access_request(id, decision, now).await?)?;
    find(app, id).await
}

/// What was asked for with the approval's changes, judged like any other client.
fn changed(
    asked: &ClientSettings,
    client_id: Option<String>,
    changes: Map<String, Value>,
) -> Result<NewClient, Problem> {
    let own = ["client_id", "enabled"].into_iter().filter(|name| changes.contains_key(*name));
    let own: Vec<_> =
        own.map(|name| Violation::new(format!("/settings/{name}"), "this is no setting of the client")).collect();
    if !own.is_empty() {
        return Err(Problem::invalid_body(own));
    }
    let asked = match serde_json::to_value(asked)? {
        Value::Object(asked) => asked,
        _ => Map::new(),
    };
    let mut object = MergePatch::new(changes).apply(asked);
    if let Some(client_id) = client_id {
        object.insert("client_id".to_owned(), client_id.into());
    }
    NewClient::from_object(object).map_err(|violations| {
        let below = |violation: Violation| {
            let is_own = violation.pointer == "/client_id";
            let pointer = if is_own { violation.pointer } else { format!("/settings{}", violation.pointer) };
            Violation { pointer, ..violation }
        };
        Problem::invalid_body(violations.into_iter().map(below).collect())
    })
}

/// Whether the decision stands.
fn decided(outcome: DecisionOutcome) -> Result<(), Problem> {
    match outcome {
        DecisionOutcome::Decided => Ok(()),
        DecisionOutcome::DecidedBefore => {
            Err(Problem::new(ProblemType::Conflict).with_detail("the request was decided before"))
        }
        DecisionOutcome::Stale => Err(Problem::new(ProblemType::PreconditionFailed)),
        DecisionOutcome::Absent => Err(Problem::not_found()),
        DecisionOutcome::Taken => Err(Problem::new(ProblemType::AlreadyExists)),
    }
}

fn revision(expected: Option<Expected>) -> Option<i64> {
    expected.and_then(Expected::revision)
}

fn parse(id: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(id).map_err(|_| Problem::not_found())
}

fn shown(request: AccessRequest) -> Result<Response, Problem> {
    Ok((etag(request.revision), JsonAnswer(AccessRequestDocument::new(request))).into_response())
}
