//! What the clock brings: the next step of a rotation, and everything that is due.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{ChangeError, Draft, Kind, Rules};
use crate::keys::external::ExternalSigners;
use crate::keys::lifecycle::{Action, Insistence, Refusal, RotationPolicy};
use crate::keys::private_key::RsaBits;
use crate::keys::store::KeyStore;
use crate::model::key_alg::KeyAlg;
use crate::model::signing_key::KeyPurpose;

/// How far a rotation came for one algorithm and purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rotation {
    /// The algorithm.
    pub alg: KeyAlg,
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
    pub alg: KeyAlg,
    /// Its purpose.
    pub purpose: KeyPurpose,
}

/// What came of the steps whose time had come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// What was done.
    pub done: Vec<Done>,
    /// Why external keys did not begin to sign although it was their time. The ones before go on.
    pub withheld: Vec<Refusal>,
}

/// Goes one step further in the rotation of each of `kinds` (none: all that are in use): a key that waits for long enough
/// signs, where none waits one is made, unless the one that signs is elsewhere. With [`Insistence::Force`] it signs at once.
/// Keys whose grace is over are retired.
pub async fn rotate(
    store: &dyn KeyStore,
    kinds: &[Kind],
    rules: &Rules<'_>,
    bits: Option<RsaBits>,
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
        // Who named no kind wants whatever can be done.
        let is_ours = draft.ring.waiting(kind.0, kind.1).is_some() || draft.check_is_ours(kind).is_ok();
        if kinds.is_empty() && !is_ours {
            continue;
        }
        rotations.push(draft.rotate(kind, rules, bits, now).await?);
    }
    let is_unchanged = rotations.iter().all(|rotation| matches!(rotation.outcome, RotationOutcome::Waiting { .. }));
    let retired = draft.retire_due(rules.policy, now)?;
    if !is_unchanged || !retired.is_empty() {
        draft.finish().await?;
    }
    Ok(rotations)
}

/// Does everything whose time has come, and says what that was. An external key that gives no signature holds nothing else up.
pub async fn run_due(
    store: &dyn KeyStore,
    policy: &RotationPolicy,
    signers: &ExternalSigners,
    now: DateTime<Utc>,
) -> Result<Due, ChangeError> {
    let rules = Rules { policy, insistence: Insistence::Never, signers };
    let mut draft = Draft::begin(store).await?;
    let Due { mut done, mut withheld } = Due::default();
    for step in draft.ring.next_steps(policy, now).into_iter().filter(|step| step.is_due(now)) {
        let (action, kid) = match step.action {
            Action::Publish => ("publish", draft.publish((step.alg, step.purpose), None, now).await?.kid),
            Action::Activate { kid: Some(kid) } => match draft.activate(&kid, &rules, now).await {
                Ok(_) => ("activate", kid),
                Err(refusal @ (Refusal::GivesNoSignature { .. } | Refusal::Untried { .. })) => {
                    withheld.push(refusal);
                    continue;
                }
                Err(refusal) => return Err(refusal.into()),
            },
            // Not made yet, or still signing: their turn comes in a later run. Or not for us to do.
            Action::Activate { kid: None } | Action::Retire { .. } | Action::Register { .. } => continue,
        };
        done.push(Done { action, kid, alg: step.alg, purpose: step.purpose });
    }
    done.extend(draft.retire_due(policy, now)?);
    if !done.is_empty() {
        draft.finish().await?;
    }
    Ok(Due { done, withheld })
}
