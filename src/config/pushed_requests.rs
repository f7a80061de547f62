//! Pushed authorization requests (RFC 9126).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;

/// How clients push their authorization requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushedRequestsConfig {
    /// How long a pushed request waits for the browser.
    #[serde(with = "lifetime")]
    pub lifetime: TimeDelta,
    /// Whether every authorization request must be pushed, whatever its client registered.
    pub required: bool,
}

impl Default for PushedRequestsConfig {
    fn default() -> Self {
        Self { lifetime: TimeDelta::seconds(60), required: false }
    }
}
