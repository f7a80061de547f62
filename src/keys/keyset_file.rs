//! `keyset.json`: which keys there are and what each is for now. It holds no secret; each private key lies beside it in a
//! PEM file of its own.
//!
//! A key lives through four states, never backwards: *prepublished* (listed, so that everybody can fetch it before it
//! signs), *active* (it signs; one for each algorithm), *grace* (it no longer signs, but what it signed is still
//! verified), *retired* (no longer listed nor believed; its PEM file may be destroyed).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::model::signing_alg::SigningAlg;

/// The name of the file in the key directory.
pub const FILE_NAME: &str = "keyset.json";

/// The version of the format that this program reads and writes.
pub const VERSION: u32 = 1;

/// What OpenID Connect Core section 15.1 demands of ID tokens, and what access tokens are signed with by default.
pub const REQUIRED_ALGS: [SigningAlg; 2] = [SigningAlg::RS256, SigningAlg::ES256];

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysetFile {
    /// The version of the format.
    pub version: u32,
    /// Every key, in the order in which they were made.
    pub keys: Vec<KeyEntry>,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// Its identifier: the thumbprint of its public half (RFC 7638).
    pub kid: String,
    /// The one algorithm that it is used with.
    pub alg: SigningAlg,
    /// The PEM file, in the same directory.
    pub file: String,
    /// What it is for now.
    pub state: KeyState,
    /// When it was made and listed.
    pub created_at: DateTime<Utc>,
    /// When it began to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<DateTime<Utc>>,
    /// When another took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<DateTime<Utc>>,
    /// When it stopped being listed and believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<DateTime<Utc>>,
}

/// What a key is for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Listed, does not sign yet.
    Prepublished,
    /// Signs.
    Active,
    /// Signs no more, what it signed is verified.
    Grace,
    /// Neither listed nor believed.
    Retired,
}

impl KeyState {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepublished => "prepublished",
            Self::Active => "active",
            Self::Grace => "grace",
            Self::Retired => "retired",
        }
    }
}

impl KeyEntry {
    /// Whether it is listed and what it signed is believed. A prepublished key is: another instance may have seen its
    /// activation a moment before this one.
    pub fn is_published(&self) -> bool {
        self.state != KeyState::Retired
    }

    /// Whether its file can only be one in the key directory itself.
    pub(super) fn has_plain_file(&self) -> bool {
        !self.file.is_empty() && !self.file.starts_with('.') && !self.file.contains(['/', '\\', '\0'])
    }
}

impl KeysetFile {
    /// A key set without keys.
    pub fn empty() -> Self {
        Self { version: VERSION, keys: Vec::new() }
    }

    /// The keys with `alg` in `state`, oldest first.
    pub fn in_state(&self, alg: SigningAlg, state: KeyState) -> impl Iterator<Item = &KeyEntry> {
        self.keys.iter().filter(move |key| key.alg == alg && key.state == state)
    }

    /// Makes `kid` the key that signs with its algorithm and puts the one that did so into grace, whose kid is the answer.
    pub fn activate(&mut self, kid: &str, now: DateTime<Utc>) -> Option<String> {
        let alg = self.keys.iter().find(|key| key.kid == kid)?.alg;
        let mut superseded = None;
        for key in self.keys.iter_mut().filter(|key| key.alg == alg) {
            if key.kid == kid {
                key.state = KeyState::Active;
                key.activated_at = Some(now);
            } else if key.state == KeyState::Active {
                key.state = KeyState::Grace;
                key.superseded_at = Some(now);
                superseded = Some(key.kid.clone());
            }
        }
        superseded
    }

    /// What is wrong with the file by itself, without looking at the PEM files.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, key) in self.keys.iter().enumerate() {
            if self.keys.iter().take(index).any(|other| other.kid == key.kid) {
                problems.push(Problem::of_key(
                    &key.kid,
                    "is listed twice",
                    "take one of the two entries out of keyset.json",
                ));
            }
            problems.extend(key.problem());
        }
        for alg in SigningAlg::ALL {
            let active = self.in_state(alg, KeyState::Active).count();
            if active > 1 {
                problems.push(Problem::new(
                    format!("{active} keys are active for {}, so it is not clear which one signs", alg.as_str()),
                    "set the state of all but the newest to `grace` in keyset.json",
                ));
            }
            if active == 0 && REQUIRED_ALGS.contains(&alg) {
                problems.push(Problem::new(
                    format!("no key is active for {0}: without {0} the server cannot sign tokens", alg.as_str()),
                    "set the state of a key of that algorithm to `active` (with `activated_at`) in keyset.json, or begin again \
                     with `ostiary-keyctl generate` in an empty directory",
                ));
            }
        }
        problems
    }
}

impl KeyEntry {
    fn problem(&self) -> Option<Problem> {
        if !self.has_plain_file() {
            return Some(Problem::of_key(
                &self.kid,
                "has a `file` that is not the plain name of a file in the key directory",
                "move the PEM file into the key directory and write only its name in keyset.json",
            ));
        }
        let reached = [
            (KeyState::Active, self.activated_at.is_some()),
            (KeyState::Grace, self.superseded_at.is_some()),
            (KeyState::Retired, self.retired_at.is_some()),
        ];
        let is_consistent = reached.into_iter().all(|(state, has_time)| match state {
            // A key can be retired before it ever signed.
            _ if self.state == KeyState::Retired => state != KeyState::Retired || has_time,
            _ => has_time == (self.state >= state),
        });
        (!is_consistent).then(|| {
            Problem::of_key(
                &self.kid,
                "has times that do not fit its state",
                "in keyset.json an active key has `activated_at`, one in grace also `superseded_at`, a retired one \
                 `retired_at`, and none has a time of a later state",
            )
        })
    }
}

#[cfg(test)]
mod tests;
