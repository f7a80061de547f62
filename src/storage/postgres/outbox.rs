//! Effects that follow a commit: written by the verb that causes them, done by a job.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::Postgres;
use super::pool::Statement;
use super::schema::outbox;
use crate::model::id::Sid;
use crate::storage::StoreError;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxKind {
    /// A client hears that a session ended.
    BackchannelLogout,
    /// A client hears that its request was decided.
    BackchannelNotification,
    /// The operator's own service hears that a request waits for a person.
    BackchannelAnnouncement,
}

impl OutboxKind {
    /// Every kind that this version knows.
    pub const ALL: [Self; 3] = [Self::BackchannelLogout, Self::BackchannelNotification, Self::BackchannelAnnouncement];

    /// Its name in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BackchannelLogout => "backchannel_logout",
            Self::BackchannelNotification => "backchannel_notification",
            Self::BackchannelAnnouncement => "backchannel_announcement",
        }
    }
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxRow {
    /// Its identifier.
    pub id: i64,
    /// What is to be done.
    pub kind: OutboxKind,
    /// What it is to be done with.
    pub payload: serde_json::Value,
    /// How many times it was taken, this time included.
    pub attempts: i32,
}

#[derive(QueryableByName)]
struct TakenRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Jsonb)]
    payload: serde_json::Value,
    #[diesel(sql_type = Integer)]
    attempts: i32,
}

impl TryFrom<TakenRow> for OutboxRow {
    type Error = StoreError;

    fn try_from(row: TakenRow) -> Result<Self, StoreError> {
        let TakenRow { id, kind, payload, attempts } = row;
        let known = OutboxKind::ALL.into_iter().find(|known| known.as_str() == kind);
        let kind = known.ok_or_else(|| StoreError::corrupt(format!("the outbox has a row of the kind {kind}")))?;
        Ok(Self { id, kind, payload, attempts })
    }
}

/// Only the kinds that this version knows: a newer one that runs beside it writes others, and would find them given up.
const TAKE: &str = "
    UPDATE outbox SET taken_until = $2, attempts = attempts + 1
    WHERE id IN (
        SELECT id FROM outbox
        WHERE done_at IS NULL AND failed_at IS NULL AND due_at <= $1 AND (taken_until IS NULL OR taken_until <= $1)
            AND kind = ANY($4)
        ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, kind, payload, attempts";

const NOTICES: &str = "
    SELECT payload ->> 'client_id' AS client_id, attempts, due_at, done_at, failed_at, last_error, created_at
    FROM outbox
    WHERE kind = 'backchannel_logout' AND payload ->> 'sid' = $1
    ORDER BY id";

/// What became of word to a client that a session ended.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct LogoutNotice {
    /// The client.
    #[diesel(sql_type = Text)]
    pub client_id: String,
    /// How often it was called.
    #[diesel(sql_type = Integer)]
    pub attempts: i32,
    /// When it is to be called next, if that is still to come.
    #[diesel(sql_type = Timestamptz)]
    pub due_at: DateTime<Utc>,
    /// When it took it.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub done_at: Option<DateTime<Utc>>,
    /// When it was given up.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub failed_at: Option<DateTime<Utc>>,
    /// Why the last call was of no use.
    #[diesel(sql_type = Nullable<Text>)]
    pub last_error: Option<String>,
    /// When there was word.
    #[diesel(sql_type = Timestamptz)]
    pub created_at: DateTime<Utc>,
}

const BACKLOG: &str = "
    SELECT
        (SELECT count(*) FROM outbox WHERE done_at IS NULL AND failed_at IS NULL) AS waiting,
        (SELECT min(due_at) FROM outbox WHERE done_at IS NULL AND failed_at IS NULL) AS due_since,
        (SELECT count(*) FROM outbox WHERE failed_at IS NOT NULL) AS given_up";

/// What waits in the outbox.
#[derive(QueryableByName)]
pub struct Backlog {
    /// The rows that are still to be done.
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    /// When the oldest of them is due.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub due_since: Option<DateTime<Utc>>,
    /// The rows that were given up.
    #[diesel(sql_type = BigInt)]
    pub given_up: i64,
}

impl Postgres {
    /// Something that is to be done at once, and follows no other change here.
    pub async fn insert_outbox(
        &self,
        kind: OutboxKind,
        payload: &serde_json::Value,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.run(async |conn| {
            diesel::insert_into(outbox::table)
                .values((
                    outbox::kind.eq(kind.as_str()),
                    outbox::payload.eq(payload),
                    outbox::due_at.eq(now),
                    outbox::created_at.eq(now),
                ))
                .execute(conn)
                .await
        })
        .await?;
        Ok(())
    }

    /// Takes up to `limit` rows that are due. Nobody else gets them until `lease` is over or they were put back.
    pub async fn take_outbox(
        &self,
        limit: i64,
        lease: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let statement = Statement::new(TAKE)
            .bind::<Timestamptz, _>(now)
            .bind::<Timestamptz, _>(now + lease)
            .bind::<BigInt, _>(limit)
            .bind::<Array<Text>, _>(OutboxKind::ALL.map(OutboxKind::as_str).to_vec());
        let taken: Vec<TakenRow> = self.run(async |conn| statement.load(conn).await).await?;
        taken.into_iter().map(OutboxRow::try_from).collect()
    }

    /// What the clients of a session were told of its end, as long as the rows are kept.
    pub async fn list_logout_notices(&self, sid: Sid) -> Result<Vec<LogoutNotice>, StoreError> {
        let statement = Statement::new(NOTICES).bind::<Text, _>(sid.to_string());
        self.run(async |conn| RunQueryDsl::load(statement, conn).await).await
    }

    /// What is not delivered yet, and what never will be.
    pub async fn count_outbox(&self) -> Result<Backlog, StoreError> {
        self.run(async |conn| diesel::sql_query(BACKLOG).get_result(conn).await).await
    }

    /// It is done.
    pub async fn finish_outbox(&self, id: i64, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.run(async |conn| {
            diesel::update(open(id))
                .set((outbox::done_at.eq(now), outbox::taken_until.eq(None::<DateTime<Utc>>)))
                .execute(conn)
                .await
        })
        .await?;
        Ok(())
    }

    /// It did not work; it is due again later.
    pub async fn retry_outbox(&self, id: i64, due_at: DateTime<Utc>, error: &str) -> Result<(), StoreError> {
        self.run(async |conn| {
            diesel::update(open(id))
                .set((
                    outbox::due_at.eq(due_at),
                    outbox::last_error.eq(error),
                    outbox::taken_until.eq(None::<DateTime<Utc>>),
                ))
                .execute(conn)
                .await
        })
        .await?;
        Ok(())
    }

    /// It will never work.
    pub async fn fail_outbox(&self, id: i64, error: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.run(async |conn| {
            diesel::update(open(id))
                .set((
                    outbox::failed_at.eq(now),
                    outbox::last_error.eq(error),
                    outbox::taken_until.eq(None::<DateTime<Utc>>),
                ))
                .execute(conn)
                .await
        })
        .await?;
        Ok(())
    }
}

/// The row, unless somebody settled it after our lease was over.
#[diesel::dsl::auto_type(no_type_alias)]
fn open(id: i64) -> _ {
    outbox::table.find(id).filter(outbox::done_at.is_null().and(outbox::failed_at.is_null()))
}
