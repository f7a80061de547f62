//! What may be used once: a mark in the state store for each assertion and proof, set after its signature was verified.
//!
//! The marks of one request ride together, in one round trip, and with them the question whether the store has lost any: what
//! was made before the store's epoch began may have been used in an epoch that is gone, and is refused. Without the store
//! nothing is believed.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use futures_util::future::{try_join, try_join_all};

use crate::storage::StoreError;
use crate::storage::state::{Kind, StateKey, StateStore, epoch};

/// Something that is used once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    key: StateKey,
    issued_at: DateTime<Utc>,
    until: DateTime<Utc>,
}

/// What became of the marks of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Burnt {
    /// None of them was used before.
    Now,
    /// That one of them was, counted from 0.
    Before(usize),
    /// That one was made before the store began to remember, so nobody knows.
    Unknown(usize),
}

impl Mark {
    /// The mark of what `parts` identify: who made it, and what they called it. It was made at `issued_at`, and nobody
    /// accepts it after `until`.
    pub fn new(parts: &[&str], issued_at: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        // Each part with its length: no two lists run together to the same text.
        let text: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
        Self { key: StateKey::new(Kind::Replay, hash), issued_at, until }
    }
}

/// Sets every mark. Of any number of racers with the same one, on any instance, one hears [`Burnt::Now`].
pub async fn burn(store: &dyn StateStore, marks: &[Mark], now: DateTime<Utc>) -> Result<Burnt, StoreError> {
    if marks.is_empty() {
        return Ok(Burnt::Now);
    }
    let set = try_join_all(marks.iter().map(|mark| store.put_if_absent(&mark.key, b"1", mark.until, now)));
    let (epoch, set) = try_join(epoch::find_or_begin(store, now), set).await?;
    // Times in proofs are whole seconds: one of the second in which the epoch began may be older than the epoch.
    let predates = |mark: &Mark| mark.issued_at.timestamp() <= epoch.began_at.timestamp();
    if let Some(index) = set.iter().position(|is_new| !is_new) {
        return Ok(Burnt::Before(index));
    }
    Ok(marks.iter().position(predates).map_or(Burnt::Now, Burnt::Unknown))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::storage::state::memory::MemoryState;

    fn mark(name: &str, issued_at: DateTime<Utc>) -> Mark {
        Mark::new(&["client", name], issued_at, issued_at + TimeDelta::seconds(60))
    }

    #[tokio::test]
    async fn a_mark_is_set_once() {
        let (store, start) = (MemoryState::new(), DateTime::UNIX_EPOCH);
        epoch::find_or_begin(&store, start).await.unwrap();
        let now = start + TimeDelta::seconds(1);
        let (one, two) = (mark("1", now), mark("2", now));
        assert_eq!(burn(&store, &[], now).await.unwrap(), Burnt::Now);
        assert_eq!(burn(&store, std::slice::from_ref(&one), now).await.unwrap(), Burnt::Now);
        assert_eq!(burn(&store, &[two.clone(), one.clone()], now).await.unwrap(), Burnt::Before(1));
        assert_eq!(burn(&store, &[two], now).await.unwrap(), Burnt::Before(0), "a request burns all that it brings");
    }

    #[tokio::test]
    async fn what_was_made_before_the_store_began_may_have_been_used() {
        let (store, now) = (MemoryState::new(), DateTime::UNIX_EPOCH + TimeDelta::seconds(100));
        // The store was emptied: the first who looks begins the epoch.
        let before = mark("1", now - TimeDelta::seconds(5));
        assert_eq!(burn(&store, &[before], now).await.unwrap(), Burnt::Unknown(0));
        assert_eq!(burn(&store, &[mark("2", now)], now).await.unwrap(), Burnt::Unknown(0), "of the same second");
        let later = now + TimeDelta::seconds(1);
        assert_eq!(burn(&store, &[mark("3", later)], later).await.unwrap(), Burnt::Now);
    }

    #[test]
    fn other_parts_are_another_mark() {
        let now = DateTime::UNIX_EPOCH;
        let key = |parts: &[&str]| Mark::new(parts, now, now).key;
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_ne!(key(&["a1:b"]), key(&["a", "b"]));
    }
}
