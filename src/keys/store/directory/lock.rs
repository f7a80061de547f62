//! The lock of whoever changes a key directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

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
        let cannot = |error: io::Error| {
            let place = format!("the key directory {}", directory.display());
            let problem = Problem::new(
                format!("{} cannot be locked ({error})", path.display()),
                "let the account that runs this own the directory, on a file system that can be written and locks files",
            );
            KeyStoreError::from(KeysetError::one(&place, problem))
        };
        let file = open(directory, &path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(KeyStoreError::Conflict),
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }
}

/// Root takes the lock in folders of other accounts, which may have put a link to any file under its name: none is followed,
/// and only a file that was made here is given away.
fn open(directory: &Path, path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            private_file::give_to_owner_of(directory, &file)?;
            return Ok(file);
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    // A pipe would be waited for.
    let file = options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.nlink() == 1 {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a file of its own; delete it"))
    }
}
