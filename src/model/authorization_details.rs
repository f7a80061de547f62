//! Authorization details (RFC 9396): what a client may do in particular, where a scope would be too coarse.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::catalog::Localized;
use super::id::ResourceUri;

/// One object of the parameter `authorization_details` (section 2), with the member `type`.
pub type AuthorizationDetail = Map<String, Value>;

/// The type of an authorization detail; nothing for an object that has none.
pub fn type_of(detail: &AuthorizationDetail) -> &str {
    detail.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// A registered type of authorization details: what an object of it may say, and how people are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizationDetailsType {
    /// Its identifier, the member `type` of its objects.
    #[serde(rename = "type")]
    pub name_of_type: String,
    /// What its objects must look like: a JSON Schema of the kind that `protocol::authorization_details::schema` understands.
    pub schema: Value,
    /// What the consent page calls it.
    pub name: Localized,
    /// What the consent page says of an object, with members of it in braces; empty: the members are listed.
    pub sentence: Localized,
    /// The resources where it means something; empty: at every one.
    pub resources: Vec<ResourceUri>,
}
