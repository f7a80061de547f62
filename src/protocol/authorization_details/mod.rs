//! The parameter `authorization_details` (RFC 9396 sections 2 and 5): read strictly, and held against the registered types.

// What an object of a type must look like.
pub mod schema;
// What people are told of an object.
pub mod sentence;

use serde_json::Value;

use super::error::OAuthError;
use super::strict_json::{has_nul, parse as parse_json};
use crate::model::authorization_details::{AuthorizationDetail, AuthorizationDetailsType, type_of};
use crate::model::id::ResourceUri;

/// The longest parameter, in bytes.
pub const MAX_BYTES: usize = 8192;

/// The most objects of one request: a person is to read them all.
pub const MAX_DETAILS: usize = 16;

/// The longest type, in bytes.
pub const MAX_TYPE: usize = 256;

/// How deep an object may be nested.
const MAX_DEPTH: usize = 16;

/// Reads the parameter: a JSON array of objects, each with a `type` (section 2), in which no member is repeated. Of objects that
/// are the same the first is kept.
pub fn parse(text: &str) -> Result<Vec<AuthorizationDetail>, OAuthError> {
    if text.len() > MAX_BYTES {
        return Err(invalid("authorization_details may have at most 8192 bytes"));
    }
    let malformed = || invalid("authorization_details must be a JSON array of objects without repeated members");
    let Ok(Value::Array(items)) = parse_json(text.as_bytes()) else { return Err(malformed()) };
    if items.is_empty() || items.len() > MAX_DETAILS {
        return Err(invalid("authorization_details must have 1 to 16 objects"));
    }
    let mut details = Vec::new();
    for item in items {
        if has_nul(&item) || depth(&item) > MAX_DEPTH {
            return Err(malformed());
        }
        let Value::Object(detail) = item else { return Err(malformed()) };
        if !is_type(type_of(&detail)) {
            return Err(invalid("each of the authorization_details must have a type"));
        }
        if !details.iter().any(|before| is_same(before, &detail)) {
            details.push(detail);
        }
    }
    Ok(details)
}

/// Whether a text can be the name of a type: visible ASCII characters without quotes, such as a URI.
pub fn is_type(text: &str) -> bool {
    (1..=MAX_TYPE).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// Section 5: refuses what is of no type in `types`, of one that is not among those `allowed` to the client, or not what its
/// type says.
pub fn check(
    details: &[AuthorizationDetail],
    allowed: &[String],
    types: &[AuthorizationDetailsType],
) -> Result<(), OAuthError> {
    for detail in details {
        let name = type_of(detail);
        let Some(known) = types.iter().find(|known| known.name_of_type == name) else {
            return Err(invalid("the type of one of the authorization_details is not known"));
        };
        // Section 10.
        if !allowed.iter().any(|allowed| allowed == name) {
            return Err(invalid("the client may not use the type of one of the authorization_details"));
        }
        if !schema::is_valid(&known.schema, detail) {
            return Err(invalid("one of the authorization_details is not what its type demands"));
        }
    }
    Ok(())
}

/// Whether each of `asked` is one of `granted` (section 6.1). What is inside of an object is for the
/// API to compare: a member less may be a permission more.
pub fn is_covered(asked: &[AuthorizationDetail], granted: &[AuthorizationDetail]) -> bool {
    asked.iter().all(|one| granted.iter().any(|other| is_same(one, other)))
}

/// Whether an object means something at one of `resources`: by its type, and by its `locations` (section 2.2) if it has any.
/// Without resources nothing is left out.
pub fn means_something(
    detail: &AuthorizationDetail,
    known: &AuthorizationDetailsType,
    resources: &[ResourceUri],
) -> bool {
    let is_there = |uri: &ResourceUri| {
        let by_type = known.resources.is_empty() || known.resources.contains(uri);
        let by_location = match detail.get("locations") {
            Some(Value::Array(locations)) => locations.iter().any(|location| *location == uri.as_str()),
            _ => true,
        };
        by_type && by_location
    };
    resources.is_empty() || resources.iter().any(is_there)
}

fn is_same(one: &AuthorizationDetail, other: &AuthorizationDetail) -> bool {
    one.len() == other.len()
        && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| schema::is_same(value, other)))
}

fn depth(value: &Value) -> usize {
    let inside = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return 0,
    };
    1 + inside.unwrap_or_default()
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::invalid_authorization_details(description)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::protocol::error::ErrorCode;

    fn payment() -> AuthorizationDetailsType {
        AuthorizationDetailsType {
            name_of_type: "payment".into(),
            schema: json!({
                "type": "object", "additionalProperties": false, "required": ["amount"],
                "properties": {"amount": {"type": "string"}, "locations": {"type": "array"}},
            }),
            name: [("en".to_owned(), "Payment".to_owned())].into(),
            sentence: [].into(),
            resources: Vec::new(),
        }
    }

    fn details(value: Value) -> Vec<AuthorizationDetail> {
        parse(&value.to_string()).unwrap()
    }

    #[test]
    fn section_2_it_is_an_array_of_objects_with_a_type() {
        let deep = format!("[{{\"type\":\"a\",\"b\":{}{}}}]", "[".repeat(40), "]".repeat(40));
        let long = format!("[{{\"type\":\"a\",\"b\":\"{}\"}}]", "x".repeat(MAX_BYTES));
        let many = json!(vec![json!({"type": "a"}); MAX_DETAILS + 1]).to_string();
        let bad = [
            "",
            "{}",
            "[]",
            "[1]",
            "[[]]",
            "null",
            "\"x\"",
            "[{}]",
            "[{\"type\":1}]",
            "[{\"type\":\"\"}]",
            "[{\"type\":\"a b\"}]",
            "[{\"type\":\"a\",\"type\":\"b\"}]",
            "[{\"type\":\"a\",\"b\":{\"c\":1,\"c\":1}}]",
            "[{\"type\":\"a\",\"b\":\"\\u0000\"}]",
            "[{\"type\":\"a\"}] x",
            &deep,
            &long,
            &many,
        ];
        for text in bad {
            assert_eq!(parse(text).unwrap_err().code(), ErrorCode::InvalidAuthorizationDetails, "{text}");
        }
        assert_eq!(details(json!([{"type": "a", "b": [1]}, {"type": "urn:b"}])).len(), 2);
    }

    #[test]
    fn objects_that_are_the_same_are_one() {
        assert_eq!(details(json!([{"type": "a", "b": 1}, {"b": 1.0, "type": "a"}, {"type": "a", "b": 2}])).len(), 2);
        let near =
            json!([{"type": "a", "b": 9_007_199_254_740_993_u64}, {"type": "a", "b": 9_007_199_254_740_992_u64}]);
        assert_eq!(details(near).len(), 2);
    }

    #[test]
    fn section_5_unknown_types_and_members_and_types_of_others_are_refused() {
        let allowed = ["payment".to_owned()];
        let said = |value, allowed: &[String]| {
            check(&details(value), allowed, &[payment()]).map_err(|error| error.description())
        };
        assert_eq!(said(json!([{"type": "payment", "amount": "1"}]), &allowed), Ok(()));
        assert!(said(json!([{"type": "payment", "amount": "1"}]), &[]).unwrap_err().contains("may not use"));
        assert!(said(json!([{"type": "paiment", "amount": "1"}]), &allowed).unwrap_err().contains("not known"));
        for wrong in [json!({}), json!({"amount": 1}), json!({"amount": "1", "more": 1})] {
            let mut wrong = wrong;
            wrong["type"] = "payment".into();
            assert!(said(json!([wrong]), &allowed).unwrap_err().contains("demands"));
        }
    }

    #[test]
    fn section_6_1_a_part_is_covered_and_a_variant_is_not() {
        let granted = details(json!([{"type": "a", "limit": 1}, {"type": "b"}]));
        for covered in [json!([{"type": "b"}]), json!([{"type": "b"}, {"limit": 1.0, "type": "a"}, {"type": "b"}])] {
            assert!(is_covered(&details(covered), &granted));
        }
        for more in [json!([{"type": "a"}]), json!([{"type": "b"}, {"type": "a", "limit": 2}]), json!([{"type": "c"}])]
        {
            assert!(!is_covered(&details(more), &granted));
        }
    }

    #[test]
    fn section_2_2_locations_and_the_type_say_where_it_means_something() {
        let (here, there) = (ResourceUri::new("https://a.example"), ResourceUri::new("https://b.example"));
        let everywhere = payment();
        let only_here = AuthorizationDetailsType { resources: vec![here.clone()], ..payment() };
        let plain = details(json!([{"type": "payment"}])).remove(0);
        let located = details(json!([{"type": "payment", "locations": ["https://b.example"]}])).remove(0);
        let (here, there) = (&[here][..], &[there][..]);
        for (detail, known, at, expected) in [
            (&plain, &everywhere, here, true),
            (&plain, &only_here, here, true),
            (&plain, &only_here, there, false),
            (&plain, &only_here, &[][..], true),
            (&located, &everywhere, here, false),
            (&located, &everywhere, there, true),
            (&located, &only_here, there, false),
        ] {
            assert_eq!(means_something(detail, known, at), expected, "{detail:?} {at:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[\\[\\]{}\":,a-z0-9\\\\ ]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_read_is_written_and_read_again(names in prop::collection::btree_set("[a-z:/]{1,9}", 1..5), text in "[^\\x00]{0,9}") {
            let value: Vec<Value> = names.iter().map(|name| json!({"type": name, "said": text, "in": {"it": [text]}})).collect();
            let read = details(json!(value));
            prop_assert_eq!(&json!(read), &json!(value));
            prop_assert!(is_covered(&read, &read));
        }
    }
}
