//! Signing keys: their metadata, and the private keys as sealed bytes that mean nothing here.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Timestamptz};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::Postgres;
use super::pool::{Statement, failure};
use super::schema::{keyset_version, signing_key};
use crate::model::key_alg::KeyAlg;
use crate::model::signing_key::{KeyEntry, KeyPurpose, KeyState};
use crate::storage::StoreError;

/// The advisory lock of the one instance that goes on with the life cycle; the number means nothing.
const LEADER: i64 = 0x6f73_7469_6172_7901;

/// A key and its sealed private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// The metadata.
    pub entry: KeyEntry,
    /// The private key; absent if it is destroyed or elsewhere.
    pub sealed: Option<Vec<u8>>,
}

/// Every key, and the version that they were read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKeys {
    /// The version: another one means that the keys changed.
    pub version: i64,
    /// The keys, in the order in which they were made.
    pub keys: Vec<SealedKey>,
}

/// Who may hold tokens that one key signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holders {
    /// Grants that tokens were issued under while the key signed, and that go on.
    pub families: i64,
    /// The sign-ins that those belong to.
    pub sessions: i64,
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = signing_key, check_for_backend(Pg), treat_none_as_null = true)]
struct KeyRow {
    kid: String,
    alg: String,
    purpose: String,
    state: String,
    sealed: Option<Vec<u8>>,
    external: Option<Value>,
    created_at: DateTime<Utc>,
    published_at: DateTime<Utc>,
    activated_at: Option<DateTime<Utc>>,
    superseded_at: Option<DateTime<Utc>>,
    retire_at: Option<DateTime<Utc>>,
    retired_at: Option<DateTime<Utc>>,
    revoke_reason: Option<String>,
}

#[derive(QueryableByName)]
struct HoldersRow {
    #[diesel(sql_type = BigInt)]
    families: i64,
    #[diesel(sql_type = BigInt)]
    sessions: i64,
}

#[derive(QueryableByName)]
struct LockRow {
    #[diesel(sql_type = Bool)]
    is_ours: bool,
}

impl Postgres {
    /// The version of the signing keys.
    pub async fn find_keyset_version(&self) -> Result<i64, StoreError> {
        self.run(async |conn| keyset_version::table.select(keyset_version::version).first(conn).await).await
    }

    /// Every signing key, retired ones too.
    pub async fn list_signing_keys(&self) -> Result<SealedKeys, StoreError> {
        let (version, rows): (i64, Vec<KeyRow>) = self
            .run(async |conn| {
                // The version first: if a change comes between, the keys look older than they are and are read again.
                let version = keyset_version::table.select(keyset_version::version).first(conn).await?;
                let rows = signing_key::table.select(KeyRow::as_select()).order(signing_key::id).load(conn).await?;
                Ok((version, rows))
            })
            .await?;
        let keys = rows.into_iter().map(KeyRow::into_key).collect::<Result<_, _>>()?;
        Ok(SealedKeys { version, keys })
    }

    /// Puts `keys` in the place of those of the version `expected`; `false`: somebody else changed them first, and nothing
    /// is done. Keys are never deleted, only retired.
    pub async fn replace_signing_keys(&self, expected: i64, keys: &[SealedKey]) -> Result<bool, StoreError> {
        let mut rows = keys.iter().map(KeyRow::of).collect::<Result<Vec<_>, _>>()?;
        // One key signs: the one before has to make room first.
        rows.sort_by_key(|row| row.state == KeyState::Active.as_str());
        let rows = &rows;
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let is_first = diesel::update(keyset_version::table.filter(keyset_version::version.eq(expected)))
                    .set(keyset_version::version.eq(keyset_version::version + 1))
                    .execute(conn)
                    .await?;
                if is_first == 0 {
                    return Ok(false);
                }
                upsert_in_tx(conn, rows).await?;
                Ok(true)
            })
            .await
        })
        .await
    }

    /// Runs `work` unless another instance runs the same: `None`. The lock ends with its transaction, also if this process
    /// is killed. It has a connection of its own, so that `work` may use the pool, however small.
    pub async fn lead_key_rotation<T: Send>(
        &self,
        work: impl Future<Output = T> + Send,
    ) -> Result<Option<T>, StoreError> {
        let mut conn = self.connection().await?;
        conn.transaction(async |conn| {
            let lock = Statement::new("SELECT pg_try_advisory_xact_lock($1) AS is_ours").bind::<BigInt, _>(LEADER);
            if !lock.get_result::<LockRow>(conn).await?.is_ours {
                return Ok(None);
            }
            Ok(Some(work.await))
        })
        .await
        .map_err(failure)
    }

    /// Who may hold tokens that were signed between `from` and `to` and are still valid `now`, if none lives longer than
    /// `lifetime`. An estimate: the key that signed a token is not recorded, nor are tokens without a grant.
    pub async fn count_token_holders(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        lifetime: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Holders, StoreError> {
        let since = from.max(now - lifetime);
        let statement = Statement::new(
            "SELECT count(*) AS families, count(DISTINCT sid) AS sessions FROM token_family
             WHERE revoked_at IS NULL AND expires_at > $3
               AND coalesce(rotated_at, created_at) >= $1 AND created_at <= $2",
        )
        .bind::<Timestamptz, _>(since)
        .bind::<Timestamptz, _>(to)
        .bind::<Timestamptz, _>(now);
        let row: HoldersRow = self.run(async |conn| statement.get_result(conn).await).await?;
        Ok(Holders { families: row.families, sessions: row.sessions })
    }
}

async fn upsert_in_tx(conn: &mut AsyncPgConnection, rows: &[KeyRow]) -> QueryResult<()> {
    for row in rows {
        diesel::insert_into(signing_key::table)
            .values(row)
            .on_conflict(signing_key::kid)
            .do_update()
            .set(row)
            .execute(conn)
            .await?;
    }
    Ok(())
}

impl KeyRow {
    fn of(key: &SealedKey) -> Result<Self, StoreError> {
        let SealedKey { entry, sealed } = key.clone();
        let external = entry.external.map(serde_json::to_value).transpose().map_err(StoreError::corrupt)?;
        Ok(Self {
            kid: entry.kid,
            alg: entry.alg.as_str().to_owned(),
            purpose: entry.purpose.as_str().to_owned(),
            state: entry.state.as_str().to_owned(),
            sealed,
            external,
            created_at: entry.created_at,
            published_at: entry.published_at,
            activated_at: entry.activated_at,
            superseded_at: entry.superseded_at,
            retire_at: entry.retire_at,
            retired_at: entry.retired_at,
            revoke_reason: entry.revoke_reason,
        })
    }

    fn into_key(self) -> Result<SealedKey, StoreError> {
        let unknown = |column: &str, value: &str| {
            StoreError::corrupt(format!("the signing key {} has an unknown {column}, {value:?}", self.kid))
        };
        let alg = KeyAlg::from_name(&self.alg).ok_or_else(|| unknown("alg", &self.alg))?;
        let purpose = KeyPurpose::from_name(&self.purpose).ok_or_else(|| unknown("purpose", &self.purpose))?;
        let state = KeyState::from_name(&self.state).ok_or_else(|| unknown("state", &self.state))?;
        let external = self.external.map(serde_json::from_value).transpose().map_err(|error| {
            StoreError::corrupt(format!("the signing key {} has an `external` that cannot be read: {error}", self.kid))
        })?;
        let entry = KeyEntry {
            kid: self.kid,
            alg,
            purpose,
            state,
            file: None,
            external,
            created_at: self.created_at,
            published_at: self.published_at,
            activated_at: self.activated_at,
            superseded_at: self.superseded_at,
            retire_at: self.retire_at,
            retired_at: self.retired_at,
            revoke_reason: self.revoke_reason,
        };
        Ok(SealedKey { entry, sealed: self.sealed })
    }
}
