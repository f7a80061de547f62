//! From settings to the store of keys and the windows of their life cycle.

use std::sync::Arc;

use chrono::TimeDelta;

use super::kek::KekSource;
use super::lifecycle::RotationPolicy;
use super::store::KeyStore;
use super::store::directory::KeyDirectory;
use super::store::postgres::PostgresKeys;
use crate::config::{KeyStoreKind, KeysConfig, TokensConfig};
use crate::model::lifetimes::CLOCK_TOLERANCE;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;

/// The store that the settings name; `None` if it is in Postgres and there is none.
pub fn store(config: &KeysConfig, postgres: Option<&Postgres>) -> Option<Arc<dyn KeyStore>> {
    match config.store {
        KeyStoreKind::Directory => Some(Arc::new(KeyDirectory::new(&config.directory))),
        KeyStoreKind::Postgres => Some(Arc::new(PostgresKeys::new(postgres?.clone(), kek(config)))),
    }
}

fn kek(config: &KeysConfig) -> KekSource {
    match &config.kek {
        Some(text) => KekSource::Text(text.clone()),
        None => KekSource::File(config.kek_file.clone()),
    }
}

/// The windows that the settings and the clients' own lifetimes make.
pub async fn policy(
    keys: &KeysConfig,
    tokens: &TokensConfig,
    postgres: &Postgres,
) -> Result<RotationPolicy, StoreError> {
    Ok(policy_for(keys, tokens, postgres.find_longest_token_lifetime().await?))
}

/// The same when the longest lifetime of a client is known. The grace is as long as the longest token lives, plus what
/// clocks may differ by, plus how long a copy of the key set is used; `keys.rotation.grace` can only make it longer.
pub fn policy_for(keys: &KeysConfig, tokens: &TokensConfig, client: Option<TimeDelta>) -> RotationPolicy {
    let rotation = &keys.rotation;
    let longest = tokens.access_token.max(tokens.id_token).max(client.unwrap_or_default());
    let derived = longest + CLOCK_TOLERANCE + RotationPolicy::cache_lifetime(rotation.prepublish);
    RotationPolicy {
        period: rotation.period,
        prepublish: rotation.prepublish,
        grace: rotation.grace.map_or(derived, |grace| grace.max(derived)),
    }
}
