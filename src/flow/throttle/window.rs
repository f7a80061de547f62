//! Counters in windows: a count slides, as this window's plus the share of the previous one that is not yet a window old.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};

use crate::storage::StoreError;
use crate::storage::state::{Kind, StateKey, StateStore, Tally};

/// What is limited: the first part of a counter's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// Password attempts.
    Password,
    /// Beginnings of authorization attempts.
    Beginning,
    /// Codes of devices that somebody typed.
    UserCode,
    /// Registrations of clients.
    Registration,
    /// Changes of their registrations.
    RegistrationChange,
    /// Looks at the addresses of sectors.
    SectorIdentifier,
    /// Fetches of request objects.
    RequestObject,
    /// Fetches of documents of clients.
    ClientDocument,
    /// Hints of clients at nobody.
    UnknownHint,
    /// Requests of clients to people.
    Backchannel,
}

/// What is counted, by the hash of what it is about: names and addresses of people are not for a key.
#[derive(Clone, Debug)]
pub(super) struct Counter(String);

#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    length: TimeDelta,
    number: i64,
    /// How much of it has passed, from 0 to 1.
    passed: f64,
    ends_at: DateTime<Utc>,
}

/// A counter as it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    current: f64,
    previous: f64,
}

impl Limit {
    fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Beginning => "beginning",
            Self::UserCode => "user-code",
            Self::Registration => "registration",
            Self::RegistrationChange => "registration-change",
            Self::SectorIdentifier => "sector-identifier",
            Self::RequestObject => "request-object",
            Self::ClientDocument => "client-document",
            Self::UnknownHint => "unknown-hint",
            Self::Backchannel => "backchannel",
        }
    }
}

impl Counter {
    pub(super) fn new(limit: Limit, parts: &[&str]) -> Self {
        let mut text = Vec::new();
        for part in parts {
            // With its length, so that no two lists of parts are the same text.
            text.extend_from_slice(&part.len().to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        Self(format!("{}:{}", limit.as_str(), URL_SAFE_NO_PAD.encode(digest(&SHA256, &text))))
    }

    pub(super) async fn add(
        &self,
        store: &dyn StateStore,
        n: i64,
        window: Window,
        now: DateTime<Utc>,
    ) -> Result<Count, StoreError> {
        // It is read as the previous window's until the next window ends.
        let until = window.ends_at + window.length;
        let Tally { current, previous } = store.add(&self.key(), n, window.number, until, now).await?;
        Ok(Count { current: as_count(current), previous: as_count(previous) })
    }

    pub(super) fn key(&self) -> StateKey {
        StateKey::new(Kind::RateLimit, &self.0)
    }
}

impl Window {
    pub(super) fn at(length: TimeDelta, now: DateTime<Utc>) -> Self {
        let length = length.max(TimeDelta::seconds(1));
        let millis = length.num_milliseconds();
        let number = now.timestamp_millis().div_euclid(millis);
        let passed = now.timestamp_millis().rem_euclid(millis);
        let ends_at = now + TimeDelta::milliseconds(millis - passed);
        Self { length, number, passed: ratio(passed, millis), ends_at }
    }

    fn length(self) -> Duration {
        self.length.to_std().unwrap_or_default()
    }
}

impl Count {
    pub(super) fn sliding(self, window: Window) -> f64 {
        self.current + self.previous * (1.0 - window.passed)
    }

    /// How long until one attempt more would be within `allowed`; the count includes the attempt that was not.
    pub(super) fn wait(self, window: Window, allowed: u32) -> Duration {
        let current = self.current - 1.0;
        let room = f64::from(allowed) - 1.0;
        // In this window, once enough of the previous one has slid away; or in the next, once enough of this one has.
        let windows = if current <= room && self.previous > 0.0 {
            1.0 - (room - current) / self.previous - window.passed
        } else {
            1.0 - window.passed + (1.0 - room / current.max(1.0)).max(0.0)
        };
        let wait = window.length().mul_f64(windows.clamp(0.0, 2.0));
        // Whole seconds, upwards: it is said to people and in Retry-After.
        Duration::from_secs(wait.as_secs() + 1)
    }
}

#[expect(clippy::cast_precision_loss, reason = "both are far below 2^52")]
fn ratio(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

/// A refund that comes in the next window than its attempt goes to the attempt's window, so a count is not negative; if a
/// store lost the window in between, it is nothing.
fn as_count(n: i64) -> f64 {
    ratio(n.max(0), 1)
}
