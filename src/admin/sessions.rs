//! `/admin/sessions`: who is signed in, and signing them out.
//!
//! Ending a session leaves word for the clients that used it (OpenID Connect Back-Channel Logout); tokens with
//! `offline_access` outlive it, as its specification demands (Core section 11). Administrators are signed out only by callers
//! that hold every admin scope: a machine for the help desk cannot keep them from their work.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::endpoint::{Doc, Endpoints};
use super::page::{Page, Span};
use super::path::Path;
use super::query::Query;
use crate::app::App;
use crate::http::problem::Problem;
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::id::{ClientId, Sid, SubjectId};
use crate::model::session::EndReason;
use crate::storage::postgres::outbox::LogoutNotice;
use crate::storage::postgres::session_record::{SessionClient, SessionFilter, SessionKey, SessionRecord};

const SESSIONS: &str = "/admin/sessions";
const SESSION: &str = "/admin/sessions/{sid}";

/// So many sessions end in one transaction.
const BATCH: u16 = 500;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Sessions.read(), AdminArea::Sessions.full());
    let doc = |summary, says| Doc::new(summary).says(says);
    endpoints
        .get(
            SESSIONS,
            read,
            list,
            doc("List sessions", "The newest first. Ended ones are kept for a day.")
                .query::<ListQuery>()
                .answers::<Page<SessionDocument>>(),
        )
        .delete(
            SESSIONS,
            full,
            end_all,
            doc(
                "End every session of a subject",
                "Clients are told by back-channel logout. Tokens with `offline_access` go on: revoke them with \
                 `POST /admin/tokens/revoke`. If the answer is 503, some may have ended: call again.",
            )
            .query::<SubjectQuery>()
            .answers::<Ended>(),
        )
        .get(
            SESSION,
            read,
            show,
            doc("Show a session", "With the clients that got tokens in it, and what they were told of its end.")
                .answers::<SessionDetails>(),
        )
        .delete(
            SESSION,
            full,
            end,
            doc("End a session", "Clients are told by back-channel logout. One that is over already stays as it is."),
        )
}

/// Which sessions to list.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct ListQuery {
    /// So many on a page, 50 if absent.
    #[schemars(range(min = 1, max = 200))]
    pub(in crate::admin) limit: Option<u16>,
    /// The `next` of the page before.
    pub(in crate::admin) cursor: Option<String>,
    /// Only sessions of this subject.
    pub(in crate::admin) subject: Option<SubjectId>,
    /// `true`: only sessions that are alive. Absent or `false`: all.
    pub(in crate::admin) alive: Option<bool>,
}

/// Whose sessions.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SubjectQuery {
    /// The subject.
    #[schemars(length(min = 1))]
    subject: SubjectId,
}

/// A session.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(in crate::admin) struct SessionDocument {
    /// Its identifier, the `sid` of ID tokens.
    pub(in crate::admin) sid: Sid,
    /// Whose it is.
    pub(in crate::admin) subject: SubjectId,
    /// Whether it is alive: not ended, its time not over, and the subject neither disabled nor signed out everywhere.
    pub(in crate::admin) alive: bool,
    /// When the person last proved who they are.
    pub(in crate::admin) auth_time: DateTime<Utc>,
    /// By which methods (RFC 8176).
    pub(in crate::admin) amr: Vec<String>,
    /// The authentication context class reached.
    pub(in crate::admin) acr: String,
    /// When it began.
    pub(in crate::admin) created_at: DateTime<Utc>,
    /// When a code was last redeemed in it.
    pub(in crate::admin) seen_at: DateTime<Utc>,
    /// When it ends by itself.
    pub(in crate::admin) expires_at: DateTime<Utc>,
    /// When it was ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) ended_at: Option<DateTime<Utc>>,
    /// Why: `logout`, `expired`, `administrator`, `replaced` or `subject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) end_reason: Option<String>,
}

/// A session and what came of it.
#[derive(Serialize, JsonSchema)]
pub(in crate::admin) struct SessionDetails {
    /// The session.
    #[serde(flatten)]
    pub(in crate::admin) session: SessionDocument,
    /// The clients that got tokens in it.
    pub(in crate::admin) clients: Vec<SessionClientDocument>,
    /// What clients were told of its end by back-channel logout, for a day after that is settled.
    pub(in crate::admin) logout_notices: Vec<LogoutNoticeDocument>,
}

/// How word to a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::admin) enum NoticeState {
    /// It is still to be told, or told once more.
    Waiting,
    /// It took it.
    Delivered,
    /// It was tried often enough.
    GivenUp,
}

/// What became of word to a client that a session ended.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LogoutNotice")]
pub(in crate::admin) struct LogoutNoticeDocument {
    /// The client.
    pub(in crate::admin) client_id: ClientId,
    /// How it stands.
    pub(in crate::admin) state: NoticeState,
    /// How often the client was called.
    pub(in crate::admin) attempts: i32,
    /// When it is called next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) next_attempt_at: Option<DateTime<Utc>>,
    /// When it took it, or when it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) settled_at: Option<DateTime<Utc>>,
    /// Why the last call was of no use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) last_error: Option<String>,
}

impl From<LogoutNotice> for LogoutNoticeDocument {
    fn from(notice: LogoutNotice) -> Self {
        let state = match (notice.done_at, notice.failed_at) {
            (Some(_), _) => NoticeState::Delivered,
            (None, Some(_)) => NoticeState::GivenUp,
            (None, None) => NoticeState::Waiting,
        };
        Self {
            client_id: ClientId::new(notice.client_id),
            state,
            attempts: notice.attempts,
            next_attempt_at: (state == NoticeState::Waiting).then_some(notice.due_at),
            settled_at: notice.done_at.or(notice.failed_at),
            last_error: notice.last_error,
        }
    }
}

/// A client that got tokens in a session.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SessionClient")]
pub(in crate::admin) struct SessionClientDocument {
    /// Its identifier.
    pub(in crate::admin) client_id: ClientId,
    /// How many token families it has: one per code.
    pub(in crate::admin) families: i64,
    /// When it got the last one.
    pub(in crate::admin) last_at: DateTime<Utc>,
}

/// How many sessions ended.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EndedSessions")]
pub(in crate::admin) struct Ended {
    /// So many.
    pub(in crate::admin) ended: usize,
}

impl From<SessionRecord> for SessionDocument {
    fn from(record: SessionRecord) -> Self {
        Self {
            sid: record.sid,
            subject: record.subject,
            alive: record.is_alive,
            auth_time: record.authentication.auth_time,
            amr: record.authentication.amr,
            acr: record.authentication.acr,
            created_at: record.created_at,
            seen_at: record.seen_at,
            expires_at: record.expires_at,
            ended_at: record.ended_at,
            end_reason: record.end_reason,
        }
    }
}

impl From<SessionClient> for SessionClientDocument {
    fn from(SessionClient { client_id, families, last_at }: SessionClient) -> Self {
        Self { client_id, families, last_at }
    }
}

/// One page of the sessions.
pub(in crate::admin) async fn list_sessions(
    app: &App,
    query: &ListQuery,
    now: DateTime<Utc>,
) -> Result<Page<SessionDocument>, Problem> {
    let span = Span::<SessionKey>::read(query.limit, query.cursor.as_deref())?;
    let filter = SessionFilter { subject: query.subject.as_ref(), only_alive: query.alive.unwrap_or_default() };
    let read = app.postgres.list_session_records(filter, span.after, span.to_read(), now).await?;
    span.page(read, |record| (record.created_at, record.sid), SessionDocument::from)
}

/// A session and the clients that used it.
pub(in crate::admin) async fn find_session(app: &App, sid: Sid, now: DateTime<Utc>) -> Result<SessionDetails, Problem> {
    let record = app.postgres.find_session_record(sid, now).await?.ok_or_else(Problem::not_found)?;
    let clients = app.postgres.list_session_clients(sid).await?;
    let notices = app.postgres.list_logout_notices(sid).await?;
    Ok(SessionDetails {
        session: record.into(),
        clients: clients.into_iter().map(Into::into).collect(),
        logout_notices: notices.into_iter().map(Into::into).collect(),
    })
}

/// Ends a session.
pub(in crate::admin) async fn end_session(
    app: &App,
    caller: &Caller,
    sid: Sid,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let record = app.postgres.find_session_record(sid, now).await?.ok_or_else(Problem::not_found)?;
    caller.check_may_touch(app, &record.subject).await?;
    let event = AuditEvent::new(AuditEventKind::SessionEnded).to_subject(&record.subject).to_object(sid.0);
    if caller.recording(app, event, now).end_session(sid, EndReason::Administrator, now).await? {
        app.outbox_bell.notify_one();
    }
    Ok(())
}

/// Ends every session of a subject.
pub(in crate::admin) async fn end_sessions_of(
    app: &App,
    caller: &Caller,
    subject: &SubjectId,
    now: DateTime<Utc>,
) -> Result<Ended, Problem> {
    caller.check_may_touch(app, subject).await?;
    let event = AuditEvent::new(AuditEventKind::SessionsEnded).to_subject(subject);
    let store = caller.recording(app, event, now);
    let mut ended = 0;
    loop {
        let batch = store.end_sessions_of(subject, EndReason::Administrator, BATCH.into(), now).await?;
        ended += batch;
        if batch > 0 {
            app.outbox_bell.notify_one();
        }
        if batch < usize::from(BATCH) {
            return Ok(Ended { ended });
        }
    }
}

async fn list(State(app): State<App>, Query(query): Query<ListQuery>) -> Result<Page<SessionDocument>, Problem> {
    list_sessions(&app, &query, app.clock.now()).await
}

async fn show(State(app): State<App>, Path(sid): Path<Sid>) -> Result<Json<SessionDetails>, Problem> {
    find_session(&app, sid, app.clock.now()).await.map(Json)
}

async fn end(State(app): State<App>, caller: Caller, Path(sid): Path<Sid>) -> Result<StatusCode, Problem> {
    end_session(&app, &caller, sid, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end_all(
    State(app): State<App>,
    caller: Caller,
    Query(SubjectQuery { subject }): Query<SubjectQuery>,
) -> Result<Json<Ended>, Problem> {
    end_sessions_of(&app, &caller, &subject, app.clock.now()).await.map(Json)
}
