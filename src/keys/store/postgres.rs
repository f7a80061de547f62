//! Keys in Postgres: every instance sees them, none needs a volume. The private keys are sealed with a key-encryption key
//! that the database never sees.

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::{Author, Change, KeyStore, KeyStoreError, Revision, StoredKeys, StoredRing, pem_of};
use crate::keys::kek::{KekSource, KeyEncryptionKeys, sealed_by};
use crate::keys::lifecycle::KeyRing;
use crate::keys::private_key::PrivateKey;
use crate::keys::problem::{KeysetError, Problem};
use crate::model::audit::AuditRecord;
use crate::model::signing_key::KeyEntry;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::signing_key::{SealedKey, SealedKeys};

const TABLE: &str = "the table signing_key";

/// The keys of one database.
#[derive(Clone)]
pub struct PostgresKeys {
    postgres: Postgres,
    kek: KekSource,
    author: Option<Author>,
}

impl PostgresKeys {
    /// The keys in `postgres`, sealed with `kek`.
    pub fn new(postgres: Postgres, kek: KekSource) -> Self {
        Self { postgres, kek, author: None }
    }

    fn refuse(&self, problem: Problem) -> KeyStoreError {
        KeysetError::one(&self.place(), problem).into()
    }

    /// Read anew each time, so that a running server knows a key that was added to the file.
    async fn find_kek(&self) -> Result<Result<KeyEncryptionKeys, Problem>, StoreError> {
        let source = self.kek.clone();
        let loaded = tokio::task::spawn_blocking(move || source.load()).await.map_err(StoreError::unavailable)?;
        Ok(loaded.map_err(|error| error.problem().clone()))
    }

    async fn load_kek(&self) -> Result<KeyEncryptionKeys, KeyStoreError> {
        self.find_kek().await?.map_err(|problem| self.refuse(problem))
    }

    async fn list(&self) -> Result<SealedKeys, KeyStoreError> {
        self.postgres.list_signing_keys().await.map_err(|error| match error {
            StoreError::Corrupt(what) => self.refuse(Problem::new(
                what.to_string(),
                format!("correct the row in {TABLE}, restore it, or use the version of ostiary that wrote it"),
            )),
            error => error.into(),
        })
    }

    async fn replace_sealed(
        &self,
        expected: i64,
        keys: &[SealedKey],
        records: Vec<AuditRecord>,
    ) -> Result<(), KeyStoreError> {
        match self.postgres.recording_all(records).replace_signing_keys(expected, keys).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(KeyStoreError::Conflict),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl KeyStore for PostgresKeys {
    fn place(&self) -> String {
        "the key store in the database".to_owned()
    }

    fn recording(&self, author: &Author) -> Arc<dyn KeyStore> {
        Arc::new(Self { author: Some(author.clone()), ..self.clone() })
    }

    async fn find_revision(&self) -> Result<Revision, KeyStoreError> {
        Ok(revision_of(self.postgres.find_keyset_version().await?))
    }

    async fn read(&self) -> Result<StoredRing, KeyStoreError> {
        Ok(ring_of(&self.list().await?))
    }

    async fn read_or_empty(&self) -> Result<StoredRing, KeyStoreError> {
        self.read().await
    }

    async fn read_keys(&self) -> Result<StoredKeys, KeyStoreError> {
        let found = self.list().await?;
        let stored = ring_of(&found);
        let ours = found.keys.iter().filter(|key| key.entry.is_published() && key.entry.external.is_none());
        let ours: Vec<_> = ours.cloned().collect();
        // Without keys there is nothing to open, and perhaps no key-encryption key yet.
        if ours.is_empty() {
            return Ok(StoredKeys { stored, keys: Vec::new() });
        }
        // Without it the metadata counts all the same: to end a key nothing has to be opened.
        let kek = self.find_kek().await?;
        // Parsing RSA keys takes its time.
        let open = move || {
            ours.into_iter()
                .map(|SealedKey { entry, sealed }| {
                    let kek = kek.as_ref().map_err(Clone::clone);
                    let key = kek.and_then(|kek| open_key(kek, &entry, sealed.as_deref()));
                    (entry, key)
                })
                .collect()
        };
        let keys = tokio::task::spawn_blocking(open).await.map_err(StoreError::unavailable)?;
        Ok(StoredKeys { stored, keys })
    }

    async fn replace(&self, change: Change) -> Result<(), KeyStoreError> {
        let found = self.list().await?;
        if revision_of(found.version) != change.expected {
            return Err(KeyStoreError::Conflict);
        }
        let kek = if change.added.is_empty() { None } else { Some(self.load_kek().await?) };
        let mut keys = Vec::new();
        for entry in change.ring.keys() {
            let added = change.added.iter().find(|(kid, _)| *kid == entry.kid);
            let sealed = match (added, &kek) {
                (Some((_, key)), Some(kek)) => Some(seal(kek, entry, key).map_err(|problem| self.refuse(problem))?),
                _ => found.keys.iter().find(|key| key.entry.kid == entry.kid).and_then(|key| key.sealed.clone()),
            };
            // The private key of a retired key is destroyed here.
            let sealed = sealed.filter(|_| entry.is_published());
            let entry = KeyEntry { file: None, ..entry.clone() };
            keys.push(SealedKey { entry, sealed });
        }
        let author = self.author.as_ref();
        let records = author.map(|author| author.records(&ring_of(&found).ring, &change.ring)).unwrap_or_default();
        self.replace_sealed(found.version, &keys, records).await
    }

    async fn rewrap(&self) -> Result<Option<usize>, KeyStoreError> {
        let mut found = self.list().await?;
        let kek = self.load_kek().await?;
        let mut count = 0;
        for key in &mut found.keys {
            let Some(sealed) = &key.sealed else { continue };
            if sealed_by(sealed) == Some(kek.current()) {
                continue;
            }
            let opened = open_key(&kek, &key.entry, Some(sealed)).map_err(|problem| self.refuse(problem))?;
            key.sealed = Some(seal(&kek, &key.entry, &opened).map_err(|problem| self.refuse(problem))?);
            count += 1;
        }
        if count > 0 {
            self.replace_sealed(found.version, &found.keys, Vec::new()).await?;
        }
        Ok(Some(count))
    }

    async fn warnings(&self) -> Vec<Problem> {
        let (Ok(found), Ok(kek)) = (self.list().await, self.load_kek().await) else { return Vec::new() };
        let is_older =
            |key: &&SealedKey| key.sealed.as_deref().and_then(sealed_by).is_some_and(|id| id != kek.current());
        let older = found.keys.iter().filter(is_older).map(|key| {
            let mend = "seal it with the newest one: `ostiary-keyctl rewrap`";
            Problem::of_key(&key.entry.kid, "is sealed with an older key-encryption key", mend)
        });
        older.collect()
    }

    async fn obstacle(&self) -> Option<Problem> {
        None
    }
}

fn revision_of(version: i64) -> Revision {
    Revision::new(version.to_string())
}

fn ring_of(found: &SealedKeys) -> StoredRing {
    let entries = found.keys.iter().map(|key| key.entry.clone()).collect();
    StoredRing { revision: revision_of(found.version), ring: KeyRing::new(entries), written_in: TABLE }
}

fn seal(kek: &KeyEncryptionKeys, entry: &KeyEntry, key: &PrivateKey) -> Result<Vec<u8>, Problem> {
    let pem: Zeroizing<String> = pem_of(key, &entry.kid)?;
    kek.seal(&entry.kid, pem.as_bytes())
        .map_err(|_| Problem::of_key(&entry.kid, "could not be sealed", "report this as a defect"))
}

fn open_key(kek: &KeyEncryptionKeys, entry: &KeyEntry, sealed: Option<&[u8]>) -> Result<PrivateKey, Problem> {
    let refuse = |what: &str, mend: &str| Problem::of_key(&entry.kid, what, mend);
    let sealed = sealed.ok_or_else(|| {
        refuse("has no private key in the database", "restore the row, or end the key with `ostiary-keyctl revoke`")
    })?;
    let opened = kek.open(&entry.kid, sealed).ok_or_else(|| {
        let id = sealed_by(sealed).map_or_else(|| "none".to_owned(), |id| id.to_string());
        refuse(
            &format!(
                "cannot be opened: it was sealed with the key-encryption key {id}, which is missing or another one"
            ),
            "add that key back to keys.kek_file (or KEK) as a further line",
        )
    })?;
    let pem = std::str::from_utf8(&opened)
        .map_err(|_| refuse("is not text once opened", "restore the row from your copy"))?;
    PrivateKey::from_pem(entry.alg, pem).map_err(|unusable| refuse(unusable.what, unusable.mend))
}
