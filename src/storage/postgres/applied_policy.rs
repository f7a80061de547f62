//! Clients, scopes and resources brought from one state to another in one transaction, if nobody else changed any of them
//! since the first state was read.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use super::Postgres;
use super::authorization_details_type_record::{
    remove_authorization_details_type_in_tx, save_authorization_details_type_in_tx,
};
use super::catalog::bump_policy_in_tx;
use super::client_record::{insert_client_in_tx, rotate_secret_in_tx};
use super::resource_record::{remove_resource_in_tx, save_resource_in_tx};
use super::rollback::Rollback;
use super::schema::authorization_details_type as detail;
use super::schema::{applied_policy, client, client_secret, policy_version, resource, scope};
use super::scope_record::{remove_scope_in_tx, save_scope_in_tx};
use super::token_lifetime::record_lifetimes_in_tx;
use crate::model::authorization_details::AuthorizationDetailsType;
use crate::model::catalog::{Resource, Scope};
use crate::model::client::{Client, ClientSecret, ClientSettings};
use crate::model::id::{ClientId, ResourceUri};
use crate::storage::StoreError;

/// What is to be changed.
#[derive(Clone, Debug, Default)]
pub struct PolicyChanges {
    /// Scopes to register or to replace.
    pub scopes: Vec<Scope>,
    /// Resources to register or to replace.
    pub resources: Vec<Resource>,
    /// Types of authorization details to register or to replace.
    pub authorization_details_types: Vec<AuthorizationDetailsType>,
    /// Clients to register, with their secrets.
    pub new_clients: Vec<Client>,
    /// Clients to give other settings, and to enable or disable.
    pub changed_clients: Vec<(ClientId, bool, ClientSettings)>,
    /// Clients to give a new secret; what they had works until the time beside it.
    pub new_secrets: Vec<(ClientId, ClientSecret, DateTime<Utc>)>,
    /// Scopes to take away.
    pub deleted_scopes: Vec<String>,
    /// Resources to take away.
    pub deleted_resources: Vec<ResourceUri>,
    /// Types of authorization details to take away.
    pub deleted_authorization_details_types: Vec<String>,
    /// Clients to take away for good.
    pub deleted_clients: Vec<ClientId>,
    /// What stands in the document now, to be compared with the next time.
    pub applied: Value,
}

/// Something that a document may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyObject {
    /// A scope.
    Scope(String),
    /// A resource.
    Resource(ResourceUri),
    /// A type of authorization details.
    AuthorizationDetailsType(String),
    /// A client.
    Client(ClientId),
}

/// How it went. But for the first nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Everything was changed.
    Done,
    /// Somebody changed a client, scope or resource meanwhile.
    Stale,
    /// A new one has the identifier of one that was deleted.
    Taken(PolicyObject),
    /// Something that stays names what is to be taken away.
    Named(PolicyObject),
}

impl Postgres {
    /// What was applied last, and when.
    pub async fn find_applied_policy(&self) -> Result<Option<(Value, DateTime<Utc>)>, StoreError> {
        let last = applied_policy::table.select((applied_policy::objects, applied_policy::applied_at));
        self.run(async |conn| last.first(conn).await.optional()).await
    }

    /// Those of `objects` that were there once and were deleted.
    pub async fn list_deleted(&self, objects: &[PolicyObject]) -> Result<Vec<PolicyObject>, StoreError> {
        let (mut scopes, mut uris, mut clients, mut types) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for object in objects {
            match object {
                PolicyObject::Scope(name) => scopes.push(name.as_str()),
                PolicyObject::Resource(uri) => uris.push(uri.as_str()),
                PolicyObject::Client(id) => clients.push(id.as_str()),
                PolicyObject::AuthorizationDetailsType(name) => types.push(name.as_str()),
            }
        }
        let scopes = scope::table.select(scope::name).filter(scope::name.eq_any(scopes));
        let uris = resource::table.select(resource::uri).filter(resource::uri.eq_any(uris));
        let clients = client::table.select(client::client_id).filter(client::client_id.eq_any(clients));
        let types = detail::table.select(detail::type_).filter(detail::type_.eq_any(types));
        self.run(async |conn| {
            let scopes: Vec<String> = scopes.filter(scope::deleted_at.is_not_null()).load(conn).await?;
            let uris: Vec<String> = uris.filter(resource::deleted_at.is_not_null()).load(conn).await?;
            let clients: Vec<String> = clients.filter(client::deleted_at.is_not_null()).load(conn).await?;
            let types: Vec<String> = types.filter(detail::deleted_at.is_not_null()).load(conn).await?;
            let scopes = scopes.into_iter().map(PolicyObject::Scope);
            let resources = uris.into_iter().map(|uri| PolicyObject::Resource(ResourceUri::new(uri)));
            let clients = clients.into_iter().map(|id| PolicyObject::Client(ClientId::new(id)));
            let types = types.into_iter().map(PolicyObject::AuthorizationDetailsType);
            Ok(scopes.chain(resources).chain(clients).chain(types).collect())
        })
        .await
    }

    /// Makes the changes, if the policy still has the version that they were made for.
    pub async fn apply_policy(
        &self,
        changes: &PolicyChanges,
        expected_version: i64,
        now: DateTime<Utc>,
    ) -> Result<Applied, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let version = policy_version::table.select(policy_version::version).for_update();
                if version.first::<i64>(conn).await? != expected_version {
                    return Err(Rollback::Because(Applied::Stale));
                }
                save_catalog_in_tx(conn, changes, now).await?;
                change_clients_in_tx(conn, changes, now).await?;
                // Afterwards: the clients of the document may have named them until here.
                remove_catalog_in_tx(conn, changes, now).await?;
                remember_in_tx(conn, &changes.applied, now).await?;
                bump_policy_in_tx(conn).await?;
                Ok(Applied::Done)
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }
}

async fn save_catalog_in_tx(
    conn: &mut AsyncPgConnection,
    changes: &PolicyChanges,
    now: DateTime<Utc>,
) -> Result<(), Rollback<Applied>> {
    for value in &changes.scopes {
        if !save_scope_in_tx(conn, value, now).await? {
            return Err(taken(PolicyObject::Scope(value.name.clone())));
        }
    }
    for value in &changes.resources {
        if !save_resource_in_tx(conn, value, now).await? {
            return Err(taken(PolicyObject::Resource(value.uri.clone())));
        }
    }
    for value in &changes.authorization_details_types {
        if !save_authorization_details_type_in_tx(conn, value, now).await? {
            return Err(taken(PolicyObject::AuthorizationDetailsType(value.name_of_type.clone())));
        }
    }
    Ok(())
}

async fn remove_catalog_in_tx(
    conn: &mut AsyncPgConnection,
    changes: &PolicyChanges,
    now: DateTime<Utc>,
) -> Result<(), Rollback<Applied>> {
    // Types before resources, and those before scopes: they name them.
    for name in &changes.deleted_authorization_details_types {
        if !remove_authorization_details_type_in_tx(conn, name, now).await? {
            return Err(named(PolicyObject::AuthorizationDetailsType(name.clone())));
        }
    }
    for uri in &changes.deleted_resources {
        if !remove_resource_in_tx(conn, uri, now).await? {
            return Err(named(PolicyObject::Resource(uri.clone())));
        }
    }
    for name in &changes.deleted_scopes {
        if !remove_scope_in_tx(conn, name, now).await? {
            return Err(named(PolicyObject::Scope(name.clone())));
        }
    }
    Ok(())
}

fn taken(object: PolicyObject) -> Rollback<Applied> {
    Rollback::Because(Applied::Taken(object))
}

fn named(object: PolicyObject) -> Rollback<Applied> {
    Rollback::Because(Applied::Named(object))
}

async fn change_clients_in_tx(
    conn: &mut AsyncPgConnection,
    changes: &PolicyChanges,
    now: DateTime<Utc>,
) -> Result<(), Rollback<Applied>> {
    for value in &changes.new_clients {
        if !insert_client_in_tx(conn, value, now).await? {
            return Err(taken(PolicyObject::Client(value.id.clone())));
        }
    }
    for (id, enabled, settings) in &changes.changed_clients {
        diesel::update(client::table.find(id.as_str()))
            .set((client::enabled.eq(enabled), client::settings.eq(json!(settings)), client::updated_at.eq(now)))
            .execute(conn)
            .await?;
        record_lifetimes_in_tx(conn, id, now).await?;
    }
    for (id, secret, overlap_until) in &changes.new_secrets {
        diesel::update(client::table.find(id.as_str())).set(client::updated_at.eq(now)).execute(conn).await?;
        rotate_secret_in_tx(conn, id, secret, *overlap_until, now).await?;
    }
    for id in &changes.deleted_clients {
        diesel::update(client::table.find(id.as_str()))
            .set((
                client::enabled.eq(false),
                client::deleted_at.eq(now),
                client::settings.eq(json!({})),
                client::updated_at.eq(now),
            ))
            .execute(conn)
            .await?;
        let own = client_secret::table.filter(client_secret::client_id.eq(id.as_str()));
        diesel::delete(own).execute(conn).await?;
    }
    Ok(())
}

async fn remember_in_tx(conn: &mut AsyncPgConnection, objects: &Value, now: DateTime<Utc>) -> QueryResult<()> {
    let set = (applied_policy::objects.eq(objects), applied_policy::applied_at.eq(now));
    diesel::insert_into(applied_policy::table)
        .values((applied_policy::singleton.eq(true), set))
        .on_conflict(applied_policy::singleton)
        .do_update()
        .set(set)
        .execute(conn)
        .await?;
    Ok(())
}
