use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

const ALG: KeyAlg = KeyAlg::ES256;
const TOKENS: KeyPurpose = KeyPurpose::Tokens;

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn policy() -> RotationPolicy {
    RotationPolicy {
        period: TimeDelta::days(90),
        prepublish: TimeDelta::hours(24),
        grace: TimeDelta::hours(2),
        needed_until: None,
    }
}

fn key(kid: &str) -> KeyEntry {
    KeyEntry::prepublished(kid.to_owned(), ALG, TOKENS, start())
}

/// `first` signs, `next` waits since the beginning.
fn ring() -> KeyRing {
    let mut ring = KeyRing::default();
    ring.begin(key("first"), start()).unwrap();
    ring.prepublish(key("next")).unwrap();
    ring
}

fn state(ring: &KeyRing, kid: &str) -> KeyState {
    ring.find(kid).unwrap().state
}

#[test]
fn a_key_signs_once_it_was_listed_for_the_window_or_by_force() {
    let allowed_at = start() + policy().prepublish;
    let mut ring = ring();
    let early = ring.activate("next", &policy(), Insistence::Never, allowed_at - TimeDelta::seconds(1));
    assert_eq!(early, Err(Refusal::PublishedTooLately { kid: "next".to_owned(), allowed_at }));
    assert_eq!(state(&ring, "first"), KeyState::Active, "a refusal changes nothing");
    let superseded = ring.clone().activate("next", &policy(), Insistence::Force, start());
    assert_eq!(superseded, Ok(Some("first".to_owned())));

    assert_eq!(ring.activate("next", &policy(), Insistence::Never, allowed_at), Ok(Some("first".to_owned())));
    assert_eq!((state(&ring, "first"), state(&ring, "next")), (KeyState::Grace, KeyState::Active));
    assert_eq!(ring.find("first").unwrap().retire_at, Some(allowed_at + policy().grace));
    let again = ring.activate("next", &policy(), Insistence::Force, allowed_at);
    assert!(matches!(again, Err(Refusal::WrongState { found: KeyState::Active, .. })), "{again:?}");
}

#[test]
fn a_key_is_retired_after_its_grace_and_never_while_it_signs() {
    let mut ring = ring();
    let now = start() + policy().prepublish;
    ring.activate("next", &policy(), Insistence::Never, now).unwrap();
    let retire_at = now + policy().grace;
    let early = ring.retire("first", Insistence::Never, retire_at - TimeDelta::seconds(1));
    assert_eq!(early, Err(Refusal::StillNeeded { kid: "first".to_owned(), retire_at }));
    assert_eq!(ring.retire("next", Insistence::Force, now), Err(Refusal::Signs { kid: "next".to_owned() }));
    assert_eq!(ring.retire("first", Insistence::Never, retire_at), Ok(()));
    assert!(matches!(ring.retire("first", Insistence::Force, retire_at), Err(Refusal::WrongState { .. })));
    assert!(matches!(ring.retire("none", Insistence::Force, retire_at), Err(Refusal::UnknownKey { .. })));
}

#[test]
fn revoking_the_key_that_signs_needs_another_that_does() {
    let mut ring = ring();
    assert_eq!(ring.revoke("first", "stolen", None, start()), Ok(Some("next".to_owned())));
    assert_eq!((state(&ring, "first"), state(&ring, "next")), (KeyState::Retired, KeyState::Active));
    assert_eq!(ring.find("first").unwrap().revoke_reason.as_deref(), Some("stolen"));
    let refused = ring.revoke("next", "stolen", None, start());
    assert_eq!(refused, Err(Refusal::NeedsSuccessor { alg: ALG, purpose: TOKENS }));
    assert_eq!(ring.revoke("next", "stolen", Some(key("new")), start()), Ok(Some("new".to_owned())));
    assert_eq!(state(&ring, "new"), KeyState::Active);
}

#[test]
fn a_key_is_believed_for_as_long_as_tokens_live_that_were_given_a_longer_life_before() {
    let now = start() + TimeDelta::days(2);
    for (needed_for, kept_for) in [(1, 2), (2, 2), (20, 20)] {
        let policy = RotationPolicy { needed_until: Some(now + TimeDelta::hours(needed_for)), ..policy() };
        let mut ring = ring();
        let told = ring.next_steps(&policy, now).into_iter().find(|step| matches!(step.action, Action::Retire { .. }));
        ring.activate("next", &policy, Insistence::Force, now).unwrap();
        let retire_at = ring.find("first").unwrap().retire_at;
        assert_eq!(retire_at, Some(now + TimeDelta::hours(kept_for)), "{needed_for}");
        // Told of an activation that comes later, when the longer tokens are over.
        assert!(told.is_some_and(|step| Some(step.at) >= retire_at), "{needed_for}");
    }
}

#[test]
fn one_key_at_a_time_waits_for_each_algorithm_and_purpose() {
    let mut ring = ring();
    let refused = ring.prepublish(key("more"));
    assert!(matches!(refused, Err(Refusal::AlreadyWaiting { ref kid, .. }) if kid == "next"), "{refused:?}");
    ring.prepublish(KeyEntry { purpose: KeyPurpose::Logout, ..key("more") }).unwrap();
    assert_eq!(ring.prepublish(key("first")), Err(Refusal::KnownKey { kid: "first".to_owned() }));
    assert_eq!(ring.kinds(), [(ALG, TOKENS), (ALG, KeyPurpose::Logout)]);
}

#[test]
fn the_timeline_tells_the_whole_rotation() {
    let mut ring = KeyRing::default();
    ring.begin(key("first"), start()).unwrap();
    let activate_at = start() + TimeDelta::days(90);
    let steps = ring.next_steps(&policy(), start());
    let told: Vec<_> = steps.iter().map(|step| (step.at, step.action.clone())).collect();
    let retire = Action::Retire { kid: "first".to_owned() };
    assert_eq!(
        told,
        [
            (activate_at - TimeDelta::days(1), Action::Publish),
            (activate_at, Action::Activate { kid: None }),
            (activate_at + TimeDelta::hours(2), retire),
        ]
    );
    // After a long standstill the new key still waits for its window.
    let late = start() + TimeDelta::days(200);
    let steps = ring.next_steps(&policy(), late);
    assert!(steps[0].is_due(late) && steps[0].action == Action::Publish);
    assert_eq!(steps[1].at, late + TimeDelta::days(1));

    ring.keys[0].external = Some(crate::model::signing_key::ExternalKey {
        key_ref: "r".to_owned(),
        command: vec![],
        mode: Default::default(),
        jwk: serde_json::Value::Null,
    });
    // Nobody makes a key here in the place of one that is elsewhere: it is asked for, in good time.
    let kid = "first".to_owned();
    let steps = ring.next_steps(&policy(), start());
    let register_at = activate_at - TimeDelta::days(1);
    let told: Vec<_> = steps.iter().map(|step| (step.at, step.action.clone(), step.is_automatic())).collect();
    assert_eq!(told, [(register_at, Action::Register { kid: kid.clone() }, false)]);
    let early = register_at - TimeDelta::days(14);
    assert_eq!(ring.successors_wanted(&policy(), early - TimeDelta::seconds(1)), []);
    assert_eq!(ring.successors_wanted(&policy(), early), [(kid.clone(), register_at)]);
    ring.prepublish(key("next")).unwrap();
    assert_eq!(ring.successors_wanted(&policy(), late), []);
    let actions: Vec<_> = ring.next_steps(&policy(), late).into_iter().map(|step| step.action).collect();
    assert_eq!(actions, [Action::Activate { kid: Some("next".to_owned()) }, Action::Retire { kid }]);
}

#[test]
fn a_quarter_of_the_window_is_cached() {
    for (window, cached) in [(24 * 3600, 900), (3600, 900), (60, 15), (8, 2), (1, 1)] {
        let cached_for = RotationPolicy::cache_lifetime(TimeDelta::seconds(window));
        assert_eq!(cached_for, TimeDelta::seconds(cached), "{window}");
    }
}

/// A key of every state, all of it good.
fn every_state() -> KeyRing {
    let mut ring = ring();
    ring.begin(KeyEntry { alg: KeyAlg::RS256, ..key("rsa") }, start()).unwrap();
    let now = start() + TimeDelta::days(2);
    ring.activate("next", &policy(), Insistence::Never, now).unwrap();
    ring.prepublish(KeyEntry { published_at: now, created_at: now, ..key("last") }).unwrap();
    ring.retire("last", Insistence::Never, now).unwrap();
    ring.prepublish(KeyEntry { published_at: now, created_at: now, ..key("waits") }).unwrap();
    ring
}

#[test]
fn each_fault_names_its_key_and_its_mend() {
    type Break = fn(&mut Vec<KeyEntry>);
    let get = |ring: &KeyRing, kid: &str| ring.keys.iter().position(|key| key.kid == kid).unwrap();
    assert_eq!(every_state().problems("keyset.json"), []);
    let at = get(&every_state(), "first");
    assert_eq!((at, get(&every_state(), "waits")), (0, 4));
    let faults: [(&str, &str, Break); 9] = [
        ("first", "do not fit", |keys| keys[0].superseded_at = None),
        ("first", "do not fit", |keys| keys[0].retire_at = None),
        ("first", "do not fit", |keys| keys[0].retired_at = Some(start())),
        ("next", "do not fit", |keys| keys[1].activated_at = None),
        ("next", "do not fit", |keys| keys[1].superseded_at = Some(start())),
        ("waits", "do not fit", |keys| keys[4].activated_at = Some(start())),
        ("first", "not in order", |keys| keys[0].activated_at = Some(start() + TimeDelta::days(9))),
        ("next", "not in order", |keys| keys[1].published_at = start() - TimeDelta::days(9)),
        ("first", "listed twice", |keys| keys[3].kid = "first".to_owned()),
    ];
    for (kid, fault, change) in faults {
        let mut ring = every_state();
        change(&mut ring.keys);
        let problems = ring.problems("keyset.json");
        assert_eq!(problems.len(), 1, "{fault}: {problems:?}");
        assert!(problems[0].what.contains(&format!("the key {kid} ")), "{problems:?}");
        assert!(problems[0].what.contains(fault) && problems[0].mend.contains("keyset.json"), "{problems:?}");
    }
    let mut ring = every_state();
    ring.keys[0] = KeyEntry { activated_at: Some(start()), state: KeyState::Active, ..key("first") };
    assert!(ring.problems("x")[0].what.contains("2 keys are active for ES256 (tokens)"));
    let mut ring = every_state();
    ring.keys.retain(|key| key.kid != "rsa");
    assert!(ring.problems("x")[0].what.contains("no key is active for RS256"));
}

#[test]
fn a_change_by_a_clock_that_is_behind_leaves_times_in_order() {
    let mut ring = ring();
    ring.begin(KeyEntry { alg: KeyAlg::RS256, ..key("rsa") }, start()).unwrap();
    let behind = start() - TimeDelta::milliseconds(617);
    ring.activate("next", &policy(), Insistence::Force, behind).unwrap();
    assert_eq!(ring.problems("keyset.json"), []);
    let (first, next) = (ring.find("first").unwrap(), ring.find("next").unwrap());
    assert_eq!((first.superseded_at, next.activated_at), (Some(start()), Some(start())));
    assert_eq!(first.retire_at, Some(behind + TimeDelta::hours(2)));
}

#[test]
fn times_of_the_future_are_told_and_those_of_another_clock_are_not() {
    let ring = every_state();
    assert_eq!(ring.times_ahead("keyset.json", start() + TimeDelta::days(30)), []);
    let mut ahead = every_state();
    let now =
        ahead.keys.iter().flat_map(|key| [Some(key.created_at), key.activated_at, key.superseded_at, key.retired_at]);
    let now = now.flatten().max().unwrap();
    ahead.keys[1].created_at = now + TimeDelta::minutes(5);
    assert_eq!(ahead.times_ahead("keyset.json", now), []);
    ahead.keys[1].created_at = now + TimeDelta::minutes(6);
    let [warning] = &ahead.times_ahead("keyset.json", now)[..] else { panic!("one key") };
    assert!(warning.what.contains("the key next has times of the future") && warning.mend.contains("clock"));
}

/// What may happen to a key ring.
#[derive(Clone, Debug)]
enum Event {
    Pass(i64),
    RunDue,
    Prepublish,
    ActivateWhatWaits,
    RetireFirstInGrace,
    Revoke,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1_i64..40 * 24 * 3600).prop_map(Event::Pass),
        4 => (1_i64..7200).prop_map(Event::Pass),
        12 => Just(Event::RunDue),
        2 => Just(Event::Prepublish),
        2 => Just(Event::ActivateWhatWaits),
        2 => Just(Event::RetireFirstInGrace),
        1 => Just(Event::Revoke),
    ]
}

/// A ring, the time, and what signed when.
struct World {
    ring: KeyRing,
    now: DateTime<Utc>,
    made: usize,
    signed: Vec<(DateTime<Utc>, String)>,
    revoked: Vec<String>,
}

impl World {
    fn fresh(&mut self) -> KeyEntry {
        self.made += 1;
        KeyEntry::prepublished(format!("k{}", self.made), ALG, TOKENS, self.now)
    }

    fn run_due(&mut self) {
        let now = self.now;
        for step in self.ring.next_steps(&policy(), now).into_iter().filter(|step| step.is_due(now)) {
            match step.action {
                Action::Publish => {
                    let fresh = self.fresh();
                    self.ring.prepublish(fresh).unwrap();
                }
                Action::Activate { kid } => {
                    let kid = kid.expect("a key that is not made yet is never due");
                    self.ring.activate(&kid, &policy(), Insistence::Never, self.now).unwrap();
                }
                Action::Retire { kid } => self.ring.retire(&kid, Insistence::Never, self.now).unwrap(),
                Action::Register { kid } => panic!("{kid} is not elsewhere"),
            }
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Pass(seconds) => self.now += TimeDelta::seconds(*seconds),
            Event::RunDue => self.run_due(),
            Event::Prepublish => {
                let fresh = self.fresh();
                self.ring.prepublish(fresh).ok();
            }
            Event::ActivateWhatWaits => {
                if let Some(kid) = self.ring.waiting(ALG, TOKENS).map(|key| key.kid.clone()) {
                    self.ring.activate(&kid, &policy(), Insistence::Never, self.now).ok();
                }
            }
            Event::RetireFirstInGrace => {
                let kid = self.ring.in_state(ALG, TOKENS, KeyState::Grace).next().map(|key| key.kid.clone());
                if let Some(kid) = kid {
                    self.ring.retire(&kid, Insistence::Never, self.now).ok();
                }
            }
            Event::Revoke => {
                let kid = self.ring.active(ALG, TOKENS).unwrap().kid.clone();
                let fresh = self.fresh();
                self.ring.revoke(&kid, "stolen", Some(fresh), self.now).unwrap();
                self.revoked.push(kid);
            }
        }
        let active = self.ring.active(ALG, TOKENS).unwrap().kid.clone();
        self.signed.push((self.now, active));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_one_key_signs_after_its_window_and_is_believed_for_its_grace(
        events in prop::collection::vec(event(), 1..80),
    ) {
        let (ring, now) = (KeyRing::default(), start());
        let mut world = World { ring, now, made: 0, signed: Vec::new(), revoked: Vec::new() };
        let first = world.fresh();
        world.ring.begin(first, now).unwrap();
        for event in &events {
            world.happen(event);
            let World { ring, now, signed, revoked, .. } = &world;
            prop_assert_eq!(ring.in_state(ALG, TOKENS, KeyState::Active).count(), 1);
            let faults = ring.problems("here");
            prop_assert!(faults.iter().all(|fault| fault.what.contains("RS256")), "{:?}", faults);
            // Emergencies aside, a key signed no sooner than a window after it was listed.
            let emergencies = ring.keys().iter().filter(|key| key.revoke_reason.is_some()).count();
            let rushed = ring.keys().iter().skip(1).filter(|key| {
                key.activated_at.is_some_and(|at| at - key.published_at < policy().prepublish)
            });
            prop_assert!(rushed.count() <= emergencies);
            // What was signed within the last grace is believed, unless its key was revoked.
            for (at, kid) in signed {
                if *now - *at < policy().grace && !revoked.contains(kid) {
                    prop_assert!(ring.find(kid).unwrap().is_published(), "{kid}");
                }
            }
        }
    }
}
