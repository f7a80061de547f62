//! Postgres, the durable truth.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{duration, secret};

/// How to reach Postgres.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `postgres://user:password@host/database`; `sslmode` decides about TLS. Required.
    #[serde(with = "secret::required")]
    pub url: SecretString,
    /// How many connections this process keeps. Commits are grouped: 16 to 32 serve thousands of requests a second.
    pub pool_size: usize,
    /// How long a request waits for a free connection before it answers 503.
    #[serde(with = "duration")]
    pub acquire_timeout: Duration,
    /// How long one statement may run.
    #[serde(with = "duration")]
    pub statement_timeout: Duration,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: SecretString::from(""),
            pool_size: 16,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(5),
        }
    }
}
