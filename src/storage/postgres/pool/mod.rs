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
        let pooled = Arc::clone(&target);
        let mut manager = ManagerConfig::default();
        // A closed connection is noticed without asking the server, so reuse costs no round trip.
        manager.recycling_method = RecyclingMethod::Fast;
        manager.custom_setup = Box::new(move |_| {
            let target = Arc::clone(&pooled);
            Box::pin(async move { target.establish(Some(server_timeout)).await })
        });
        let pool = Pool::builder(AsyncDieselConnectionManager::new_with_config("", manager))
            .max_size(options.pool_size.max(1))
            .wait_timeout(Some(options.acquire_timeout))
            .create_timeout(Some(options.acquire_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(StoreError::unavailable)?;
        Ok(Self { pool, target, statement_timeout, records: Arc::default(), times: CallTimes::default() })
    }

    /// Whether the server answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.run(async |conn| conn.batch_execute("SELECT 1").await).await
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
        let start = Instant::now();
        let conn = self.pool.get().await;
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
