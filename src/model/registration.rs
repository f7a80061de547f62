//! How clients register themselves (RFC 7591).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::GrantType;

/// How a client came to be registered without an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegisteredThrough {
    /// By itself, as everybody may.
    Open,
    /// By itself, with an initial access token (RFC 7591 section 3).
    InitialAccessToken,
    /// By the document at the address that is its identifier (draft-ietf-oauth-client-id-metadata-document).
    ClientMetadataDocument,
}

impl RegisteredThrough {
    const ALL: [Self; 3] = [Self::Open, Self::InitialAccessToken, Self::ClientMetadataDocument];

    /// The word in its row.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InitialAccessToken => "initial_access_token",
            Self::ClientMetadataDocument => "client_metadata_document",
        }
    }

    /// The way of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == name)
    }
}

/// What the clients of one initial access token may have, in place of what the configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationPolicy {
    /// The scopes; absent: those of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The grants; absent: those of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_types: Option<Vec<GrantType>>,
}
