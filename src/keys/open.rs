//! From settings to the store of keys and the windows of their life cycle.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

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
        KeyStoreKind::Directory => {
            let directory = KeyDirectory::new(&config.directory);
            Some(Arc::new(match postgres {
                Some(postgres) => directory.recorded_in(postgres),
                None => directory,
            }))
        }
        KeyStoreKind::Postgres => Some(Arc::new(PostgresKeys::new(postgres?.clone(), kek(config)))),
    }
}

fn kek(config: &KeysConfig) -> KekSource {
    match &config.kek {
        Some(text) => KekSource::Text(text.clone()),
        None => KekSource::File(config.kek_file.clone()),
    }
}

/// The windows that the settings and the clients' own lifetimes make, and those that they made until lately.
pub async fn policy(
    keys: &KeysConfig,
    tokens: &TokensConfig,
    postgres: &Postgres,
) -> Result<RotationPolicy, StoreError> {
    let longest = longest_lifetime(tokens, postgres.find_longest_token_lifetime().await?);
    let ended_at = postgres.find_end_of_longer_tokens(longest).await?;
    let needed_until = ended_at.map(|at| at + margin(keys));
    Ok(RotationPolicy { needed_until, ..windows(keys, longest) })
}

/// Remembers how long the tokens live that are given now, so that a key is believed for as long as what it signed lives although
/// lifetimes are made shorter before its time is over.
pub async fn record_lifetimes(
    tokens: &TokensConfig,
    postgres: &Postgres,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let longest = longest_lifetime(tokens, postgres.find_longest_token_lifetime().await?);
    postgres.record_token_lifetime(longest, now).await
}

/// The windows where nobody can be asked, if no client's tokens live longer than `client`.
pub fn policy_for(keys: &KeysConfig, tokens: &TokensConfig, client: Option<TimeDelta>) -> RotationPolicy {
    windows(keys, longest_lifetime(tokens, client))
}

fn longest_lifetime(tokens: &TokensConfig, client: Option<TimeDelta>) -> TimeDelta {
    tokens.access_token.max(tokens.id_token).max(client.unwrap_or_default())
}

/// What clocks may differ by, and how long a copy of the key set is used.
fn margin(keys: &KeysConfig) -> TimeDelta {
    CLOCK_TOLERANCE + RotationPolicy::cache_lifetime(keys.rotation.prepublish)
}

/// The grace is as long as the longest token lives, plus the margin; `keys.rotation.grace` can only make it longer.
fn windows(keys: &KeysConfig, longest: TimeDelta) -> RotationPolicy {
    let rotation = &keys.rotation;
    let derived = longest + margin(keys);
    RotationPolicy {
        period: rotation.period,
        prepublish: rotation.prepublish,
        grace: rotation.grace.map_or(derived, |grace| grace.max(derived)),
        needed_until: None,
    }
}
