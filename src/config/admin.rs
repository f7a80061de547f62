//! The admin API.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;

/// What the admin API asks of its callers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// How long ago an administrator may have signed in, in person; after it they have to do so again.
    #[serde(with = "lifetime")]
    pub max_auth_age: TimeDelta,
    /// How long the link of an invitation or of a password reset works.
    #[serde(with = "lifetime")]
    pub password_ticket: TimeDelta,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { max_auth_age: TimeDelta::hours(1), password_ticket: TimeDelta::hours(24) }
    }
}
