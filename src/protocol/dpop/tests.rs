use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::keys::public_key::PublicKey;

/// RFC 9449 figure 2.
const TOKEN_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

/// RFC 9449 section 6.1: the thumbprint of the key of every example.
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

/// RFC 9449 figure 12: the token that the proof of a protected resource request came with, and its hash.
const ACCESS_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const ATH: &str = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo";

const NOW: i64 = 1_562_262_616;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

fn collect(headers: &[&str]) -> Result<Option<(SigningAlg, Value)>, &'static str> {
    PresentedProof::collect(headers.iter().map(|header| header.as_bytes()))
        .map(|proof| proof.map(|proof| (proof.alg, proof.jwk)))
        .map_err(|error| error.description())
}

fn encoded(header: &Value, claims: &Value) -> String {
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode("signature"))
}

fn changed(mut value: Value, change: Value) -> Value {
    for (name, new) in change.as_object().unwrap() {
        match new {
            Value::Null => value.as_object_mut().unwrap().remove(name),
            new => value.as_object_mut().unwrap().insert(name.clone(), new.clone()),
        };
    }
    value
}

fn judged(change: Value, access_token: Option<&str>) -> Result<ProofClaims, &'static str> {
    let claims = json!({"jti": "j", "htm": "POST", "htu": "https://server.example.com/token", "iat": NOW, "ath": ATH});
    let proof = encoded(&json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": {}}), &changed(claims, change));
    let proof = PresentedProof::collect([proof.as_bytes()]).unwrap().unwrap();
    let request = ProvenRequest { method: "POST", url: "https://server.example.com/token", alias: None, access_token };
    proof.check(&request, now()).map_err(|error| error.description())
}

#[test]
fn rfc_9449_figure_2_and_section_6_1() {
    let proof = PresentedProof::collect([TOKEN_REQUEST.as_bytes()]).unwrap().unwrap();
    let key = PublicKey::from_jwk(proof.alg, &proof.jwk).unwrap();
    assert!(key.is_valid(proof.jwt.signing_input.as_bytes(), &proof.jwt.signature));
    assert_eq!(key.jwk().thumbprint(), JKT);
    assert_eq!(parse_jkt(JKT).unwrap(), JKT);
    let request =
        ProvenRequest { method: "POST", url: "https://server.example.com/token", alias: None, access_token: None };
    let claims = proof.check(&request, now()).unwrap();
    let htu = "https://server.example.com/token".to_owned();
    assert_eq!(claims, ProofClaims { jti: "-BwC3ESc6acc2lTc".into(), htu, issued_at: now(), nonce: None });
    assert!(proof.check(&request, now() + PROOF_LIFETIME).is_err());
}

#[test]
fn rfc_9449_figure_12_the_hash_of_the_access_token() {
    assert_eq!(ath(ACCESS_TOKEN), ATH);
    assert!(judged(json!({}), Some(ACCESS_TOKEN)).is_ok());
    assert!(judged(json!({}), Some("another")).unwrap_err().contains("ath"));
    assert!(judged(json!({"ath": null}), Some(ACCESS_TOKEN)).unwrap_err().contains("ath"));
    assert!(judged(json!({"ath": null}), None).is_ok());
}

#[test]
fn rfc_9449_section_4_3_each_rule_about_the_header_refuses() {
    let header = |change| encoded(&changed(json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": {}}), change), &json!({}));
    assert_eq!(collect(&[]), Ok(None));
    assert_eq!(collect(&[&header(json!({}))]), Ok(Some((SigningAlg::ES256, json!({})))));
    assert_eq!(collect(&[&header(json!({})), &header(json!({}))]), Err("more than one DPoP proof"));
    for malformed in ["", "x", "a.b.c", "\u{e9}", &header(json!({"alg": null})), &header(json!({"alg": "none"}))] {
        assert_eq!(collect(&[malformed]), Err("the DPoP proof is malformed"), "{malformed}");
    }
    for typ in [json!(null), json!("jwt"), json!("at+jwt")] {
        assert!(collect(&[&header(json!({ "typ": typ }))]).unwrap_err().contains("typ"));
    }
    for alg in ["RS256", "HS256", "ES512", "es256"] {
        assert!(collect(&[&header(json!({ "alg": alg }))]).unwrap_err().contains("alg"));
    }
    assert_eq!(collect(&[&header(json!({"jwk": null}))]), Err("the DPoP proof shows no key"));
}

#[test]
fn rfc_9449_section_4_3_each_rule_about_the_claims_refuses() {
    let refused = |change: Value, what: &str| {
        let description = judged(change.clone(), None).unwrap_err();
        assert!(description.contains(what), "{change}: {description}");
    };
    for jti in [json!(null), json!(""), json!(1), json!("j".repeat(257))] {
        refused(json!({ "jti": jti }), "jti");
    }
    for htm in [json!(null), json!("GET"), json!("post")] {
        refused(json!({ "htm": htm }), "htm");
    }
    for htu in [json!(null), json!("https://server.example.com/"), json!("https://server.example.com/token/"), json!(1)]
    {
        refused(json!({ "htu": htu }), "htu");
    }
    for iat in [json!(null), json!("1562262616"), json!(1e300)] {
        refused(json!({ "iat": iat }), "no iat");
    }
    refused(json!({"iat": NOW + 3600}), "future");
    refused(json!({"iat": NOW - 3600}), "too old");
    refused(json!({"nonce": 1}), "nonce");
}

#[test]
fn clocks_that_differ_a_little_are_accepted() {
    for iat in [json!(NOW - 10), json!(NOW + 8), json!(NOW + 10), json!(NOW as f64 + 0.9)] {
        assert!(judged(json!({ "iat": iat }), None).is_ok(), "{iat}");
    }
    assert!(judged(json!({"iat": NOW - PROOF_LIFETIME.num_seconds() + 1}), None).is_ok());
    assert!(judged(json!({"iat": NOW - PROOF_LIFETIME.num_seconds()}), None).is_err());
    assert!(judged(json!({"iat": NOW + CLOCK_TOLERANCE.num_seconds() + 1}), None).is_err());
}

#[test]
fn other_claims_and_other_members_of_the_header_do_not_matter() {
    assert!(judged(json!({"nbf": NOW, "exp": NOW - 5, "aud": [1], "extra": {}}), None).is_ok());
    assert_eq!(judged(json!({"nonce": "n"}), None).unwrap().nonce.as_deref(), Some("n"));
    let header = json!({"typ": "application/dpop+JWT", "alg": "PS256", "jwk": {}, "kid": "k", "extra": [1]});
    assert!(collect(&[&encoded(&header, &json!({}))]).unwrap().is_some());
}

#[test]
fn rfc_3986_section_6_2_two_spellings_of_one_address_are_equal() {
    let is_same = |one: &str, other: &str| normalized(one).is_some() && normalized(one) == normalized(other);
    for other in [
        "HTTPS://As.Example/a/b",
        "https://as.example:443/a/b",
        "https://as.example:/a/b",
        "https://as.example/a/b?c=d",
        "https://as.example/a/b#c",
        "https://as.example/a/b?c#d",
        "https://as.example/%61/b",
        "https://as.example/a/./x/../b",
        "https://as.example/a/x/%2e%2E/b",
    ] {
        assert!(is_same("https://as.example/a/b", other), "{other}");
    }
    assert!(is_same("https://as.example/%7Ea%c3%a4", "https://as.example/~a%C3%A4"));
    assert!(is_same("https://as.example", "https://as.example/"));
    assert!(is_same("http://localhost:80/x", "http://LOCALHOST/x"));
    assert!(is_same("http://[::1]:8000/x", "http://[0:0::1]:8000/x"));
}

#[test]
fn other_addresses_are_not_equal() {
    let ours = normalized("https://as.example/a/b");
    for other in [
        "http://as.example/a/b",
        "https://as.example:8443/a/b",
        "https://as.example/A/b",
        "https://as.example/a/b/",
        "https://as.example/a%2Fb",
        "https://as.example//a/b",
        "https://as.example.evil.example/a/b",
        "https://as.example@evil.example/a/b",
        "https://evil@as.example/a/b",
        "https://@as.example/a/b",
        "https:as.example/a/b",
        "https:///as.example/a/b",
        "https:\\\\as.example\\a\\b",
        " https://as.example/a/b",
        "https://as.example/a/\tb",
        "https://as.example/a/b%",
        "https://as.example/a/b%4",
        "https://as.example/\u{e4}",
        "//as.example/a/b",
        "/a/b",
        "",
        "ftp://as.example/a/b",
    ] {
        assert_ne!(normalized(other), ours, "{other}");
    }
}

#[test]
fn a_thumbprint_has_one_spelling() {
    for wrong in ["", "x", &JKT[1..], &format!("{JKT}="), &format!("{}J", &JKT[..42]), &format!("{JKT}A")] {
        assert!(parse_jkt(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn never_panics(header in any::<Vec<u8>>(), htu in ".{0,40}") {
        let _ = PresentedProof::collect([header.as_slice()]).map(|proof| proof.is_some());
        let _ = normalized(&htu);
    }

    #[test]
    fn whatever_is_accepted_is_bounded_in_time(iat in NOW - 1000..NOW + 1000) {
        if let Ok(claims) = judged(json!({ "iat": iat }), None) {
            prop_assert!(claims.issued_at > now() - PROOF_LIFETIME && claims.issued_at <= now() + CLOCK_TOLERANCE);
            prop_assert!((claims.issued_at - now()).abs() < TimeDelta::hours(1));
        }
    }

    #[test]
    fn what_is_normalized_stays_as_it_is(uri in "https?://[a-zA-Z.]{1,9}(:[0-9]{1,4})?(/[a-zA-Z%0-9.~:@!-]{0,5}){0,4}(\\?[a-z]{0,3})?") {
        if let Some(normal) = normalized(&uri) {
            prop_assert_eq!(normalized(&normal), Some(normal.clone()));
            prop_assert!(!normal.contains(['?', '#']));
        }
    }
}
