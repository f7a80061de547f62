//! Short-lived state: seven atomic verbs over bytes, implemented by Valkey and in memory, held to one contract test.
//!
//! Every verb takes `now`: a value is absent once `expires_at <= now`, whatever the store's own clock thinks; the store's
//! time to live is only rubbish collection. One key per verb, so that a cluster needs no hash tags.

// When the store last began empty: what proofs of replay lean on.
pub mod epoch;
// State in the memory of this process.
pub mod memory;
// Any of them, with a clock beside it.
pub mod timed;
// State in Valkey, shared by every instance.
pub mod valkey;

#[cfg(test)]
mod contract;
mod json;

use std::fmt;

pub use json::{get_json, put_json, put_json_if_absent, take_json};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;

/// What a key holds: the first part of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A browser's session record.
    Session,
    /// One authorization attempt.
    Interaction,
    /// A pushed authorization request.
    PushedRequest,
    /// The record of an authorization code.
    Code,
    /// What belongs to a device code.
    DeviceCode,
    /// What belongs to a backchannel authentication request.
    Backchannel,
    /// What a page has to say after a form was sent.
    Remark,
    /// The mark of an assertion or a proof that was used.
    Replay,
    /// A counter of one window of a rate limit.
    RateLimit,
    /// The store's own epoch.
    Epoch,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Interaction => "interaction",
            Self::PushedRequest => "pushed",
            Self::Code => "code",
            Self::DeviceCode => "device",
            Self::Backchannel => "ciba",
            Self::Remark => "remark",
            Self::Replay => "replay",
            Self::RateLimit => "rate",
            Self::Epoch => "state",
        }
    }
}

/// The name of a value, without the installation's prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StateKey(String);

impl StateKey {
    /// The key of `kind` with that identifier. Identifiers that are secrets are hashed by the caller.
    pub fn new(kind: Kind, id: impl fmt::Display) -> Self {
        Self(format!("{}:{id}", kind.as_str()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What [`StateStore::replace_if`] expects to find.
#[derive(Clone, Copy, Debug)]
pub enum Expected<'a> {
    /// Any value.
    Present,
    /// Exactly these bytes.
    Equals(&'a [u8]),
}

/// What a counter says to whoever adds to it in some period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The sum of that period.
    pub current: i64,
    /// The sum of the period before it, or 0 if that is not known any more.
    pub previous: i64,
}

/// The seven verbs. Each is one atomic command.
#[async_trait]
pub trait StateStore: Send + Sync + 'static {
    /// Writes `value`, whatever was there.
    async fn put(
        &self,
        key: &StateKey,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Writes `value` unless there is one; whether it wrote.
    async fn put_if_absent(
        &self,
        key: &StateKey,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Reads.
    async fn get(&self, key: &StateKey, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError>;

    /// Reads and deletes: of any number of racers, one gets the value.
    async fn take(&self, key: &StateKey, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError>;

    /// Writes `value` if what is there is as expected; whether it wrote.
    async fn replace_if(
        &self,
        key: &StateKey,
        expected: Expected<'_>,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Deletes, if there is anything.
    async fn delete(&self, key: &StateKey) -> Result<(), StoreError>;

    /// Adds `n` to what a counter counts in `period`, and tells its sums. The first addition of a period begins it at 0 and
    /// sets the counter's expiry to `expires_at`; until then it remembers the sum of the period before too. Whoever is late
    /// with an addition, by a request that took long or a clock that is behind, adds to the period before.
    ///
    /// A counter reads as three decimal numbers, the last period and both sums; anything else under the key is
    /// [`StoreError::Corrupt`]. Numbers stay below 2^53, which is as far as both stores count exactly.
    async fn add(
        &self,
        key: &StateKey,
        n: i64,
        period: i64,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Tally, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}
