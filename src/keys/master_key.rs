//! The one secret from which every other secret of the server is derived: HKDF-SHA256 (RFC 5869), one key per purpose.
//!
//! It is versioned. Whatever is tagged or sealed carries the id of the key that did it, so a new key can be added for
//! reading everywhere first and be made current afterwards, and an old one can stay until the last value that it protects
//! is gone.
//!
//! The text is one `id:key` per line (or separated by spaces), `key` being 32 bytes in base64url; the first is the current
//! one, the others are only read with. Lines that begin with `#` are comments.
//!
//! Sealed: `key id | 12 bytes of salt | 12 bytes of nonce | AES-256-GCM ciphertext and tag`. Each value has its own key,
//! derived from the salt: with a random nonce alone, a key that seals every opaque access token would wear out after 2^32
//! of them (NIST SP 800-38D section 8.3).

mod purpose;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

pub use self::purpose::Purpose;
use self::purpose::{PurposeKeys, VersionKeys};
use super::private_file::{self, FileError};
use super::problem::Problem;
use crate::model::id::ClientId;
use crate::protocol::error::OAuthError;
use crate::random;

const SALT_LENGTH: usize = 12;
const NONCE_LENGTH: usize = 12;

/// Every version of the master key, ready to use.
#[derive(Clone)]
pub struct MasterKeys {
    current: (u8, Arc<VersionKeys>),
    versions: Arc<BTreeMap<u8, Arc<VersionKeys>>>,
}

/// Which secret a text holds: two of the same form that must not be taken for each other in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RootKey {
    /// From which every other secret is derived.
    Master,
    /// Which seals private signing keys.
    KeyEncryption,
}

/// Why a master key cannot be used, with the mend; it never holds any of the key.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MasterKeyError(Problem);

/// A value could not be sealed; never happens to values of sane size.
#[derive(Debug, thiserror::Error)]
#[error("the value could not be sealed")]
pub struct SealError;

impl RootKey {
    fn name(self) -> &'static str {
        match self {
            Self::Master => "master key",
            Self::KeyEncryption => "key-encryption key",
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::Master => "master-key",
            Self::KeyEncryption => "kek",
        }
    }
}

impl MasterKeyError {
    pub(super) fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self(Problem::new(what, mend))
    }

    /// What is wrong, and its mend.
    pub fn problem(&self) -> &Problem {
        &self.0
    }
}

impl MasterKeys {
    /// Reads a master key file, which nobody but its owner may read.
    pub fn load(path: &Path) -> Result<Self, MasterKeyError> {
        Self::load_as(RootKey::Master, path)
    }

    /// Takes the text of a master key, as a variable may hold it.
    pub fn from_text(text: &SecretString) -> Result<Self, MasterKeyError> {
        Self::from_text_as(RootKey::Master, text)
    }

    pub(super) fn load_as(root: RootKey, path: &Path) -> Result<Self, MasterKeyError> {
        let text = private_file::read(path).map_err(|error| {
            let what = error.what();
            match error {
                FileError::Missing(path) => MasterKeyError::new(
                    what,
                    format!(
                        "make it with `ostiary-keyctl {} --file {}`, or correct the path",
                        root.command(),
                        path.display()
                    ),
                ),
                FileError::Exists(_) | FileError::Exposed { .. } | FileError::NotText(_) | FileError::System { .. } => {
                    MasterKeyError(error.into())
                }
            }
        })?;
        Self::parse(root, &text)
    }

    pub(super) fn from_text_as(root: RootKey, text: &SecretString) -> Result<Self, MasterKeyError> {
        Self::parse(root, text.expose_secret())
    }

    /// Makes a file with one fresh key; an existing file is left alone and is an error.
    pub fn generate_file(path: &Path) -> Result<(), MasterKeyError> {
        let text = Zeroizing::new(format!(
            "# Ostiary master key. Keep a copy in a safe place: without it every client secret and token is void.\n\
             # One `id:key` per line; the first is the current one, the others are only read with.\n\
             {}",
            fresh_line(1).as_str()
        ));
        private_file::create(path, text.as_bytes()).map_err(|error| MasterKeyError(error.into()))
    }

    fn parse(root: RootKey, text: &str) -> Result<Self, MasterKeyError> {
        let (name, command) = (root.name(), root.command());
        let mut versions = BTreeMap::new();
        let mut current = None;
        let words = text.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(str::split_whitespace);
        for (index, word) in words.enumerate() {
            let (id, secret) = parse_entry(word).ok_or_else(|| {
                MasterKeyError::new(
                    format!("entry {} of the {name} is not `id:key`, an id from 1 to 255 and 32 bytes", index + 1),
                    format!("take the text as `ostiary-keyctl {command} --file FILE` made it, one `id:key` per line"),
                )
            })?;
            let keys = VersionKeys::derive(&secret).map_err(|_| {
                MasterKeyError::new("the cryptographic library derives no keys from it", "report this as a defect")
            })?;
            let keys = Arc::new(keys);
            if versions.insert(id, Arc::clone(&keys)).is_some() {
                let mend = "give the newer one an id that was never used";
                return Err(MasterKeyError::new(format!("two entries of the {name} have the id {id}"), mend));
            }
            current.get_or_insert((id, keys));
        }
        let current = current.ok_or_else(|| {
            let mend = format!("make one with `ostiary-keyctl {command} --file FILE`");
            MasterKeyError::new(format!("the {name} is empty"), mend)
        })?;
        Ok(Self { current, versions: Arc::new(versions) })
    }

    /// The id of the key that new values are tagged and sealed with.
    pub fn current(&self) -> u8 {
        self.current.0
    }

    /// The highest id that was given to a key.
    pub(super) fn highest_id(&self) -> u8 {
        self.versions.last_key_value().map_or(0, |(id, _)| *id)
    }

    /// Whether there is a key of that id.
    pub fn has(&self, key_id: u8) -> bool {
        self.versions.contains_key(&key_id)
    }

    /// The HMAC-SHA256 of `data` for `purpose`, with the current key.
    pub fn mac(&self, purpose: Purpose, data: &[u8]) -> [u8; 32] {
        self.current.1.of(purpose).mac(data)
    }

    /// The HMAC-SHA256 of `data` for `purpose`, with the key of that id; `None`: there is no such key.
    pub fn mac_with(&self, key_id: u8, purpose: Purpose, data: &[u8]) -> Option<[u8; 32]> {
        Some(self.versions.get(&key_id)?.of(purpose).mac(data))
    }

    /// The HMAC-SHA256 of `data` for `purpose` with each of the keys, the newest first.
    pub fn macs(&self, purpose: Purpose, data: &[u8]) -> impl Iterator<Item = [u8; 32]> {
        self.versions.values().rev().map(move |version| version.of(purpose).mac(data))
    }

    /// Whether `presented` is the MAC of `data` by any of the keys, in constant time.
    pub fn verify_mac(&self, purpose: Purpose, data: &[u8], presented: &[u8]) -> bool {
        self.versions.values().any(|version| version.of(purpose).verify(data, presented))
    }

    /// What is stored of a client secret: a MAC that also covers the client id, so that a row copied to another client is
    /// worthless there.
    pub fn client_secret_mac(&self, key_id: u8, client_id: &ClientId, secret: &str) -> Option<[u8; 32]> {
        let client_id = client_id.as_str().as_bytes();
        let mut data = Zeroizing::new(Vec::with_capacity(8 + client_id.len() + secret.len()));
        data.extend_from_slice(&(client_id.len() as u64).to_be_bytes());
        data.extend_from_slice(client_id);
        data.extend_from_slice(secret.as_bytes());
        self.mac_with(key_id, Purpose::ClientSecret, &data)
    }

    /// Seals `plain` with the current key. `aad` names the place where it will lie (tenant, table, column, row); it opens
    /// only there.
    pub fn seal(&self, purpose: Purpose, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let salt = random::bytes::<SALT_LENGTH>();
        let nonce = random::bytes::<NONCE_LENGTH>();
        let (key_id, version) = &self.current;
        let key = sealing_key(version.of(purpose), &salt).ok_or(SealError)?;
        let mut body = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(plain);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut body)
            .map_err(|_| SealError)?;
        let mut sealed = Vec::with_capacity(1 + SALT_LENGTH + NONCE_LENGTH + body.len());
        sealed.push(*key_id);
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens what [`Self::seal`] made with the same purpose and `aad`.
    pub fn open(&self, purpose: Purpose, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (&key_id, rest) = sealed.split_first()?;
        let (salt, rest) = rest.split_first_chunk::<SALT_LENGTH>()?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LENGTH>()?;
        let key = sealing_key(self.versions.get(&key_id)?.of(purpose), salt)?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

/// Only the ids: the values are never shown.
impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKeys")
            .field("current", &self.current.0)
            .field("ids", &self.versions.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl From<SealError> for OAuthError {
    fn from(error: SealError) -> Self {
        Self::server_error("the server could not complete the request").with_source(error)
    }
}

/// A line with a fresh key.
pub(super) fn fresh_line(id: u8) -> Zeroizing<String> {
    let key = Zeroizing::new(random::bytes::<32>());
    let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(key.as_slice()));
    Zeroizing::new(format!("{id}:{}\n", encoded.as_str()))
}

fn parse_entry(word: &str) -> Option<(u8, Zeroizing<[u8; 32]>)> {
    let (id, encoded) = word.split_once(':')?;
    let id = id.parse::<u8>().ok().filter(|id| *id > 0)?;
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
    let root = <[u8; 32]>::try_from(bytes.as_slice()).ok()?;
    Some((id, Zeroizing::new(root)))
}

fn sealing_key(keys: &PurposeKeys, salt: &[u8; SALT_LENGTH]) -> Option<LessSafeKey> {
    let key = Zeroizing::new(keys.sealing_key(salt));
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice()).ok()?))
}

#[cfg(test)]
mod tests;
