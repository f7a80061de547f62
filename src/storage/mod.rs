//! What is kept: Postgres is the truth, the state store holds what may be lost.

// The durable truth.
pub mod postgres;
// Clients, scopes and resources as this process remembers them.
pub mod registry;
// Short-lived state: seven atomic verbs, implemented by Valkey and in memory.
pub mod state;

use std::error::Error;

use crate::protocol::error::OAuthError;

/// Why a store could not do what was asked. Absence is not an error: it is `Ok(None)`.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store could not be reached, or did not answer in time; whether a write happened is unknown.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The row contradicts another one.
    #[error("the change conflicts with what is stored")]
    Conflict(#[source] Box<dyn Error + Send + Sync>),
    /// What is stored cannot be read: a newer version wrote it, or its key is gone.
    #[error("what is stored cannot be read")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// An outage.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }

    /// A contradiction.
    pub fn conflict(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Conflict(source.into())
    }

    /// Something unreadable.
    pub fn corrupt(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Corrupt(source.into())
    }
}

/// An outage is never `invalid_grant`, `invalid_client` or `active: false`: a client that believed those would throw away
/// good credentials.
impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                Self::temporarily_unavailable("the server cannot reach its storage, try again shortly")
            }
            StoreError::Conflict(_) | StoreError::Corrupt(_) => {
                Self::server_error("the server could not complete the request")
            }
        }
        .with_source(error)
    }
}
