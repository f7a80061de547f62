//! The `claims` parameter: what is kept of it is read back the same, and it never releases what only the server says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ostiary::protocol::claims::ClaimsRequest;
use ostiary::protocol::claims::release::{release_id_token, release_userinfo, scopes_behind};
use serde_json::{Map, Value, json};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(request) = ClaimsRequest::parse(text) else { return };
    let kept = Value::from(request.clone());
    assert!(!kept.to_string().contains("\\u0000"), "Postgres cannot keep it");
    assert!(ClaimsRequest::parse(&kept.to_string()).is_ok_and(|again| again == request), "{kept}");
    request.required_subject();
    request.accepts_acr("urn:example:one");
    assert!(request.acr_values().count() <= text.len());
    scopes_behind(&request);

    let person = person(&request);
    for released in [release_userinfo(&["openid".to_owned()], &request, &person), release_id_token(&request, &person)] {
        for name in ["sub", "iss", "aud", "exp", "client_id", "scope", "cnf", "act", "acr", "sid"] {
            assert!(!released.contains_key(name), "{name}");
        }
    }
});

/// Somebody who has every claim that is asked for, also those that nobody may be told.
fn person(request: &ClaimsRequest) -> Map<String, Value> {
    let names = request.userinfo.keys().chain(request.id_token.keys());
    names.map(|name| (name.split('#').next().unwrap_or_default().to_owned(), json!("x"))).collect()
}
