//! The life of signing keys as pure functions: which changes there are and when each is allowed.
//!
//! Nobody but [`KeyRing`] moves a key from one state to the next, so that what holds here holds for the job, for
//! `ostiary-keyctl` and for the admin API alike:
//!
//! 1. Of each algorithm and purpose at most one key signs.
//! 2. A key signs once it has been listed for the prepublish window, unless somebody insists.
//! 3. What a key signed is verified until the last of it is over, unless somebody insists.

// What is wrong with stored metadata.
mod fault;
// Why a change is not allowed.
mod refusal;
// What happens next, and when.
mod timeline;

use chrono::{DateTime, Utc};

pub use self::refusal::Refusal;
pub use self::timeline::{Action, RotationPolicy, Step};
use crate::model::key_alg::KeyAlg;
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::{KeyEntry, KeyPurpose, KeyState};

/// What OpenID Connect Core section 15.1 demands of ID tokens, and what access tokens are signed with by default.
pub const REQUIRED_ALGS: [SigningAlg; 2] = [SigningAlg::RS256, SigningAlg::ES256];

/// The metadata of every key, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRing {
    keys: Vec<KeyEntry>,
}

/// Whether a condition may be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insistence {
    /// The conditions hold.
    Never,
    /// Whoever asks was told what breaks.
    Force,
}

impl KeyRing {
    /// These keys.
    pub fn new(keys: Vec<KeyEntry>) -> Self {
        Self { keys }
    }

    /// Every key.
    pub fn keys(&self) -> &[KeyEntry] {
        &self.keys
    }

    /// The key with that identifier.
    pub fn find(&self, kid: &str) -> Option<&KeyEntry> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// The keys for `alg` and `purpose` in `state`, oldest first.
    pub fn in_state(
        &self,
        alg: impl Into<KeyAlg>,
        purpose: KeyPurpose,
        state: KeyState,
    ) -> impl Iterator<Item = &KeyEntry> {
        let alg = alg.into();
        self.keys.iter().filter(move |key| key.is_for(alg, purpose) && key.state == state)
    }

    /// The key that signs with `alg` for exactly this purpose.
    pub fn active(&self, alg: impl Into<KeyAlg>, purpose: KeyPurpose) -> Option<&KeyEntry> {
        self.in_state(alg, purpose, KeyState::Active).next()
    }

    /// The oldest key for `alg` and `purpose` that waits to sign.
    pub fn waiting(&self, alg: impl Into<KeyAlg>, purpose: KeyPurpose) -> Option<&KeyEntry> {
        self.in_state(alg, purpose, KeyState::Prepublished).next()
    }

    /// The algorithms and purposes that have a key which signs or waits to.
    pub fn kinds(&self) -> Vec<(KeyAlg, KeyPurpose)> {
        let is_used = |alg, purpose| self.active(alg, purpose).is_some() || self.waiting(alg, purpose).is_some();
        let all = KeyPurpose::ALL.into_iter().flat_map(|purpose| KeyAlg::ALL.map(|alg| (alg, purpose)));
        all.filter(|(alg, purpose)| is_used(*alg, *purpose)).collect()
    }

    /// Adds a key that is listed and does not sign yet; one at a time waits for each algorithm and purpose.
    pub fn prepublish(&mut self, key: KeyEntry) -> Result<(), Refusal> {
        if self.find(&key.kid).is_some() {
            return Err(Refusal::KnownKey { kid: key.kid });
        }
        if !key.purpose.has(key.alg) {
            return Err(Refusal::WrongPurpose { alg: key.alg, purpose: key.purpose });
        }
        if let Some(waiting) = self.waiting(key.alg, key.purpose) {
            return Err(Refusal::AlreadyWaiting { kid: waiting.kid.clone(), alg: key.alg, purpose: key.purpose });
        }
        self.keys.push(key);
        Ok(())
    }

    /// Lets a prepublished key sign and puts the one that did so into grace, whose kid is the answer.
    pub fn activate(
        &mut self,
        kid: &str,
        policy: &RotationPolicy,
        insistence: Insistence,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, Refusal> {
        let key = self.find(kid).ok_or_else(|| Refusal::UnknownKey { kid: kid.to_owned() })?;
        if key.state != KeyState::Prepublished {
            return Err(Refusal::WrongState { kid: kid.to_owned(), found: key.state, wanted: KeyState::Prepublished });
        }
        let allowed_at = key.published_at + policy.prepublish;
        if now < allowed_at && insistence == Insistence::Never {
            return Err(Refusal::PublishedTooLately { kid: kid.to_owned(), allowed_at });
        }
        let (alg, purpose) = (key.alg, key.purpose);
        let superseded = self.supersede(alg, purpose, policy.grace_ends_at(now), now);
        self.sign_from(kid, now);
        Ok(superseded)
    }

    /// Ends the listing of a key that is in its grace, or that never signed.
    pub fn retire(&mut self, kid: &str, insistence: Insistence, now: DateTime<Utc>) -> Result<(), Refusal> {
        let key = self.find_mut(kid)?;
        match key.state {
            KeyState::Prepublished => {}
            KeyState::Grace => {
                let over_at = key.retire_at.unwrap_or(now);
                if now < over_at && insistence == Insistence::Never {
                    return Err(Refusal::StillNeeded { kid: kid.to_owned(), retire_at: over_at });
                }
            }
            KeyState::Active => return Err(Refusal::Signs { kid: kid.to_owned() }),
            KeyState::Retired => {
                let (kid, found) = (kid.to_owned(), key.state);
                return Err(Refusal::WrongState { kid, found, wanted: KeyState::Grace });
            }
        }
        key.state = KeyState::Retired;
        key.retired_at = Some(now);
        Ok(())
    }

    /// Ends the listing of a key at once, whatever it is for now. `successor` signs in its place if it signed, and is
    /// asked for with [`Refusal::NeedsSuccessor`] if nothing waits.
    pub fn revoke(
        &mut self,
        kid: &str,
        reason: &str,
        successor: Option<KeyEntry>,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, Refusal> {
        let key = self.find(kid).ok_or_else(|| Refusal::UnknownKey { kid: kid.to_owned() })?;
        let (alg, purpose, state) = (key.alg, key.purpose, key.state);
        if state == KeyState::Retired {
            return Err(Refusal::WrongState { kid: kid.to_owned(), found: state, wanted: KeyState::Active });
        }
        let next = if state == KeyState::Active {
            let waiting = self.waiting(alg, purpose).map(|key| key.kid.clone());
            let next = waiting.or_else(|| successor.as_ref().map(|key| key.kid.clone()));
            Some(next.ok_or(Refusal::NeedsSuccessor { alg, purpose })?)
        } else {
            None
        };
        let key = self.find_mut(kid)?;
        key.state = KeyState::Retired;
        key.retired_at = Some(now);
        key.revoke_reason = Some(reason.to_owned());
        if let Some(next) = &next {
            self.keys.extend(successor.filter(|key| key.kid == *next));
            self.sign_from(next, now);
        }
        Ok(next)
    }

    /// Adds a key that signs from now on, where nothing else does: the first of its kind.
    pub fn begin(&mut self, key: KeyEntry, now: DateTime<Utc>) -> Result<(), Refusal> {
        if let Some(active) = self.active(key.alg, key.purpose) {
            return Err(Refusal::Signs { kid: active.kid.clone() });
        }
        let kid = key.kid.clone();
        self.prepublish(key)?;
        self.sign_from(&kid, now);
        Ok(())
    }

    fn find_mut(&mut self, kid: &str) -> Result<&mut KeyEntry, Refusal> {
        let found = self.keys.iter_mut().find(|key| key.kid == kid);
        found.ok_or_else(|| Refusal::UnknownKey { kid: kid.to_owned() })
    }

    fn supersede(
        &mut self,
        alg: KeyAlg,
        purpose: KeyPurpose,
        retire_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<String> {
        let key = self.keys.iter_mut().find(|key| key.is_for(alg, purpose) && key.state == KeyState::Active)?;
        // The one that it follows may have been activated by an instance whose clock is ahead: a time before that one would make
        // the whole ring one that no instance takes up.
        let superseded_at = key.activated_at.map_or(now, |activated_at| activated_at.max(now));
        key.state = KeyState::Grace;
        key.superseded_at = Some(superseded_at);
        key.retire_at = Some(retire_at.max(superseded_at));
        Some(key.kid.clone())
    }

    fn sign_from(&mut self, kid: &str, now: DateTime<Utc>) {
        for key in self.keys.iter_mut().filter(|key| key.kid == kid) {
            key.state = KeyState::Active;
            key.activated_at = Some(now.max(key.published_at));
        }
    }
}

#[cfg(test)]
mod tests;
