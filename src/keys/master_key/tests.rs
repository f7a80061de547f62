use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

/// The key 00 01 02 ... 1f; the values pinned below were computed with another program.
const PINNED: &str = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OTHER: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

fn keys(text: &str) -> MasterKeys {
    MasterKeys::from_text(&SecretString::from(text)).unwrap()
}

fn refusal(text: &str) -> String {
    MasterKeys::from_text(&SecretString::from(text)).unwrap_err().to_string()
}

#[test]
fn derivations_never_change() {
    let mac = keys(PINNED).mac(Purpose::TokenTag, b"data");
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "c0a4b9e6fa90885d0c14919b01f66b09f2bb090b0e8740cbbe4c90c637f9eacb");

    let sealed = URL_SAFE_NO_PAD.decode("AQcHBwcHBwcHBwcHBwkJCQkJCQkJCQkJCRtXr431NaJNFkS2bDh270X0p8Whew").unwrap();
    assert_eq!(keys(PINNED).open(Purpose::Device, b"place", &sealed).unwrap().as_slice(), b"plain");
}

#[test]
fn a_generated_file_is_private_and_loads_and_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    MasterKeys::generate_file(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let first = MasterKeys::load(&path).unwrap();
    assert_eq!(first.current(), 1);

    let refused = MasterKeys::generate_file(&path).unwrap_err().to_string();
    assert!(refused.contains("exists already"), "{refused}");
    assert_eq!(MasterKeys::load(&path).unwrap().mac(Purpose::Csrf, b"x"), first.mac(Purpose::Csrf, b"x"));
}

#[test]
fn a_file_that_others_may_read_is_refused_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("master.key");
    MasterKeys::generate_file(&path).unwrap();
    for mode in [0o644, 0o640, 0o604, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = MasterKeys::load(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("chmod 0600 {}", path.display())), "{refused}");
    }
    let missing = MasterKeys::load(&folder.path().join("none")).unwrap_err().to_string();
    assert!(missing.contains("ostiary-keyctl master-key --file"), "{missing}");
}

#[test]
fn the_first_key_writes_and_the_others_still_read() {
    let old = keys(PINNED);
    let new = keys(&format!("# a comment\n2:{OTHER}\n{PINNED}\n"));
    assert_eq!((old.current(), new.current()), (1, 2));
    let sealed = old.seal(Purpose::Cookie, b"here", b"plain").unwrap();
    assert_eq!(new.open(Purpose::Cookie, b"here", &sealed).unwrap().as_slice(), b"plain");
    assert!(old.open(Purpose::Cookie, b"here", &new.seal(Purpose::Cookie, b"here", b"plain").unwrap()).is_none());

    assert_eq!(new.mac_with(1, Purpose::Csrf, b"x"), Some(old.mac(Purpose::Csrf, b"x")));
    assert_ne!(new.mac(Purpose::Csrf, b"x"), old.mac(Purpose::Csrf, b"x"));
    assert!(new.verify_mac(Purpose::Csrf, b"x", &old.mac(Purpose::Csrf, b"x")));
    assert!(!old.verify_mac(Purpose::Csrf, b"x", &new.mac(Purpose::Csrf, b"x")));
    assert_eq!(old.mac_with(2, Purpose::Csrf, b"x"), None);
}

#[test]
fn a_key_of_one_purpose_is_worthless_for_another() {
    let keys = keys(PINNED);
    let purposes = [
        Purpose::ClientSecret,
        Purpose::TokenTag,
        Purpose::Successor,
        Purpose::AccessToken,
        Purpose::Csrf,
        Purpose::Device,
        Purpose::Cookie,
    ];
    for one in purposes {
        let sealed = keys.seal(one, b"", b"plain").unwrap();
        let mac = keys.mac(one, b"data");
        for other in purposes.into_iter().filter(|other| *other != one) {
            assert!(keys.open(other, b"", &sealed).is_none());
            assert!(!keys.verify_mac(other, b"data", &mac));
        }
    }
}

#[test]
fn a_client_secret_mac_belongs_to_one_client() {
    let keys = keys(PINNED);
    let mac = |client: &str, secret| keys.client_secret_mac(1, &ClientId::new(client), secret).unwrap();
    assert_eq!(mac("client", "secret"), mac("client", "secret"));
    assert_ne!(mac("client", "secret"), mac("other", "secret"));
    // What belongs to the id and what to the secret is not left to chance.
    assert_ne!(mac("client", "secret"), mac("clients", "ecret"));
    assert_eq!(keys.client_secret_mac(9, &ClientId::new("client"), "secret"), None);
}

#[test]
fn bad_texts_are_refused_without_showing_them() {
    assert!(refusal("").contains("empty"));
    assert!(refusal("# only a comment\n").contains("empty"));
    for bad in [
        "x",
        "0:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "256:AAEC",
        "1:AAECAwQFBgcICQ",
        "1:AAECAwQFBgcICQ==",
        "1:",
    ] {
        let refused = refusal(&format!("7:{OTHER} {bad}"));
        assert!(refused.contains("entry 2"), "{refused}");
        assert!(!refused.contains("AAEC") && !refused.contains("AQEB"), "{refused}");
    }
    assert!(refusal(&format!("{PINNED} 1:{OTHER}")).contains("have the id 1"));
}

#[test]
fn debug_shows_only_ids() {
    assert_eq!(format!("{:?}", keys(&format!("2:{OTHER} {PINNED}"))), "MasterKeys { current: 2, ids: [1, 2] }");
}

proptest! {
    #[test]
    fn what_is_sealed_opens_only_unchanged_and_in_its_place(
        plain in prop::collection::vec(any::<u8>(), 0..200),
        aad in prop::collection::vec(any::<u8>(), 0..40),
        flip in any::<prop::sample::Index>(),
    ) {
        let keys = keys(PINNED);
        let mut sealed = keys.seal(Purpose::Cookie, &aad, &plain).unwrap();
        prop_assert_eq!(keys.open(Purpose::Cookie, &aad, &sealed).unwrap().to_vec(), plain);
        let mut elsewhere = aad.clone();
        elsewhere.push(0);
        prop_assert!(keys.open(Purpose::Cookie, &elsewhere, &sealed).is_none());
        let bit = flip.index(sealed.len() * 8);
        sealed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(keys.open(Purpose::Cookie, &aad, &sealed).is_none());
    }

    #[test]
    fn anything_at_all_can_be_opened_without_panic(sealed in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(keys(PINNED).open(Purpose::Cookie, b"", &sealed).is_none());
    }

    #[test]
    fn any_text_can_be_parsed_without_panic(text in "\\PC*") {
        let _parsed = MasterKeys::from_text(&SecretString::from(text));
    }
}
