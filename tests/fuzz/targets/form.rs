//! Form bodies and query strings: what is read is written back so that the same is read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ostiary::protocol::form::{Form, encode};

fuzz_target!(|data: &[u8]| {
    let Ok(form) = Form::parse(data) else { return };
    let written = encode(form.iter());
    assert!(written.is_ascii(), "{written}");
    assert!(Form::parse(written.as_bytes()).is_ok_and(|again| again == form), "{written}");
    let has_repeats = form.iter().any(|(name, _)| name != "resource" && form.one(name).is_err());
    assert_eq!(form.refuse_repeats().is_err(), has_repeats);
    for (name, value) in form.iter() {
        assert!(form.has(name) && !value.is_empty() && !value.contains('\0'));
    }
});
