use josekit::jwe::{self, JweHeader};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::keys::jwe::Recipient;
use crate::keys::private_key::RsaBits;
use crate::model::encryption_alg::EncryptionAlg;

/// RFC 7520 section 5.5.
const RFC_7520: &str = "eyJhbGciOiJFQ0RILUVTIiwia2lkIjoibWVyaWFkb2MuYnJhbmR5YnVja0BidWNrbGFuZC5leGFtcGxlIiwiZXBrIjp7Imt0eSI6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoibVBVS1RfYkFXR0hJaGcwVHBqanFWc1AxclhXUXVfdndWT0hIdE5rZFlvQSIsInkiOiI4QlFBc0ltR2VBUzQ2ZnlXdzVNaFlmR1RUMElqQnBGdzJTUzM0RHY0SXJzIn0sImVuYyI6IkExMjhDQkMtSFMyNTYifQ..yc9N8v5sYyv3iGQT926IUg.BoDlwPnTypYq-ivjmQvAYJLb5Q6l-F3LIgQomlz87yW4OPKbWE1zSTEFjDfhU9IPIOSA9Bml4m7iDFwA-1ZXvHteLDtw4R1XRGMEsDIqAYtskTTmzmzNa-_q4F_evAPUmwlO-ZG45Mnq4uhM1fm_D9rBtWolqZSF3xGNNkpOMQKF1Cl8i8wjzRli7-IXgyirlKQsbhhqRzkv8IcY6aHl24j03C-AR2le1r7URUhArM79BY8soZU0lzwI-sD5PZ3l4NDCCei9XkoIAfsXJWmySPoeRb2Ni5UZL4mYpvKDiwmyzGd65KqVw7MsFfI_K767G9C9Azp73gKZD0DyUn1mn0WW5LmyX_yJ-3AROq8p1WZBfG-ZyJ6195_JGG2m9Csg.WCCkNa-x4BeB9hIDIfFuhg";

fn new_key() -> PrivateKey {
    PrivateKey::generate(KeyAlg::EcdhEs, RsaBits::default()).unwrap()
}

fn jwk(key: &PrivateKey) -> Value {
    let mut jwk = serde_json::to_value(key.public_jwk().unwrap()).unwrap();
    jwk["use"] = json!("enc");
    jwk
}

fn encrypted(key: &PrivateKey, enc: ContentEncryption) -> String {
    let recipient = Recipient::from_jwk(EncryptionAlg::EcdhEs, &jwk(key)).unwrap();
    recipient.encrypt(enc, b"content", (Some("JWT"), None)).unwrap()
}

fn open(decrypter: &Decrypter, token: &str) -> Option<String> {
    decrypter.open(&UnopenedJwe::parse(token)?)
}

/// The token with another header, its other parts as they were.
fn under(token: &str, change: impl FnOnce(&mut Value)) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    change(&mut header);
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

fn with_part(token: &str, index: usize, part: &str) -> String {
    let mut parts: Vec<&str> = token.split('.').collect();
    parts[index] = part;
    parts.join(".")
}

#[test]
fn rfc_7520_section_5_5() {
    let d = URL_SAFE_NO_PAD.decode("r_kHyZ-a06rmxM3yESK84r1otSg-aQcVStkRhA-iCM8").unwrap();
    let key = PrivateKey(Material::P256(p256::SecretKey::from_slice(&d).unwrap()));
    let decrypter = Decrypter::new(&key).unwrap();
    let token = UnopenedJwe::parse(RFC_7520).unwrap();
    assert_eq!(token.kid.as_deref(), Some("meriadoc.brandybuck@buckland.example"));
    let content = decrypter.open(&token).unwrap();
    assert!(content.starts_with("You can trust us to stick with you through thick and thin"), "{content}");
}

#[test]
fn what_was_encrypted_to_a_key_is_opened_by_that_key_alone() {
    let (key, other) = (new_key(), new_key());
    let (decrypter, stranger) = (Decrypter::new(&key).unwrap(), Decrypter::new(&other).unwrap());
    for enc in ContentEncryption::ALL {
        let token = encrypted(&key, enc);
        assert_eq!(open(&decrypter, &token).as_deref(), Some("content"));
        assert_eq!(open(&stranger, &token), None);
    }
    let rsa = PrivateKey::generate(KeyAlg::RS256, RsaBits::default()).unwrap();
    assert!(Decrypter::new(&rsa).is_none());
}

#[test]
fn a_tag_counts_in_full_and_so_does_everything_under_it() {
    let key = new_key();
    let decrypter = Decrypter::new(&key).unwrap();
    for enc in ContentEncryption::ALL {
        let token = encrypted(&key, enc);
        for index in 2..5 {
            let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap();
            for place in [0, part.len() - 1] {
                let mut changed = part.clone();
                changed[place] ^= 1;
                let changed = with_part(&token, index, &URL_SAFE_NO_PAD.encode(&changed));
                assert_eq!(open(&decrypter, &changed), None, "{enc:?} part {index} at {place}");
            }
            // Cut off, a tag would soon be guessed.
            let cut = with_part(&token, index, &URL_SAFE_NO_PAD.encode(&part[..1]));
            assert_eq!(open(&decrypter, &cut), None, "{enc:?} part {index} cut off");
            assert_eq!(open(&decrypter, &with_part(&token, index, "")), None, "{enc:?} part {index} away");
        }
        assert_eq!(open(&decrypter, &under(&token, |header| header["typ"] = json!("JWT"))), None, "the header counts");
        assert_eq!(open(&decrypter, &with_part(&token, 1, "AAAA")), None, "no key is sent");
    }
}

#[test]
fn other_algorithms_and_extensions_are_refused_before_the_library_sees_them() {
    let token = encrypted(&new_key(), ContentEncryption::A256Gcm);
    assert!(UnopenedJwe::parse(&token).is_some());
    let refused = |change: Value| {
        let changed =
            under(&token, |header| header.as_object_mut().unwrap().extend(change.as_object().unwrap().clone()));
        assert!(UnopenedJwe::parse(&changed).is_none(), "{change}");
    };
    for alg in ["dir", "RSA1_5", "RSA-OAEP", "PBES2-HS256+A128KW", "A128KW", "ECDH-ES+A128KW", "none", "ecdh-es"] {
        refused(json!({"alg": alg}));
    }
    refused(json!({"alg": 1}));
    for enc in ["A192GCM", "A192CBC-HS384", "none", "a256gcm", ""] {
        refused(json!({"enc": enc}));
    }
    refused(json!({"zip": "DEF"}));
    refused(json!({"zip": null}));
    refused(json!({"crit": ["exp"], "exp": 1}));
    refused(json!({"cty": "text/plain"}));
    refused(json!({"kid": 1}));
    let no_object = URL_SAFE_NO_PAD.encode("[]");
    let twice = URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","alg":"ECDH-ES","enc":"A256GCM"}"#);
    for header in [no_object.as_str(), &twice, "", "A", "e30="] {
        assert!(UnopenedJwe::parse(&with_part(&token, 0, header)).is_none(), "{header}");
    }
    assert!(UnopenedJwe::parse(&format!("{token}.")).is_none(), "six parts");
    let long = with_part(&token, 3, &URL_SAFE_NO_PAD.encode(vec![0; MAX_LENGTH]));
    assert!(UnopenedJwe::parse(&long).is_none(), "too long");
}

#[test]
fn a_packed_content_is_refused_although_it_is_genuine() {
    let key = new_key();
    let mut header = JweHeader::new();
    header.set_content_encryption("A256GCM");
    header.set_compression("DEF");
    let jwk = josekit::jwk::Jwk::from_map(jwk(&key).as_object().unwrap().clone()).unwrap();
    let encrypter = ECDH_ES.encrypter_from_jwk(&jwk).unwrap();
    let bomb = jwe::serialize_compact(&vec![b'a'; 10_000_000], &header, &encrypter).unwrap();
    assert!(bomb.len() < MAX_LENGTH, "it would be looked at");
    assert!(UnopenedJwe::parse(&bomb).is_none());
}

#[test]
fn an_ephemeral_key_that_is_no_point_of_the_curve_opens_nothing() {
    let key = new_key();
    let decrypter = Decrypter::new(&key).unwrap();
    let token = encrypted(&key, ContentEncryption::A128Gcm);
    for (name, value) in [
        ("x", json!(URL_SAFE_NO_PAD.encode([7; 32]))),
        ("y", json!("")),
        ("crv", json!("P-384")),
        ("kty", json!("OKP")),
        ("x", json!(7)),
    ] {
        assert_eq!(
            open(&decrypter, &under(&token, |header| header["epk"][name] = value.clone())),
            None,
            "{name} {value}"
        );
    }
    assert_eq!(open(&decrypter, &under(&token, |header| header["epk"] = json!("none"))), None);
}

proptest! {
    #[test]
    fn nothing_that_is_made_up_is_opened(text in "[A-Za-z0-9_.-]{0,200}") {
        let decrypter = Decrypter::new(&new_key()).unwrap();
        prop_assert_eq!(open(&decrypter, &text), None);
    }
}
