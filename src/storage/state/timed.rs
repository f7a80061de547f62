//! Any state store, with a clock beside it.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Expected, StateKey, StateStore, Tally};
use crate::storage::StoreError;
use crate::telemetry::metrics::CallTimes;

/// Counts the calls of the store within.
pub struct TimedState {
    store: Arc<dyn StateStore>,
    times: CallTimes,
}

impl TimedState {
    /// Counts in `times`.
    pub fn new(store: Arc<dyn StateStore>, times: CallTimes) -> Self {
        Self { store, times }
    }

    async fn note<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let start = Instant::now();
        let answer = answer.await;
        self.times.note(call, start.elapsed(), answer.is_err());
        answer
    }
}

#[async_trait]
impl StateStore for TimedState {
    async fn put(
        &self,
        key: &StateKey,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        self.note("put", self.store.put(key, value, expires_at, now)).await
    }

    async fn put_if_absent(
        &self,
        key: &StateKey,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.note("put_if_absent", self.store.put_if_absent(key, value, expires_at, now)).await
    }

    async fn get(&self, key: &StateKey, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        self.note("get", self.store.get(key, now)).await
    }

    async fn take(&self, key: &StateKey, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        self.note("take", self.store.take(key, now)).await
    }

    async fn replace_if(
        &self,
        key: &StateKey,
        expected: Expected<'_>,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.note("replace_if", self.store.replace_if(key, expected, value, expires_at, now)).await
    }

    async fn delete(&self, key: &StateKey) -> Result<(), StoreError> {
        self.note("delete", self.store.delete(key)).await
    }

    async fn add(
        &self,
        key: &StateKey,
        n: i64,
        period: i64,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Tally, StoreError> {
        self.note("add", self.store.add(key, n, period, expires_at, now)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.note("ping", self.store.ping()).await
    }
}
