//! Bringing the schema up to date, and whether it is.
//!
//! A run connects as the server does and waits until it is the only one. It then applies what is missing, in order, each
//! migration in a transaction of its own with the record that it was applied: whenever it is killed, the next run goes on
//! where it was. A statement that does not get its table in time gives way to the requests behind it and tries again.

// One migration, up or down.
mod apply;
// Taking migrations back.
mod down;
// What a statement locks and rewrites.
pub mod effect;
// The migrations that this program brings along.
mod embedded;
// Why it ended badly.
mod error;
// What `up` would do.
mod plan;
// The connection and the lock.
mod session;
// The statements of a migration.
pub mod sql;
// How the schema stands.
mod standing;
// Applying what is missing.
mod up;

use std::time::Duration;

use secrecy::SecretString;

pub use down::{Loss, down};
pub use embedded::{MIGRATIONS, Migration, SCHEMA_VERSION};
pub use error::MigrateError;
pub use plan::{Plan, PlannedEffect, PlannedMigration, PlannedStatement, plan};
pub use standing::{SchemaStanding, Status, check, status};
pub use up::up;

/// What a run applies, and how patient it is.
#[derive(Clone, Copy, Debug)]
pub struct MigrateOptions {
    /// Every migration, in the order of the versions.
    pub migrations: &'static [Migration],
    /// How long it waits for another run to end.
    pub wait: Duration,
    /// How long a statement waits for a table, and everybody who comes after it for the statement; not zero.
    pub lock_timeout: Duration,
}

impl Default for MigrateOptions {
    fn default() -> Self {
        Self { migrations: MIGRATIONS, wait: Duration::from_secs(300), lock_timeout: Duration::from_secs(5) }
    }
}

/// What happens during a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another run is at work.
    Waiting {
        /// Who that is.
        holder: String,
        /// How long we go on waiting.
        left: Duration,
    },
    /// A migration begins.
    Began(&'static str),
    /// It was in the way of others, gave way and tries again.
    Retrying {
        /// How long it lets the others pass.
        pause: Duration,
    },
    /// An index that an earlier run left half-built is built again.
    Rebuilding {
        /// Its name.
        index: String,
    },
    /// The migration that began is done.
    Done {
        /// Which one it is.
        migration: &'static str,
        /// How long it took.
        duration: Duration,
    },
}

/// Applies what is missing with the usual patience, and says what that was.
pub async fn run(url: &SecretString) -> Result<Vec<&'static str>, MigrateError> {
    let mut applied = Vec::new();
    let mut progress = |progress| {
        if let Progress::Done { migration, .. } = progress {
            applied.push(migration);
        }
    };
    up(url, &MigrateOptions::default(), &mut progress).await?;
    Ok(applied)
}
