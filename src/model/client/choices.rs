//! What the settings of a client choose from, by the names of the specifications.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A grant type that this server implements (RFC 7591 section 2, `grant_types`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 section 4.1.
    AuthorizationCode,
    /// RFC 6749 section 6.
    RefreshToken,
    /// RFC 6749 section 4.4.
    ClientCredentials,
    /// RFC 8628 section 3.4.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    /// RFC 8693 section 2.1.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
    /// OpenID Connect CIBA section 10.1.
    #[serde(rename = "urn:openid:params:grant-type:ciba")]
    Ciba,
}

impl GrantType {
    /// Every grant, in the order in which discovery lists them.
    pub const ALL: [Self; 6] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
        Self::TokenExchange,
        Self::Ciba,
    ];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
            Self::Ciba => "urn:openid:params:grant-type:ciba",
        }
    }

    /// The grant with that registered name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == name)
    }
}

/// How a client proves who it is (RFC 7591 section 2, `token_endpoint_auth_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMethod {
    /// A public client (RFC 6749 section 2.1).
    None,
    /// RFC 6749 section 2.3.1, the Authorization header.
    ClientSecretBasic,
    /// RFC 6749 section 2.3.1, the request body.
    ClientSecretPost,
    /// An assertion signed with a key that the client registered (RFC 7523 section 2.2, OpenID Connect Core section 9).
    PrivateKeyJwt,
    /// A certificate that an authority vouches for (RFC 8705 section 2.1).
    TlsClientAuth,
    /// A certificate whose key the client registered (RFC 8705 section 2.2).
    SelfSignedTlsClientAuth,
}

impl ClientAuthMethod {
    /// Every method, in the order in which discovery lists them.
    pub const ALL: [Self; 6] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::PrivateKeyJwt,
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
        Self::None,
    ];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::TlsClientAuth => "tls_client_auth",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
        }
    }

    /// Whether it needs a secret that this server gave.
    pub fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }

    /// Whether the client proves that it has a key, which nobody can learn by listening or by reading what is stored here.
    pub fn proves_key(self) -> bool {
        match self {
            Self::PrivateKeyJwt | Self::TlsClientAuth | Self::SelfSignedTlsClientAuth => true,
            Self::None | Self::ClientSecretBasic | Self::ClientSecretPost => false,
        }
    }

    /// Whether the certificate of the connection is what proves it.
    pub fn has_certificate(self) -> bool {
        matches!(self, Self::TlsClientAuth | Self::SelfSignedTlsClientAuth)
    }
}

/// The kind of application (OpenID Connect Registration section 2, `application_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// A web application.
    #[default]
    Web,
    /// A native application: the port of its loopback redirect URIs is free (RFC 8252 section 7.3).
    Native,
}

/// What a client calls people (OpenID Connect Core section 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// The same as every other client of this type: the person's own identifier.
    #[default]
    Public,
    /// What only the clients of its sector call them.
    Pairwise,
}

impl SubjectType {
    /// Every type, in the order in which discovery lists them.
    pub const ALL: [Self; 2] = [Self::Public, Self::Pairwise];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Pairwise => "pairwise",
        }
    }
}

/// How a client learns that its backchannel authentication request was decided (OpenID Connect CIBA section 4). Push is not
/// offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenDeliveryMode {
    /// It asks at the token endpoint.
    Poll,
    /// It is told, and asks then.
    Ping,
}

impl TokenDeliveryMode {
    /// Every mode, in the order in which discovery lists them.
    pub const ALL: [Self; 2] = [Self::Poll, Self::Ping];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Ping => "ping",
        }
    }
}

/// When the consent page is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConsentPolicy {
    /// Until the person allowed at least what is asked, which is then remembered.
    #[default]
    Remembered,
    /// Every time.
    Always,
    /// Never: the operator's own applications. `prompt=consent` still shows it.
    FirstParty,
}

/// The form of access tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessTokenFormat {
    /// A signed JWT (RFC 9068).
    #[default]
    Jwt,
    /// Sealed: only this server can read it.
    Opaque,
}
