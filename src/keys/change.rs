//! What changes the keys, in whichever store: each function reads, works out the next state with the life cycle, and offers
//! it to the store, which refuses if somebody was there first.

// The next state, while it is worked out.
mod draft;
// Making keys.
mod material;
// What the clock brings.
mod rotation;

use chrono::{DateTime, Utc};
use serde_json::Value;

use self::draft::Draft;
pub(super) use self::material::first_keys;
use self::material::{blocking, entry_of, make_key, unusable_store};
pub use self::rotation::{Done, Due, Rotation, RotationOutcome, rotate, run_due};
use super::external::ExternalSigners;
use super::lifecycle::{Insistence, Refusal, RotationPolicy};
use super::private_key::{PrivateKey, RsaBits};
use super::problem::Problem;
use super::public_key::PublicKey;
use super::store::{Change, KeyStore, KeyStoreError};
use crate::model::key_alg::KeyAlg;
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::{ExternalKey, KeyEntry, KeyPurpose, SignerMode};

/// An algorithm and what is done with it.
pub type Kind = (KeyAlg, KeyPurpose);

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
/// waiting and signs with a key of ours. `bits`: the size of RSA keys, that of the key before if absent.
pub async fn prepublish(
    store: &dyn KeyStore,
    kinds: &[Kind],
    bits: Option<RsaBits>,
    now: DateTime<Utc>,
) -> Result<Vec<KeyEntry>, ChangeError> {
    let mut draft = Draft::begin(store).await?;
    let in_use = draft.ring.kinds().into_iter();
    let lacks = |kind: &Kind| draft.ring.waiting(kind.0, kind.1).is_none() && draft.check_is_ours(*kind).is_ok();
    let wanted: Vec<Kind> = match kinds {
        [] => in_use.filter(lacks).collect(),
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

/// A key that a program signs with, as somebody offers it.
pub struct Offer {
    /// What the program calls the key.
    pub key_ref: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// How often it is started.
    pub mode: SignerMode,
    /// The public half as a JSON Web Key; absent: the program is asked for it.
    pub jwk: Option<Value>,
}

/// Lists a key that is elsewhere, once its program has shown that it signs with it; it does not sign for us yet.
pub async fn register(
    store: &dyn KeyStore,
    (alg, purpose): Kind,
    offer: Offer,
    signers: &ExternalSigners,
    now: DateTime<Utc>,
) -> Result<KeyEntry, ChangeError> {
    let Offer { key_ref, command, mode, jwk } = offer;
    let refuse = |what: String, mend: &str| ChangeError::from(unusable_store(store, Problem::new(what, mend)));
    let program_mend =
        "run the program by hand with a request as in docs/keys.md, and name it as the server is to run it";
    let mut key = ExternalKey { key_ref, command, mode, jwk: Value::Null };
    let Some(signing_alg) = alg.signing() else {
        return Err(Refusal::WrongPurpose { alg, purpose: KeyPurpose::Tokens }.into());
    };
    signers.check_program(&key).map_err(|problem| unusable_store(store, problem))?;
    let given = match jwk {
        Some(jwk) => jwk,
        None => {
            signers.ask_for_jwk(signing_alg, &key).await.map_err(|error| refuse(error.to_string(), program_mend))?
        }
    };
    let public = PublicKey::from_jwk(signing_alg, &given).map_err(|what| {
        refuse(format!("the public key {what}"), "give the JSON Web Key with the public members of that key alone")
    })?;
    key.jwk =
        serde_json::to_value(public.jwk()).map_err(|error| refuse(error.to_string(), "report this as a defect"))?;
    let mut entry = KeyEntry::prepublished(public.jwk().thumbprint(), alg, purpose, now);
    entry.external = Some(key.clone());
    let mut draft = Draft::begin(store).await?;
    draft.ring.prepublish(entry.clone())?;
    let (signer, _) = signers.find_or_make(&entry, &key).map_err(|problem| unusable_store(store, problem))?;
    signer.prove().await.map_err(|error| refuse(format!("nothing was changed: {error}"), program_mend))?;
    draft.finish().await?;
    Ok(entry)
}

/// When a key may take the place of another.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The windows of the life cycle.
    pub policy: &'a RotationPolicy,
    /// Whether the conditions of the life cycle may be passed over.
    pub insistence: Insistence,
    /// Who lets external keys show that they sign.
    pub signers: &'a ExternalSigners,
}

/// Lets a prepublished key sign, and says which one signed before. An external one has to show that it does.
pub async fn activate(
    store: &dyn KeyStore,
    kid: &str,
    rules: &Rules<'_>,
    now: DateTime<Utc>,
) -> Result<Option<String>, ChangeError> {
    let mut draft = Draft::begin(store).await?;
    let superseded = draft.activate(kid, rules, now).await?;
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
            // One that is damaged leaves no other way: nothing can be listed beside it.
            if draft.is_good() {
                draft.check_is_ours((alg, purpose))?;
            }
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
