//! Signing keys and the master key.
//!
//! A store keeps the keys, running servers read it: [`Keys`] holds the state that was read last and takes up a new one
//! without a pause. A state that cannot be used whole is reported, and what is held goes on, but for what was ended.

// Who has the newest key.
pub mod audience;
// What changes the keys.
pub mod change;
// Who may vouch for clients.
pub mod client_authorities;
// Keys that a program signs with.
pub mod external;
// Who fetched the key set.
pub mod fetches;
// What is encrypted.
pub mod jwe;
// Public keys as JSON Web Keys.
pub mod jwk;
// The secret that seals private keys in the database.
pub mod kek;
// The public keys of clients.
pub mod jwk_set;
// The keys that sign and verify now.
pub mod keyset;
// The life of a key, as pure functions.
pub mod lifecycle;
// The secret from which all others are derived.
pub mod master_key;
// Opening what the settings name.
pub mod open;
// What clients call people and sessions that they must not compare.
pub mod pairwise;
// Files that only their owner may read.
pub mod private_file;
// Private keys as material.
pub mod private_key;
// What is wrong with stored keys, and its mend.
pub mod problem;
// Public keys that were given to us.
pub mod public_key;
mod rsa_pool;
mod signer;
// Where keys are kept.
pub mod store;
// Codes, refresh tokens and opaque access tokens as they travel.
pub mod token;
// Tokens whose signature was found good a short while ago.
mod verified_tokens;

use std::sync::{Arc, PoisonError};

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Mutex, OnceCell};

use self::change::{ChangeError, Due, Kind, Rules};
use self::external::{ExternalSigners, SignerStatus};
use self::fetches::JwksFetches;
use self::keyset::Keyset;
use self::lifecycle::{Insistence, RotationPolicy, Step};
use self::problem::{KeysetError, Problem};
use self::rsa_pool::RsaPool;
use self::store::{Author, KeyStore, KeyStoreError};
use crate::model::signing_key::KeyEntry;

/// How often a successor is asked for.
const ASKED_EVERY: TimeDelta = TimeDelta::days(1);

/// The signing keys of a running server.
#[derive(Clone)]
pub struct Keys {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn KeyStore>,
    keyset: ArcSwap<Keyset>,
    rsa: RsaPool,
    external: ExternalSigners,
    fetches: JwksFetches,
    // One reload at a time.
    reload: Mutex<()>,
    // What the last one found wrong, so that it is reported once and not every second.
    trouble: ArcSwap<Vec<Problem>>,
    obstacle: OnceCell<Option<Problem>>,
    // When somebody was last asked to register the successor of an external key.
    asked_at: std::sync::Mutex<Option<DateTime<Utc>>>,
}

/// The keys and what will happen to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysStatus {
    /// Every key, in the order in which they were made.
    pub keys: Vec<KeyEntry>,
    /// The timeline to the end of the next rotation, as the automatic life cycle would have it.
    pub timeline: Vec<Step>,
}

impl Keys {
    /// Reads the store and starts the threads that make RSA signatures. The programs of external keys are started when they
    /// are asked.
    pub async fn open(store: Arc<dyn KeyStore>, external: ExternalSigners) -> Result<Self, KeyStoreError> {
        let rsa = RsaPool::start().map_err(|error| {
            let what = format!("the threads that make RSA signatures cannot be started ({error})");
            KeysetError::one(&store.place(), Problem::new(what, "raise the limit of threads for this process"))
        })?;
        let keyset = ArcSwap::from_pointee(Keyset::load(&*store, rsa.clone(), &external, None).await?);
        Ok(Self {
            shared: Arc::new(Shared {
                store,
                keyset,
                rsa,
                external,
                fetches: JwksFetches::default(),
                reload: Mutex::default(),
                trouble: ArcSwap::default(),
                obstacle: OnceCell::new(),
                asked_at: std::sync::Mutex::default(),
            }),
        })
    }

    /// The keys now. A request takes them once.
    pub fn current(&self) -> Arc<Keyset> {
        self.shared.keyset.load_full()
    }

    /// Who fetched them, until that is written down.
    pub fn fetches(&self) -> &JwksFetches {
        &self.shared.fetches
    }

    /// How the program of an external key does here; `None`: the key is ours, or its program may not be started here.
    pub fn find_signer(&self, kid: &str) -> Option<SignerStatus> {
        self.shared.external.find_status(kid)
    }

    /// The RSA signatures that wait for a thread.
    pub fn waiting_rsa_signatures(&self) -> usize {
        self.shared.rsa.waiting()
    }

    /// Where they are kept.
    pub fn store(&self) -> &dyn KeyStore {
        &*self.shared.store
    }

    /// What keeps this process from using the stored keys as they are. It goes on with what it holds meanwhile.
    pub fn trouble(&self) -> Arc<Vec<Problem>> {
        self.shared.trouble.load_full()
    }

    /// Takes up the store if it changed: `true` if it did. An error leaves in use what is held, but for keys that were ended,
    /// and is given once for as long as the same thing is wrong.
    pub async fn reload_if_changed(&self) -> Result<bool, KeyStoreError> {
        let _one_at_a_time = self.shared.reload.lock().await;
        let (has_changed, error) = match self.take_up_if_changed().await {
            Ok((has_changed, problems)) if problems.is_empty() => (has_changed, None),
            Ok((has_changed, problems)) => {
                (has_changed, Some(KeysetError::new(&self.store().place(), problems).into()))
            }
            // Whoever asks each second sees for himself when it is over.
            Err(error @ KeyStoreError::Unavailable(_)) => return Err(error),
            Err(error) => (false, Some(error)),
        };
        let trouble = error.as_ref().map(KeyStoreError::problems).unwrap_or_default();
        let is_known = **self.shared.trouble.load() == trouble;
        self.shared.trouble.store(Arc::new(trouble));
        match error {
            Some(error) if !is_known => Err(error),
            Some(_) | None => Ok(has_changed),
        }
    }

    /// Whether it changed, and what keeps it from being used whole.
    async fn take_up_if_changed(&self) -> Result<(bool, Vec<Problem>), KeyStoreError> {
        let held = self.current();
        let is_same = self.shared.store.find_revision().await? == *held.revision();
        if is_same && held.problems().is_empty() {
            return Ok((false, Vec::new()));
        }
        let found = Keyset::load(self.store(), self.shared.rsa.clone(), &self.shared.external, Some(&held)).await?;
        let problems = found.problems().to_vec();
        let has_changed = !is_same || problems != held.problems();
        if has_changed {
            self.shared.external.keep_only(found.ring().keys());
            self.shared.keyset.store(Arc::new(found));
        }
        Ok((has_changed, problems))
    }

    /// Why this process cannot change the keys, a read-only volume for example. Looked at once, and said once.
    pub async fn find_obstacle(&self) -> Option<&Problem> {
        let look = async {
            let found = self.shared.store.obstacle().await;
            if let Some(problem) = &found {
                let (what, mend) = (&problem.what, &problem.mend);
                tracing::warn!(
                    what,
                    mend,
                    "the signing keys cannot be changed from here, so they are not renewed automatically; mend: as said, or \
                     run `ostiary-keyctl rotate --due` where they can be changed"
                );
            }
            found
        };
        self.shared.obstacle.get_or_init(|| look).await.as_ref()
    }

    /// Says in the log, once a day, what nobody but the operator can do: external keys that need a successor soon (they go on
    /// signing until they have one), and keys that are not renewed because a clock that was wrong left times of the future.
    pub fn ask_the_operator(&self, policy: &RotationPolicy, now: DateTime<Utc>) {
        let keyset = self.current();
        let wanted = keyset.ring().successors_wanted(policy, now);
        let ahead = keyset.ring().times_ahead(&self.shared.store.place(), now);
        let mut asked_at = self.shared.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if (wanted.is_empty() && ahead.is_empty()) || asked_at.is_some_and(|asked_at| now < asked_at + ASKED_EVERY) {
            return;
        }
        *asked_at = Some(now);
        for (kid, at) in wanted {
            tracing::warn!(
                kid,
                register_by = %at,
                "an external key needs a successor, which nobody makes here; mend: `ostiary-keyctl register-external`"
            );
        }
        for Problem { what, mend, .. } in ahead {
            tracing::warn!(what, mend, "a signing key is not renewed; mend: as said");
        }
    }

    /// Every key and what will happen, as far as this instance knows.
    pub fn status(&self, policy: &RotationPolicy, now: DateTime<Utc>) -> KeysStatus {
        let keyset = self.current();
        let ring = keyset.ring();
        KeysStatus { keys: ring.keys().to_vec(), timeline: ring.next_steps(policy, now) }
    }

    /// Makes a key for each of `kinds` that is listed but does not sign yet. None: for each in use that has none waiting.
    pub async fn prepublish(&self, kinds: &[Kind], author: &Author) -> Result<Vec<KeyEntry>, ChangeError> {
        let made = change::prepublish(&*self.store().recording(author), kinds, None, author.now).await?;
        self.take_up().await;
        Ok(made)
    }

    /// Lets a prepublished key sign, and says which one signed before. An external one has to show that it does.
    pub async fn activate(
        &self,
        kid: &str,
        policy: &RotationPolicy,
        insistence: Insistence,
        author: &Author,
    ) -> Result<Option<String>, ChangeError> {
        let rules = Rules { policy, insistence, signers: &self.shared.external };
        let superseded = change::activate(&*self.store().recording(author), kid, &rules, author.now).await?;
        self.take_up().await;
        Ok(superseded)
    }

    /// Ends the listing of a key that is in its grace, or that never signed.
    pub async fn retire(&self, kid: &str, insistence: Insistence, author: &Author) -> Result<(), ChangeError> {
        change::retire(&*self.store().recording(author), kid, insistence, author.now).await?;
        self.take_up().await;
        Ok(())
    }

    /// Ends a key at once, and says which one signs instead if it signed.
    pub async fn revoke(&self, kid: &str, reason: &str, author: &Author) -> Result<Option<String>, ChangeError> {
        let next = change::revoke(&*self.store().recording(author), kid, reason, None, author.now).await?;
        self.take_up().await;
        Ok(next)
    }

    /// Does everything whose time has come, and says what that was.
    pub async fn run_due(&self, policy: &RotationPolicy, now: DateTime<Utc>) -> Result<Due, ChangeError> {
        let store = self.store().recording(&Author::server(now));
        let due = change::run_due(&*store, policy, &self.shared.external, now).await?;
        self.take_up().await;
        Ok(due)
    }

    /// What was changed here counts here at once. A failure is told to the log alone: the change stands in the store, and
    /// whoever made it must not take it for undone. The next look at the store takes it up.
    async fn take_up(&self) {
        if let Err(error) = self.reload_if_changed().await {
            tracing::error!(
                error = %error,
                "the keys were changed, and this instance could not read the change yet; it tries again by itself"
            );
        }
    }
}

#[cfg(test)]
mod tests;
