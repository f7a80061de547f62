//! Device authorization (RFC 8628).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;

/// How devices wait for a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceAuthorizationConfig {
    /// How long a device code and its user code live.
    #[serde(with = "lifetime")]
    pub lifetime: TimeDelta,
    /// How long a device waits between two questions.
    #[serde(with = "lifetime")]
    pub interval: TimeDelta,
}

impl Default for DeviceAuthorizationConfig {
    fn default() -> Self {
        Self { lifetime: TimeDelta::minutes(10), interval: TimeDelta::seconds(5) }
    }
}
