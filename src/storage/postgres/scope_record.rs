//! Scopes as an administrator sees them: with their revision and times, and changed only in the state that the change was
//! made for. A name that was taken away is never given again.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::prelude::{OptionalExtension, QueryableByName};
use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use super::Postgres;
use super::catalog::bump_policy_in_tx;
use super::client_record::Change;
use super::kept_answer::{Creation, KeptAnswer, keep_in_tx};
use super::pool::Statement;
use super::rollback::Rollback;
use crate::model::catalog::Scope;
use crate::storage::StoreError;

/// A scope as its row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeRecord {
    /// What it is.
    pub scope: Scope,
    /// Raised by every change.
    pub revision: i64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// How taking a scope or a resource away went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// A client or a resource still names it.
    Named,
    /// There is another revision than the expected one.
    Stale,
    /// There is no such thing.
    Absent,
}

const FIND: &str = "
    SELECT name, description, published, revision, created_at, updated_at
    FROM scope WHERE name = $1 AND deleted_at IS NULL";

/// In the order of bytes, in which what is part of the program is sorted too, whatever the database's own order is.
const LIST: &str = r#"
    SELECT name, description, published, revision, created_at, updated_at
    FROM scope WHERE name COLLATE "C" > $1 AND deleted_at IS NULL
    ORDER BY name COLLATE "C" LIMIT $2"#;

const REGISTER: &str = "
    INSERT INTO scope (name, description, published, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $4) ON CONFLICT (name) DO NOTHING";

/// A name that was taken away stays so.
const SAVE: &str = "
    INSERT INTO scope (name, description, published, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $4)
    ON CONFLICT (name) DO UPDATE
        SET description = excluded.description, published = excluded.published, updated_at = excluded.updated_at
        WHERE scope.deleted_at IS NULL";

const CHANGE: &str = "
    UPDATE scope SET description = $2, published = $3, updated_at = $4
    WHERE name = $1 AND revision = $5 AND deleted_at IS NULL
    RETURNING revision";

/// Who registers a client meanwhile may still name it: then that name means nothing, and never will again. It is hidden for
/// the version before too, which does not know `deleted_at`.
const REMOVE: &str = "
    UPDATE scope s SET deleted_at = $3, updated_at = $3, published = false
    WHERE s.name = $1 AND s.revision = coalesce($2, s.revision) AND s.deleted_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM client c
            WHERE c.deleted_at IS NULL AND c.settings -> 'scopes' @> to_jsonb($1::text))
        AND NOT EXISTS (SELECT 1 FROM resource r WHERE r.deleted_at IS NULL AND $1 = ANY (r.scopes))
    RETURNING s.revision";

const REVISION: &str = "SELECT revision FROM scope WHERE name = $1 AND deleted_at IS NULL";

#[derive(QueryableByName)]
struct ScopeRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Jsonb)]
    description: Value,
    #[diesel(sql_type = Bool)]
    published: bool,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
pub(super) struct RevisionRow {
    #[diesel(sql_type = BigInt)]
    pub(super) revision: i64,
}

impl Postgres {
    /// The scope of that name.
    pub async fn find_scope_record(&self, name: &str) -> Result<Option<ScopeRecord>, StoreError> {
        let statement = Statement::new(FIND).bind::<Text, _>(name);
        let row = self.run(async |conn| statement.get_result::<ScopeRow>(conn).await.optional()).await?;
        row.map(ScopeRow::into_record).transpose()
    }

    /// Up to `limit` scopes in the order of their names, beginning behind `after`.
    pub async fn list_scope_records(&self, after: Option<&str>, limit: i64) -> Result<Vec<ScopeRecord>, StoreError> {
        let statement = Statement::new(LIST).bind::<Text, _>(after.unwrap_or_default()).bind::<BigInt, _>(limit);
        let rows: Vec<ScopeRow> = self.run(async |conn| statement.load(conn).await).await?;
        rows.into_iter().map(ScopeRow::into_record).collect()
    }

    /// Registers a scope, once for each key of `answer`.
    pub async fn register_scope(
        &self,
        value: &Scope,
        answer: Option<&KeptAnswer>,
        now: DateTime<Utc>,
    ) -> Result<Creation, StoreError> {
        self.register_entry(bind_scope(REGISTER, value, now), answer, now).await
    }

    /// Gives a scope another description, and publishes or hides it.
    pub async fn change_scope(&self, value: &Scope, expected: i64, now: DateTime<Utc>) -> Result<Change, StoreError> {
        let statement = bind_scope(CHANGE, value, now).bind::<BigInt, _>(expected);
        self.change_entry(statement, Statement::new(REVISION).bind::<Text, _>(&value.name)).await
    }

    /// Takes a scope away for good, unless somebody names it.
    pub async fn remove_scope(&self, name: &str, expected: i64, now: DateTime<Utc>) -> Result<Removal, StoreError> {
        let find = Statement::new(REVISION).bind::<Text, _>(name);
        self.remove_entry(bind_removal(REMOVE, name, Some(expected), now), find, expected).await
    }

    /// Runs an INSERT that does nothing if there is one already, and keeps the answer.
    pub(super) async fn register_entry(
        &self,
        insert: Statement<'_>,
        answer: Option<&KeptAnswer>,
        now: DateTime<Utc>,
    ) -> Result<Creation, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                if let Some(before) = keep_in_tx(conn, answer, now).await? {
                    return Ok::<_, Rollback<Creation>>(before);
                }
                if insert.execute(conn).await? == 0 {
                    return Err(Rollback::Because(Creation::Taken));
                }
                bump_policy_in_tx(conn).await?;
                Ok(Creation::Created)
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }

    /// Runs an UPDATE of the expected revision; `find` tells why it matched nothing.
    pub(super) async fn change_entry(&self, update: Statement<'_>, find: Statement<'_>) -> Result<Change, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                if let Some(row) = update.get_result::<RevisionRow>(conn).await.optional()? {
                    bump_policy_in_tx(conn).await?;
                    return Ok(Change::Changed(row.revision));
                }
                let found = find.get_result::<RevisionRow>(conn).await.optional()?;
                Ok(if found.is_some() { Change::Stale } else { Change::Absent })
            })
            .await
        })
        .await
    }

    /// Runs an UPDATE that takes something away; `find` tells why it matched nothing.
    pub(super) async fn remove_entry(
        &self,
        update: Statement<'_>,
        find: Statement<'_>,
        expected: i64,
    ) -> Result<Removal, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                if update.get_result::<RevisionRow>(conn).await.optional()?.is_some() {
                    bump_policy_in_tx(conn).await?;
                    return Ok(Removal::Removed);
                }
                Ok(match find.get_result::<RevisionRow>(conn).await.optional()? {
                    None => Removal::Absent,
                    Some(row) if row.revision != expected => Removal::Stale,
                    Some(_) => Removal::Named,
                })
            })
            .await
        })
        .await
    }
}

/// Registers a scope or replaces it. `false`: there was one of that name, and there will be none again.
pub(super) async fn save_scope_in_tx(
    conn: &mut AsyncPgConnection,
    value: &Scope,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    Ok(bind_scope(SAVE, value, now).execute(conn).await? > 0)
}

/// Takes a scope away for good, in whatever revision. `false`: somebody names it.
pub(super) async fn remove_scope_in_tx(
    conn: &mut AsyncPgConnection,
    name: &str,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    Ok(bind_removal(REMOVE, name, None, now).execute(conn).await? > 0)
}

fn bind_scope<'a>(sql: &'static str, value: &'a Scope, now: DateTime<Utc>) -> Statement<'a> {
    Statement::new(sql)
        .bind::<Text, _>(&value.name)
        .bind::<Jsonb, _>(json!(value.description))
        .bind::<Bool, _>(value.published)
        .bind::<Timestamptz, _>(now)
}

/// A statement that takes a scope or a resource away; without `expected` in whatever revision.
pub(super) fn bind_removal<'a>(
    sql: &'static str,
    key: &'a str,
    expected: Option<i64>,
    now: DateTime<Utc>,
) -> Statement<'a> {
    Statement::new(sql).bind::<Text, _>(key).bind::<Nullable<BigInt>, _>(expected).bind::<Timestamptz, _>(now)
}

impl ScopeRow {
    fn into_record(self) -> Result<ScopeRecord, StoreError> {
        let description = serde_json::from_value(self.description).map_err(StoreError::corrupt)?;
        let scope = Scope { name: self.name, description, published: self.published };
        Ok(ScopeRecord { scope, revision: self.revision, created_at: self.created_at, updated_at: self.updated_at })
    }
}
