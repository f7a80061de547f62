//! JSON in which no member is repeated, at any depth. `serde_json` keeps the last of several, other readers the first:
//! whoever writes a document and whoever checks it must see the same thing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The object that `json` is; `None` for anything else, and for repeated members.
pub fn parse_object(json: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(json) {
        Ok(Strict(Value::Object(object))) => Some(object),
        _ => None,
    }
}

/// What `json` says; an error for repeated members too.
pub fn parse(json: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(json).map(|Strict(value)| value)
}

/// Whether a text in it, the name of a member included, contains U+0000, which Postgres cannot keep.
pub fn has_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(element)) = elements.next_element()? {
            array.push(element);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a repeated member"));
            }
        }
        Ok(object.into())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_repeated_member_is_an_error_however_it_is_spelled() {
        for json in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"b":{"a":1,"c":2,"a":null}}]"#] {
            assert!(parse(json.as_bytes()).is_err(), "{json}");
        }
        assert_eq!(parse(br#"{"a":{"a":1},"A":2}"#).unwrap(), json!({"a": {"a": 1}, "A": 2}));
    }

    #[test]
    fn only_an_object_is_one() {
        assert!(parse_object(b"{}").is_some_and(|object| object.is_empty()));
        for json in ["", "[]", "null", "1", "\"x\"", "{} {}", "{", "\u{feff}{}"] {
            assert_eq!(parse_object(json.as_bytes()), None, "{json}");
        }
    }

    /// Any document, not too large.
    pub(crate) fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
            Just(Value::from("a\0b")),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((".{0,3}", inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in any_json()) {
            prop_assert_eq!(parse(value.to_string().as_bytes()).unwrap(), value.clone());
            prop_assert_eq!(parse_object(value.to_string().as_bytes()), value.as_object().cloned());
            // In JSON, NUL can only be written as an escape.
            let escaped = value.to_string().replace("\\\\", "").contains("\\u0000");
            prop_assert_eq!(has_nul(&value), escaped);
        }

        #[test]
        fn a_repeated_member_is_refused_at_any_depth(
            members in prop::collection::vec(("[a-c]{1,2}", any_json()), 1..4),
            again in (any::<prop::sample::Index>(), any_json()),
            depth in 0..5_usize,
        ) {
            let name = &members[again.0.index(members.len())].0;
            let members = members.iter().map(|(name, value)| (name, value)).chain([(name, &again.1)]);
            let written: Vec<String> = members.map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let mut json = format!("{{{}}}", written.join(","));
            for level in 0..depth {
                json = if level % 2 == 0 { format!("[{json}]") } else { format!("{{\"in\":{json}}}") };
            }
            prop_assert!(serde_json::from_str::<Value>(&json).is_ok(), "others read it: {}", json);
            prop_assert!(parse(json.as_bytes()).is_err(), "{}", json);
        }

        #[test]
        fn nothing_is_read_that_other_readers_refuse_or_read_otherwise(text in "[\\[\\]{}:,\"a\\\\u0-9.eE+\\- tn]{0,16}") {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            }
        }
    }
}
