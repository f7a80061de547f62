//! Removal of clients that nobody registered by hand and nobody uses.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::{Value, json};

use crate::model::audit::AuditEventKind;
use crate::model::client::GrantType;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::pool::Statement;

/// The grants whose use leaves a family. A client with another one may be used without a trace, and stays.
const TRACED: [GrantType; 4] =
    [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::DeviceCode, GrantType::Ciba];

/// Which clients are nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaping {
    /// Those that were never used and are older; absent: none.
    pub unused_since: Option<DateTime<Utc>>,
    /// Those that were last used before; absent: none.
    pub idle_since: Option<DateTime<Utc>>,
    /// So many at once.
    pub limit: i64,
}

/// A client that an administrator changed has another revision than it has made by itself. A row that somebody holds is in use in
/// this very moment: redeeming a code holds the row of such a client.
const HOLD: &str = "
    SELECT c.client_id FROM client c
        LEFT JOIN client_registration r ON r.client_id = c.client_id
        LEFT JOIN client_metadata_document d ON d.client_id = c.client_id
        LEFT JOIN client_use u ON u.client_id = c.client_id
    WHERE c.registered_through IS NOT NULL AND c.enabled AND c.deleted_at IS NULL
        AND c.revision = coalesce(r.client_revision, d.client_revision)
        AND c.settings -> 'grant_types' <@ $3
        AND greatest(c.updated_at, d.fetched_at, u.used_at) <= CASE WHEN u.client_id IS NULL THEN $1 ELSE $2 END
        AND NOT EXISTS (SELECT 1 FROM token_family f WHERE f.client_id = c.client_id)
    ORDER BY c.client_id LIMIT $4 FOR UPDATE OF c SKIP LOCKED";

/// Looks again, as of now: while the rows were not held yet, the first family of one may have been made. Held, none can be made
/// before this is over, and none afterwards.
const REAP: &str = "
    WITH gone AS (
        DELETE FROM client c
        WHERE c.client_id = ANY ($1) AND NOT EXISTS (SELECT 1 FROM token_family f WHERE f.client_id = c.client_id)
        RETURNING c.client_id
    ), registrations AS (
        DELETE FROM client_registration r USING gone WHERE r.client_id = gone.client_id
    ), documents AS (
        DELETE FROM client_metadata_document d USING gone WHERE d.client_id = gone.client_id
    ), uses AS (
        DELETE FROM client_use u USING gone WHERE u.client_id = gone.client_id
    ), consents AS (
        DELETE FROM consent o USING gone WHERE o.client_id = gone.client_id
    ), announced AS (
        UPDATE policy_version SET version = version + 1 WHERE EXISTS (SELECT 1 FROM gone)
    )
    INSERT INTO audit_event (event, outcome, actor_kind, client_id, happened_at)
    SELECT $2, 'success', 'server', client_id, $3 FROM gone";

#[derive(diesel::QueryableByName)]
struct IdRow {
    #[diesel(sql_type = Text)]
    client_id: String,
}

impl Postgres {
    /// Removes clients that nobody registered by hand and nobody uses, with all that is kept of them; how many. Rows that are
    /// gone leave no name behind that could come to life: nothing carries it, or there would be a family.
    pub async fn reap_clients(&self, reaping: Reaping, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let traced: Value = json!(TRACED.map(GrantType::as_str));
        self.run(async |conn| {
            conn.transaction(async |conn| {
                let hold = Statement::new(HOLD)
                    .bind::<Nullable<Timestamptz>, _>(reaping.unused_since)
                    .bind::<Nullable<Timestamptz>, _>(reaping.idle_since)
                    .bind::<Jsonb, _>(&traced)
                    .bind::<BigInt, _>(reaping.limit);
                let held: Vec<IdRow> = hold.load(conn).await?;
                if held.is_empty() {
                    return Ok(0);
                }
                let reap = Statement::new(REAP)
                    .bind::<Array<Text>, _>(held.into_iter().map(|row| row.client_id).collect::<Vec<_>>())
                    .bind::<Text, _>(AuditEventKind::ClientReaped.as_str())
                    .bind::<Timestamptz, _>(now);
                reap.execute(conn).await
            })
            .await
        })
        .await
    }
}
