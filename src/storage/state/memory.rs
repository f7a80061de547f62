//! State in the memory of this process: for one instance, and for development.
//!
//! One lock around two maps, held for a few comparisons and never across an await. Every write also throws away a few
//! expired values, so that what is held is bounded by what is alive; and like a Valkey that does not evict, a full store
//! refuses what is new instead of forgetting what is old.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Expected, StateKey, StateStore, Tally};
use crate::storage::StoreError;

/// How many expired values one write throws away: more than the one it adds, so that the rubbish shrinks.
const SWEEP: usize = 4;

/// How much is held at most: a flood of attempts from outside must not eat the memory of the machine.
const LIMIT: usize = 256 * 1024 * 1024;

/// What an entry takes besides the bytes of its key and its value: its places in both maps.
const OVERHEAD: usize = 256;

/// The seven verbs over a map.
pub struct MemoryState {
    shelf: Mutex<Shelf>,
    limit: usize,
}

#[derive(Default)]
struct Shelf {
    entries: HashMap<Arc<str>, Entry>,
    by_expiry: BTreeSet<(DateTime<Utc>, Arc<str>)>,
    /// What the entries take, in bytes.
    size: usize,
}

struct Entry {
    value: Vec<u8>,
    expires_at: DateTime<Utc>,
}

impl MemoryState {
    /// An empty store.
    pub fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    fn with_limit(limit: usize) -> Self {
        Self { shelf: Mutex::default(), limit }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // No code between two changes of a shelf can panic, so a poisoned one is still whole.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(
        &self,
        shelf: &mut Shelf,
        key: &StateKey,
        value: Vec<u8>,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        shelf.sweep(now, SWEEP);
        if shelf.size_with(key.as_str(), &value) > self.limit {
            shelf.sweep(now, usize::MAX);
        }
        // Before the old value is removed: what cannot be replaced stays.
        if shelf.size_with(key.as_str(), &value) > self.limit {
            return Err(StoreError::unavailable("the state store in memory is full"));
        }
        shelf.remove(key.as_str());
        shelf.insert(key.as_str().into(), Entry { value, expires_at });
        Ok(())
    }
}

impl Default for MemoryState {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryState").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Shelf {
    fn find(&self, key: &StateKey, now: DateTime<Utc>) -> Option<&Entry> {
        self.entries.get(key.as_str()).filter(|entry| entry.expires_at > now)
    }

    /// What everything would take with `value` under `key`.
    fn size_with(&self, key: &str, value: &[u8]) -> usize {
        let replaced = self.entries.get(key).map_or(0, |entry| size_of_entry(key, &entry.value));
        self.size - replaced + size_of_entry(key, value)
    }

    fn insert(&mut self, key: Arc<str>, entry: Entry) {
        self.size += size_of_entry(&key, &entry.value);
        self.by_expiry.insert((entry.expires_at, Arc::clone(&key)));
        self.entries.insert(key, entry);
    }

    fn remove(&mut self, key: &str) -> Option<Entry> {
        let (key, entry) = self.entries.remove_entry(key)?;
        self.size -= size_of_entry(&key, &entry.value);
        self.by_expiry.remove(&(entry.expires_at, key));
        Some(entry)
    }

    fn sweep(&mut self, now: DateTime<Utc>, at_most: usize) {
        for _ in 0..at_most {
            let Some((expires_at, key)) = self.by_expiry.first() else { return };
            if *expires_at > now {
                return;
            }
            let key = Arc::clone(key);
            self.remove(&key);
        }
    }
}

#[async_trait]
impl StateStore for MemoryState {
    async fn put(
        &self,
        key: &StateKey,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.write(&mut self.shelf(), key, value.to_vec(), expires_at, now)
    }

    async fn put_if_absent(
        &self,
        key: &StateKey,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut shelf = self.shelf();
        if shelf.find(key, now).is_some() {
            return Ok(false);
        }
        self.write(&mut shelf, key, value.to_vec(), expires_at, now)?;
        Ok(true)
    }

    async fn get(&self, key: &StateKey, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.shelf().find(key, now).map(|entry| entry.value.clone()))
    }

    async fn take(&self, key: &StateKey, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        let taken = self.shelf().remove(key.as_str());
        Ok(taken.filter(|entry| entry.expires_at > now).map(|entry| entry.value))
    }

    async fn replace_if(
        &self,
        key: &StateKey,
        expected: Expected<'_>,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut shelf = self.shelf();
        let is_expected = shelf.find(key, now).is_some_and(|entry| match expected {
            Expected::Present => true,
            Expected::Equals(bytes) => entry.value == bytes,
        });
        if is_expected {
            self.write(&mut shelf, key, value.to_vec(), expires_at, now)?;
        }
        Ok(is_expected)
    }

    async fn delete(&self, key: &StateKey) -> Result<(), StoreError> {
        self.shelf().remove(key.as_str());
        Ok(())
    }

    async fn add(
        &self,
        key: &StateKey,
        n: i64,
        period: i64,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Tally, StoreError> {
        let mut shelf = self.shelf();
        let held = match shelf.find(key, now) {
            Some(entry) => Some((Counter::parse(&entry.value)?, entry.expires_at)),
            None => None,
        };
        let (counter, tally, expires_at) = match held {
            Some((counter, _)) if counter.period < period => {
                let previous = if counter.period.checked_add(1) == Some(period) { counter.current } else { 0 };
                (Counter { period, current: n, previous }, Tally { current: n, previous }, expires_at)
            }
            Some((mut counter, held_until)) if counter.period == period => {
                counter.current = counter.current.saturating_add(n);
                (counter, Tally { current: counter.current, previous: counter.previous }, held_until)
            }
            Some((mut counter, held_until)) => {
                counter.previous = counter.previous.saturating_add(n);
                (counter, Tally { current: counter.previous, previous: 0 }, held_until)
            }
            None => (Counter { period, current: n, previous: 0 }, Tally { current: n, previous: 0 }, expires_at),
        };
        self.write(&mut shelf, key, counter.to_bytes(), expires_at, now)?;
        Ok(tally)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn size_of_entry(key: &str, value: &[u8]) -> usize {
    OVERHEAD + key.len() + value.len()
}

/// A counter as it is held.
#[derive(Clone, Copy)]
struct Counter {
    period: i64,
    current: i64,
    previous: i64,
}

impl Counter {
    fn parse(value: &[u8]) -> Result<Self, StoreError> {
        let text = std::str::from_utf8(value).map_err(StoreError::corrupt)?;
        let numbers = text.split(' ').map(str::parse).collect::<Result<Vec<i64>, _>>().map_err(StoreError::corrupt)?;
        match numbers.as_slice() {
            [period, current, previous] => Ok(Self { period: *period, current: *current, previous: *previous }),
            _ => Err(StoreError::corrupt("not a counter")),
        }
    }

    fn to_bytes(self) -> Vec<u8> {
        format!("{} {} {}", self.period, self.current, self.previous).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::Kind;
    use super::*;

    fn key(n: usize) -> StateKey {
        StateKey::new(Kind::Interaction, n)
    }

    #[tokio::test]
    async fn what_expired_is_thrown_away_by_later_writes() {
        let store = MemoryState::new();
        let start = DateTime::UNIX_EPOCH;
        for n in 0..1000 {
            store.put(&key(n), b"x", start + TimeDelta::seconds(10), start).await.unwrap();
        }
        let later = start + TimeDelta::seconds(10);
        for n in 1000..1300 {
            store.put(&key(n), b"x", later + TimeDelta::seconds(10), later).await.unwrap();
        }
        let shelf = store.shelf();
        assert_eq!((shelf.entries.len(), shelf.by_expiry.len()), (300, 300));
        let held = shelf.entries.iter().map(|(key, entry)| size_of_entry(key, &entry.value)).sum::<usize>();
        assert_eq!(shelf.size, held);
    }

    #[tokio::test]
    async fn a_full_store_refuses_the_new_and_keeps_the_old() {
        let store = MemoryState::with_limit(2 * size_of_entry(key(0).as_str(), b"changed"));
        let now = DateTime::UNIX_EPOCH;
        let until = now + TimeDelta::seconds(10);
        store.put(&key(0), b"0", until, now).await.unwrap();
        store.put(&key(1), b"1", until, now).await.unwrap();
        assert!(matches!(store.put(&key(2), b"2", until, now).await, Err(StoreError::Unavailable(_))));
        store.put(&key(1), b"changed", until, now).await.unwrap();
        assert!(matches!(store.put(&key(1), &[b'x'; 1000], until, now).await, Err(StoreError::Unavailable(_))));
        assert_eq!(store.get(&key(1), now).await.unwrap(), Some(b"changed".to_vec()));
        assert_eq!(store.get(&key(0), now).await.unwrap(), Some(b"0".to_vec()));
        assert!(store.put_if_absent(&key(2), b"2", until + TimeDelta::seconds(1), until).await.unwrap());
    }
}
