//! What people are told of an authorization detail: a sentence with members of it, or all its members.

use serde_json::Value;

use crate::model::authorization_details::AuthorizationDetail;
use crate::protocol::plain_text::is_deceptive;

/// The longest text that stands in a sentence; with a longer one all members are listed, so that nothing is hidden.
const MAX_IN_SENTENCE: usize = 200;

/// A part of a sentence.
enum Part<'a> {
    Text(&'a str),
    /// The names that lead to a member.
    Member(&'a str),
}

/// What is wrong with a sentence for objects of `schema`.
pub fn violation(sentence: &str, schema: &Value) -> Option<&'static str> {
    let Some(parts) = parts(sentence) else {
        return Some("each { must be followed by the name of a member and a }");
    };
    let is_known = |path: &str| {
        path.split('.').try_fold(schema, |schema, name| schema.get("properties")?.get(name)).is_some_and(|member| {
            member.get("type") != Some(&Value::from("object"))
                && !member.as_object().is_some_and(|m| m.contains_key("properties"))
        })
    };
    let unknown = parts.iter().any(|part| matches!(part, Part::Member(path) if !is_known(path)));
    unknown.then_some("what is in braces must be members of the schema that are no objects")
}

/// The sentence with the members of `detail`; `None` if one is absent, too long or cannot be read out.
pub fn fill(sentence: &str, detail: &AuthorizationDetail) -> Option<String> {
    let mut filled = String::new();
    for part in parts(sentence)? {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Member(path) => {
                let mut names = path.split('.');
                let first = detail.get(names.next()?)?;
                let text = read_out(names.try_fold(first, |value, name| value.get(name))?)?;
                if text.chars().count() > MAX_IN_SENTENCE {
                    return None;
                }
                filled.push_str(&text);
            }
        }
    }
    Some(filled)
}

/// Every member but `type`, with what it says: the names that lead to it, and its text.
pub fn members(detail: &AuthorizationDetail) -> Vec<(String, String)> {
    let mut listed = Vec::new();
    for (name, value) in detail.iter().filter(|(name, _)| *name != "type") {
        list(plain(name), value, &mut listed);
    }
    listed
}

fn list(name: String, value: &Value, listed: &mut Vec<(String, String)>) {
    if let Some(text) = read_out(value) {
        listed.push((name, text));
        return;
    }
    match value {
        Value::Object(members) => {
            for (inner, value) in members {
                list(format!("{name}.{}", plain(inner)), value, listed);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                list(format!("{name}.{}", index + 1), value, listed);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A single value, or several in a row; `None` for what has members of its own.
fn read_out(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("-".to_owned()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(plain(text)),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            Some(items.iter().filter_map(read_out).collect::<Vec<_>>().join(", "))
        }
        Value::Array(_) => None,
        Value::Object(members) => members.is_empty().then(|| "-".to_owned()),
    }
}

/// The text without what would make it look like another: each such character is seen to be there.
fn plain(text: &str) -> String {
    text.chars().map(|c| if is_deceptive(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn parts(sentence: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = sentence;
    while let Some((text, after)) = rest.split_once('{') {
        let (path, after) = after.split_once('}')?;
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        };
        if text.contains('}') || !path.split('.').all(is_name) {
            return None;
        }
        parts.extend([Part::Text(text), Part::Member(path)]);
        rest = after;
    }
    if rest.contains('}') {
        return None;
    }
    parts.push(Part::Text(rest));
    Some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn detail(value: Value) -> AuthorizationDetail {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn members_stand_in_the_sentence() {
        let payment = detail(json!({"type": "p", "amount": {"value": "12.50", "of": ["a", 2]}, "to": "Ada"}));
        assert_eq!(fill("Pay {amount.value} to {to}.", &payment).unwrap(), "Pay 12.50 to Ada.");
        assert_eq!(fill("{amount.of}", &payment).unwrap(), "a, 2");
        for absent in ["{from}", "{amount.currency}", "{amount}", "{to.name}"] {
            assert_eq!(fill(absent, &payment), None, "{absent}");
        }
        let long = detail(json!({"to": "x".repeat(201)}));
        assert_eq!(fill("{to}", &long), None);
    }

    #[test]
    fn a_value_cannot_turn_the_sentence_around() {
        let tricky = detail(json!({"to": "A\u{202e}da\n\u{2066}<b>"}));
        assert_eq!(fill("To {to}", &tricky).unwrap(), "To A\u{fffd}da\u{fffd}\u{fffd}<b>");
        assert_eq!(members(&tricky), [("to".to_owned(), "A\u{fffd}da\u{fffd}\u{fffd}<b>".to_owned())]);
        // Nor say something that nobody sees.
        let hidden = detail(json!({"to": "A\u{ad}d\u{2060}a\u{e0041}\u{3164}", "b\u{fe0f}": 1}));
        assert_eq!(fill("To {to}", &hidden).unwrap(), "To A\u{fffd}d\u{fffd}a\u{fffd}\u{fffd}");
        assert!(members(&hidden).contains(&("b\u{fffd}".to_owned(), "1".to_owned())));
    }

    #[test]
    fn every_member_is_listed() {
        let all = detail(json!({"type": "p", "a": {"b": 1, "c": [true, null]}, "d": [{"e": "x"}, {}], "f": {}}));
        let listed: Vec<String> = members(&all).into_iter().map(|(name, text)| format!("{name}={text}")).collect();
        assert_eq!(listed, ["a.b=1", "a.c=true, -", "d.1.e=x", "d.2=-", "f=-"]);
    }

    #[test]
    fn a_sentence_names_members_that_the_schema_knows() {
        let schema = json!({"properties": {"a": {"type": "string"}, "b": {"type": "object", "properties": {"c": {}}}}});
        for good in ["", "no gap", "{a}", "{b.c} and {a}"] {
            assert_eq!(violation(good, &schema), None, "{good}");
        }
        for bad in ["{", "}", "{}", "{a", "a}", "{a b}", "{{a}}", "{x}", "{b}", "{b.x}", "{a.x}"] {
            assert!(violation(bad, &schema).is_some(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(sentence in "[{}a-c. ]{0,20}", text in ".{0,300}") {
            let said = detail(json!({"a": text, "b": {"c": [1, {"a": text}]}}));
            if let Some(filled) = fill(&sentence, &said) {
                prop_assert!(!filled.chars().any(char::is_control));
            }
            prop_assert_eq!(members(&said).len(), 3);
        }
    }
}
