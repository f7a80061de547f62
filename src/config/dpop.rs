//! Proofs of possession (RFC 9449).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;

/// What proofs must have.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DpopConfig {
    /// Whether a proof must have a nonce of this server (section 8).
    pub nonces: NoncePolicy,
    /// How long one nonce is given out; it is good for as long again.
    #[serde(with = "lifetime")]
    pub nonce_lifetime: TimeDelta,
}

/// Whether proofs need a nonce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoncePolicy {
    /// One is neither given nor looked at.
    #[default]
    Off,
    /// A proof without a good one is answered with one.
    Required,
}

impl Default for DpopConfig {
    fn default() -> Self {
        Self { nonces: NoncePolicy::default(), nonce_lifetime: TimeDelta::minutes(5) }
    }
}
