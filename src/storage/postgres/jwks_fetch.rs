//! Who fetched the key set and when, and who should have.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::Postgres;
use super::pool::Statement;
use crate::model::id::ClientId;
use crate::model::jwks_fetch::{ClientFetch, Fetcher, JwksAudience, UnnamedFetch};
use crate::storage::StoreError;

/// How long a fetch is remembered, and how long a client without new tokens counts as one in use.
pub const REMEMBERED: TimeDelta = TimeDelta::days(30);

/// Anybody may fetch under any name and from many networks: beyond this many no new ones are written down.
const MOST_UNNAMED: i64 = 10_000;

/// Names that are no client's are left out. In the order of the key, so that instances that write at once do not wait for
/// each other in a circle.
const RECORD: &str = "
    INSERT INTO jwks_fetch AS f (client_id, network, agent, fetched_at)
    SELECT n.client_id, n.network, n.agent, n.fetched_at
    FROM unnest($1, $2, $3, $4) AS n (client_id, network, agent, fetched_at)
    WHERE CASE WHEN n.client_id <> '' THEN
            EXISTS (SELECT 1 FROM client c WHERE c.client_id = n.client_id AND c.deleted_at IS NULL)
        ELSE
            EXISTS (SELECT 1 FROM jwks_fetch k WHERE k.client_id = '' AND k.network = n.network AND k.agent = n.agent)
            OR (SELECT count(*) FROM jwks_fetch k WHERE k.client_id = '') < $5
        END
    ORDER BY n.client_id, n.network, n.agent
    ON CONFLICT (client_id, network, agent) DO UPDATE SET fetched_at = EXCLUDED.fetched_at
        WHERE f.fetched_at < EXCLUDED.fetched_at
    RETURNING f.client_id";

const NAMED: &str = "SELECT client_id FROM jwks_fetch WHERE client_id <> '' ORDER BY fetched_at DESC LIMIT $1";

/// Tokens that clients get for themselves are not recorded, and need no key to be read by them.
const CLIENTS: &str = "
    SELECT a.client_id, a.last_token_at, k.fetched_at
    FROM (
        SELECT client_id, max(greatest(created_at, rotated_at)) AS last_token_at FROM token_family
        WHERE created_at > $1 OR rotated_at > $1 GROUP BY client_id
    ) a
    JOIN client c ON c.client_id = a.client_id AND c.enabled AND c.deleted_at IS NULL
    LEFT JOIN jwks_fetch k ON k.client_id = a.client_id
    ORDER BY a.client_id";

const OTHERS: &str = "
    SELECT network, agent, fetched_at FROM jwks_fetch WHERE client_id = '' AND fetched_at > $1
    ORDER BY fetched_at, network, agent";

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = Text)]
    client_id: String,
}

#[derive(QueryableByName)]
struct ClientRow {
    #[diesel(sql_type = Text)]
    client_id: String,
    #[diesel(sql_type = Timestamptz)]
    last_token_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    fetched_at: Option<DateTime<Utc>>,
}

#[derive(QueryableByName)]
struct UnnamedRow {
    #[diesel(sql_type = Text)]
    network: String,
    #[diesel(sql_type = Text)]
    agent: String,
    #[diesel(sql_type = Timestamptz)]
    fetched_at: DateTime<Utc>,
}

impl Postgres {
    /// Up to `limit` names under which clients fetched the key set, those that did last.
    pub async fn list_named_fetchers(&self, limit: usize) -> Result<Vec<ClientId>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let statement = Statement::new(NAMED).bind::<BigInt, _>(limit);
        let rows: Vec<NameRow> = self.run(async |conn| statement.load(conn).await).await?;
        Ok(rows.into_iter().map(|row| ClientId::new(row.client_id)).collect())
    }

    /// Writes down who fetched the key set last, in one statement, and says which of the names are clients'.
    pub async fn record_jwks_fetches(&self, fetches: &[(Fetcher, DateTime<Utc>)]) -> Result<Vec<ClientId>, StoreError> {
        let (mut ids, mut networks, mut agents, mut times) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (fetcher, at) in fetches {
            let (id, network, agent) = match fetcher {
                Fetcher::Client(id) => (id.as_str(), "", ""),
                Fetcher::Unnamed { network, agent } => ("", network.as_str(), agent.as_str()),
            };
            ids.push(id);
            networks.push(network);
            agents.push(agent);
            times.push(*at);
        }
        let statement = Statement::new(RECORD)
            .bind::<Array<Text>, _>(ids)
            .bind::<Array<Text>, _>(networks)
            .bind::<Array<Text>, _>(agents)
            .bind::<Array<Timestamptz>, _>(times)
            .bind::<BigInt, _>(MOST_UNNAMED);
        let rows: Vec<NameRow> = self.run(async |conn| statement.load(conn).await).await?;
        let names = rows.into_iter().map(|row| row.client_id).filter(|name| !name.is_empty());
        Ok(names.map(ClientId::new).collect())
    }

    /// The clients that got tokens lately, and everybody who fetched the key set, with the last time of each.
    pub async fn find_jwks_audience(&self, now: DateTime<Utc>) -> Result<JwksAudience, StoreError> {
        let since = now - REMEMBERED;
        let clients = Statement::new(CLIENTS).bind::<Timestamptz, _>(since);
        let others = Statement::new(OTHERS).bind::<Timestamptz, _>(since);
        let clients: Vec<ClientRow> = self.run(async |conn| clients.load(conn).await).await?;
        let others: Vec<UnnamedRow> = self.run(async |conn| others.load(conn).await).await?;
        let client = |ClientRow { client_id, last_token_at, fetched_at }| ClientFetch {
            client_id: ClientId::new(client_id),
            last_token_at,
            fetched_at,
        };
        let other = |UnnamedRow { network, agent, fetched_at }| UnnamedFetch { network, agent, fetched_at };
        Ok(JwksAudience {
            clients: clients.into_iter().map(client).collect(),
            others: others.into_iter().map(other).collect(),
        })
    }
}
