//! The next state of a store, while it is worked out.

use chrono::{DateTime, Utc};

use super::material::{Added, blocking, make_key};
use super::{ChangeError, Done, Kind, Rotation, RotationOutcome, Rules};
use crate::keys::keyset::check_keys;
use crate::keys::lifecycle::{Action, Insistence, KeyRing, Refusal, RotationPolicy};
use crate::keys::private_key::{PrivateKey, RsaBits};
use crate::keys::problem::KeysetError;
use crate::keys::store::{Change, KeyStore, KeyStoreError, StoredKeys};
use crate::model::signing_key::{KeyEntry, KeyState};

/// The next state, while it is worked out.
pub(super) struct Draft<'a> {
    store: &'a dyn KeyStore,
    before: StoredKeys,
    pub(super) ring: KeyRing,
    pub(super) added: Added,
}

impl<'a> Draft<'a> {
    /// Begins from a state that is whole: a change on top of a fault would hide the fault.
    pub(super) async fn begin(store: &'a dyn KeyStore) -> Result<Self, ChangeError> {
        let draft = Self::read(store).await?;
        let problems = check_keys(&draft.before);
        if problems.is_empty() {
            return Ok(draft);
        }
        Err(KeyStoreError::from(KeysetError::new(&store.place(), problems)).into())
    }

    /// Whether it begins from such a state.
    pub(super) fn is_good(&self) -> bool {
        check_keys(&self.before).is_empty()
    }

    pub(super) async fn read(store: &'a dyn KeyStore) -> Result<Self, ChangeError> {
        let before = store.read_keys().await?;
        let ring = before.stored.ring.clone();
        Ok(Self { store, before, ring, added: Vec::new() })
    }

    pub(super) fn bits_of(&self, (alg, purpose): Kind) -> RsaBits {
        let active =
            self.before.keys.iter().find(|(entry, _)| entry.is_for(alg, purpose) && entry.state == KeyState::Active);
        active.and_then(|(_, key)| key.as_ref().ok()).map(PrivateKey::rsa_bits).unwrap_or_default()
    }

    pub(super) fn add(&mut self, entry: KeyEntry, key: PrivateKey) -> Result<(), Refusal> {
        let kid = entry.kid.clone();
        self.ring.prepublish(entry)?;
        self.added.push((kid, key));
        Ok(())
    }

    pub(super) async fn publish(
        &mut self,
        kind: Kind,
        bits: Option<RsaBits>,
        now: DateTime<Utc>,
    ) -> Result<KeyEntry, ChangeError> {
        // Before the work: a second key that waits would be refused anyway.
        if let Some(waiting) = self.ring.waiting(kind.0, kind.1) {
            let kid = waiting.kid.clone();
            return Err(Refusal::AlreadyWaiting { kid, alg: kind.0, purpose: kind.1 }.into());
        }
        let bits = bits.unwrap_or_else(|| self.bits_of(kind));
        let (entry, key) = blocking(self.store, move || make_key(kind, bits, now)).await?;
        self.add(entry.clone(), key)?;
        Ok(entry)
    }

    /// Lets a key that waits sign. One that is elsewhere has to show first that it does; else nothing is changed.
    pub(super) async fn activate(
        &mut self,
        kid: &str,
        rules: &Rules<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, Refusal> {
        let mut ring = self.ring.clone();
        let superseded = ring.activate(kid, rules.policy, rules.insistence, now)?;
        if let Some(key) = ring.find(kid) {
            rules.signers.check_signs(key, rules.insistence).await?;
        }
        self.ring = ring;
        Ok(superseded)
    }

    pub(super) async fn rotate(
        &mut self,
        kind: Kind,
        rules: &Rules<'_>,
        bits: Option<RsaBits>,
        now: DateTime<Utc>,
    ) -> Result<Rotation, ChangeError> {
        let (alg, purpose) = kind;
        let waiting = self.ring.waiting(alg, purpose).cloned();
        let is_new = waiting.is_none();
        let next = match waiting {
            Some(key) => key,
            None => {
                self.check_is_ours(kind)?;
                self.publish(kind, bits, now).await?
            }
        };
        let signs_at = next.published_at + rules.policy.prepublish;
        let outcome = if now >= signs_at || rules.insistence == Insistence::Force {
            let superseded = self.activate(&next.kid, rules, now).await?;
            RotationOutcome::Activated { superseded, was_listed: now >= signs_at }
        } else if is_new {
            RotationOutcome::Published { signs_at }
        } else {
            RotationOutcome::Waiting { signs_at }
        };
        Ok(Rotation { alg, purpose, kid: next.kid, outcome })
    }

    /// A key that is made here must not take the place of one that is elsewhere, unless that was asked for.
    pub(super) fn check_is_ours(&self, (alg, purpose): Kind) -> Result<(), Refusal> {
        match self.ring.active(alg, purpose) {
            Some(key) if key.external.is_some() => {
                Err(Refusal::SuccessorIsElsewhere { kid: key.kid.clone(), alg, purpose })
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn retire_due(&mut self, policy: &RotationPolicy, now: DateTime<Utc>) -> Result<Vec<Done>, Refusal> {
        let mut done = Vec::new();
        for step in self.ring.next_steps(policy, now).into_iter().filter(|step| step.is_due(now)) {
            let Action::Retire { kid } = step.action else { continue };
            if self.ring.find(&kid).is_some_and(|key| key.state == KeyState::Grace) {
                self.ring.retire(&kid, Insistence::Never, now)?;
                done.push(Done { action: "retire", kid, alg: step.alg, purpose: step.purpose });
            }
        }
        Ok(done)
    }

    pub(super) async fn finish(self) -> Result<(), ChangeError> {
        let Self { store, before, ring, added } = self;
        Ok(store.replace(Change { expected: before.stored.revision, ring, added }).await?)
    }
}
