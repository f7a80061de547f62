//! Types of authorization details as an administrator sees them: with their revision and times, and changed only in the state
//! that the change was made for. An identifier that was taken away is never given again.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::prelude::{OptionalExtension, QueryableByName};
use diesel::sql_types::{Array, BigInt, Jsonb, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use super::Postgres;
use super::client_record::Change;
use super::kept_answer::{Creation, KeptAnswer};
use super::pool::Statement;
use super::scope_record::{Removal, bind_removal};
use crate::model::authorization_details::AuthorizationDetailsType;
use crate::model::id::ResourceUri;
use crate::storage::StoreError;

/// A type as its row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationDetailsTypeRecord {
    /// What it is.
    pub value: AuthorizationDetailsType,
    /// Raised by every change.
    pub revision: i64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

const FIND: &str = "
    SELECT type, schema, name, sentence, resources, revision, created_at, updated_at
    FROM authorization_details_type WHERE type = $1 AND deleted_at IS NULL";

/// In the order of bytes, in which what is part of the program is sorted too, whatever the database's own order is.
const LIST: &str = r#"
    SELECT type, schema, name, sentence, resources, revision, created_at, updated_at
    FROM authorization_details_type WHERE type COLLATE "C" > $1 AND deleted_at IS NULL
    ORDER BY type COLLATE "C" LIMIT $2"#;

const REGISTER: &str = "
    INSERT INTO authorization_details_type (type, schema, name, sentence, resources, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (type) DO NOTHING";

/// An identifier that was taken away stays so.
const SAVE: &str = "
    INSERT INTO authorization_details_type (type, schema, name, sentence, resources, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $6)
    ON CONFLICT (type) DO UPDATE
        SET schema = excluded.schema, name = excluded.name, sentence = excluded.sentence,
            resources = excluded.resources, updated_at = excluded.updated_at
        WHERE authorization_details_type.deleted_at IS NULL";

const CHANGE: &str = "
    UPDATE authorization_details_type
    SET schema = $2, name = $3, sentence = $4, resources = $5, updated_at = $6
    WHERE type = $1 AND revision = $7 AND deleted_at IS NULL
    RETURNING revision";

/// Who registers a client meanwhile may still name it: then that name means nothing, and never will again.
const REMOVE: &str = "
    UPDATE authorization_details_type t SET deleted_at = $3, updated_at = $3
    WHERE t.type = $1 AND t.revision = coalesce($2, t.revision) AND t.deleted_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM client c
            WHERE c.deleted_at IS NULL AND c.settings -> 'authorization_details_types' @> to_jsonb($1::text))
    RETURNING t.revision";

const REVISION: &str = "SELECT revision FROM authorization_details_type WHERE type = $1 AND deleted_at IS NULL";

#[derive(QueryableByName)]
struct TypeRow {
    #[diesel(sql_type = Text)]
    r#type: String,
    #[diesel(sql_type = Jsonb)]
    schema: Value,
    #[diesel(sql_type = Jsonb)]
    name: Value,
    #[diesel(sql_type = Jsonb)]
    sentence: Value,
    #[diesel(sql_type = Array<Text>)]
    resources: Vec<String>,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
}

impl Postgres {
    /// The type with that identifier.
    pub async fn find_authorization_details_type_record(
        &self,
        name: &str,
    ) -> Result<Option<AuthorizationDetailsTypeRecord>, StoreError> {
        let statement = Statement::new(FIND).bind::<Text, _>(name);
        let row = self.run(async |conn| statement.get_result::<TypeRow>(conn).await.optional()).await?;
        row.map(TypeRow::into_record).transpose()
    }

    /// Up to `limit` types in the order of their identifiers, beginning behind `after`.
    pub async fn list_authorization_details_type_records(
        &self,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<AuthorizationDetailsTypeRecord>, StoreError> {
        let statement = Statement::new(LIST).bind::<Text, _>(after.unwrap_or_default()).bind::<BigInt, _>(limit);
        let rows: Vec<TypeRow> = self.run(async |conn| statement.load(conn).await).await?;
        rows.into_iter().map(TypeRow::into_record).collect()
    }

    /// Every type, by identifier.
    pub async fn list_authorization_details_types(&self) -> Result<Vec<AuthorizationDetailsType>, StoreError> {
        let records = self.list_authorization_details_type_records(None, i64::MAX).await?;
        Ok(records.into_iter().map(|record| record.value).collect())
    }

    /// Registers a type, once for each key of `answer`.
    pub async fn register_authorization_details_type(
        &self,
        value: &AuthorizationDetailsType,
        answer: Option<&KeptAnswer>,
        now: DateTime<Utc>,
    ) -> Result<Creation, StoreError> {
        self.register_entry(bind_type(REGISTER, value, now), answer, now).await
    }

    /// Gives a type another schema, other texts and other resources.
    pub async fn change_authorization_details_type(
        &self,
        value: &AuthorizationDetailsType,
        expected: i64,
        now: DateTime<Utc>,
    ) -> Result<Change, StoreError> {
        let statement = bind_type(CHANGE, value, now).bind::<BigInt, _>(expected);
        self.change_entry(statement, Statement::new(REVISION).bind::<Text, _>(&value.name_of_type)).await
    }

    /// Takes a type away for good, unless a client names it.
    pub async fn remove_authorization_details_type(
        &self,
        name: &str,
        expected: i64,
        now: DateTime<Utc>,
    ) -> Result<Removal, StoreError> {
        let find = Statement::new(REVISION).bind::<Text, _>(name);
        self.remove_entry(bind_removal(REMOVE, name, Some(expected), now), find, expected).await
    }
}

/// Registers a type or replaces it. `false`: there was one with that identifier, and there will be none again.
pub(super) async fn save_authorization_details_type_in_tx(
    conn: &mut AsyncPgConnection,
    value: &AuthorizationDetailsType,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    Ok(bind_type(SAVE, value, now).execute(conn).await? > 0)
}

/// Takes a type away for good, in whatever revision. `false`: a client names it.
pub(super) async fn remove_authorization_details_type_in_tx(
    conn: &mut AsyncPgConnection,
    name: &str,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    Ok(bind_removal(REMOVE, name, None, now).execute(conn).await? > 0)
}

fn bind_type<'a>(sql: &'static str, value: &'a AuthorizationDetailsType, now: DateTime<Utc>) -> Statement<'a> {
    let resources: Vec<&str> = value.resources.iter().map(ResourceUri::as_str).collect();
    Statement::new(sql)
        .bind::<Text, _>(value.name_of_type.as_str())
        .bind::<Jsonb, _>(&value.schema)
        .bind::<Jsonb, _>(json!(value.name))
        .bind::<Jsonb, _>(json!(value.sentence))
        .bind::<Array<Text>, _>(resources)
        .bind::<Timestamptz, _>(now)
}

impl TypeRow {
    fn into_record(self) -> Result<AuthorizationDetailsTypeRecord, StoreError> {
        let value = AuthorizationDetailsType {
            name_of_type: self.r#type,
            schema: self.schema,
            name: serde_json::from_value(self.name).map_err(StoreError::corrupt)?,
            sentence: serde_json::from_value(self.sentence).map_err(StoreError::corrupt)?,
            resources: self.resources.into_iter().map(ResourceUri::new).collect(),
        };
        let Self { revision, created_at, updated_at, .. } = self;
        Ok(AuthorizationDetailsTypeRecord { value, revision, created_at, updated_at })
    }
}
