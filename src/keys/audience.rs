//! Who has the newest key and who does not, as far as anybody knows: what `ostiary-keyctl rehearse`, the admin API and the
//! console tell before a rotation.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::lifecycle::KeyRing;
use crate::model::id::ClientId;
use crate::model::jwks_fetch::JwksAudience;
use crate::model::signing_key::{KeyEntry, KeyState};
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;

/// Who fetched the key set since the newest key was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "KeyAudience")]
pub struct KeyAudience {
    /// The newest key: the one that waits to sign, else the one that was listed last.
    pub kid: String,
    /// When it was listed.
    pub since: DateTime<Utc>,
    /// The clients that got tokens of a person within 30 days, and are enabled.
    pub clients: Vec<ClientAudience>,
    /// Everybody else who fetched the key set within 30 days, whoever waits longest first.
    pub others: Vec<UnnamedAudience>,
}

/// A client that people use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "KeyAudienceClient")]
pub struct ClientAudience {
    /// The client.
    pub client_id: ClientId,
    /// When it last got tokens of a person.
    pub last_token_at: DateTime<Utc>,
    /// When it last fetched the key set under its name; null: not within 30 days, but perhaps it is among the others.
    pub fetched_at: Option<DateTime<Utc>>,
    /// Whether that was since the newest key was listed.
    pub has_fetched: bool,
}

/// Somebody who fetches without a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "KeyAudienceOther")]
pub struct UnnamedAudience {
    /// Their network, cut to a /24 or a /48.
    pub network: String,
    /// The program that they call themselves.
    pub agent: String,
    /// When they last fetched the key set.
    pub fetched_at: DateTime<Utc>,
    /// Whether that was since the newest key was listed.
    pub has_fetched: bool,
}

/// Who fetched the key set since the newest key of `ring` was listed. `None`: there is no key.
pub async fn find_audience(
    postgres: &Postgres,
    ring: &KeyRing,
    now: DateTime<Utc>,
) -> Result<Option<KeyAudience>, StoreError> {
    match newest(ring) {
        Some(key) => Ok(Some(KeyAudience::new(key, postgres.find_jwks_audience(now).await?))),
        None => Ok(None),
    }
}

/// The one that waits, which is what matters for the next rotation; else the one that was listed last.
fn newest(ring: &KeyRing) -> Option<&KeyEntry> {
    let of = |state| ring.keys().iter().filter(move |key| key.state == state).max_by_key(|key| key.published_at);
    of(KeyState::Prepublished).or_else(|| of(KeyState::Active))
}

impl KeyAudience {
    fn new(key: &KeyEntry, found: JwksAudience) -> Self {
        let since = key.published_at;
        let clients = found.clients.into_iter().map(|client| ClientAudience {
            has_fetched: client.fetched_at.is_some_and(|at| at >= since),
            client_id: client.client_id,
            last_token_at: client.last_token_at,
            fetched_at: client.fetched_at,
        });
        let others = found.others.into_iter().map(|other| UnnamedAudience {
            has_fetched: other.fetched_at >= since,
            network: other.network,
            agent: other.agent,
            fetched_at: other.fetched_at,
        });
        Self { kid: key.kid.clone(), since, clients: clients.collect(), others: others.collect() }
    }
}
