//! What makes a transaction leave nothing behind.

use diesel::QueryResult;
use diesel::result::Error;

/// Why a transaction is taken back, when it is.
pub(super) enum Rollback<Outcome> {
    /// A refusal, which is an answer and no failure.
    Because(Outcome),
    /// The database says no.
    Failed(Error),
}

impl<Outcome> Rollback<Outcome> {
    /// The refusal as what the transaction comes to.
    pub(super) fn into_outcome(self) -> QueryResult<Outcome> {
        match self {
            Self::Because(outcome) => Ok(outcome),
            Self::Failed(error) => Err(error),
        }
    }
}

impl<Outcome> From<Error> for Rollback<Outcome> {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
