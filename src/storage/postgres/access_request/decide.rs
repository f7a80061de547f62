//! Deciding on a request, once.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{BigInt, Binary, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde_json::Value;
use uuid::Uuid;

use super::{AccessRequestStatus, is_there};
use crate::model::client::Client;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::catalog::bump_policy_in_tx;
use crate::storage::postgres::client_record::insert_client_in_tx;
use crate::storage::postgres::pool::Statement;
use crate::storage::postgres::rollback::Rollback;

/// Who decides, and what they say.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// Who.
    pub by: &'a str,
    /// What they say to the person.
    pub note: Option<&'a str>,
    /// The revision that they saw; absent: whatever is there.
    pub expected: Option<i64>,
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionOutcome {
    /// It stands.
    Decided,
    /// It was decided before.
    DecidedBefore,
    /// It is not what they saw any more.
    Stale,
    /// There is no such request.
    Absent,
    /// There is a client with that identifier, or was.
    Taken,
}

const DECIDE: &str = "
    UPDATE access_request SET status = $2, decided_by = $3, decided_at = $4, note = $5,
        settings = coalesce($6, settings), client_id = $7, sealed_secret = $8
    WHERE id = $1 AND status = 'open' AND revision = coalesce($9, revision)
    RETURNING true AS is_there";

const IS_THERE: &str =
    "SELECT true AS is_there FROM access_request WHERE id = $1 AND revision = coalesce($2, revision)";

impl Postgres {
    /// Registers the client and lets its credentials wait for the person.
    pub async fn approve_access_request(
        &self,
        id: Uuid,
        client: &Client,
        sealed_secret: Option<&[u8]>,
        decision: Decision<'_>,
        now: DateTime<Utc>,
    ) -> Result<DecisionOutcome, StoreError> {
        let settings = &serde_json::to_value(&client.settings).map_err(StoreError::corrupt)?;
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let decide = Statement::new(DECIDE)
                    .bind::<SqlUuid, _>(id)
                    .bind::<Text, _>(AccessRequestStatus::Approved.as_str())
                    .bind::<Text, _>(decision.by)
                    .bind::<Timestamptz, _>(now)
                    .bind::<Nullable<Text>, _>(decision.note)
                    .bind::<Nullable<Jsonb>, _>(Some(settings))
                    .bind::<Nullable<Text>, _>(Some(client.id.as_str()))
                    .bind::<Nullable<Binary>, _>(sealed_secret)
                    .bind::<Nullable<BigInt>, _>(decision.expected);
                if !is_there(decide, conn).await? {
                    return Err(Rollback::Because(undecided_in_tx(conn, id, decision.expected).await?));
                }
                if !insert_client_in_tx(conn, client, now).await? {
                    return Err(Rollback::Because(DecisionOutcome::Taken));
                }
                bump_policy_in_tx(conn).await?;
                Ok(DecisionOutcome::Decided)
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }

    /// Refuses a request.
    pub async fn refuse_access_request(
        &self,
        id: Uuid,
        decision: Decision<'_>,
        now: DateTime<Utc>,
    ) -> Result<DecisionOutcome, StoreError> {
        self.change(async |conn| {
            let decide = Statement::new(DECIDE)
                .bind::<SqlUuid, _>(id)
                .bind::<Text, _>(AccessRequestStatus::Refused.as_str())
                .bind::<Text, _>(decision.by)
                .bind::<Timestamptz, _>(now)
                .bind::<Nullable<Text>, _>(decision.note)
                .bind::<Nullable<Jsonb>, _>(None::<&Value>)
                .bind::<Nullable<Text>, _>(None::<&str>)
                .bind::<Nullable<Binary>, _>(None::<&[u8]>)
                .bind::<Nullable<BigInt>, _>(decision.expected);
            if is_there(decide, conn).await? {
                return Ok(DecisionOutcome::Decided);
            }
            undecided_in_tx(conn, id, decision.expected).await
        })
        .await
    }
}

/// Why a request could not be decided.
async fn undecided_in_tx(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    expected: Option<i64>,
) -> QueryResult<DecisionOutcome> {
    let find =
        |revision: Option<i64>| Statement::new(IS_THERE).bind::<SqlUuid, _>(id).bind::<Nullable<BigInt>, _>(revision);
    if !is_there(find(None), conn).await? {
        return Ok(DecisionOutcome::Absent);
    }
    let is_as_seen = is_there(find(expected), conn).await?;
    Ok(if is_as_seen { DecisionOutcome::DecidedBefore } else { DecisionOutcome::Stale })
}
