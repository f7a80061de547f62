//! `/admin/audit-events`: what was done, by whom, and from where.
//!
//! A record is written in the transaction of what it tells of; only keys, which may be in a directory, are recorded after
//! they changed.

use std::net::IpAddr;

use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::endpoint::{Doc, Endpoints};
use super::page::{Page, Span};
use super::query::Query;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{Actor, AuditEventKind, AuditOutcome};
use crate::model::id::{ClientId, SubjectId};
use crate::storage::postgres::audit::{AuditFilter, StoredRecord};

const EVENTS: &str = "/admin/audit-events";

/// The endpoint of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let says = "The newest first. A record stays when what it tells of is deleted.";
    let doc = Doc::new("List what was done").says(says).query::<ListQuery>().answers::<Page<EventDocument>>();
    endpoints.get(EVENTS, AdminArea::Audit.read(), list, doc)
}

/// Which records to list.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct ListQuery {
    /// So many on a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    pub(in crate::admin) limit: Option<u16>,
    /// The `next` of the page before.
    pub(in crate::admin) cursor: Option<String>,
    /// Only events of this kind.
    pub(in crate::admin) event: Option<AuditEventKind>,
    /// Only what this client or this person did: a `client_id` or a subject.
    pub(in crate::admin) actor: Option<String>,
    /// Only what happened to this client.
    pub(in crate::admin) client_id: Option<ClientId>,
    /// Only what happened to this subject.
    pub(in crate::admin) subject: Option<SubjectId>,
}

/// Something that was done.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEvent")]
pub(in crate::admin) struct EventDocument {
    /// Its number: a later one was begun later.
    pub(in crate::admin) id: i64,
    /// What was done.
    pub(in crate::admin) event: AuditEventKind,
    /// Whether it came to pass.
    pub(in crate::admin) outcome: AuditOutcome,
    /// Who did it. An operator ran a command beside the server.
    pub(in crate::admin) actor: Actor,
    /// To which client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) client_id: Option<ClientId>,
    /// To whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) subject: Option<SubjectId>,
    /// To what else: a session, a scope, a resource, a key, a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) object: Option<String>,
    /// What else there is to say, as it is for the kind of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) detail: Option<Map<String, Value>>,
    /// The address of whoever did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) ip: Option<IpAddr>,
    /// The `x-request-id` of the answer, which finds its log lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) request_id: Option<String>,
    /// When.
    pub(in crate::admin) happened_at: DateTime<Utc>,
}

impl From<StoredRecord> for EventDocument {
    fn from(StoredRecord { id, record }: StoredRecord) -> Self {
        Self {
            id,
            event: record.event.kind,
            outcome: record.event.kind.outcome(),
            actor: record.actor,
            client_id: record.event.client_id,
            subject: record.event.subject,
            object: record.event.object,
            detail: record.event.detail.and_then(|detail| match detail {
                Value::Object(members) => Some(members),
                _ => None,
            }),
            ip: record.origin.ip,
            request_id: record.origin.request_id,
            happened_at: record.happened_at,
        }
    }
}

/// One page of the records.
pub(in crate::admin) async fn list_events(app: &App, query: &ListQuery) -> Result<Page<EventDocument>, Problem> {
    let span = Span::<i64>::read(query.limit, query.cursor.as_deref())?;
    let filter = AuditFilter {
        kind: query.event,
        actor: query.actor.as_deref(),
        client_id: query.client_id.as_ref(),
        subject: query.subject.as_ref(),
    };
    let read = app.postgres.list_audit_records(filter, span.after, span.to_read()).await?;
    span.page(read, |stored| stored.id, EventDocument::from)
}

async fn list(State(app): State<App>, Query(query): Query<ListQuery>) -> Result<Page<EventDocument>, Problem> {
    list_events(&app, &query).await
}
