//! The client applications and what they registered (RFC 7591 section 2, OpenID Connect Registration section 2).

// What settings choose from.
mod choices;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::choices::{
    AccessTokenFormat, ApplicationType, ClientAuthMethod, ConsentPolicy, GrantType, SubjectType, TokenDeliveryMode,
};
use super::catalog::Localized;
use super::encryption_alg::{ContentEncryption, Encryption, EncryptionAlg};
use super::id::{ClientId, ResourceUri};
use super::lifetimes::ClientLifetimes;
use super::profile::Profile;
use super::registration::RegisteredThrough;
use super::signing_alg::SigningAlg;
use super::token_exchange::TokenExchangePolicy;

/// What a client registered: the JSON document of its row. Names are those of the registration specifications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClientSettings {
    /// See [`Profile`].
    pub profile: Profile,
    /// See [`ApplicationType`].
    pub application_type: ApplicationType,
    /// What people are shown; `en` at least, when not empty.
    pub client_name: Localized,
    /// The client's home page.
    pub client_uri: Option<String>,
    /// Its logo, fetched and served by us; people's browsers never load it from there.
    pub logo_uri: Option<String>,
    /// Its privacy policy.
    pub policy_uri: Option<String>,
    /// Its terms of service.
    pub tos_uri: Option<String>,
    /// How to reach whoever runs it, mostly mail addresses (RFC 7591 section 2).
    pub contacts: Vec<String>,
    /// Which software it is, the same for every installation of it (RFC 7591 section 2).
    pub software_id: Option<String>,
    /// In which version.
    pub software_version: Option<String>,
    /// Where authorization responses may go.
    pub redirect_uris: Vec<String>,
    /// Where a browser may go after logout (OpenID Connect RP-Initiated Logout section 3.1).
    pub post_logout_redirect_uris: Vec<String>,
    /// See [`SubjectType`].
    pub subject_type: SubjectType,
    /// An https address whose host is its sector, where a JSON array lists the redirect URIs of all the clients of that sector
    /// (OpenID Connect Registration section 5). Absent: the sector is the one host of its redirect URIs.
    pub sector_identifier_uri: Option<String>,
    /// What it may do at the token endpoint.
    pub grant_types: Vec<GrantType>,
    /// How it authenticates.
    pub token_endpoint_auth_method: ClientAuthMethod,
    /// The one algorithm of its assertions; absent: any that the profile allows (OpenID Connect Registration section 2).
    pub token_endpoint_auth_signing_alg: Option<SigningAlg>,
    /// The subject of its certificate in the form of RFC 4514; with `tls_client_auth` this or one of the next four names it
    /// (RFC 8705 section 2.1.2).
    pub tls_client_auth_subject_dn: Option<String>,
    /// A DNS name among the alternative names of its certificate.
    pub tls_client_auth_san_dns: Option<String>,
    /// A URI among them.
    pub tls_client_auth_san_uri: Option<String>,
    /// An IP address among them.
    pub tls_client_auth_san_ip: Option<String>,
    /// A mail address among them.
    pub tls_client_auth_san_email: Option<String>,
    /// Whether its access tokens are bound to the certificate that it presents (RFC 8705 section 3.4).
    pub tls_client_certificate_bound_access_tokens: bool,
    /// Its public keys, a JWK Set (RFC 7517 section 5).
    pub jwks: Option<serde_json::Value>,
    /// Where its public keys are instead.
    pub jwks_uri: Option<String>,
    /// Whether an authorization request must be pushed (RFC 9126 section 6).
    pub require_pushed_authorization_requests: bool,
    /// Whether an authorization request must be a signed request object (RFC 9101 section 10.5); one that does is held to the
    /// rules of FAPI 2.0 Message Signing.
    pub require_signed_request_object: bool,
    /// The one algorithm of its request objects; absent: any that the profile allows.
    pub request_object_signing_alg: Option<SigningAlg>,
    /// How the key of its encrypted request objects is sent. It may send others all the same (OpenID Connect Registration section
    /// 2): what is taken is what the server has a key for.
    pub request_object_encryption_alg: Option<EncryptionAlg>,
    /// What they are encrypted with; absent: A128CBC-HS256.
    pub request_object_encryption_enc: Option<ContentEncryption>,
    /// Where its request objects are, byte for byte (OpenID Connect Registration section 2).
    pub request_uris: Vec<String>,
    /// Whether its access tokens are always bound to a key of its own (RFC 9449 section 5.2).
    pub dpop_bound_access_tokens: bool,
    /// The scopes it may ask for.
    pub scopes: Vec<String>,
    /// The types of authorization details it may ask for (RFC 9396 section 10).
    pub authorization_details_types: Vec<String>,
    /// The resources it may ask for. Empty: every one that is not restricted.
    pub resources: Vec<ResourceUri>,
    /// The resources that this client *is*: it may introspect tokens for them (RFC 7662) and exchange them (RFC 8693).
    pub serves: Vec<ResourceUri>,
    /// See [`TokenExchangePolicy`].
    pub token_exchange: TokenExchangePolicy,
    /// Whether an authorization request needs PKCE (RFC 7636). Off only for clients of the OIDC certification.
    pub pkce_required: bool,
    /// See [`ConsentPolicy`].
    pub consent: ConsentPolicy,
    /// See [`AccessTokenFormat`].
    pub access_token_format: AccessTokenFormat,
    /// What access tokens are signed with.
    pub access_token_signed_response_alg: SigningAlg,
    /// What ID tokens and logout tokens are signed with.
    pub id_token_signed_response_alg: SigningAlg,
    /// How the key of encrypted ID tokens is sent; absent: they are not encrypted.
    pub id_token_encrypted_response_alg: Option<EncryptionAlg>,
    /// What they are encrypted with; absent: A128CBC-HS256.
    pub id_token_encrypted_response_enc: Option<ContentEncryption>,
    /// What authorization responses are signed with, where the request asks for a JWT (JARM section 3).
    pub authorization_signed_response_alg: SigningAlg,
    /// How the key of encrypted authorization responses is sent; absent: they are not encrypted (JARM section 3).
    pub authorization_encrypted_response_alg: Option<EncryptionAlg>,
    /// What they are encrypted with; absent: A128CBC-HS256.
    pub authorization_encrypted_response_enc: Option<ContentEncryption>,
    /// What userinfo answers are signed with; absent: plain JSON.
    pub userinfo_signed_response_alg: Option<SigningAlg>,
    /// How the key of encrypted userinfo answers is sent; absent: they are not encrypted. They need not be signed for that (OpenID
    /// Connect Core section 5.3.2).
    pub userinfo_encrypted_response_alg: Option<EncryptionAlg>,
    /// What they are encrypted with; absent: A128CBC-HS256.
    pub userinfo_encrypted_response_enc: Option<ContentEncryption>,
    /// What introspection answers are signed with, where they are JWTs (RFC 9701 section 6); absent: what its profile has for
    /// that, see [`Profile::default_alg`].
    pub introspection_signed_response_alg: Option<SigningAlg>,
    /// How the key of encrypted introspection answers is sent; absent: they are not encrypted. If they are, they are JWTs whatever it
    /// asks for (RFC 9701 section 8.2).
    pub introspection_encrypted_response_alg: Option<EncryptionAlg>,
    /// What they are encrypted with; absent: A128CBC-HS256.
    pub introspection_encrypted_response_enc: Option<ContentEncryption>,
    /// Whether its introspection answers are JWTs whatever it asks for.
    pub require_signed_introspection_response: bool,
    /// Seconds after which a sign-in is too old, when the request says nothing.
    pub default_max_age: Option<u32>,
    /// Whether ID tokens always carry `auth_time`.
    pub require_auth_time: bool,
    /// Authentication context classes when the request says nothing.
    pub default_acr_values: Vec<String>,
    /// Where a sign-in can be begun from elsewhere (OpenID Connect Core section 4).
    pub initiate_login_uri: Option<String>,
    /// OpenID Connect Back-Channel Logout section 2.2.
    pub backchannel_logout_uri: Option<String>,
    /// Whether the logout token must carry `sid`.
    pub backchannel_logout_session_required: bool,
    /// OpenID Connect Front-Channel Logout section 2.
    pub frontchannel_logout_uri: Option<String>,
    /// Whether `iss` and `sid` are appended.
    pub frontchannel_logout_session_required: bool,
    /// See [`TokenDeliveryMode`]; a client with the CIBA grant has one.
    pub backchannel_token_delivery_mode: Option<TokenDeliveryMode>,
    /// Where a client with the mode ping is told (OpenID Connect CIBA section 4).
    pub backchannel_client_notification_endpoint: Option<String>,
    /// Lifetimes of its own.
    pub lifetimes: ClientLifetimes,
}

impl ClientSettings {
    /// How its ID tokens are encrypted.
    pub fn id_token_encryption(&self) -> Option<Encryption> {
        Encryption::registered(self.id_token_encrypted_response_alg, self.id_token_encrypted_response_enc)
    }

    /// How its authorization responses are encrypted.
    pub fn authorization_encryption(&self) -> Option<Encryption> {
        Encryption::registered(self.authorization_encrypted_response_alg, self.authorization_encrypted_response_enc)
    }

    /// How its userinfo answers are encrypted.
    pub fn userinfo_encryption(&self) -> Option<Encryption> {
        Encryption::registered(self.userinfo_encrypted_response_alg, self.userinfo_encrypted_response_enc)
    }

    /// How its introspection answers are encrypted.
    pub fn introspection_encryption(&self) -> Option<Encryption> {
        Encryption::registered(self.introspection_encrypted_response_alg, self.introspection_encrypted_response_enc)
    }
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            application_type: ApplicationType::default(),
            client_name: Localized::new(),
            client_uri: None,
            logo_uri: None,
            policy_uri: None,
            tos_uri: None,
            contacts: Vec::new(),
            software_id: None,
            software_version: None,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            subject_type: SubjectType::default(),
            sector_identifier_uri: None,
            grant_types: vec![GrantType::AuthorizationCode],
            token_endpoint_auth_method: ClientAuthMethod::ClientSecretBasic,
            token_endpoint_auth_signing_alg: None,
            tls_client_auth_subject_dn: None,
            tls_client_auth_san_dns: None,
            tls_client_auth_san_uri: None,
            tls_client_auth_san_ip: None,
            tls_client_auth_san_email: None,
            tls_client_certificate_bound_access_tokens: false,
            jwks: None,
            jwks_uri: None,
            require_pushed_authorization_requests: false,
            require_signed_request_object: false,
            request_object_signing_alg: None,
            request_object_encryption_alg: None,
            request_object_encryption_enc: None,
            request_uris: Vec::new(),
            dpop_bound_access_tokens: false,
            scopes: vec!["openid".into(), "profile".into(), "email".into()],
            authorization_details_types: Vec::new(),
            resources: Vec::new(),
            serves: Vec::new(),
            token_exchange: TokenExchangePolicy::default(),
            pkce_required: true,
            consent: ConsentPolicy::default(),
            access_token_format: AccessTokenFormat::default(),
            access_token_signed_response_alg: SigningAlg::ES256,
            id_token_signed_response_alg: SigningAlg::RS256,
            id_token_encrypted_response_alg: None,
            id_token_encrypted_response_enc: None,
            authorization_signed_response_alg: SigningAlg::RS256,
            authorization_encrypted_response_alg: None,
            authorization_encrypted_response_enc: None,
            userinfo_signed_response_alg: None,
            userinfo_encrypted_response_alg: None,
            userinfo_encrypted_response_enc: None,
            introspection_signed_response_alg: None,
            introspection_encrypted_response_alg: None,
            introspection_encrypted_response_enc: None,
            require_signed_introspection_response: false,
            default_max_age: None,
            require_auth_time: false,
            default_acr_values: Vec::new(),
            initiate_login_uri: None,
            backchannel_logout_uri: None,
            backchannel_logout_session_required: false,
            frontchannel_logout_uri: None,
            frontchannel_logout_session_required: false,
            backchannel_token_delivery_mode: None,
            backchannel_client_notification_endpoint: None,
            lifetimes: ClientLifetimes::default(),
        }
    }
}

/// What is kept of a client secret: a MAC under the server's pepper that also covers the client id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSecret {
    /// Which of the at most two live secrets.
    pub id: uuid::Uuid,
    /// HMAC-SHA256 of the secret, see `keys::master_key`.
    pub mac: [u8; 32],
    /// The version of the master key that made the MAC.
    pub key_id: u8,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A registered client.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// Its identifier.
    pub id: ClientId,
    /// Whether it may do anything at all.
    pub enabled: bool,
    /// What it registered.
    pub settings: ClientSettings,
    /// Its live secrets.
    pub secrets: Vec<ClientSecret>,
    /// Raised when everything that was issued to it is revoked: codes, families and machines' tokens carry the one they were
    /// made under.
    pub generation: i64,
    /// How it came to be registered without an administrator; absent: somebody registered it. Set when it is made, and never changed.
    pub registered_through: Option<RegisteredThrough>,
}

impl Client {
    /// Whether it may use `grant` at the token endpoint.
    pub fn has_grant(&self, grant: GrantType) -> bool {
        self.settings.grant_types.contains(&grant)
    }

    /// Whether it has no way to authenticate (RFC 6749 section 2.1).
    pub fn is_public(&self) -> bool {
        self.settings.token_endpoint_auth_method == ClientAuthMethod::None
    }

    /// What people are shown: its name in `locale`, else in English, else its identifier.
    pub fn display_name(&self, locale: &str) -> &str {
        let names = &self.settings.client_name;
        names.get(locale).or_else(|| names.get("en")).map_or(self.id.as_str(), String::as_str)
    }
}
