//! People as an administrator sees them: with their revision and times, and changed only in the state that the change was
//! made for.
//!
//! Locks are taken in one order: people before subjects, subjects before sessions, sessions before families. A change that
//! may leave the server without administrator locks every administrator first, in the order of their identifiers: of two
//! that take each other's rights away, the second waits, and its statement then sees what the first has done.

use chrono::{DateTime, Utc};
use diesel::prelude::QueryableByName;
use diesel::result::DatabaseErrorKind;
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Postgres;
use super::client_record::contains;
use super::kept_answer::{Creation, KeptAnswer, keep_in_tx};
use super::password_ticket::{NewTicket, insert_ticket_in_tx};
use super::person::username_key;
use super::pool::Statement;
use super::subject::{end_all_in_tx, set_status_in_tx};
use crate::model::id::SubjectId;
use crate::storage::StoreError;

/// Somebody as their rows stand.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonRecord {
    /// Their subject.
    pub subject: SubjectId,
    /// The name they sign in with.
    pub username: String,
    /// Their standard claims.
    pub claims: Map<String, Value>,
    /// Whether they administer the server.
    pub is_administrator: bool,
    /// Whether they may sign in.
    pub enabled: bool,
    /// Whether they have chosen or been given a password.
    pub has_password: bool,
    /// Raised by every change of them.
    pub revision: i64,
    /// When they were registered.
    pub created_at: DateTime<Utc>,
    /// When they last changed.
    pub updated_at: DateTime<Utc>,
}

/// Somebody to register.
pub struct NewPersonRecord<'a> {
    /// Their subject, which nobody had before.
    pub subject: &'a SubjectId,
    /// What is known of them.
    pub change: PersonChange<'a>,
    /// How they will sign in.
    pub access: FirstAccess<'a>,
}

/// How somebody who was just registered will sign in.
pub enum FirstAccess<'a> {
    /// With this password, by its hash.
    Password(&'a str),
    /// With a password that they choose themselves.
    Ticket(&'a NewTicket),
}

/// Everything of somebody that can be changed.
#[derive(Clone, Copy, Debug)]
pub struct PersonChange<'a> {
    /// The name they sign in with.
    pub username: &'a str,
    /// Their standard claims.
    pub claims: &'a Map<String, Value>,
    /// Whether they administer the server.
    pub is_administrator: bool,
    /// Whether they may sign in.
    pub enabled: bool,
}

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

/// Whom a change may be made to, judged when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everybody.
    Everybody,
    /// Everybody but administrators.
    NoAdministrators,
}

impl Reach {
    pub(super) fn has_administrators(self) -> bool {
        self == Self::Everybody
    }
}

/// `person`, `subject` and whether there is a password, as every query here reads them.
const FIND: &str = "
    SELECT s.id, p.username, p.claims, p.is_administrator, s.status = 'active' AS enabled,
        EXISTS (SELECT 1 FROM person_password w WHERE w.person_id = p.id) AS has_password,
        p.revision, p.created_at, p.updated_at
    FROM subject s
    JOIN person p ON p.id = CASE s.backend WHEN 'local' THEN s.backend_ref::uuid END
    WHERE s.id = $1 AND s.deleted_at IS NULL";

const LIST: &str = "
    SELECT s.id, p.username, p.claims, p.is_administrator, s.status = 'active' AS enabled,
        EXISTS (SELECT 1 FROM person_password w WHERE w.person_id = p.id) AS has_password,
        p.revision, p.created_at, p.updated_at
    FROM person p
    JOIN subject s ON s.backend = 'local' AND s.backend_ref = p.id::text
    WHERE p.username_key > $1 AND s.deleted_at IS NULL
        AND ($2 IS NULL OR p.username ILIKE $2 OR p.claims ->> 'name' ILIKE $2 OR p.claims ->> 'email' ILIKE $2)
    ORDER BY p.username_key LIMIT $3";

const INSERT: &str = "
    WITH person AS (
        INSERT INTO person (username, username_key, claims, is_administrator, created_at, updated_at)
        VALUES ($2, $3, $4, $5, $7, $7) ON CONFLICT (username_key) DO NOTHING RETURNING id
    ), subject AS (
        INSERT INTO subject (id, backend, backend_ref, status, created_at, updated_at)
        SELECT $1, 'local', id::text, CASE WHEN $6 THEN 'active' ELSE 'disabled' END, $7, $7 FROM person
    )
    SELECT id FROM person";

const INSERT_PASSWORD: &str = "INSERT INTO person_password (person_id, phc, changed_at) VALUES ($1, $2, $3)";

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
struct RecordRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    username: String,
    #[diesel(sql_type = Jsonb)]
    claims: Value,
    #[diesel(sql_type = Bool)]
    is_administrator: bool,
    #[diesel(sql_type = Bool)]
    enabled: bool,
    #[diesel(sql_type = Bool)]
    has_password: bool,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
pub(super) struct PersonIdRow {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: Uuid,
}

#[derive(QueryableByName)]
struct RevisionRow {
    #[diesel(sql_type = BigInt)]
    revision: i64,
}

impl Postgres {
    /// The person behind a subject, disabled or not.
    pub async fn find_person_record(&self, subject: &SubjectId) -> Result<Option<PersonRecord>, StoreError> {
        let statement = Statement::new(FIND).bind::<Text, _>(subject.as_str());
        let row = self.run(async |conn| statement.get_result::<RecordRow>(conn).await.optional()).await?;
        row.map(RecordRow::into_record).transpose()
    }

    /// Up to `limit` people in the order of their usernames, beginning behind the username `after`. With `search`, those
    /// whose username, name or email has that text in it, in any case.
    pub async fn list_person_records(
        &self,
        after: Option<&str>,
        search: Option<&str>,
        limit: i64,
    ) -> Result<Vec<PersonRecord>, StoreError> {
        let statement = Statement::new(LIST)
            .bind::<Text, _>(after.map(username_key).unwrap_or_default())
            .bind::<Nullable<Text>, _>(search.map(contains))
            .bind::<BigInt, _>(limit);
        let rows = self.run(async |conn| statement.load::<RecordRow>(conn).await).await?;
        rows.into_iter().map(RecordRow::into_record).collect()
    }

    /// Registers somebody, once for each key of `answer`.
    pub async fn register_person(
        &self,
        new: &NewPersonRecord<'_>,
        answer: Option<&KeptAnswer>,
        now: DateTime<Utc>,
    ) -> Result<Creation, StoreError> {
        self.run(async |conn| {
            conn.transaction(async |conn| {
                if let Some(before) = keep_in_tx(conn, answer, now).await? {
                    return Ok::<_, Rollback<Creation>>(before);
                }
                let person = insert_in_tx(conn, new, now).await?.ok_or(Rollback::Because(Creation::Taken))?;
                match new.access {
                    FirstAccess::Password(phc) => {
                        let insert = Statement::new(INSERT_PASSWORD).bind::<SqlUuid, _>(person).bind::<Text, _>(phc);
                        insert.bind::<Timestamptz, _>(now).execute(conn).await?;
                    }
                    FirstAccess::Ticket(ticket) => insert_ticket_in_tx(conn, person, ticket, now).await?,
                }
                Ok(Creation::Created)
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }

    /// Changes somebody who is as `before` says. Disabling ends everything they have.
    pub async fn change_person(
        &self,
        before: &PersonRecord,
        change: PersonChange<'_>,
        now: DateTime<Utc>,
    ) -> Result<PersonOutcome, StoreError> {
        let id = &before.subject;
        self.run(async |conn| {
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
        self.run(async |conn| {
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

/// What makes a transaction leave nothing behind.
pub(super) enum Rollback<Outcome> {
    /// A refusal.
    Because(Outcome),
    /// The database says no.
    Failed(DieselError),
}

impl<Outcome> Rollback<Outcome> {
    pub(super) fn into_outcome(self) -> QueryResult<Outcome> {
        match self {
            Self::Because(outcome) => Ok(outcome),
            Self::Failed(error) => Err(error),
        }
    }
}

impl<Outcome> From<DieselError> for Rollback<Outcome> {
    fn from(error: DieselError) -> Self {
        Self::Failed(error)
    }
}

/// The only thing in the statement that is unique is the username.
fn taken(error: DieselError) -> Rollback<PersonOutcome> {
    match error {
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Rollback::Because(PersonOutcome::Taken),
        error => Rollback::Failed(error),
    }
}

async fn insert_in_tx(
    conn: &mut AsyncPgConnection,
    new: &NewPersonRecord<'_>,
    now: DateTime<Utc>,
) -> QueryResult<Option<Uuid>> {
    let statement = Statement::new(INSERT)
        .bind::<Text, _>(new.subject.as_str())
        .bind::<Text, _>(new.change.username.trim())
        .bind::<Text, _>(username_key(new.change.username))
        .bind::<Jsonb, _>(Value::Object(new.change.claims.clone()))
        .bind::<Bool, _>(new.change.is_administrator)
        .bind::<Bool, _>(new.change.enabled)
        .bind::<Timestamptz, _>(now);
    Ok(statement.get_result::<PersonIdRow>(conn).await.optional()?.map(|row| row.id))
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

impl RecordRow {
    fn into_record(self) -> Result<PersonRecord, StoreError> {
        let Value::Object(claims) = self.claims else {
            return Err(StoreError::corrupt("a person's claims are not a JSON object"));
        };
        Ok(PersonRecord {
            subject: SubjectId::new(self.id),
            username: self.username,
            claims,
            is_administrator: self.is_administrator,
            enabled: self.enabled,
            has_password: self.has_password,
            revision: self.revision,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
