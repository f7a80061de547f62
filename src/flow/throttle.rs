//! Limits on password attempts: they slow whoever guesses and cannot lock a person out of their account.
//!
//! Failures are counted in windows; a count slides, as this window's plus the share of the previous one that is not yet a
//! window old. Who attempts is one of two:
//!
//! * A browser that signed in to this account before (see [`device`](super::device)): it has an allowance of its own and
//!   nothing that others do touches it. A stolen cookie gives a thief no more than that allowance.
//! * Anyone else is counted by network, and by account and network. A third count, by account, only makes the second
//!   allowance smaller while many networks fail at one account; never smaller than [`LEAST`], so that the person who comes
//!   from a network that has not failed can always sign in.
//!
//! An attempt is reserved before the password is looked at, because attempts that run side by side would otherwise all see
//! the same count. It then ends in one of two ways: [`Reserved::refund`], or [`Reserved::count_failure`], which leaves it
//! counted. An attempt that is not admitted is not counted anywhere, so hammering does not prolong anything, and one network
//! cannot fill an account's count with attempts it was never allowed.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{try_join, try_join_all};

use crate::config::ThrottleConfig;
use crate::storage::StoreError;
use crate::storage::state::{Kind, StateKey, StateStore};

/// The attempts that a network keeps at an account however many others fail there: the right password, and one slip.
pub const LEAST: u32 = 2;

/// Who attempts to sign in, and to what.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The client's network, see `http::client_ip`.
    pub network: &'a str,
    /// The account, as it is looked up. Names that nobody has are counted like any other.
    pub account: &'a str,
    /// The identifier of the browser, if it signed in to this account before.
    pub device: Option<&'a str>,
}

/// Whether an attempt may go on.
#[derive(Debug)]
pub enum Admission {
    /// It may; it is counted until it is refunded.
    Admitted(Reserved),
    /// Not before that time has passed.
    Wait(Duration),
}

/// An attempt that is counted.
#[must_use = "a reserved attempt is refunded or counted as a failure"]
#[derive(Debug)]
pub struct Reserved {
    window: Window,
    counted: Vec<Counter>,
    on_failure: Option<Counter>,
}

/// What is counted, by the hash of what it is about: names and addresses of people are not for a key.
#[derive(Clone, Debug)]
struct Counter(String);

#[derive(Clone, Copy, Debug)]
struct Window {
    length: TimeDelta,
    number: i64,
    /// How much of it has passed, from 0 to 1.
    passed: f64,
    ends_at: DateTime<Utc>,
}

/// A counter as it stands.
#[derive(Clone, Copy, Debug)]
struct Count {
    current: f64,
    previous: f64,
}

/// Counts an attempt, if it may go on.
pub async fn reserve(
    store: &dyn StateStore,
    limits: &ThrottleConfig,
    attempt: Attempt<'_>,
    now: DateTime<Utc>,
) -> Result<Admission, StoreError> {
    let window = Window::at(limits.window, now);
    let mut reserved = Reserved { window, counted: Vec::new(), on_failure: None };
    if let Some(device) = attempt.device {
        let counter = Counter::new(&["device", attempt.account, device]);
        let count = reserved.add(store, counter, now).await?;
        return reserved.admit(store, count, limits.per_device.max(1), now).await;
    }
    let count = reserved.add(store, Counter::new(&["network", attempt.network]), now).await?;
    if count.sliding(window) > f64::from(limits.per_network.max(1)) {
        return reserved.admit(store, count, limits.per_network.max(1), now).await;
    }
    // Only now, so that a network that is over its limit cannot make counters for any number of names.
    let account = Counter::new(&["account", attempt.account]);
    let here = Counter::new(&["account and network", attempt.account, attempt.network]);
    let (everywhere, here) = try_join(account.add(store, 0, window, now), reserved.add(store, here, now)).await?;
    reserved.on_failure = Some(account);
    reserved.admit(store, here, allowance(limits, everywhere.sliding(window)), now).await
}

/// What one network may fail at one account, given the failures there from everywhere: a share that shrinks as they exceed
/// the limit.
fn allowance(limits: &ThrottleConfig, everywhere: f64) -> u32 {
    let most = limits.per_account_and_network.max(LEAST);
    let limit = f64::from(limits.per_account.max(1));
    if everywhere <= limit {
        return most;
    }
    let share = f64::from(most) * limit / everywhere;
    (LEAST..most).rev().find(|allowed| f64::from(*allowed) <= share).unwrap_or(LEAST)
}

impl Reserved {
    async fn add(&mut self, store: &dyn StateStore, counter: Counter, now: DateTime<Utc>) -> Result<Count, StoreError> {
        let count = counter.add(store, 1, self.window, now).await?;
        self.counted.push(counter);
        Ok(count)
    }

    /// Admits when the last count, which this attempt is part of, is within `allowed`; else takes the attempt back.
    async fn admit(
        self,
        store: &dyn StateStore,
        count: Count,
        allowed: u32,
        now: DateTime<Utc>,
    ) -> Result<Admission, StoreError> {
        if count.sliding(self.window) <= f64::from(allowed) {
            return Ok(Admission::Admitted(self));
        }
        let wait = count.wait(self.window, allowed);
        self.refund(store, now).await?;
        Ok(Admission::Wait(wait))
    }

    /// Takes the attempt back: the password was right, or was not looked at.
    pub async fn refund(self, store: &dyn StateStore, now: DateTime<Utc>) -> Result<(), StoreError> {
        let refunds = self.counted.iter().map(|counter| counter.add_to_current(store, -1, self.window, now));
        try_join_all(refunds).await.map(|_| ())
    }

    /// Leaves the attempt counted, for the account too: the password was wrong.
    pub async fn count_failure(self, store: &dyn StateStore, now: DateTime<Utc>) -> Result<(), StoreError> {
        if let Some(account) = &self.on_failure {
            account.add_to_current(store, 1, self.window, now).await?;
        }
        Ok(())
    }
}

impl Counter {
    fn new(parts: &[&str]) -> Self {
        let mut text = Vec::new();
        for part in parts {
            // With its length, so that no two lists of parts are the same text.
            text.extend_from_slice(&part.len().to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        Self(URL_SAFE_NO_PAD.encode(digest(&SHA256, &text)))
    }

    async fn add(
        &self,
        store: &dyn StateStore,
        n: i64,
        window: Window,
        now: DateTime<Utc>,
    ) -> Result<Count, StoreError> {
        let before = self.key(window.number - 1);
        let current = self.add_to_current(store, n, window, now);
        let (current, previous) = try_join(current, store.add(&before, 0, window.ends_at, now)).await?;
        Ok(Count { current: as_count(current), previous: as_count(previous) })
    }

    async fn add_to_current(
        &self,
        store: &dyn StateStore,
        n: i64,
        window: Window,
        now: DateTime<Utc>,
    ) -> Result<i64, StoreError> {
        // It is read as the previous window's until the next window ends.
        store.add(&self.key(window.number), n, window.ends_at + window.length, now).await
    }

    fn key(&self, window: i64) -> StateKey {
        StateKey::new(Kind::RateLimit, format_args!("password:{}:{window}", self.0))
    }
}

impl Window {
    fn at(length: TimeDelta, now: DateTime<Utc>) -> Self {
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
    fn sliding(self, window: Window) -> f64 {
        self.current + self.previous * (1.0 - window.passed)
    }

    /// How long until one attempt more would be within `allowed`; the count includes the attempt that was not.
    fn wait(self, window: Window, allowed: u32) -> Duration {
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

#[cfg(test)]
mod tests;
