//! The key directory: `keyset.json` and one PEM file for each key. One volume is all it needs.
//!
//! 1. Whoever changes it holds the lock file, and finds the text that the change was worked out from.
//! 2. New PEM files are written first, each 0600 from its first byte.
//! 3. `keyset.json` is replaced in one step. Whoever reads sees the old state whole or the new state whole, and an
//!    interrupted change leaves at most PEM files that nothing refers to.
//! 4. The PEM files of retired keys are removed last.

mod keyset_file;
mod lock;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

pub use self::keyset_file::FILE_NAME;
use self::lock::Lock;
use super::{Author, Change, KeyStore, KeyStoreError, Revision, StoredKeys, StoredRing, pem_of};
use crate::keys::change::first_keys;
use crate::keys::lifecycle::{KeyRing, Refusal};
use crate::keys::private_file::{self, FileError};
use crate::keys::private_key::{PrivateKey, RsaBits};
use crate::keys::problem::{KeysetError, Problem};
use crate::model::audit::AuditRecord;
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::{KeyEntry, KeyState};
use crate::storage::postgres::Postgres;

/// A folder with keys in it.
#[derive(Clone, Debug)]
pub struct KeyDirectory {
    path: PathBuf,
    /// Where changes are recorded.
    records: Option<Postgres>,
    author: Option<Author>,
}

/// Makes the directory if need be and one active key for each required algorithm and each of `algs`. Blocks.
pub fn generate_initial(
    path: &Path,
    algs: &[SigningAlg],
    rsa_bits: RsaBits,
    now: DateTime<Utc>,
) -> Result<Vec<KeyEntry>, KeyStoreError> {
    let directory = KeyDirectory::new(path);
    if directory.has_keyset() {
        return Err(directory.refuse(Refusal::HasKeys.problem()).into());
    }
    let (ring, added) = first_keys(algs, rsa_bits, now).map_err(|problem| directory.refuse(problem))?;
    let keys = ring.keys().to_vec();
    directory.replace_now(&Change { expected: Revision::nothing(), ring, added })?;
    Ok(keys)
}

impl KeyDirectory {
    /// The directory at `path`, whether it is there or not.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), records: None, author: None }
    }

    /// The same directory, whose changes are recorded in that database.
    #[must_use]
    pub fn recorded_in(self, postgres: &Postgres) -> Self {
        Self { records: Some(postgres.clone()), ..self }
    }

    /// Whether it has a key set at all, good or bad.
    pub fn has_keyset(&self) -> bool {
        self.path.join(FILE_NAME).exists()
    }

    fn refuse(&self, problem: Problem) -> KeysetError {
        KeysetError::one(&self.place(), problem)
    }

    fn refuse_file(&self, error: FileError) -> KeysetError {
        self.refuse(error.into())
    }

    fn read_text(&self) -> Result<String, KeysetError> {
        let missing = |error| self.refuse(missing_directory(&self.path, error));
        private_file::check_folder(&self.path).map_err(missing)?;
        Ok(private_file::read(&self.path.join(FILE_NAME)).map_err(missing)?.to_string())
    }

    fn read_now(&self) -> Result<StoredRing, KeysetError> {
        let text = self.read_text()?;
        let ring = keyset_file::parse(&text).map_err(|problems| KeysetError::new(&self.place(), problems))?;
        Ok(StoredRing { revision: revision_of(&text), ring, written_in: FILE_NAME })
    }

    fn read_or_empty_now(&self) -> Result<StoredRing, KeysetError> {
        if self.has_keyset() {
            return self.read_now();
        }
        Ok(StoredRing { revision: Revision::nothing(), ring: KeyRing::default(), written_in: FILE_NAME })
    }

    fn read_keys_now(&self) -> Result<StoredKeys, KeysetError> {
        let mut stored = self.read_now()?;
        loop {
            let ours = stored.ring.keys().iter().filter(|key| key.is_published() && key.external.is_none());
            let keys: Vec<_> = ours.map(|entry| (entry.clone(), self.read_key(entry))).collect();
            if keys.iter().all(|(_, key)| key.is_ok()) {
                return Ok(StoredKeys { stored, keys });
            }
            // A key that was retired meanwhile has lost its file, and that is no fault.
            let again = self.read_now()?;
            if again.revision == stored.revision {
                return Ok(StoredKeys { stored, keys });
            }
            stored = again;
        }
    }

    fn read_key(&self, entry: &KeyEntry) -> Result<PrivateKey, Problem> {
        let path = self.path.join(entry.file.as_deref().unwrap_or_default());
        let pem = private_file::read(&path).map_err(|error| match error {
            FileError::Missing(_) => Problem::new(
                format!("{}, the file of the key {}, does not exist", path.display(), entry.kid),
                format!(
                    "put the file back from your copy; if it is lost, `ostiary-keyctl revoke {}` ends the key",
                    entry.kid
                ),
            ),
            FileError::Exists(_) | FileError::Exposed { .. } | FileError::NotText(_) | FileError::System { .. } => {
                error.into()
            }
        })?;
        PrivateKey::from_pem(entry.alg, &pem)
            .map_err(|unusable| Problem::new(format!("{} {}", path.display(), unusable.what), unusable.mend))
    }

    /// What is recorded of it.
    fn replace_now(&self, change: &Change) -> Result<Vec<AuditRecord>, KeyStoreError> {
        if change.expected == Revision::nothing() {
            private_file::create_folder(&self.path).map_err(|error| self.refuse_file(error))?;
        }
        private_file::check_folder(&self.path).map_err(|error| self.refuse_file(error))?;
        let _lock = Lock::take(&self.path)?;
        let found = self.read_or_empty_now()?;
        if found.revision != change.expected {
            return Err(KeyStoreError::Conflict);
        }
        let named = change.ring.keys().iter().cloned().map(with_file).collect();
        let ring = KeyRing::new(named);
        for (kid, key) in &change.added {
            let pem = pem_of(key, kid).map_err(|problem| self.refuse(problem))?;
            let file = ring.find(kid).and_then(|entry| entry.file.as_deref()).unwrap_or_default();
            private_file::create(&self.path.join(file), pem.as_bytes()).map_err(|error| self.refuse_file(error))?;
        }
        let text = keyset_file::write(&ring).map_err(|error| {
            let what = format!("was not changed: {FILE_NAME} could not be written as JSON ({error})");
            self.refuse(Problem::new(what, "report this as a defect"))
        })?;
        private_file::replace(&self.path.join(FILE_NAME), &text).map_err(|error| self.refuse_file(error))?;
        self.destroy_retired(&ring);
        Ok(self.author.as_ref().map(|author| author.records(&found.ring, &ring)).unwrap_or_default())
    }

    /// No transaction covers a directory: the change stands, whatever becomes of its records.
    async fn record(&self, records: &[AuditRecord]) {
        let Some(postgres) = &self.records else { return };
        if records.is_empty() {
            return;
        }
        if let Err(error) = postgres.insert_audit_records(records).await {
            let changes: Vec<_> =
                records.iter().map(|record| (record.event.kind.as_str(), record.event.object.as_deref())).collect();
            tracing::error!(?changes, %error, "the signing keys were changed, and that could not be recorded");
        }
    }

    /// Each time all of them: one that could not be removed, or whose removal was interrupted, is removed by a later change.
    fn destroy_retired(&self, ring: &KeyRing) {
        let (listed, retired): (Vec<_>, Vec<_>) = ring.keys().iter().partition(|key| key.is_published());
        // Whoever wrote the list by hand may have named one file twice.
        let is_free = |file: &&str| !listed.iter().any(|key| key.file.as_deref() == Some(*file));
        let named = retired.iter().filter_map(|key| key.file.as_deref());
        // Whatever came past the reading of the list: nothing outside the directory is removed.
        for file in named.filter(is_free).filter(|file| keyset_file::is_plain_name(file)) {
            match fs::remove_file(self.path.join(file)) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(file, %error, "the private key of a retired key could not be removed"),
            }
        }
    }

    fn warnings_now(&self) -> Vec<Problem> {
        let (Ok(stored), Ok(entries)) = (self.read_now(), fs::read_dir(&self.path)) else { return Vec::new() };
        let mut names: Vec<_> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        let is_pem = |name: &String| Path::new(name).extension() == Some(OsStr::new("pem"));
        names.into_iter().filter(is_pem).filter_map(|name| leftover(&stored.ring, &name)).collect()
    }

    fn obstacle_now(&self) -> Option<Problem> {
        match Lock::take(&self.path) {
            Ok(_) | Err(KeyStoreError::Conflict) => None,
            Err(error) => error.problems().into_iter().next(),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, KeyStoreError> {
        let directory = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&directory)).await;
        done.map_err(|error| crate::storage::StoreError::unavailable(error).into())
    }
}

#[async_trait]
impl KeyStore for KeyDirectory {
    fn place(&self) -> String {
        format!("the key directory {}", self.path.display())
    }

    fn recording(&self, author: &Author) -> Arc<dyn KeyStore> {
        Arc::new(Self { author: Some(author.clone()), ..self.clone() })
    }

    async fn find_revision(&self) -> Result<Revision, KeyStoreError> {
        // Compares the contents of one small file, because times of files are too coarse to tell two changes apart.
        Ok(self.blocking(|directory| directory.read_text().map(|text| revision_of(&text))).await??)
    }

    async fn read(&self) -> Result<StoredRing, KeyStoreError> {
        Ok(self.blocking(Self::read_now).await??)
    }

    async fn read_or_empty(&self) -> Result<StoredRing, KeyStoreError> {
        Ok(self.blocking(Self::read_or_empty_now).await??)
    }

    async fn read_keys(&self) -> Result<StoredKeys, KeyStoreError> {
        Ok(self.blocking(Self::read_keys_now).await??)
    }

    async fn replace(&self, change: Change) -> Result<(), KeyStoreError> {
        let records = self.blocking(move |directory| directory.replace_now(&change)).await??;
        self.record(&records).await;
        Ok(())
    }

    async fn rewrap(&self) -> Result<Option<usize>, KeyStoreError> {
        Ok(None)
    }

    async fn warnings(&self) -> Vec<Problem> {
        self.blocking(Self::warnings_now).await.unwrap_or_default()
    }

    async fn obstacle(&self) -> Option<Problem> {
        self.blocking(Self::obstacle_now).await.ok().flatten()
    }
}

/// The entry with the name of its file, which a new one does not have yet.
fn with_file(mut entry: KeyEntry) -> KeyEntry {
    if entry.file.is_none() && entry.external.is_none() {
        entry.file = Some(format!("{}-{}.pem", entry.alg.as_str().to_ascii_lowercase(), entry.kid));
    }
    entry
}

fn revision_of(text: &str) -> Revision {
    Revision::new(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes())))
}

fn leftover(ring: &KeyRing, name: &str) -> Option<Problem> {
    match ring.keys().iter().find(|key| key.file.as_deref() == Some(name)) {
        None => Some(Problem::new(
            format!("{name} belongs to no key in {FILE_NAME}: an interrupted command may have left it"),
            "delete it, if you did not put it there",
        )),
        Some(key) if key.state == KeyState::Retired => Some(Problem::of_key(
            &key.kid,
            &format!("is retired, and its private key {name} is still there"),
            "delete the file; the next change of the keys would",
        )),
        Some(_) => None,
    }
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

#[cfg(test)]
mod tests;
