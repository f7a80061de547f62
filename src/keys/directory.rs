//! The key directory: `keyset.json` and one PEM file for each key.
//!
//! 1. Whoever changes it holds the lock file, so that two changes do not undo each other.
//! 2. New PEM files are written first, each 0600 from its first byte.
//! 3. `keyset.json` is replaced in one step. Whoever reads sees the old state whole or the new state whole, and an
//!    interrupted change leaves at most PEM files that nothing refers to.

mod change;
mod lock;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

pub use self::change::{Rotation, generate_initial, prepublish, rotate};
use super::keyset::Key;
use super::keyset_file::{FILE_NAME, KeyEntry, KeysetFile, VERSION};
use super::private_file::{self, FileError};
use super::private_key::PrivateKey;
use super::problem::{KeysetError, Problem};
use super::signer::Signer;

/// Everything that can be said of a key directory without changing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What keeps a server from using it.
    pub problems: Vec<Problem>,
    /// What deserves a look.
    pub warnings: Vec<Problem>,
}

/// Checks everything that a server would check, and looks for what was left behind.
pub fn inspect(directory: &Path) -> Inspection {
    let (problems, warnings) = match read_keyset_file(directory) {
        Err(error) => (error.problems().to_vec(), Vec::new()),
        Ok((_, file)) => {
            let problems = load_keys(directory, &file).err().map(|error| error.problems().to_vec()).unwrap_or_default();
            (problems, warnings(directory, &file))
        }
    };
    Inspection { problems, warnings }
}

/// Whether the directory has a key set at all, good or bad.
pub fn has_keyset(directory: &Path) -> bool {
    directory.join(FILE_NAME).exists()
}

/// Reads `keyset.json`: its text and what it says, without looking at the keys.
pub fn read_keyset_file(directory: &Path) -> Result<(String, KeysetFile), KeysetError> {
    let refuse = |problem| KeysetError::one(directory, problem);
    private_file::check_folder(directory).map_err(|error| refuse(missing_directory(directory, error)))?;
    let path = directory.join(FILE_NAME);
    let text = private_file::read(&path).map_err(|error| refuse(missing_directory(directory, error)))?;
    let file = parse_keyset_file(&text).map_err(refuse)?;
    Ok((text.to_string(), file))
}

/// Reads and checks every key that is not retired.
pub(super) fn load_keys(directory: &Path, file: &KeysetFile) -> Result<Vec<Key>, KeysetError> {
    let mut problems = file.problems();
    let mut keys = Vec::new();
    for entry in file.keys.iter().filter(|entry| entry.is_published() && entry.has_plain_file()) {
        match load_key(directory, entry) {
            Ok(key) => keys.push(key),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(keys) } else { Err(KeysetError::new(directory, problems)) }
}

fn load_key(directory: &Path, entry: &KeyEntry) -> Result<Key, Problem> {
    let path = directory.join(&entry.file);
    let pem = private_file::read(&path).map_err(|error| match error {
        FileError::Missing(_) => Problem::new(
            format!("{}, the file of the key {}, does not exist", path.display(), entry.kid),
            "put the file back from your copy; if it is lost, `rotate` cannot help: take the key out of keyset.json and \
             generate another",
        ),
        FileError::Exists(_) | FileError::Exposed { .. } | FileError::NotText(_) | FileError::System { .. } => error.into(),
    })?;
    let key = PrivateKey::from_pem(entry.alg, &pem)
        .map_err(|unusable| Problem::new(format!("{} {}", path.display(), unusable.what), unusable.mend))?;
    let unusable = || {
        let what = format!("{} holds a key that the cryptographic library refuses", path.display());
        Problem::new(what, "take the key out of keyset.json and generate another")
    };
    let jwk = key.public_jwk().ok_or_else(unusable)?;
    // The kid is the thumbprint: a file that was exchanged for another is noticed here.
    if jwk.thumbprint() != entry.kid {
        return Err(Problem::new(
            format!("{} holds another key than {}", path.display(), entry.kid),
            "put the right file back from your copy, or take the key out of keyset.json and generate another",
        ));
    }
    let signer = Signer::new(entry.alg, &key).ok_or_else(unusable)?;
    let verifier = signer.verifier(entry.alg).ok_or_else(unusable)?;
    let jwk = jwk.published(&entry.kid, entry.alg);
    Ok(Key::new(entry.clone(), jwk, signer, verifier))
}

fn parse_keyset_file(text: &str) -> Result<KeysetFile, Problem> {
    let unreadable = |error: &serde_json::Error| {
        Problem::new(
            format!("{FILE_NAME} cannot be read ({error})"),
            "put the file back from your copy, or correct it by hand: `ostiary-keyctl validate` checks it",
        )
    };
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    // Before the rest is looked at: another version may have other members.
    if let Some(version) = value.get("version").filter(|version| **version != VERSION) {
        return Err(Problem::new(
            format!("{FILE_NAME} has version {version}, this program reads version {VERSION}"),
            "use the program that wrote it, or a newer one",
        ));
    }
    serde_json::from_value(value).map_err(|error| unreadable(&error))
}

fn missing_directory(directory: &Path, error: FileError) -> Problem {
    match error {
        FileError::Missing(path) => Problem::new(
            format!("{} does not exist", path.display()),
            format!(
                "make the first keys with `ostiary-keyctl generate --dir {}`, or correct the path",
                directory.display()
            ),
        ),
        FileError::Exists(_) | FileError::Exposed { .. } | FileError::NotText(_) | FileError::System { .. } => {
            error.into()
        }
    }
}

fn warnings(directory: &Path, file: &KeysetFile) -> Vec<Problem> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<_> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
        .into_iter()
        .filter(|name| Path::new(name).extension() == Some(OsStr::new("pem")))
        .filter(|name| !file.keys.iter().any(|key| key.file == *name))
        .map(|name| {
            Problem::new(
                format!("{name} belongs to no key in {FILE_NAME}: an interrupted command may have left it"),
                "delete it, if you did not put it there",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
