//! A scope as the API shows and takes it.

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
use crate::model::catalog::{Localized, Scope};
use crate::protocol::scope::is_scope_token;
use crate::storage::postgres::scope_record::ScopeRecord;

/// The longest name.
const MAX_NAME: usize = 128;

/// A scope.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Scope")]
pub(in crate::admin) struct ScopeDocument {
    /// Its name, a `scope-token` of RFC 6749.
    pub(in crate::admin) name: String,
    /// What the consent page says it allows, by language tag.
    pub(in crate::admin) description: Localized,
    /// Whether discovery lists it.
    pub(in crate::admin) published: bool,
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

/// What a caller says of a scope.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct ScopeInput {
    /// Its name: visible ASCII characters without `"` and `\`, not beginning with `admin:`.
    #[schemars(length(min = 1, max = MAX_NAME), regex(pattern = r"^(?!admin:)[!#-\[\]-~]+$"))]
    pub(in crate::admin) name: String,
    /// What the consent page says it allows, by language tag; `en` at least.
    #[schemars(schema_with = "text_schema")]
    pub(in crate::admin) description: Localized,
    /// Whether discovery lists it; absent: no.
    #[serde(default)]
    pub(in crate::admin) published: bool,
}

/// What can be changed of a scope.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a merge patch is read as what it makes; the type is what the OpenAPI document shows")]
pub(super) struct ScopeChange {
    /// Texts by language tag; null takes one away.
    description: Option<std::collections::BTreeMap<String, Option<String>>>,
    /// Whether discovery lists it.
    published: Option<bool>,
}

impl FromObject for ScopeInput {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let input: Self = json::read(Value::Object(object))?;
        let mut violations = text_violations("/description", &input.description);
        if !is_scope_token(&input.name) || input.name.len() > MAX_NAME {
            let detail = format!("it must be 1 to {MAX_NAME} visible ASCII characters without \" and \\");
            violations.push(Violation::new("/name", detail));
        }
        if input.name.starts_with(RESERVED) {
            violations.push(Violation::new("/name", "names that begin with admin: belong to the server"));
        }
        if input.name == "openid" && !input.published {
            violations.push(Violation::new("/published", "openid stays published"));
        }
        if violations.is_empty() { Ok(input) } else { Err(violations) }
    }
}

impl ScopeDocument {
    /// A scope; without a revision it is part of the server.
    pub(super) fn new(scope: Scope, revision: Option<i64>, times: Option<Times>) -> Self {
        let (created_at, updated_at) = times.unzip();
        let Scope { name, description, published } = scope;
        Self { name, description, published, built_in: revision.is_none(), created_at, updated_at, revision }
    }

    /// What the row says.
    pub(super) fn of(record: ScopeRecord) -> Self {
        Self::new(record.scope, Some(record.revision), Some((record.created_at, record.updated_at)))
    }
}

impl IntoResponse for ScopeDocument {
    fn into_response(self) -> Response {
        (self.revision.map(etag), Json(self)).into_response()
    }
}

impl From<ScopeInput> for Scope {
    fn from(ScopeInput { name, description, published }: ScopeInput) -> Self {
        Self { name, description, published }
    }
}
