//! Authorization attempts: from the request of a client to the answer.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;

/// How long a person may take.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InteractionsConfig {
    /// From the request of the client to the last click.
    #[serde(with = "lifetime")]
    pub lifetime: TimeDelta,
}

impl Default for InteractionsConfig {
    fn default() -> Self {
        Self { lifetime: TimeDelta::minutes(30) }
    }
}
