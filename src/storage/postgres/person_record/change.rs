//! Changing and deleting somebody.
//!
//! A change that may leave the server without administrator locks every administrator first, in the order of their
//! identifiers: of two that take each other's rights away, the second waits, and its statement then sees what the first has
//! done.

use chrono::{DateTime, Utc};
use diesel::prelude::QueryableByName;
use diesel::result::DatabaseErrorKind;
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Bool, Jsonb, Text, Timestamptz};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::{PersonChange, PersonIdRow, PersonRecord};
use crate::model::id::SubjectId;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::person::username_key;
use crate::storage::postgres::pool::Statement;
use crate::storage::postgres::rollback::Rollback;
use crate::storage::postgres::subject::{end_all_in_tx, set_status_in_tx};

/// How a change of somebody went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonOutcome {
    /// It was made.
    Changed,
    /// There is another revision than the expected one.
    Stale,
    /// There is no such person.
    Absent,
    /// Somebody else has the username.
    Taken,
    /// Nobody would be left to administer the server.
    LastAdministrator,
}

const LOCK_ADMINISTRATORS: &str = "SELECT id FROM person WHERE is_administrator ORDER BY id FOR UPDATE";

const CHANGE: &str = "
    UPDATE person p SET username = $3, username_key = $4, claims = $5, is_administrator = $6, updated_at = $8
    FROM subject s
    WHERE s.id = $1 AND s.deleted_at IS NULL AND p.id = CASE s.backend WHEN 'local' THEN s.backend_ref::uuid END
        AND p.revision = $2
        AND (NOT p.is_administrator OR ($6 AND $7) OR EXISTS (
            SELECT 1 FROM person o JOIN subject t ON t.backend = 'local' AND t.backend_ref = o.id::text
            WHERE o.is_administrator AND o.id <> p.id AND t.status = 'active' AND t.deleted_at IS NULL))
    RETURNING p.id";

const DELETE: &str = "
    DELETE FROM person p USING subject s
    WHERE s.id = $1 AND s.deleted_at IS NULL AND p.id = CASE s.backend WHEN 'local' THEN s.backend_ref::uuid END
        AND p.revision = $2
        AND (NOT p.is_administrator OR EXISTS (
            SELECT 1 FROM person o JOIN subject t ON t.backend = 'local' AND t.backend_ref = o.id::text
            WHERE o.is_administrator AND o.id <> p.id AND t.status = 'active' AND t.deleted_at IS NULL))
    RETURNING p.id";

const REVISION: &str = "
    SELECT p.revision FROM subject s JOIN person p ON p.id = CASE s.backend WHEN 'local' THEN s.backend_ref::uuid END
    WHERE s.id = $1 AND s.deleted_at IS NULL";

const MARK_DELETED: &str = "UPDATE subject SET status = 'disabled', deleted_at = $2 WHERE id = $1";

/// What belongs to nobody any more.
const FORGET: [&str; 3] = [
    "DELETE FROM consent WHERE subject = $1",
    "DELETE FROM access_request WHERE subject = $1 AND status = 'open'",
    "UPDATE access_request SET sealed_secret = NULL WHERE subject = $1 AND sealed_secret IS NOT NULL",
];

#[derive(QueryableByName)]
struct RevisionRow {
    #[diesel(sql_type = BigInt)]
    revision: i64,
}

impl Postgres {
    /// Changes somebody who is as `before` says. Disabling ends everything they have.
    pub async fn change_person(
        &self,
        before: &PersonRecord,
        change: PersonChange<'_>,
        now: DateTime<Utc>,
    ) -> Result<PersonOutcome, StoreError> {
        let id = &before.subject;
        self.change(async |conn| {
            conn.transaction(async |conn| {
                if before.is_administrator && !(change.is_administrator && change.enabled) {
                    lock_administrators_in_tx(conn).await?;
                }
                let statement = Statement::new(CHANGE)
                    .bind::<Text, _>(id.as_str())
                    .bind::<BigInt, _>(before.revision)
                    .bind::<Text, _>(change.username.trim())
                    .bind::<Text, _>(username_key(change.username))
                    .bind::<Jsonb, _>(Value::Object(change.claims.clone()))
                    .bind::<Bool, _>(change.is_administrator)
                    .bind::<Bool, _>(change.enabled)
                    .bind::<Timestamptz, _>(now);
                let changed = statement.get_result::<PersonIdRow>(conn).await.optional();
                if changed.map_err(taken)?.is_none() {
                    return Err(Rollback::Because(refusal_in_tx(conn, id, before.revision).await?));
                }
                if set_status_in_tx(conn, id, change.enabled, now).await? && !change.enabled {
                    end_all_in_tx(conn, id, now).await?;
                }
                Ok(PersonOutcome::Changed)
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }

    /// Deletes somebody who is as `before` says, with their password, and ends everything they have. The subject stays, so
    /// that nobody else is ever taken for them.
    pub async fn delete_person(&self, before: &PersonRecord, now: DateTime<Utc>) -> Result<PersonOutcome, StoreError> {
        let id = &before.subject;
        self.change(async |conn| {
            conn.transaction(async |conn| {
                if before.is_administrator {
                    lock_administrators_in_tx(conn).await?;
                }
                let delete = Statement::new(DELETE).bind::<Text, _>(id.as_str()).bind::<BigInt, _>(before.revision);
                if delete.get_result::<PersonIdRow>(conn).await.optional()?.is_none() {
                    return Err(Rollback::Because(refusal_in_tx(conn, id, before.revision).await?));
                }
                let mark = Statement::new(MARK_DELETED).bind::<Text, _>(id.as_str()).bind::<Timestamptz, _>(now);
                mark.execute(conn).await?;
                end_all_in_tx(conn, id, now).await?;
                for sql in FORGET {
                    Statement::new(sql).bind::<Text, _>(id.as_str()).execute(conn).await?;
                }
                Ok(PersonOutcome::Changed)
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }
}

/// The only thing in the statement that is unique is the username.
fn taken(error: DieselError) -> Rollback<PersonOutcome> {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Rollback::Because(PersonOutcome::Taken),
        error => Rollback::Failed(error),
    }
}

async fn lock_administrators_in_tx(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    Statement::new(LOCK_ADMINISTRATORS).load::<PersonIdRow>(conn).await.map(drop)
}

/// Why a conditional change did not find its row.
async fn refusal_in_tx(conn: &mut AsyncPgConnection, id: &SubjectId, expected: i64) -> QueryResult<PersonOutcome> {
    let found = Statement::new(REVISION).bind::<Text, _>(id.as_str()).get_result::<RevisionRow>(conn).await;
    Ok(match found.optional()? {
        None => PersonOutcome::Absent,
        Some(row) if row.revision != expected => PersonOutcome::Stale,
        Some(_) => PersonOutcome::LastAdministrator,
    })
}
