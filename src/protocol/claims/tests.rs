use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::protocol::error::ErrorCode;

fn parse(value: Value) -> ClaimsRequest {
    ClaimsRequest::parse(&value.to_string()).unwrap()
}

fn refused(text: &str) {
    let error = ClaimsRequest::parse(text).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidRequest, "{text}");
}

#[test]
fn the_example_of_openid_connect_core_section_5_5() {
    let request = parse(json!({
        "userinfo": {
            "given_name": {"essential": true},
            "nickname": null,
            "email": {"essential": true},
            "email_verified": {"essential": true},
            "picture": null,
            "http://example.info/claims/groups": null
        },
        "id_token": {
            "auth_time": {"essential": true},
            "acr": {"values": ["urn:mace:incommon:iap:silver"]}
        }
    }));
    assert_eq!(request.userinfo.len(), 6);
    assert!(request.userinfo["given_name"].essential);
    assert_eq!(request.userinfo["nickname"], ClaimRequest::default());
    assert!(request.id_token["auth_time"].essential);
    assert_eq!(request.acr_values().collect::<Vec<_>>(), ["urn:mace:incommon:iap:silver"]);
}

#[test]
fn members_that_are_not_understood_must_be_ignored() {
    let request = parse(json!({"userinfo": {"name": {"purpose": "greeting"}}, "other": [1, 2]}));
    assert_eq!(request, parse(json!({"userinfo": {"name": null}})));
    assert_eq!(parse(json!({"other": {}})), ClaimsRequest::default());
    assert_eq!(parse(json!({"userinfo": null})), ClaimsRequest::default());
}

#[test]
fn what_is_not_a_claims_request_is_refused() {
    for text in [
        "",
        "null",
        "[]",
        "\"userinfo\"",
        "{",
        "{} {}",
        r#"{"userinfo": {"na\u0000me": null}}"#,
        r#"{"id_token": {"name": {"values": ["x", "\u0000"]}}}"#,
        r#"{"userinfo": []}"#,
        r#"{"userinfo": "name"}"#,
        r#"{"userinfo": {"name": true}}"#,
        r#"{"userinfo": {"name": []}}"#,
        r#"{"userinfo": {"name": {"essential": "true"}}}"#,
        r#"{"userinfo": {"name": {"essential": null}}}"#,
        r#"{"id_token": {"acr": {"values": "x"}}}"#,
        r#"[{"name": null}, {"name": null}]"#,
    ] {
        refused(text);
    }
}

#[test]
fn a_repeated_member_is_refused() {
    refused(r#"{"userinfo": {}, "userinfo": {}}"#);
    refused(r#"{"userinfo": {"name": null, "name": {"essential": true}}}"#);
    refused(r#"{"id_token": {"acr": {"value": "a", "value": "b"}}}"#);
}

#[test]
fn size_and_depth_are_bounded() {
    refused(&format!(r#"{{"x": "{}"}}"#, "x".repeat(MAX_BYTES)));
    refused(r#"{"userinfo": {"a": {"value": {"b": {"c": {}}}}}}"#);
    refused(&"[".repeat(MAX_BYTES));
    let many: Map<String, Value> = (0..=MAX_CLAIMS).map(|i| (format!("c{i}"), Value::Null)).collect();
    refused(&json!({ "userinfo": many }).to_string());
}

#[test]
fn an_essential_acr_must_be_reached() {
    let table = [
        (json!({}), true),
        (json!({"id_token": {"acr": null}}), true),
        (json!({"id_token": {"acr": {"essential": true}}}), true),
        (json!({"id_token": {"acr": {"values": ["gold"]}}}), true),
        (json!({"id_token": {"acr": {"essential": true, "values": ["gold", "pwd"]}}}), true),
        (json!({"id_token": {"acr": {"essential": true, "value": "pwd"}}}), true),
        (json!({"id_token": {"acr": {"essential": true, "value": "gold"}}}), false),
        (json!({"id_token": {"acr": {"essential": true, "values": ["gold", 1]}}}), false),
        (json!({"userinfo": {"acr": {"essential": true, "value": "gold"}}}), true),
    ];
    for (request, accepted) in table {
        assert_eq!(parse(request.clone()).accepts_acr("pwd"), accepted, "{request}");
    }
}

#[test]
fn a_subject_asked_for_by_value_is_required() {
    assert_eq!(parse(json!({"id_token": {"sub": {"value": "u.1"}}})).required_subject(), Some("u.1"));
    assert_eq!(parse(json!({"id_token": {"sub": null}})).required_subject(), None);
    assert_eq!(parse(json!({"userinfo": {"sub": {"value": "u.1"}}})).required_subject(), None);
}

fn any_request() -> impl Strategy<Value = ClaimsRequest> {
    let value = prop_oneof![any::<bool>().prop_map(Value::from), "[a-z]{0,3}".prop_map(Value::from)];
    let claim = (any::<bool>(), prop::option::of(value.clone()), prop::collection::vec(value, 0..3))
        .prop_map(|(essential, value, values)| ClaimRequest { essential, value, values });
    let claims = prop::collection::btree_map("[a-z_#-]{0,8}", claim, 0..5);
    (claims.clone(), claims).prop_map(|(userinfo, id_token)| ClaimsRequest { userinfo, id_token, locales: Vec::new() })
}

proptest! {
    #[test]
    fn never_panics(text in any::<String>()) {
        let _ = ClaimsRequest::parse(&text);
    }

    #[test]
    fn a_request_survives_being_stored(request in any_request()) {
        let stored = serde_json::to_value(&request).unwrap();
        prop_assert_eq!(serde_json::from_value::<ClaimsRequest>(stored.clone()).unwrap(), request.clone());
        prop_assert_eq!(ClaimsRequest::parse(&stored.to_string()).unwrap(), request);
    }
}
