//! Signing keys and the master key.
//!
//! `ostiary-keyctl` writes the key directory, running servers read it: [`Keys`] holds the state that was read last and
//! takes up a new one without a pause. A state that cannot be used is reported and the old one stays.

// The key directory: reading, checking and changing it.
pub mod directory;
// Public keys as JSON Web Keys.
pub mod jwk;
// The keys that sign and verify now.
pub mod keyset;
// The format of `keyset.json` and the life of a key.
pub mod keyset_file;
// The secret from which all others are derived.
pub mod master_key;
// Files that only their owner may read.
pub mod private_file;
// Private keys as material.
pub mod private_key;
// What is wrong with a key directory, and its mend.
pub mod problem;
mod rsa_pool;
mod signer;
// Codes, refresh tokens and opaque access tokens as they travel.
pub mod token;
// Tokens whose signature was found good a short while ago.
mod verified_tokens;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use self::keyset::Keyset;
use self::problem::{KeysetError, Problem};
use self::rsa_pool::RsaPool;

/// The signing keys of a running server.
#[derive(Clone)]
pub struct Keys {
    shared: Arc<Shared>,
}

struct Shared {
    directory: PathBuf,
    keyset: ArcSwap<Keyset>,
    rsa: RsaPool,
    // What the last reload found wrong, so that it is reported once and not every two seconds.
    reported: Mutex<Option<KeysetError>>,
}

impl Keys {
    /// Reads the key directory and starts the threads that make RSA signatures.
    pub fn open(directory: &Path) -> Result<Self, KeysetError> {
        let rsa = RsaPool::start().map_err(|error| {
            let what = format!("the threads that make RSA signatures cannot be started ({error})");
            KeysetError::one(directory, Problem::new(what, "raise the limit of threads for this process"))
        })?;
        let keyset = ArcSwap::from_pointee(Keyset::load(directory, rsa.clone())?);
        let directory = directory.to_owned();
        Ok(Self { shared: Arc::new(Shared { directory, keyset, rsa, reported: Mutex::new(None) }) })
    }

    /// The keys now. A request takes them once.
    pub fn current(&self) -> Arc<Keyset> {
        self.shared.keyset.load_full()
    }

    /// Takes up the key directory if it changed: `true` if it did. An error leaves the old keys in use, and is given once
    /// for as long as the same thing is wrong.
    ///
    /// Compares the contents of one small file, because times of files are too coarse to tell two changes apart. Blocks for
    /// a few reads.
    pub fn reload_if_changed(&self) -> Result<bool, KeysetError> {
        let directory = &self.shared.directory;
        let mut reported = self.shared.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let found = directory::read_keyset_file(directory).and_then(|(source, _)| {
            if source == self.shared.keyset.load().source() {
                return Ok(None);
            }
            Keyset::load(directory, self.shared.rsa.clone()).map(Some)
        });
        match found {
            Ok(keyset) => {
                *reported = None;
                let has_changed = keyset.is_some();
                if let Some(keyset) = keyset {
                    self.shared.keyset.store(Arc::new(keyset));
                }
                Ok(has_changed)
            }
            Err(error) if reported.as_ref() == Some(&error) => Ok(false),
            Err(error) => {
                *reported = Some(error.clone());
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
