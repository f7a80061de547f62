//! Scope lists and resource indicators. The first line is a scope list, each other one a resource.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ostiary::protocol::resource::{MAX_RESOURCES, parse_all};
use ostiary::protocol::scope::{MAX_SCOPES, is_scope_token, parse};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    if let Ok(scopes) = parse(lines.next().unwrap_or_default()) {
        assert!(scopes.len() <= MAX_SCOPES && scopes.iter().all(|name| is_scope_token(name)));
        assert!(parse(&scopes.join(" ")).is_ok_and(|again| again == scopes));
    }
    let uris: Vec<_> = lines.collect();
    if let Ok(resources) = parse_all(uris.iter().copied()) {
        assert!(resources.len() <= MAX_RESOURCES);
        assert!(resources.iter().all(|resource| uris.contains(&resource.as_str()) && !resource.as_str().contains('#')));
        assert!(parse_all(resources.iter().map(|uri| uri.as_str())).is_ok_and(|again| again == resources));
    }
});
