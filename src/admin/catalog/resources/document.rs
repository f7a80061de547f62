//! A resource as the API shows and takes it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::admin::catalog::{RESERVED, Times, text_schema, text_violations};
use crate::admin::json::{self, FromObject};
use crate::admin::precondition::etag;
use crate::http::problem::Violation;
use crate::model::catalog::{Localized, Resource};
use crate::model::id::ResourceUri;
use crate::protocol::resource;
use crate::protocol::uri::AbsoluteUri;
use crate::storage::postgres::resource_record::ResourceRecord;

/// The most scopes of one resource.
const MAX_SCOPES: usize = 100;

/// A resource.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Resource")]
pub(in crate::admin) struct ResourceDocument {
    /// Its resource indicator, the `aud` of its tokens.
    pub(in crate::admin) uri: ResourceUri,
    /// What the consent page calls it, by language tag.
    pub(in crate::admin) name: Localized,
    /// The scopes that have a meaning there; a token for it carries no others.
    pub(in crate::admin) scopes: Vec<String>,
    /// Whether only clients that were given it by name may ask for it; such a resource is never a default audience.
    pub(in crate::admin) restricted: bool,
    /// Whether it is part of the server: it can be neither changed nor taken away.
    pub(in crate::admin) built_in: bool,
    /// When it was registered; absent if it is part of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) created_at: Option<DateTime<Utc>>,
    /// When it last changed; absent if it is part of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) updated_at: Option<DateTime<Utc>>,
    #[serde(skip)]
    pub(in crate::admin) revision: Option<i64>,
}

/// What a caller says of a resource.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct ResourceInput {
    /// Its resource indicator: an absolute URI without a fragment.
    #[schemars(length(min = 3, max = AbsoluteUri::MAX_BYTES), extend("format" = "uri"))]
    pub(in crate::admin) uri: String,
    /// What the consent page calls it, by language tag; `en` at least.
    #[schemars(schema_with = "text_schema")]
    pub(in crate::admin) name: Localized,
    /// The scopes that have a meaning there: registered ones, not those of the admin API.
    #[serde(default)]
    #[schemars(length(max = MAX_SCOPES))]
    pub(in crate::admin) scopes: Vec<String>,
    /// Whether only clients that were given it by name may ask for it; absent: no.
    #[serde(default)]
    pub(in crate::admin) restricted: bool,
}

/// What can be changed of a resource.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a merge patch is read as what it makes; the type is what the OpenAPI document shows")]
pub(super) struct ResourceChange {
    /// Names by language tag; null takes one away.
    name: Option<std::collections::BTreeMap<String, Option<String>>>,
    /// The scopes that have a meaning there, all of them.
    #[schemars(length(max = MAX_SCOPES))]
    scopes: Option<Vec<String>>,
    /// Whether only clients that were given it by name may ask for it.
    restricted: Option<bool>,
}

impl FromObject for ResourceInput {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let input: Self = json::read(Value::Object(object))?;
        let mut violations = text_violations("/name", &input.name);
        if resource::parse(&input.uri).is_err() {
            violations.push(Violation::new("/uri", "it must be an absolute URI without a fragment"));
        }
        if input.scopes.len() > MAX_SCOPES {
            violations.push(Violation::new("/scopes", format!("there may be {MAX_SCOPES} at most")));
        }
        for (index, scope) in input.scopes.iter().enumerate() {
            let pointer = format!("/scopes/{index}");
            if scope.starts_with(RESERVED) {
                violations.push(Violation::new(pointer, "it means something at the admin API and nowhere else"));
            } else if input.scopes.iter().take(index).any(|before| before == scope) {
                violations.push(Violation::new(pointer, "it is there twice"));
            }
        }
        if violations.is_empty() { Ok(input) } else { Err(violations) }
    }
}

impl ResourceDocument {
    /// A resource; without a revision it is part of the server.
    pub(super) fn new(resource: Resource, revision: Option<i64>, times: Option<Times>) -> Self {
        let (created_at, updated_at) = times.unzip();
        let Resource { uri, name, scopes, restricted } = resource;
        Self { uri, name, scopes, restricted, built_in: revision.is_none(), created_at, updated_at, revision }
    }

    /// What the row says.
    pub(super) fn of(record: ResourceRecord) -> Self {
        Self::new(record.resource, Some(record.revision), Some((record.created_at, record.updated_at)))
    }
}

impl IntoResponse for ResourceDocument {
    fn into_response(self) -> Response {
        (self.revision.map(etag), Json(self)).into_response()
    }
}

impl From<ResourceInput> for Resource {
    fn from(ResourceInput { uri, name, scopes, restricted }: ResourceInput) -> Self {
        Self { uri: ResourceUri::new(uri), name, scopes, restricted }
    }
}
