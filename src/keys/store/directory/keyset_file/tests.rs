use serde_json::json;

use super::*;

const KEY: &str = r#"{"kid":"e","alg":"ES256","file":"e.pem","state":"grace","created_at":"2026-01-01T00:00:00Z",
    "activated_at":"2026-01-01T00:00:00Z","superseded_at":"2026-04-01T00:00:00Z"}"#;

fn file(version: u64, keys: &[Value]) -> String {
    json!({ "version": version, "keys": keys }).to_string()
}

fn key() -> Value {
    let mut key: Value = serde_json::from_str(KEY).unwrap();
    key["purpose"] = "logout".into();
    key["published_at"] = "2026-01-02T00:00:00Z".into();
    key["retire_at"] = "2026-04-02T00:00:00Z".into();
    key
}

#[test]
fn version_1_is_read_and_version_2_written() {
    let ring = parse(&file(1, &[serde_json::from_str(KEY).unwrap()])).unwrap();
    let entry = &ring.keys()[0];
    assert_eq!((entry.purpose, entry.published_at), (KeyPurpose::Tokens, entry.created_at));
    assert_eq!(entry.retire_at, entry.superseded_at.map(|ended| ended + TimeDelta::days(2)));
    let written = String::from_utf8(write(&ring).unwrap()).unwrap();
    assert!(written.contains("\"version\": 2"), "{written}");
    assert_eq!(parse(&written).unwrap(), ring);
}

#[test]
fn what_a_key_of_version_2_says_survives_a_round_trip() {
    let text = file(2, &[key()]);
    let ring = parse(&text).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&write(&ring).unwrap()).unwrap(),
        serde_json::from_str::<Value>(&text).unwrap()
    );
}

#[test]
fn malformed_metadata_names_the_key_and_the_mend() {
    for (member, value) in [
        ("alg", json!("HS256")),
        ("state", json!("asleep")),
        ("purpose", json!("fun")),
        ("created_at", json!("yesterday")),
        ("published_at", Value::Null),
        ("colour", json!("red")),
        ("file", Value::Null),
        ("file", json!("../x.pem")),
        ("file", json!("keyset.json")),
        ("file", json!("/x.pem")),
        ("file", json!(".pem")),
        ("file", json!("a\\b")),
        ("file", json!("")),
    ] {
        let mut broken = key();
        broken[member] = value.clone();
        let mut other = key();
        other["kid"] = 7.into();
        let problems = parse(&file(2, &[broken, other])).unwrap_err();
        assert_eq!(problems.len(), 2, "all at once: {problems:?}");
        assert!(problems[0].what.starts_with("the key e "), "{member} {value}: {problems:?}");
        assert!(problems[1].what.starts_with("the key at place 2 "), "{problems:?}");
        assert!(problems.iter().all(|problem| problem.mend.contains("keyset.json") || problem.mend.contains("file")));
    }
}

#[test]
fn a_key_that_a_program_signs_with_has_no_file() {
    for name in ["/etc/shadow", "e.pem"] {
        let mut both = key();
        both["external"] = json!({ "key_ref": "ours", "command": ["/bin/true"], "mode": "once", "jwk": {} });
        both["file"] = name.into();
        let problems = parse(&file(2, &[both])).unwrap_err();
        assert!(problems[0].what.contains("has both a `file` and an `external`"), "{problems:?}");
    }
}
