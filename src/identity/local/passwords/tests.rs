use std::time::{Duration, Instant};

use super::*;

/// The least that Argon2 accepts: the tests are of the rules, not of the cost.
fn cheap() -> PasswordsConfig {
    PasswordsConfig { memory_kib: 64, iterations: 1, threads: 1, ..PasswordsConfig::default() }
}

fn secret(text: &str) -> SecretString {
    text.into()
}

const RIGHT: PasswordCheck = PasswordCheck::Right { rehashed: None };

#[tokio::test]
async fn only_the_password_itself_is_right() {
    let passwords = Passwords::new(&cheap()).unwrap();
    let phc = passwords.hash(&secret("correct horse")).await.unwrap();
    assert!(phc.as_str().starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", phc.as_str());
    assert_eq!(passwords.verify(&secret("correct horse"), Some(phc.as_str())).await.unwrap(), RIGHT);
    for wrong in ["correct hors", "Correct horse", "correct horse ", ""] {
        let check = passwords.verify(&secret(wrong), Some(phc.as_str())).await.unwrap();
        assert_eq!(check, PasswordCheck::Wrong, "{wrong}");
    }
}

#[tokio::test]
async fn two_hashes_of_one_password_differ() {
    let passwords = Passwords::new(&cheap()).unwrap();
    let (one, two) = (passwords.hash(&secret("same")).await.unwrap(), passwords.hash(&secret("same")).await.unwrap());
    assert_ne!(one, two);
}

#[tokio::test]
async fn nobody_s_password_is_wrong_after_as_much_work() {
    let passwords = Passwords::new(&cheap()).unwrap();
    assert_eq!(passwords.verify(&secret("any"), None).await.unwrap(), PasswordCheck::Wrong);
    assert!(is_current(&passwords.dummy, &passwords.params), "the dummy costs what today's hashes cost");
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_checked_and_made_anew() {
    let old = Passwords::new(&cheap()).unwrap();
    let stored = old.hash(&secret("kept")).await.unwrap();
    let new = Passwords::new(&PasswordsConfig { iterations: 2, memory_kib: 32, ..cheap() }).unwrap();
    assert_eq!(new.verify(&secret("lost"), Some(stored.as_str())).await.unwrap(), PasswordCheck::Wrong);
    let PasswordCheck::Right { rehashed: Some(rehashed) } =
        new.verify(&secret("kept"), Some(stored.as_str())).await.unwrap()
    else {
        panic!("not made anew");
    };
    assert!(rehashed.as_str().starts_with("$argon2id$v=19$m=32,t=2,p=1$"), "{}", rehashed.as_str());
    assert_eq!(new.verify(&secret("kept"), Some(rehashed.as_str())).await.unwrap(), RIGHT);
}

/// RFC 9106 section 5.3 has a secret key, which PHC strings cannot say; these come from the reference implementation
/// (its `test.c`, version 0x13, m=65536 t=2 p=1 and p=2).
#[tokio::test]
async fn hashes_of_the_reference_implementation_are_right() {
    let passwords = Passwords::new(&PasswordsConfig { threads: 1, ..PasswordsConfig::default() }).unwrap();
    for phc in [
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    ] {
        let check = passwords.verify(&secret("password"), Some(phc)).await.unwrap();
        assert!(matches!(check, PasswordCheck::Right { rehashed: Some(_) }), "{phc}");
    }
}

const UNREADABLE: [&str; 8] = [
    "",
    "plain",
    "$2b$12$abcdefghijklmnopqrstuv",
    "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
    "$argon2id$v=18$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    "$scrypt$ln=16,r=8,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
];

#[tokio::test]
async fn with_what_cannot_be_read_no_password_is_right_and_it_says_why() {
    let passwords = Passwords::new(&cheap()).unwrap();
    for stored in UNREADABLE {
        let check = passwords.verify(&secret("plain"), Some(stored)).await.unwrap();
        let PasswordCheck::Unreadable(why) = check else { panic!("{stored}: {check:?}") };
        assert!(!why.is_empty() && !why.contains('$'), "{why}");
    }
}

#[tokio::test]
async fn every_no_takes_as_long_as_for_nobody() {
    let config = PasswordsConfig { memory_kib: 4096, iterations: 3, ..cheap() };
    let passwords = Passwords::new(&config).unwrap();
    let least = async |stored: Option<&str>| {
        let mut least = Duration::MAX;
        for _ in 0..5 {
            let begun = Instant::now();
            let check = passwords.verify(&secret("guessed"), stored).await.unwrap();
            assert!(!matches!(check, PasswordCheck::Right { .. }));
            least = least.min(begun.elapsed());
        }
        least
    };
    // What a busy machine adds is never more work: whoever does none stays far below the least of many.
    let check = async |stored: &str| {
        for _ in 0..10 {
            if least(Some(stored)).await * 2 > least(None).await {
                return;
            }
        }
        panic!("{stored} takes less than half as long as nobody");
    };
    for unreadable in UNREADABLE {
        check(unreadable).await;
    }
    for older in [cheap(), PasswordsConfig { memory_kib: 4096, ..cheap() }, config] {
        let stored = Passwords::new(&older).unwrap().hash(&secret("theirs")).await.unwrap();
        check(stored.as_str()).await;
    }
}

#[test]
fn what_is_missing_is_what_makes_up_for_an_older_hash() {
    let params = |memory, iterations| Params::new(memory, iterations, 1, Some(OUTPUT_LENGTH)).unwrap();
    let today = params(19_456, 2);
    for (older, missing) in [
        (params(19_456, 1), Some((19_456, 1))),
        (params(4_096, 3), Some((13_312, 2))),
        (params(65_536, 3), None),
        (params(9_728, 4), None),
        (params(19_455, 2), None),
    ] {
        let stored = written(&older, &[0; 16], &[0; OUTPUT_LENGTH]).unwrap();
        let found = missing_work(&stored, &today).map(|params| (params.m_cost(), params.t_cost()));
        assert_eq!(found, missing, "{older:?}");
    }
}

#[test]
fn impossible_parameters_are_an_error() {
    for wrong in [PasswordsConfig { memory_kib: 1, ..cheap() }, PasswordsConfig { iterations: 0, ..cheap() }] {
        assert!(matches!(Passwords::new(&wrong), Err(PasswordError::Failed(_))));
    }
}

#[tokio::test]
async fn debug_shows_no_hash() {
    let passwords = Passwords::new(&cheap()).unwrap();
    let phc = passwords.hash(&secret("x")).await.unwrap();
    assert_eq!(format!("{phc:?}"), "Phc(..)");
    assert!(!format!("{passwords:?}").contains("$argon2"));
}
