//! Stops asking a program that fails again and again, so that neither it nor the requests that need it pile up.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Serialize;

/// Whether the program is asked now, and what came of it so far.
pub(super) struct Breaker {
    state: State,
    limit: u32,
    pause: TimeDelta,
    pub(super) counts: Counts,
}

/// What came of the signatures that were wanted since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Those that were made.
    pub(super) signed: u64,
    /// Those that the program failed to make.
    pub(super) failed: u64,
    /// Those that it was not asked for, because it had failed too often.
    pub(super) refused: u64,
}

/// Whether the program of an external key is asked for signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "BreakerState")]
pub enum BreakerState {
    /// It is.
    Closed,
    /// It failed too often and is not asked for a while.
    Open,
    /// The next request finds out whether it works again, or one is at it.
    Probing,
}

enum State {
    /// It is asked; so many failures in a row.
    Closed(u32),
    /// It is not asked before that time.
    Open(DateTime<Utc>),
    /// One request finds out whether it works again. Should that one never tell, another may from that time on.
    Probing(DateTime<Utc>),
}

impl Breaker {
    /// Opens after `limit` failures in a row, for `pause`.
    pub(super) fn new(limit: u32, pause: TimeDelta) -> Self {
        Self { state: State::Closed(0), limit, pause, counts: Counts::default() }
    }

    /// Whether a request would be refused now.
    pub(super) fn is_open(&self, now: DateTime<Utc>) -> bool {
        match self.state {
            State::Closed(_) => false,
            State::Open(until) | State::Probing(until) => now < until,
        }
    }

    /// What somebody who looks at it is told.
    pub(super) fn state(&self, now: DateTime<Utc>) -> BreakerState {
        match self.state {
            State::Closed(_) => BreakerState::Closed,
            State::Open(until) if now < until => BreakerState::Open,
            State::Open(_) | State::Probing(_) => BreakerState::Probing,
        }
    }

    /// Whether the program may be asked. After a pause one request may, and decides for the others.
    pub(super) fn admit(&mut self, now: DateTime<Utc>) -> bool {
        if self.is_open(now) {
            self.counts.refused += 1;
            return false;
        }
        if matches!(self.state, State::Open(_) | State::Probing(_)) {
            self.state = State::Probing(now + self.pause);
        }
        true
    }

    /// The program did what it should. `true`: it had failed before, and is asked again.
    pub(super) fn succeeded(&mut self) -> bool {
        self.counts.signed += 1;
        let was_open = !matches!(self.state, State::Closed(_));
        self.state = State::Closed(0);
        was_open
    }

    /// The program failed. `true`: it is not asked for a while from now on.
    pub(super) fn failed(&mut self, now: DateTime<Utc>) -> bool {
        self.counts.failed += 1;
        match self.state {
            State::Closed(failures) if failures + 1 < self.limit => {
                self.state = State::Closed(failures + 1);
                false
            }
            State::Closed(_) | State::Probing(_) => {
                self.state = State::Open(now + self.pause);
                true
            }
            // Asked before it opened: that failure is part of the same.
            State::Open(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_by_one_success() {
        let mut breaker = Breaker::new(3, TimeDelta::seconds(10));
        for _ in 0..2 {
            assert!(breaker.admit(at(0)) && !breaker.failed(at(0)));
        }
        // Not in a row.
        assert!(breaker.admit(at(0)) && !breaker.succeeded());
        assert_eq!(breaker.state(at(0)), BreakerState::Closed);
        assert_eq!([0, 1, 2].map(|_| breaker.admit(at(1)) && breaker.failed(at(1))), [false, false, true]);
        assert_eq!([10, 11].map(|second| breaker.state(at(second))), [BreakerState::Open, BreakerState::Probing]);
        assert!(breaker.is_open(at(10)) && !breaker.admit(at(10)));
        // One finds out, the others wait for what it finds.
        assert!(!breaker.is_open(at(11)) && breaker.admit(at(11)));
        assert!(!breaker.admit(at(11)));
        assert!(breaker.failed(at(12)), "once more for the whole pause");
        assert!(!breaker.admit(at(21)) && breaker.admit(at(22)));
        assert!(breaker.succeeded() && breaker.admit(at(22)));
        assert_eq!(breaker.counts, Counts { signed: 2, failed: 6, refused: 3 });
    }

    #[test]
    fn one_that_never_tells_is_not_waited_for_for_ever() {
        let mut breaker = Breaker::new(1, TimeDelta::seconds(10));
        assert!(breaker.admit(at(0)) && breaker.failed(at(0)));
        assert!(breaker.admit(at(10)) && !breaker.admit(at(19)));
        assert!(breaker.admit(at(20)));
    }
}
