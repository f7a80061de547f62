//! The lock of whoever changes a key directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::keys::private_file;
use crate::keys::problem::{KeysetError, Problem};
use crate::keys::store::KeyStoreError;

const FILE_NAME: &str = ".lock";

/// Held while a key directory is changed. The system releases it however the process ends, and the empty file stays:
/// deleting it would let two processes lock two different files of the same name.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says at once that another has it.
    pub(super) fn take(directory: &Path) -> Result<Self, KeyStoreError> {
        let path = directory.join(FILE_NAME);
        let cannot = |error: std::io::Error| {
            let place = format!("the key directory {}", directory.display());
            let problem = Problem::new(
                format!("{} cannot be locked ({error})", path.display()),
                "let the account that runs this own the directory, on a file system that can be written and locks files",
            );
            KeyStoreError::from(KeysetError::one(&place, problem))
        };
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(cannot)?;
        private_file::give_to_owner_of(directory, &file).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(KeyStoreError::Conflict),
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }
}
