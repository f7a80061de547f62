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
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { retention: TimeDelta::zero() }
    }
}
