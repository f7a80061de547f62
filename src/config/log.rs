//! Logs.

use serde::{Deserialize, Serialize};

/// What is logged, and how it looks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// See [`LogFormat`].
    pub format: LogFormat,
    /// Directives of `tracing-subscriber`: `info`, `warn,ostiary=debug`.
    pub filter: String,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For eyes.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::default(), filter: "info".into() }
    }
}
