//! Registered clients as an administrator sees them: with their revision and times, and changed only in the state that the
//! change was made for.

// Clients that are named by an address.
mod document;
// Removing those that nobody uses.
mod reap;
// Clients that register themselves.
mod registration;
// Secrets.
mod secret;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::document::{DocumentOutcome, DocumentStanding, FetchedDocument, StoredDocument};
pub use self::reap::Reaping;
pub use self::registration::{NewRegistration, Registration, RegistrationOutcome, Replacement};
pub use self::secret::SecretRotation;
use self::secret::insert_secret_in_tx;
pub(super) use self::secret::rotate_secret_in_tx;
use super::Postgres;
use super::catalog::bump_policy_in_tx;
use super::kept_answer::{Creation, KeptAnswer, keep_in_tx};
use super::rollback::Rollback;
use super::schema::{client, client_secret};
use super::token_lifetime::record_lifetimes_in_tx;
use crate::model::client::{Client, ClientSettings};
use crate::model::id::ClientId;
use crate::model::registration::RegisteredThrough;
use crate::storage::StoreError;

/// A client as its row stands.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientRecord {
    /// Its identifier.
    pub id: ClientId,
    /// Whether it may do anything at all.
    pub enabled: bool,
    /// What it registered.
    pub settings: ClientSettings,
    /// Its secrets, oldest first.
    pub secrets: Vec<SecretRecord>,
    /// How it registered itself; absent: somebody registered it.
    pub registered_through: Option<RegisteredThrough>,
    /// Raised by every change of it or its secrets.
    pub revision: i64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// What can be told of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = client_secret, check_for_backend(Pg))]
pub struct SecretRecord {
    client_id: String,
    /// Its identifier.
    pub id: Uuid,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working; absent: never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// How a change went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was made; this is the revision now.
    Changed(i64),
    /// There is another revision than the expected one.
    Stale,
    /// There is no such thing.
    Absent,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = client, check_for_backend(Pg))]
struct RecordRow {
    client_id: String,
    enabled: bool,
    settings: Value,
    registered_through: Option<String>,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Postgres {
    /// The client with that identifier.
    pub async fn find_client_record(&self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError> {
        let one = client::table.filter(client::client_id.eq(id.as_str())).filter(client::deleted_at.is_null());
        let rows = self
            .run(async |conn| {
                let rows: Vec<RecordRow> = one.select(RecordRow::as_select()).load(conn).await?;
                with_secrets(conn, rows).await
            })
            .await?;
        Ok(into_records(rows)?.pop())
    }

    /// Up to `limit` clients in the order of their identifiers, beginning behind `after`. With `search`, those whose
    /// identifier or name has that text in it, in any case.
    pub async fn list_client_records(
        &self,
        after: Option<&ClientId>,
        search: Option<&str>,
        limit: i64,
    ) -> Result<Vec<ClientRecord>, StoreError> {
        let after = after.map_or("", ClientId::as_str);
        let mut page = client::table
            .select(RecordRow::as_select())
            .filter(client::client_id.gt(after))
            .filter(client::deleted_at.is_null())
            .order(client::client_id)
            .limit(limit)
            .into_boxed();
        if let Some(text) = search {
            let pattern = contains(text);
            let name = diesel::dsl::sql::<diesel::sql_types::Text>("(settings ->> 'client_name')");
            page = page.filter(client::client_id.ilike(pattern.clone()).or(name.ilike(pattern)));
        }
        let rows = self
            .run(async |conn| {
                let rows: Vec<RecordRow> = page.load(conn).await?;
                with_secrets(conn, rows).await
            })
            .await?;
        into_records(rows)
    }

    /// Registers a client with its secrets, once for each key of `answer`.
    pub async fn register_client(
        &self,
        value: &Client,
        answer: Option<&KeptAnswer>,
        now: DateTime<Utc>,
    ) -> Result<Creation, StoreError> {
        let outcome = self
            .change(async |conn| {
                conn.transaction(async |conn| {
                    if let Some(before) = keep_in_tx(conn, answer, now).await? {
                        return Ok::<_, Rollback<Creation>>(before);
                    }
                    if !insert_client_in_tx(conn, value, now).await? {
                        return Err(Rollback::Because(Creation::Taken));
                    }
                    bump_policy_in_tx(conn).await?;
                    Ok(Creation::Created)
                })
                .await
                .or_else(Rollback::into_outcome)
            })
            .await?;
        Ok(outcome)
    }

    /// Gives a client other settings, and enables or disables it.
    pub async fn change_client(
        &self,
        id: &ClientId,
        (enabled, settings): (bool, &ClientSettings),
        expected: i64,
        now: DateTime<Utc>,
    ) -> Result<Change, StoreError> {
        let settings = &serde_json::to_value(settings).map_err(StoreError::corrupt)?;
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let changed = diesel::update(expected_row(id, expected))
                    .set((client::enabled.eq(enabled), client::settings.eq(settings), client::updated_at.eq(now)))
                    .returning(client::revision)
                    .get_result(conn)
                    .await
                    .optional()?;
                record_lifetimes_in_tx(conn, id, now).await?;
                finish_in_tx(conn, id, changed).await
            })
            .await
        })
        .await
    }

    /// Takes a client away for good. Its tokens end with it; its identifier is not given again.
    pub async fn delete_client(&self, id: &ClientId, expected: i64, now: DateTime<Utc>) -> Result<Change, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let changed = diesel::update(expected_row(id, expected))
                    .set((
                        client::enabled.eq(false),
                        client::deleted_at.eq(now),
                        client::settings.eq(json!({})),
                        client::updated_at.eq(now),
                    ))
                    .returning(client::revision)
                    .get_result(conn)
                    .await
                    .optional()?;
                if changed.is_some() {
                    let own = client_secret::table.filter(client_secret::client_id.eq(id.as_str()));
                    diesel::delete(own).execute(conn).await?;
                }
                finish_in_tx(conn, id, changed).await
            })
            .await
        })
        .await
    }
}

/// A pattern for texts that have `text` in them.
pub(super) fn contains(text: &str) -> String {
    format!("%{}%", text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
}

#[diesel::dsl::auto_type]
fn expected_row<'a>(id: &'a ClientId, expected: i64) -> _ {
    let id: &'a str = id.as_str();
    client::table.filter(client::client_id.eq(id).and(client::deleted_at.is_null()).and(client::revision.eq(expected)))
}

async fn finish_in_tx(conn: &mut AsyncPgConnection, id: &ClientId, changed: Option<i64>) -> QueryResult<Change> {
    if let Some(revision) = changed {
        bump_policy_in_tx(conn).await?;
        return Ok(Change::Changed(revision));
    }
    unchanged_in_tx(conn, id).await
}

/// Why nothing was changed.
async fn unchanged_in_tx(conn: &mut AsyncPgConnection, id: &ClientId) -> QueryResult<Change> {
    let standing = client::table.filter(client::client_id.eq(id.as_str()).and(client::deleted_at.is_null()));
    let found: Option<i64> = standing.select(client::revision).first(conn).await.optional()?;
    Ok(if found.is_some() { Change::Stale } else { Change::Absent })
}

/// Inserts a client with its secrets. `false`: the identifier is taken.
pub(super) async fn insert_client_in_tx(
    conn: &mut AsyncPgConnection,
    value: &Client,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let inserted = diesel::insert_into(client::table)
        .values((
            client::client_id.eq(value.id.as_str()),
            client::enabled.eq(value.enabled),
            client::settings.eq(json!(value.settings)),
            client::registered_through.eq(value.registered_through.map(RegisteredThrough::as_str)),
            client::created_at.eq(now),
            client::updated_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    if inserted > 0 {
        record_lifetimes_in_tx(conn, &value.id, now).await?;
        for secret in &value.secrets {
            insert_secret_in_tx(conn, &value.id, secret, now).await?;
        }
    }
    Ok(inserted > 0)
}

async fn with_secrets(
    conn: &mut AsyncPgConnection,
    rows: Vec<RecordRow>,
) -> QueryResult<Vec<(RecordRow, Vec<SecretRecord>)>> {
    let ids: Vec<&str> = rows.iter().map(|row| row.client_id.as_str()).collect();
    let mut secrets: Vec<SecretRecord> = client_secret::table
        .filter(client_secret::client_id.eq_any(ids))
        .order((client_secret::created_at, client_secret::id))
        .select(SecretRecord::as_select())
        .load(conn)
        .await?;
    let mut gathered = Vec::new();
    for row in rows {
        let (own, others): (Vec<_>, Vec<_>) = secrets.into_iter().partition(|secret| secret.client_id == row.client_id);
        secrets = others;
        gathered.push((row, own));
    }
    Ok(gathered)
}

fn into_records(rows: Vec<(RecordRow, Vec<SecretRecord>)>) -> Result<Vec<ClientRecord>, StoreError> {
    let record = |(row, secrets): (RecordRow, Vec<SecretRecord>)| {
        Ok(ClientRecord {
            id: ClientId::new(row.client_id),
            enabled: row.enabled,
            settings: serde_json::from_value(row.settings).map_err(StoreError::corrupt)?,
            secrets,
            registered_through: row.registered_through.as_deref().and_then(RegisteredThrough::from_name),
            revision: row.revision,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    };
    rows.into_iter().map(record).collect()
}
