//! What the migrations before made: which tables are new, what is validated, which programs are served.

use std::collections::{BTreeMap, BTreeSet};

use ostiary::storage::postgres::migrate::{Migration, sql::Sql};
use sqlparser::ast::{
    AlterTable, AlterTableOperation, AssignmentTarget, Expr, Insert, ObjectName, SetExpr, Statement, TableConstraint,
    TableFactor, TableObject, Update,
};

/// The state of things before a statement.
#[derive(Default)]
pub struct History {
    /// Tables, indexes and types that the migration itself made: nobody uses them yet.
    fresh: BTreeSet<String>,
    /// Constraints that were added by the migration itself without being validated.
    added: BTreeSet<(String, String)>,
    /// The column that a constraint keeps from being null, and whether all rows were looked at.
    not_null: BTreeMap<(String, String), (String, bool)>,
    /// The oldest program that is served.
    compatible_from: i64,
    /// What the migration wrote into `schema_meta`.
    meta: Meta,
}

#[derive(Default)]
struct Meta {
    version: Option<i64>,
    compatible_from: Option<i64>,
    is_last: bool,
}

impl History {
    /// Takes note that another migration begins: what is there is in use.
    pub fn begin(&mut self) {
        self.fresh.clear();
        self.added.clear();
        self.meta = Meta::default();
    }

    /// Takes note of a statement.
    pub fn follow(&mut self, sql: &Sql) {
        self.meta.is_last = false;
        match &sql.parsed {
            Some(Statement::CreateTable(create)) => {
                self.fresh.insert(create.name.to_string());
            }
            Some(Statement::CreateIndex(create)) if self.is_fresh(&create.table_name) => {
                self.fresh.extend(create.name.iter().map(ToString::to_string));
            }
            Some(Statement::CreateType { name, .. }) => {
                self.fresh.insert(name.to_string());
            }
            Some(Statement::AlterTable(alter)) => self.alter_table(alter),
            Some(statement) => {
                if let Some(meta) = meta(statement) {
                    self.meta = meta;
                }
            }
            None => {}
        }
    }

    /// What is wrong with the migration as a whole.
    pub fn end(&mut self, migration: &Migration) -> Vec<String> {
        let mut problems = Vec::new();
        if self.meta.version.is_none() {
            let version = migration.version;
            problems.push(format!("it does not write its version: UPDATE schema_meta SET version = {version}"));
        } else if !self.meta.is_last && migration.version > 1 {
            problems
                .push("the version is not its last statement: written earlier, it is locked all the while".to_owned());
        }
        let raised = self.meta.compatible_from.filter(|raised| *raised > self.compatible_from);
        match raised {
            None if migration.is_contract => problems.push(
                "a contract step raises compatible_from to the first version whose programs do without what it takes \
                 away"
                    .to_owned(),
            ),
            Some(raised) if raised > i64::from(migration.version) => {
                problems.push(format!("compatible_from is beyond its own version, {}", migration.version));
            }
            _ => {}
        }
        self.compatible_from = raised.unwrap_or(self.compatible_from);
        problems
    }

    /// Whether the migration itself made it.
    pub fn is_fresh(&self, name: &ObjectName) -> bool {
        self.has_made(&name.to_string())
    }

    pub fn has_made(&self, name: &str) -> bool {
        self.fresh.contains(name)
    }

    /// Whether the migration itself added the constraint.
    pub fn has_added(&self, table: &ObjectName, constraint: &str) -> bool {
        self.added.contains(&(table.to_string(), constraint.to_owned()))
    }

    /// Whether a validated constraint keeps the column from being null.
    pub fn is_never_null(&self, table: &ObjectName, column: &str) -> bool {
        let table = table.to_string();
        self.not_null.iter().any(|((of, _), (kept, is_validated))| *of == table && kept == column && *is_validated)
    }

    /// Whether a statement serves fewer programs than before.
    pub fn is_raised_by(&self, statement: &Statement) -> bool {
        let raised = meta(statement).and_then(|meta| meta.compatible_from);
        raised.is_some_and(|raised| self.compatible_from > 0 && raised > self.compatible_from)
    }

    fn alter_table(&mut self, alter: &AlterTable) {
        let table = alter.name.to_string();
        for operation in &alter.operations {
            match operation {
                AlterTableOperation::AddConstraint { constraint, not_valid } => {
                    let name = match constraint {
                        TableConstraint::Check(check) => check.name.as_ref(),
                        TableConstraint::ForeignKey(key) => key.name.as_ref(),
                        _ => None,
                    };
                    let key = (table.clone(), name.map(ToString::to_string).unwrap_or_default());
                    if let TableConstraint::Check(check) = constraint
                        && let Expr::IsNotNull(column) = check.expr.as_ref()
                    {
                        self.not_null.insert(key.clone(), (column.to_string(), !not_valid));
                    }
                    self.added.insert(key);
                }
                AlterTableOperation::ValidateConstraint { name } => {
                    if let Some((_, is_validated)) = self.not_null.get_mut(&(table.clone(), name.to_string())) {
                        *is_validated = true;
                    }
                }
                _ => {}
            }
        }
    }
}

/// What a statement writes into `schema_meta`.
fn meta(statement: &Statement) -> Option<Meta> {
    let pairs: Vec<(String, String)> = match statement {
        Statement::Update(Update { table, assignments, .. }) => {
            let TableFactor::Table { name, .. } = &table.relation else { return None };
            (name.to_string() == "schema_meta").then(|| {
                let pair = |target: &AssignmentTarget, value: &Expr| (target.to_string(), value.to_string());
                assignments.iter().map(|one| pair(&one.target, &one.value)).collect()
            })?
        }
        Statement::Insert(Insert { table: TableObject::TableName(name), columns, source: Some(source), .. }) => {
            let SetExpr::Values(values) = source.body.as_ref() else { return None };
            let row = values.rows.first().filter(|_| name.to_string() == "schema_meta")?;
            columns.iter().zip(row.content.iter()).map(|(name, value)| (name.to_string(), value.to_string())).collect()
        }
        _ => return None,
    };
    let number = |key: &str| pairs.iter().find(|(name, _)| name == key).and_then(|(_, value)| value.parse().ok());
    Some(Meta { version: number("version"), compatible_from: number("compatible_from"), is_last: true })
}

/// The version that a statement writes.
pub fn version(statement: &Statement) -> Option<i64> {
    meta(statement)?.version
}
