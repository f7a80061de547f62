//! Files that only their owner may read: 0600 from the first byte, written whole or not at all.

use std::error::Error;
use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, fchown};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::problem::Problem;

const MAX_LENGTH: u64 = 1024 * 1024;

/// What is wrong with a file.
#[derive(Debug)]
pub enum FileError {
    /// It is not there.
    Missing(PathBuf),
    /// It is there already and will not be replaced.
    Exists(PathBuf),
    /// Others than its owner may read or write it.
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode that it should have.
        mend: u32,
    },
    /// It is not a file, is far too large, or is not text.
    NotText(PathBuf),
    /// The system refused.
    System {
        /// What was tried: "read" or "written".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl FileError {
    /// What is wrong.
    pub fn what(&self) -> String {
        match self {
            Self::Missing(path) => format!("{} does not exist", path.display()),
            Self::Exists(path) => format!("{} exists already and is left as it is", path.display()),
            Self::Exposed { path, mode, .. } => {
                format!("{} may be used by others than its owner (its mode is {mode:04o})", path.display())
            }
            Self::NotText(path) => format!("{} is not a text file", path.display()),
            Self::System { action, path, source } => format!("{} cannot be {action} ({source})", path.display()),
        }
    }

    /// How to mend it.
    pub fn mend(&self) -> String {
        match self {
            Self::Missing(_) => "put it there, or correct the path".to_owned(),
            Self::Exists(_) => "choose another path, or move the file away first".to_owned(),
            Self::Exposed { path, mend, .. } => format!("run `chmod {mend:04o} {}`", path.display()),
            Self::NotText(_) => "put the file there that ostiary-keyctl made".to_owned(),
            Self::System { .. } => "let the account that runs this own the file and its folder".to_owned(),
        }
    }

    fn reading(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing(path.to_owned()),
            _ => Self::System { action: "read", path: path.to_owned(), source },
        }
    }

    fn writing(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists(path.to_owned()),
            _ => Self::System { action: "written", path: path.to_owned(), source },
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; mend: {}", self.what(), self.mend())
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::System { source, .. } => Some(source),
            Self::Missing(_) | Self::Exists(_) | Self::Exposed { .. } | Self::NotText(_) => None,
        }
    }
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Self {
        Self::new(error.what(), error.mend())
    }
}

/// Reads a file after checking that nobody else may.
pub fn read(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let file = File::open(path).map_err(|error| FileError::reading(path, error))?;
    // The open file is asked, not the path: what is checked is what is read.
    let metadata = file.metadata().map_err(|error| FileError::reading(path, error))?;
    if !metadata.is_file() || metadata.len() > MAX_LENGTH {
        return Err(FileError::NotText(path.to_owned()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FileError::Exposed { path: path.to_owned(), mode, mend: 0o600 });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(MAX_LENGTH).read_to_end(&mut bytes).map_err(|error| FileError::reading(path, error))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(FileError::NotText(path.to_owned())),
    }
}

/// Makes a new file; an existing one is left alone and is an error.
pub fn create(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    let folder = folder_of(path);
    let file = prepare(folder, contents).map_err(|error| FileError::writing(path, error))?;
    file.persist_noclobber(path).map_err(|error| FileError::writing(path, error.error))?;
    sync_folder(folder).map_err(|error| FileError::writing(path, error))
}

/// Puts a file in the place of another in one step: a reader sees the old one whole or the new one whole.
pub(super) fn replace(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    let folder = folder_of(path);
    let file = prepare(folder, contents).map_err(|error| FileError::writing(path, error))?;
    file.persist(path).map_err(|error| FileError::writing(path, error.error))?;
    sync_folder(folder).map_err(|error| FileError::writing(path, error))
}

/// Makes a folder that only its owner may enter, unless it is there already.
pub(super) fn create_folder(path: &Path) -> Result<(), FileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| FileError::writing(path, error))
}

/// Checks that nobody but the owner may change what lies in a folder.
pub(super) fn check_folder(path: &Path) -> Result<(), FileError> {
    let metadata = fs::metadata(path).map_err(|error| FileError::reading(path, error))?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(FileError::Exposed { path: path.to_owned(), mode, mend: 0o700 });
    }
    Ok(())
}

/// The mode is 0600 when the file comes into being, under a name that nobody can guess, and only the finished file gets
/// the name that readers look for.
fn prepare(folder: &Path, contents: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    give_to_owner_of(folder, file.as_file())?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Root prepares keys for the account that serves: without this the server could not read what root made in its folder.
pub(super) fn give_to_owner_of(folder: &Path, file: &File) -> io::Result<()> {
    let owner = fs::metadata(folder)?;
    if Uid::effective().is_root() && owner.uid() != 0 {
        fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

/// Makes the entry of a file that was put into a folder last through a power failure.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
