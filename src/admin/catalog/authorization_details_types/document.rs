//! A type of authorization details as the API shows and takes it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::admin::catalog::{text_schema, text_violations};
use crate::admin::json::{self, FromObject};
use crate::admin::precondition::etag;
use crate::http::problem::Violation;
use crate::model::authorization_details::AuthorizationDetailsType;
use crate::model::catalog::Localized;
use crate::model::id::ResourceUri;
use crate::protocol::authorization_details::{MAX_TYPE, is_type, schema, sentence};
use crate::storage::postgres::authorization_details_type_record::AuthorizationDetailsTypeRecord;

/// The most resources of one type.
const MAX_RESOURCES: usize = 100;

/// A type of authorization details.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuthorizationDetailsType")]
pub(in crate::admin) struct AuthorizationDetailsTypeDocument {
    /// What it is.
    #[serde(flatten)]
    pub(in crate::admin) value: AuthorizationDetailsType,
    /// When it was registered.
    pub(in crate::admin) created_at: DateTime<Utc>,
    /// When it last changed.
    pub(in crate::admin) updated_at: DateTime<Utc>,
    #[serde(skip)]
    pub(in crate::admin) revision: i64,
}

/// What a caller says of a type of authorization details.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct AuthorizationDetailsTypeInput {
    /// Its identifier, the member `type` of its objects: visible ASCII characters without quotes, such as a URI.
    #[schemars(length(min = 1, max = MAX_TYPE), regex(pattern = r"^[!#-\[\]-~]+$"))]
    r#type: String,
    /// What its objects must look like, in the part of JSON Schema 2020-12 that the server supports.
    #[schemars(schema_with = "object_schema")]
    schema: Value,
    /// What the consent page calls it, by language tag; `en` at least.
    #[schemars(schema_with = "text_schema")]
    name: Localized,
    /// What the consent page says of an object, by language tag, with members of it in braces; absent: they are listed.
    #[serde(default)]
    sentence: Localized,
    /// The resources where it means something, registered ones; absent: every one.
    #[serde(default)]
    #[schemars(length(max = MAX_RESOURCES))]
    resources: Vec<ResourceUri>,
}

/// What can be changed of a type of authorization details.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a merge patch is read as what it makes; the type is what the OpenAPI document shows")]
pub(super) struct AuthorizationDetailsTypeChange {
    /// Changes to the schema; null takes a member of it away.
    schema: Option<Map<String, Value>>,
    /// Names by language tag; null takes one away.
    name: Option<std::collections::BTreeMap<String, Option<String>>>,
    /// Sentences by language tag; null takes one away.
    sentence: Option<std::collections::BTreeMap<String, Option<String>>>,
    /// The resources where it means something, all of them.
    #[schemars(length(max = MAX_RESOURCES))]
    resources: Option<Vec<ResourceUri>>,
}

fn object_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["type", "additionalProperties"],
        "properties": {"type": {"const": "object"}, "additionalProperties": {"const": false}},
    })
}

/// Everything that is wrong with a type, apart from resources that are not registered.
pub(in crate::admin) fn type_violations(known: &AuthorizationDetailsType) -> Vec<Violation> {
    let mut violations = text_violations("/name", &known.name);
    if !is_type(&known.name_of_type) {
        let detail = format!("it must be 1 to {MAX_TYPE} visible ASCII characters without \" and \\");
        violations.push(Violation::new("/type", detail));
    }
    let found = schema::violations(&known.schema).into_iter();
    violations.extend(found.map(|(pointer, detail)| Violation::new(format!("/schema{pointer}"), detail)));
    if !known.sentence.is_empty() {
        violations.extend(text_violations("/sentence", &known.sentence));
    }
    for (tag, text) in &known.sentence {
        if let Some(detail) = sentence::violation(text, &known.schema) {
            violations.push(Violation::new(format!("/sentence{}", json::escape(tag)), detail));
        }
    }
    if known.resources.len() > MAX_RESOURCES {
        violations.push(Violation::new("/resources", format!("there may be {MAX_RESOURCES} at most")));
    }
    for (index, uri) in known.resources.iter().enumerate() {
        if known.resources.iter().take(index).any(|before| before == uri) {
            violations.push(Violation::new(format!("/resources/{index}"), "it is there twice"));
        }
    }
    violations
}

impl FromObject for AuthorizationDetailsTypeInput {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let input: Self = json::read(Value::Object(object))?;
        let Self { r#type, schema, name, sentence, resources } = input;
        let known = AuthorizationDetailsType { name_of_type: r#type, schema, name, sentence, resources };
        let violations = type_violations(&known);
        if violations.is_empty() { Ok(known.into()) } else { Err(violations) }
    }
}

impl AuthorizationDetailsTypeDocument {
    /// What the row says.
    pub(super) fn of(record: AuthorizationDetailsTypeRecord) -> Self {
        let AuthorizationDetailsTypeRecord { value, revision, created_at, updated_at } = record;
        Self { value, created_at, updated_at, revision }
    }
}

impl IntoResponse for AuthorizationDetailsTypeDocument {
    fn into_response(self) -> Response {
        (etag(self.revision), Json(self)).into_response()
    }
}

impl From<AuthorizationDetailsTypeInput> for AuthorizationDetailsType {
    fn from(input: AuthorizationDetailsTypeInput) -> Self {
        let AuthorizationDetailsTypeInput { r#type, schema, name, sentence, resources } = input;
        Self { name_of_type: r#type, schema, name, sentence, resources }
    }
}

impl From<AuthorizationDetailsType> for AuthorizationDetailsTypeInput {
    fn from(known: AuthorizationDetailsType) -> Self {
        let AuthorizationDetailsType { name_of_type, schema, name, sentence, resources } = known;
        Self { r#type: name_of_type, schema, name, sentence, resources }
    }
}
