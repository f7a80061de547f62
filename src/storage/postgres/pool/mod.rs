//! The pool of connections, and how a verb runs on one.

// Which `StoreError` a database error is.
mod failure;
// Statements that the query builder cannot say.
mod statement;
// Where the server is and how to reach it, with TLS.
mod target;
// Certificates of the server.
mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::Runtime;
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use diesel_async::SimpleAsyncConnection;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use secrecy::SecretString;

pub(super) use failure::failure;
pub(super) use statement::Statement;
pub(super) use target::Target;

use crate::model::audit::AuditRecord;
use crate::storage::StoreError;
use crate::telemetry::metrics::CallTimes;

/// How long a statement may go on at the server after we gave up on it.
const SERVER_MARGIN: Duration = Duration::from_millis(500);

/// The connections of a pool at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// The most there may be.
    pub most: usize,
    /// Those that are open.
    pub open: usize,
    /// Those of them that nobody uses.
    pub idle: usize,
    /// Who waits for one.
    pub waiting: usize,
}

/// How to reach Postgres, and how patient to be.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// `postgres://user:password@host/database`, `host=/folder` for a Unix socket. `sslmode` is `disable`, `prefer`
    /// (TLS if offered, without checking who answers), `require` or `verify-full` (both check the certificate and its
    /// name against `sslrootcert`, else against the system's roots).
    pub url: SecretString,
    /// The most connections this process opens.
    pub pool_size: usize,
    /// How long a request waits for a connection.
    pub acquire_timeout: Duration,
    /// How long one verb may take.
    pub statement_timeout: Duration,
}

/// The durable store. Cloning is cheap; clones share the connections.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool<AsyncPgConnection>,
    /// One connection, for whoever asks whether the server answers.
    probe: Pool<AsyncPgConnection>,
    target: Arc<Target>,
    statement_timeout: Duration,
    /// What the next change is recorded as; nothing: it is not.
    pub(super) records: Arc<[AuditRecord]>,
    times: CallTimes,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").finish_non_exhaustive()
    }
}

impl Postgres {
    /// Reads the options and makes an empty pool. Connections are made when they are needed, so this succeeds while the
    /// server is down; [`Self::ping`] tells.
    pub fn connect(options: &PostgresOptions) -> Result<Self, StoreError> {
        let target = Arc::new(Target::parse(&options.url)?);
        let statement_timeout = options.statement_timeout;
        let server_timeout = statement_timeout.saturating_add(SERVER_MARGIN);
        let of_size = |size: usize| {
            Pool::builder(manager(&target, server_timeout))
                .max_size(size)
                .wait_timeout(Some(options.acquire_timeout))
                .create_timeout(Some(options.acquire_timeout))
                .runtime(Runtime::Tokio1)
                .build()
                .map_err(StoreError::unavailable)
        };
        let (pool, probe) = (of_size(options.pool_size.max(1))?, of_size(1)?);
        Ok(Self { pool, probe, target, statement_timeout, records: Arc::default(), times: CallTimes::default() })
    }

    /// Whether the server answers. It has a connection of its own for that: an instance whose connections are all in use is busy,
    /// and to take it out of service would leave its work to the others, until they are as busy.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.run_on(&self.probe, async |conn| conn.batch_execute("SELECT 1").await).await
    }

    /// A connection outside of the pool, for work that holds it for long.
    pub(super) async fn connection(&self) -> Result<AsyncPgConnection, StoreError> {
        let timeout = self.statement_timeout.saturating_add(SERVER_MARGIN);
        self.target.establish(Some(timeout)).await.map_err(StoreError::unavailable)
    }

    /// Runs a verb on a connection of the pool.
    ///
    /// A verb that does not end in time is an outage, and its connection is thrown away: an answer may still come on it.
    pub(super) async fn run<T, Verb>(&self, verb: Verb) -> Result<T, StoreError>
    where
        Verb: AsyncFnOnce(&mut AsyncPgConnection) -> QueryResult<T>,
    {
        self.run_on(&self.pool, verb).await
    }

    async fn run_on<T, Verb>(&self, pool: &Pool<AsyncPgConnection>, verb: Verb) -> Result<T, StoreError>
    where
        Verb: AsyncFnOnce(&mut AsyncPgConnection) -> QueryResult<T>,
    {
        let start = Instant::now();
        let conn = pool.get().await;
        self.times.note("connection", start.elapsed(), conn.is_err());
        let mut conn = conn.map_err(StoreError::unavailable)?;
        let start = Instant::now();
        let result = match tokio::time::timeout(self.statement_timeout, verb(&mut conn)).await {
            Ok(result) => result.map_err(failure),
            Err(elapsed) => {
                drop(Object::take(conn));
                Err(StoreError::unavailable(elapsed))
            }
        };
        let has_failed = matches!(result, Err(StoreError::Unavailable(_)));
        self.times.note("statement", start.elapsed(), has_failed);
        result
    }

    /// How long it takes to get a connection (`connection`), and what is done with it (`statement`).
    pub fn times(&self) -> &CallTimes {
        &self.times
    }

    /// The connections now.
    pub fn pool_status(&self) -> PoolStatus {
        let status = self.pool.status();
        PoolStatus { most: status.max_size, open: status.size, idle: status.available, waiting: status.waiting }
    }
}

fn manager(target: &Arc<Target>, server_timeout: Duration) -> AsyncDieselConnectionManager<AsyncPgConnection> {
    let target = Arc::clone(target);
    let mut config = ManagerConfig::default();
    // A closed connection is noticed without asking the server, so reuse costs no round trip.
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| {
        let target = Arc::clone(&target);
        Box::pin(async move { target.establish(Some(server_timeout)).await })
    });
    AsyncDieselConnectionManager::new_with_config("", config)
}
