//! Bodies: JSON without repeated members and without members that the endpoint does not know. Everything that is wrong is
//! said at once where that can be told, each with a pointer to where.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::idempotency::IdempotencyKey;
use crate::app::App;
use crate::http::problem::{Problem, ProblemType, Violation};
use crate::protocol::strict_json;

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// What a body says.
pub(super) trait FromObject: Sized {
    /// Reads the members of the body.
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>>;
}

/// A document.
pub(super) struct Json<T>(pub(super) T);

/// A document from which something is made, and the key under which the answer is kept.
pub(super) struct Creation<T> {
    /// The document.
    pub(super) body: T,
    /// Present if the caller sent an `Idempotency-Key`.
    pub(super) key: Option<IdempotencyKey>,
}

/// Changes to a document (RFC 7396).
pub(super) struct MergePatch(Map<String, Value>);

impl MergePatch {
    /// These changes.
    pub(super) fn new(changes: Map<String, Value>) -> Self {
        Self(changes)
    }

    /// Makes that member what the changes say it is, whole: what they leave out of `before` is taken away.
    pub(super) fn replacing(mut self, member: &str, before: &Value) -> Self {
        if let (Some(Value::Object(after)), Value::Object(before)) = (self.0.get_mut(member), before) {
            take_away(after, before);
        }
        self
    }

    /// The document with the changes.
    pub(super) fn apply(self, document: Map<String, Value>) -> Map<String, Value> {
        merge(document, self.0)
    }
}

/// Reads a whole type from JSON. Unknown members are violations like any other.
pub(super) fn read<T: DeserializeOwned>(value: Value) -> Result<T, Vec<Violation>> {
    let mut violations = Vec::new();
    let mut unknown = |path: serde_ignored::Path<'_>| {
        violations.push(Violation::new(ignored_pointer(&path), "there is no such member"));
    };
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(&value, &mut track);
    match serde_ignored::deserialize(deserializer, &mut unknown) {
        Ok(read) if violations.is_empty() => Ok(read),
        Ok(_) => Err(violations),
        Err(error) => {
            violations.push(Violation::new(pointer(&track.path()), error.to_string()));
            Err(violations)
        }
    }
}

impl<T: FromObject> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let bytes = body(request, app, &[JSON]).await?;
        Ok(Self(T::from_object(object(&bytes)?).map_err(Problem::invalid_body)?))
    }
}

impl<T: FromObject> FromRequest<App> for Creation<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (headers, path) = (request.headers().clone(), request.uri().path().to_owned());
        let bytes = body(request, app, &[JSON]).await?;
        let key = IdempotencyKey::read(app, &headers, &path, &bytes)?;
        Ok(Self { body: T::from_object(object(&bytes)?).map_err(Problem::invalid_body)?, key })
    }
}

impl FromRequest<App> for MergePatch {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let bytes = body(request, app, &[MERGE_PATCH, JSON]).await?;
        object(&bytes).map(Self)
    }
}

async fn body(request: Request, app: &App, media_types: &[&str]) -> Result<Bytes, Problem> {
    if !is_of_type(request.headers(), media_types) {
        let detail = format!("the content type must be {}", media_types.join(" or "));
        return Err(Problem::new(ProblemType::UnsupportedMediaType).with_detail(detail));
    }
    // RFC 9110 section 15.5.16. What is encoded would be read as what it is not.
    if request.headers().contains_key(CONTENT_ENCODING) {
        return Err(
            Problem::new(ProblemType::UnsupportedMediaType).with_detail("the body must not have a content coding")
        );
    }
    Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(ProblemType::BodyTooLarge),
        _ => Problem::new(ProblemType::InvalidJson).with_detail("the body could not be read"),
    })
}

fn is_of_type(headers: &HeaderMap, media_types: &[&str]) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    media_types.iter().any(|media_type| essence.eq_ignore_ascii_case(media_type))
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    match strict_json::parse(bytes) {
        // Postgres would answer NUL with an error instead of a refusal.
        Ok(value) if strict_json::has_nul(&value) => {
            Err(Problem::invalid_body(vec![Violation::new("", "no text may contain U+0000")]))
        }
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Problem::invalid_body(vec![Violation::new("", "an object is expected")])),
        Err(error) => Err(Problem::new(ProblemType::InvalidJson).with_detail(error.to_string())),
    }
}

/// Adds a null for everything of `before` that `after` lacks.
fn take_away(after: &mut Map<String, Value>, before: &Map<String, Value>) {
    for (name, old) in before {
        match (after.get_mut(name), old) {
            (None, _) => drop(after.insert(name.clone(), Value::Null)),
            (Some(Value::Object(new)), Value::Object(old)) => take_away(new, old),
            (Some(_), _) => {}
        }
    }
}

/// RFC 7396 section 2. The depth is bounded by that of the parser.
pub(super) fn merge(mut target: Map<String, Value>, patch: Map<String, Value>) -> Map<String, Value> {
    for (name, change) in patch {
        let merged = match (change, target.remove(&name)) {
            (Value::Null, _) => continue,
            (Value::Object(change), Some(Value::Object(old))) => Value::Object(merge(old, change)),
            (Value::Object(change), _) => Value::Object(merge(Map::new(), change)),
            (other, _) => other,
        };
        target.insert(name, merged);
    }
    target
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let token = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    };
    path.iter().filter_map(token).map(|token| escape(&token)).collect()
}

fn ignored_pointer(path: &serde_ignored::Path<'_>) -> String {
    match path {
        serde_ignored::Path::Root => String::new(),
        serde_ignored::Path::Seq { parent, index } => format!("{}/{index}", ignored_pointer(parent)),
        serde_ignored::Path::Map { parent, key } => format!("{}{}", ignored_pointer(parent), escape(key)),
        serde_ignored::Path::Some { parent }
        | serde_ignored::Path::NewtypeStruct { parent }
        | serde_ignored::Path::NewtypeVariant { parent } => ignored_pointer(parent),
    }
}

/// One reference token (RFC 6901 section 3), with its slash.
pub(super) fn escape(token: &str) -> String {
    format!("/{}", token.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::client::ClientSettings;
    use crate::protocol::strict_json::tests::any_json;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("not an object") };
        map
    }

    #[test]
    fn the_examples_of_rfc_7396_appendix_a() {
        let table = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (target, patch, result) in table {
            assert_eq!(merge(map(target.clone()), map(patch.clone())), map(result), "{target} {patch}");
        }
    }

    #[test]
    fn violations_say_where_they_are() {
        let violations = read::<ClientSettings>(json!({"no/such": 1, "lifetimes": {"access_tokn": 5}})).unwrap_err();
        let pointers: Vec<_> = violations.iter().map(|violation| violation.pointer.as_str()).collect();
        assert_eq!(pointers, ["/no~1such", "/lifetimes/access_tokn"], "in the order of the body");
        let violations = read::<ClientSettings>(json!({"redirect_uris": ["a", 5]})).unwrap_err();
        assert_eq!(violations[0].pointer, "/redirect_uris/1");
    }

    /// Any object; the few names make two of them meet.
    fn any_object() -> impl Strategy<Value = Map<String, Value>> {
        let member = prop_oneof![
            any_json(),
            Just(Value::Null),
            prop::collection::hash_map("[a-c]", any_json(), 0..3).prop_map(|members| json!(members)),
        ];
        prop::collection::hash_map("[a-d]", member, 0..5).prop_map(|members| members.into_iter().collect())
    }

    /// The changes that lead from one document to another, if neither says null.
    fn changes(from: &Map<String, Value>, to: &Map<String, Value>) -> Map<String, Value> {
        let mut changes: Map<_, _> =
            from.keys().filter(|name| !to.contains_key(*name)).map(|name| (name.clone(), Value::Null)).collect();
        for (name, value) in to {
            let change = match (from.get(name), value) {
                (Some(Value::Object(from)), Value::Object(to)) => Value::Object(self::changes(from, to)),
                (_, value) => value.clone(),
            };
            changes.insert(name.clone(), change);
        }
        changes
    }

    fn without_nulls(object: Map<String, Value>) -> Map<String, Value> {
        let members = object.into_iter().filter(|(_, value)| !value.is_null());
        members
            .map(|(name, value)| match value {
                Value::Object(members) => (name, Value::Object(without_nulls(members))),
                other => (name, other),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_a_patch_does_not_name_stays_and_the_rest_is_as_it_says(target in any_object(), patch in any_object()) {
            let merged = merge(target.clone(), patch.clone());
            for name in ["a", "b", "c", "d"] {
                match patch.get(name) {
                    None => prop_assert_eq!(merged.get(name), target.get(name)),
                    Some(Value::Null) => prop_assert_eq!(merged.get(name), None),
                    // Whatever was there before, what is asked for twice is there once.
                    Some(Value::Object(changes)) => {
                        let before = target.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
                        let after = Value::Object(merge(before, changes.clone()));
                        prop_assert_eq!(merged.get(name), Some(&after));
                    }
                    Some(other) => prop_assert_eq!(merged.get(name), Some(other)),
                }
            }
            prop_assert_eq!(merge(merged.clone(), patch), merged);
        }

        #[test]
        fn a_patch_leads_from_any_document_to_any_other(from in any_object(), to in any_object()) {
            let (from, to) = (without_nulls(from), without_nulls(to));
            let changes = changes(&from, &to);
            prop_assert_eq!(merge(from, changes), to);
        }

        #[test]
        fn an_object_is_read_as_it_was_written_unless_it_has_a_nul(value in any_json()) {
            let read = object(value.to_string().as_bytes()).ok();
            let expected = value.as_object().filter(|_| !strict_json::has_nul(&value));
            prop_assert_eq!(read.as_ref(), expected);
        }

        #[test]
        fn a_pointer_leads_to_what_is_wrong(name in "[~/a-c01 \"\\\\ö]{0,6}", is_nested: bool) {
            let wrong = json!({ format!("x{name}"): "here" });
            let body = if is_nested { json!({ "lifetimes": wrong }) } else { wrong };
            let violations = read::<ClientSettings>(body.clone()).unwrap_err();
            let found: Vec<_> = violations.iter().map(|violation| body.pointer(&violation.pointer)).collect();
            prop_assert_eq!(found, [Some(&json!("here"))]);
        }

        #[test]
        fn a_body_is_of_its_media_type_in_any_case_and_with_any_parameters(
            essence in "(application|text)/(json|merge-patch\\+json|jsonx|xjson|problem\\+json)",
            upper in prop::collection::vec(any::<bool>(), 40),
            parameters in "( ?; ?[a-z]{1,8}=[a-z0-9-]{1,8}){0,2}",
            is_repeated: bool,
        ) {
            let in_case = |(at, letter): (usize, char)| if upper[at] { letter.to_ascii_uppercase() } else { letter };
            let written: String = essence.chars().enumerate().map(in_case).collect();
            let mut headers = HeaderMap::new();
            headers.append(CONTENT_TYPE, format!("{written}{parameters}").parse().unwrap());
            if is_repeated {
                headers.append(CONTENT_TYPE, JSON.parse().unwrap());
            }
            for types in [&[JSON][..], &[MERGE_PATCH, JSON]] {
                prop_assert_eq!(is_of_type(&headers, types), types.contains(&essence.as_str()) && !is_repeated);
            }
        }
    }
}
