//! What is said inside of a request object whose signature was found good: a client may still be hostile. The input is the claims.

#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use ostiary::model::id::ClientId;
use ostiary::protocol::jwt::parse_object;
use ostiary::protocol::request_object::{Rules, read};

const NOW: i64 = 1_800_000_000;

fuzz_target!(|data: &[u8]| {
    let Some(claims) = parse_object(data) else { return };
    let client_id = ClientId::new("c");
    let now = DateTime::from_timestamp(NOW, 0).expect("a time");
    let rules = |is_strict| Rules { client_id: &client_id, issuer: "https://as.example", is_strict, now };
    let strict = read(&claims, rules(true));
    let Ok(form) = read(&claims, rules(false)) else {
        assert!(strict.is_err(), "whoever keeps the strict rules keeps the others too");
        return;
    };
    assert!(!form.has("request") && !form.has("request_uri"), "no object within an object");
    for (name, value) in form.iter() {
        assert!(!value.is_empty() && !value.contains('\0') && !name.contains('\0'));
        assert!(!["iss", "aud", "exp", "nbf", "iat", "jti", "sub"].contains(&name), "{name} is about the object");
        assert!(name == "resource" || !form.has_repeated(name), "a claim is there once");
    }
    assert!(form.all("client_id").all(|id| id == "c"));
    if strict.is_ok() {
        let time = |name: &str| claims[name].as_f64().expect("a number");
        assert!(time("exp") - time("nbf") <= 3601.0 && claims["iss"] == "c");
    }
});
