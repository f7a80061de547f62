//! What happens next, and when: one function that the job carries out, `rehearse` prints and a console draws.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::KeyRing;
use crate::model::key_alg::KeyAlg;
use crate::model::signing_key::{KeyPurpose, KeyState};

/// How long before an external key's successor has to be registered that is asked for, at most; a sixth of the period.
const LONGEST_NOTICE: TimeDelta = TimeDelta::days(14);

/// A quarter of the prepublish window, and never more than this, may a copy of the key set be used unasked.
const LONGEST_CACHE: TimeDelta = TimeDelta::minutes(15);

/// The windows of the automatic life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// How long a key signs.
    pub period: TimeDelta,
    /// How long a key is listed before it signs.
    pub prepublish: TimeDelta,
    /// How long a key is listed after it signed: as long as the longest token lives, and some more.
    pub grace: TimeDelta,
    /// When the last token is over, and some more, that was given a longer life than tokens are given now.
    pub needed_until: Option<DateTime<Utc>>,
}

/// One thing that will happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When; in the past if it is due.
    pub at: DateTime<Utc>,
    /// The algorithm.
    pub alg: KeyAlg,
    /// The purpose.
    pub purpose: KeyPurpose,
    /// What.
    #[serde(flatten)]
    pub action: Action,
}

/// What happens in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Action {
    /// A new key is made and listed.
    Publish,
    /// The successor of a key whose private half is elsewhere has to be there: somebody registers it, nobody makes it.
    Register {
        /// The key that signs until then, and afterwards if nobody does.
        kid: String,
    },
    /// A key begins to sign.
    Activate {
        /// The key; absent while it is still to be made.
        kid: Option<String>,
    },
    /// A key is not listed any more, and destroyed.
    Retire {
        /// The key.
        kid: String,
    },
}

impl RotationPolicy {
    /// How long a copy of the key set may be used without asking again (RFC 9111 section 5.2.2.1), at least a second. It
    /// fits into the prepublish window several times, so that every copy in use has a key before the key signs.
    pub fn cache_lifetime(prepublish: TimeDelta) -> TimeDelta {
        (prepublish / 4).min(LONGEST_CACHE).max(TimeDelta::seconds(1))
    }

    /// When nothing is valid any more that a key signed until `superseded_at`.
    pub(super) fn grace_ends_at(&self, superseded_at: DateTime<Utc>) -> DateTime<Utc> {
        let at = superseded_at + self.grace;
        self.needed_until.map_or(at, |needed_until| at.max(needed_until))
    }

    fn notice(&self) -> TimeDelta {
        (self.period / 6).min(LONGEST_NOTICE)
    }
}

impl Step {
    /// Whether its time has come.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.at <= now
    }

    /// Whether it is something that the life cycle does by itself, rather than asks for.
    pub fn is_automatic(&self) -> bool {
        !matches!(self.action, Action::Register { .. })
    }
}

impl KeyRing {
    /// The timeline from `now` to the end of the next rotation, in the order of time.
    pub fn next_steps(&self, policy: &RotationPolicy, now: DateTime<Utc>) -> Vec<Step> {
        let mut steps = Vec::new();
        for (alg, purpose) in self.kinds() {
            let step = |at, action| Step { at, alg, purpose, action };
            let active = self.active(alg, purpose);
            let due = active.and_then(|key| key.activated_at).map(|activated_at| activated_at + policy.period);
            let activate_at = match self.waiting(alg, purpose) {
                Some(waiting) => {
                    let listed = waiting.published_at + policy.prepublish;
                    let at = due.map_or(listed, |due| due.max(listed));
                    steps.push(step(at, Action::Activate { kid: Some(waiting.kid.clone()) }));
                    at
                }
                // The private key is elsewhere, and so must be that of its successor.
                None if let Some(external) = active.filter(|key| key.external.is_some()) => {
                    let register_at = due.map_or(now, |due| due - policy.prepublish);
                    steps.push(step(register_at, Action::Register { kid: external.kid.clone() }));
                    continue;
                }
                None => {
                    let publish_at = due.map_or(now, |due| due - policy.prepublish);
                    steps.push(step(publish_at, Action::Publish));
                    let at = publish_at.max(now) + policy.prepublish;
                    steps.push(step(at, Action::Activate { kid: None }));
                    at
                }
            };
            if let Some(active) = active {
                let at = policy.grace_ends_at(activate_at.max(now));
                steps.push(step(at, Action::Retire { kid: active.kid.clone() }));
            }
        }
        let in_grace = self.keys().iter().filter(|key| key.state == KeyState::Grace);
        steps.extend(in_grace.map(|key| {
            let at = key.retire_at.unwrap_or_else(|| policy.grace_ends_at(key.superseded_at.unwrap_or(now)));
            Step { at, alg: key.alg, purpose: key.purpose, action: Action::Retire { kid: key.kid.clone() } }
        }));
        // Stable: what happens at one time keeps the order in which it has to.
        steps.sort_by_key(|step| step.at);
        steps
    }

    /// The external keys whose successors have to be registered soon, with the latest time to do it.
    pub fn successors_wanted(&self, policy: &RotationPolicy, now: DateTime<Utc>) -> Vec<(String, DateTime<Utc>)> {
        let soon = now + policy.notice();
        let wanted = self.next_steps(policy, now).into_iter().filter(|step| step.is_due(soon));
        wanted
            .filter_map(|step| match step.action {
                Action::Register { kid } => Some((kid, step.at)),
                Action::Publish | Action::Activate { .. } | Action::Retire { .. } => None,
            })
            .collect()
    }
}
