//! Typed values over the bytes of the seven verbs: JSON, which a newer version may extend with optional members.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{StateKey, StateStore};
use crate::storage::StoreError;

/// Reads a value. What this version cannot decode is [`StoreError::Corrupt`], never absent.
pub async fn get_json<T: DeserializeOwned>(
    store: &dyn StateStore,
    key: &StateKey,
    now: DateTime<Utc>,
) -> Result<Option<T>, StoreError> {
    decode(store.get(key, now).await?)
}

/// Reads and deletes a value: of any number of racers, one gets it.
pub async fn take_json<T: DeserializeOwned>(
    store: &dyn StateStore,
    key: &StateKey,
    now: DateTime<Utc>,
) -> Result<Option<T>, StoreError> {
    decode(store.take(key, now).await?)
}

/// Writes a value, whatever was there.
pub async fn put_json<T: Serialize + Sync>(
    store: &dyn StateStore,
    key: &StateKey,
    value: &T,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    store.put(key, &encode(value)?, expires_at, now).await
}

/// Writes a value unless there is one; whether it wrote.
pub async fn put_json_if_absent<T: Serialize + Sync>(
    store: &dyn StateStore,
    key: &StateKey,
    value: &T,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    store.put_if_absent(key, &encode(value)?, expires_at, now).await
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(StoreError::corrupt)
}

fn decode<T: DeserializeOwned>(bytes: Option<Vec<u8>>) -> Result<Option<T>, StoreError> {
    bytes.map(|bytes| serde_json::from_slice(&bytes)).transpose().map_err(StoreError::corrupt)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::Kind;
    use super::super::memory::MemoryState;
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_decoded_is_corrupt_and_not_absent() {
        let store = MemoryState::new();
        let key = StateKey::new(Kind::Interaction, "x");
        let now = DateTime::UNIX_EPOCH;
        let until = now + TimeDelta::seconds(1);
        put_json(&store, &key, &vec![1, 2], until, now).await.unwrap();
        assert!(!put_json_if_absent(&store, &key, &vec![3], until, now).await.unwrap());
        assert_eq!(get_json::<Vec<i32>>(&store, &key, now).await.unwrap(), Some(vec![1, 2]));
        assert!(matches!(get_json::<String>(&store, &key, now).await, Err(StoreError::Corrupt(_))));
        assert_eq!(take_json::<Vec<i32>>(&store, &key, now).await.unwrap(), Some(vec![1, 2]));
        assert_eq!(get_json::<Vec<i32>>(&store, &key, now).await.unwrap(), None);
    }
}
