//! What a client may do with the token exchange grant (RFC 8693).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::ResourceUri;

/// The policy of one client. Its scopes are the client's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TokenExchangePolicy {
    /// The resources that it may get tokens for. None: none.
    pub resources: Vec<ResourceUri>,
    /// Whether it may get tokens that name who acts for the subject (RFC 8693 section 1.1).
    pub delegation: bool,
    /// Whether it may get tokens in which only the subject is named.
    pub impersonation: bool,
    /// Whether the subject may be a client that acts for itself.
    pub client_subjects: bool,
}

impl Default for TokenExchangePolicy {
    fn default() -> Self {
        Self { resources: Vec::new(), delegation: true, impersonation: false, client_subjects: false }
    }
}
