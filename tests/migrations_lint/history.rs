//! What the migrations before made: which tables are new, what is validated, which programs are served.

use std::collections::{BTreeMap, BTreeSet};

use ostiary::storage::postgres::migrate::Migration;
use ostiary::storage::postgres::migrate::sql::{self, Sql};
use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, AssignmentTarget, ColumnDef, ColumnOption, Expr, Insert,
    ObjectName, SetExpr, Statement, TableConstraint, TableFactor, TableObject, Update,
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
    /// Columns that are declared NOT NULL.
    declared: BTreeSet<(String, String)>,
    /// Columns that the migration itself added: no program uses them yet.
    new_columns: BTreeSet<(String, String)>,
    /// The columns of an index, and whether it is unique.
    indexes: BTreeMap<String, (Vec<String>, bool)>,
    /// Whether a constraint that has a name is a check or a foreign key.
    checks: BTreeMap<(String, String), bool>,
    /// The version before.
    version: Option<i64>,
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
        self.new_columns.clear();
        self.meta = Meta::default();
    }

    /// Takes note of a statement.
    pub fn follow(&mut self, sql: &Sql) {
        self.meta.is_last = false;
        match &sql.parsed {
            Some(Statement::CreateTable(create)) => {
                let table = create.name.to_string();
                self.fresh.insert(table.clone());
                for column in &create.columns {
                    self.add_column(&table, column);
                }
                for constraint in &create.constraints {
                    self.add_constraint(&table, constraint);
                }
            }
            Some(Statement::CreateIndex(create)) => {
                let columns: Vec<String> = create.columns.iter().map(|column| column.column.expr.to_string()).collect();
                for name in create.name.iter().map(ToString::to_string) {
                    if self.is_fresh(&create.table_name) {
                        self.fresh.insert(name.clone());
                    }
                    self.indexes.insert(name, (columns.clone(), create.unique));
                }
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
        problems.extend(self.way_back(migration));
        self.version = Some(migration.version.into());
        problems
    }

    /// What is wrong with its `down.sql`.
    fn way_back(&self, migration: &Migration) -> Option<String> {
        let statements = match sql::statements(migration.down) {
            Ok(statements) => statements,
            Err(error) => return Some(format!("down.sql: {error}")),
        };
        let Some(first) = statements.first() else {
            return Some("down.sql is empty: say how it is taken back".to_owned());
        };
        // Nothing is before the first.
        let before = self.version?;
        let written = first.parsed.as_ref().and_then(version);
        let mend =
            format!("down.sql does not begin with the version before: UPDATE schema_meta SET version = {before}");
        (written != Some(before)).then_some(mend)
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
        self.declared.contains(&(table.clone(), column.to_owned()))
            || self
                .not_null
                .iter()
                .any(|((of, _), (kept, is_validated))| *of == table && kept == column && *is_validated)
    }

    /// The columns of an index that is known.
    pub fn columns_of_index(&self, name: &str) -> Option<&[String]> {
        self.indexes.get(name).map(|(columns, _)| columns.as_slice())
    }

    pub fn is_unique_index(&self, name: &str) -> bool {
        self.indexes.get(name).is_some_and(|(_, is_unique)| *is_unique)
    }

    /// Whether a constraint is known for one whose absence troubles nobody. One that was given no name has one that says it.
    pub fn is_check_or_foreign_key(&self, table: &ObjectName, name: &str) -> bool {
        let known = self.checks.get(&(table.to_string(), name.to_owned())).copied();
        known.unwrap_or_else(|| name.ends_with("_check") || name.ends_with("_fkey"))
    }

    /// Whether a constraint is of nothing but columns that the migration itself added.
    pub fn is_of_new_columns(&self, table: &ObjectName, constraint: &TableConstraint) -> bool {
        let is_new = |column: &str| self.new_columns.contains(&(table.to_string(), column.to_owned()));
        match constraint {
            TableConstraint::ForeignKey(key) => key.columns.iter().all(|column| is_new(&column.to_string())),
            TableConstraint::Check(check) => {
                let mut names = Vec::new();
                columns_of(&check.expr, &mut names);
                !names.is_empty() && names.iter().all(|name| is_new(name))
            }
            _ => false,
        }
    }

    /// Whether a statement serves fewer programs than before.
    pub fn is_raised_by(&self, statement: &Statement) -> bool {
        let raised = meta(statement).and_then(|meta| meta.compatible_from);
        raised.is_some_and(|raised| self.compatible_from > 0 && raised > self.compatible_from)
    }

    fn add_column(&mut self, table: &str, column: &ColumnDef) {
        let is_never_null =
            |option: &ColumnOption| matches!(option, ColumnOption::NotNull | ColumnOption::PrimaryKey(_));
        if column.options.iter().any(|option| is_never_null(&option.option)) {
            self.declared.insert((table.to_owned(), column.name.to_string()));
        }
    }

    fn add_constraint(&mut self, table: &str, constraint: &TableConstraint) {
        let (name, is_check) = match constraint {
            TableConstraint::Check(check) => (check.name.as_ref(), true),
            TableConstraint::ForeignKey(key) => (key.name.as_ref(), true),
            TableConstraint::Unique(unique) => (unique.name.as_ref(), false),
            TableConstraint::PrimaryKey(key) => {
                let columns = key.columns.iter().map(|column| (table.to_owned(), column.column.expr.to_string()));
                self.declared.extend(columns);
                (key.name.as_ref(), false)
            }
            TableConstraint::UniqueUsingIndex(using) => (using.name.as_ref(), false),
            TableConstraint::PrimaryKeyUsingIndex(using) => (using.name.as_ref(), false),
            _ => (None, false),
        };
        if let Some(name) = name {
            self.checks.insert((table.to_owned(), name.to_string()), is_check);
        }
    }

    fn alter_table(&mut self, alter: &AlterTable) {
        let table = alter.name.to_string();
        for operation in &alter.operations {
            match operation {
                AlterTableOperation::AddColumn { column_def, .. } => {
                    self.add_column(&table, column_def);
                    self.new_columns.insert((table.clone(), column_def.name.to_string()));
                }
                AlterTableOperation::AlterColumn { column_name, op: AlterColumnOperation::SetNotNull } => {
                    self.declared.insert((table.clone(), column_name.to_string()));
                }
                AlterTableOperation::AlterColumn { column_name, op: AlterColumnOperation::DropNotNull } => {
                    self.declared.remove(&(table.clone(), column_name.to_string()));
                }
                AlterTableOperation::DropConstraint { name, .. } => {
                    self.not_null.remove(&(table.clone(), name.to_string()));
                }
                AlterTableOperation::AddConstraint { constraint, not_valid } => {
                    self.add_constraint(&table, constraint);
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

/// The columns that a condition of a constraint names, as far as it is made of comparisons; of anything else one that is none.
fn columns_of(expr: &Expr, names: &mut Vec<String>) {
    match expr {
        Expr::Identifier(name) => names.push(name.to_string()),
        Expr::Value(_) => {}
        Expr::Nested(inner) | Expr::IsNull(inner) | Expr::IsNotNull(inner) | Expr::UnaryOp { expr: inner, .. } => {
            columns_of(inner, names);
        }
        Expr::BinaryOp { left, right, .. } => {
            columns_of(left, names);
            columns_of(right, names);
        }
        Expr::InList { expr, list, .. } => {
            std::iter::once(expr.as_ref()).chain(list).for_each(|expr| columns_of(expr, names))
        }
        other => names.push(format!("({other})")),
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
