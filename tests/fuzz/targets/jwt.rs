//! JSON Web Tokens before their signature is looked at. The input is taken as a token, and as the lines of one whose parts are
//! still to be encoded, because chance would seldom find base64url that holds JSON.

#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use ostiary::protocol::jwt::{MAX_LENGTH, UnverifiedJwt, is_same_type, parse_object};

fuzz_target!(|data: &[u8]| {
    if let Some(object) = parse_object(data) {
        // Only stricter than the usual reader, never different.
        let usual: serde_json::Value = serde_json::from_slice(data).expect("the usual reader takes it too");
        assert_eq!(serde_json::Value::Object(object), usual);
    }
    let parts: Vec<_> = data.splitn(3, |byte| *byte == b'\n').map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    read(&parts.join("."));
    str::from_utf8(data).into_iter().for_each(read);
});

fn read(text: &str) {
    let Ok(jwt) = UnverifiedJwt::parse(text) else { return };
    assert!(text.len() <= MAX_LENGTH && !jwt.signature.is_empty());
    assert!(!jwt.header.alg.eq_ignore_ascii_case("none"));
    assert_eq!(format!("{}.{}", jwt.signing_input, URL_SAFE_NO_PAD.encode(&jwt.signature)), text, "one spelling only");
    if let Some(typ) = &jwt.header.typ {
        assert!(jwt.header.is_typ(typ));
        assert_eq!(is_same_type(typ, "at+jwt"), is_same_type("application/at+jwt", typ));
    }
}
