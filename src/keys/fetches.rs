//! Who fetched the key set, noted in memory by requests and written down by a job: the endpoint asks no store.
//!
//! Anybody may call it, so what is noted is bounded: what comes when it is full is not noted, and the list then says less than
//! is true, never more. Nobody proves the name that they give, so made-up ones must not take the room of clients': a name that
//! was once found to be a client's always has its place, and of the others one network gets a few.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::model::id::ClientId;
use crate::model::jwks_fetch::Fetcher;

/// How many different fetchers are noted until they are written down, of those whose names nobody looked up yet and of those
/// without a name each.
const MOST: usize = 1000;
/// How many new names one network may give until they are written down.
const MOST_OF_ONE_NETWORK: usize = 20;
/// How many clients are known by their names.
pub const MOST_KNOWN: usize = 10_000;

/// What is not written down yet.
#[derive(Default)]
pub struct JwksFetches {
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    /// The names that are clients'; absent until the store was asked.
    known: Option<HashSet<ClientId>>,
    named: HashMap<Fetcher, DateTime<Utc>>,
    /// Under names that nobody looked up yet.
    claimed: HashMap<Fetcher, DateTime<Utc>>,
    /// How many of those each network gave.
    claims: HashMap<String, usize>,
    unnamed: HashMap<Fetcher, DateTime<Utc>>,
}

impl Noted {
    /// Without a network it was counted before.
    fn insert(&mut self, fetcher: Fetcher, network: Option<&str>, at: DateTime<Utc>) {
        let Self { known, named, claimed, claims, unnamed } = self;
        let (kind, has_room) = match &fetcher {
            Fetcher::Client(id) if known.as_ref().is_some_and(|known| known.contains(id)) => (named, true),
            Fetcher::Client(_) => {
                let of_network = network.and_then(|network| claims.get(network)).copied().unwrap_or_default();
                let has_room = claimed.len() < MOST && of_network < MOST_OF_ONE_NETWORK;
                if let Some(network) = network.filter(|_| has_room && !claimed.contains_key(&fetcher)) {
                    claims.insert(network.to_owned(), of_network + 1);
                }
                (claimed, has_room)
            }
            Fetcher::Unnamed { .. } => {
                let has_room = unnamed.len() < MOST;
                (unnamed, has_room)
            }
        };
        if let Some(last) = kind.get_mut(&fetcher) {
            *last = at.max(*last);
        } else if has_room {
            kind.insert(fetcher, at);
        }
    }
}

impl JwksFetches {
    /// Notes that the key set was sent to somebody in `network`, or that the copy was still good.
    pub fn note(&self, fetcher: Fetcher, network: &str, now: DateTime<Utc>) {
        self.noted().insert(fetcher, Some(network), now);
    }

    /// Whether it was said which names are clients'.
    pub fn has_known(&self) -> bool {
        self.noted().known.is_some()
    }

    /// Remembers that these names are clients'.
    pub fn remember_known(&self, names: Vec<ClientId>) {
        let mut noted = self.noted();
        let known = noted.known.get_or_insert_default();
        let room = MOST_KNOWN.saturating_sub(known.len());
        known.extend(names.into_iter().take(room));
    }

    /// Takes everything out, to write it down.
    pub fn take(&self) -> Vec<(Fetcher, DateTime<Utc>)> {
        let mut noted = self.noted();
        noted.claims.clear();
        let Noted { named, claimed, unnamed, .. } = &mut *noted;
        named.drain().chain(claimed.drain()).chain(unnamed.drain()).collect()
    }

    /// Puts back what could not be written down.
    pub fn put_back(&self, fetches: Vec<(Fetcher, DateTime<Utc>)>) {
        let mut noted = self.noted();
        for (fetcher, at) in fetches {
            noted.insert(fetcher, None, at);
        }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    const HOME: &str = "192.0.2.0/24";

    fn unnamed(number: usize) -> Fetcher {
        Fetcher::Unnamed { network: format!("10.0.{number}.0/24"), agent: "curl".to_owned() }
    }

    fn named(name: impl ToString) -> Fetcher {
        Fetcher::Client(ClientId::new(name.to_string()))
    }

    #[test]
    fn the_last_time_counts_and_strangers_do_not_crowd_clients_out() {
        let (fetches, now) = (JwksFetches::default(), DateTime::UNIX_EPOCH);
        for number in 0..MOST + 5 {
            fetches.note(unnamed(number), HOME, now);
        }
        let shop = named("shop");
        fetches.note(shop.clone(), HOME, now + TimeDelta::seconds(5));
        fetches.note(unnamed(3), HOME, now + TimeDelta::seconds(9));
        let taken = fetches.take();
        assert_eq!((taken.len(), fetches.take().len()), (MOST + 1, 0));
        // A later one came while the store was away.
        fetches.note(shop.clone(), HOME, now + TimeDelta::seconds(60));
        fetches.put_back(taken);
        let taken: HashMap<_, _> = fetches.take().into_iter().collect();
        assert_eq!(taken[&shop], now + TimeDelta::seconds(60));
        assert_eq!(taken[&unnamed(3)], now + TimeDelta::seconds(9));
    }

    #[test]
    fn names_that_somebody_makes_up_take_no_place_of_a_client() {
        let (fetches, now) = (JwksFetches::default(), DateTime::UNIX_EPOCH);
        for number in 0..5000 {
            fetches.note(named(number), "10.0.0.0/24", now);
        }
        fetches.note(named("shop"), HOME, now);
        let taken = fetches.take();
        assert_eq!(taken.len(), MOST_OF_ONE_NETWORK + 1);
        assert!(taken.contains(&(named("shop"), now)));

        // From everywhere at once only those are noted that are known already, and they always are.
        assert!(!fetches.has_known());
        fetches.remember_known(vec![ClientId::new("shop")]);
        for number in 0..5000 {
            fetches.note(named(number), &format!("10.0.{number}.0/24"), now);
        }
        fetches.note(named("shop"), "10.0.0.0/24", now);
        fetches.note(named("late"), HOME, now);
        let taken = fetches.take();
        assert_eq!(taken.len(), MOST + 1);
        assert!(taken.contains(&(named("shop"), now)) && !taken.contains(&(named("late"), now)));
        // Room again for everybody.
        fetches.note(named("late"), "10.0.0.0/24", now);
        assert_eq!(fetches.take(), [(named("late"), now)]);
        // There are not endlessly many.
        fetches.remember_known((0..20_000).map(|number| ClientId::new(number.to_string())).collect());
        assert_eq!(fetches.noted().known.as_ref().unwrap().len(), MOST_KNOWN);
    }
}
