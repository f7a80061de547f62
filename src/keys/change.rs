//! What changes the keys, in whichever store: each function reads, works out the next state with the life cycle, and offers
//! it to the store, which refuses if somebody was there first.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::keyset::check_keys;
use super::lifecycle::{Action, Insistence, KeyRing, REQUIRED_ALGS, Refusal, RotationPolicy};
use super::private_key::{PrivateKey, RsaBits};
use super::problem::{KeysetError, Problem};
use super::store::{Change, KeyStore, KeyStoreError, StoredKeys};
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::{KeyEntry, KeyPurpose, KeyState};

/// An algorithm and what is signed with it.
pub type Kind = (SigningAlg, KeyPurpose);

type Added = Vec<(String, PrivateKey)>;

/// Why the keys were not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The life cycle does not allow it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] KeyStoreError),
}

/// How far a rotation came for one algorithm and purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotation {
    /// The algorithm.
    pub alg: SigningAlg,
    /// The purpose.
    pub purpose: KeyPurpose,
    /// The key that signs next, or now.
    pub kid: String,
    /// What happened.
    #[serde(flatten)]
    pub outcome: RotationOutcome,
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum RotationOutcome {
    /// The key was made and is listed.
    Published {
        /// When it may sign.
        signs_at: DateTime<Utc>,
    },
    /// The key was listed before, and not for long enough.
    Waiting {
        /// When it may sign.
        signs_at: DateTime<Utc>,
    },
    /// The key signs from now on.
    Activated {
        /// The key that signed before.
        superseded: Option<String>,
        /// Whether every copy of the key set in use has the key.
        was_listed: bool,
    },
}

/// Something that was done because its time had come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    /// `publish`, `activate` or `retire`.
    pub action: &'static str,
    /// The key.
    pub kid: String,
    /// Its algorithm.
    pub alg: SigningAlg,
    /// Its purpose.
    pub purpose: KeyPurpose,
}

/// One active key for tokens for each required algorithm and each of `algs`. Blocks: RSA keys take their time.
pub(super) fn first_keys(algs: &[SigningAlg], bits: RsaBits, now: DateTime<Utc>) -> Result<(KeyRing, Added), Problem> {
    let (mut ring, mut added) = (KeyRing::default(), Vec::new());
    for alg in SigningAlg::ALL.into_iter().filter(|alg| REQUIRED_ALGS.contains(alg) || algs.contains(alg)) {
        let (entry, key) = make_key((alg, KeyPurpose::Tokens), bits, now)?;
        added.push((entry.kid.clone(), key));
        ring.begin(entry, now).map_err(|refusal| refusal.problem())?;
    }
    Ok((ring, added))
}

/// Makes the first keys of a store: they sign at once.
pub async fn generate(
    store: &dyn KeyStore,
    algs: &[SigningAlg],
    bits: RsaBits,
    now: DateTime<Utc>,
) -> Result<Vec<KeyEntry>, ChangeError> {
    let stored = store.read_or_empty().await?;
    if !stored.ring.keys().is_empty() {
        return Err(Refusal::HasKeys.into());
    }
    let algs = algs.to_vec();
    let (ring, added) = blocking(store, move || first_keys(&algs, bits, now)).await?;
    let made = ring.keys().to_vec();
    store.replace(Change { expected: stored.revision, ring, added }).await?;
    Ok(made)
}

/// Makes a key for each of `kinds` that is listed but does not sign yet. No `kinds`: one for each in use that has none
/// waiting. `bits`: the size of RSA keys, that of the key before if absent.
pub async fn prepublish(
    store: &dyn KeyStore,
    kinds: &[Kind],
    bits: Option<RsaBits>,
    now: DateTime<Utc>,
) -> Result<Vec<KeyEntry>, ChangeError> {
    let mut draft = Draft::begin(store).await?;
    let in_use = draft.ring.kinds().into_iter();
    let wanted: Vec<Kind> = match kinds {
        [] => in_use.filter(|(alg, purpose)| draft.ring.waiting(*alg, *purpose).is_none()).collect(),
        kinds => kinds.to_vec(),
    };
    if wanted.is_empty() {
        let waiting = draft.ring.kinds().into_iter().find_map(|(alg, purpose)| draft.ring.waiting(alg, purpose));
        return Err(match waiting {
            Some(key) => Refusal::AlreadyWaiting { kid: key.kid.clone(), alg: key.alg, purpose: key.purpose },
            None => Refusal::HasNoKeys,
        }
        .into());
    }
    let mut made = Vec::new();
    for kind in wanted {
        made.push(draft.publish(kind, bits, now).await?);
    }
    draft.finish().await?;
    Ok(made)
}

/// Lists a key that was made elsewhere, given as PKCS#8 in PEM; it does not sign yet.
pub async fn import(
    store: &dyn KeyStore,
    (alg, purpose): Kind,
    pem: &str,
    now: DateTime<Utc>,
) -> Result<KeyEntry, ChangeError> {
    let key = PrivateKey::from_pem(alg, pem).map_err(|unusable| {
        unusable_store(store, Problem::new(format!("the file {}", unusable.what), unusable.mend))
    })?;
    let entry = entry_of(&key, (alg, purpose), now).map_err(|problem| unusable_store(store, problem))?;
    let mut draft = Draft::begin(store).await?;
    draft.add(entry.clone(), key)?;
    draft.finish().await?;
    Ok(entry)
}

/// Lets a prepublished key sign, and says which one signed before.
pub async fn activate(
    store: &dyn KeyStore,
    kid: &str,
    policy: &RotationPolicy,
    insistence: Insistence,
    now: DateTime<Utc>,
) -> Result<Option<String>, ChangeError> {
    let mut draft = Draft::begin(store).await?;
    let superseded = draft.ring.activate(kid, policy, insistence, now)?;
    draft.finish().await?;
    Ok(superseded)
}

/// Ends the listing of a key and destroys it.
pub async fn retire(
    store: &dyn KeyStore,
    kid: &str,
    insistence: Insistence,
    now: DateTime<Utc>,
) -> Result<(), ChangeError> {
    let mut draft = Draft::begin(store).await?;
    draft.ring.retire(kid, insistence, now)?;
    draft.finish().await
}

/// Ends a key at once, also one that is damaged, and says which one signs instead if it signed.
pub async fn revoke(
    store: &dyn KeyStore,
    kid: &str,
    reason: &str,
    bits: Option<RsaBits>,
    now: DateTime<Utc>,
) -> Result<Option<String>, ChangeError> {
    let mut draft = Draft::read(store).await?;
    let next = match draft.ring.revoke(kid, reason, None, now) {
        Err(Refusal::NeedsSuccessor { alg, purpose }) => {
            let bits = bits.unwrap_or_else(|| draft.bits_of((alg, purpose)));
            let (entry, key) = blocking(store, move || make_key((alg, purpose), bits, now)).await?;
            draft.added.push((entry.kid.clone(), key));
            draft.ring.revoke(kid, reason, Some(entry), now)?
        }
        outcome => outcome?,
    };
    draft.finish().await?;
    Ok(next)
}

/// Goes one step further in the rotation of each of `kinds` (none: all that are in use): a key that waits for long enough
/// signs, where none waits one is made. With [`Insistence::Force`] it signs at once. Keys whose grace is over are retired.
pub async fn rotate(
    store: &dyn KeyStore,
    kinds: &[Kind],
    policy: &RotationPolicy,
    bits: Option<RsaBits>,
    insistence: Insistence,
    now: DateTime<Utc>,
) -> Result<Vec<Rotation>, ChangeError> {
    let mut draft = Draft::begin(store).await?;
    let in_use = draft.ring.kinds();
    if let Some((alg, purpose)) = kinds.iter().copied().find(|kind| !in_use.contains(kind)) {
        return Err(Refusal::NothingToRotate { alg, purpose }.into());
    }
    let wanted = if kinds.is_empty() { in_use } else { kinds.to_vec() };
    let mut rotations = Vec::new();
    for kind in wanted {
        rotations.push(draft.rotate(kind, policy, bits, insistence, now).await?);
    }
    let is_unchanged = rotations.iter().all(|rotation| matches!(rotation.outcome, RotationOutcome::Waiting { .. }));
    let retired = draft.retire_due(policy, now)?;
    if !is_unchanged || !retired.is_empty() {
        draft.finish().await?;
    }
    Ok(rotations)
}

/// Does everything whose time has come, and says what that was.
pub async fn run_due(
    store: &dyn KeyStore,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Result<Vec<Done>, ChangeError> {
    let mut draft = Draft::begin(store).await?;
    let mut done = Vec::new();
    for step in draft.ring.next_steps(policy, now).into_iter().filter(|step| step.is_due(now)) {
        let (action, kid) = match step.action {
            Action::Publish => ("publish", draft.publish((step.alg, step.purpose), None, now).await?.kid),
            Action::Activate { kid: Some(kid) } => {
                draft.ring.activate(&kid, policy, Insistence::Never, now)?;
                ("activate", kid)
            }
            // Not made yet, or still signing: their turn comes in a later run.
            Action::Activate { kid: None } | Action::Retire { .. } => continue,
        };
        done.push(Done { action, kid, alg: step.alg, purpose: step.purpose });
    }
    done.extend(draft.retire_due(policy, now)?);
    if !done.is_empty() {
        draft.finish().await?;
    }
    Ok(done)
}

/// The next state, while it is worked out.
struct Draft<'a> {
    store: &'a dyn KeyStore,
    before: StoredKeys,
    ring: KeyRing,
    added: Added,
}

impl<'a> Draft<'a> {
    /// Begins from a state that is whole: a change on top of a fault would hide the fault.
    async fn begin(store: &'a dyn KeyStore) -> Result<Self, ChangeError> {
        let draft = Self::read(store).await?;
        let problems = check_keys(&draft.before);
        if problems.is_empty() {
            return Ok(draft);
        }
        Err(KeyStoreError::from(KeysetError::new(&store.place(), problems)).into())
    }

    async fn read(store: &'a dyn KeyStore) -> Result<Self, ChangeError> {
        let before = store.read_keys().await?;
        let ring = before.stored.ring.clone();
        Ok(Self { store, before, ring, added: Vec::new() })
    }

    fn bits_of(&self, (alg, purpose): Kind) -> RsaBits {
        let active =
            self.before.keys.iter().find(|(entry, _)| entry.is_for(alg, purpose) && entry.state == KeyState::Active);
        active.and_then(|(_, key)| key.as_ref().ok()).map(PrivateKey::rsa_bits).unwrap_or_default()
    }

    fn add(&mut self, entry: KeyEntry, key: PrivateKey) -> Result<(), Refusal> {
        let kid = entry.kid.clone();
        self.ring.prepublish(entry)?;
        self.added.push((kid, key));
        Ok(())
    }

    async fn publish(
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

    async fn rotate(
        &mut self,
        kind: Kind,
        policy: &RotationPolicy,
        bits: Option<RsaBits>,
        insistence: Insistence,
        now: DateTime<Utc>,
    ) -> Result<Rotation, ChangeError> {
        let (alg, purpose) = kind;
        let waiting = self.ring.waiting(alg, purpose).cloned();
        let is_new = waiting.is_none();
        let next = match waiting {
            Some(key) => key,
            None => self.publish(kind, bits, now).await?,
        };
        let signs_at = next.published_at + policy.prepublish;
        let outcome = if now >= signs_at || insistence == Insistence::Force {
            let superseded = self.ring.activate(&next.kid, policy, insistence, now)?;
            RotationOutcome::Activated { superseded, was_listed: now >= signs_at }
        } else if is_new {
            RotationOutcome::Published { signs_at }
        } else {
            RotationOutcome::Waiting { signs_at }
        };
        Ok(Rotation { alg, purpose, kid: next.kid, outcome })
    }

    fn retire_due(&mut self, policy: &RotationPolicy, now: DateTime<Utc>) -> Result<Vec<Done>, Refusal> {
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

    async fn finish(self) -> Result<(), ChangeError> {
        let Self { store, before, ring, added } = self;
        Ok(store.replace(Change { expected: before.stored.revision, ring, added }).await?)
    }
}

fn make_key(kind: Kind, bits: RsaBits, now: DateTime<Utc>) -> Result<(KeyEntry, PrivateKey), Problem> {
    let key = PrivateKey::generate(kind.0, bits)
        .ok_or_else(|| Problem::new("nothing was changed: the key could not be made", "report this as a defect"))?;
    Ok((entry_of(&key, kind, now)?, key))
}

fn entry_of(key: &PrivateKey, (alg, purpose): Kind, now: DateTime<Utc>) -> Result<KeyEntry, Problem> {
    let jwk = key
        .public_jwk()
        .ok_or_else(|| Problem::new("nothing was changed: the key has no public half", "report this as a defect"))?;
    Ok(KeyEntry::prepublished(jwk.thumbprint(), alg, purpose, now))
}

fn unusable_store(store: &dyn KeyStore, problem: Problem) -> KeyStoreError {
    KeysetError::one(&store.place(), problem).into()
}

/// An RSA key takes a second or two, too long for a thread that serves requests.
async fn blocking<T: Send + 'static>(
    store: &dyn KeyStore,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, ChangeError> {
    let made = tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Problem::new("nothing was changed: making the key was interrupted", "try again"));
    made.flatten().map_err(|problem| ChangeError::Store(unusable_store(store, problem)))
}
