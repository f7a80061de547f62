//! Where signing keys are kept: a directory or Postgres, behind one trait.
//!
//! Whoever changes the keys reads them, works out the next state and offers it with the revision that it came from. A
//! store takes it only if nobody was there first ([`KeyStoreError::Conflict`]), so two changes never undo each other, and
//! puts it in place in one step, so whoever reads sees the old state whole or the new state whole.

// One folder: `keyset.json` and a PEM file for each key.
pub mod directory;
// Two tables, private keys sealed.
pub mod postgres;
// What a change is recorded as.
mod record;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

pub use self::record::Author;
use super::keyset::check_keys;
use super::lifecycle::KeyRing;
use super::private_key::PrivateKey;
use super::problem::{KeysetError, Problem};
use crate::model::signing_key::KeyEntry;
use crate::storage::StoreError;

/// Which state of the store something was read from.
#[derive(Clone, PartialEq, Eq)]
pub struct Revision(String);

/// The metadata of every key.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredRing {
    /// Where it was read from.
    pub revision: Revision,
    /// The keys.
    pub ring: KeyRing,
    /// What an operator would edit to mend it.
    pub written_in: &'static str,
}

/// The metadata with the private key of each that is published and ours, or what is wrong with it.
pub struct StoredKeys {
    /// The metadata.
    pub stored: StoredRing,
    /// The private keys.
    pub keys: Vec<(KeyEntry, Result<PrivateKey, Problem>)>,
}

/// The next state of a store.
pub struct Change {
    /// The revision that it was worked out from.
    pub expected: Revision,
    /// Every key as it shall be.
    pub ring: KeyRing,
    /// The private keys that are new, by kid. Those of keys that the change retires are destroyed.
    pub added: Vec<(String, PrivateKey)>,
}

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// Another change came first: look at the keys again.
    #[error("somebody else is changing the keys")]
    Conflict,
    /// The store cannot be reached.
    #[error("the keys cannot be reached")]
    Unavailable(#[from] StoreError),
    /// What is stored is not as it should be, or cannot be written.
    #[error(transparent)]
    Unusable(#[from] KeysetError),
}

/// A place where signing keys are kept.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// What it is called in messages.
    fn place(&self) -> String;

    /// The same place, whose changes are recorded as made by `author`. Keys in Postgres and the records of their changes are
    /// written together or not at all; for a directory the record follows, if a database is named at all.
    fn recording(&self, author: &Author) -> Arc<dyn KeyStore>;

    /// Which state it is in now. Cheap: every instance asks each second.
    async fn find_revision(&self) -> Result<Revision, KeyStoreError>;

    /// The metadata, checked for its form only.
    async fn read(&self) -> Result<StoredRing, KeyStoreError>;

    /// The same of a store that may have no keys yet.
    async fn read_or_empty(&self) -> Result<StoredRing, KeyStoreError>;

    /// The metadata and the private keys.
    async fn read_keys(&self) -> Result<StoredKeys, KeyStoreError>;

    /// Puts the next state in place.
    async fn replace(&self, change: Change) -> Result<(), KeyStoreError>;

    /// Seals every private key anew, with the newest key-encryption key, and says how many that were. `None`: this store
    /// seals nothing.
    async fn rewrap(&self) -> Result<Option<usize>, KeyStoreError>;

    /// What deserves a look although a server can use it.
    async fn warnings(&self) -> Vec<Problem>;

    /// Why this process cannot change it, if that can be told beforehand.
    async fn obstacle(&self) -> Option<Problem>;
}

/// Everything that can be said of stored keys without changing them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What keeps a server from using them.
    pub problems: Vec<Problem>,
    /// What deserves a look.
    pub warnings: Vec<Problem>,
}

/// Checks everything that a server would check, and looks for what was left behind.
pub async fn inspect(store: &dyn KeyStore) -> Inspection {
    match store.read_keys().await {
        Ok(found) => Inspection { problems: check_keys(&found), warnings: store.warnings().await },
        Err(error) => Inspection { problems: error.problems(), warnings: Vec::new() },
    }
}

impl Revision {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The state before there is anything.
    fn nothing() -> Self {
        Self::new("")
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Revision({})", self.0)
    }
}

impl KeyStoreError {
    /// What is wrong, each with its mend.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Conflict => vec![Problem::new(
                "another process is changing the keys",
                "wait until it is done, then look at `ostiary-keyctl list` before you try again",
            )],
            Self::Unavailable(error) => {
                let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
                vec![Problem::new(format!("{error}{cause}"), "start Postgres, or correct database.url (DATABASE_URL)")]
            }
            Self::Unusable(error) => error.problems().to_vec(),
        }
    }
}

/// A private key as it is written: PKCS#8 in PEM.
fn pem_of(key: &PrivateKey, kid: &str) -> Result<Zeroizing<String>, Problem> {
    key.to_pem().ok_or_else(|| Problem::of_key(kid, "cannot be written as PKCS#8", "report this as a defect"))
}

#[cfg(test)]
mod tests;
