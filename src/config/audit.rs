//! Records of what was done.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;

/// What is recorded, and for how long.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// How long records are kept; zero: for ever. They hold addresses of people.
    #[serde(with = "lifetime")]
    pub retention: TimeDelta,
    /// Whether tokens that are issued and refreshed are recorded too: one record for each answer of the token endpoint.
    pub tokens: bool,
    /// Whether each record is also a line of the log, for a system that collects those. It names people and their addresses.
    pub log: bool,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { retention: TimeDelta::zero(), tokens: true, log: false }
    }
}
