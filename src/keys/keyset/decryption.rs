//! Keys that others encrypt to. They sign nothing, and no key that signs takes their place.

use std::sync::Arc;

use super::Keyset;
use crate::keys::jwe::{Decrypter, UnopenedJwe};
use crate::keys::jwk::PublishedJwk;
use crate::keys::private_key::PrivateKey;
use crate::keys::problem::Problem;
use crate::model::signing_key::{KeyEntry, KeyState};

/// A key that was read from its store and checked.
#[derive(Clone)]
pub(super) struct DecryptionKey {
    pub(super) entry: KeyEntry,
    pub(super) jwk: PublishedJwk,
    decrypter: Arc<Decrypter>,
}

impl DecryptionKey {
    pub(super) fn new(entry: &KeyEntry, key: &PrivateKey, jwk: PublishedJwk) -> Result<Self, Problem> {
        let decrypter = Decrypter::new(key).ok_or_else(|| {
            let mend = "end the key with `ostiary-keyctl revoke`";
            Problem::of_key(&entry.kid, "is one that the cryptographic library refuses", mend)
        })?;
        Ok(Self { entry: entry.clone(), jwk, decrypter: Arc::new(decrypter) })
    }

    /// The same key as `entry` has it now.
    pub(super) fn with_entry(&self, entry: &KeyEntry) -> Self {
        Self { entry: entry.clone(), ..self.clone() }
    }

    /// Whether others are told of it. One in its grace opens what was sent while it was told of, and nobody need begin with it.
    pub(super) fn is_listed(&self) -> bool {
        matches!(self.entry.state, KeyState::Prepublished | KeyState::Active)
    }
}

impl Keyset {
    /// Whether there is a key that others may encrypt to.
    pub fn takes_encrypted(&self) -> bool {
        self.decryption.iter().any(DecryptionKey::is_listed)
    }

    /// What a JWE to one of our keys holds; `None`, whatever the reason.
    pub fn decrypt(&self, token: &str) -> Option<String> {
        let token = UnopenedJwe::parse(token)?;
        let is_meant = |key: &&DecryptionKey| token.kid.as_deref().is_none_or(|kid| key.entry.kid == kid);
        self.decryption.iter().filter(is_meant).find_map(|key| key.decrypter.open(&token))
    }
}
