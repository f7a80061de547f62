use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::keys::private_key::{PrivateKey, RsaBits};
use crate::model::signing_alg::SigningAlg;

/// A key for `alg` as a client publishes it, without saying what it is for.
fn bare(alg: EncryptionAlg) -> Value {
    let kind = if alg.is_rsa() { SigningAlg::RS256 } else { SigningAlg::ES256 };
    let private = PrivateKey::generate(kind, RsaBits::default()).unwrap();
    serde_json::to_value(private.public_jwk().unwrap()).unwrap()
}

fn with(jwk: &Value, members: Value) -> Value {
    let mut jwk = jwk.clone();
    jwk.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    jwk
}

fn header(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

#[test]
fn the_header_says_how_for_whom_and_what_and_nothing_else() {
    for alg in EncryptionAlg::ALL {
        let jwk = with(&bare(alg), json!({"use": "enc", "kid": "one", "x5u": "https://client.example/"}));
        let recipient = Recipient::from_jwk(alg, &jwk).unwrap();
        for enc in ContentEncryption::ALL {
            let token = recipient.encrypt(enc, b"content", (Some("JWT"), None)).unwrap();
            let mut header = header(&token);
            let epk = header.as_object_mut().unwrap().remove("epk");
            assert_eq!(header, json!({"alg": alg.as_str(), "enc": enc.as_str(), "kid": "one", "cty": "JWT"}));
            match epk {
                Some(epk) => {
                    assert!(!alg.is_rsa());
                    assert_eq!((&epk["kty"], &epk["crv"], epk.get("d")), (&json!("EC"), &json!("P-256"), None));
                }
                None => assert!(alg.is_rsa()),
            }
            assert_eq!(token.split('.').count(), 5);
            let has_key = !token.split('.').nth(1).unwrap().is_empty();
            assert_eq!(has_key, alg != EncryptionAlg::EcdhEs);
        }
    }
}

#[test]
fn no_two_are_alike() {
    let alg = EncryptionAlg::EcdhEs;
    let recipient = Recipient::from_jwk(alg, &with(&bare(alg), json!({"use": "enc"}))).unwrap();
    let encrypt = || recipient.encrypt(ContentEncryption::A128Gcm, b"content", (None, None)).unwrap();
    let (one, other) = (encrypt(), encrypt());
    assert!(one.split('.').zip(other.split('.')).skip(2).all(|(one, other)| one != other), "{one} {other}");
    assert_ne!(header(&one)["epk"], header(&other)["epk"]);
}

#[test]
fn a_key_has_to_say_that_it_is_for_encryption() {
    let alg = EncryptionAlg::EcdhEsA128Kw;
    let bare = bare(alg);
    let is_key = |members| Recipient::from_jwk(alg, &with(&bare, members)).is_some();
    assert!(is_key(json!({"use": "enc"})));
    assert!(is_key(json!({"alg": "ECDH-ES+A128KW"})));
    assert!(is_key(json!({"use": "enc", "alg": "ECDH-ES+A128KW", "key_ops": ["deriveBits"]})));
    for refused in [
        json!({}),
        json!({"use": "sig"}),
        json!({"use": "sig", "alg": "ECDH-ES+A128KW"}),
        json!({"use": "enc", "alg": "ECDH-ES"}),
        json!({"use": "enc", "alg": "ES256"}),
        json!({"use": "enc", "key_ops": ["verify"]}),
        json!({"use": "enc", "d": "AA"}),
        json!({"use": "enc", "kty": "RSA"}),
        json!({"use": "enc", "crv": "P-384"}),
        // Not a point of the curve: whoever agreed on a key with such a one would tell of the ephemeral one.
        json!({"use": "enc", "x": URL_SAFE_NO_PAD.encode([7; 32])}),
        json!({"use": "enc", "y": ""}),
    ] {
        assert!(!is_key(refused.clone()), "{refused}");
    }
}

#[test]
fn an_rsa_key_must_be_long_enough() {
    let alg = EncryptionAlg::RsaOaep256;
    let bare = bare(alg);
    assert!(Recipient::from_jwk(alg, &with(&bare, json!({"use": "enc"}))).is_some());
    let short = json!({"use": "enc", "n": URL_SAFE_NO_PAD.encode([0xff; 128])});
    assert!(Recipient::from_jwk(alg, &with(&bare, short)).is_none());
    assert!(Recipient::from_jwk(EncryptionAlg::EcdhEs, &with(&bare, json!({"use": "enc"}))).is_none());
}
