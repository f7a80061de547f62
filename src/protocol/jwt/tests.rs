use proptest::prelude::*;

use super::*;

const RFC_7515_PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn jwt(header: &str, claims: &str) -> String {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn refusal(text: &str) -> JwtError {
    UnverifiedJwt::parse(text).err().unwrap()
}

#[test]
fn rfc_7515_appendix_a_3_is_taken_apart() {
    let text = format!(
        "eyJhbGciOiJFUzI1NiJ9.{RFC_7515_PAYLOAD}.\
         DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let jwt = UnverifiedJwt::parse(&text).unwrap();
    assert_eq!(jwt.header, JwtHeader { alg: "ES256".into(), kid: None, typ: None, jwk: None });
    assert_eq!(jwt.claims["iss"], "joe");
    assert_eq!(jwt.claims["exp"], 1_300_819_380);
    assert_eq!(jwt.claims["http://example.com/is_root"], true);
    assert_eq!(jwt.signing_input, &text[..text.len() - 87]);
    assert_eq!((jwt.signature.len(), jwt.signature[0]), (64, 14));
}

#[test]
fn openid_connect_core_appendix_a_hashes() {
    let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    for alg in [SigningAlg::RS256, SigningAlg::PS256, SigningAlg::ES256] {
        assert_eq!(at_hash(alg, token), "77QmUPtjPfzWtF2AnpK9RQ");
    }
    assert_eq!(at_hash(SigningAlg::EdDSA, token), "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM");
    let code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk";
    assert_eq!(at_hash(SigningAlg::RS256, code), "LDktKdoQak3Pk0cnXxCltA");
}

#[test]
fn rfc_7515_section_4_1_9_media_types_are_compared() {
    for (one, other) in
        [("at+jwt", "at+JWT"), ("application/at+jwt", "at+jwt"), ("JWT", "Application/jwt"), ("a/b", "A/B")]
    {
        assert!(is_same_type(one, other), "{one} {other}");
    }
    for (one, other) in [
        ("at+jwt", "jwt"),
        ("application/a/jwt", "a/jwt"),
        ("", "application"),
        ("application/", "jwt"),
        ("applicatio\u{fe}/jwt", "jwt"),
    ] {
        assert!(!is_same_type(one, other), "{one} {other}");
    }
    let header =
        |typ: Option<&str>| JwtHeader { alg: "ES256".into(), kid: None, typ: typ.map(str::to_owned), jwk: None };
    assert!(header(Some("application/at+jwt")).is_typ("at+jwt"));
    assert!(!header(None).is_typ("JWT"));
}

#[test]
fn rfc_7519_section_4_repeated_members_are_refused() {
    for (header, claims) in [
        (r#"{"alg":"ES256","alg":"RS256"}"#, "{}"),
        (r#"{"alg":"ES256"}"#, r#"{"sub":"a","sub":"b"}"#),
        (r#"{"alg":"ES256"}"#, r#"{"sub":"a","\u0073ub":"b"}"#),
        (r#"{"alg":"ES256"}"#, r#"{"a":[{"b":{"c":1,"c":1}}]}"#),
    ] {
        assert_eq!(refusal(&jwt(header, claims)), JwtError::Malformed, "{header} {claims}");
    }
    assert!(UnverifiedJwt::parse(&jwt(r#"{"alg":"ES256"}"#, r#"{"a":{"c":1},"b":{"c":1}}"#)).is_ok());
}

#[test]
fn rfc_7515_section_4_1_11_critical_extensions_are_refused() {
    for crit in [r#"["exp"]"#, "[]", "null"] {
        assert_eq!(refusal(&jwt(&format!(r#"{{"alg":"ES256","crit":{crit}}}"#), "{}")), JwtError::Critical);
    }
}

#[test]
fn rfc_8725_section_3_2_unsigned_tokens_are_refused() {
    for alg in ["none", "None", "NONE"] {
        assert_eq!(refusal(&jwt(&format!(r#"{{"alg":"{alg}"}}"#), "{}")), JwtError::Unsigned);
    }
    let unsigned = jwt(r#"{"alg":"ES256"}"#, "{}").replace("c2ln", "");
    assert_eq!(refusal(&unsigned), JwtError::Unsigned);
}

#[test]
fn malformed_tokens_are_refused() {
    let good = jwt(r#"{"alg":"ES256"}"#, "{}");
    assert!(UnverifiedJwt::parse(&good).is_ok());
    for bad in [
        String::new(),
        "..".to_owned(),
        "a.b".to_owned(),
        format!("{good}.x"),
        format!("{good}="),
        format!(" {good}"),
        good.replace("c2ln", "c2l+"),
        good.replace("c2ln", "c2x"),
        jwt("[]", "{}"),
        jwt("{}", "{}"),
        jwt(r#"{"alg":1}"#, "{}"),
        jwt(r#"{"alg":"ES256","kid":1}"#, "{}"),
        jwt(r#"{"alg":"ES256","typ":null}"#, "{}"),
        jwt(r#"{"alg":"ES256"}"#, "[]"),
        jwt(r#"{"alg":"ES256"}"#, "{} x"),
        jwt(r#"{"alg":"ES256"}"#, &"[".repeat(5000)),
    ] {
        assert_eq!(refusal(&bad), JwtError::Malformed, "{bad}");
    }
    assert_eq!(refusal(&"a".repeat(MAX_LENGTH + 1)), JwtError::TooLong);
}

proptest! {
    #[test]
    fn any_text_can_be_parsed_without_panic(text in "\\PC*") {
        prop_assert!(UnverifiedJwt::parse(&text).is_err());
    }

    #[test]
    fn any_three_parts_can_be_parsed_without_panic(header in "\\PC*", claims in "\\PC*") {
        let _parsed = UnverifiedJwt::parse(&jwt(&header, &claims));
    }

    #[test]
    fn json_without_repeated_members_is_read_as_serde_json_reads_it(json in json_object()) {
        let text = serde_json::to_vec(&json).unwrap();
        prop_assert_eq!(parse_object(&text).map(Value::Object), serde_json::from_slice::<Value>(&text).ok());
    }
}

fn json_object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(".*", value, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
}
