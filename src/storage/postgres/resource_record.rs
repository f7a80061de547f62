//! Resources as an administrator sees them: with their revision and times, and changed only in the state that the change was
//! made for. An identifier that was taken away is never given again.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::prelude::{OptionalExtension, QueryableByName};
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use super::Postgres;
use super::client_record::Change;
use super::kept_answer::{Creation, KeptAnswer};
use super::pool::Statement;
use super::scope_record::{Removal, bind_removal};
use crate::model::catalog::Resource;
use crate::model::id::ResourceUri;
use crate::storage::StoreError;

/// A resource as its row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceRecord {
    /// What it is.
    pub resource: Resource,
    /// Raised by every change.
    pub revision: i64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

const FIND: &str = "
    SELECT uri, name, scopes, restricted, revision, created_at, updated_at
    FROM resource WHERE uri = $1 AND deleted_at IS NULL";

/// In the order of bytes, in which what is part of the program is sorted too, whatever the database's own order is.
const LIST: &str = r#"
    SELECT uri, name, scopes, restricted, revision, created_at, updated_at
    FROM resource WHERE uri COLLATE "C" > $1 AND deleted_at IS NULL
    ORDER BY uri COLLATE "C" LIMIT $2"#;

const REGISTER: &str = "
    INSERT INTO resource (uri, name, scopes, restricted, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (uri) DO NOTHING";

/// An identifier that was taken away stays so.
const SAVE: &str = "
    INSERT INTO resource (uri, name, scopes, restricted, created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $5)
    ON CONFLICT (uri) DO UPDATE
        SET name = excluded.name, scopes = excluded.scopes, restricted = excluded.restricted,
            updated_at = excluded.updated_at
        WHERE resource.deleted_at IS NULL";

const CHANGE: &str = "
    UPDATE resource SET name = $2, scopes = $3, restricted = $4, updated_at = $5
    WHERE uri = $1 AND revision = $6 AND deleted_at IS NULL
    RETURNING revision";

/// Who registers a client meanwhile may still name it: then that name means nothing, and never will again. It is restricted
/// for the version before too, which does not know `deleted_at`: no client is left that was given it.
const REMOVE: &str = "
    UPDATE resource r SET deleted_at = $3, updated_at = $3, restricted = true
    WHERE r.uri = $1 AND r.revision = coalesce($2, r.revision) AND r.deleted_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM client c
            WHERE c.deleted_at IS NULL
                AND (c.settings -> 'resources' @> to_jsonb($1::text) OR c.settings -> 'serves' @> to_jsonb($1::text)
                    OR c.settings #> '{token_exchange,resources}' @> to_jsonb($1::text)))
        AND NOT EXISTS (SELECT 1 FROM authorization_details_type t WHERE t.deleted_at IS NULL AND $1 = ANY (t.resources))
    RETURNING r.revision";

const REVISION: &str = "SELECT revision FROM resource WHERE uri = $1 AND deleted_at IS NULL";

#[derive(QueryableByName)]
struct ResourceRow {
    #[diesel(sql_type = Text)]
    uri: String,
    #[diesel(sql_type = Jsonb)]
    name: Value,
    #[diesel(sql_type = Array<Text>)]
    scopes: Vec<String>,
    #[diesel(sql_type = Bool)]
    restricted: bool,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    updated_at: DateTime<Utc>,
}

impl Postgres {
    /// The resource with that identifier.
    pub async fn find_resource_record(&self, uri: &ResourceUri) -> Result<Option<ResourceRecord>, StoreError> {
        let statement = Statement::new(FIND).bind::<Text, _>(uri.as_str());
        let row = self.run(async |conn| statement.get_result::<ResourceRow>(conn).await.optional()).await?;
        row.map(ResourceRow::into_record).transpose()
    }

    /// Up to `limit` resources in the order of their identifiers, beginning behind `after`.
    pub async fn list_resource_records(
        &self,
        after: Option<&ResourceUri>,
        limit: i64,
    ) -> Result<Vec<ResourceRecord>, StoreError> {
        let statement =
            Statement::new(LIST).bind::<Text, _>(after.map_or("", ResourceUri::as_str)).bind::<BigInt, _>(limit);
        let rows: Vec<ResourceRow> = self.run(async |conn| statement.load(conn).await).await?;
        rows.into_iter().map(ResourceRow::into_record).collect()
    }

    /// Registers a resource, once for each key of `answer`.
    pub async fn register_resource(
        &self,
        value: &Resource,
        answer: Option<&KeptAnswer>,
        now: DateTime<Utc>,
    ) -> Result<Creation, StoreError> {
        self.register_entry(bind_resource(REGISTER, value, now), answer, now).await
    }

    /// Gives a resource another name, other scopes, and restricts or opens it.
    pub async fn change_resource(
        &self,
        value: &Resource,
        expected: i64,
        now: DateTime<Utc>,
    ) -> Result<Change, StoreError> {
        let statement = bind_resource(CHANGE, value, now).bind::<BigInt, _>(expected);
        self.change_entry(statement, Statement::new(REVISION).bind::<Text, _>(value.uri.as_str())).await
    }

    /// Takes a resource away for good, unless a client or a type of authorization details names it.
    pub async fn remove_resource(
        &self,
        uri: &ResourceUri,
        expected: i64,
        now: DateTime<Utc>,
    ) -> Result<Removal, StoreError> {
        let find = Statement::new(REVISION).bind::<Text, _>(uri.as_str());
        self.remove_entry(bind_removal(REMOVE, uri.as_str(), Some(expected), now), find, expected).await
    }
}

/// Registers a resource or replaces it. `false`: there was one with that identifier, and there will be none again.
pub(super) async fn save_resource_in_tx(
    conn: &mut AsyncPgConnection,
    value: &Resource,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    Ok(bind_resource(SAVE, value, now).execute(conn).await? > 0)
}

/// Takes a resource away for good, in whatever revision. `false`: something names it.
pub(super) async fn remove_resource_in_tx(
    conn: &mut AsyncPgConnection,
    uri: &ResourceUri,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    Ok(bind_removal(REMOVE, uri.as_str(), None, now).execute(conn).await? > 0)
}

fn bind_resource<'a>(sql: &'static str, value: &'a Resource, now: DateTime<Utc>) -> Statement<'a> {
    Statement::new(sql)
        .bind::<Text, _>(value.uri.as_str())
        .bind::<Jsonb, _>(json!(value.name))
        .bind::<Array<Text>, _>(value.scopes.as_slice())
        .bind::<Bool, _>(value.restricted)
        .bind::<Timestamptz, _>(now)
}

impl ResourceRow {
    fn into_record(self) -> Result<ResourceRecord, StoreError> {
        let name = serde_json::from_value(self.name).map_err(StoreError::corrupt)?;
        let resource =
            Resource { uri: ResourceUri::new(self.uri), name, scopes: self.scopes, restricted: self.restricted };
        Ok(ResourceRecord {
            resource,
            revision: self.revision,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}
