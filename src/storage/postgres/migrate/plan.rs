//! What `up` would do.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde::{Serialize, Serializer};
use sqlparser::ast;

use super::effect::{Lock, effects};
use super::error::MigrateError;
use super::standing::status;
use super::{Migration, sql};

/// What `up` would do.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The migrations that are pending, in order.
    pub pending: Vec<PlannedMigration>,
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedMigration {
    /// Its name.
    pub name: &'static str,
    /// The version of the schema that it makes.
    pub version: i32,
    /// Whether all of it happens or nothing.
    pub run_in_transaction: bool,
    /// Whether it takes away what earlier programs use.
    pub contract: bool,
    /// What it says.
    pub statements: Vec<PlannedStatement>,
}

/// One statement of it.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedStatement {
    /// The line of `up.sql` that it begins on.
    pub line: u64,
    /// The statement without its semicolon.
    pub sql: String,
    /// What it does to tables; `None` if that is not known.
    pub effects: Option<Vec<PlannedEffect>>,
}

/// What it does to one table.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedEffect {
    /// The table, or the index that is dropped.
    pub table: String,
    /// The lock that it takes until the migration ends.
    #[serde(serialize_with = "write_lock")]
    pub lock: Lock,
    /// Who waits meanwhile.
    pub blocks: &'static str,
    /// Whether every row is written anew.
    pub rewrites: bool,
    /// Whether every row is read.
    pub scans: bool,
    /// Whether the table is made by the same run, so that nobody uses it yet.
    pub is_new: bool,
}

fn write_lock<S: Serializer>(lock: &Lock, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(lock.as_str())
}

/// Plans what `up` would apply of `migrations`. Changes nothing.
pub async fn plan(url: &SecretString, migrations: &[Migration]) -> Result<Plan, MigrateError> {
    let status = status(url, migrations).await?;
    status.check_order()?;
    let mut made = BTreeSet::new();
    let pending = status.pending.iter().map(|migration| planned(migration, &mut made)).collect::<Result<_, _>>()?;
    Ok(Plan { pending })
}

fn planned(migration: &Migration, made: &mut BTreeSet<String>) -> Result<PlannedMigration, MigrateError> {
    let found = sql::statements(migration.up).map_err(|error| MigrateError::Malformed(migration.name, error))?;
    let mut statements = Vec::new();
    for sql in found {
        if let Some(ast::Statement::CreateTable(create)) = &sql.parsed {
            made.insert(create.name.to_string());
        }
        let effects = effects(&sql).map(|effects| {
            let effects = effects.into_iter().map(|effect| PlannedEffect {
                is_new: made.contains(&effect.table),
                table: effect.table,
                blocks: effect.lock.blocks(),
                lock: effect.lock,
                rewrites: effect.rewrites,
                scans: effect.scans,
            });
            effects.collect()
        });
        statements.push(PlannedStatement { line: sql.line, sql: sql.text, effects });
    }
    let Migration { name, version, run_in_transaction, is_contract, .. } = *migration;
    Ok(PlannedMigration { name, version, run_in_transaction, contract: is_contract, statements })
}
