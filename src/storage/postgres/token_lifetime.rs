//! How long tokens lived, and until when: what a key signed yesterday may live longer than what is signed today.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryResult;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Postgres;
use super::pool::Statement;
use crate::model::id::ClientId;
use crate::storage::StoreError;

/// How long a lifetime is taken for given after it was last seen: longer than the job's pause, and than the while for which an
/// instance goes on with the settings that it knows.
const UNSEEN: TimeDelta = TimeDelta::minutes(5);

const LONGEST_OF_CLIENTS: &str = "
    SELECT max(greatest((settings #>> '{lifetimes,access_token}')::bigint,
                        (settings #>> '{lifetimes,id_token}')::bigint)) AS seconds
    FROM client";

const RECORD: &str = "
    INSERT INTO token_lifetime AS t (seconds, last_in_force_at) VALUES ($1, $2)
    ON CONFLICT (seconds) DO UPDATE SET last_in_force_at = greatest(t.last_in_force_at, $2)";

/// A lifetime that a client has none of is the server's.
const RECORD_OF_CLIENT: &str = "
    INSERT INTO token_lifetime AS t (seconds, last_in_force_at)
    SELECT own.seconds, $2 FROM (
        SELECT greatest((settings #>> '{lifetimes,access_token}')::bigint,
                        (settings #>> '{lifetimes,id_token}')::bigint) AS seconds
        FROM client WHERE client_id = $1
    ) own WHERE own.seconds > 0
    ON CONFLICT (seconds) DO UPDATE SET last_in_force_at = greatest(t.last_in_force_at, $2)";

#[derive(diesel::QueryableByName)]
struct LifetimeRow {
    #[diesel(sql_type = Nullable<BigInt>)]
    seconds: Option<i64>,
}

#[derive(diesel::QueryableByName)]
struct EndRow {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    at: Option<DateTime<Utc>>,
}

impl Postgres {
    /// The longest lifetime of an access or ID token that any client has of its own.
    pub async fn find_longest_token_lifetime(&self) -> Result<Option<TimeDelta>, StoreError> {
        let statement = Statement::new(LONGEST_OF_CLIENTS);
        let row: LifetimeRow = self.run(async |conn| statement.get_result(conn).await).await?;
        Ok(row.seconds.map(TimeDelta::seconds))
    }

    /// Remembers that tokens of that lifetime are given `now`.
    pub async fn record_token_lifetime(&self, lifetime: TimeDelta, now: DateTime<Utc>) -> Result<(), StoreError> {
        let statement = Statement::new(RECORD).bind::<BigInt, _>(lifetime.num_seconds()).bind::<Timestamptz, _>(now);
        self.run(async |conn| statement.execute(conn).await).await.map(drop)
    }

    /// When the last token is over that was given a longer life than `lifetime`.
    pub async fn find_end_of_longer_tokens(&self, lifetime: TimeDelta) -> Result<Option<DateTime<Utc>>, StoreError> {
        let statement = Statement::new(
            "SELECT max(last_in_force_at + make_interval(secs => seconds)) AS at FROM token_lifetime WHERE seconds > $1",
        )
        .bind::<BigInt, _>(lifetime.num_seconds());
        let row: EndRow = self.run(async |conn| statement.get_result(conn).await).await?;
        Ok(row.at.map(|at| at + UNSEEN))
    }
}

/// Remembers the lifetimes that a client was just given: they may be changed again before the job looks.
pub(super) async fn record_lifetimes_in_tx(
    conn: &mut AsyncPgConnection,
    id: &ClientId,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let statement =
        Statement::new(RECORD_OF_CLIENT).bind::<Text, _>(id.as_str().to_owned()).bind::<Timestamptz, _>(now);
    statement.execute(conn).await.map(drop)
}
