//! Redirect URIs. The first line is registered, the second presented; they match only if they are equal, or if a native
//! application listens on another port of the same loopback host. And a browser sees the same host in it as we do.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ostiary::model::client::ApplicationType;
use ostiary::protocol::redirect_uri::{is_registered, validate_for_registration};
use ostiary::protocol::uri::AbsoluteUri;
use url::Url;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    let (registered, presented) = text.split_once('\n').unwrap_or((text, text));
    for application_type in [ApplicationType::Web, ApplicationType::Native] {
        if validate_for_registration(registered, application_type).is_err() {
            continue;
        }
        assert!(is_registered(&[registered.to_owned()], registered, application_type));
        is_what_a_browser_sees(registered);
        if registered != presented && is_registered(&[registered.to_owned()], presented, application_type) {
            assert!(matches!(application_type, ApplicationType::Native));
            differ_in_their_port_only(registered, presented);
        }
    }
});

fn is_what_a_browser_sees(uri: &str) {
    let parts = AbsoluteUri::parse(uri).expect("it was accepted");
    let url = Url::parse(uri).expect("it was accepted");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{uri}");
    assert!(parts.has_scheme(url.scheme()), "{uri}");
    if parts.has_scheme("https") {
        let authority = parts.authority.expect("https has one");
        // Numbers and percent-encodings are other spellings of a host, which both sides leave to the browser.
        let is_plain = authority.bytes().all(|byte| byte.is_ascii_alphabetic() || b"-.".contains(&byte));
        assert!(!is_plain || url.host_str() == Some(&authority.to_ascii_lowercase()), "{uri}");
    }
}

fn differ_in_their_port_only(registered: &str, presented: &str) {
    let (mut one, mut other) = (Url::parse(registered).expect("accepted"), Url::parse(presented).expect("matched"));
    assert_eq!(one.scheme(), "http");
    assert!(matches!(one.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")), "{registered}");
    one.set_port(None).expect("http has one");
    other.set_port(None).expect("http has one");
    assert_eq!(one, other, "{registered} {presented}");
}
