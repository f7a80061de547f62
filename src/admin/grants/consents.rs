//! `/admin/consents`: what people allowed clients until further notice.

use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::caller::Caller;
use crate::admin::endpoint::{Doc, Endpoints};
use crate::admin::page::{Page, Span};
use crate::admin::path::Path;
use crate::admin::query::Query;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::id::{ClientId, ResourceUri, SubjectId};
use crate::storage::postgres::consent_record::{ConsentFilter, ConsentKey, ConsentRecord};

const CONSENTS: &str = "/admin/consents";
const CONSENT: &str = "/admin/consents/{subject}/{client_id}";

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Grants.read(), AdminArea::Grants.full());
    endpoints
        .get(
            CONSENTS,
            read,
            list,
            Doc::new("List consents")
                .says("By subject and client. Clients that need no consent have none.")
                .query::<ListQuery>()
                .answers::<Page<ConsentDocument>>(),
        )
        .delete(
            CONSENT,
            full,
            delete,
            Doc::new("Withdraw a consent").says("With it ends every token that the subject gave the client."),
        )
}

/// Which consents to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct ListQuery {
    /// So many on a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    pub(in crate::admin) limit: Option<u16>,
    /// The `next` of the page before.
    pub(in crate::admin) cursor: Option<String>,
    /// Only consents of this subject.
    pub(in crate::admin) subject: Option<SubjectId>,
    /// Only consents for this client.
    pub(in crate::admin) client_id: Option<ClientId>,
}

/// What somebody allowed a client.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Consent")]
pub(in crate::admin) struct ConsentDocument {
    /// Who.
    pub(in crate::admin) subject: SubjectId,
    /// Which client.
    pub(in crate::admin) client_id: ClientId,
    /// The scopes.
    pub(in crate::admin) scopes: Vec<String>,
    /// The resources.
    pub(in crate::admin) resources: Vec<ResourceUri>,
    /// When they last said so.
    pub(in crate::admin) granted_at: DateTime<Utc>,
    /// When it ends by itself; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) expires_at: Option<DateTime<Utc>>,
}

impl From<ConsentRecord> for ConsentDocument {
    fn from(record: ConsentRecord) -> Self {
        Self {
            subject: record.subject,
            client_id: record.client_id,
            scopes: record.consent.scopes,
            resources: record.consent.resources,
            granted_at: record.consent.granted_at,
            expires_at: record.expires_at,
        }
    }
}

/// One page of the consents.
pub(in crate::admin) async fn list_consents(
    app: &App,
    query: &ListQuery,
    now: DateTime<Utc>,
) -> Result<Page<ConsentDocument>, Problem> {
    let span = Span::<ConsentKey>::read(query.limit, query.cursor.as_deref())?;
    let filter = ConsentFilter { subject: query.subject.as_ref(), client_id: query.client_id.as_ref() };
    let read = app.postgres.list_consent_records(filter, span.after.as_ref(), span.to_read(), now).await?;
    span.page(read, |record| (record.subject.clone(), record.client_id.clone()), ConsentDocument::from)
}

/// Takes back what a subject allowed a client.
pub(in crate::admin) async fn withdraw_consent(
    app: &App,
    caller: &Caller,
    (subject, client_id): (&SubjectId, &ClientId),
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    // The verb ends tokens also where there was no consent; whoever mistyped an identifier must end nothing.
    let filter = ConsentFilter { subject: Some(subject), client_id: Some(client_id) };
    if app.postgres.list_consent_records(filter, None, 1, now).await?.is_empty() {
        return Err(Problem::not_found());
    }
    caller.check_may_touch(app, subject).await?;
    let event = AuditEvent::new(AuditEventKind::ConsentWithdrawn).to_subject(subject).to_client(client_id);
    caller.recording(app, event, now).delete_consent(subject, client_id, now).await?;
    Ok(())
}

async fn list(State(app): State<App>, Query(query): Query<ListQuery>) -> Result<Page<ConsentDocument>, Problem> {
    list_consents(&app, &query, app.clock.now()).await
}

async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path((subject, client_id)): Path<(SubjectId, ClientId)>,
) -> Result<StatusCode, Problem> {
    withdraw_consent(&app, &caller, (&subject, &client_id), app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
