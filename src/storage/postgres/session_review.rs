//! Whether sessions are still in use, and the end of those that are not.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Double, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Postgres;
use super::pool::Statement;
use super::schema::session;
use super::session::end_in_tx;
use crate::model::id::Sid;
use crate::model::session::EndReason;
use crate::storage::StoreError;

/// How exactly it is noted that a session is in use: each note is a commit of its own.
pub(super) const GRAIN: TimeDelta = TimeDelta::minutes(1);

/// What a run found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Review {
    /// The sessions that were looked at.
    pub reviewed: usize,
    /// Those of them that ended.
    pub ended: usize,
}

/// A session that was used meanwhile is put off until it could next be over; the others are ended by the statement after.
const REVIEW: &str = "
    WITH due AS (
        SELECT sid FROM session WHERE ended_at IS NULL AND review_at <= $1
        ORDER BY review_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    UPDATE session s SET review_at = least(s.expires_at, s.seen_at + make_interval(secs => $3))
    FROM due WHERE s.sid = due.sid
    RETURNING s.sid, s.review_at <= $1 AS is_over";

#[derive(QueryableByName)]
struct ReviewRow {
    #[diesel(sql_type = SqlUuid)]
    sid: Uuid,
    #[diesel(sql_type = Bool)]
    is_over: bool,
}

impl Postgres {
    /// Ends those of up to `limit` sessions whose time is over or that were not used for `idle`. Two that run at once share
    /// the work.
    pub async fn expire_sessions(&self, limit: i64, idle: TimeDelta, now: DateTime<Utc>) -> Result<Review, StoreError> {
        self.run(async |conn| {
            conn.transaction(async |conn| {
                let review = Statement::new(REVIEW)
                    .bind::<Timestamptz, _>(now)
                    .bind::<BigInt, _>(limit)
                    .bind::<Double, _>(idle.as_seconds_f64());
                let rows: Vec<ReviewRow> = review.load(conn).await?;
                let over: Vec<Uuid> = rows.iter().filter(|row| row.is_over).map(|row| row.sid).collect();
                let ended = end_in_tx(conn, &over, EndReason::Expired, now).await?;
                Ok(Review { reviewed: rows.len(), ended })
            })
            .await
        })
        .await
    }

    /// Notes that a session is in use, unless that was noted a moment ago: `seen_at` is the last note.
    pub async fn touch_session(&self, sid: Sid, seen_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), StoreError> {
        if !is_note_due(seen_at, now) {
            return Ok(());
        }
        self.run(async |conn| touch(conn, sid, now).await).await
    }
}

/// Whether the last note is old enough for another.
pub(super) fn is_note_due(seen_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    seen_at + GRAIN <= now
}

/// Notes that an open session is in use; the row's note never goes back.
pub(super) async fn touch(conn: &mut AsyncPgConnection, sid: Sid, now: DateTime<Utc>) -> QueryResult<()> {
    let open = session::table.find(sid.0).filter(session::ended_at.is_null()).filter(session::seen_at.lt(now));
    diesel::update(open).set(session::seen_at.eq(now)).execute(conn).await.map(drop)
}
