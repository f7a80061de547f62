use std::sync::Arc;

use chrono::TimeDelta;

use super::*;
use crate::storage::state::memory::MemoryState;
use crate::storage::state::{StateKey, Tally};

const WINDOW: TimeDelta = TimeDelta::minutes(15);

fn limits() -> ThrottleConfig {
    ThrottleConfig {
        window: WINDOW,
        per_network: 100,
        per_site: 1000,
        per_account_and_network: 10,
        per_account: 50,
        per_device: 10,
        ..ThrottleConfig::default()
    }
}

/// Sign-ins at one store, by whoever, with a clock to move.
struct World {
    store: Arc<dyn StateStore>,
    limits: ThrottleConfig,
    now: DateTime<Utc>,
}

impl World {
    fn new() -> Self {
        // Somewhere within a window.
        let now = DateTime::from_timestamp(1_800_000_123, 0).unwrap();
        Self { store: Arc::new(MemoryState::new()), limits: limits(), now }
    }

    async fn reserve(&self, attempt: From<'_>) -> Admission {
        try_reserve(self.store.as_ref(), &self.limits, attempt, self.now).await.unwrap()
    }

    /// An attempt with a wrong password: whether the password was looked at.
    async fn guess(&self, attempt: From<'_>) -> bool {
        match self.reserve(attempt).await {
            Admission::Admitted(reserved) => {
                reserved.count_failure(self.store.as_ref(), self.now).await.unwrap();
                true
            }
            Admission::Wait(_) => false,
        }
    }

    /// An attempt with the right password: whether it was let in.
    async fn sign_in(&self, attempt: From<'_>) -> bool {
        match self.reserve(attempt).await {
            Admission::Admitted(reserved) => {
                reserved.refund(self.store.as_ref(), self.now).await.unwrap();
                true
            }
            Admission::Wait(_) => false,
        }
    }

    async fn wait(&self, attempt: From<'_>) -> Option<Duration> {
        match self.reserve(attempt).await {
            Admission::Admitted(reserved) => {
                reserved.refund(self.store.as_ref(), self.now).await.unwrap();
                None
            }
            Admission::Wait(wait) => Some(wait),
        }
    }

    fn pass(&mut self, time: TimeDelta) {
        self.now += time;
    }
}

/// Where an attempt comes from, and to what.
#[derive(Clone, Copy)]
struct From<'a> {
    network: &'a str,
    site: Option<&'a str>,
    account: &'a str,
    device: Option<&'a str>,
}

fn from<'a>(network: &'a str, account: &'a str) -> From<'a> {
    From { network, site: None, account, device: None }
}

async fn try_reserve(
    store: &dyn StateStore,
    limits: &ThrottleConfig,
    from: From<'_>,
    now: DateTime<Utc>,
) -> Result<Admission, StoreError> {
    let network = Network { name: from.network.to_owned(), site: from.site.map(ToOwned::to_owned) };
    reserve(store, limits, Attempt { network: &network, account: from.account, device: from.device }, now).await
}

#[tokio::test]
async fn one_network_guesses_at_one_account_ten_times_in_any_window() {
    let mut world = World::new();
    let mut guesses = Vec::new();
    // A guess every second for six hours.
    for _ in 0..6 * 3600 {
        if world.guess(from("192.0.2.1", "victim")).await {
            guesses.push(world.now);
        }
        world.pass(TimeDelta::seconds(1));
    }
    assert!(guesses.len() <= 10 * (6 * 4 + 1), "{}", guesses.len());
    assert!(guesses.len() >= 100, "it is slowed, not shut out: {}", guesses.len());
}

#[tokio::test]
async fn one_network_guesses_at_all_accounts_together_a_hundred_times() {
    let world = World::new();
    let mut guesses = 0;
    for n in 0..500 {
        guesses += u32::from(world.guess(from("192.0.2.1", &format!("person{n}"))).await);
    }
    assert_eq!(guesses, 100);
    assert!(world.guess(from("192.0.2.2", "person1")).await, "another network goes on");
}

#[tokio::test]
async fn the_networks_of_one_site_guess_together_a_thousand_times() {
    let world = World::new();
    let (mut guesses, mut wait) = (0, None);
    for n in 0..2000 {
        let (network, account) = (format!("2001:db8:0:{n:x}::/64"), format!("person{n}"));
        let attempt = From { site: Some("2001:db8::/48"), ..from(&network, &account) };
        match world.wait(attempt).await {
            None => guesses += u32::from(world.guess(attempt).await),
            over => wait = over,
        }
    }
    assert_eq!(guesses, 1000);
    assert!(wait.is_some_and(|wait| wait <= Duration::from_secs(2 * 15 * 60)), "{wait:?}");
    let neighbour = From { site: Some("2001:db8:1::/48"), ..from("2001:db8:1:1::/64", "person1") };
    assert!(world.guess(neighbour).await, "another site goes on");
}

#[tokio::test]
async fn beginnings_are_limited_by_network_and_by_site_and_slide() {
    let mut world = World::new();
    world.limits.beginnings_window = TimeDelta::minutes(10);
    (world.limits.beginnings_per_network, world.limits.beginnings_per_site) = (6, 15);
    let subnet = |n: u32| Network { name: format!("2001:db8:0:{n:x}::/64"), site: Some("2001:db8::/48".into()) };
    let begun = async |world: &World, network: &Network| {
        let mut begun = 0;
        for _ in 0..20 {
            let wait = count_beginning(world.store.as_ref(), &world.limits, network, world.now).await.unwrap();
            begun += u32::from(wait.is_none());
        }
        begun
    };
    assert_eq!([begun(&world, &subnet(1)).await, begun(&world, &subnet(2)).await], [6, 6]);
    assert_eq!([begun(&world, &subnet(3)).await, begun(&world, &subnet(4)).await], [3, 0]);
    let elsewhere = Network { name: "192.0.2.1".into(), site: None };
    assert_eq!(begun(&world, &elsewhere).await, 6);
    assert!(world.guess(from("192.0.2.1", "victim")).await, "passwords are counted apart");
    let wait = count_beginning(world.store.as_ref(), &world.limits, &elsewhere, world.now).await.unwrap();
    world.pass(TimeDelta::from_std(wait.expect("over the limit")).unwrap());
    assert!((1..6).contains(&begun(&world, &elsewhere).await), "some of it has slid away");
    world.pass(TimeDelta::minutes(20));
    assert_eq!(begun(&world, &elsewhere).await, 6);
}

#[tokio::test]
async fn attempts_side_by_side_are_counted_before_the_first_is_decided() {
    let world = World::new();
    let mut admitted = Vec::new();
    for _ in 0..100 {
        if let Admission::Admitted(reserved) = world.reserve(from("192.0.2.1", "victim")).await {
            admitted.push(reserved);
        }
    }
    assert_eq!(admitted.len(), 10);
}

#[tokio::test]
async fn a_victim_signs_in_from_their_own_network_while_thousands_of_others_guess() {
    let mut world = World::new();
    let mut guesses = 0;
    for minute in 0..120 {
        for n in 0..200 {
            // Two thousand networks, each of which returns every ten minutes.
            let network = format!("198.18.{}.{n}", minute % 10);
            guesses += u32::from(world.guess(from(&network, "victim")).await);
        }
        assert!(world.sign_in(from("203.0.113.7", "victim")).await, "minute {minute}");
        world.pass(TimeDelta::minutes(1));
    }
    // Alone each network would have had ten in every window: 160,000. Beyond the limit they have two.
    assert!(guesses < 24_000, "{guesses}");
    // Even then a slip of the finger is not the end.
    assert!(world.guess(from("203.0.113.7", "victim")).await);
    assert!(world.sign_in(from("203.0.113.7", "victim")).await);
}

#[tokio::test]
async fn a_browser_that_the_victim_used_before_is_not_slowed_even_by_its_own_network() {
    let world = World::new();
    let mut n = 0;
    while world.wait(from("192.0.2.1", "victim")).await.is_none() {
        world.guess(from("192.0.2.1", "victim")).await;
    }
    while world.wait(from("192.0.2.1", "other")).await.is_none() {
        n += 1;
        world.guess(from("192.0.2.1", &format!("person{n}"))).await;
    }
    let known = From { device: Some("laptop"), ..from("192.0.2.1", "victim") };
    for _ in 0..20 {
        assert!(world.sign_in(known).await);
    }
}

#[tokio::test]
async fn a_stolen_device_cookie_gives_ten_guesses_at_its_own_account() {
    let world = World::new();
    let mut guesses = 0;
    for n in 0..200 {
        let network = format!("198.18.0.{n}");
        let stolen = From { device: Some("laptop"), ..from(&network, "victim") };
        guesses += u32::from(world.guess(stolen).await);
    }
    assert_eq!(guesses, 10);
    assert!(world.sign_in(from("203.0.113.7", "victim")).await);
    let phone = From { device: Some("phone"), ..from("203.0.113.7", "victim") };
    assert!(world.sign_in(phone).await, "the victim's other browser");
}

#[tokio::test]
async fn one_network_alone_cannot_make_the_allowance_of_others_smaller() {
    let world = World::new();
    for _ in 0..5000 {
        world.guess(from("192.0.2.1", "victim")).await;
    }
    let mut guesses = 0;
    while world.guess(from("203.0.113.7", "victim")).await {
        guesses += 1;
    }
    assert_eq!(guesses, 10);
}

#[tokio::test]
async fn an_office_behind_one_address_signs_in_all_day() {
    let world = World::new();
    for n in 0..1000 {
        assert!(world.sign_in(from("192.0.2.1", &format!("person{n}"))).await, "{n}");
        assert!(world.sign_in(from("192.0.2.1", "shared")).await, "{n}");
    }
}

#[tokio::test]
async fn whoever_waits_as_long_as_told_is_admitted_and_hammering_meanwhile_costs_nothing() {
    for start in [0, 60, 450, 840, 899] {
        let mut world = World::new();
        world.pass(TimeDelta::seconds(start));
        for _round in 0..5 {
            while world.guess(from("192.0.2.1", "victim")).await {}
            let wait = world.wait(from("192.0.2.1", "victim")).await.unwrap();
            assert!(wait <= Duration::from_secs(2 * 15 * 60 + 1), "{wait:?}");
            let until = world.now + TimeDelta::from_std(wait).unwrap();
            while world.now < until - TimeDelta::seconds(30) {
                assert!(!world.guess(from("192.0.2.1", "victim")).await, "the wait was told too long");
                world.pass(TimeDelta::seconds(20));
            }
            world.now = until;
            assert_eq!(world.wait(from("192.0.2.1", "victim")).await, None, "the wait was told too short");
        }
    }
}

#[tokio::test]
async fn failures_are_forgotten_after_two_windows() {
    let mut world = World::new();
    while world.guess(from("192.0.2.1", "victim")).await {}
    world.pass(WINDOW * 2);
    for _ in 0..9 {
        assert!(world.guess(from("192.0.2.1", "victim")).await);
    }
}

#[tokio::test]
async fn a_network_over_its_limit_makes_no_counters_for_names() {
    let world = World::new();
    let store = Arc::new(Recorder::default());
    let world = World { store: store.clone(), ..world };
    for n in 0..100 {
        world.guess(from("192.0.2.1", &format!("person{n}"))).await;
    }
    let before = store.keys.lock().unwrap().len();
    for n in 100..200 {
        assert!(!world.guess(from("192.0.2.1", &format!("person{n}"))).await);
    }
    assert_eq!(store.keys.lock().unwrap().len(), before);
    for key in store.keys.lock().unwrap().iter() {
        assert!(!key.contains("person") && !key.contains("192.0.2.1"), "{key}");
    }
}

#[tokio::test]
async fn without_the_store_nobody_is_admitted_and_nobody_is_refused() {
    let store = Recorder { is_down: true, ..Recorder::default() };
    let answer = try_reserve(&store, &limits(), from("192.0.2.1", "victim"), World::new().now).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))));
}

#[test]
fn the_allowance_shrinks_with_the_failures_from_everywhere_and_is_never_less_than_two() {
    let of = |everywhere| allowance(&limits(), everywhere);
    assert_eq!([0.0, 50.0, 51.0, 100.0, 250.0, 1e9].map(of), [10, 10, 9, 5, 2, 2]);
    let strict = ThrottleConfig { per_account_and_network: 0, per_account: 0, ..limits() };
    assert_eq!(allowance(&strict, 1e9), LEAST);
}

#[test]
fn counters_of_different_things_are_different() {
    let key = |parts: &[&str]| Counter::new(Limit::Password, parts).key().as_str().to_owned();
    assert_ne!(key(&["account", "ab", "c"]), key(&["account", "a", "bc"]));
    assert_ne!(key(&["network", "a"]), key(&["account", "a"]));
    let other = Counter::new(Limit::Beginning, &["network", "a"]).key().as_str().to_owned();
    assert_ne!(key(&["network", "a"]), other);
}

/// A memory store that remembers the names of its keys, or is down.
#[derive(Default)]
struct Recorder {
    inner: MemoryState,
    keys: std::sync::Mutex<std::collections::BTreeSet<String>>,
    is_down: bool,
}

#[async_trait::async_trait]
impl StateStore for Recorder {
    async fn put(&self, _: &StateKey, _: &[u8], _: DateTime<Utc>, _: DateTime<Utc>) -> Result<(), StoreError> {
        unimplemented!()
    }

    async fn put_if_absent(
        &self,
        _: &StateKey,
        _: &[u8],
        _: DateTime<Utc>,
        _: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        unimplemented!()
    }

    async fn get(&self, _: &StateKey, _: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        unimplemented!()
    }

    async fn take(&self, _: &StateKey, _: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        unimplemented!()
    }

    async fn replace_if(
        &self,
        _: &StateKey,
        _: crate::storage::state::Expected<'_>,
        _: &[u8],
        _: DateTime<Utc>,
        _: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        unimplemented!()
    }

    async fn delete(&self, _: &StateKey) -> Result<(), StoreError> {
        unimplemented!()
    }

    async fn add(
        &self,
        key: &StateKey,
        n: i64,
        period: i64,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Tally, StoreError> {
        if self.is_down {
            return Err(StoreError::unavailable("down"));
        }
        self.keys.lock().unwrap().insert(key.as_str().to_owned());
        self.inner.add(key, n, period, until, now).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
