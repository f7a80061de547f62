//! How much there is, for the first page of the console.

use chrono::{DateTime, Utc};
use diesel::prelude::QueryableByName;
use diesel::sql_types::{BigInt, Timestamptz};

use super::Postgres;
use super::pool::Statement;
use crate::storage::StoreError;

/// How much there is of each kind, as far as it was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, QueryableByName)]
pub struct Overview {
    /// Registered clients.
    #[diesel(sql_type = BigInt)]
    pub clients: i64,
    /// People who were not deleted, disabled ones too.
    #[diesel(sql_type = BigInt)]
    pub people: i64,
    /// Sessions that have not ended.
    #[diesel(sql_type = BigInt)]
    pub sessions: i64,
    /// Requests for clients that nobody decided.
    #[diesel(sql_type = BigInt)]
    pub open_requests: i64,
}

impl Overview {
    /// Nothing is counted further than this, so that the page costs the same however much there is.
    pub const MOST: i64 = 10_000;
}

const COUNT: &str = "
    SELECT
        (SELECT count(*) FROM (SELECT 1 FROM client WHERE deleted_at IS NULL LIMIT $2) c) AS clients,
        (SELECT count(*) FROM (SELECT 1 FROM subject WHERE deleted_at IS NULL LIMIT $2) p) AS people,
        (SELECT count(*) FROM (SELECT 1 FROM session WHERE ended_at IS NULL AND expires_at > $1 LIMIT $2) s) AS sessions,
        (SELECT count(*) FROM (SELECT 1 FROM access_request WHERE status = 'open' LIMIT $2) r) AS open_requests";

impl Postgres {
    /// Counts, each kind up to one more than [`Overview::MOST`].
    pub async fn count_overview(&self, now: DateTime<Utc>) -> Result<Overview, StoreError> {
        let statement = Statement::new(COUNT).bind::<Timestamptz, _>(now).bind::<BigInt, _>(Overview::MOST + 1);
        self.run(async |conn| statement.get_result::<Overview>(conn).await).await
    }
}
