use chrono::TimeDelta;

use super::*;

fn entry(kid: &str, alg: SigningAlg, state: KeyState) -> KeyEntry {
    let at = |reached| (state >= reached).then(|| DateTime::UNIX_EPOCH + TimeDelta::days(1));
    KeyEntry {
        kid: kid.to_owned(),
        alg,
        file: format!("{kid}.pem"),
        state,
        created_at: DateTime::UNIX_EPOCH,
        activated_at: at(KeyState::Active),
        superseded_at: at(KeyState::Grace),
        retired_at: at(KeyState::Retired),
    }
}

fn good() -> KeysetFile {
    let keys = vec![
        entry("r", SigningAlg::RS256, KeyState::Active),
        entry("e", SigningAlg::ES256, KeyState::Active),
        entry("next", SigningAlg::ES256, KeyState::Prepublished),
        entry("last", SigningAlg::ES256, KeyState::Grace),
        entry("old", SigningAlg::ES256, KeyState::Retired),
    ];
    KeysetFile { version: VERSION, keys }
}

fn only_problem(file: &KeysetFile) -> String {
    let problems = file.problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[test]
fn a_good_file_survives_a_round_trip() {
    assert_eq!(good().problems(), []);
    let text = serde_json::to_string(&good()).unwrap();
    assert_eq!(serde_json::from_str::<KeysetFile>(&text).unwrap(), good());
    assert!(serde_json::from_str::<KeysetFile>(&text.replace("\"file\"", "\"files\"")).is_err());
    assert!(serde_json::from_str::<KeysetFile>(&text.replace("ES256", "HS256")).is_err());
}

#[test]
fn activating_a_key_puts_the_one_before_into_grace() {
    let mut file = good();
    let now = DateTime::UNIX_EPOCH + TimeDelta::days(9);
    assert_eq!(file.activate("next", now), Some("e".to_owned()));
    let of = |kid: &str| file.keys.iter().find(|key| key.kid == kid).unwrap();
    assert_eq!((of("next").state, of("next").activated_at), (KeyState::Active, Some(now)));
    assert_eq!((of("e").state, of("e").superseded_at), (KeyState::Grace, Some(now)));
    assert_eq!(
        (of("r").state, of("last").state, of("old").state),
        (KeyState::Active, KeyState::Grace, KeyState::Retired)
    );
    assert_eq!(file.problems(), []);
    assert_eq!(file.clone().activate("unknown", now), None);
}

#[test]
fn a_key_that_never_signed_can_be_retired() {
    let mut file = good();
    file.keys[4].activated_at = None;
    file.keys[4].superseded_at = None;
    assert_eq!(file.problems(), []);
}

#[test]
fn each_fault_is_explained() {
    let mut file = good();
    file.keys[2].state = KeyState::Active;
    file.keys[2].activated_at = Some(DateTime::UNIX_EPOCH);
    assert!(only_problem(&file).contains("2 keys are active for ES256"));

    let mut file = good();
    file.keys[0].alg = SigningAlg::PS256;
    assert!(only_problem(&file).contains("no key is active for RS256"));

    let mut file = good();
    file.keys[2].kid = "r".to_owned();
    assert!(only_problem(&file).contains("the key r is listed twice"));

    for name in ["", ".pem", "../x.pem", "/x.pem", "a\\b", "a\0b"] {
        let mut file = good();
        file.keys[3].file = name.to_owned();
        assert!(only_problem(&file).contains("plain name"), "{name}");
    }
}

#[test]
fn times_must_fit_the_state() {
    for change in [
        |keys: &mut Vec<KeyEntry>| keys[0].activated_at = None,
        |keys: &mut Vec<KeyEntry>| keys[0].superseded_at = Some(DateTime::UNIX_EPOCH),
        |keys: &mut Vec<KeyEntry>| keys[2].activated_at = Some(DateTime::UNIX_EPOCH),
        |keys: &mut Vec<KeyEntry>| keys[3].superseded_at = None,
        |keys: &mut Vec<KeyEntry>| keys[3].retired_at = Some(DateTime::UNIX_EPOCH),
        |keys: &mut Vec<KeyEntry>| keys[4].retired_at = None,
    ] {
        let mut file = good();
        change(&mut file.keys);
        assert!(only_problem(&file).contains("times that do not fit"), "{file:?}");
    }
}
