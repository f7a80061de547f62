//! One contract for every store. Valkey is held to it when `OSTIARY_TEST_VALKEY_URL` names one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use secrecy::SecretString;

use super::memory::MemoryState;
use super::valkey::ValkeyState;
use super::{Expected, Kind, StateKey, StateStore, Tally};
use crate::random;
use crate::storage::StoreError;

const RACERS: i64 = 50;

async fn stores() -> Vec<Arc<dyn StateStore>> {
    let mut stores: Vec<Arc<dyn StateStore>> = vec![Arc::new(MemoryState::new())];
    if let Ok(url) = std::env::var("OSTIARY_TEST_VALKEY_URL") {
        let prefix = format!("contract-{}", random::id());
        let valkey = ValkeyState::connect(&SecretString::from(url), &prefix, Duration::from_secs(5)).await.unwrap();
        valkey.ping().await.unwrap();
        stores.push(Arc::new(valkey));
    }
    stores
}

fn key(name: &str) -> StateKey {
    StateKey::new(Kind::Interaction, name)
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap()
}

fn after(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

/// Runs `race` as [`RACERS`] tasks at once.
async fn race<T, F>(store: &Arc<dyn StateStore>, race: impl Fn(Arc<dyn StateStore>, i64) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..RACERS).map(|n| tokio::spawn(race(Arc::clone(store), n))).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

#[tokio::test]
async fn a_value_is_absent_from_its_expiry_on_whatever_the_store_s_clock_says() {
    for store in stores().await {
        let (key, last) = (key("expiry"), after(10) - TimeDelta::microseconds(1));
        let put = async || store.put(&key, b"v", after(10), start()).await.unwrap();

        put().await;
        assert_eq!(store.get(&key, last).await.unwrap().as_deref(), Some(&b"v"[..]));
        assert!(!store.put_if_absent(&key, b"w", after(99), last).await.unwrap());
        assert_eq!(store.get(&key, after(10)).await.unwrap(), None);
        assert!(!store.replace_if(&key, Expected::Present, b"w", after(99), after(10)).await.unwrap());
        assert!(!store.replace_if(&key, Expected::Equals(b"v"), b"w", after(99), after(10)).await.unwrap());
        assert_eq!(store.take(&key, after(10)).await.unwrap(), None);

        put().await;
        assert!(store.put_if_absent(&key, b"w", after(20), after(10)).await.unwrap());
        assert_eq!(store.take(&key, after(19)).await.unwrap().as_deref(), Some(&b"w"[..]));
        assert_eq!(store.take(&key, after(19)).await.unwrap(), None);

        store.put(&key, b"stillborn", start(), start()).await.unwrap();
        assert_eq!(store.get(&key, start()).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_counter_ends_when_the_first_addition_of_its_period_said() {
    for store in stores().await {
        let key = key("counter");
        let add = async |n, until, now| store.add(&key, n, 1, until, now).await.unwrap().current;
        assert_eq!(add(3, after(10), start()).await, 3);
        assert_eq!(add(-5, after(99), after(9)).await, -2);
        assert_eq!(store.get(&key, after(9)).await.unwrap().as_deref(), Some(&b"1 -2 0"[..]));
        assert_eq!(add(0, after(99), after(9)).await, -2);
        assert_eq!(add(7, after(20), after(10)).await, 7);
        let large = 1 << 52;
        assert_eq!(add(large, after(20), after(10)).await, large + 7);
        assert_eq!(add(-large, after(20), after(10)).await, 7);

        for other in [&b"1 2 apple"[..], b"7", b"1 2", b"1 2 3 4"] {
            store.put(&key, other, after(20), start()).await.unwrap();
            assert!(matches!(store.add(&key, 1, 1, after(20), start()).await, Err(StoreError::Corrupt(_))));
        }
        assert_eq!(add(1, after(30), after(20)).await, 1);
    }
}

#[tokio::test]
async fn a_counter_remembers_the_period_before() {
    for store in stores().await {
        let key = key("periods");
        let add = async |n, period, until| {
            let Tally { current, previous } = store.add(&key, n, period, until, start()).await.unwrap();
            (current, previous)
        };
        assert_eq!(add(3, 7, after(10)).await, (3, 0));
        assert_eq!(add(1, 8, after(20)).await, (1, 3));
        assert_eq!(add(1, 8, after(20)).await, (2, 3));
        assert_eq!(add(-1, 7, after(10)).await, (2, 0), "late");
        assert_eq!(add(-1, 5, after(10)).await, (1, 0), "very late");
        assert_eq!(add(0, 8, after(20)).await, (2, 1));
        assert_eq!(store.get(&key, after(19)).await.unwrap().as_deref(), Some(&b"8 2 1"[..]), "it lives on");
        assert_eq!(add(1, 10, after(30)).await, (1, 0), "a period in which nothing was counted");
        assert_eq!(store.get(&key, after(30)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn values_are_bytes() {
    for store in stores().await {
        let all: Vec<u8> = (0..=255).chain(*b"\r\n:12:-3:\0").collect();
        for value in [all.as_slice(), b"", b":", b"\0", &[0xff, 0xfe]] {
            store.put(&key("bytes"), value, after(10), start()).await.unwrap();
            assert_eq!(store.get(&key("bytes"), start()).await.unwrap().as_deref(), Some(value));
            let same = Expected::Equals(value);
            assert!(store.replace_if(&key("bytes"), same, &all, after(10), start()).await.unwrap());
            assert_eq!(store.take(&key("bytes"), start()).await.unwrap(), Some(all.clone()));
        }
        store.delete(&key("bytes")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_takers_one_gets_the_value() {
    for store in stores().await {
        store.put(&key("taken"), b"prize", after(10), start()).await.unwrap();
        let results = race(&store, |store, _| async move { store.take(&key("taken"), start()).await.unwrap() }).await;
        let won: Vec<_> = results.into_iter().flatten().collect();
        assert_eq!(won, [b"prize".to_vec()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_first_writers_one_writes() {
    for store in stores().await {
        // Also over a value that has expired but is still held.
        store.put(&key("first"), b"old", after(10), start()).await.unwrap();
        let results = race(&store, |store, n| async move {
            store.put_if_absent(&key("first"), n.to_string().as_bytes(), after(20), after(10)).await.unwrap()
        })
        .await;
        let winner = results.iter().position(|won| *won).unwrap();
        assert_eq!(results.iter().filter(|won| **won).count(), 1);
        let held = store.get(&key("first"), after(10)).await.unwrap();
        assert_eq!(held, Some(winner.to_string().into_bytes()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn additions_are_atomic() {
    for store in stores().await {
        let add = |store: Arc<dyn StateStore>, _| async move {
            store.add(&key("sum"), 1, 0, after(10), start()).await.unwrap().current
        };
        let mut sums = race(&store, add).await;
        sums.sort_unstable();
        assert_eq!(sums, (1..=RACERS).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compare_and_set_loses_no_change() {
    for store in stores().await {
        store.put(&key("cas"), b"0", after(10), start()).await.unwrap();
        race(&store, |store, _| async move {
            loop {
                let held = store.get(&key("cas"), start()).await.unwrap().unwrap();
                let next: i64 = std::str::from_utf8(&held).unwrap().parse::<i64>().unwrap() + 1;
                let next = next.to_string().into_bytes();
                if store.replace_if(&key("cas"), Expected::Equals(&held), &next, after(10), start()).await.unwrap() {
                    return;
                }
            }
        })
        .await;
        assert_eq!(store.take(&key("cas"), start()).await.unwrap(), Some(RACERS.to_string().into_bytes()));
        assert!(!store.replace_if(&key("cas"), Expected::Present, b"back", after(10), start()).await.unwrap());
        assert_eq!(store.get(&key("cas"), start()).await.unwrap(), None);
    }
}

#[derive(Clone, Debug)]
enum Verb {
    Put,
    PutIfAbsent,
    Get,
    Take,
    ReplacePresent,
    ReplaceEqual(Vec<u8>),
    Delete,
    Add(i64, i64),
}

#[derive(Clone, Debug)]
struct Step {
    verb: Verb,
    key: u8,
    value: Vec<u8>,
    lives: i64,
    wait: i64,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Done,
    Wrote(bool),
    Value(Option<Vec<u8>>),
    Sums(Tally),
    Corrupt,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few keys, values and times, so that they meet.
    let value = || prop_oneof![Just(b"".to_vec()), Just(b"7".to_vec()), Just(b"a:b".to_vec())];
    let verb = prop_oneof![
        Just(Verb::Put),
        Just(Verb::PutIfAbsent),
        Just(Verb::Get),
        Just(Verb::Take),
        Just(Verb::ReplacePresent),
        value().prop_map(Verb::ReplaceEqual),
        Just(Verb::Delete),
        (-9..9_i64, 0..5_i64).prop_map(|(n, period)| Verb::Add(n, period)),
    ];
    let step = (verb, 0..3_u8, value(), 0..6_i64, 0..3_i64).prop_map(|(verb, key, value, lives, wait)| Step {
        verb,
        key,
        value,
        lives,
        wait,
    });
    prop::collection::vec(step, 1..60)
}

/// What the trait's documentation says, over a plain map.
#[derive(Default)]
struct Model(HashMap<u8, (Vec<u8>, i64)>);

impl Model {
    fn apply(&mut self, step: &Step, now: i64) -> Answer {
        self.0.retain(|_, (_, expires)| *expires > now);
        let (new, held) = ((step.value.clone(), now + step.lives), self.0.get(&step.key).cloned());
        match &step.verb {
            Verb::Put => {
                self.0.insert(step.key, new);
                Answer::Done
            }
            Verb::PutIfAbsent => self.write(step.key, held.is_none(), new),
            Verb::ReplacePresent => self.write(step.key, held.is_some(), new),
            Verb::ReplaceEqual(old) => self.write(step.key, held.is_some_and(|(value, _)| value == *old), new),
            Verb::Get => Answer::Value(held.map(|(value, _)| value)),
            Verb::Take => Answer::Value(self.0.remove(&step.key).map(|(value, _)| value)),
            Verb::Delete => {
                self.0.remove(&step.key);
                Answer::Done
            }
            Verb::Add(n, period) => {
                let (held, expires) = held.unwrap_or((format!("{period} 0 0").into_bytes(), new.1));
                let held = String::from_utf8(held).unwrap();
                let numbers: Vec<i64> = held.split(' ').filter_map(|number| number.parse().ok()).collect();
                let [last, mut current, mut previous] = numbers[..] else { return Answer::Corrupt };
                let expires = if *period > last { new.1 } else { expires };
                if *period > last {
                    (current, previous) = (0, if *period == last + 1 { current } else { 0 });
                }
                let is_late = *period < last;
                *(if is_late { &mut previous } else { &mut current }) += n;
                let sums = format!("{} {current} {previous}", last.max(*period));
                self.0.insert(step.key, (sums.into_bytes(), expires));
                let (current, previous) = if is_late { (previous, 0) } else { (current, previous) };
                Answer::Sums(Tally { current, previous })
            }
        }
    }

    fn write(&mut self, key: u8, does: bool, new: (Vec<u8>, i64)) -> Answer {
        if does {
            self.0.insert(key, new);
        }
        Answer::Wrote(does)
    }
}

async fn apply(store: &dyn StateStore, run: &str, step: &Step, seconds: i64) -> Answer {
    let key = key(&format!("{run}-{}", step.key));
    let (value, now, until) = (step.value.as_slice(), after(seconds), after(seconds + step.lives));
    match &step.verb {
        Verb::Put => {
            store.put(&key, value, until, now).await.unwrap();
            Answer::Done
        }
        Verb::PutIfAbsent => Answer::Wrote(store.put_if_absent(&key, value, until, now).await.unwrap()),
        Verb::Get => Answer::Value(store.get(&key, now).await.unwrap()),
        Verb::Take => Answer::Value(store.take(&key, now).await.unwrap()),
        Verb::ReplacePresent => {
            Answer::Wrote(store.replace_if(&key, Expected::Present, value, until, now).await.unwrap())
        }
        Verb::ReplaceEqual(old) => {
            Answer::Wrote(store.replace_if(&key, Expected::Equals(old), value, until, now).await.unwrap())
        }
        Verb::Delete => {
            store.delete(&key).await.unwrap();
            Answer::Done
        }
        Verb::Add(n, period) => match store.add(&key, *n, *period, until, now).await {
            Ok(tally) => Answer::Sums(tally),
            Err(StoreError::Corrupt(_)) => Answer::Corrupt,
            Err(error) => panic!("{error}"),
        },
    }
}

#[test]
fn every_store_answers_like_the_model() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for store in runtime.block_on(stores()) {
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(100) });
        let result = runner.run(&steps(), |steps| {
            let (mut model, mut now, run) = (Model::default(), 0, random::id());
            for step in &steps {
                now += step.wait;
                let answer = runtime.block_on(apply(store.as_ref(), &run, step, now));
                prop_assert_eq!(answer, model.apply(step, now), "at {} s: {:?}", now, step);
            }
            Ok(())
        });
        result.unwrap();
    }
}
