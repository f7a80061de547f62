//! Who fetched the key set, noted in memory by requests and written down by a job: the endpoint asks no store.
//!
//! Anybody may call it, so what is noted is bounded: what comes when it is full is not noted, and the list then says less than
//! is true, never more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::model::jwks_fetch::Fetcher;

/// How many different fetchers are noted until they are written down, of those that name themselves and of the others each.
const MOST: usize = 1000;

/// What is not written down yet.
#[derive(Default)]
pub struct JwksFetches {
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    named: HashMap<Fetcher, DateTime<Utc>>,
    unnamed: HashMap<Fetcher, DateTime<Utc>>,
}

impl Noted {
    fn insert(&mut self, fetcher: Fetcher, at: DateTime<Utc>) {
        let kind = match fetcher {
            Fetcher::Client(_) => &mut self.named,
            Fetcher::Unnamed { .. } => &mut self.unnamed,
        };
        if let Some(last) = kind.get_mut(&fetcher) {
            *last = at.max(*last);
        } else if kind.len() < MOST {
            kind.insert(fetcher, at);
        }
    }
}

impl JwksFetches {
    /// Notes that the key set was sent, or that the copy was still good.
    pub fn note(&self, fetcher: Fetcher, now: DateTime<Utc>) {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).insert(fetcher, now);
    }

    /// Takes everything out, to write it down.
    pub fn take(&self) -> Vec<(Fetcher, DateTime<Utc>)> {
        let Noted { named, unnamed } = std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        named.into_iter().chain(unnamed).collect()
    }

    /// Puts back what could not be written down.
    pub fn put_back(&self, fetches: Vec<(Fetcher, DateTime<Utc>)>) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        for (fetcher, at) in fetches {
            noted.insert(fetcher, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::model::id::ClientId;

    fn unnamed(number: usize) -> Fetcher {
        Fetcher::Unnamed { network: format!("10.0.{number}.0/24"), agent: "curl".to_owned() }
    }

    #[test]
    fn the_last_time_counts_and_strangers_do_not_crowd_clients_out() {
        let (fetches, now) = (JwksFetches::default(), DateTime::UNIX_EPOCH);
        for number in 0..MOST + 5 {
            fetches.note(unnamed(number), now);
        }
        let shop = Fetcher::Client(ClientId::new("shop"));
        fetches.note(shop.clone(), now + TimeDelta::seconds(5));
        fetches.note(unnamed(3), now + TimeDelta::seconds(9));
        let taken = fetches.take();
        assert_eq!((taken.len(), fetches.take().len()), (MOST + 1, 0));
        // A later one came while the store was away.
        fetches.note(shop.clone(), now + TimeDelta::seconds(60));
        fetches.put_back(taken);
        let taken: HashMap<_, _> = fetches.take().into_iter().collect();
        assert_eq!(taken[&shop], now + TimeDelta::seconds(60));
        assert_eq!(taken[&unnamed(3)], now + TimeDelta::seconds(9));
    }
}
