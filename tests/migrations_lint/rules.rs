//! The rules, and which of them a statement breaks.

use ostiary::storage::postgres::migrate::Migration;
use ostiary::storage::postgres::migrate::effect::effects;
use ostiary::storage::postgres::migrate::sql::Sql;
use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, BinaryOperator, ColumnDef, ColumnOption, Expr, ObjectName,
    ObjectType, Statement, TableConstraint,
};

use super::history::{self, History};

/// Tables of one row, which nothing keeps anybody waiting for.
const SMALL: [&str; 1] = ["schema_meta"];

macro_rules! rules {
    ($($variant:ident $name:literal $mend:literal)*) => {
        /// What no migration does without a reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule { $($variant),* }

        impl Rule {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// What exemptions call it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What to do instead.
            pub fn mend(self) -> &'static str {
                match self { $(Self::$variant => $mend),* }
            }
        }
    };
}

rules! {
    NotUnderstood "not-understood" "the lint does not know what this locks; write it in another way"
    Transaction "transaction" "the program begins and ends the transaction; metadata.toml says run_in_transaction = false"
    IndexNotConcurrent "index-not-concurrent" "keeps every writer waiting: use CONCURRENTLY, outside of a transaction"
    ConcurrentlyInTransaction "concurrently-in-transaction" "needs run_in_transaction = false in metadata.toml"
    NotRepeatable "not-repeatable" "may run twice outside of a transaction: use IF [NOT] EXISTS or ON CONFLICT, and name indexes"
    Rewrite "rewrite" "writes every row while nobody can read: add a nullable column, fill it in batches, then use it"
    NotNullWithoutDefault "not-null-without-default" "fails on rows that are there and in programs of the version before: give it a default"
    SetNotNull "set-not-null" "reads every row while nobody can: first add CHECK (column IS NOT NULL) NOT VALID and validate it"
    ConstraintNotValid "constraint-not-valid" "reads every row under a lock: add it by itself as NOT VALID, and validate it in a later migration"
    ConstraintBuildsIndex "constraint-builds-index" "builds an index while nobody can read: build it CONCURRENTLY, then add the constraint USING INDEX"
    ValidatedAtOnce "validated-at-once" "the lock of ADD CONSTRAINT is held while all rows are read: validate it in a later migration"
    Contract "contract" "the version before uses it: wait until no program does, then say contract = true in metadata.toml and raise compatible_from"
    CompatibleFrom "compatible-from" "only a contract step serves fewer programs: leave compatible_from as it is"
    FullTable "full-table" "may write every row in one go: name a few by their values with WHERE, and leave the rest to a job"
    LockTable "lock-table" "keeps others waiting until the migration ends: let each statement take what it needs"
    Version "version" "it writes another version than its own"
}

impl Rule {
    /// The rule of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.name() == name)
    }

    pub fn names() -> String {
        Self::ALL.iter().map(|rule| rule.name()).collect::<Vec<_>>().join(", ")
    }
}

/// The rules that a statement breaks.
pub fn broken(sql: &Sql, migration: &Migration, history: &History) -> Vec<Rule> {
    let Some(statement) = &sql.parsed else { return vec![Rule::NotUnderstood] };
    let is_new = |name: &ObjectName| history.is_fresh(name) || SMALL.contains(&name.to_string().as_str());
    let mut found = match statement {
        Statement::StartTransaction { .. } | Statement::Commit { .. } | Statement::Rollback { .. } => {
            vec![Rule::Transaction]
        }
        Statement::CreateIndex(create) => match (create.concurrently, is_new(&create.table_name)) {
            (true, _) | (_, true) => Vec::new(),
            (false, false) => vec![Rule::IndexNotConcurrent],
        },
        Statement::Drop { object_type, names, .. } => match names.iter().all(is_new) {
            true => Vec::new(),
            false if *object_type == ObjectType::Index => {
                let is_unique = names.iter().any(|name| history.is_unique_index(&name.to_string()));
                let at_once = (!sql.is_concurrent).then_some(Rule::IndexNotConcurrent);
                at_once.into_iter().chain(is_unique.then_some(Rule::Contract)).collect()
            }
            false => vec![Rule::Contract],
        },
        Statement::DropFunction(_) | Statement::DropTrigger(_) | Statement::DropDomain(_) => vec![Rule::Contract],
        Statement::Truncate(truncate) => {
            let is_harmless = truncate.table_names.iter().all(|target| is_new(&target.name));
            if is_harmless { Vec::new() } else { vec![Rule::Contract] }
        }
        Statement::Lock(lock) => {
            let is_harmless = lock.tables.iter().all(|target| is_new(&target.name));
            if is_harmless { Vec::new() } else { vec![Rule::LockTable] }
        }
        Statement::AlterTable(alter) if !is_new(&alter.name) => of_alter(alter, migration, history),
        Statement::AlterTable(_) => Vec::new(),
        Statement::Update(update) => of_write(sql, history, update.selection.as_ref()),
        Statement::Delete(delete) => of_write(sql, history, delete.selection.as_ref()),
        Statement::Vacuum(_) => of_write(sql, history, None),
        _ if effects(sql).is_none() => vec![Rule::NotUnderstood],
        _ => Vec::new(),
    };
    if migration.is_contract {
        found.retain(|rule| *rule != Rule::Contract);
    } else if history.is_raised_by(statement) {
        found.push(Rule::CompatibleFrom);
    }
    if migration.run_in_transaction && sql.is_concurrent {
        found.push(Rule::ConcurrentlyInTransaction);
    }
    if !migration.run_in_transaction && !is_repeatable(statement) {
        found.push(Rule::NotRepeatable);
    }
    if history::version(statement).is_some_and(|version| version != i64::from(migration.version)) {
        found.push(Rule::Version);
    }
    found
}

/// A statement that writes the rows that a condition names.
fn of_write(sql: &Sql, history: &History, condition: Option<&Expr>) -> Vec<Rule> {
    let is_every_row = !condition.is_some_and(names_few);
    let tables = effects(sql).unwrap_or_default();
    let is_small = |table: &str| history.has_made(table) || SMALL.contains(&table);
    match tables.is_empty() {
        true => vec![Rule::NotUnderstood],
        false if is_every_row && !tables.iter().all(|effect| is_small(&effect.table)) => vec![Rule::FullTable],
        false => Vec::new(),
    }
}

/// Whether a condition names rows by a value that they have. `1 = 1`, `x IS NOT NULL` and `x > 0` may be true of all.
fn names_few(condition: &Expr) -> bool {
    let is_column = |expr: &Expr| matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    let is_value = |expr: &Expr| matches!(expr, Expr::Value(_));
    match condition {
        Expr::Nested(inner) => names_few(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => names_few(left) || names_few(right),
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => names_few(left) && names_few(right),
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            (is_column(left) && is_value(right)) || (is_value(left) && is_column(right))
        }
        Expr::InList { expr, list, negated: false } => is_column(expr) && list.iter().all(is_value),
        _ => false,
    }
}

fn of_alter(alter: &AlterTable, migration: &Migration, history: &History) -> Vec<Rule> {
    alter.operations.iter().flat_map(|operation| of_operation(alter, operation, migration, history)).collect()
}

fn of_operation(
    alter: &AlterTable,
    operation: &AlterTableOperation,
    migration: &Migration,
    history: &History,
) -> Vec<Rule> {
    match operation {
        AlterTableOperation::AddColumn { column_def, .. } => of_new_column(alter, column_def),
        AlterTableOperation::AddConstraint { constraint, not_valid } => match constraint {
            TableConstraint::Check(_) | TableConstraint::ForeignKey(_) => {
                // The version before may write what it refuses, unless it does not know the columns yet.
                let is_new_rule = !history.is_of_new_columns(&alter.name, constraint);
                let at_once = (!*not_valid).then_some(Rule::ConstraintNotValid);
                at_once.into_iter().chain(is_new_rule.then_some(Rule::Contract)).collect()
            }
            TableConstraint::UniqueUsingIndex(_) => Vec::new(),
            // It makes its columns NOT NULL.
            TableConstraint::PrimaryKeyUsingIndex(key) => {
                let columns = history.columns_of_index(&key.index_name.to_string());
                let is_ready = columns
                    .is_some_and(|columns| columns.iter().all(|column| history.is_never_null(&alter.name, column)));
                if is_ready { Vec::new() } else { vec![Rule::SetNotNull, Rule::Contract] }
            }
            _ => vec![Rule::ConstraintBuildsIndex],
        },
        AlterTableOperation::ValidateConstraint { name } => {
            let is_at_once = migration.run_in_transaction && history.has_added(&alter.name, &name.to_string());
            if is_at_once { vec![Rule::ValidatedAtOnce] } else { Vec::new() }
        }
        AlterTableOperation::AlterColumn { column_name, op } => match op {
            AlterColumnOperation::SetDataType { .. } | AlterColumnOperation::AddGenerated { .. } => vec![Rule::Rewrite],
            AlterColumnOperation::SetNotNull if history.is_never_null(&alter.name, &column_name.to_string()) => {
                Vec::new()
            }
            AlterColumnOperation::SetNotNull => vec![Rule::SetNotNull, Rule::Contract],
            AlterColumnOperation::DropDefault => vec![Rule::Contract],
            AlterColumnOperation::DropNotNull | AlterColumnOperation::SetDefault { .. } => Vec::new(),
        },
        AlterTableOperation::SetLogged | AlterTableOperation::SetUnlogged => vec![Rule::Rewrite],
        AlterTableOperation::DropColumn { .. }
        | AlterTableOperation::RenameColumn { .. }
        | AlterTableOperation::RenameTable { .. } => vec![Rule::Contract],
        // ON CONFLICT of the version before names its columns.
        AlterTableOperation::DropConstraint { name, .. } => {
            if history.is_check_or_foreign_key(&alter.name, &name.to_string()) {
                Vec::new()
            } else {
                vec![Rule::Contract]
            }
        }
        AlterTableOperation::RenameConstraint { .. } | AlterTableOperation::SetOptionsParens { .. } => Vec::new(),
        _ => vec![Rule::NotUnderstood],
    }
}

fn of_new_column(alter: &AlterTable, column: &ColumnDef) -> Vec<Rule> {
    let has = |is_it: fn(&ColumnOption) -> bool| column.options.iter().any(|option| is_it(&option.option));
    let mut found = Vec::new();
    let alone = AlterTableOperation::AddColumn {
        column_keyword: true,
        if_not_exists: false,
        column_def: column.clone(),
        column_position: None,
    };
    let alone = AlterTable { operations: vec![alone], ..alter.clone() };
    let sql = Sql {
        line: 0,
        text: String::new(),
        comments: Vec::new(),
        parsed: Some(Statement::AlterTable(alone)),
        is_concurrent: false,
    };
    if effects(&sql).is_some_and(|effects| effects.iter().any(|effect| effect.rewrites)) {
        found.push(Rule::Rewrite);
    } else if has(|option| *option == ColumnOption::NotNull)
        && !has(|option| matches!(option, ColumnOption::Default(_)))
    {
        found.push(Rule::NotNullWithoutDefault);
    }
    if has(|option| matches!(option, ColumnOption::Check(_) | ColumnOption::ForeignKey(_))) {
        found.push(Rule::ConstraintNotValid);
    }
    if has(|option| matches!(option, ColumnOption::Unique(_) | ColumnOption::PrimaryKey(_))) {
        found.push(Rule::ConstraintBuildsIndex);
    }
    found
}

/// Whether a statement that ran before, wholly or in part, ends well once more. Updates are trusted to.
fn is_repeatable(statement: &Statement) -> bool {
    match statement {
        Statement::CreateIndex(create) => create.name.is_some() && (create.concurrently || create.if_not_exists),
        Statement::CreateTable(create) => create.if_not_exists,
        Statement::CreateView(create) => create.or_replace || create.if_not_exists,
        Statement::CreateFunction(create) => create.or_replace,
        Statement::CreateExtension(create) => create.if_not_exists,
        Statement::Drop { if_exists, .. } => *if_exists,
        Statement::Insert(insert) => insert.on.is_some(),
        Statement::AlterTable(alter) => alter.operations.iter().all(|operation| match operation {
            AlterTableOperation::AddColumn { if_not_exists, .. } => *if_not_exists,
            AlterTableOperation::DropColumn { if_exists, .. } => *if_exists,
            AlterTableOperation::DropConstraint { if_exists, .. } => *if_exists,
            AlterTableOperation::ValidateConstraint { .. }
            | AlterTableOperation::AlterColumn { .. }
            | AlterTableOperation::SetOptionsParens { .. } => true,
            _ => false,
        }),
        Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Truncate(_)
        | Statement::Query(_)
        | Statement::Vacuum(_)
        | Statement::Comment { .. } => true,
        _ => false,
    }
}
