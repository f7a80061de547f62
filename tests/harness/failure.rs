//! Failures are told when they happen, beside the line that names the test: of a long log often only a part is kept, and what a
//! test prints comes at the end of it.

use std::io::{Write, stderr};
use std::panic::{set_hook, take_hook};
use std::sync::Once;

/// From now on every panic is written to standard error at once, and not only with what its test printed.
pub fn tell_at_once() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            // Not `eprintln`, which keeps it until the end. That it cannot be written changes nothing about the failure.
            let name = std::thread::current().name().unwrap_or("a thread without a name").to_owned();
            writeln!(stderr(), "{name}: {panic}").ok();
            before(panic);
        }));
    });
}
