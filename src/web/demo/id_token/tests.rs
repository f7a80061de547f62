use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;
const ACCESS_TOKEN: &str = "an-access-token";

struct Issuer {
    pair: EcdsaKeyPair,
    keys: KeySet,
}

fn issuer() -> Issuer {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let member = |bytes: &[u8]| Some(URL_SAFE_NO_PAD.encode(bytes));
    let key = Key {
        kid: Some("k".into()),
        alg: Some("ES256".into()),
        n: None,
        e: None,
        x: member(&point[1..33]),
        y: member(&point[33..]),
    };
    Issuer { pair, keys: KeySet { keys: vec![key] } }
}

fn claims() -> Value {
    json!({
        "iss": "http://localhost:8000", "aud": "demo", "sub": "u.x", "exp": NOW + 60, "iat": NOW, "nonce": "n",
        "at_hash": at_hash(SigningAlg::ES256, ACCESS_TOKEN),
    })
}

fn signed(issuer: &Issuer, header: Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", encode(&header), encode(claims));
    let signature = issuer.pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn judged(issuer: &Issuer, token: &str) -> Result<Map<String, Value>, &'static str> {
    let expected =
        Expected { issuer: "http://localhost:8000", client_id: "demo", nonce: Some("n"), access_token: ACCESS_TOKEN };
    verify(token, &issuer.keys, &expected, DateTime::from_timestamp(NOW, 0).unwrap())
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "k"})
}

#[test]
fn a_good_token_is_accepted() {
    let issuer = issuer();
    let verified = judged(&issuer, &signed(&issuer, header(), &claims())).unwrap();
    assert_eq!(verified["sub"], "u.x");
}

#[test]
fn each_wrong_claim_is_refused() {
    let issuer = issuer();
    for (name, value, reason) in [
        ("iss", json!("http://localhost:8001"), "it is another issuer's"),
        ("aud", json!(["demo", "other"]), "it is for somebody else"),
        ("aud", json!([]), "it is for somebody else"),
        ("azp", json!("other"), "it is for somebody else"),
        ("exp", json!(NOW - 30), "it has expired"),
        ("exp", json!("soon"), "it has expired"),
        ("iat", json!(NOW + 31), "it is from the future"),
        ("nonce", json!("m"), "its nonce is wrong"),
        ("nonce", Value::Null, "its nonce is wrong"),
        ("sub", json!(""), "it has no subject"),
        ("at_hash", json!("AAAA"), "it belongs to another access token"),
    ] {
        let mut changed = claims();
        changed[name] = value;
        assert_eq!(judged(&issuer, &signed(&issuer, header(), &changed)), Err(reason), "{name}");
    }
}

#[test]
fn only_the_issuers_key_counts() {
    let (ours, other) = (issuer(), issuer());
    assert_eq!(judged(&ours, &signed(&other, header(), &claims())), Err("its signature is wrong"));
    for (header, reason) in [
        (json!({"alg": "none", "kid": "k"}), "it is malformed"),
        (json!({"alg": "HS256", "kid": "k"}), "its algorithm is unknown"),
        (json!({"alg": "RS256", "kid": "k"}), "its signature is wrong"),
        (json!({"alg": "ES256", "kid": "other"}), "its key is not published"),
        (json!({"alg": "ES256"}), "it names no key"),
    ] {
        assert_eq!(judged(&ours, &signed(&ours, header, &claims())), Err(reason), "{reason}");
    }
    let token = signed(&ours, header(), &claims());
    let (rest, _) = token.rsplit_once('.').unwrap();
    assert_eq!(judged(&ours, &format!("{rest}.AAAA")), Err("its signature is wrong"));
    assert_eq!(judged(&ours, rest), Err("it is malformed"));
}
