use proptest::prelude::*;
use secrecy::SecretString;

use super::*;

const PINNED: &str = "1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OTHER: &str = "2:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
// Computed with another program, from the key above: family 11.., secret 22.., seq 7, salt 33...
const CODE_TEXT: &str = "AQERERERERERERERERERERERIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiKRnwB7mQ8CFx0F6Xe3-Quk";
const REFRESH_TEXT: &str =
    "AgERERERERERERERERERERERAAAAByIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiDIzG7Gk_v8u6SWUblqKDsQ";
const SUCCESSOR_TEXT: &str =
    "AgERERERERERERERERERERERAAAACKQbLCTQ4NM2Neo3tlDDjTjMSIPGNYv33qyFyvn8e773HNtuXJZkRKzKSlCTaCdAsg";

fn keys(text: &str) -> MasterKeys {
    MasterKeys::from_text(&SecretString::from(text)).unwrap()
}

fn pinned_family() -> FamilyId {
    FamilyId(Uuid::from_bytes([0x11; 16]))
}

#[test]
fn the_wire_formats_never_change() {
    let keys = keys(PINNED);
    let code = PlainCode::parse(&keys, CODE_TEXT).unwrap();
    assert_eq!((code.id(), code.encode().as_str()), (pinned_family(), CODE_TEXT));
    assert_eq!(code.hash(), sha256(&[0x22; 32]));

    let token = PlainRefreshToken::parse(&keys, REFRESH_TEXT).unwrap();
    assert_eq!((token.id(), token.seq(), token.encode().as_str()), (pinned_family(), 7, REFRESH_TEXT));
    assert_eq!(token.hash(), sha256(&[0x22; 32]));

    let successor = token.successor(&keys, 1, &[0x33; 32]).unwrap();
    assert_eq!((successor.id(), successor.seq(), successor.encode().as_str()), (pinned_family(), 8, SUCCESSOR_TEXT));
    let hash: String = successor.hash().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, "5a8349fd3a7833f269c432e359116ddd1736d7d5c0bb7332a9dfa14c99e2f284");
}

#[test]
fn fresh_tokens_come_back_from_their_text() {
    let keys = keys(PINNED);
    let id = FamilyId(Uuid::now_v7());
    let code = PlainCode::new(&keys, id);
    let text = code.encode();
    let parsed = PlainCode::parse(&keys, &text).unwrap();
    assert_eq!((text.len(), parsed.id(), parsed.hash()), (88, id, code.hash()));
    assert_ne!(PlainCode::new(&keys, id).encode(), text);

    let token = PlainRefreshToken::first(&keys, id);
    let text = token.encode();
    let parsed = PlainRefreshToken::parse(&keys, &text).unwrap();
    assert_eq!((text.len(), parsed.id(), parsed.seq(), parsed.hash()), (94, id, 0, token.hash()));
}

#[test]
fn every_node_computes_the_same_successor_at_any_time() {
    let (before, during, after) =
        (keys(PINNED), keys(&format!("{PINNED} {OTHER}")), keys(&format!("{OTHER} {PINNED}")));
    let token = PlainRefreshToken::first(&before, FamilyId(Uuid::now_v7()));
    let text = token.encode();
    let salt = random::bytes();
    let expected = token.successor(&before, 1, &salt).unwrap().encode();
    for node in [&during, &after] {
        let presented = PlainRefreshToken::parse(node, &text).unwrap();
        assert_eq!(presented.successor(node, 1, &salt).unwrap().encode(), expected);
    }
    let by_new_key = PlainRefreshToken::parse(&after, &text).unwrap().successor(&after, 2, &salt).unwrap().encode();
    assert!(PlainRefreshToken::parse(&during, &by_new_key).is_some());
    assert!(PlainRefreshToken::parse(&before, &by_new_key).is_none());
    assert!(token.successor(&before, 2, &salt).is_none());
    assert_ne!(token.successor(&before, 1, &random::bytes()).unwrap().encode(), expected);
}

#[test]
fn the_last_sequence_number_has_no_successor() {
    let keys = keys(PINNED);
    let mut token = PlainRefreshToken::first(&keys, pinned_family());
    token.seq = i32::MAX;
    assert!(token.successor(&keys, 1, &[0; 32]).is_none());
}

#[test]
fn one_kind_is_not_taken_for_another() {
    let keys = keys(PINNED);
    let id = FamilyId(Uuid::now_v7());
    let (code, refresh) = (PlainCode::new(&keys, id).encode(), PlainRefreshToken::first(&keys, id).encode());
    let access = OpaqueAccessToken::seal(&keys, b"{}").unwrap();
    let device = PlainCode::new_for_device(&keys, id).encode();
    assert!(PlainCode::parse_for_device(&keys, &device).is_some_and(|code| code.id() == id));
    assert!(PlainCode::parse(&keys, &device).is_none() && PlainRefreshToken::parse(&keys, &device).is_none());
    assert!([&code, &refresh, &access].into_iter().all(|text| PlainCode::parse_for_device(&keys, text).is_none()));
    let elsewhere = PlainCode::new_for_backchannel(&keys, id).encode();
    assert!(PlainCode::parse_for_backchannel(&keys, &elsewhere).is_some_and(|code| code.id() == id));
    assert!(PlainCode::parse(&keys, &elsewhere).is_none() && PlainCode::parse_for_device(&keys, &elsewhere).is_none());
    let others = [&code, &refresh, &access, &device];
    assert!(others.into_iter().all(|text| PlainCode::parse_for_backchannel(&keys, text).is_none()));
    assert!(PlainRefreshToken::parse(&keys, &code).is_none() && PlainRefreshToken::parse(&keys, &access).is_none());
    assert!(PlainCode::parse(&keys, &refresh).is_none() && PlainCode::parse(&keys, &access).is_none());
    assert!(OpaqueAccessToken::open(&keys, &code).is_none() && OpaqueAccessToken::open(&keys, &refresh).is_none());
    assert!(![code, refresh, access].iter().any(|text| text.contains('.')));
}

#[test]
fn a_token_has_exactly_one_spelling() {
    let keys = keys(PINNED);
    // The last character of 94 carries four bits that mean nothing: only zero is accepted there.
    for last in "BCDEFGHIJKLMNOPRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let text = format!("{}{last}", &REFRESH_TEXT[..REFRESH_TEXT.len() - 1]);
        assert!(text == REFRESH_TEXT || PlainRefreshToken::parse(&keys, &text).is_none(), "{text}");
    }
    for text in [
        format!("{REFRESH_TEXT}=="),
        format!(" {REFRESH_TEXT}"),
        format!("{REFRESH_TEXT}\n"),
        REFRESH_TEXT.replace('_', "/"),
    ] {
        assert!(PlainRefreshToken::parse(&keys, &text).is_none(), "{text}");
    }
}

#[test]
fn an_opaque_token_opens_to_its_claims() {
    let keys = keys(PINNED);
    let token = OpaqueAccessToken::seal(&keys, br#"{"sub":"u.x"}"#).unwrap();
    assert_eq!(OpaqueAccessToken::open(&keys, &token).unwrap().as_slice(), br#"{"sub":"u.x"}"#);
    assert!(OpaqueAccessToken::open(&keys_of_another_server(), &token).is_none());
    assert!(OpaqueAccessToken::open(&keys, &"A".repeat(MAX_ACCESS_TEXT + 1)).is_none());
}

fn keys_of_another_server() -> MasterKeys {
    keys(&OTHER.replacen('2', "1", 1))
}

fn flip(text: &str, bit: &prop::sample::Index) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
    let bit = bit.index(bytes.len() * 8);
    bytes[bit / 8] ^= 1 << (bit % 8);
    URL_SAFE_NO_PAD.encode(bytes)
}

proptest! {
    #[test]
    fn any_text_can_be_parsed_without_panic(text in "\\PC{0,120}") {
        let keys = keys(PINNED);
        prop_assert!(PlainCode::parse(&keys, &text).is_none());
        prop_assert!(PlainRefreshToken::parse(&keys, &text).is_none());
        prop_assert!(OpaqueAccessToken::open(&keys, &text).is_none());
    }

    #[test]
    fn any_bytes_of_the_right_length_are_refused_without_the_tag(body in prop::collection::vec(any::<u8>(), 70)) {
        let keys = keys(PINNED);
        let text = |kind: u8, length: usize| {
            let mut bytes = body[..length].to_vec();
            bytes[0] = kind;
            bytes[1] = 1;
            URL_SAFE_NO_PAD.encode(bytes)
        };
        prop_assert!(PlainCode::parse(&keys, &text(CODE, CODE_LENGTH)).is_none());
        prop_assert!(PlainRefreshToken::parse(&keys, &text(REFRESH, REFRESH_LENGTH)).is_none());
        prop_assert!(OpaqueAccessToken::open(&keys, &text(ACCESS, REFRESH_LENGTH)).is_none());
    }

    #[test]
    fn a_flipped_bit_is_refused(bit in any::<prop::sample::Index>()) {
        let keys = keys(PINNED);
        prop_assert!(PlainCode::parse(&keys, &flip(CODE_TEXT, &bit)).is_none());
        prop_assert!(PlainRefreshToken::parse(&keys, &flip(REFRESH_TEXT, &bit)).is_none());
        let access = OpaqueAccessToken::seal(&keys, br#"{"sub":"u.x"}"#).unwrap();
        prop_assert!(OpaqueAccessToken::open(&keys, &flip(&access, &bit)).is_none());
    }
}
