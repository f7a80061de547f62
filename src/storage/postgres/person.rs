//! The people of the local backend: who they are and the hashes of their passwords.

use chrono::{DateTime, Utc};
use diesel::prelude::QueryableByName;
use diesel::sql_types::{BigInt, Bool, Jsonb, Text, Timestamptz};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Map, Value};

use super::Postgres;
use super::pool::Statement;
use crate::model::id::SubjectId;
use crate::storage::StoreError;

/// Somebody to register.
pub struct NewPerson {
    /// The name they sign in with.
    pub username: String,
    /// Their standard claims (OpenID Connect Core section 5.1).
    pub claims: Map<String, Value>,
    /// Whether they administer the server.
    pub is_administrator: bool,
    /// The hash of their password, in PHC format.
    pub phc: String,
}

/// Somebody as the row stands.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonRow {
    /// The name they sign in with.
    pub username: String,
    /// Their standard claims.
    pub claims: Map<String, Value>,
    /// Whether they administer the server.
    pub is_administrator: bool,
    /// When any of this last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a password is checked against.
pub struct Credentials {
    /// Whose it is.
    pub subject: SubjectId,
    /// The subject's generation.
    pub generation: i64,
    /// The hash, in PHC format.
    pub phc: String,
}

/// The form in which usernames are compared: two that differ only in case or outer blanks are one account.
pub fn username_key(username: &str) -> String {
    username.trim().to_lowercase()
}

const INSERT: &str = "
    WITH person AS (
        INSERT INTO person (username, username_key, claims, is_administrator, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $6, $6) ON CONFLICT (username_key) DO NOTHING RETURNING id
    ), password AS (
        INSERT INTO person_password (person_id, phc, changed_at) SELECT id, $5, $6 FROM person
    )
    INSERT INTO subject (backend, backend_ref, created_at, updated_at)
    SELECT 'local', id::text, $6, $6 FROM person RETURNING id";

const FIND_CREDENTIALS: &str = "
    SELECT s.id, s.generation, w.phc
    FROM person p
    JOIN person_password w ON w.person_id = p.id
    JOIN subject s ON s.backend = 'local' AND s.backend_ref = p.id::text
    WHERE p.username_key = $1 AND s.status = 'active' AND s.deleted_at IS NULL";

const FIND_SUBJECT: &str = "
    SELECT s.id FROM person p
    JOIN subject s ON s.backend = 'local' AND s.backend_ref = p.id::text
    WHERE p.username_key = $1 AND s.status = 'active' AND s.deleted_at IS NULL";

const FIND: &str = "
    SELECT p.username, p.claims, p.is_administrator, p.updated_at
    FROM subject s
    JOIN person p ON p.id = CASE s.backend WHEN 'local' THEN s.backend_ref::uuid END
    WHERE s.id = $1 AND s.status = 'active' AND s.deleted_at IS NULL";

const UPDATE_PASSWORD: &str = "
    UPDATE person_password w SET phc = $2, changed_at = $3
    FROM subject s
    WHERE s.id = $1 AND w.person_id = CASE s.backend WHEN 'local' THEN s.backend_ref::uuid END";

const REHASH_PASSWORD: &str = "
    UPDATE person_password w SET phc = $3
    FROM subject s
    WHERE s.id = $1 AND w.person_id = CASE s.backend WHEN 'local' THEN s.backend_ref::uuid END AND w.phc = $2";

#[derive(QueryableByName)]
struct SubjectRow {
    #[diesel(sql_type = Text)]
    id: String,
}

#[derive(QueryableByName)]
struct CredentialsRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    generation: i64,
    #[diesel(sql_type = Text)]
    phc: String,
}

#[derive(QueryableByName)]
struct FoundRow {
    #[diesel(sql_type = Text)]
    username: String,
    #[diesel(sql_type = Jsonb)]
    claims: Value,
    #[diesel(sql_type = Bool)]
    is_administrator: bool,
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
}

impl Postgres {
    /// Registers somebody, with a subject of their own. `None`: the username is taken.
    pub async fn insert_person(&self, new: &NewPerson, now: DateTime<Utc>) -> Result<Option<SubjectId>, StoreError> {
        self.run(async |conn| insert_person_in_tx(conn, new, now).await).await
    }

    /// What to check a password against, by [`username_key`]; only of subjects who may sign in.
    pub async fn find_credentials(&self, username_key: &str) -> Result<Option<Credentials>, StoreError> {
        // Postgres would answer NUL with an error instead of no row.
        if username_key.contains('\0') {
            return Ok(None);
        }
        let statement = Statement::new(FIND_CREDENTIALS).bind::<Text, _>(username_key);
        let row = self.run(async |conn| statement.get_result::<CredentialsRow>(conn).await.optional()).await?;
        Ok(row.map(|row| Credentials { subject: SubjectId::new(row.id), generation: row.generation, phc: row.phc }))
    }

    /// Whose name that is, by [`username_key`]; only of subjects who may sign in.
    pub async fn find_subject(&self, username_key: &str) -> Result<Option<SubjectId>, StoreError> {
        // Postgres would answer NUL with an error instead of no row.
        if username_key.contains('\0') {
            return Ok(None);
        }
        let statement = Statement::new(FIND_SUBJECT).bind::<Text, _>(username_key);
        let row = self.run(async |conn| statement.get_result::<SubjectRow>(conn).await.optional()).await?;
        Ok(row.map(|row| SubjectId::new(row.id)))
    }

    /// The person behind a subject that is not disabled.
    pub async fn find_person(&self, subject: &SubjectId) -> Result<Option<PersonRow>, StoreError> {
        let statement = Statement::new(FIND).bind::<Text, _>(subject.as_str());
        let row = self.run(async |conn| statement.get_result::<FoundRow>(conn).await.optional()).await?;
        row.map(|row| PersonRow::new(row.username, row.claims, row.is_administrator, row.updated_at)).transpose()
    }

    /// Gives somebody another password. `false`: the subject has none here.
    pub async fn update_password(
        &self,
        subject: &SubjectId,
        phc: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let statement = Statement::new(UPDATE_PASSWORD)
            .bind::<Text, _>(subject.as_str())
            .bind::<Text, _>(phc)
            .bind::<Timestamptz, _>(now);
        Ok(self.run(async |conn| statement.execute(conn).await).await? > 0)
    }

    /// Stores the same password under stronger parameters. `false`: the password was changed meanwhile, and stays.
    pub async fn rehash_password(&self, subject: &SubjectId, old_phc: &str, new_phc: &str) -> Result<bool, StoreError> {
        let statement = Statement::new(REHASH_PASSWORD)
            .bind::<Text, _>(subject.as_str())
            .bind::<Text, _>(old_phc)
            .bind::<Text, _>(new_phc);
        Ok(self.run(async |conn| statement.execute(conn).await).await? > 0)
    }
}

impl PersonRow {
    pub(super) fn new(
        username: String,
        claims: Value,
        is_administrator: bool,
        updated_at: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let Value::Object(claims) = claims else {
            return Err(StoreError::corrupt("a person's claims are not a JSON object"));
        };
        Ok(Self { username, claims, is_administrator, updated_at })
    }
}

/// Registers somebody, with a subject of their own. `None`: the username is taken.
pub(super) async fn insert_person_in_tx(
    conn: &mut AsyncPgConnection,
    new: &NewPerson,
    now: DateTime<Utc>,
) -> QueryResult<Option<SubjectId>> {
    let username = new.username.trim();
    let statement = Statement::new(INSERT)
        .bind::<Text, _>(username)
        .bind::<Text, _>(username_key(username))
        .bind::<Jsonb, _>(Value::Object(new.claims.clone()))
        .bind::<Bool, _>(new.is_administrator)
        .bind::<Text, _>(&new.phc)
        .bind::<Timestamptz, _>(now);
    let row = statement.get_result::<SubjectRow>(conn).await.optional()?;
    Ok(row.map(|row| SubjectId::new(row.id)))
}
