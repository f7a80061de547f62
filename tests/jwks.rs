//! `/jwks.json` (RFC 7517 section 5).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::harness::TestApp;

#[tokio::test]
async fn every_key_is_public_named_once_and_strong_enough() {
    let app = TestApp::start().await;
    let answer = app.get("/jwks.json").send().await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=900"));
    let jwks = answer.json();
    assert_eq!(jwks.as_object().unwrap().len(), 1, "nothing but keys");
    let keys = jwks["keys"].as_array().unwrap();
    let mut kids: Vec<&str> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), keys.len());
    for key in keys {
        let members: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(key["use"], "sig", "{key}");
        let expected: &[&str] = match key["kty"].as_str().unwrap() {
            "RSA" => &["alg", "e", "kid", "kty", "n", "use"],
            "EC" => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            "OKP" => &["alg", "crv", "kid", "kty", "use", "x"],
            other => panic!("{other}"),
        };
        let mut sorted = members.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, expected, "no private part: {key}");
        if key["kty"] == "RSA" {
            let modulus = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
            assert!(modulus.len() >= 256 && modulus[0] >= 0x80, "at least 2048 bits: {key}");
        }
    }
}

#[tokio::test]
async fn each_key_names_its_algorithm_and_curve() {
    let app = TestApp::start().await;
    let jwks = app.get("/jwks.json").send().await.json();
    let keys = jwks["keys"].as_array().unwrap();
    let mut found: Vec<_> = keys.iter().map(|key| ["kty", "alg", "crv"].map(|name| key[name].as_str())).collect();
    found.sort_unstable();
    let expected = [
        [Some("EC"), Some("ES256"), Some("P-256")],
        [Some("OKP"), Some("EdDSA"), Some("Ed25519")],
        [Some("RSA"), Some("PS256"), None],
        [Some("RSA"), Some("RS256"), None],
    ];
    assert_eq!(found, expected);
    let length = |key: &Value, name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap().len();
    for key in keys {
        // RFC 7518 section 6.2.1.2, RFC 8037 section 2: the full size of a coordinate.
        for name in ["x", "y"].into_iter().filter(|name| key.get(name).is_some()) {
            assert_eq!(length(key, name), 32, "{key}");
        }
    }
}

#[tokio::test]
async fn there_is_a_key_for_every_advertised_algorithm() {
    let app = TestApp::start().await;
    let metadata: Value = app.get("/.well-known/openid-configuration").send().await.json();
    let jwks = app.get("/jwks.json").send().await.json();
    for list in ["id_token_signing_alg_values_supported", "userinfo_signing_alg_values_supported"] {
        for alg in metadata[list].as_array().unwrap() {
            assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["alg"] == *alg), "{alg}");
        }
    }
    assert_eq!(metadata["jwks_uri"], format!("{}/jwks.json", app.issuer()));
}

#[tokio::test]
async fn a_copy_that_is_still_good_is_not_sent_again() {
    let app = TestApp::start().await;
    let first = app.get("/jwks.json").send().await;
    let etag = first.header("etag").expect("a tag").to_owned();
    for tag in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let again = app.get("/jwks.json").header("if-none-match", &tag).send().await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{tag}");
    }
}
