//! Which [`StoreError`] a database error is.

use diesel::result::{DatabaseErrorKind, Error};

use crate::storage::StoreError;

/// A violated constraint is a conflict, an unreadable value is corrupt, everything else is an outage: a lost connection,
/// a timeout, a server that is starting, full or read-only. Whether a write happened is then unknown.
pub(in crate::storage::postgres) fn failure(error: Error) -> StoreError {
    match error {
        Error::DatabaseError(
            DatabaseErrorKind::UniqueViolation
            | DatabaseErrorKind::ForeignKeyViolation
            | DatabaseErrorKind::NotNullViolation
            | DatabaseErrorKind::CheckViolation
            | DatabaseErrorKind::ExclusionViolation
            | DatabaseErrorKind::RestrictViolation,
            _,
        ) => StoreError::conflict(error),
        Error::DeserializationError(_) | Error::SerializationError(_) | Error::QueryBuilderError(_) => {
            StoreError::corrupt(error)
        }
        _ => StoreError::unavailable(error),
    }
}
