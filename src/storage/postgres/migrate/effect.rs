//! What a statement does to the tables that it names while others use them: the lock it takes, and whether it writes or
//! reads all of their rows under it. After "Explicit Locking" and the pages of the commands in the manual of Postgres.

// One part of `ALTER TABLE`.
mod alter;

use sqlparser::ast::{
    ColumnDef, ColumnOption, CreateTable, FromTable, LockTableMode, ObjectType, Statement, TableConstraint,
    TableFactor, TableObject, TableWithJoins,
};

use super::sql::Sql;

/// A lock on a table, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    /// Of those who read.
    AccessShare,
    /// Of those who lock rows.
    RowShare,
    /// Of those who write rows.
    RowExclusive,
    /// Of maintenance beside the traffic.
    ShareUpdateExclusive,
    /// Keeps writers away.
    Share,
    /// Keeps writers away, and others like itself.
    ShareRowExclusive,
    /// Lets only readers in.
    Exclusive,
    /// Lets nobody in.
    AccessExclusive,
}

/// What a statement does to one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The table; of `DROP INDEX` the index, because the statement does not name the table.
    pub table: String,
    /// The lock it takes, until the migration ends.
    pub lock: Lock,
    /// Whether it writes every row anew.
    pub rewrites: bool,
    /// Whether it reads every row.
    pub scans: bool,
}

impl Lock {
    /// Its name in Postgres.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// Who has to wait while it is held.
    pub fn blocks(self) -> &'static str {
        match self {
            Self::AccessExclusive => "reads and writes",
            Self::Share | Self::ShareRowExclusive | Self::Exclusive => "writes",
            Self::AccessShare | Self::RowShare | Self::RowExclusive | Self::ShareUpdateExclusive => "nobody",
        }
    }
}

impl Effect {
    fn new(table: impl ToString, lock: Lock) -> Self {
        Self { table: table.to_string(), lock, rewrites: false, scans: false }
    }

    fn scanning(self) -> Self {
        Self { scans: true, ..self }
    }

    fn rewriting(self) -> Self {
        Self { scans: true, rewrites: true, ..self }
    }
}

/// What the statement does; `None` if that is not known.
pub fn effects(sql: &Sql) -> Option<Vec<Effect>> {
    let one = |table: &dyn ToString, lock| Some(vec![Effect::new(table.to_string(), lock)]);
    match sql.parsed.as_ref()? {
        Statement::CreateTable(create) => Some(of_create(create)),
        Statement::CreateIndex(create) => {
            let lock = if create.concurrently { Lock::ShareUpdateExclusive } else { Lock::Share };
            Some(vec![Effect::new(&create.table_name, lock).scanning()])
        }
        Statement::AlterTable(alter) => alter::effects(alter),
        Statement::Drop { object_type, names, .. } => {
            let lock = match object_type {
                ObjectType::Index if sql.is_concurrent => Lock::ShareUpdateExclusive,
                _ => Lock::AccessExclusive,
            };
            Some(names.iter().map(|name| Effect::new(name, lock)).collect())
        }
        Statement::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => one(name, Lock::RowExclusive),
            _ => None,
        },
        Statement::Update(update) => Some(vec![of_write(&update.table, update.selection.is_none())?]),
        Statement::Delete(delete) => {
            let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
            from.iter().map(|table| of_write(table, delete.selection.is_none())).collect()
        }
        Statement::Truncate(truncate) => {
            let targets = truncate.table_names.iter();
            Some(targets.map(|target| Effect::new(&target.name, Lock::AccessExclusive)).collect())
        }
        Statement::Vacuum(vacuum) => {
            let table = vacuum.table_name.as_ref()?;
            Some(vec![match vacuum.full {
                true => Effect::new(table, Lock::AccessExclusive).rewriting(),
                false => Effect::new(table, Lock::ShareUpdateExclusive).scanning(),
            }])
        }
        Statement::Lock(lock) => {
            let mode = lock.lock_mode.as_ref().map_or(Lock::AccessExclusive, of_mode);
            Some(lock.tables.iter().map(|target| Effect::new(&target.name, mode)).collect())
        }
        Statement::CreateTrigger(trigger) => one(&trigger.table_name, Lock::ShareRowExclusive),
        Statement::Comment { object_name, .. } => one(object_name, Lock::ShareUpdateExclusive),
        Statement::CreateType { .. }
        | Statement::CreateDomain(_)
        | Statement::CreateExtension(_)
        | Statement::CreateFunction(_)
        | Statement::CreateSchema { .. }
        | Statement::CreateSequence { .. }
        | Statement::CreateView(_)
        | Statement::Query(_)
        | Statement::Set(_) => Some(Vec::new()),
        _ => None,
    }
}

fn of_create(create: &CreateTable) -> Vec<Effect> {
    let mut found = vec![Effect::new(&create.name, Lock::AccessExclusive)];
    found.extend(create.columns.iter().flat_map(of_column));
    found.extend(create.constraints.iter().filter_map(|constraint| match constraint {
        TableConstraint::ForeignKey(key) => Some(Effect::new(&key.foreign_table, Lock::ShareRowExclusive)),
        _ => None,
    }));
    // A table that refers to itself locks nobody else.
    let name = create.name.to_string();
    let mut is_first = true;
    found.retain(|effect| std::mem::take(&mut is_first) || effect.table != name);
    found
}

/// The tables that a column refers to.
fn of_column(column: &ColumnDef) -> Vec<Effect> {
    let keys = column.options.iter().filter_map(|option| match &option.option {
        ColumnOption::ForeignKey(key) => Some(Effect::new(&key.foreign_table, Lock::ShareRowExclusive)),
        _ => None,
    });
    keys.collect()
}

fn of_write(table: &TableWithJoins, is_every_row: bool) -> Option<Effect> {
    let TableFactor::Table { name, .. } = &table.relation else { return None };
    let effect = Effect::new(name, Lock::RowExclusive);
    Some(if is_every_row { effect.rewriting() } else { effect })
}

fn of_mode(mode: &LockTableMode) -> Lock {
    match mode {
        LockTableMode::AccessShare => Lock::AccessShare,
        LockTableMode::RowShare => Lock::RowShare,
        LockTableMode::RowExclusive => Lock::RowExclusive,
        LockTableMode::ShareUpdateExclusive => Lock::ShareUpdateExclusive,
        LockTableMode::Share => Lock::Share,
        LockTableMode::ShareRowExclusive => Lock::ShareRowExclusive,
        LockTableMode::Exclusive => Lock::Exclusive,
        LockTableMode::AccessExclusive => Lock::AccessExclusive,
    }
}

#[cfg(test)]
mod tests;
