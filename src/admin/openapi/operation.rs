//! One endpoint of the description.

use std::collections::BTreeSet;

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{refusal, tag};
use crate::admin::PATH;
use crate::admin::endpoint::{Access, Doc, Endpoint, Rule};

/// What every endpoint may answer.
const ALWAYS: [u16; 5] = [400, 401, 403, 500, 503];

pub(super) fn describe(endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let Endpoint { rule, doc } = endpoint;
    let Access::Scope(scope) = rule.access;
    let mut description = format!("Needs the scope `{}`.", scope.name());
    if !doc.description.is_empty() {
        description = format!("{}\n\n{description}", doc.description);
    }
    let mut operation = json!({
        "operationId": operation_id(rule),
        "summary": doc.summary,
        "description": description,
        "tags": [tag(endpoint)],
        "security": [{"token": [scope.name()]}],
        "parameters": parameters(endpoint, generator),
        "responses": responses(endpoint, generator),
    });
    if let (Some((media_type, schema)), Value::Object(operation)) = (doc.body, &mut operation) {
        let mut media = json!({"schema": schema(generator)});
        let example = doc.example.and_then(|example| serde_json::from_str::<Value>(example).ok());
        if let (Some(example), Value::Object(media)) = (example, &mut media) {
            media.insert("example".to_owned(), example);
        }
        let content: Map<String, Value> = [(media_type.to_owned(), media)].into_iter().collect();
        operation.insert("requestBody".to_owned(), json!({"required": true, "content": content}));
    }
    operation
}

/// `GET /admin/clients/{client_id}` is `get_clients_client_id`.
fn operation_id(rule: &Rule) -> String {
    let path = rule.path.trim_start_matches(PATH).replace(['{', '}'], "");
    format!("{}{}", rule.method.as_str().to_ascii_lowercase(), path.replace(['/', '-'], "_"))
}

fn parameters(Endpoint { rule, doc }: &Endpoint, generator: &mut SchemaGenerator) -> Vec<Value> {
    let mut parameters = Vec::new();
    for segment in rule.path.split('/') {
        if let Some(name) = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            let (schema, description) = path_parameter(name);
            let parameter =
                json!({"name": name, "in": "path", "required": true, "schema": schema, "description": description});
            parameters.push(parameter);
        }
    }
    let Doc { query, is_creation, is_conditional, heeds_if_match, .. } = *doc;
    if let Some(Value::Object(schema)) = query.map(|schema| schema(generator).to_value()) {
        parameters.extend(query_parameters(&schema));
    }
    if is_creation {
        let schema = json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"});
        let description =
            "The same request with the same key gets the same answer for a day, and nothing is made twice.";
        let parameter =
            json!({"name": "Idempotency-Key", "in": "header", "schema": schema, "description": description});
        parameters.push(parameter);
    }
    if is_conditional || heeds_if_match {
        let schema = json!({"type": "string", "pattern": "^(\\*|\"[0-9]+\")$"});
        let description = "The ETag of the state that the change is for, or `*`.";
        let parameter = json!({"name": "If-Match", "in": "header", "required": is_conditional, "schema": schema, "description": description});
        parameters.push(parameter);
    }
    parameters
}

fn path_parameter(name: &str) -> (Value, &'static str) {
    let (text, uuid) = (json!({"type": "string", "minLength": 1}), json!({"type": "string", "format": "uuid"}));
    match name {
        "client_id" => (text, "The identifier of the client, percent-encoded."),
        "family" => (uuid, "The identifier of the token family."),
        "kid" => (text, "The identifier of the key."),
        "name" => (text, "The name of the scope, percent-encoded."),
        "request_id" => (uuid, "The identifier of the request."),
        "secret_id" => (uuid, "The identifier of the secret."),
        "sid" => (uuid, "The identifier of the session."),
        "subject" => (text, "The subject."),
        "type" => (text, "The type of authorization details, percent-encoded."),
        "token_id" => (uuid, "The identifier of the initial access token."),
        "uri" => (text, "The resource indicator, percent-encoded."),
        _ => (text, ""),
    }
}

fn query_parameters(schema: &Map<String, Value>) -> Vec<Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let parameter = |(name, schema): (&String, &Value)| {
        let is_required = required.is_some_and(|required| required.iter().any(|one| one == name));
        let mut schema = not_null(schema);
        let description = match &mut schema {
            Value::Object(members) => members.remove("description"),
            _ => None,
        };
        json!({"name": name, "in": "query", "required": is_required, "schema": schema, "description": description.unwrap_or_default()})
    };
    properties.into_iter().flatten().map(parameter).collect()
}

/// A query has no nulls: what is absent is absent.
fn not_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(types) = schema.get_mut("type")
        && let Some(list) = types.as_array()
    {
        let first = list.iter().find(|one| *one != "null").cloned();
        *types = first.unwrap_or(Value::Null);
    }
    if let Value::Object(members) = &mut schema
        && let Some(Value::Array(choices)) = members.remove("anyOf")
    {
        let first = choices.into_iter().find(|one| one.get("type").is_none_or(|kind| kind != "null"));
        if let Some(Value::Object(first)) = first {
            members.extend(first);
        }
    }
    schema
}

fn responses(Endpoint { rule, doc }: &Endpoint, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut success = json!({"description": if doc.answer.is_some() { doc.summary } else { "Done." }});
    if let Value::Object(success) = &mut success {
        if let Some(answer) = doc.answer {
            let content = json!({"application/json": {"schema": answer(generator)}});
            success.insert("content".to_owned(), content);
        }
        let mut headers = Map::new();
        if doc.has_etag {
            let etag = json!({"schema": {"type": "string"}, "description": "The state, for `If-Match`."});
            headers.insert("ETag".to_owned(), etag);
        }
        if doc.has_location {
            let location =
                json!({"schema": {"type": "string", "format": "uri"}, "description": "Where it can be read."});
            headers.insert("Location".to_owned(), location);
        }
        if !headers.is_empty() {
            success.insert("headers".to_owned(), headers.into());
        }
    }
    let mut statuses: BTreeSet<u16> = ALWAYS.into_iter().chain(doc.refusals.iter().copied()).collect();
    if rule.path.contains('{') {
        statuses.insert(404);
    }
    if doc.body.is_some() {
        statuses.extend([413, 415, 422]);
    }
    if doc.is_conditional {
        statuses.extend([412, 428]);
    }
    if doc.heeds_if_match {
        statuses.insert(412);
    }
    let refusals = statuses.into_iter().map(|status| (status.to_string(), refusal::reference(status)));
    let mut responses: Map<String, Value> = refusals.collect();
    responses.insert(doc.status.to_string(), success);
    responses
}
