//! Session records over the verbs of the state store.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use tower_sessions::session::{self, Id, Record};
use tower_sessions::{SessionStore, session_store};

use crate::clock::Clock;
use crate::random;
use crate::storage::StoreError;
use crate::storage::state::{Expected, Kind, StateKey, StateStore, get_json, put_json_if_absent};

/// How often a new id may be taken already before something is wrong with more than chance.
const ATTEMPTS: usize = 3;

/// What is stored: not the id, which is the browser's secret.
#[derive(Serialize, Deserialize)]
struct Stored {
    data: HashMap<String, Value>,
    expires_at: DateTime<Utc>,
}

pub(super) struct Records {
    state: Arc<dyn StateStore>,
    clock: Clock,
}

impl Records {
    pub(super) fn new(state: Arc<dyn StateStore>, clock: Clock) -> Self {
        Self { state, clock }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Records(..)")
    }
}

#[async_trait]
impl SessionStore for Records {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let stored = Stored::of(record)?;
        for _ in 0..ATTEMPTS {
            record.id = Id(i128::from_le_bytes(random::bytes()));
            let now = self.clock.now();
            if put_json_if_absent(self.state.as_ref(), &key(&record.id), &stored, stored.expires_at, now)
                .await
                .map_err(session_error)?
            {
                return Ok(());
            }
        }
        Err(session_store::Error::Backend("every new session id is taken".into()))
    }

    /// Only what is still there: a request that outlived a sign-out must not bring the session back.
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let stored = Stored::of(record)?;
        let bytes = serde_json::to_vec(&stored).map_err(|error| session_store::Error::Encode(error.to_string()))?;
        self.state
            .replace_if(&key(&record.id), Expected::Present, &bytes, stored.expires_at, self.clock.now())
            .await
            .map(drop)
            .map_err(session_error)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let stored: Option<Stored> =
            get_json(self.state.as_ref(), &key(id), self.clock.now()).await.map_err(session_error)?;
        stored
            .map(|stored| {
                let expiry_date = offset(stored.expires_at).map_err(session_error)?;
                Ok(Record { id: *id, data: stored.data, expiry_date })
            })
            .transpose()
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.state.delete(&key(id)).await.map_err(session_error)
    }
}

impl Stored {
    fn of(record: &Record) -> session_store::Result<Self> {
        let micros = i64::try_from(record.expiry_date.unix_timestamp_nanos() / 1000).ok();
        let expires_at = micros.and_then(DateTime::from_timestamp_micros);
        let expires_at = expires_at.ok_or_else(|| session_store::Error::Encode("a time out of range".into()))?;
        Ok(Self { data: record.data.clone(), expires_at })
    }
}

fn key(id: &Id) -> StateKey {
    let hash = digest::digest(&digest::SHA256, id.to_string().as_bytes());
    StateKey::new(Kind::Session, URL_SAFE_NO_PAD.encode(hash))
}

/// A time as tower-sessions writes it.
pub(super) fn offset(at: DateTime<Utc>) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.timestamp_micros()) * 1000).map_err(StoreError::corrupt)
}

/// tower-sessions knows only texts; which of them is an outage must survive the way through it.
fn session_error(error: StoreError) -> session_store::Error {
    match error {
        StoreError::Unavailable(source) => session_store::Error::Backend(source.to_string()),
        StoreError::Conflict(source) | StoreError::Corrupt(source) => session_store::Error::Decode(source.to_string()),
    }
}

pub(super) fn store_error(error: session::Error) -> StoreError {
    match error {
        session::Error::Store(session_store::Error::Backend(source)) => StoreError::unavailable(source),
        session::Error::Store(session_store::Error::Encode(_) | session_store::Error::Decode(_))
        | session::Error::SerdeJson(_) => StoreError::corrupt(error),
    }
}
