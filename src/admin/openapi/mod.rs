//! `/admin/openapi.json`: the API described (OpenAPI 3.1), made from the table of endpoints and the types of their bodies.

// One endpoint.
mod operation;
// What is answered when something is wrong.
mod refusal;

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use http::HeaderMap;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::endpoint::Endpoint;
use super::{PATH, described};
use crate::app::App;
use crate::http::document::{self, Document};
use crate::http::problem::{Problem, ProblemDocument};
use crate::model::admin_scope::AdminScope;

/// How long the document may be used without asking again.
const KEPT: TimeDelta = TimeDelta::minutes(5);

/// What holds for every endpoint.
const CONVENTIONS: &str = "\
Callers show an access token whose only audience is this API, or are administrators signed in at a console of this server.

- **Problems** (RFC 9457): every refusal is `application/problem+json`; programs tell them apart by `type`.
- **Bodies** are JSON without repeated or unknown members; everything that is wrong is said at once, each with a pointer.
- **Changes** are merge patches (RFC 7396) with `If-Match`: the `ETag` that was read, or `*`.
- **Creations** heed `Idempotency-Key`: the same request with the same key gets the same answer for a day.
- **Lists** come in pages: `next` of one page is the `cursor` of the next one.
- **Identifiers in paths** are percent-encoded, slashes too.";

/// The document. It tells nothing that the source does not, so it needs no token.
pub(super) async fn get(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let Document { body, etag } = Document::json(&description(&app))?;
    Ok(document::send(&headers, &body, &etag, KEPT))
}

/// The API of this server.
pub(super) fn description(app: &App) -> Value {
    describe(&described(), app.issuer(), &app.url(PATH))
}

fn describe(endpoints: &[Endpoint], issuer: &str, resource: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<ProblemDocument>();
    let mut paths = Map::new();
    for endpoint in endpoints {
        let rule = &endpoint.rule;
        let item = paths.entry(rule.path).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            item.insert(rule.method.as_str().to_ascii_lowercase(), operation::describe(endpoint, &mut generator));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ostiary admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Clients, people, sessions, grants and keys",
            "description": CONVENTIONS,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer}],
        "tags": tags(endpoints),
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": refusal::describe(&problem),
            "securitySchemes": {"token": security(issuer, resource)},
        },
    })
}

/// The part of the API that an endpoint belongs to: the first segment of its path.
fn tag(endpoint: &Endpoint) -> &'static str {
    endpoint.rule.path.split('/').nth(2).unwrap_or_default()
}

fn tags(endpoints: &[Endpoint]) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let first = endpoints.iter().map(tag).filter(|tag| seen.insert(*tag));
    first.map(|tag| json!({"name": tag, "description": tag_description(tag)})).collect()
}

fn tag_description(tag: &str) -> &'static str {
    match tag {
        "clients" => "Registered applications and their secrets.",
        "scopes" => "What a token may allow, and what the consent page says of it.",
        "resources" => "APIs that accept tokens of this server (RFC 8707).",
        "authorization-details-types" => "What clients may ask for in particular (RFC 9396).",
        "users" => "People, their passwords, and inviting them.",
        "access-requests" => "The clients that people ask for.",
        "initial-access-tokens" => "Tokens with which clients register themselves (RFC 7591).",
        "keys" => "Signing keys, and where they are in their life.",
        "key-rehearsal" => "What the next rotation of the signing keys does, and who is not ready.",
        "audit-events" => "What was done, by whom, and from where.",
        "sessions" => "Who is signed in, and signing them out.",
        "consents" => "What people allowed clients until further notice.",
        "tokens" => "What was issued, and ending it.",
        _ => "",
    }
}

fn security(issuer: &str, resource: &str) -> Value {
    let scopes: Map<String, Value> =
        AdminScope::all().map(|scope| (scope.name(), scope.description().0.into())).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_api_and_every_body_is_explained() {
        for endpoint in described() {
            let tag = tag(&endpoint);
            assert!(!tag_description(tag).is_empty(), "say in `tag_description` what {tag} is");
            let (method, path, doc) = (&endpoint.rule.method, endpoint.rule.path, &endpoint.doc);
            assert_eq!(doc.body.is_some(), doc.example.is_some(), "{method} {path}: a body needs an example");
            if let Some(example) = doc.example {
                assert!(serde_json::from_str::<Value>(example).is_ok(), "{method} {path}: {example}");
            }
        }
    }
}
