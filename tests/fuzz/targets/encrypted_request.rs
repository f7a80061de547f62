//! Encrypted request objects before a key is tried on them. The input is taken as a token, and as the lines of one whose parts are
//! still to be encoded.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use ostiary::keys::jwe::{MAX_LENGTH, UnopenedJwe};
use ostiary::protocol::jwt::parse_object;

fuzz_target!(|data: &[u8]| {
    let parts: Vec<_> = data.splitn(5, |byte| *byte == b'\n').map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    read(&parts.join("."));
    str::from_utf8(data).into_iter().for_each(read);
});

fn read(text: &str) {
    let Some(token) = UnopenedJwe::parse(text) else { return };
    assert!(text.len() <= MAX_LENGTH);
    let parts: Vec<_> = text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url")).collect();
    let header = parse_object(&parts[0]).expect("an object");
    assert_eq!((parts.len(), parts[1].len(), header["alg"].as_str()), (5, 0, Some("ECDH-ES")));
    assert!(!header.contains_key("zip") && !header.contains_key("crit"));
    assert_eq!(header.get("kid").and_then(|kid| kid.as_str()), token.kid.as_deref());
    assert!(matches!((parts[2].len(), parts[4].len()), (12, 16) | (16, 16 | 32)));
}
