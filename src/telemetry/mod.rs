//! Logs: human lines or JSON, with the id of the request they belong to.
//!
//! Never in a log: tokens, secrets, bodies, queries, personal data. A failure is logged once, where it becomes an answer.

// What is recorded of sign-ins and tokens.
pub mod audit;
// What is counted.
pub mod metrics;

use std::error::Error;
use std::panic;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Libraries that say below `info` what they carry: parameters of statements, headers, records.
const CONFIDANTS: [&str; 8] =
    ["fred", "h2", "hyper", "hyper_util", "reqwest", "rustls", "tokio_postgres", "tower_sessions_core"];

/// Starts logging for this process, on standard error.
pub fn start(config: &LogConfig) -> Result<(), Box<dyn Error + Send + Sync>> {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter(&config.filter)?)
        .with_target(false)
        .with_writer(std::io::stderr);
    match config.format {
        LogFormat::Human => subscriber.try_init()?,
        LogFormat::Json => subscriber.json().flatten_event(true).with_span_list(false).try_init()?,
    }
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        // Only the place: a message can quote what was being handled.
        tracing::error!(location, "a panic, please report it");
    }));
    Ok(())
}

/// The operator's directives. `debug` is for our own doings; it must not open the mouths of those who handle secrets.
fn filter(directives: &str) -> Result<EnvFilter, Box<dyn Error + Send + Sync>> {
    CONFIDANTS.into_iter().try_fold(EnvFilter::try_new(directives)?, |filter, target| {
        Ok(filter.add_directive(format!("{target}=info").parse()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_does_not_reach_those_who_handle_secrets() {
        for directives in ["debug", "trace,tokio_postgres=trace", "tokio_postgres"] {
            let written = filter(directives).unwrap().to_string();
            assert!(written.split(',').any(|directive| directive == "tokio_postgres=info"), "{written}");
            assert!(!written.contains("tokio_postgres=trace"), "{written}");
        }
        assert!(filter("warn,ostiary=nonsense").is_err());
    }
}
