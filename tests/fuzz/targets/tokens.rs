//! Authorization codes, refresh tokens and opaque access tokens. The input is taken as a token, and as changes to a good one:
//! whatever is not one of ours byte for byte is refused, and none passes for another kind.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ostiary::keys::master_key::MasterKeys;
use ostiary::keys::token::{OpaqueAccessToken, PlainCode, PlainRefreshToken};
use ostiary::model::id::FamilyId;
use secrecy::SecretString;
use uuid::Uuid;

struct Ours {
    keys: MasterKeys,
    code: String,
    refresh: String,
    access: String,
}

static OURS: LazyLock<Ours> = LazyLock::new(|| {
    let keys = MasterKeys::from_text(&SecretString::from(format!("1:{}", "A".repeat(43)))).expect("a master key");
    let family = FamilyId(Uuid::from_u128(7));
    let access = OpaqueAccessToken::seal(&keys, br#"{"sub":"x"}"#).expect("a token");
    Ours {
        code: PlainCode::new(&keys, family).encode(),
        refresh: PlainRefreshToken::first(&keys, family).encode(),
        access,
        keys,
    }
});

fuzz_target!(|data: &[u8]| {
    str::from_utf8(data).into_iter().for_each(check);
    for good in [&OURS.code, &OURS.refresh, &OURS.access] {
        let changed: Vec<u8> = good.bytes().zip(data.iter().chain(std::iter::repeat(&0))).map(|(a, b)| a ^ b).collect();
        str::from_utf8(&changed).into_iter().for_each(check);
    }
});

fn check(text: &str) {
    let Ours { keys, code, refresh, access } = &*OURS;
    let read = PlainCode::parse(keys, text);
    assert_eq!(read.is_some(), text == code);
    assert!(read.is_none_or(|read| read.encode() == text));
    let read = PlainRefreshToken::parse(keys, text);
    assert_eq!(read.is_some(), text == refresh);
    assert!(read.is_none_or(|read| read.encode() == text && read.seq() == 0));
    assert_eq!(OpaqueAccessToken::open(keys, text).is_some(), text == access);
}
