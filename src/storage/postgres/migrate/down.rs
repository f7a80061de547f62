//! Taking migrations back, with the data that only they have room for.

use secrecy::SecretString;
use sqlparser::ast::{AlterTableOperation, FromTable, ObjectType, Statement};

use super::apply::{Direction, apply};
use super::error::MigrateError;
use super::session::Session;
use super::standing::Status;
use super::{MigrateOptions, Migration, Progress, sql};

/// Rows beyond this are not counted.
const COUNTED: i64 = 1000;

/// Data that goes when migrations are taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The migration that is taken back.
    pub migration: &'static str,
    /// What goes: a table or a column.
    pub what: String,
    /// How many rows have something there; of more than a thousand, a thousand and one.
    pub rows: i64,
}

/// Takes the last `count` migrations back, if `agree` says so when data goes with them; it is not asked otherwise.
/// Fewer are taken back if there are not so many.
pub async fn down(
    url: &SecretString,
    count: usize,
    options: &MigrateOptions,
    agree: &mut (dyn FnMut(&[Loss]) -> bool + Send),
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Status, MigrateError> {
    let session = Session::open(url).await?;
    session.lock(options, progress).await?;
    let result = async {
        let before = Status::read(&session, options.migrations).await?;
        if !before.unknown.is_empty() {
            return Err(MigrateError::Newer(before.unknown));
        }
        let is_applied = |migration: &&Migration| before.applied.contains(&migration.name);
        let last: Vec<_> = options.migrations.iter().rev().filter(is_applied).take(count).collect();
        let losses = losses(&session, &last).await?;
        if !losses.is_empty() && !agree(&losses) {
            return Err(MigrateError::Unconfirmed);
        }
        for migration in last {
            apply(&session, migration, Direction::Down, options, progress).await?;
        }
        Status::read(&session, options.migrations).await
    };
    let result = result.await;
    session.unlock().await;
    result
}

/// What goes, and how much of it there is.
async fn losses(session: &Session, migrations: &[&Migration]) -> Result<Vec<Loss>, MigrateError> {
    let mut found = Vec::new();
    for migration in migrations {
        let statements = sql::statements(migration.down);
        for sql in statements.map_err(|error| MigrateError::Malformed(migration.name, error))? {
            for Removal { what, table, column } in sql.parsed.iter().flat_map(removals) {
                let filled = column.map(|column| format!("WHERE {column} IS NOT NULL")).unwrap_or_default();
                let count = format!("SELECT count(*) FROM (SELECT FROM {table} {filled} LIMIT {COUNTED} + 1) AS seen");
                let row = session.client.query_one(&count, &[]).await;
                let rows = row.and_then(|row| row.try_get(0)).map_err(|error| MigrateError::of(&error))?;
                if rows > 0 {
                    found.push(Loss { migration: migration.name, what, rows });
                }
            }
        }
    }
    Ok(found)
}

struct Removal {
    what: String,
    table: String,
    column: Option<String>,
}

fn removals(statement: &Statement) -> Vec<Removal> {
    let whole = |table: String| Removal { what: format!("the table {table}"), table, column: None };
    match statement {
        Statement::Drop { object_type: ObjectType::Table, names, .. } => {
            names.iter().map(|name| whole(name.to_string())).collect()
        }
        Statement::Truncate(truncate) => {
            truncate.table_names.iter().map(|target| whole(target.name.to_string())).collect()
        }
        Statement::Delete(delete) => {
            let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
            from.iter().map(|table| Removal { what: format!("rows of {table}"), ..whole(table.to_string()) }).collect()
        }
        Statement::AlterTable(alter) => {
            let dropped = alter.operations.iter().filter_map(|operation| match operation {
                AlterTableOperation::DropColumn { column_names, .. } => Some(column_names),
                _ => None,
            });
            let table = alter.name.to_string();
            let removal = |column: &dyn ToString| Removal {
                what: format!("the column {table}.{}", column.to_string()),
                table: table.clone(),
                column: Some(column.to_string()),
            };
            dropped.flatten().map(|column| removal(column)).collect()
        }
        _ => Vec::new(),
    }
}
