//! Which database: that of the server's settings, found as the server finds it.

use std::path::PathBuf;

use anyhow::bail;
use ostiary::config::{self, ConfigError, ConfigErrors, Sources};
use secrecy::SecretString;

/// The database that was named, else that of the settings. Settings of other sections may be missing or wrong: a pipeline
/// that migrates need not know what the server needs.
pub fn url(named: Option<String>, file: Option<PathBuf>) -> anyhow::Result<SecretString> {
    if let Some(url) = named {
        return Ok(SecretString::from(url));
    }
    let sources = Sources::from_process(file);
    let (config, errors) = config::examine(&sources);
    match config {
        Some(config) if !errors.iter().any(|error| concerns(error, &sources)) => Ok(config.database.url),
        _ => bail!(ConfigErrors(errors)),
    }
}

/// Whether an error is about the database, or about a source that might have named it.
fn concerns(error: &ConfigError, sources: &Sources) -> bool {
    let is_file = sources.file.as_ref().is_some_and(|file| error.key == file.display().to_string());
    let is_source = [".env", ".env.yaml", "./.env.yaml", "settings file", "settings"].contains(&error.key.as_str());
    is_file || is_source || error.key.to_lowercase().contains("database")
}
