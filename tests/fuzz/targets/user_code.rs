//! The codes that people type to connect a device.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ostiary::protocol::user_code::UserCode;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Some(code) = UserCode::parse(text) {
        assert!(code.letters().len() == 8 && code.letters().bytes().all(|letter| letter.is_ascii_uppercase()));
        assert_eq!(UserCode::parse(&code.display()), Some(code));
    }
});
