//! Keys as the API shows them, and what a caller says of them.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::admin::json::{self, FromObject};
use crate::http::problem::Violation;
use crate::keys::audience::KeyAudience;
use crate::keys::external::{BreakerState, SignerStatus};
use crate::keys::lifecycle::{Action, Insistence, Step};
use crate::keys::problem::Problem;
use crate::model::key_alg::KeyAlg;
use crate::model::signing_key::{KeyEntry, KeyPurpose, KeyState};

/// The keys and what happens next.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Keys")]
pub(in crate::admin) struct KeysDocument {
    /// Every key, in the order in which they were made.
    pub(in crate::admin) keys: Vec<KeyDocument>,
    /// What the automatic life cycle does, and when; in the past if it is due.
    pub(in crate::admin) timeline: Vec<StepDocument>,
    /// What keeps this instance from using every key as it is stored. It goes on with what it holds.
    pub(in crate::admin) problems: Vec<ProblemDocument>,
}

/// Something that is wrong.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyProblem")]
pub(in crate::admin) struct ProblemDocument {
    /// What is wrong.
    pub(in crate::admin) what: String,
    /// What to do about it.
    pub(in crate::admin) mend: String,
}

/// What the next rotation does, and who is not ready for it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyRehearsal")]
pub(in crate::admin) struct RehearsalDocument {
    /// What the automatic life cycle does, and when; in the past if it is due.
    pub(in crate::admin) timeline: Vec<StepDocument>,
    /// Who fetched the key set since the newest key was listed; null if there is no key.
    pub(in crate::admin) audience: Option<KeyAudience>,
}

/// A key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Key")]
pub(in crate::admin) struct KeyDocument {
    /// Its identifier: the thumbprint of its public half (RFC 7638).
    pub(in crate::admin) kid: String,
    /// The algorithm that it is used with.
    pub(in crate::admin) alg: KeyAlg,
    /// What it signs.
    pub(in crate::admin) purpose: KeyPurpose,
    /// What it is for now.
    pub(in crate::admin) state: KeyState,
    /// Whether the private half is kept elsewhere.
    pub(in crate::admin) external: bool,
    /// How the program of an external key does on this instance; null for a key of the server's own, and where the settings do not
    /// name the program.
    pub(in crate::admin) signer: Option<SignerDocument>,
    /// When it was made.
    pub(in crate::admin) created_at: DateTime<Utc>,
    /// When it was listed.
    pub(in crate::admin) published_at: DateTime<Utc>,
    /// When it began to sign.
    pub(in crate::admin) activated_at: Option<DateTime<Utc>>,
    /// When another took its place.
    pub(in crate::admin) superseded_at: Option<DateTime<Utc>>,
    /// When it can be retired.
    pub(in crate::admin) retire_at: Option<DateTime<Utc>>,
    /// When it was retired.
    pub(in crate::admin) retired_at: Option<DateTime<Utc>>,
    /// Why it was retired before its time.
    pub(in crate::admin) revoke_reason: Option<String>,
}

/// How the program of an external key does, on the instance that was asked and since it started.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeySigner")]
pub(in crate::admin) struct SignerDocument {
    /// The signatures that it made, trials included.
    pub(in crate::admin) signed: u64,
    /// Those that it failed to make.
    pub(in crate::admin) failed: u64,
    /// Those that it was not asked for, because it had failed too often.
    pub(in crate::admin) refused: u64,
    /// `closed`: it is asked; `open`: it failed too often and is not asked for a while; `probing`: one request finds out whether
    /// it works again.
    pub(in crate::admin) breaker: BreakerState,
}

/// One thing that will happen.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyStep")]
pub(in crate::admin) struct StepDocument {
    /// When.
    pub(in crate::admin) at: DateTime<Utc>,
    /// The algorithm.
    pub(in crate::admin) alg: KeyAlg,
    /// The purpose.
    pub(in crate::admin) purpose: KeyPurpose,
    /// `publish`, `activate` or `retire`; `register`: the successor of an external key has to be registered by then.
    pub(in crate::admin) action: &'static str,
    /// The key; absent while it is still to be made.
    pub(in crate::admin) kid: Option<String>,
}

/// Which keys to make.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
pub(super) struct Prepublication {
    /// Their kinds; none: one for each kind in use that has none waiting.
    #[schemars(length(max = 13))]
    pub(super) keys: Vec<KindInput>,
}

/// The kind of a key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KindInput {
    /// The algorithm.
    pub(super) alg: KeyAlg,
    /// The purpose; absent: `tokens`.
    #[serde(default)]
    pub(super) purpose: KeyPurpose,
}

/// The keys that were made.
#[derive(Serialize, JsonSchema)]
pub(super) struct Prepublished {
    /// Each of them.
    pub(super) keys: Vec<KeyDocument>,
}

/// How much it is wanted.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Emphasis {
    /// Whether the conditions of the life cycle are passed over: tokens may then not verify for a while, or ever again.
    force: bool,
}

impl FromObject for Prepublication {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        json::read(Value::Object(object))
    }
}

impl FromObject for Emphasis {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        json::read(Value::Object(object))
    }
}

impl Emphasis {
    pub(super) fn insistence(&self) -> Insistence {
        if self.force { Insistence::Force } else { Insistence::Never }
    }
}

impl KeyDocument {
    pub(super) fn new(key: &KeyEntry, signer: Option<SignerStatus>) -> Self {
        Self {
            kid: key.kid.clone(),
            alg: key.alg,
            purpose: key.purpose,
            state: key.state,
            external: key.external.is_some(),
            signer: signer.map(SignerDocument::new),
            created_at: key.created_at,
            published_at: key.published_at,
            activated_at: key.activated_at,
            superseded_at: key.superseded_at,
            retire_at: key.retire_at,
            retired_at: key.retired_at,
            revoke_reason: key.revoke_reason.clone(),
        }
    }
}

impl SignerDocument {
    fn new(SignerStatus { signed, failed, refused, breaker }: SignerStatus) -> Self {
        Self { signed, failed, refused, breaker }
    }
}

impl StepDocument {
    pub(super) fn new(step: Step) -> Self {
        let (action, kid) = match step.action {
            Action::Publish => ("publish", None),
            Action::Activate { kid } => ("activate", kid),
            Action::Retire { kid } => ("retire", Some(kid)),
            Action::Register { kid } => ("register", Some(kid)),
        };
        Self { at: step.at, alg: step.alg, purpose: step.purpose, action, kid }
    }
}

impl ProblemDocument {
    pub(super) fn new(problem: &Problem) -> Self {
        Self { what: problem.what.clone(), mend: problem.mend.clone() }
    }
}
