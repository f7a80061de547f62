//! Records that wait to be written: of sign-ins and of tokens, whose requests must not wait for one more commit.
//!
//! A job writes what was noted, many in one statement. What a process had noted in its last second is lost with it if it is killed;
//! what administrators and keys do is never noted here, but recorded in its own transaction (`Postgres::recording`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::audit::AuditRecord;

/// How many records wait at most: while the database is away, the memory of the machine must not fill up.
const MOST: usize = 20_000;

/// What was noted and is not written yet.
#[derive(Debug, Default)]
pub struct AuditNotes {
    waiting: Mutex<VecDeque<AuditRecord>>,
    dropped: AtomicU64,
}

impl AuditNotes {
    /// Notes a record; while too many wait, it is counted as dropped instead.
    pub fn note(&self, record: AuditRecord) {
        let mut waiting = self.waiting();
        if waiting.len() < MOST {
            waiting.push_back(record);
        } else if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("so many audit records wait for the database that further ones are dropped");
        }
    }

    /// Up to `limit` of them, the oldest first, to be written.
    pub fn take(&self, limit: usize) -> Vec<AuditRecord> {
        let mut waiting = self.waiting();
        let count = limit.min(waiting.len());
        waiting.drain(..count).collect()
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, records: Vec<AuditRecord>) {
        let mut waiting = self.waiting();
        for record in records.into_iter().rev() {
            waiting.push_front(record);
        }
    }

    /// How many wait.
    pub fn waiting_count(&self) -> usize {
        self.waiting().len()
    }

    /// How many were dropped since the process began.
    pub fn dropped_count(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<AuditRecord>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::model::audit::{Actor, AuditEvent, AuditEventKind, Origin};

    fn record(n: usize) -> AuditRecord {
        AuditRecord {
            event: AuditEvent::new(AuditEventKind::TokensIssued).to_object(n),
            actor: Actor::Server,
            origin: Origin::default(),
            happened_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_is_put_back_comes_first_again_and_too_many_are_dropped_and_counted() {
        let notes = AuditNotes::default();
        for n in 0..MOST + 3 {
            notes.note(record(n));
        }
        assert_eq!((notes.waiting_count(), notes.dropped_count()), (MOST, 3));
        let taken = notes.take(2);
        assert_eq!(taken, [record(0), record(1)]);
        notes.put_back(taken);
        assert_eq!(notes.take(3), [record(0), record(1), record(2)]);
    }
}
