//! Scopes, resources and the version of the policy.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::Postgres;
use super::schema::{policy_version, resource, scope};
use crate::model::catalog::{Resource, Scope};
use crate::model::id::ResourceUri;
use crate::storage::StoreError;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = scope, check_for_backend(Pg))]
struct ScopeRow {
    name: String,
    description: Value,
    published: bool,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = resource, check_for_backend(Pg))]
struct ResourceRow {
    uri: String,
    name: Value,
    scopes: Vec<String>,
    restricted: bool,
}

impl Postgres {
    /// Every scope, by name.
    pub async fn list_scopes(&self) -> Result<Vec<Scope>, StoreError> {
        let rows = self
            .run(async |conn| {
                scope::table
                    .select(ScopeRow::as_select())
                    .filter(scope::deleted_at.is_null())
                    .order(scope::name)
                    .load(conn)
                    .await
            })
            .await?;
        rows.into_iter().map(ScopeRow::into_scope).collect()
    }

    /// Every resource, by identifier.
    pub async fn list_resources(&self) -> Result<Vec<Resource>, StoreError> {
        let rows = self
            .run(async |conn| {
                resource::table
                    .select(ResourceRow::as_select())
                    .filter(resource::deleted_at.is_null())
                    .order(resource::uri)
                    .load(conn)
                    .await
            })
            .await?;
        rows.into_iter().map(ResourceRow::into_resource).collect()
    }

    /// Registers a scope, or replaces what was registered under its name.
    pub async fn upsert_scope(&self, value: &Scope, now: DateTime<Utc>) -> Result<(), StoreError> {
        let description = serde_json::to_value(&value.description).map_err(StoreError::corrupt)?;
        let row = &ScopeRow { name: value.name.clone(), description, published: value.published };
        self.run(async |conn| {
            conn.transaction(async |conn| {
                diesel::insert_into(scope::table)
                    .values((row, scope::created_at.eq(now), scope::updated_at.eq(now)))
                    .on_conflict(scope::name)
                    .do_update()
                    .set((row, scope::updated_at.eq(now)))
                    .execute(conn)
                    .await?;
                bump_policy_in_tx(conn).await
            })
            .await
        })
        .await
    }

    /// Registers a resource, or replaces what was registered under its identifier.
    pub async fn upsert_resource(&self, value: &Resource, now: DateTime<Utc>) -> Result<(), StoreError> {
        let name = serde_json::to_value(&value.name).map_err(StoreError::corrupt)?;
        let row = &ResourceRow {
            uri: value.uri.as_str().to_owned(),
            name,
            scopes: value.scopes.clone(),
            restricted: value.restricted,
        };
        self.run(async |conn| {
            conn.transaction(async |conn| {
                diesel::insert_into(resource::table)
                    .values((row, resource::created_at.eq(now), resource::updated_at.eq(now)))
                    .on_conflict(resource::uri)
                    .do_update()
                    .set((row, resource::updated_at.eq(now)))
                    .execute(conn)
                    .await?;
                bump_policy_in_tx(conn).await
            })
            .await
        })
        .await
    }

    /// The version of clients, scopes and resources together: another one means that caches are stale.
    pub async fn find_policy_version(&self) -> Result<i64, StoreError> {
        self.run(async |conn| policy_version::table.select(policy_version::version).first(conn).await).await
    }
}

/// Tells every process that clients, scopes or resources changed. The last step of a transaction, because it holds the
/// one row that all such changes share.
pub(super) async fn bump_policy_in_tx(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    diesel::update(policy_version::table)
        .set(policy_version::version.eq(policy_version::version + 1))
        .execute(conn)
        .await?;
    Ok(())
}

impl ScopeRow {
    fn into_scope(self) -> Result<Scope, StoreError> {
        let description = serde_json::from_value(self.description).map_err(StoreError::corrupt)?;
        Ok(Scope { name: self.name, description, published: self.published })
    }
}

impl ResourceRow {
    fn into_resource(self) -> Result<Resource, StoreError> {
        let name = serde_json::from_value(self.name).map_err(StoreError::corrupt)?;
        Ok(Resource { uri: ResourceUri::new(self.uri), name, scopes: self.scopes, restricted: self.restricted })
    }
}
