//! Dynamic client registration (RFC 7591).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;
use crate::model::client::{ClientAuthMethod, GrantType, SubjectType};
use crate::model::id::ResourceUri;

/// Who may register clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationMode {
    /// Administrators alone: there is no registration endpoint.
    #[default]
    Off,
    /// Whoever has an initial access token.
    InitialAccessToken,
    /// Everybody.
    Open,
}

/// What clients that register themselves may be.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationConfig {
    /// Who may register clients.
    pub mode: RegistrationMode,
    /// The grants that they may have; others are left out of what they register.
    pub grant_types: Vec<GrantType>,
    /// The ways in which they may authenticate.
    pub token_endpoint_auth_methods: Vec<ClientAuthMethod>,
    /// What they may call people: the first, unless they ask for another of these.
    pub subject_types: Vec<SubjectType>,
    /// The scopes that they may have, and have unless they ask for fewer. Never those of the admin API.
    pub scopes: Vec<String>,
    /// The resources that they may ask for. Empty: every one that is not restricted.
    pub resources: Vec<ResourceUri>,
    /// Whether confidential ones need PKCE too; public ones always do.
    pub pkce_required: bool,
    /// The window in which registrations without an initial access token are counted; and, each by itself, changes of registrations
    /// and looks at a `sector_identifier_uri`.
    #[serde(with = "lifetime")]
    pub window: TimeDelta,
    /// From one network, and changes of one client.
    pub per_network: u32,
    /// From all networks of one site, and looks at one host.
    pub per_site: u32,
    /// When a client is removed that was never used and that nobody registered or changed by hand; zero: never. Those that are
    /// named by an address count too.
    #[serde(with = "lifetime")]
    pub unused_after: TimeDelta,
    /// When one is removed that was used, after its last use.
    #[serde(with = "lifetime")]
    pub idle_after: TimeDelta,
}

impl Default for RegistrationConfig {
    fn default() -> Self {
        Self {
            mode: RegistrationMode::default(),
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            token_endpoint_auth_methods: ClientAuthMethod::ALL.into(),
            subject_types: SubjectType::ALL.into(),
            scopes: ["openid", "profile", "email", "address", "phone", "offline_access"].map(String::from).into(),
            resources: Vec::new(),
            pkce_required: true,
            window: TimeDelta::hours(1),
            per_network: 20,
            per_site: 100,
            unused_after: TimeDelta::days(30),
            idle_after: TimeDelta::days(365),
        }
    }
}
