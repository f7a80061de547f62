//! Why a migration ended badly, each with its mend.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::sql::SqlError;
use crate::storage::StoreError;

/// Why the schema is not what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database cannot be reached.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// The connection was lost on the way.
    #[error("the connection to Postgres was lost{}", during(.0))]
    Lost(Option<&'static str>),
    /// Another run did not end in time.
    #[error("another migration is still at work after {waited:?}: {holder}")]
    Locked {
        /// How long we waited for it.
        waited: Duration,
        /// Who that is.
        holder: String,
    },
    /// A table was in use all the time.
    #[error("{migration}, line {line}: another transaction held the table each of {attempts} times: {statement}")]
    Blocked {
        /// The migration that waited.
        migration: &'static str,
        /// The line of the statement.
        line: u64,
        /// The statement that waited.
        statement: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// Postgres refused a statement.
    #[error("{migration}, line {line}: {problem}: {statement}")]
    Refused {
        /// The migration that failed.
        migration: &'static str,
        /// The line of the statement.
        line: u64,
        /// The beginning of the statement.
        statement: String,
        /// What Postgres said.
        problem: String,
        /// Whether nothing of the migration was kept.
        is_undone: bool,
    },
    /// Postgres refused what belongs to no migration.
    #[error("Postgres refused: {0}")]
    Denied(String),
    /// A migration is not SQL.
    #[error("{0} is not SQL: {1}")]
    Malformed(&'static str, #[source] SqlError),
    /// The database has migrations that this program does not know.
    #[error("a later version of the program migrated this database (it has {})", .0.join(", "))]
    Newer(Vec<String>),
    /// The database lacks a migration below one that it has.
    #[error("the database has {above}, but lacks {missing}, which comes before it")]
    Hole {
        /// The one it lacks.
        missing: &'static str,
        /// The one it has.
        above: String,
    },
    /// The schema no longer serves this program.
    #[error("the schema has version {found}, which serves programs from {compatible_from} on; this one knows {known}")]
    TooNew {
        /// The version that is there.
        found: i32,
        /// The oldest program that it serves.
        compatible_from: i32,
        /// The version of this program.
        known: i32,
    },
    /// Data would be lost, and nobody agreed to it.
    #[error("data would be lost, and nothing was changed")]
    Unconfirmed,
}

impl MigrateError {
    /// What to do about it.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => {
                "start Postgres, or correct database.url (DATABASE_URL): host, database, user, password, sslmode"
            }
            Self::Lost(_) => "run it again: what was not finished is done then, and nothing twice",
            Self::Locked { .. } => "wait for the other one to end and run it again, or wait longer with --wait",
            Self::Blocked { .. } => {
                "look in pg_stat_activity for a transaction that stays open, end it and run this again; or wait longer \
                 for tables with --lock-timeout, which keeps requests waiting behind it"
            }
            Self::Refused { is_undone: true, .. } => {
                "nothing of this migration was kept; remove the cause and run it again"
            }
            Self::Refused { is_undone: false, .. } => {
                "the statements before it stay; remove the cause and run it again, which repeats them harmlessly"
            }
            Self::Denied(_) => "use an account that may create tables in this database and read those of Ostiary",
            Self::Malformed(..) => "this is a defect of the program: report it",
            Self::Newer(_) | Self::TooNew { .. } => "use the version of the program that migrated it, or a later one",
            Self::Hole { .. } => {
                "take back what comes after it with `down`, using the program that applied it, and run `up` again"
            }
            Self::Unconfirmed => "make a backup if the data matters, then repeat it with --yes",
        }
    }

    /// What a failure outside of any migration is.
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) if !is_lost(error) => Self::Denied(said.message().to_owned()),
            _ => Self::Lost(None),
        }
    }
}

impl From<StoreError> for MigrateError {
    fn from(error: StoreError) -> Self {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        Self::Unreachable(source.unwrap_or_else(|| error.to_string()))
    }
}

fn during(migration: &Option<&'static str>) -> String {
    migration.map(|name| format!(" during {name}")).unwrap_or_default()
}

/// Whether the connection is gone.
pub(super) fn is_lost(error: &tokio_postgres::Error) -> bool {
    let ends = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
    error.is_closed() || error.code().is_none_or(|code| ends.contains(code))
}

/// Whether another transaction was in the way, so that trying again is worth it.
pub(super) fn is_blocked(error: &tokio_postgres::Error) -> bool {
    [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].iter().any(|code| error.code() == Some(code))
}
