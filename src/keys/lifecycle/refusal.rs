//! Why a change is not allowed, and what to do instead.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::keys::problem::Problem;
use crate::model::key_alg::KeyAlg;
use crate::model::signing_key::{KeyPurpose, KeyState};

/// A change that the life cycle does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.problem())]
pub enum Refusal {
    /// There is no such key.
    UnknownKey {
        /// What was asked for.
        kid: String,
    },
    /// The key is there already.
    KnownKey {
        /// Its identifier.
        kid: String,
    },
    /// A key waits already.
    AlreadyWaiting {
        /// The one that waits.
        kid: String,
        /// Its algorithm.
        alg: KeyAlg,
        /// Its purpose.
        purpose: KeyPurpose,
    },
    /// Keys of that purpose have another algorithm.
    WrongPurpose {
        /// The algorithm.
        alg: KeyAlg,
        /// The purpose.
        purpose: KeyPurpose,
    },
    /// The change is not one of a key in this state.
    WrongState {
        /// The key.
        kid: String,
        /// Its state.
        found: KeyState,
        /// The state that it would have to be in.
        wanted: KeyState,
    },
    /// Copies of the key set that lack the key may still be in use.
    PublishedTooLately {
        /// The key.
        kid: String,
        /// When it may sign.
        allowed_at: DateTime<Utc>,
    },
    /// What the key signed may still be in use.
    StillNeeded {
        /// The key.
        kid: String,
        /// When it is not needed any more.
        retire_at: DateTime<Utc>,
    },
    /// The key signs: without it there would be none.
    Signs {
        /// The key.
        kid: String,
    },
    /// The key signs and nothing waits to take its place.
    NeedsSuccessor {
        /// The algorithm.
        alg: KeyAlg,
        /// The purpose.
        purpose: KeyPurpose,
    },
    /// There is no key to take the place of.
    NothingToRotate {
        /// The algorithm.
        alg: KeyAlg,
        /// The purpose.
        purpose: KeyPurpose,
    },
    /// The key is elsewhere, and its successor is not made here unasked.
    SuccessorIsElsewhere {
        /// The key that signs.
        kid: String,
        /// Its algorithm.
        alg: KeyAlg,
        /// Its purpose.
        purpose: KeyPurpose,
    },
    /// The key is elsewhere, and its program gave no signature that its public half verifies.
    GivesNoSignature {
        /// The key.
        kid: String,
        /// Why, perhaps in words of the program.
        why: String,
    },
    /// The key is elsewhere, and nobody said that its program may be started here.
    Untried {
        /// The key.
        kid: String,
    },
    /// There are keys already, so these would not be the first.
    HasKeys,
    /// There are no keys yet.
    HasNoKeys,
}

impl Refusal {
    /// What is wrong, and what to do instead, for whoever types a command.
    pub fn problem(&self) -> Problem {
        let (what, mend) = self.words("use --force");
        Problem::new(what, mend)
    }

    /// The same for whoever asks elsewhere, where there are no commands and one insists in another way, which `insist` says in the
    /// imperative.
    pub fn problem_with(&self, insist: &str) -> Problem {
        let (what, mend) = self.words(insist);
        Problem::new(what, self.mend_without_commands().unwrap_or(mend))
    }

    /// What to do without `ostiary-keyctl`; only what nothing else can do is left to the operator.
    fn mend_without_commands(&self) -> Option<String> {
        let mend = match self {
            Self::KnownKey { .. }
            | Self::PublishedTooLately { .. }
            | Self::StillNeeded { .. }
            | Self::GivesNoSignature { .. }
            | Self::Untried { .. } => return None,
            Self::UnknownKey { .. } => "take the kid of one that is listed".to_owned(),
            Self::AlreadyWaiting { .. } => "activate it, or retire it".to_owned(),
            Self::WrongPurpose { .. } => "take encryption for ECDH-ES, and another purpose for what signs".to_owned(),
            Self::WrongState { .. } => "look at the keys: the states are passed once and in order".to_owned(),
            Self::Signs { .. } => {
                "prepublish another one and activate that first; in an emergency the operator revokes it".to_owned()
            }
            Self::NeedsSuccessor { alg, purpose } | Self::NothingToRotate { alg, purpose } => {
                format!("prepublish one for {} ({})", alg.as_str(), purpose.as_str())
            }
            Self::SuccessorIsElsewhere { alg, purpose, .. } => format!(
                "the operator registers one that is elsewhere; to have one here from now on, prepublish one for {} ({}) by name",
                alg.as_str(),
                purpose.as_str()
            ),
            Self::HasKeys => "prepublish others".to_owned(),
            Self::HasNoKeys => "the operator makes the first ones".to_owned(),
        };
        Some(mend)
    }

    fn words(&self, insist: &str) -> (String, String) {
        match self {
            Self::UnknownKey { kid } => {
                (format!("there is no key {kid}"), "take a kid that `ostiary-keyctl list` shows".to_owned())
            }
            Self::KnownKey { kid } => {
                (format!("the key {kid} is there already"), "a key lives once: make or import another".to_owned())
            }
            Self::AlreadyWaiting { kid, alg, purpose } => (
                format!("the key {kid} for {} ({}) already waits to be activated", alg.as_str(), purpose.as_str()),
                format!("activate it with `ostiary-keyctl activate {kid}`, or take it back with `retire`"),
            ),
            Self::WrongPurpose { alg, purpose } => wrong_purpose(*alg, *purpose),
            Self::WrongState { kid, found, wanted } => (
                format!("the key {kid} is {}, and only a key that is {} can do that", found.as_str(), wanted.as_str()),
                "look at `ostiary-keyctl list`: the states are passed once and in order".to_owned(),
            ),
            Self::PublishedTooLately { kid, allowed_at } => (
                format!(
                    "the key {kid} was not listed for long enough: whoever holds an older copy of the key set could not \
                     verify what it signs"
                ),
                format!("wait until {}, or {insist} and accept failures until then", instant(*allowed_at)),
            ),
            Self::StillNeeded { kid, retire_at } => (
                format!("tokens that the key {kid} signed may still be in use"),
                format!("wait until {}, or {insist} and let them fail", instant(*retire_at)),
            ),
            Self::Signs { kid } => (
                format!("the key {kid} signs"),
                "let another one sign first, with `ostiary-keyctl rotate`; in an emergency use `revoke`".to_owned(),
            ),
            Self::NeedsSuccessor { alg, purpose } => (
                format!("no key waits that could sign with {} ({}) instead", alg.as_str(), purpose.as_str()),
                format!(
                    "make one with `ostiary-keyctl prepublish --alg {}`, or register one that is elsewhere with \
                     `register-external`; a key that waits takes over at once when the one before is revoked",
                    alg.as_str()
                ),
            ),
            Self::NothingToRotate { alg, purpose } => (
                format!("there is no key for {} ({}) to take the place of", alg.as_str(), purpose.as_str()),
                format!(
                    "make one with `ostiary-keyctl prepublish --alg {} --purpose {}`",
                    alg.as_str(),
                    purpose.as_str()
                ),
            ),
            Self::SuccessorIsElsewhere { kid, alg, purpose } => (
                format!(
                    "the private half of the key {kid} is elsewhere, and so is that of its successor: none is made here unasked"
                ),
                format!(
                    "register one with `ostiary-keyctl register-external`; to have one here from now on, make it with \
                     `ostiary-keyctl prepublish --alg {} --purpose {}`. In an emergency `revoke` lets it sign at once",
                    alg.as_str(),
                    purpose.as_str()
                ),
            ),
            Self::GivesNoSignature { kid, why } => (
                format!("the key {kid} gives no signature, so the one that signs goes on: {why}"),
                "run its program by hand with a request as in docs/keys.md, and try again when it answers".to_owned(),
            ),
            Self::Untried { kid } => (
                format!("the key {kid} was not tried: no settings name its program"),
                format!(
                    "run the command with `--config FILE`, where keys.external.programs names it, or {insist} and let it \
                     sign untried"
                ),
            ),
            Self::HasKeys => {
                ("there are keys already".to_owned(), "add to them with `ostiary-keyctl prepublish`".to_owned())
            }
            Self::HasNoKeys => {
                ("there are no keys yet".to_owned(), "make the first ones with `ostiary-keyctl generate`".to_owned())
            }
        }
    }
}

fn wrong_purpose(alg: KeyAlg, purpose: KeyPurpose) -> (String, String) {
    let what = format!("keys for {} are not made for {}", purpose.as_str(), alg.as_str());
    let mend = "use `--alg ECDH-ES --purpose encryption` for a key that requests are encrypted to, and another purpose for one \
                that signs";
    (what, mend.to_owned())
}

fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
