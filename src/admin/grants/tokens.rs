//! `/admin/tokens`: token families, one for each code that was redeemed. Nothing of a token itself is shown: no secret, no
//! hash of one, nothing that a successor is made with.

use axum::Json;
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
use crate::model::client::GrantType;
use crate::model::id::{ClientId, FamilyId, ResourceUri, Sid, SubjectId};
use crate::storage::postgres::family::record::{FamilyFilter, FamilyRecord};

const TOKENS: &str = "/admin/tokens";
const FAMILY: &str = "/admin/tokens/{family}";

/// Why families were revoked here, as their rows say it.
pub(super) const REASON: &str = "administrator";

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Grants.read(), AdminArea::Grants.full());
    let doc = |summary, says| Doc::new(summary).says(says);
    endpoints
        .get(
            TOKENS,
            read,
            list,
            doc(
                "List token families",
                "The newest first. A family is what came of one code: its refresh token and every access token. Tokens \
                 that a client got for itself belong to none.",
            )
            .query::<ListQuery>()
            .answers::<Page<FamilyDocument>>(),
        )
        .get(
            FAMILY,
            read,
            show,
            doc("Show a token family", "Its identifier is the first part of the `jti` of its access tokens.")
                .answers::<FamilyDocument>(),
        )
        .delete(FAMILY, full, delete, doc("Revoke a token family", "One that was revoked before stays as it is."))
}

/// Which families to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct ListQuery {
    /// So many on a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    pub(in crate::admin) limit: Option<u16>,
    /// The `next` of the page before.
    pub(in crate::admin) cursor: Option<String>,
    /// Only families of this subject.
    pub(in crate::admin) subject: Option<SubjectId>,
    /// Only families of this client.
    pub(in crate::admin) client_id: Option<ClientId>,
    /// Only families of this session.
    pub(in crate::admin) sid: Option<Sid>,
}

/// What came of one code.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TokenFamily")]
pub(in crate::admin) struct FamilyDocument {
    /// Its identifier.
    pub(in crate::admin) id: FamilyId,
    /// Whether its tokens are good: not revoked, the time not over, and the subject, the client and (without
    /// `offline_access`) the session still stand.
    pub(in crate::admin) alive: bool,
    /// The grant that began it.
    pub(in crate::admin) grant_type: GrantType,
    /// Who may use it.
    pub(in crate::admin) client_id: ClientId,
    /// On whose behalf.
    pub(in crate::admin) subject: SubjectId,
    /// The session it was given in.
    pub(in crate::admin) sid: Sid,
    /// The scopes granted.
    pub(in crate::admin) scopes: Vec<String>,
    /// The resources granted; empty: the default audience.
    pub(in crate::admin) resources: Vec<ResourceUri>,
    /// When the person had last proved who they are.
    pub(in crate::admin) auth_time: DateTime<Utc>,
    /// When the code was redeemed.
    pub(in crate::admin) created_at: DateTime<Utc>,
    /// How many times the refresh token was rotated.
    pub(in crate::admin) rotations: i32,
    /// When it was last rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) rotated_at: Option<DateTime<Utc>>,
    /// When the refresh token ends if nobody uses it; absent: there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) idle_expires_at: Option<DateTime<Utc>>,
    /// When it ends whatever happens.
    pub(in crate::admin) expires_at: DateTime<Utc>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) revoked_at: Option<DateTime<Utc>>,
    /// Why it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) revoke_reason: Option<String>,
}

impl From<FamilyRecord> for FamilyDocument {
    fn from(record: FamilyRecord) -> Self {
        let (family, grant) = (record.family.id, record.family.grant);
        Self {
            id: family,
            alive: record.family.is_alive,
            grant_type: grant.grant_type,
            client_id: grant.client_id,
            subject: grant.subject,
            sid: grant.sid,
            scopes: grant.scopes,
            resources: grant.resources,
            auth_time: grant.authentication.auth_time,
            created_at: record.created_at,
            rotations: record.family.seq,
            rotated_at: record.rotated_at,
            idle_expires_at: record.family.idle_expires_at,
            expires_at: record.family.expires_at,
            revoked_at: record.family.revoked_at,
            revoke_reason: record.revoke_reason,
        }
    }
}

/// One page of the families.
pub(in crate::admin) async fn list_families(
    app: &App,
    query: &ListQuery,
    now: DateTime<Utc>,
) -> Result<Page<FamilyDocument>, Problem> {
    let span = Span::<FamilyId>::read(query.limit, query.cursor.as_deref())?;
    let filter = FamilyFilter { subject: query.subject.as_ref(), client_id: query.client_id.as_ref(), sid: query.sid };
    let read = app.postgres.list_family_records(filter, span.after, span.to_read(), now).await?;
    span.page(read, |record| record.family.id, FamilyDocument::from)
}

/// A family.
pub(in crate::admin) async fn find_family(
    app: &App,
    id: FamilyId,
    now: DateTime<Utc>,
) -> Result<FamilyDocument, Problem> {
    app.postgres.find_family_record(id, now).await?.map(FamilyDocument::from).ok_or_else(Problem::not_found)
}

/// Revokes a family. `false`: it was revoked before.
pub(in crate::admin) async fn revoke_family(
    app: &App,
    caller: &Caller,
    id: FamilyId,
    now: DateTime<Utc>,
) -> Result<bool, Problem> {
    let family = find_family(app, id, now).await?;
    caller.check_may_touch(app, &family.subject).await?;
    let event = AuditEvent::new(AuditEventKind::TokenFamilyRevoked).to_subject(&family.subject);
    let store = caller.recording(app, event.to_client(&family.client_id).to_object(id.0), now);
    Ok(store.revoke_family(id, &family.client_id, REASON, now).await?)
}

async fn list(State(app): State<App>, Query(query): Query<ListQuery>) -> Result<Page<FamilyDocument>, Problem> {
    list_families(&app, &query, app.clock.now()).await
}

async fn show(State(app): State<App>, Path(id): Path<FamilyId>) -> Result<Json<FamilyDocument>, Problem> {
    find_family(&app, id, app.clock.now()).await.map(Json)
}

async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<FamilyId>) -> Result<StatusCode, Problem> {
    revoke_family(&app, &caller, id, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
