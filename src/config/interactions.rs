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
    /// How long after that an attempt in which nobody got a step further is still known, so that a page left open begins
    /// anew instead of failing. One with a step is known for a day.
    #[serde(with = "lifetime")]
    pub kept_untouched: TimeDelta,
}

impl Default for InteractionsConfig {
    fn default() -> Self {
        Self { lifetime: TimeDelta::minutes(30), kept_untouched: TimeDelta::minutes(30) }
    }
}
