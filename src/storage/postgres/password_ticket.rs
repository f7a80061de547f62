//! New passwords: set by an administrator, chosen by whoever holds a ticket, or changed by the person.
//!
//! A ticket is used once: whoever deletes its row has it, in the transaction that stores the password. A new ticket and any
//! new password end the tickets before. Each verb locks the person first, so that of two the second sees what the first did.

use chrono::{DateTime, Utc};
use diesel::prelude::QueryableByName;
use diesel::sql_types::{BigInt, Binary, Bool, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::Postgres;
use super::kept_answer::{Creation, KeptAnswer, keep_in_tx};
use super::person_record::Reach;
use super::pool::Statement;
use super::rollback::Rollback;
use super::subject::end_all_in_tx;
use crate::model::id::SubjectId;
use crate::storage::StoreError;

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketPurpose {
    /// A first password.
    Invitation,
    /// Another password.
    Reset,
}

/// A ticket to hand out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTicket {
    /// SHA-256 of the ticket.
    pub hash: [u8; 32],
    /// What it is for.
    pub purpose: TicketPurpose,
    /// When it stops working.
    pub expires_at: DateTime<Utc>,
}

/// Whoever a ticket is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketHolder {
    /// Their subject.
    pub subject: SubjectId,
    /// The name they sign in with.
    pub username: String,
    /// What the ticket is for.
    pub purpose: TicketPurpose,
}

/// What became of a new password or ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordOutcome<Done> {
    /// It is stored.
    Done(Done),
    /// There is no such person, or the ticket does not work.
    Absent,
    /// The person may not sign in.
    Disabled,
    /// The person is an administrator, whom the caller may not touch.
    OutOfReach,
}

const LOCK: &str = "
    SELECT p.id, p.is_administrator, s.status = 'active' AS enabled, s.generation
    FROM subject s
    JOIN person p ON p.id = CASE s.backend WHEN 'local' THEN s.backend_ref::uuid END
    WHERE s.id = $1 AND s.deleted_at IS NULL
    FOR UPDATE OF p";

const FIND_HOLDER: &str = "
    SELECT s.id, p.username, t.purpose = 'invitation' AS is_invitation
    FROM password_ticket t
    JOIN person p ON p.id = t.person_id
    JOIN subject s ON s.backend = 'local' AND s.backend_ref = p.id::text
    WHERE t.hash = $1 AND t.expires_at > $2 AND s.status = 'active' AND s.deleted_at IS NULL";

const INSERT: &str = "
    INSERT INTO password_ticket (hash, person_id, purpose, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";

const DELETE_ONE: &str = "DELETE FROM password_ticket WHERE hash = $1 AND person_id = $2 AND expires_at > $3";

const DELETE_ALL: &str = "DELETE FROM password_ticket WHERE person_id = $1";

const DELETE_EXPIRED: &str = "
    DELETE FROM password_ticket WHERE hash IN (
        SELECT hash FROM password_ticket WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )";

const STORE: &str = "
    INSERT INTO person_password (person_id, phc, changed_at) VALUES ($1, $2, $3)
    ON CONFLICT (person_id) DO UPDATE SET phc = EXCLUDED.phc, changed_at = EXCLUDED.changed_at";

#[derive(QueryableByName)]
struct LockedRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Bool)]
    is_administrator: bool,
    #[diesel(sql_type = Bool)]
    enabled: bool,
    #[diesel(sql_type = BigInt)]
    generation: i64,
}

#[derive(QueryableByName)]
struct HolderRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    username: String,
    #[diesel(sql_type = Bool)]
    is_invitation: bool,
}

impl Postgres {
    /// Gives somebody a password, and with `is_signing_out` ends everything they have.
    pub async fn set_password(
        &self,
        id: &SubjectId,
        phc: &str,
        (reach, is_signing_out): (Reach, bool),
        now: DateTime<Utc>,
    ) -> Result<PasswordOutcome<()>, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let person = lock_in_tx::<()>(conn, id, reach).await?;
                store_in_tx(conn, person.id, phc, now).await?;
                if is_signing_out {
                    end_all_in_tx(conn, id, now).await?;
                }
                Ok(PasswordOutcome::Done(()))
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }

    /// Ends everything somebody has; they can sign in anew.
    pub async fn sign_out_person(
        &self,
        id: &SubjectId,
        reach: Reach,
        now: DateTime<Utc>,
    ) -> Result<PasswordOutcome<()>, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                lock_in_tx::<()>(conn, id, reach).await?;
                end_all_in_tx(conn, id, now).await?;
                Ok(PasswordOutcome::Done(()))
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }

    /// Stores a ticket in place of those before, once for each key of `answer`.
    pub async fn issue_password_ticket(
        &self,
        id: &SubjectId,
        ticket: &NewTicket,
        reach: Reach,
        answer: Option<&KeptAnswer>,
        now: DateTime<Utc>,
    ) -> Result<PasswordOutcome<Creation>, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let person = lock_in_tx::<Creation>(conn, id, reach).await?;
                if !person.enabled {
                    return Err(Rollback::Because(PasswordOutcome::Disabled));
                }
                if let Some(before) = keep_in_tx(conn, answer, now).await? {
                    return Ok(PasswordOutcome::Done(before));
                }
                Statement::new(DELETE_ALL).bind::<SqlUuid, _>(person.id).execute(conn).await?;
                insert_ticket_in_tx(conn, person.id, ticket, now).await?;
                Ok(PasswordOutcome::Done(Creation::Created))
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }

    /// Whom a ticket is for; `None` if it does not work.
    pub async fn find_ticket_holder(
        &self,
        hash: &[u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<TicketHolder>, StoreError> {
        let find = Statement::new(FIND_HOLDER).bind::<Binary, _>(hash.as_slice()).bind::<Timestamptz, _>(now);
        let row = self.run(async |conn| find.get_result::<HolderRow>(conn).await.optional()).await?;
        Ok(row.map(|row| TicketHolder {
            subject: SubjectId::new(row.id),
            username: row.username,
            purpose: if row.is_invitation { TicketPurpose::Invitation } else { TicketPurpose::Reset },
        }))
    }

    /// Uses a ticket up: stores the password and ends everything the person has.
    pub async fn redeem_password_ticket(
        &self,
        id: &SubjectId,
        hash: &[u8; 32],
        phc: &str,
        now: DateTime<Utc>,
    ) -> Result<PasswordOutcome<()>, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let person = lock_in_tx::<()>(conn, id, Reach::Everybody).await?;
                if !person.enabled {
                    return Err(Rollback::Because(PasswordOutcome::Disabled));
                }
                let used = Statement::new(DELETE_ONE)
                    .bind::<Binary, _>(hash.as_slice())
                    .bind::<SqlUuid, _>(person.id)
                    .bind::<Timestamptz, _>(now);
                if used.execute(conn).await? == 0 {
                    return Err(Rollback::Because(PasswordOutcome::Absent));
                }
                store_in_tx(conn, person.id, phc, now).await?;
                end_all_in_tx(conn, id, now).await?;
                Ok(PasswordOutcome::Done(()))
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }

    /// Changes the password of somebody who proved the one before while their subject had that generation, and ends
    /// everything they have. `false`: it was changed meanwhile, or everything ended otherwise.
    pub async fn change_own_password(
        &self,
        id: &SubjectId,
        generation: i64,
        phc: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let outcome = self
            .change(async |conn| {
                conn.transaction(async |conn| {
                    let person = lock_in_tx::<()>(conn, id, Reach::Everybody).await?;
                    if !person.enabled || person.generation != generation {
                        return Err(Rollback::Because(PasswordOutcome::Absent));
                    }
                    store_in_tx(conn, person.id, phc, now).await?;
                    end_all_in_tx(conn, id, now).await?;
                    Ok(PasswordOutcome::Done(()))
                })
                .await
                .or_else(Rollback::into_outcome)
            })
            .await?;
        Ok(outcome == PasswordOutcome::Done(()))
    }

    /// Deletes up to `limit` tickets that do not work any more, and says how many.
    pub async fn delete_expired_tickets(&self, limit: i64, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let delete = Statement::new(DELETE_EXPIRED).bind::<Timestamptz, _>(now).bind::<BigInt, _>(limit);
        self.run(async |conn| delete.execute(conn).await).await
    }
}

/// The person, locked, if they are within reach.
async fn lock_in_tx<Done>(
    conn: &mut AsyncPgConnection,
    id: &SubjectId,
    reach: Reach,
) -> Result<LockedRow, Rollback<PasswordOutcome<Done>>> {
    let lock = Statement::new(LOCK).bind::<Text, _>(id.as_str());
    let person: LockedRow =
        lock.get_result(conn).await.optional()?.ok_or(Rollback::Because(PasswordOutcome::Absent))?;
    if person.is_administrator && !reach.has_administrators() {
        return Err(Rollback::Because(PasswordOutcome::OutOfReach));
    }
    Ok(person)
}

pub(super) async fn insert_ticket_in_tx(
    conn: &mut AsyncPgConnection,
    person: Uuid,
    ticket: &NewTicket,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let purpose = match ticket.purpose {
        TicketPurpose::Invitation => "invitation",
        TicketPurpose::Reset => "reset",
    };
    let insert = Statement::new(INSERT)
        .bind::<Binary, _>(ticket.hash.as_slice())
        .bind::<SqlUuid, _>(person)
        .bind::<Text, _>(purpose)
        .bind::<Timestamptz, _>(now)
        .bind::<Timestamptz, _>(ticket.expires_at);
    insert.execute(conn).await.map(drop)
}

async fn store_in_tx(conn: &mut AsyncPgConnection, person: Uuid, phc: &str, now: DateTime<Utc>) -> QueryResult<()> {
    Statement::new(DELETE_ALL).bind::<SqlUuid, _>(person).execute(conn).await?;
    let store = Statement::new(STORE).bind::<SqlUuid, _>(person).bind::<Text, _>(phc).bind::<Timestamptz, _>(now);
    store.execute(conn).await.map(drop)
}
