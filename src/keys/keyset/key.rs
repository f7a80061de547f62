//! Keys that were read from their store and checked, and what of them can be used when not all can.
//!
//! A change may come that this process cannot take up whole: a file that it may not read, a key-encryption key that it does not
//! have yet, a program that its settings do not name. It goes on with what it holds, but for what was ended: a key that was
//! revoked counts for nothing here too, whatever is wrong with the others.

use std::sync::Arc;

use super::decryption::DecryptionKey;
use crate::keys::external::{ExternalSigner, ExternalSigners, public_half};
use crate::keys::jwk::PublishedJwk;
use crate::keys::lifecycle::KeyRing;
use crate::keys::private_key::PrivateKey;
use crate::keys::problem::Problem;
use crate::keys::signer::{Signer, Verifier};
use crate::keys::store::StoredKeys;
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::{ExternalKey, KeyEntry, KeyState};

/// A key that was read from its store and checked.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) entry: KeyEntry,
    pub(super) jwk: PublishedJwk,
    pub(super) signer: KeySigner,
    pub(super) verifier: Arc<Verifier>,
}

/// Who has the private half.
#[derive(Clone)]
pub(super) enum KeySigner {
    Local(Arc<Signer>),
    External(Arc<ExternalSigner>),
    /// A program that may not be started here: the key is listed and verifies.
    Nobody,
}

/// What could be read.
pub(super) struct Loaded {
    pub(super) ring: KeyRing,
    pub(super) keys: Vec<Key>,
    pub(super) decryption: Vec<DecryptionKey>,
    /// What is wrong with the rest, each told once.
    pub(super) problems: Vec<Problem>,
    /// Whether the metadata is good, whatever is wrong with the keys.
    is_ring_good: bool,
}

/// A key of one sort or the other.
enum Either {
    Signs(Key),
    Decrypts(DecryptionKey),
}

impl Either {
    fn new(entry: &KeyEntry, key: &PrivateKey) -> Result<Self, Problem> {
        let jwk = key.public_jwk().ok_or_else(|| unusable(entry))?;
        // The kid is the thumbprint: a key that was exchanged for another is noticed here.
        if jwk.thumbprint() != entry.kid {
            let mend = "put the right one back from your copy, or end the key with `ostiary-keyctl revoke`";
            return Err(Problem::of_key(&entry.kid, "does not belong to what is stored: that holds another key", mend));
        }
        let jwk = jwk.published(&entry.kid, entry.alg);
        match entry.alg.signing() {
            Some(alg) => Key::new(entry, (alg, key), jwk).map(Self::Signs),
            None => DecryptionKey::new(entry, key, jwk).map(Self::Decrypts),
        }
    }
}

fn unusable(entry: &KeyEntry) -> Problem {
    let mend = "end the key with `ostiary-keyctl revoke`";
    Problem::of_key(&entry.kid, "is one that the cryptographic library refuses", mend)
}

impl Key {
    fn new(entry: &KeyEntry, (alg, key): (SigningAlg, &PrivateKey), jwk: PublishedJwk) -> Result<Self, Problem> {
        let signer = Signer::new(alg, key).ok_or_else(|| unusable(entry))?;
        let verifier = signer.verifier(alg).ok_or_else(|| unusable(entry))?.into();
        Ok(Self { entry: entry.clone(), jwk, signer: KeySigner::Local(Arc::new(signer)), verifier })
    }

    /// An external key, and what keeps it from signing here.
    fn external(
        entry: &KeyEntry,
        key: &ExternalKey,
        signers: &ExternalSigners,
    ) -> Result<(Self, Option<Problem>), Problem> {
        let public = public_half(entry, key)?;
        let verifier = public.verifier().ok_or_else(|| unusable(entry))?;
        let (signer, problem) = match signers.find_or_make(entry, key) {
            Ok((signer, _)) => (KeySigner::External(signer), None),
            Err(problem) => (KeySigner::Nobody, Some(problem)),
        };
        let jwk = public.jwk().published(&entry.kid, entry.alg);
        Ok((Self { entry: entry.clone(), jwk, signer, verifier: verifier.into() }, problem))
    }

    pub(super) fn is_active(&self) -> bool {
        self.entry.state == KeyState::Active
    }

    pub(super) fn can_sign(&self) -> bool {
        !matches!(self.signer, KeySigner::Nobody)
    }

    fn is_of_kind(&self, other: &Self) -> bool {
        self.entry.is_for(other.entry.alg, other.entry.purpose)
    }
}

impl Loaded {
    /// Whatever of `found` can be used, and what is wrong with the rest.
    pub(super) fn new(found: &StoredKeys, signers: &ExternalSigners) -> Self {
        let (ring, place) = (&found.stored.ring, found.stored.written_in);
        let problems = ring.problems(place);
        let is_ring_good = problems.is_empty();
        let (keys, decryption) = (Vec::new(), Vec::new());
        let mut loaded = Self { ring: ring.clone(), keys, decryption, problems, is_ring_good };
        for (entry, key) in &found.keys {
            match key.as_ref().map_err(Clone::clone).and_then(|key| Either::new(entry, key)) {
                Ok(Either::Signs(key)) => loaded.keys.push(key),
                Ok(Either::Decrypts(key)) => loaded.decryption.push(key),
                Err(problem) => loaded.remember(problem),
            }
        }
        for entry in ring.keys().iter().filter(|entry| entry.is_published()) {
            match entry.external.as_ref().map(|key| Key::external(entry, key, signers)) {
                Some(Ok((key, problem))) => {
                    loaded.keys.push(key);
                    problem.into_iter().for_each(|problem| loaded.remember(problem));
                }
                Some(Err(problem)) => loaded.remember(problem),
                None => {}
            }
        }
        loaded
    }

    /// What is wrong with every key for the same reason is told once.
    fn remember(&mut self, problem: Problem) {
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Fills what could not be read with what was `held` before, and lets go of what was ended.
    pub(super) fn complete_with(&mut self, (held, to_decrypt): (&[Key], &[DecryptionKey]), held_ring: &KeyRing) {
        if !self.is_ring_good {
            self.keep_held((held, to_decrypt), held_ring);
            return;
        }
        let lacking =
            to_decrypt.iter().filter(|key| !self.decryption.iter().any(|read| read.entry.kid == key.entry.kid));
        let lacking: Vec<_> = lacking
            .filter_map(|key| {
                let entry = self.ring.find(&key.entry.kid).filter(|entry| entry.is_published())?;
                Some(key.with_entry(entry))
            })
            .collect();
        self.decryption.extend(lacking);
        let read = std::mem::take(&mut self.keys);
        let usable = |entry: &KeyEntry| {
            let of = |keys: &[Key]| keys.iter().find(|key| key.entry.kid == entry.kid).cloned();
            of(&read).or_else(|| of(held)).map(|key| Key { entry: entry.clone(), ..key })
        };
        self.keys = self.ring.keys().iter().filter(|entry| entry.is_published()).filter_map(usable).collect();
        for before in held.iter().filter(|key| key.is_active()) {
            self.let_sign_on(before);
        }
    }

    /// Metadata that contradicts itself moves no key on. But who wrote that a key is retired meant it.
    fn keep_held(&mut self, (held, to_decrypt): (&[Key], &[DecryptionKey]), held_ring: &KeyRing) {
        let ended = |kid: &str| self.ring.find(kid).filter(|entry| !entry.is_published()).cloned();
        let keys = held.iter().filter(|key| ended(&key.entry.kid).is_none()).cloned().collect();
        let decryption = to_decrypt.iter().filter(|key| ended(&key.entry.kid).is_none()).cloned().collect();
        let entries = held_ring.keys().iter().map(|key| ended(&key.kid).unwrap_or_else(|| key.clone())).collect();
        (self.keys, self.decryption, self.ring) = (keys, decryption, KeyRing::new(entries));
    }

    /// Where the key that took over cannot sign here, the one before does for as long as it is listed.
    fn let_sign_on(&mut self, before: &Key) {
        if self.keys.iter().any(|key| key.is_of_kind(before) && key.is_active() && key.can_sign()) {
            return;
        }
        let Some(index) = self.keys.iter().position(|key| key.entry.kid == before.entry.kid && key.can_sign()) else {
            return;
        };
        for (place, key) in self.keys.iter_mut().enumerate().filter(|(_, key)| key.is_of_kind(before)) {
            if place == index {
                key.entry.state = KeyState::Active;
            } else if key.is_active() {
                key.entry.state = KeyState::Prepublished;
            }
        }
    }
}
