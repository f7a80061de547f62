//! Settings: built-in defaults < `.env.yaml` (or `--config FILE`) < an allow-list of environment variables.
//!
//! One file per section. `load` reports every error at once, each with its key and how to mend it. A setting is a field
//! with a default and a doc comment in its section, a line in `.env.yaml.example` (a test keeps it so) and, where operators
//! want it, a line in `environment::VARIABLES`.

// The admin API.
pub mod admin;
// Records of what was done.
pub mod audit;
// Backchannel authentication.
pub mod backchannel_authentication;
// Clients that are named by an address.
pub mod client_documents;
// Postgres.
pub mod database;
// Device authorization.
pub mod device_authorization;
// Proofs of possession.
pub mod dpop;
// How spans of time are written.
pub mod duration;
// The allow-list of environment variables.
pub mod environment;
// What is wrong with a configuration.
pub mod error;
// Authorization attempts.
pub mod interactions;
// Signing keys and the master key.
pub mod keys;
// Reading and merging the sources.
mod load;
// Logs.
pub mod log;
// What a monitoring system collects.
pub mod metrics;
// Certificates of clients.
pub mod mtls;
// OpenID Connect.
pub mod oidc;
// Outbound HTTP.
pub mod outbound;
// The pages people see.
pub mod pages;
// Passwords.
pub mod passwords;
// Secrets in settings.
mod secret;
// Pushed authorization requests.
pub mod pushed_requests;
// Clients that register themselves.
pub mod registration;
// Listener, issuer, proxies.
pub mod server;
// Sign-ins.
pub mod sessions;
// Short-lived state.
pub mod state;
// The limits on password attempts.
pub mod throttle;
// TLS of this server's own.
pub mod tls;
// Lifetimes of tokens.
pub mod tokens;
// What must hold between settings.
mod validate;

use serde::{Deserialize, Serialize};

pub use self::admin::AdminConfig;
pub use self::audit::AuditConfig;
pub use self::backchannel_authentication::BackchannelAuthenticationConfig;
pub use self::client_documents::ClientDocumentsConfig;
pub use self::database::DatabaseConfig;
pub use self::device_authorization::DeviceAuthorizationConfig;
pub use self::dpop::{DpopConfig, NoncePolicy};
pub use self::error::{ConfigError, ConfigErrors};
pub use self::interactions::InteractionsConfig;
pub use self::keys::{ExternalKeysConfig, KeyRotationConfig, KeyStoreKind, KeysConfig};
pub use self::load::{Sources, examine, load};
pub use self::log::{LogConfig, LogFormat};
pub use self::metrics::MetricsConfig;
pub use self::mtls::{ClientCertificateHeader, MtlsConfig};
pub use self::oidc::{AcrValue, OidcConfig};
pub use self::outbound::{OutboundConfig, OutboundException, OutboundPurpose};
pub use self::pages::PagesConfig;
pub use self::passwords::PasswordsConfig;
pub use self::pushed_requests::PushedRequestsConfig;
pub use self::registration::{RegistrationConfig, RegistrationMode};
pub use self::server::{ClientIpHeaderMode, ServerConfig};
pub use self::sessions::SessionsConfig;
pub use self::state::StateConfig;
pub use self::throttle::ThrottleConfig;
pub use self::tls::TlsConfig;
pub use self::tokens::TokensConfig;
pub use self::validate::validate;

/// Every setting of one server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Listener, issuer, proxies.
    pub server: ServerConfig,
    /// Postgres.
    pub database: DatabaseConfig,
    /// Short-lived state.
    pub state: StateConfig,
    /// Signing keys and the master key.
    pub keys: KeysConfig,
    /// Lifetimes of tokens.
    pub tokens: TokensConfig,
    /// Sign-ins.
    pub sessions: SessionsConfig,
    /// Authorization attempts.
    pub interactions: InteractionsConfig,
    /// Pushed authorization requests.
    pub pushed_requests: PushedRequestsConfig,
    /// Device authorization.
    pub device_authorization: DeviceAuthorizationConfig,
    /// Backchannel authentication.
    pub backchannel_authentication: BackchannelAuthenticationConfig,
    /// Clients that register themselves.
    pub registration: RegistrationConfig,
    /// Clients that are named by an address.
    pub client_documents: ClientDocumentsConfig,
    /// Passwords.
    pub passwords: PasswordsConfig,
    /// The limits on password attempts.
    pub throttle: ThrottleConfig,
    /// TLS of this server's own.
    pub tls: TlsConfig,
    /// Certificates of clients.
    pub mtls: MtlsConfig,
    /// OpenID Connect.
    pub oidc: OidcConfig,
    /// Proofs of possession.
    pub dpop: DpopConfig,
    /// The pages people see.
    pub pages: PagesConfig,
    /// Outbound HTTP.
    pub outbound: OutboundConfig,
    /// The admin API.
    pub admin: AdminConfig,
    /// Records of what was done.
    pub audit: AuditConfig,
    /// What a monitoring system collects.
    pub metrics: MetricsConfig,
    /// Logs.
    pub log: LogConfig,
    /// What the database is for. Not a setting: the command decides it, and the database remembers it.
    #[serde(skip)]
    pub installation: Installation,
}

/// What a database is for: `ostiary` refuses one that `ostiary dev` made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Installation {
    /// Real people and real clients.
    #[default]
    Production,
    /// The embedded default of `ostiary dev`: the demo application is at `/`, only loopback names are answered.
    Dev,
}

impl Installation {
    /// The word in the table `installation`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Dev => "dev",
        }
    }
}

impl Config {
    /// Whether clients can show certificates at all.
    pub fn takes_client_certificates(&self) -> bool {
        self.mtls.header != ClientCertificateHeader::None || self.tls.mtls_bind.is_some()
    }

    /// The settings as YAML, without the values of secrets.
    pub fn to_yaml(&self) -> Result<String, serde_yaml_ng::Error> {
        serde_yaml_ng::to_string(self)
    }
}
