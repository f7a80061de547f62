//! A signing key and its states, without the key itself.
//!
//! A key lives through four states, never backwards: *prepublished* (listed, so that everybody can fetch it before it
//! signs), *active* (it signs; one for each algorithm and purpose), *grace* (it no longer signs, but what it signed is
//! still verified), *retired* (no longer listed nor believed; the private key is destroyed).

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::key_alg::KeyAlg;

/// Everything that is known of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// Its identifier: the thumbprint of its public half (RFC 7638).
    pub kid: String,
    /// The one algorithm that it is used with.
    pub alg: KeyAlg,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// What it is for now.
    pub state: KeyState,
    /// The PEM file, in a key directory; absent in a database, and for an external key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where the private key is, if not with us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalKey>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was listed.
    pub published_at: DateTime<Utc>,
    /// When it began to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<DateTime<Utc>>,
    /// When another took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<DateTime<Utc>>,
    /// When nothing that it signed is valid any more, so that it can be retired. Known from the end of its signing on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retire_at: Option<DateTime<Utc>>,
    /// When it stopped being listed and believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<DateTime<Utc>>,
    /// Why it was retired before its time, in an emergency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoke_reason: Option<String>,
}

/// A key whose private half never comes here: a command signs with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalKey {
    /// What the command calls the key.
    pub key_ref: String,
    /// The program, by its absolute path, and its arguments. Never a shell's line.
    pub command: Vec<String>,
    /// How often the program is started.
    #[serde(default, skip_serializing_if = "SignerMode::is_default")]
    pub mode: SignerMode,
    /// The public half as a JSON Web Key.
    pub jwk: Value,
}

/// How often the program of an external key is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignerMode {
    /// For every signature.
    #[default]
    Once,
    /// Once; it answers line by line until its input ends.
    Kept,
}

impl SignerMode {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What a key is for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
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

/// What a key signs, or what it is for instead. A signing purpose without a key of its own for an algorithm uses the one for tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyPurpose {
    /// Access tokens, ID tokens, userinfo answers.
    #[default]
    Tokens,
    /// Logout tokens (OpenID Connect Back-Channel Logout section 2.4).
    Logout,
    /// What this server says of itself to other servers (RFC 7523 section 2.2).
    Assertions,
    /// Nothing: request objects are encrypted to it (RFC 9101 section 6.1). No other key takes its place.
    Encryption,
}

impl KeyState {
    /// Every state, in the order of a key's life.
    pub const ALL: [Self; 4] = [Self::Prepublished, Self::Active, Self::Grace, Self::Retired];

    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepublished => "prepublished",
            Self::Active => "active",
            Self::Grace => "grace",
            Self::Retired => "retired",
        }
    }

    /// The state with that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 4] = [Self::Tokens, Self::Logout, Self::Assertions, Self::Encryption];

    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Logout => "logout",
            Self::Assertions => "assertions",
            Self::Encryption => "encryption",
        }
    }

    /// Whether its keys have that algorithm.
    pub fn has(self, alg: KeyAlg) -> bool {
        match self {
            Self::Tokens | Self::Logout | Self::Assertions => alg.signing().is_some(),
            Self::Encryption => alg.signing().is_none(),
        }
    }

    /// The purpose with that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }
}

impl KeyEntry {
    /// A key that is made and listed now.
    pub fn prepublished(kid: String, alg: impl Into<KeyAlg>, purpose: KeyPurpose, now: DateTime<Utc>) -> Self {
        Self {
            kid,
            alg: alg.into(),
            purpose,
            state: KeyState::Prepublished,
            file: None,
            external: None,
            created_at: now,
            published_at: now,
            activated_at: None,
            superseded_at: None,
            retire_at: None,
            retired_at: None,
            revoke_reason: None,
        }
    }

    /// Whether it is listed and what it signed is believed. A prepublished key is: another instance may have seen its
    /// activation a moment before this one.
    pub fn is_published(&self) -> bool {
        self.state != KeyState::Retired
    }

    /// Whether it signs, or waits to.
    pub fn is_for_signing(&self) -> bool {
        matches!(self.state, KeyState::Prepublished | KeyState::Active)
    }

    /// Whether it has that algorithm and that purpose: of such keys one signs.
    pub fn is_for(&self, alg: impl Into<KeyAlg>, purpose: KeyPurpose) -> bool {
        self.alg == alg.into() && self.purpose == purpose
    }
}
