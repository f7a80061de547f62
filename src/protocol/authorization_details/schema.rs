//! The part of JSON Schema 2020-12 that a type of authorization details is described with.
//!
//! Every keyword that is not known here is refused when a type is registered, and so is an object that does not say that it has
//! no other members: RFC 9396 section 5 demands that unknown members are refused. Nothing is ever fetched: there is no `$ref`.
//! A schema that got past that is read fail-closed: what cannot be understood is not valid.

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value};

use crate::model::authorization_details::AuthorizationDetail;
use crate::protocol::uri::AbsoluteUri;

/// The longest schema, in bytes.
pub const MAX_BYTES: usize = 16_384;

/// How deep a schema may be nested.
const MAX_DEPTH: usize = 8;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "integer", "string"];

const FORMATS: [&str; 3] = ["uri", "date", "date-time"];

/// What is wrong with a schema: where, as a JSON pointer into it, and what.
pub fn violations(schema: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if schema.to_string().len() > MAX_BYTES {
        found.push((String::new(), format!("it may have {MAX_BYTES} bytes at most")));
        return found;
    }
    if schema.get("type") != Some(&Value::from("object")) {
        found.push(("/type".to_owned(), "it must be object: authorization details are objects".to_owned()));
    }
    look(schema, "", 0, &mut found);
    found
}

fn look(schema: &Value, at: &str, depth: usize, found: &mut Vec<(String, String)>) {
    let Value::Object(keywords) = schema else {
        found.push((at.to_owned(), "a schema must be an object".to_owned()));
        return;
    };
    if depth > MAX_DEPTH {
        found.push((at.to_owned(), format!("a schema may be nested {MAX_DEPTH} times at most")));
        return;
    }
    for (keyword, value) in keywords {
        let at = format!("{at}/{}", keyword.replace('~', "~0").replace('/', "~1"));
        if let Err(what) = keyword_violation(keyword, value) {
            found.push((at, what.to_owned()));
            continue;
        }
        match (keyword.as_str(), value) {
            ("items", inner) => look(inner, &at, depth + 1, found),
            ("properties", Value::Object(properties)) => {
                for (name, inner) in properties {
                    look(inner, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), depth + 1, found);
                }
            }
            _ => {}
        }
    }
    let is_object =
        |of: &Value| of == "object" || of.as_array().is_some_and(|several| several.iter().any(|of| of == "object"));
    let has_members = keywords.contains_key("properties") || keywords.get("type").is_some_and(is_object);
    if has_members && !keywords.contains_key("additionalProperties") {
        let what = "it must be there and false: a member that nobody knows is refused (RFC 9396 section 5)";
        found.push((format!("{at}/additionalProperties"), what.to_owned()));
    }
}

/// Whether a keyword is known and has a value that makes sense.
fn keyword_violation(keyword: &str, value: &Value) -> Result<(), &'static str> {
    let texts = |value: &Value, among: Option<&[&str]>| {
        value.as_array().is_some_and(|items| {
            !items.is_empty()
                && items
                    .iter()
                    .all(|item| item.as_str().is_some_and(|text| among.is_none_or(|all| all.contains(&text))))
        })
    };
    let (is_right, what) = match keyword {
        "$schema" => (value == DIALECT, "it must be https://json-schema.org/draft/2020-12/schema"),
        "$comment" | "title" | "description" => (value.is_string(), "it must be a text"),
        "type" => (
            value.as_str().is_some_and(|text| TYPES.contains(&text)) || texts(value, Some(&TYPES)),
            "it must be a type of JSON Schema, or several",
        ),
        "enum" => (value.as_array().is_some_and(|items| !items.is_empty()), "it must be an array of values"),
        "examples" => (value.is_array(), "it must be an array of values"),
        "const" | "default" => (true, ""),
        "properties" => (value.is_object(), "it must be an object of schemas"),
        "items" => (value.is_object(), "it must be a schema"),
        "required" => (texts(value, None), "it must be an array of names"),
        "additionalProperties" => (value == &Value::Bool(false), "it must be false"),
        "minProperties" | "maxProperties" | "minItems" | "maxItems" | "minLength" | "maxLength" => {
            (value.is_u64(), "it must be a whole number that is not negative")
        }
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => (value.is_number(), "it must be a number"),
        "uniqueItems" => (value.is_boolean(), "it must be true or false"),
        "format" => {
            (value.as_str().is_some_and(|text| FORMATS.contains(&text)), "it must be one of uri, date and date-time")
        }
        _ => (false, "this keyword is not supported: see docs/rich-authorization.md"),
    };
    if is_right { Ok(()) } else { Err(what) }
}

/// Whether an object is what the schema of its type says. Its `type` need not stand in the schema.
pub fn is_valid(schema: &Value, detail: &AuthorizationDetail) -> bool {
    let names_type = schema.pointer("/properties/type").is_some();
    let mut said = detail.clone();
    if !names_type {
        said.remove("type");
    }
    fits(schema, &Value::Object(said))
}

fn fits(schema: &Value, value: &Value) -> bool {
    let Value::Object(keywords) = schema else { return false };
    keywords.iter().all(|(keyword, rule)| holds(keywords, keyword, rule, value))
}

fn holds(keywords: &Map<String, Value>, keyword: &str, rule: &Value, value: &Value) -> bool {
    match keyword {
        "$schema" | "$comment" | "title" | "description" | "examples" | "default" => true,
        "type" => match rule {
            Value::String(name) => is_of(name, value),
            Value::Array(names) => names.iter().filter_map(Value::as_str).any(|name| is_of(name, value)),
            _ => false,
        },
        "enum" => rule.as_array().is_some_and(|items| items.iter().any(|item| is_same(item, value))),
        "const" => is_same(rule, value),
        "properties" => match (rule, value) {
            (Value::Object(rules), Value::Object(members)) => {
                members.iter().all(|(name, member)| rules.get(name).is_none_or(|rule| fits(rule, member)))
            }
            (Value::Object(_), _) => true,
            _ => false,
        },
        "additionalProperties" => match value {
            Value::Object(members) => {
                let known = keywords.get("properties").and_then(Value::as_object);
                members.keys().all(|name| known.is_some_and(|known| known.contains_key(name)))
            }
            _ => true,
        },
        "required" => match (rule, value) {
            (Value::Array(names), Value::Object(members)) => {
                names.iter().all(|name| name.as_str().is_some_and(|name| members.contains_key(name)))
            }
            (Value::Array(_), _) => true,
            _ => false,
        },
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| fits(rule, item))),
        "uniqueItems" => {
            let is_first = |(index, item): (usize, &Value), items: &[Value]| {
                !items.iter().take(index).any(|one| is_same(one, item))
            };
            *rule == Value::Bool(false)
                || value.as_array().is_none_or(|items| items.iter().enumerate().all(|one| is_first(one, items)))
        }
        "minProperties" | "maxProperties" => bounded(keyword, rule, value.as_object().map(Map::len)),
        "minItems" | "maxItems" => bounded(keyword, rule, value.as_array().map(Vec::len)),
        "minLength" | "maxLength" => bounded(keyword, rule, value.as_str().map(|text| text.chars().count())),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => match (rule.as_f64(), value.as_f64()) {
            (Some(rule), Some(value)) => match keyword {
                "minimum" => value >= rule,
                "maximum" => value <= rule,
                "exclusiveMinimum" => value > rule,
                _ => value < rule,
            },
            (Some(_), None) => !value.is_number(),
            _ => false,
        },
        "format" => value.as_str().is_none_or(|text| match rule.as_str() {
            Some("uri") => AbsoluteUri::parse(text.split('#').next().unwrap_or_default()).is_some(),
            Some("date") => text.len() == 10 && text.parse::<NaiveDate>().is_ok(),
            Some("date-time") => DateTime::parse_from_rfc3339(text).is_ok(),
            _ => false,
        }),
        _ => false,
    }
}

fn is_of(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "string" => value.is_string(),
        _ => false,
    }
}

/// JSON Schema core section 4.2.2: numbers are the same if they have the same value.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_same(a, b)))
        }
        _ => one == other,
    }
}

/// A bound on how many there are; nothing that can be counted is within every bound.
fn bounded(keyword: &str, rule: &Value, count: Option<usize>) -> bool {
    let Some(bound) = rule.as_u64().and_then(|bound| usize::try_from(bound).ok()) else { return false };
    count.is_none_or(|count| if keyword.starts_with("min") { count >= bound } else { count <= bound })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn says(schema: Value, value: Value) -> bool {
        fits(&schema, &value)
    }

    #[test]
    fn each_keyword_takes_and_refuses() {
        for (schema, good, bad) in [
            (json!({"type": "string"}), json!("a"), json!(1)),
            (json!({"type": ["string", "null"]}), json!(null), json!(1)),
            (json!({"type": "integer"}), json!(1.0), json!(1.5)),
            (json!({"type": "boolean"}), json!(true), json!("true")),
            (json!({"enum": ["EUR", 1]}), json!(1.0), json!("USD")),
            (json!({"const": {"a": 1}}), json!({"a": 1}), json!({"a": 2})),
            (json!({"required": ["a"]}), json!({"a": 1}), json!({"b": 1})),
            (json!({"properties": {"a": {"type": "string"}}}), json!({"b": 1}), json!({"a": 1})),
            (json!({"properties": {"a": {}}, "additionalProperties": false}), json!({"a": 1}), json!({"b": 1})),
            (json!({"additionalProperties": false}), json!({}), json!({"b": 1})),
            (json!({"items": {"type": "string"}}), json!(["a"]), json!(["a", 1])),
            (json!({"uniqueItems": true}), json!([1, 2]), json!([1, 1.0])),
            (json!({"minItems": 1}), json!([1]), json!([])),
            (json!({"maxItems": 1}), json!([1]), json!([1, 2])),
            (json!({"minProperties": 1}), json!({"a": 1}), json!({})),
            (json!({"maxProperties": 1}), json!({"a": 1}), json!({"a": 1, "b": 1})),
            (json!({"minLength": 2}), json!("\u{e4}b"), json!("\u{e4}")),
            (json!({"maxLength": 1}), json!("\u{e4}"), json!("\u{e4}b")),
            (json!({"minimum": 2}), json!(2), json!(1.9)),
            (json!({"maximum": 2}), json!(2), json!(2.1)),
            (json!({"exclusiveMinimum": 2}), json!(2.1), json!(2)),
            (json!({"exclusiveMaximum": 2}), json!(1), json!(2)),
            (json!({"format": "uri"}), json!("https://a.example/b"), json!("a b")),
            (json!({"format": "date"}), json!("2026-11-23"), json!("2026-11-32")),
            (json!({"format": "date-time"}), json!("2026-11-23T10:00:00Z"), json!("2026-11-23")),
        ] {
            assert!(says(schema.clone(), good.clone()), "{schema} {good}");
            assert!(!says(schema.clone(), bad.clone()), "{schema} {bad}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_valid() {
        for schema in [
            json!(true),
            json!({"$ref": "#"}),
            json!({"type": 1}),
            json!({"maxLength": "x"}),
            json!({"format": "ipv4"}),
        ] {
            assert!(!says(schema.clone(), json!("a")), "{schema}");
        }
    }

    #[test]
    fn a_schema_with_anything_else_is_refused_at_its_place() {
        let found = |schema: Value| violations(&schema).into_iter().map(|(at, _)| at).collect::<Vec<_>>();
        let object =
            |inside: Value| json!({"type": "object", "additionalProperties": false, "properties": {"a/b": inside}});
        assert!(found(object(json!({"type": "string", "maxLength": 9}))).is_empty());
        assert_eq!(found(json!({"type": "string"})), ["/type"]);
        assert_eq!(found(json!({"type": "object"})), ["/additionalProperties"]);
        assert_eq!(found(object(json!({"$ref": "https://a.example"}))), ["/properties/a~1b/$ref"]);
        assert_eq!(found(object(json!({"type": "strng"}))), ["/properties/a~1b/type"]);
        assert_eq!(found(object(json!({"items": {"pattern": "x"}}))), ["/properties/a~1b/items/pattern"]);
        assert_eq!(found(object(json!({"properties": {}}))), ["/properties/a~1b/additionalProperties"]);
        assert_eq!(found(object(json!(true))), ["/properties/a~1b"]);
        assert_eq!(found(object(json!({"minLength": -1}))), ["/properties/a~1b/minLength"]);
        let deep = (0..20).fold(json!({"type": "string"}), |inner, _| json!({"items": inner}));
        assert_eq!(found(object(deep)).len(), 1);
        assert_eq!(found(json!({"type": "object", "title": "x".repeat(MAX_BYTES)})), [""]);
    }
}
