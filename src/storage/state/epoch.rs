//! When the store last began empty.
//!
//! A replay mark that was lost with the store looks like one that was never set. So the store carries an epoch: a proof
//! issued before the epoch began may have been used already in an epoch that is gone, and whoever checks for replay refuses
//! it. The epoch of the memory store begins with the process.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Kind, StateKey, StateStore, get_json, put_json_if_absent};
use crate::random;
use crate::storage::StoreError;

/// One life of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Random, so that a changed epoch shows.
    pub id: String,
    /// When the store was first seen empty.
    pub began_at: DateTime<Utc>,
}

/// The epoch of `store`, begun now if it has none.
pub async fn find_or_begin(store: &dyn StateStore, now: DateTime<Utc>) -> Result<Epoch, StoreError> {
    let key = StateKey::new(Kind::Epoch, "epoch");
    if let Some(epoch) = get_json(store, &key, now).await? {
        return Ok(epoch);
    }
    let epoch = Epoch { id: random::id(), began_at: now };
    let never = now + TimeDelta::days(100 * 365);
    if put_json_if_absent(store, &key, &epoch, never, now).await? {
        return Ok(epoch);
    }
    // Another instance began it first.
    get_json(store, &key, now).await?.ok_or_else(|| StoreError::unavailable("the epoch of the state store vanished"))
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryState;
    use super::*;

    #[tokio::test]
    async fn an_epoch_lasts_as_long_as_its_store() {
        let now = DateTime::UNIX_EPOCH;
        let store = MemoryState::new();
        let begun = find_or_begin(&store, now).await.unwrap();
        assert_eq!(find_or_begin(&store, now + TimeDelta::days(400)).await.unwrap(), begun);
        assert_ne!(find_or_begin(&MemoryState::new(), now).await.unwrap().id, begun.id);
    }
}
