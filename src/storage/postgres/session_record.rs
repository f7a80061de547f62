//! Sessions as an administrator sees them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};
use uuid::Uuid;

use super::Postgres;
use super::pool::Statement;
use super::schema::session;
use super::session::end_in_tx;
use crate::model::id::{ClientId, Sid, SubjectId};
use crate::model::session::{Authentication, EndReason};
use crate::storage::StoreError;

/// A session as its row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its identifier.
    pub sid: Sid,
    /// Whose it is.
    pub subject: SubjectId,
    /// How the person signed in.
    pub authentication: Authentication,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was last used.
    pub seen_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// When it was ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it was ended.
    pub end_reason: Option<String>,
    /// Whether it is alive, its subject active and of the same generation.
    pub is_alive: bool,
}

/// A client that got tokens in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClient {
    /// Which one.
    pub client_id: ClientId,
    /// How many families it has.
    pub families: i64,
    /// When it got the last one.
    pub last_at: DateTime<Utc>,
}

/// The place of a session in the list.
pub type SessionKey = (DateTime<Utc>, Sid);

/// Which sessions to list.
#[derive(Clone, Copy, Debug)]
pub struct SessionFilter<'a> {
    /// Only those of this subject.
    pub subject: Option<&'a SubjectId>,
    /// Only those that are alive.
    pub only_alive: bool,
}

/// Whether the row `session` is alive, for the query builder.
const ALIVE: &str = "session.ended_at IS NULL AND EXISTS (SELECT 1 FROM subject u
    WHERE u.id = session.subject AND u.status = 'active' AND u.generation = session.generation)";

const FIND: &str = "
    SELECT s.sid, s.subject, s.auth_time, s.amr, s.acr, s.created_at, s.seen_at, s.expires_at, s.ended_at, s.end_reason,
        s.ended_at IS NULL AND s.expires_at > $2 AND u.status = 'active' AND u.generation = s.generation AS is_alive
    FROM session s JOIN subject u ON u.id = s.subject
    WHERE s.sid = ANY ($1)
    ORDER BY s.created_at DESC, s.sid DESC";

const LIST_CLIENTS: &str = "
    SELECT client_id, count(*) AS families, max(created_at) AS last_at
    FROM token_family WHERE sid = $1 GROUP BY client_id ORDER BY client_id";

/// Those that are locked are waited for, not skipped: none may be left.
const TAKE: &str = "
    SELECT sid FROM session WHERE subject = $1 AND ended_at IS NULL ORDER BY sid LIMIT $2 FOR UPDATE";

#[derive(QueryableByName)]
struct SessionRow {
    #[diesel(sql_type = SqlUuid)]
    sid: Uuid,
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = Timestamptz)]
    auth_time: DateTime<Utc>,
    #[diesel(sql_type = Array<Text>)]
    amr: Vec<String>,
    #[diesel(sql_type = Text)]
    acr: String,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    seen_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    ended_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    end_reason: Option<String>,
    #[diesel(sql_type = Bool)]
    is_alive: bool,
}

#[derive(QueryableByName)]
struct ClientRow {
    #[diesel(sql_type = Text)]
    client_id: String,
    #[diesel(sql_type = BigInt)]
    families: i64,
    #[diesel(sql_type = Timestamptz)]
    last_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct SidRow {
    #[diesel(sql_type = SqlUuid)]
    sid: Uuid,
}

impl Postgres {
    /// The session with that identifier.
    pub async fn find_session_record(&self, sid: Sid, now: DateTime<Utc>) -> Result<Option<SessionRecord>, StoreError> {
        let statement = Statement::new(FIND).bind::<Array<SqlUuid>, _>(vec![sid.0]).bind::<Timestamptz, _>(now);
        let row = self.run(async |conn| statement.get_result::<SessionRow>(conn).await.optional()).await?;
        Ok(row.map(SessionRow::into_record))
    }

    /// Up to `limit` sessions, the newest first, beginning behind `after`.
    pub async fn list_session_records(
        &self,
        filter: SessionFilter<'_>,
        after: Option<SessionKey>,
        limit: i64,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let mut page = session::table
            .select(session::sid)
            .order((session::created_at.desc(), session::sid.desc()))
            .limit(limit)
            .into_boxed();
        if let Some((created_at, sid)) = after {
            // The first condition is what an index can begin at.
            page = page.filter(session::created_at.le(created_at));
            page = page.filter(session::created_at.lt(created_at).or(session::sid.lt(sid.0)));
        }
        if let Some(subject) = filter.subject {
            page = page.filter(session::subject.eq(subject.as_str()));
        }
        if filter.only_alive {
            page = page.filter(session::expires_at.gt(now)).filter(diesel::dsl::sql::<Bool>(ALIVE));
        }
        let rows: Vec<SessionRow> = self
            .run(async |conn| {
                let sids: Vec<Uuid> = page.load(conn).await?;
                let rows = Statement::new(FIND).bind::<Array<SqlUuid>, _>(sids).bind::<Timestamptz, _>(now);
                rows.load(conn).await
            })
            .await?;
        Ok(rows.into_iter().map(SessionRow::into_record).collect())
    }

    /// The clients that got tokens in a session.
    pub async fn list_session_clients(&self, sid: Sid) -> Result<Vec<SessionClient>, StoreError> {
        let statement = Statement::new(LIST_CLIENTS).bind::<SqlUuid, _>(sid.0);
        let rows: Vec<ClientRow> = self.run(async |conn| statement.load(conn).await).await?;
        let client = |row: ClientRow| SessionClient {
            client_id: ClientId::new(row.client_id),
            families: row.families,
            last_at: row.last_at,
        };
        Ok(rows.into_iter().map(client).collect())
    }

    /// Ends up to `limit` open sessions of a subject, leaves word for the clients that used them, and says how many.
    pub async fn end_sessions_of(
        &self,
        subject: &SubjectId,
        reason: EndReason,
        limit: i64,
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let open = Statement::new(TAKE).bind::<Text, _>(subject.as_str()).bind::<BigInt, _>(limit);
                let open: Vec<Uuid> = open.load::<SidRow>(conn).await?.into_iter().map(|row| row.sid).collect();
                end_in_tx(conn, &open, reason, now).await
            })
            .await
        })
        .await
    }
}

impl SessionRow {
    fn into_record(self) -> SessionRecord {
        SessionRecord {
            sid: Sid(self.sid),
            subject: SubjectId::new(self.subject),
            authentication: Authentication { auth_time: self.auth_time, amr: self.amr, acr: self.acr },
            created_at: self.created_at,
            seen_at: self.seen_at,
            expires_at: self.expires_at,
            ended_at: self.ended_at,
            end_reason: self.end_reason,
            is_alive: self.is_alive,
        }
    }
}
