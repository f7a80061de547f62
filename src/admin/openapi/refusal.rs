//! What the API answers when something is wrong: one response for each status, with the types of problems that it may be.

use http::StatusCode;
use schemars::Schema;
use serde_json::{Map, Value, json};

use crate::http::problem::ProblemType;

/// The responses that operations refer to.
pub(super) fn describe(problem: &Schema) -> Map<String, Value> {
    let mut responses = Map::new();
    for status in ProblemType::ALL.map(ProblemType::status) {
        responses.entry(name(status)).or_insert_with(|| response(status, problem));
    }
    responses
}

/// Where an operation finds the response of that status.
pub(super) fn reference(status: u16) -> Value {
    json!({"$ref": format!("#/components/responses/{}", name(status))})
}

fn name(status: u16) -> String {
    format!("problem-{status}")
}

fn response(status: u16, problem: &Schema) -> Value {
    let kinds: Vec<ProblemType> = ProblemType::ALL.into_iter().filter(|kind| kind.status() == status).collect();
    let uris: Vec<String> = kinds.iter().map(|kind| kind.uri()).collect();
    let special = json!({"properties": {"type": {"enum": uris}, "status": {"const": status}}});
    let examples: Map<String, Value> = kinds.iter().map(|kind| (short(*kind), example(*kind))).collect();
    let titles: Vec<String> = kinds.iter().map(|kind| format!("- `{}`: {}", kind.uri(), kind.title())).collect();
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let mut response = json!({
        "description": format!("{reason}\n\n{}", titles.join("\n")),
        "content": {"application/problem+json": {"schema": {"allOf": [problem, special]}, "examples": examples}},
    });
    if let (Some(headers), Value::Object(response)) = (headers(status), &mut response) {
        response.insert("headers".to_owned(), headers);
    }
    response
}

fn short(kind: ProblemType) -> String {
    kind.uri().rsplit(':').next().unwrap_or_default().to_owned()
}

fn example(kind: ProblemType) -> Value {
    json!({"value": {"type": kind.uri(), "title": kind.title(), "status": kind.status()}})
}

fn headers(status: u16) -> Option<Value> {
    let text = |description| json!({"description": description, "schema": {"type": "string"}});
    match status {
        401 => Some(json!({"WWW-Authenticate": text("What is missing (RFC 6750 section 3, RFC 9470 section 3).")})),
        503 => Some(json!({"Retry-After": text("Seconds after which to try again.")})),
        _ => None,
    }
}
