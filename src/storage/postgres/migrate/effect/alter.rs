//! What each part of `ALTER TABLE` does.

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, ColumnDef, ColumnOption, DataType, Expr, FunctionArguments,
    TableConstraint,
};

use super::{Effect, Lock, of_column};

/// Functions that a column may be filled with without looking at any row: they answer the same within a statement.
const STABLE: [&str; 4] = ["now", "current_timestamp", "transaction_timestamp", "statement_timestamp"];

/// Types that bring a sequence, from which every row takes a number.
const SERIAL: [&str; 6] = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"];

/// What the parts do together: the strongest lock counts.
pub(super) fn effects(alter: &AlterTable) -> Option<Vec<Effect>> {
    let mut whole = Effect::new(&alter.name, Lock::AccessShare);
    let mut others = Vec::new();
    for operation in &alter.operations {
        let (effect, referred) = of_operation(&whole.table, operation)?;
        whole.lock = whole.lock.max(effect.lock);
        whole.rewrites |= effect.rewrites;
        whole.scans |= effect.scans;
        others.extend(referred);
    }
    others.insert(0, whole);
    Some(others)
}

fn of_operation(table: &str, operation: &AlterTableOperation) -> Option<(Effect, Vec<Effect>)> {
    let alone = |lock| Some((Effect::new(table, lock), Vec::new()));
    match operation {
        AlterTableOperation::AddColumn { column_def, .. } => {
            Some((of_new_column(table, column_def), of_column(column_def)))
        }
        AlterTableOperation::AddConstraint { constraint, not_valid } => {
            Some(of_constraint(table, constraint, *not_valid))
        }
        AlterTableOperation::ValidateConstraint { .. } => {
            Some((Effect::new(table, Lock::ShareUpdateExclusive).scanning(), Vec::new()))
        }
        AlterTableOperation::AlterColumn { op, .. } => Some((of_column_change(table, op)?, Vec::new())),
        AlterTableOperation::EnableTrigger { .. }
        | AlterTableOperation::DisableTrigger { .. }
        | AlterTableOperation::EnableAlwaysTrigger { .. }
        | AlterTableOperation::EnableReplicaTrigger { .. } => alone(Lock::ShareRowExclusive),
        AlterTableOperation::SetOptionsParens { .. } => alone(Lock::ShareUpdateExclusive),
        AlterTableOperation::SetLogged | AlterTableOperation::SetUnlogged => {
            Some((Effect::new(table, Lock::AccessExclusive).rewriting(), Vec::new()))
        }
        AlterTableOperation::DropColumn { .. }
        | AlterTableOperation::DropConstraint { .. }
        | AlterTableOperation::RenameColumn { .. }
        | AlterTableOperation::RenameTable { .. }
        | AlterTableOperation::RenameConstraint { .. }
        | AlterTableOperation::ReplicaIdentity { .. }
        | AlterTableOperation::EnableRowLevelSecurity
        | AlterTableOperation::DisableRowLevelSecurity
        | AlterTableOperation::ForceRowLevelSecurity
        | AlterTableOperation::NoForceRowLevelSecurity
        | AlterTableOperation::OwnerTo { .. } => alone(Lock::AccessExclusive),
        _ => None,
    }
}

fn of_constraint(table: &str, constraint: &TableConstraint, not_valid: bool) -> (Effect, Vec<Effect>) {
    let exclusive = Effect::new(table, Lock::AccessExclusive);
    match constraint {
        TableConstraint::ForeignKey(key) => {
            let effect = Effect::new(table, Lock::ShareRowExclusive);
            let referred = Effect::new(&key.foreign_table, Lock::ShareRowExclusive);
            (if not_valid { effect } else { effect.scanning() }, vec![referred])
        }
        TableConstraint::Check(_) if not_valid => (exclusive, Vec::new()),
        TableConstraint::UniqueUsingIndex(_) | TableConstraint::PrimaryKeyUsingIndex(_) => (exclusive, Vec::new()),
        _ => (exclusive.scanning(), Vec::new()),
    }
}

fn of_column_change(table: &str, change: &AlterColumnOperation) -> Option<Effect> {
    let exclusive = Effect::new(table, Lock::AccessExclusive);
    match change {
        // Some changes of type need no rewriting; which ones depends on the type before.
        AlterColumnOperation::SetDataType { .. } => Some(exclusive.rewriting()),
        AlterColumnOperation::SetNotNull => Some(exclusive.scanning()),
        AlterColumnOperation::DropNotNull
        | AlterColumnOperation::SetDefault { .. }
        | AlterColumnOperation::DropDefault
        | AlterColumnOperation::AddGenerated { .. } => Some(exclusive),
    }
}

fn of_new_column(table: &str, column: &ColumnDef) -> Effect {
    let exclusive = Effect::new(table, Lock::AccessExclusive);
    let is_computed = is_serial(&column.data_type)
        || column.options.iter().any(|option| match &option.option {
            ColumnOption::Default(value) => !is_stable(value),
            ColumnOption::Generated { .. } | ColumnOption::Identity(_) => true,
            _ => false,
        });
    let is_checked = column.options.iter().any(|option| {
        matches!(
            &option.option,
            ColumnOption::Check(_)
                | ColumnOption::Unique(_)
                | ColumnOption::PrimaryKey(_)
                | ColumnOption::ForeignKey(_)
        )
    });
    match (is_computed, is_checked) {
        (true, _) => exclusive.rewriting(),
        (false, true) => exclusive.scanning(),
        (false, false) => exclusive,
    }
}

fn is_serial(data_type: &DataType) -> bool {
    let name = data_type.to_string().to_lowercase();
    SERIAL.contains(&name.as_str())
}

/// Whether a default has one value for all the rows that are there. What is not known counts as not.
fn is_stable(value: &Expr) -> bool {
    match value {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Cast { expr, .. } | Expr::Nested(expr) | Expr::UnaryOp { expr, .. } => is_stable(expr),
        Expr::Array(array) => array.elem.iter().all(is_stable),
        Expr::Function(function) => {
            let has_arguments = matches!(&function.args, FunctionArguments::List(list) if !list.args.is_empty());
            !has_arguments && STABLE.contains(&function.name.to_string().to_lowercase().as_str())
        }
        _ => false,
    }
}
