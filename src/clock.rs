//! The one source of time.
//!
//! A request reads [`Clock::now`] once and passes `now` down, so that every decision of one request agrees on the time.
//! Tests hold a [`ManualClock`] and move it; nothing ever sleeps to make time pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// A source of the current time: the system's, or one that a test moves.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual: Option<ManualClock>,
}

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct ManualClock {
    micros: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self { manual: None }
    }

    /// A clock that follows `manual`.
    pub fn manual(manual: &ManualClock) -> Self {
        Self { manual: Some(manual.clone()) }
    }

    /// The current time, in whole microseconds so that it survives a trip through Postgres unchanged.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn now(&self) -> DateTime<Utc> {
        let micros = match &self.manual {
            Some(manual) => manual.micros.load(Ordering::SeqCst),
            None => Utc::now().timestamp_micros(),
        };
        DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Self { micros: Arc::new(AtomicI64::new(start.timestamp_micros())) }
    }

    /// Moves the clock; a negative `by` moves it back.
    pub fn advance(&self, by: TimeDelta) {
        self.micros.fetch_add(by.num_microseconds().unwrap_or(0), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let manual = ManualClock::starting_at(DateTime::UNIX_EPOCH);
        let clock = Clock::manual(&manual);
        let before = clock.now();
        assert_eq!(clock.now(), before);
        manual.advance(TimeDelta::seconds(61));
        assert_eq!(clock.now() - before, TimeDelta::seconds(61));
    }
}
