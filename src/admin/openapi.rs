//! `/admin/openapi.json`: the API described (OpenAPI 3.1), made from the table of endpoints and the types of their bodies.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::endpoint::{Access, Doc, Rule};
use super::{PATH, rules};
use crate::app::App;
use crate::http::document::{self, Document};
use crate::http::problem::{Problem, ProblemDocument};
use crate::model::admin_scope::AdminScope;

/// What every endpoint may answer.
const ALWAYS: [u16; 5] = [400, 401, 403, 500, 503];

/// The document. It tells nothing that the source does not, so it needs no token.
pub(super) async fn get(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let description = describe(&rules(), app.issuer(), &app.url(PATH));
    let Document { body, etag } = Document::json(&description)?;
    Ok(document::send(&headers, &body, &etag))
}

fn describe(rules: &[Rule], issuer: &str, resource: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<ProblemDocument>();
    let mut paths = Map::new();
    for rule in rules {
        let item = paths.entry(rule.path).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            item.insert(rule.method.as_str().to_ascii_lowercase(), operation(rule, &mut generator, &problem));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ostiary admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Clients, people, sessions, grants and keys",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {"token": security(issuer, resource)},
        },
    })
}

fn security(issuer: &str, resource: &str) -> Value {
    let scopes: Map<String, Value> =
        AdminScope::all().map(|scope| (scope.name(), format!("{:?} {:?}", scope.access, scope.area).into())).collect();
    let issuer = issuer.trim_end_matches('/');
    json!({
        "type": "oauth2",
        "description": format!("An access token whose only audience is {resource}: ask for it with that `resource`."),
        "flows": {
            "clientCredentials": {"tokenUrl": format!("{issuer}/token"), "scopes": scopes},
            "authorizationCode": {
                "authorizationUrl": format!("{issuer}/authorize"),
                "tokenUrl": format!("{issuer}/token"),
                "scopes": scopes,
            },
        },
    })
}

fn operation(rule: &Rule, generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    let Access::Scope(scope) = rule.access;
    let doc = &rule.doc;
    let mut operation = json!({
        "operationId": operation_id(rule),
        "summary": doc.summary,
        "tags": [rule.path.split('/').nth(2).unwrap_or_default()],
        "security": [{"token": [scope.name()]}],
        "parameters": parameters(rule, generator),
        "responses": responses(rule, generator, problem),
    });
    if let (Some((media_type, schema)), Value::Object(operation)) = (doc.body, &mut operation) {
        let content = json!({media_type: {"schema": schema(generator)}});
        operation.insert("requestBody".to_owned(), json!({"required": true, "content": content}));
    }
    operation
}

/// `GET /admin/clients/{client_id}` is `get_clients_client_id`.
fn operation_id(rule: &Rule) -> String {
    let path = rule.path.trim_start_matches(PATH).replace(['{', '}'], "");
    format!("{}{}", rule.method.as_str().to_ascii_lowercase(), path.replace(['/', '-'], "_"))
}

fn parameters(rule: &Rule, generator: &mut SchemaGenerator) -> Vec<Value> {
    let mut parameters = Vec::new();
    for segment in rule.path.split('/') {
        if let Some(name) = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            parameters.push(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
        }
    }
    let Doc { query, is_creation, is_conditional, .. } = rule.doc;
    if let Some(Value::Object(schema)) = query.map(|schema| schema(generator).to_value()) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        for (name, schema) in properties.into_iter().flatten() {
            let is_required = required.is_some_and(|required| required.iter().any(|one| one == name));
            parameters.push(json!({"name": name, "in": "query", "required": is_required, "schema": not_null(schema)}));
        }
    }
    if is_creation {
        let schema = json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"});
        let description =
            "The same request with the same key gets the same answer for a day, and nothing is made twice.";
        let parameter =
            json!({"name": "Idempotency-Key", "in": "header", "schema": schema, "description": description});
        parameters.push(parameter);
    }
    if is_conditional {
        let schema = json!({"type": "string", "pattern": "^(\\*|\"[0-9]+\")$"});
        let description = "The ETag of the state that the change is for, or `*`.";
        let parameter =
            json!({"name": "If-Match", "in": "header", "required": true, "schema": schema, "description": description});
        parameters.push(parameter);
    }
    parameters
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
    schema
}

fn responses(rule: &Rule, generator: &mut SchemaGenerator, problem: &Schema) -> Map<String, Value> {
    let doc = &rule.doc;
    let mut success = json!({"description": doc.summary});
    if let Value::Object(success) = &mut success {
        if let Some(answer) = doc.answer {
            let content = json!({"application/json": {"schema": answer(generator)}});
            success.insert("content".to_owned(), content);
        }
        if doc.has_etag || doc.is_creation {
            let etag = json!({"schema": {"type": "string"}, "description": "The state, for `If-Match`."});
            success.insert("headers".to_owned(), json!({"ETag": etag}));
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
    let refusal = |status: u16| {
        let title = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let content = json!({"application/problem+json": {"schema": problem}});
        (status.to_string(), json!({"description": title.unwrap_or_default(), "content": content}))
    };
    let mut responses: Map<String, Value> = statuses.into_iter().map(refusal).collect();
    responses.insert(doc.status.to_string(), success);
    responses
}
