//! Who tokens are about: disabling, and signing out everywhere.
//!
//! Each of these raises the subject's generation. Codes, sessions and families carry the one they were made under, so
//! that all of them end at once, wherever they are kept.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::Postgres;
use super::schema::{session, subject};
use super::session::end_in_tx;
use crate::model::id::SubjectId;
use crate::model::session::EndReason;
use crate::storage::StoreError;

impl Postgres {
    /// Ends everything a subject has and lets nothing new begin. `false`: there is no such subject.
    pub async fn disable_subject(&self, id: &SubjectId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.run(async |conn| {
            conn.transaction(async |conn| {
                diesel::update(subject::table.find(id.as_str()))
                    .set(subject::status.eq("disabled"))
                    .execute(conn)
                    .await?;
                end_all_in_tx(conn, id, now).await
            })
            .await
        })
        .await
    }

    /// Lets a disabled subject sign in again; what ended stays ended. `false`: there is no such subject.
    pub async fn enable_subject(&self, id: &SubjectId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let changed = self
            .run(async |conn| {
                diesel::update(subject::table.find(id.as_str()).filter(subject::deleted_at.is_null()))
                    .set((subject::status.eq("active"), subject::updated_at.eq(now)))
                    .execute(conn)
                    .await
            })
            .await?;
        Ok(changed > 0)
    }

    /// Ends everything a subject has; it can sign in anew. `false`: there is no such subject.
    pub async fn sign_out_everywhere(&self, id: &SubjectId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.run(async |conn| conn.transaction(async |conn| end_all_in_tx(conn, id, now).await).await).await
    }
}

/// Lets a subject sign in, or not any more. `false`: that is how it was.
pub(super) async fn set_status_in_tx(
    conn: &mut AsyncPgConnection,
    id: &SubjectId,
    enabled: bool,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let status = if enabled { "active" } else { "disabled" };
    let other = subject::table.find(id.as_str()).filter(subject::status.ne(status).and(subject::deleted_at.is_null()));
    let changed =
        diesel::update(other).set((subject::status.eq(status), subject::updated_at.eq(now))).execute(conn).await?;
    Ok(changed > 0)
}

/// The subject's row comes first: an exchange holds a share of it before it touches the session.
pub(super) async fn end_all_in_tx(
    conn: &mut AsyncPgConnection,
    id: &SubjectId,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let changed = diesel::update(subject::table.find(id.as_str()))
        .set((subject::generation.eq(subject::generation + 1), subject::updated_at.eq(now)))
        .execute(conn)
        .await?;
    let open = session::table.select(session::sid).filter(session::subject.eq(id.as_str()));
    let open = open.filter(session::ended_at.is_null()).order(session::sid).for_update().load(conn).await?;
    end_in_tx(conn, &open, EndReason::Subject, now).await?;
    Ok(changed > 0)
}
