//! People as an administrator sees them: with their revision and times, and changed only in the state that the change was
//! made for.
//!
//! Locks are taken in one order: people before subjects, subjects before sessions, sessions before families.

// Changing and deleting.
mod change;
// Registering.
mod register;

use chrono::{DateTime, Utc};
use diesel::OptionalExtension;
use diesel::prelude::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Map, Value};
use uuid::Uuid;

pub use self::change::PersonOutcome;
pub use self::register::{FirstAccess, NewPersonRecord};
use super::Postgres;
use super::client_record::contains;
use super::person::username_key;
use super::pool::Statement;
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

const FIND_SUBJECT: &str = "
    SELECT s.id FROM person p
    JOIN subject s ON s.backend = 'local' AND s.backend_ref = p.id::text
    WHERE p.username_key = $1 AND s.deleted_at IS NULL";

const LIST: &str = "
    SELECT s.id, p.username, p.claims, p.is_administrator, s.status = 'active' AS enabled,
        EXISTS (SELECT 1 FROM person_password w WHERE w.person_id = p.id) AS has_password,
        p.revision, p.created_at, p.updated_at
    FROM person p
    JOIN subject s ON s.backend = 'local' AND s.backend_ref = p.id::text
    WHERE p.username_key > $1 AND s.deleted_at IS NULL
        AND ($2 IS NULL OR p.username ILIKE $2 OR p.claims ->> 'name' ILIKE $2 OR p.claims ->> 'email' ILIKE $2)
    ORDER BY p.username_key LIMIT $3";

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
struct SubjectRow {
    #[diesel(sql_type = Text)]
    id: String,
}

#[derive(QueryableByName)]
pub(super) struct PersonIdRow {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: Uuid,
}

impl Postgres {
    /// The person behind a subject, disabled or not.
    pub async fn find_person_record(&self, subject: &SubjectId) -> Result<Option<PersonRecord>, StoreError> {
        let statement = Statement::new(FIND).bind::<Text, _>(subject.as_str());
        let row = self.run(async |conn| statement.get_result::<RecordRow>(conn).await.optional()).await?;
        row.map(RecordRow::into_record).transpose()
    }

    /// The subject of whoever has that username, in any case, disabled or not.
    pub async fn find_subject_named(&self, username: &str) -> Result<Option<SubjectId>, StoreError> {
        let statement = Statement::new(FIND_SUBJECT).bind::<Text, _>(username_key(username));
        let row = self.run(async |conn| statement.get_result::<SubjectRow>(conn).await.optional()).await?;
        Ok(row.map(|row| SubjectId::new(row.id)))
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
