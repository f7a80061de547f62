//! The `Cookie` header, each line of the input one of its lines, and the two cookies whose content we read.

#![no_main]

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use ostiary::flow::device::Device;
use ostiary::http::cookies::{BrowserId, CookieName};
use ostiary::keys::master_key::MasterKeys;
use secrecy::SecretString;

fuzz_target!(|data: &[u8]| {
    let lines = data.split(|byte| *byte == b'\n');
    let headers: HeaderMap = lines.filter_map(|line| Some((COOKIE, HeaderValue::from_bytes(line).ok()?))).collect();
    for is_secure in [true, false] {
        for name in [CookieName::Session, CookieName::Browser, CookieName::Device] {
            if let Some(value) = name.find(&headers, is_secure) {
                assert!(!value.contains([';', '\r', '\n']), "{value:?}");
            }
        }
        let (browser, set) = BrowserId::from_headers(&headers, is_secure);
        // A browser that brought a usable cookie keeps it, any other gets one.
        let (again, _) = BrowserId::from_headers(&headers, is_secure);
        assert_eq!(set.is_none(), again.hash() == browser.hash());
    }
    let keys = MasterKeys::from_text(&SecretString::from(format!("1:{}", "A".repeat(43)))).expect("a master key");
    Device::from_cookie(&keys, CookieName::Device.find(&headers, false));
});
