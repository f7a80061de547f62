//! Ending everything that was issued to a subject or a client.
//!
//! A person has as many families as they have applications, so theirs are updated, some at a time; their codes carry a number
//! that is raised. A client may have millions:
//! its generation is raised instead, which every statement that asks about a code, a family or a token compares.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::Postgres;
use super::catalog::bump_policy_in_tx;
use super::pool::Statement;
use super::scope_record::RevisionRow;
use crate::model::id::{ClientId, SubjectId};
use crate::storage::StoreError;

/// What came of revoking everything of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodesAndFamilies {
    /// Whether the codes that waited were ended: the subject is known.
    pub has_ended_codes: bool,
    /// How many families were revoked.
    pub families: usize,
}

/// Families whose time is over are left alone: there is nothing to end. Those that are locked are waited for, not skipped:
/// none may be left.
const REVOKE_SUBJECT: &str = "
    UPDATE token_family SET revoked_at = $4, revoke_reason = $3
    WHERE id IN (
        SELECT id FROM token_family
        WHERE subject = $1 AND client_id = coalesce($2, client_id) AND revoked_at IS NULL AND expires_at > $4
        ORDER BY id LIMIT $5 FOR UPDATE
    ) AND revoked_at IS NULL";

const REVOKE_CLIENT: &str = "
    UPDATE client SET generation = generation + 1, updated_at = $2
    WHERE client_id = $1 AND deleted_at IS NULL
    RETURNING revision";

const REVOKE_CODES: &str = "UPDATE subject SET code_generation = code_generation + 1, updated_at = $2 WHERE id = $1";

/// Ends the codes of a subject that wait to be redeemed. An exchange under way holds a share of the row: it comes wholly before,
/// and whoever looks for families next finds its own, or wholly after, and is refused.
pub(super) async fn revoke_codes_in_tx(
    conn: &mut AsyncPgConnection,
    subject: &SubjectId,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let revoke = Statement::new(REVOKE_CODES).bind::<Text, _>(subject.as_str()).bind::<Timestamptz, _>(now);
    revoke.execute(conn).await.map(|rows| rows > 0)
}

async fn revoke_families_in_tx(
    conn: &mut AsyncPgConnection,
    subject: &SubjectId,
    client_id: Option<&ClientId>,
    reason: &str,
    limit: i64,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let statement = Statement::new(REVOKE_SUBJECT)
        .bind::<Text, _>(subject.as_str())
        .bind::<Nullable<Text>, _>(client_id.map(ClientId::as_str))
        .bind::<Text, _>(reason)
        .bind::<Timestamptz, _>(now)
        .bind::<BigInt, _>(limit);
    statement.execute(conn).await
}

impl Postgres {
    /// Ends the codes of a subject that wait to be redeemed, whatever client they are for (what is in the state store cannot be
    /// looked through), and revokes up to `limit` families of theirs, with `client_id` only those of that client. One
    /// transaction, so that a record of it tells of something that was done. The codes end first, or a family that is made
    /// meanwhile would be missed.
    pub async fn revoke_codes_and_families_of(
        &self,
        subject: &SubjectId,
        client_id: Option<&ClientId>,
        reason: &str,
        limit: i64,
        now: DateTime<Utc>,
    ) -> Result<CodesAndFamilies, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let has_ended_codes = revoke_codes_in_tx(conn, subject, now).await?;
                let families = revoke_families_in_tx(conn, subject, client_id, reason, limit, now).await?;
                Ok(CodesAndFamilies { has_ended_codes, families })
            })
            .await
        })
        .await
    }

    /// Revokes up to `limit` families of a subject, with `client_id` only those of that client, and says how many.
    pub async fn revoke_families_of(
        &self,
        subject: &SubjectId,
        client_id: Option<&ClientId>,
        reason: &str,
        limit: i64,
        now: DateTime<Utc>,
    ) -> Result<usize, StoreError> {
        self.run(async |conn| revoke_families_in_tx(conn, subject, client_id, reason, limit, now).await).await
    }

    /// Ends every code, family and token that was issued to a client until now. `false`: there is no such client.
    pub async fn revoke_client(&self, id: &ClientId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let revoke = Statement::new(REVOKE_CLIENT).bind::<Text, _>(id.as_str()).bind::<Timestamptz, _>(now);
                let revoked = revoke.get_result::<RevisionRow>(conn).await.optional()?;
                if revoked.is_some() {
                    bump_policy_in_tx(conn).await?;
                }
                Ok(revoked.is_some())
            })
            .await
        })
        .await
    }
}
