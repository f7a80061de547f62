//! Removal of what no decision needs any more.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::RunQueryDsl;

use super::Postgres;
use super::jwks_fetch::REMEMBERED;
use super::pool::Statement;
use crate::storage::StoreError;

/// How long a row stays after its end, so that late questions still find the reason.
const KEPT: TimeDelta = TimeDelta::days(1);

/// How long an effect that never worked stays for the operator to see.
const FAILURE_KEPT: TimeDelta = TimeDelta::days(30);

/// A live session needs its last family of each client: it is how logout knows whom to tell. A client that nobody registered by
/// hand goes when it is not used: when it was, its families say as long as they are there.
const FAMILIES: &str = "
    WITH gone AS (
        DELETE FROM token_family WHERE id IN (
            SELECT f.id FROM token_family f
            WHERE f.expires_at <= $1 AND (
                NOT EXISTS (SELECT 1 FROM session s WHERE s.sid = f.sid AND s.ended_at IS NULL)
                OR EXISTS (SELECT 1 FROM token_family n WHERE n.sid = f.sid AND n.client_id = f.client_id
                    AND (n.expires_at, n.id) > (f.expires_at, f.id))
            )
            ORDER BY f.expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        RETURNING client_id, coalesce(rotated_at, created_at) AS used_at
    ), used AS (
        INSERT INTO client_use AS u (client_id, used_at)
        SELECT c.client_id, max(gone.used_at) FROM gone JOIN client c ON c.client_id = gone.client_id
        WHERE c.registered_through IS NOT NULL
        GROUP BY c.client_id ORDER BY c.client_id
        ON CONFLICT (client_id) DO UPDATE SET used_at = greatest(u.used_at, EXCLUDED.used_at)
    )
    SELECT 1 FROM gone";

const SESSIONS: &str = "
    DELETE FROM session WHERE sid IN (
        SELECT sid FROM session WHERE ended_at <= $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )";

const REVOKED_TOKENS: &str = "
    DELETE FROM revoked_token WHERE jti IN (
        SELECT jti FROM revoked_token WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )";

const KEPT_ANSWERS: &str = "
    DELETE FROM kept_answer WHERE (principal, key) IN (
        SELECT principal, key FROM kept_answer WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )";

const JWKS_FETCHES: &str = "
    DELETE FROM jwks_fetch WHERE (client_id, network, agent) IN (
        SELECT client_id, network, agent FROM jwks_fetch WHERE fetched_at <= $1 ORDER BY fetched_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    )";

const TOKEN_LIFETIMES: &str = "
    DELETE FROM token_lifetime WHERE seconds IN (
        SELECT seconds FROM token_lifetime WHERE last_in_force_at + make_interval(secs => seconds) <= $1
        ORDER BY seconds LIMIT $2 FOR UPDATE SKIP LOCKED
    )";

const OUTBOX: &str = "
    DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox
        WHERE (done_at IS NOT NULL OR failed_at IS NOT NULL)
            AND coalesce(done_at, failed_at) <= $1 AND (failed_at IS NULL OR failed_at <= $3)
        ORDER BY coalesce(done_at, failed_at) LIMIT $2 FOR UPDATE SKIP LOCKED
    )";

impl Postgres {
    /// Deletes up to `limit` rows of each table that ended more than a day ago, and says how many in all.
    pub async fn delete_expired(&self, limit: i64, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let over = now - KEPT;
        let mut deleted = 0;
        let old = now - REMEMBERED;
        let rows = [
            (FAMILIES, over),
            (SESSIONS, over),
            (REVOKED_TOKENS, over),
            (KEPT_ANSWERS, over),
            (TOKEN_LIFETIMES, over),
            (JWKS_FETCHES, old),
        ];
        for (sql, over) in rows {
            let statement = Statement::new(sql).bind::<Timestamptz, _>(over).bind::<BigInt, _>(limit);
            deleted += self.run(async |conn| statement.execute(conn).await).await?;
        }
        let statement = Statement::new(OUTBOX)
            .bind::<Timestamptz, _>(over)
            .bind::<BigInt, _>(limit)
            .bind::<Timestamptz, _>(now - FAILURE_KEPT);
        deleted += self.run(async |conn| statement.execute(conn).await).await?;
        Ok(deleted)
    }
}
