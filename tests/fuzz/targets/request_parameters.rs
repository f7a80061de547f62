//! The smaller parameters of an authorization request: `prompt`, `response_mode`, `ui_locales` and PKCE, each a
//! line of the input.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ostiary::protocol::response_mode::ResponseMode;
use ostiary::protocol::{locale, pkce, prompt};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.split('\n').map(|line| Some(line).filter(|line| !line.is_empty()));
    let mut next = || lines.next().flatten();
    if let Ok(prompts) = prompt::parse(next()) {
        let written: Vec<_> = prompts.iter().map(|prompt| prompt.as_str()).collect();
        assert!(prompt::parse(Some(&written.join(" "))).is_ok_and(|again| again == prompts));
    }
    if let Ok(mode) = ResponseMode::parse(next()) {
        assert!(ResponseMode::from_name(mode.as_str()) == Some(mode));
    }
    let tags = locale::parse(next());
    assert_eq!(locale::parse(Some(&tags.join(" "))), tags);
    let (challenge, method, verifier) = (next(), next(), next());
    if let Ok(challenge) = pkce::parse_challenge(challenge, method) {
        let is_proven = pkce::verify(challenge.as_deref(), verifier).is_ok();
        let fits = challenge == verifier.map(pkce::challenge_of);
        assert!(!is_proven || fits, "{challenge:?} {verifier:?}");
    }
});
