//! What the demo's people say of themselves.

use serde_json::{Map, Value, json};

/// Every standard claim (OpenID Connect Core section 5.1) but `sub` and `updated_at`, which the server knows itself.
pub fn user_claims() -> Map<String, Value> {
    object(json!({
        "name": "Alice Adler",
        "given_name": "Alice",
        "family_name": "Adler",
        "middle_name": "Maria",
        "nickname": "Ali",
        "preferred_username": "alice",
        "profile": "https://people.example/alice",
        "picture": "https://people.example/alice/portrait.jpg",
        "website": "https://alice.example",
        "email": "alice@mail.example",
        "email_verified": true,
        "gender": "female",
        "birthdate": "1990-05-17",
        "zoneinfo": "Europe/Vienna",
        "locale": "de-AT",
        "phone_number": "+43 1 555 0123",
        "phone_number_verified": true,
        "address": {
            "formatted": "Musterstrasse 12\n1010 Wien\nAustria",
            "street_address": "Musterstrasse 12",
            "locality": "Wien",
            "region": "Wien",
            "postal_code": "1010",
            "country": "Austria"
        }
    }))
}

/// An administrator needs little more than a name.
pub fn admin_claims() -> Map<String, Value> {
    object(json!({
        "name": "Demo Administrator",
        "preferred_username": "admin",
        "email": "admin@mail.example",
        "email_verified": true
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
