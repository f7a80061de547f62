//! Answers to creations, kept for whoever asks again with the same key. They are written in the transaction of the
//! creation: of two that race, the second waits for the first and finds its answer.

use chrono::{DateTime, Utc};
use diesel::prelude::QueryableByName;
use diesel::sql_types::{Binary, Bool, Text, Timestamptz};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::Postgres;
use super::pool::{Statement, failure};
use super::rollback::Rollback;
use crate::storage::StoreError;

/// An answer to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Who asked; keys of different callers have nothing to do with each other.
    pub principal: String,
    /// The `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of what was asked.
    pub request_hash: [u8; 32],
    /// The answer, sealed.
    pub sealed: Vec<u8>,
    /// How long it is kept.
    pub expires_at: DateTime<Utc>,
}

/// How a creation went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It was made.
    Created,
    /// It was made before, by the same request; this is the sealed answer to that.
    Repeated(Vec<u8>),
    /// The key was used for another request.
    Mismatch,
    /// There is one with that identifier already.
    Taken,
}

const KEEP: &str = "
    INSERT INTO kept_answer AS k (principal, key, request_hash, sealed, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (principal, key) DO UPDATE SET request_hash = EXCLUDED.request_hash, sealed = EXCLUDED.sealed,
        created_at = EXCLUDED.created_at, expires_at = EXCLUDED.expires_at WHERE k.expires_at <= $5
    RETURNING true AS is_new";

const FIND: &str = "SELECT request_hash, sealed FROM kept_answer WHERE principal = $1 AND key = $2";

const SEAL: &str = "UPDATE kept_answer SET sealed = $3 WHERE principal = $1 AND key = $2";

#[derive(QueryableByName)]
struct NewRow {
    #[diesel(sql_type = Bool)]
    is_new: bool,
}

#[derive(QueryableByName)]
struct KeptRow {
    #[diesel(sql_type = Binary)]
    request_hash: Vec<u8>,
    #[diesel(sql_type = Binary)]
    sealed: Vec<u8>,
}

impl Postgres {
    /// Does `work`, whose sealed answer is kept under the key of `claim`, or finds the answer of before: `None` if the key was
    /// used for something else. Of two that race the second waits for the first; what fails is not kept. For what is made
    /// elsewhere than in this transaction: a process that ends in between has made it without keeping the answer. Like
    /// [`Postgres::lead_key_rotation`] it has a connection of its own.
    pub async fn answer_once<E: Send>(
        &self,
        claim: &KeptAnswer,
        now: DateTime<Utc>,
        work: impl Future<Output = Result<Vec<u8>, E>> + Send,
    ) -> Result<Result<Option<Vec<u8>>, E>, StoreError> {
        let mut conn = self.connection().await?;
        let outcome = conn
            .transaction(async |conn| {
                match keep_in_tx(conn, Some(claim), now).await? {
                    None => {}
                    Some(Creation::Repeated(sealed)) => return Ok(Ok(Some(sealed))),
                    Some(Creation::Created | Creation::Mismatch | Creation::Taken) => return Ok(Ok(None)),
                }
                let sealed = match work.await {
                    Ok(sealed) => sealed,
                    Err(error) => return Err(Rollback::Because(Err(error))),
                };
                let seal = Statement::new(SEAL)
                    .bind::<Text, _>(&claim.principal)
                    .bind::<Text, _>(&claim.key)
                    .bind::<Binary, _>(&sealed);
                seal.execute(conn).await?;
                Ok(Ok(Some(sealed)))
            })
            .await;
        outcome.or_else(Rollback::into_outcome).map_err(failure)
    }
}

/// Keeps the answer, or says what was answered before under its key. The first step of a creation.
pub(super) async fn keep_in_tx(
    conn: &mut AsyncPgConnection,
    answer: Option<&KeptAnswer>,
    now: DateTime<Utc>,
) -> QueryResult<Option<Creation>> {
    let Some(answer) = answer else { return Ok(None) };
    let keep = Statement::new(KEEP)
        .bind::<Text, _>(&answer.principal)
        .bind::<Text, _>(&answer.key)
        .bind::<Binary, _>(answer.request_hash.as_slice())
        .bind::<Binary, _>(&answer.sealed)
        .bind::<Timestamptz, _>(now)
        .bind::<Timestamptz, _>(answer.expires_at);
    if keep.get_result::<NewRow>(conn).await.optional()?.is_some_and(|row| row.is_new) {
        return Ok(None);
    }
    let find = Statement::new(FIND).bind::<Text, _>(&answer.principal).bind::<Text, _>(&answer.key);
    let kept: KeptRow = find.get_result(conn).await?;
    let is_same = kept.request_hash == answer.request_hash;
    Ok(Some(if is_same { Creation::Repeated(kept.sealed) } else { Creation::Mismatch }))
}
