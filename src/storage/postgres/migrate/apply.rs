//! One migration, up or down.

use std::time::Duration;

use sqlparser::ast;
use tokio::time::{Instant, sleep};
use tokio_postgres::Error;

use super::error::{MigrateError, is_blocked, is_lost};
use super::session::Session;
use super::sql::{self, Sql};
use super::{MigrateOptions, Migration, Progress};

/// How often a migration that is blocked is tried.
const ATTEMPTS: u32 = 5;

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How much of a statement an error repeats.
const SHOWN: usize = 120;

/// Which way the schema goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

/// Applies a migration or takes it back, and records it.
pub(super) async fn apply(
    session: &Session,
    migration: &Migration,
    direction: Direction,
    options: &MigrateOptions,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), MigrateError> {
    let text = if direction == Direction::Up { migration.up } else { migration.down };
    let statements = sql::statements(text).map_err(|error| MigrateError::Malformed(migration.name, error))?;
    let start = Instant::now();
    progress(Progress::Began(migration.name));
    let run = Run { session, migration, direction, options, statements: &statements };
    let mut pause = options.lock_timeout;
    let mut attempts = 1;
    while let Err(failure) = run.attempt(progress).await {
        if !is_blocked(&failure.error) || attempts == ATTEMPTS {
            return Err(run.explain(failure, attempts));
        }
        attempts += 1;
        pause = pause.min(LONGEST_PAUSE);
        progress(Progress::Retrying { pause });
        sleep(pause).await;
        pause = pause.saturating_mul(2);
    }
    progress(Progress::Done { migration: migration.name, duration: start.elapsed() });
    Ok(())
}

struct Run<'a> {
    session: &'a Session,
    migration: &'a Migration,
    direction: Direction,
    options: &'a MigrateOptions,
    statements: &'a [Sql],
}

/// What Postgres said, and to which statement; none: to the record or the end of the transaction.
struct Failure<'a> {
    at: Option<&'a Sql>,
    error: Error,
}

impl<'a> Run<'a> {
    async fn attempt(&self, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<(), Failure<'a>> {
        let elsewhere = |error| Failure { at: None, error };
        self.limit(self.options.lock_timeout).await.map_err(elsewhere)?;
        if !self.migration.run_in_transaction {
            for sql in self.statements {
                self.repeatable(sql, progress).await.map_err(|error| Failure { at: Some(sql), error })?;
            }
            return self.record().await.map_err(elsewhere);
        }
        let result = self.in_transaction().await;
        if result.is_err() {
            self.session.client.batch_execute("ROLLBACK").await.ok();
        }
        result
    }

    async fn in_transaction(&self) -> Result<(), Failure<'a>> {
        let elsewhere = |error| Failure { at: None, error };
        self.session.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED").await.map_err(elsewhere)?;
        for sql in self.statements {
            let done = self.session.client.batch_execute(&sql.text).await;
            done.map_err(|error| Failure { at: Some(sql), error })?;
        }
        self.record().await.map_err(elsewhere)?;
        self.session.client.batch_execute("COMMIT").await.map_err(elsewhere)
    }

    /// A statement outside of a transaction, which may have run before, wholly or in part.
    async fn repeatable(&self, sql: &Sql, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<(), Error> {
        if !sql.is_concurrent {
            return self.session.client.batch_execute(&sql.text).await;
        }
        // It waits for every transaction that began before, and nobody waits for it.
        self.limit(self.options.lock_timeout.max(self.options.wait)).await?;
        if !self.is_built(sql, progress).await? {
            self.session.client.batch_execute(&sql.text).await?;
        }
        self.limit(self.options.lock_timeout).await
    }

    /// Whether the index of a statement is there already. What is left of one that was interrupted is dropped: it costs
    /// every write and helps no query.
    async fn is_built(&self, sql: &Sql, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<bool, Error> {
        let Some(ast::Statement::CreateIndex(ast::CreateIndex { name: Some(name), .. })) = &sql.parsed else {
            return Ok(false);
        };
        let (client, index) = (&self.session.client, name.to_string());
        let found = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)";
        let is_valid = client.query_opt(found, &[&index]).await?.map(|row| row.try_get(0)).transpose()?;
        if is_valid == Some(false) {
            client.batch_execute(&format!("DROP INDEX CONCURRENTLY {index}")).await?;
            progress(Progress::Rebuilding { index });
        }
        Ok(is_valid == Some(true))
    }

    async fn limit(&self, lock_timeout: Duration) -> Result<(), Error> {
        let millis = lock_timeout.as_millis().max(1);
        self.session.client.batch_execute(&format!("SET lock_timeout = '{millis}ms'")).await
    }

    async fn record(&self) -> Result<(), Error> {
        let sql = match self.direction {
            Direction::Up => "INSERT INTO __diesel_schema_migrations (version) VALUES ($1)",
            Direction::Down => "DELETE FROM __diesel_schema_migrations WHERE version = $1",
        };
        self.session.client.execute(sql, &[&self.migration.key()]).await.map(drop)
    }

    fn explain(&self, Failure { at, error }: Failure<'_>, attempts: u32) -> MigrateError {
        let migration = self.migration.name;
        if is_lost(&error) {
            return MigrateError::Lost(Some(migration));
        }
        let (line, statement) = at.map_or((0, "the end of the migration".to_owned()), |sql| (sql.line, shown(sql)));
        if is_blocked(&error) {
            return MigrateError::Blocked { migration, line, statement, attempts };
        }
        let problem = error.as_db_error().map_or_else(|| error.to_string(), |said| said.message().to_owned());
        MigrateError::Refused { migration, line, statement, problem, is_undone: self.migration.run_in_transaction }
    }
}

/// The beginning of a statement, on one line.
fn shown(sql: &Sql) -> String {
    let line = sql.text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
