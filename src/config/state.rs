//! Short-lived state: what may be lost without reviving or losing a grant.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{duration, secret};

/// Where short-lived state is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StateConfig {
    /// `redis://user:password@host:port/db` (or `rediss://`). Absent: in this process, which is right for a single instance
    /// whose restart may end sign-ins.
    #[serde(with = "secret::optional")]
    pub valkey_url: Option<SecretString>,
    /// What every key begins with, so that installations can share a server.
    pub prefix: String,
    /// How long one command may take.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for StateConfig {
    fn default() -> Self {
        Self { valkey_url: None, prefix: "ostiary".into(), timeout: Duration::from_millis(500) }
    }
}
