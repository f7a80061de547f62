//! The registered scopes and resources: things with descriptions that the consent page shows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::ResourceUri;

/// A text in several languages, by BCP 47 tag; `en` is always there.
pub type Localized = BTreeMap<String, String>;

/// A registered scope (RFC 6749 section 3.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// Its name, an RFC 6749 scope-token.
    pub name: String,
    /// What the consent page says it allows.
    pub description: Localized,
    /// Whether discovery lists it.
    pub published: bool,
}

/// A registered resource (RFC 8707): an API that accepts our tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resource {
    /// Its resource indicator, the `aud` of its tokens.
    pub uri: ResourceUri,
    /// What the consent page calls it.
    pub name: Localized,
    /// The scopes that have a meaning there; a token for it carries no others.
    pub scopes: Vec<String>,
    /// Whether only clients that were given it by name may ask for it; such a resource is never a default audience.
    pub restricted: bool,
}
