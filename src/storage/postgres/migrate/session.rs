//! The connection of one run, and the lock that one run at a time has.

use std::time::Duration;

use secrecy::SecretString;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::error::MigrateError;
use super::{MigrateOptions, Progress};
use crate::storage::postgres::pool::Target;

/// The advisory lock; the number means nothing.
const LOCK: i64 = 0x6f73_7469_6172_7900;

/// How often the lock is asked for.
const POLL: Duration = Duration::from_millis(250);

/// How often somebody who waits is told so.
const REMINDER: Duration = Duration::from_secs(30);

/// Where diesel's tools would keep it too.
const RECORDS: &str = "CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (\
     version varchar(50) PRIMARY KEY NOT NULL, run_on timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)";

const HOLDER: &str = "SELECT format('%s, process %s, from %s, since %s', application_name, pid, \
         coalesce(host(client_addr), 'this machine'), to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS TZ')) \
     FROM pg_locks JOIN pg_stat_activity USING (pid) \
     WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid::bigint = $1::bigint >> 32 \
         AND objid::bigint = $1::bigint & 4294967295 \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// A connection for one run.
pub(super) struct Session {
    pub(super) client: Client,
}

/// The row of `schema_meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) version: i32,
    pub(super) compatible_from: i32,
}

impl Session {
    /// Connects, as the server does.
    pub(super) async fn open(url: &SecretString) -> Result<Self, MigrateError> {
        let client = Target::parse(url)?.connect().await.map_err(MigrateError::Unreachable)?;
        // A limit that the database has for requests is not one for migrations.
        let settings = "SET application_name = 'ostiary-migrate'; SET statement_timeout = 0; \
                        SET idle_in_transaction_session_timeout = 0";
        let session = Self { client };
        session.run(settings).await?;
        // If this process is killed while Postgres waits for a table, the wait and the lock end with it. Not every system
        // that Postgres runs on can do it.
        session.client.batch_execute("SET client_connection_check_interval = '1s'").await.ok();
        Ok(session)
    }

    /// Waits until this run is the only one.
    ///
    /// It asks again and again, because one that waits inside of a statement keeps `CREATE INDEX CONCURRENTLY` of the
    /// other one waiting: both would wait for ever.
    pub(super) async fn lock(
        &self,
        options: &MigrateOptions,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), MigrateError> {
        let start = Instant::now();
        let mut told: Option<Instant> = None;
        loop {
            let tried = self.client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK]).await;
            if tried.and_then(|row| row.try_get(0)).map_err(|error| MigrateError::of(&error))? {
                return Ok(());
            }
            let holder =
                || async { Ok::<_, MigrateError>(self.holder().await?.unwrap_or_else(|| "it just ended".into())) };
            let waited = start.elapsed();
            if waited >= options.wait {
                return Err(MigrateError::Locked { waited: options.wait, holder: holder().await? });
            }
            if told.is_none_or(|told| told.elapsed() >= REMINDER) {
                progress(Progress::Waiting { holder: holder().await?, left: options.wait.saturating_sub(waited) });
                told = Some(Instant::now());
            }
            sleep(POLL).await;
        }
    }

    /// Lets the next run begin before the connection is closed.
    pub(super) async fn unlock(&self) {
        self.client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await.ok();
    }

    /// Who migrates now.
    pub(super) async fn holder(&self) -> Result<Option<String>, MigrateError> {
        let row = self.client.query_opt(HOLDER, &[&LOCK]).await;
        row.and_then(|row| row.map(|row| row.try_get(0)).transpose()).map_err(|error| MigrateError::of(&error))
    }

    /// Makes the table of records, if it is not there.
    pub(super) async fn prepare(&self) -> Result<(), MigrateError> {
        if self.has_table("__diesel_schema_migrations").await? { Ok(()) } else { self.run(RECORDS).await }
    }

    /// The keys of the migrations that the database has, in order.
    pub(super) async fn applied(&self) -> Result<Vec<String>, MigrateError> {
        if !self.has_table("__diesel_schema_migrations").await? {
            return Ok(Vec::new());
        }
        let rows = self.client.query("SELECT version FROM __diesel_schema_migrations ORDER BY version", &[]).await;
        let rows = rows.map_err(|error| MigrateError::of(&error))?;
        rows.iter().map(|row| row.try_get(0).map_err(|error| MigrateError::of(&error))).collect()
    }

    /// What the schema says of itself.
    pub(super) async fn meta(&self) -> Result<Option<Meta>, MigrateError> {
        if !self.has_table("schema_meta").await? {
            return Ok(None);
        }
        let row = self.client.query_opt("SELECT version, compatible_from FROM schema_meta", &[]).await;
        let Some(row) = row.map_err(|error| MigrateError::of(&error))? else { return Ok(None) };
        let read = || Ok(Meta { version: row.try_get(0)?, compatible_from: row.try_get(1)? });
        read().map(Some).map_err(|error| MigrateError::of(&error))
    }

    async fn has_table(&self, name: &str) -> Result<bool, MigrateError> {
        let found = self.client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&name]).await;
        found.and_then(|row| row.try_get(0)).map_err(|error| MigrateError::of(&error))
    }

    /// Runs what belongs to no migration.
    pub(super) async fn run(&self, sql: &str) -> Result<(), MigrateError> {
        self.client.batch_execute(sql).await.map_err(|error| MigrateError::of(&error))
    }
}
