//! Sign-ins: how long a browser stays signed in.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;

/// How long a browser stays signed in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsConfig {
    /// After signing in, whatever happens.
    #[serde(with = "lifetime")]
    pub lifetime: TimeDelta,
    /// Without being used.
    #[serde(with = "lifetime")]
    pub idle: TimeDelta,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self { lifetime: TimeDelta::hours(12), idle: TimeDelta::hours(2) }
    }
}
