//! Registered clients and their secrets.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::Postgres;
use super::catalog::bump_policy_in_tx;
use super::schema::{client, client_secret, token_family};
use super::token_lifetime::record_lifetimes_in_tx;
use crate::model::client::{Client, ClientSecret};
use crate::model::id::{ClientId, Sid};
use crate::model::registration::RegisteredThrough;
use crate::storage::StoreError;

/// The longest client id there can be; a client id may be a URL.
pub(in crate::storage) const LONGEST_ID: usize = 2048;

/// So many secrets work at a time: the old and the new one while a client changes over.
const MOST_SECRETS: usize = 2;

/// A secret of which we keep a MAC; the other kind is the secret itself, encrypted.
const HMAC: &str = "hmac";

#[derive(Queryable, Selectable)]
#[diesel(table_name = client, check_for_backend(Pg))]
struct ClientRow {
    client_id: String,
    enabled: bool,
    settings: Value,
    generation: i64,
    registered_through: Option<String>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = client_secret, check_for_backend(Pg))]
struct SecretRow {
    client_id: String,
    id: Uuid,
    kind: String,
    mac: Vec<u8>,
    key_id: i16,
    expires_at: Option<DateTime<Utc>>,
}

impl Postgres {
    /// The client with that identifier, enabled or not.
    pub async fn find_client(&self, id: &ClientId) -> Result<Option<Client>, StoreError> {
        // What no row can hold is not asked for: Postgres would answer NUL with an error instead of no row.
        if id.as_str().is_empty() || id.as_str().len() > LONGEST_ID || id.as_str().contains('\0') {
            return Ok(None);
        }
        let rows = self
            .run(async |conn| {
                client::table
                    .left_join(client_secret::table)
                    .filter(client::client_id.eq(id.as_str()).and(client::deleted_at.is_null()))
                    .select((ClientRow::as_select(), Option::<SecretRow>::as_select()))
                    .load(conn)
                    .await
            })
            .await?;
        Ok(into_clients(rows)?.pop())
    }

    /// Up to `limit` clients in the order of their identifiers, beginning behind `after`.
    pub async fn list_clients(&self, after: Option<&ClientId>, limit: i64) -> Result<Vec<Client>, StoreError> {
        let after = after.map_or("", ClientId::as_str);
        let page = client::table
            .select(client::client_id)
            .filter(client::client_id.gt(after).and(client::deleted_at.is_null()));
        let page = page.order(client::client_id).limit(limit);
        let rows = self
            .run(async |conn| {
                let ids: Vec<String> = page.load(conn).await?;
                client::table
                    .left_join(client_secret::table)
                    .filter(client::client_id.eq_any(ids))
                    .order((client::client_id, client_secret::created_at, client_secret::id))
                    .select((ClientRow::as_select(), Option::<SecretRow>::as_select()))
                    .load(conn)
                    .await
            })
            .await?;
        into_clients(rows)
    }

    /// The enabled clients that got tokens in a session: those to load in frames at its end (OpenID Connect
    /// Front-Channel Logout section 3) are among them.
    pub async fn list_logout_clients(&self, sid: Sid) -> Result<Vec<Client>, StoreError> {
        let involved = token_family::table.select(token_family::client_id).filter(token_family::sid.eq(sid.0));
        let rows = self
            .run(async |conn| {
                client::table
                    .left_join(client_secret::table)
                    .filter(client::enabled.and(client::client_id.eq_any(involved)))
                    .order((client::client_id, client_secret::created_at, client_secret::id))
                    .select((ClientRow::as_select(), Option::<SecretRow>::as_select()))
                    .load(conn)
                    .await
            })
            .await?;
        into_clients(rows)
    }

    /// Registers a client with its secrets. A taken identifier is a conflict.
    pub async fn insert_client(&self, value: &Client, now: DateTime<Utc>) -> Result<(), StoreError> {
        let settings = &serde_json::to_value(&value.settings).map_err(StoreError::corrupt)?;
        let secrets = &secret_rows(value.id.as_str(), &value.secrets)?;
        self.run(async |conn| {
            conn.transaction(async |conn| {
                diesel::insert_into(client::table)
                    .values((
                        client::client_id.eq(value.id.as_str()),
                        client::enabled.eq(value.enabled),
                        client::settings.eq(settings),
                        client::registered_through.eq(value.registered_through.map(RegisteredThrough::as_str)),
                        client::created_at.eq(now),
                        client::updated_at.eq(now),
                    ))
                    .execute(conn)
                    .await?;
                record_lifetimes_in_tx(conn, &value.id, now).await?;
                replace_secrets_in_tx(conn, value.id.as_str(), secrets, now).await?;
                bump_policy_in_tx(conn).await
            })
            .await
        })
        .await
    }

    /// Makes the stored client equal to `value`: switch, settings and secrets. `false`: there is no such client.
    pub async fn update_client(&self, value: &Client, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let settings = &serde_json::to_value(&value.settings).map_err(StoreError::corrupt)?;
        let secrets = &secret_rows(value.id.as_str(), &value.secrets)?;
        self.run(async |conn| {
            conn.transaction(async |conn| {
                let changed = diesel::update(client::table.find(value.id.as_str()))
                    .set((client::enabled.eq(value.enabled), client::settings.eq(settings), client::updated_at.eq(now)))
                    .execute(conn)
                    .await?;
                if changed == 0 {
                    return Ok(false);
                }
                record_lifetimes_in_tx(conn, &value.id, now).await?;
                replace_secrets_in_tx(conn, value.id.as_str(), secrets, now).await?;
                bump_policy_in_tx(conn).await?;
                Ok(true)
            })
            .await
        })
        .await
    }

    /// Replaces a client's secrets. More than two are a conflict. `false`: there is no such client.
    pub async fn replace_client_secrets(
        &self,
        id: &ClientId,
        secrets: &[ClientSecret],
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let secrets = &secret_rows(id.as_str(), secrets)?;
        self.run(async |conn| {
            conn.transaction(async |conn| {
                // The client's row is the lock under which its secrets change.
                let changed = diesel::update(client::table.find(id.as_str()))
                    .set(client::updated_at.eq(now))
                    .execute(conn)
                    .await?;
                if changed == 0 {
                    return Ok(false);
                }
                replace_secrets_in_tx(conn, id.as_str(), secrets, now).await?;
                bump_policy_in_tx(conn).await?;
                Ok(true)
            })
            .await
        })
        .await
    }
}

async fn replace_secrets_in_tx(
    conn: &mut AsyncPgConnection,
    client_id: &str,
    secrets: &[SecretRow],
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let stored = client_secret::table.filter(client_secret::client_id.eq(client_id).and(client_secret::kind.eq(HMAC)));
    let kept: Vec<Uuid> = secrets.iter().map(|secret| secret.id).collect();
    diesel::delete(stored.filter(client_secret::id.ne_all(kept))).execute(conn).await?;
    for secret in secrets {
        diesel::insert_into(client_secret::table)
            .values((secret, client_secret::created_at.eq(now)))
            .on_conflict((client_secret::client_id, client_secret::id))
            .do_update()
            .set((
                client_secret::mac.eq(&secret.mac),
                client_secret::key_id.eq(secret.key_id),
                client_secret::expires_at.eq(secret.expires_at),
            ))
            .execute(conn)
            .await?;
    }
    Ok(())
}

fn secret_rows(client_id: &str, secrets: &[ClientSecret]) -> Result<Vec<SecretRow>, StoreError> {
    if secrets.len() > MOST_SECRETS {
        return Err(StoreError::conflict("a client has at most two live secrets"));
    }
    let row = |secret: &ClientSecret| SecretRow {
        client_id: client_id.to_owned(),
        id: secret.id,
        kind: HMAC.to_owned(),
        mac: secret.mac.to_vec(),
        key_id: secret.key_id.into(),
        expires_at: secret.expires_at,
    };
    Ok(secrets.iter().map(row).collect())
}

/// Gathers joined rows, of which those of one client follow each other.
fn into_clients(rows: Vec<(ClientRow, Option<SecretRow>)>) -> Result<Vec<Client>, StoreError> {
    let mut clients: Vec<Client> = Vec::new();
    for (row, secret) in rows {
        let mut found = match clients.pop() {
            Some(last) if last.id.as_str() == row.client_id => last,
            other => {
                clients.extend(other);
                let settings = serde_json::from_value(row.settings).map_err(StoreError::corrupt)?;
                Client {
                    id: ClientId::new(row.client_id),
                    enabled: row.enabled,
                    settings,
                    secrets: Vec::new(),
                    generation: row.generation,
                    registered_through: row.registered_through.as_deref().and_then(RegisteredThrough::from_name),
                }
            }
        };
        if let Some(secret) = secret.filter(|secret| secret.kind == HMAC) {
            found.secrets.push(secret.into_secret()?);
        }
        clients.push(found);
    }
    Ok(clients)
}

impl SecretRow {
    fn into_secret(self) -> Result<ClientSecret, StoreError> {
        let mac = self.mac.try_into().map_err(|_| StoreError::corrupt("a client secret's MAC has another length"))?;
        let key_id = self.key_id.try_into().map_err(StoreError::corrupt)?;
        Ok(ClientSecret { id: self.id, mac, key_id, expires_at: self.expires_at })
    }
}
