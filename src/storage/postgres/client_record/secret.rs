//! Secrets of a client, which change under the lock of its row.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Change, expected_row, unchanged_in_tx};
use crate::model::client::ClientSecret;
use crate::model::id::ClientId;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::catalog::bump_policy_in_tx;
use crate::storage::postgres::kept_answer::{Creation, KeptAnswer, keep_in_tx};
use crate::storage::postgres::rollback::Rollback;
use crate::storage::postgres::schema::{client, client_secret};

/// How giving a client a new secret went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRotation {
    /// It has it, or had it given before.
    Settled(Creation),
    /// There is another revision than the expected one.
    Stale,
    /// There is no such client.
    Absent,
}

impl Postgres {
    /// Gives a client one more secret. Those that it has work until `overlap_until` at most; of several only the newest goes
    /// on, so that two are live and no more. A repeated request gets its answer whatever the revision is by now.
    pub async fn rotate_client_secret(
        &self,
        (id, expected): (&ClientId, i64),
        secret: &ClientSecret,
        overlap_until: DateTime<Utc>,
        answer: Option<&KeptAnswer>,
        now: DateTime<Utc>,
    ) -> Result<SecretRotation, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                if let Some(before) = keep_in_tx(conn, answer, now).await? {
                    return Ok::<_, Rollback<SecretRotation>>(SecretRotation::Settled(before));
                }
                match lock_in_tx(conn, id, expected, now).await? {
                    Change::Changed(_) => {}
                    Change::Stale => return Err(Rollback::Because(SecretRotation::Stale)),
                    Change::Absent => return Err(Rollback::Because(SecretRotation::Absent)),
                }
                rotate_secret_in_tx(conn, id, secret, overlap_until, now).await?;
                bump_policy_in_tx(conn).await?;
                Ok(SecretRotation::Settled(Creation::Created))
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }

    /// Takes a secret away at once.
    pub async fn delete_client_secret(
        &self,
        (id, expected): (&ClientId, i64),
        secret: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Change, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let locked = lock_in_tx(conn, id, expected, now).await?;
                if !matches!(locked, Change::Changed(_)) {
                    return Ok(locked);
                }
                let own = client_secret::table.find((id.as_str(), secret));
                if diesel::delete(own).execute(conn).await? == 0 {
                    return Err(Rollback::Because(Change::Absent));
                }
                bump_policy_in_tx(conn).await?;
                Ok(locked)
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }
}

/// Takes the client's row, the lock under which its secrets change, if it is in the expected state.
async fn lock_in_tx(
    conn: &mut AsyncPgConnection,
    id: &ClientId,
    expected: i64,
    now: DateTime<Utc>,
) -> QueryResult<Change> {
    let locked: Option<i64> = diesel::update(expected_row(id, expected))
        .set(client::updated_at.eq(now))
        .returning(client::revision)
        .get_result(conn)
        .await
        .optional()?;
    match locked {
        Some(revision) => Ok(Change::Changed(revision)),
        None => unchanged_in_tx(conn, id).await,
    }
}

/// Gives a client one more secret, under the lock of its row.
pub(in crate::storage::postgres) async fn rotate_secret_in_tx(
    conn: &mut AsyncPgConnection,
    id: &ClientId,
    secret: &ClientSecret,
    overlap_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let own = client_secret::table.filter(client_secret::client_id.eq(id.as_str()));
    let live = own.filter(client_secret::expires_at.is_null().or(client_secret::expires_at.gt(now)));
    let newest = live
        .order((client_secret::created_at.desc(), client_secret::id.desc()))
        .select(client_secret::id)
        .first::<Uuid>(conn)
        .await
        .optional()?;
    let kept: Vec<Uuid> = newest.into_iter().filter(|_| overlap_until > now).collect();
    diesel::delete(own.filter(client_secret::id.ne_all(&kept))).execute(conn).await?;
    let too_long = client_secret::expires_at.is_null().or(client_secret::expires_at.gt(overlap_until));
    diesel::update(own.filter(too_long)).set(client_secret::expires_at.eq(overlap_until)).execute(conn).await?;
    insert_secret_in_tx(conn, id, secret, now).await
}

pub(super) async fn insert_secret_in_tx(
    conn: &mut AsyncPgConnection,
    id: &ClientId,
    secret: &ClientSecret,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    diesel::insert_into(client_secret::table)
        .values((
            client_secret::client_id.eq(id.as_str()),
            client_secret::id.eq(secret.id),
            client_secret::mac.eq(secret.mac.as_slice()),
            client_secret::key_id.eq(i16::from(secret.key_id)),
            client_secret::expires_at.eq(secret.expires_at),
            client_secret::created_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
