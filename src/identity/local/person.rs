//! What pages and tokens say of a person: their row as the claims of OpenID Connect Core section 5.1.

use serde_json::{Map, Value};

use crate::identity::backend::Person;
use crate::protocol::claims::release::SCOPES;
use crate::storage::postgres::person::PersonRow;

/// The row's standard claims, completed by what the row knows without being told.
pub(super) fn told(row: PersonRow) -> Person {
    let mut claims: Map<String, Value> =
        row.claims.into_iter().filter(|(name, value)| is_standard(name) && has_value(value)).collect();
    claims.entry("preferred_username").or_insert_with(|| row.username.clone().into());
    // The row knows better than an imported claim when it last changed.
    claims.insert("updated_at".to_owned(), row.updated_at.timestamp().into());
    let display_name = match claims.get("name") {
        Some(Value::String(name)) => name.clone(),
        _ => row.username.clone(),
    };
    Person { display_name, username: row.username, claims, is_administrator: row.is_administrator }
}

/// Section 5.2: a claim may be there in several languages, `name#de`.
fn is_standard(name: &str) -> bool {
    let name = name.split_once('#').map_or(name, |(name, _)| name);
    SCOPES.iter().any(|(_, claims)| claims.contains(&name))
}

fn has_value(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => items.iter().any(has_value),
        Value::Object(members) => members.values().any(has_value),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn row(claims: Value) -> PersonRow {
        let Value::Object(claims) = claims else { panic!("not an object") };
        let updated_at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        PersonRow { username: "alice".into(), claims, is_administrator: true, updated_at }
    }

    #[test]
    fn only_standard_claims_that_have_a_value_are_told() {
        let person = told(row(json!({
            "name": "Alice Example", "name#de": "Alice Beispiel", "email": "alice@example.org", "email_verified": false,
            "nickname": "", "website": null, "address": {"country": ""}, "sub": "u.other", "role": "root",
            "updated_at": 1, "preferred_username": "ally",
        })));
        assert_eq!(
            Value::Object(person.claims),
            json!({
                "name": "Alice Example", "name#de": "Alice Beispiel", "email": "alice@example.org",
                "email_verified": false, "updated_at": 1_800_000_000, "preferred_username": "ally",
            })
        );
        assert_eq!(person.display_name, "Alice Example");
        assert!(person.is_administrator);
    }

    #[test]
    fn who_has_no_name_is_called_by_their_username() {
        let person = told(row(json!({"name": "  "})));
        assert_eq!(person.display_name, "alice");
        let expected = json!({"preferred_username": "alice", "updated_at": 1_800_000_000});
        assert_eq!(Value::Object(person.claims), expected);
    }
}
