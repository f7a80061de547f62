//! What is wrong with stored metadata: somebody wrote it by hand, or restored half of it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{KeyRing, REQUIRED_ALGS};
use crate::keys::problem::Problem;
use crate::model::key_alg::KeyAlg;
use crate::model::signing_key::{KeyEntry, KeyPurpose, KeyState};

/// How far the clocks of instances may be apart.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

impl KeyRing {
    /// Everything that is wrong with the metadata by itself, without looking at the keys. `place` is where it is mended.
    pub fn problems(&self, place: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, key) in self.keys.iter().enumerate() {
            if self.keys.iter().take(index).any(|other| other.kid == key.kid) {
                let mend = format!("take one of the two entries out of {place}");
                problems.push(Problem::of_key(&key.kid, "is listed twice", &mend));
            }
            problems.extend(key_problem(key, place));
        }
        for purpose in KeyPurpose::ALL {
            for alg in KeyAlg::ALL.into_iter().filter(|alg| purpose.has(*alg)) {
                problems.extend(self.kind_problem(alg, purpose, place));
            }
        }
        problems
    }

    /// What a clock that was wrong once has left behind: keys whose times lie ahead, so that nothing of them is ever due.
    pub fn times_ahead(&self, place: &str, now: DateTime<Utc>) -> Vec<Problem> {
        let is_ahead = |key: &&KeyEntry| {
            let times =
                [Some(key.created_at), Some(key.published_at), key.activated_at, key.superseded_at, key.retired_at];
            times.into_iter().flatten().any(|time| time > now + AHEAD)
        };
        let warn = |key: &KeyEntry| {
            let mend = format!("set the clock of this machine, or correct the times in {place}");
            Problem::of_key(&key.kid, "has times of the future, so it is not renewed until then", &mend)
        };
        self.keys.iter().filter(is_ahead).map(warn).collect()
    }

    fn kind_problem(&self, alg: KeyAlg, purpose: KeyPurpose, place: &str) -> Option<Problem> {
        let active: Vec<_> = self.in_state(alg, purpose, KeyState::Active).map(|key| key.kid.as_str()).collect();
        let (name, used_for) = (alg.as_str(), purpose.as_str());
        match active.len() {
            0 if purpose == KeyPurpose::Tokens && is_required(alg) => Some(Problem::new(
                format!("no key is active for {name}: without {name} the server cannot sign tokens"),
                format!(
                    "make one with `ostiary-keyctl generate`; if a key of that algorithm is listed, set its state to \
                     `active` (with `activated_at`) in {place}"
                ),
            )),
            0 | 1 => None,
            count => Some(Problem::new(
                format!(
                    "{count} keys are active for {name} ({used_for}), so it is not clear which one signs: {}",
                    active.join(", ")
                ),
                format!(
                    "set the state of all but the newest to `grace` (with `superseded_at` and `retire_at`) in {place}"
                ),
            )),
        }
    }
}

fn is_required(alg: KeyAlg) -> bool {
    alg.signing().is_some_and(|alg| REQUIRED_ALGS.contains(&alg))
}

fn key_problem(key: &KeyEntry, place: &str) -> Option<Problem> {
    if !key.purpose.has(key.alg) {
        let mend = format!(
            "correct one of the two in {place}: {} is for encryption and for that alone",
            KeyAlg::EcdhEs.as_str()
        );
        return Some(Problem::of_key(&key.kid, "has an `alg` that its `purpose` does not have", &mend));
    }
    let reached = [
        (KeyState::Active, key.activated_at.is_some()),
        (KeyState::Grace, key.superseded_at.is_some()),
        (KeyState::Grace, key.retire_at.is_some()),
        (KeyState::Retired, key.retired_at.is_some()),
    ];
    let is_consistent = reached.into_iter().all(|(state, has_time)| match state {
        // A key can be retired before it ever signed, and in an emergency without a grace.
        _ if key.state == KeyState::Retired => state != KeyState::Retired || has_time,
        _ => has_time == (key.state >= state),
    });
    if !is_consistent {
        let mend = format!(
            "in {place} an active key has `activated_at`, one in grace also `superseded_at` and `retire_at`, a retired one \
             `retired_at`, and none has a time of a later state"
        );
        return Some(Problem::of_key(&key.kid, "has times that do not fit its state", &mend));
    }
    let times = [
        Some(key.created_at),
        Some(key.published_at),
        key.activated_at,
        key.superseded_at,
        // What was revoked may end before its time.
        key.retire_at.filter(|_| key.state != KeyState::Retired),
    ];
    let known: Vec<_> = times.into_iter().flatten().collect();
    if !known.is_sorted() {
        let mend =
            format!("correct the times in {place}: created, published, activated, superseded, retired, in this order");
        return Some(Problem::of_key(&key.kid, "has times that are not in order", &mend));
    }
    None
}
