//! `authorization_details`: what is accepted is written and read again as the same, covers itself, and is read out without what
//! could deceive a reader. A schema that is accepted can be asked about anything.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ostiary::protocol::authorization_details::{MAX_DETAILS, is_covered, parse, schema, sentence};
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(known) = serde_json::from_str::<Value>(text) {
        let is_accepted = schema::violations(&known).is_empty();
        let said = json!({"type": "a", "b": known, "c": [1, {"d": "e"}]});
        let is_valid = said.as_object().is_some_and(|said| schema::is_valid(&known, said));
        let lists = |name: &str| known.pointer("/properties").and_then(|all| all.get(name)).is_some();
        assert!(!(is_accepted && is_valid) || (lists("b") && lists("c")), "a member that nobody knows");
    }
    let Ok(details) = parse(text) else { return };
    assert!((1..=MAX_DETAILS).contains(&details.len()));
    let again = parse(&json!(details).to_string());
    assert!(again.is_ok_and(|again| again == details));
    assert!(is_covered(&details, &details));
    for detail in &details {
        let listed = sentence::members(detail);
        assert!(listed.len() + 1 >= detail.len(), "nothing is hidden");
        let texts = listed.iter().flat_map(|(name, text)| [name, text]);
        assert!(texts.into_iter().all(|text| !text.chars().any(|c| c.is_control() || c == '\u{202e}')));
        sentence::fill(text, detail);
    }
});
