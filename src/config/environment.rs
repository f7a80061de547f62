//! The allow-list of environment variables. Nothing else in the environment is looked at.

/// One variable that is read.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The setting it sets.
    pub key: &'static str,
    /// Whether its value is a secret, so that `<name>_FILE` may name a file that holds it.
    pub is_secret: bool,
}

const fn plain(name: &'static str, key: &'static str) -> Variable {
    Variable { name, key, is_secret: false }
}

const fn secret(name: &'static str, key: &'static str) -> Variable {
    Variable { name, key, is_secret: true }
}

/// Every variable that is read; lists are separated by commas. An empty variable counts as absent.
pub const VARIABLES: &[Variable] = &[
    plain("BIND", "server.bind"),
    plain("ISSUER", "server.issuer"),
    plain("FRONTEND_BASE_URL", "server.frontend_base_url"),
    plain("CORS_ALLOWED_ORIGINS", "server.cors_allowed_origins"),
    plain("TRUSTED_PROXY_CIDRS", "server.trusted_proxy_cidrs"),
    plain("CLIENT_IP_HEADER_MODE", "server.client_ip_header_mode"),
    plain("COOKIE_SECURE", "server.cookie_secure"),
    plain("MAX_BODY_BYTES", "server.max_body_bytes"),
    plain("MAX_HEADER_BYTES", "server.max_header_bytes"),
    plain("MAX_CONNECTIONS", "server.max_connections"),
    plain("MAX_CONNECTIONS_PER_ADDRESS", "server.max_connections_per_address"),
    plain("DRAIN_DELAY", "server.drain_delay"),
    plain("DRAIN_TIMEOUT", "server.drain_timeout"),
    secret("DATABASE_URL", "database.url"),
    plain("DATABASE_POOL_SIZE", "database.pool_size"),
    plain("DATABASE_ACQUIRE_TIMEOUT", "database.acquire_timeout"),
    plain("DATABASE_STATEMENT_TIMEOUT", "database.statement_timeout"),
    secret("VALKEY_URL", "state.valkey_url"),
    plain("VALKEY_PREFIX", "state.prefix"),
    plain("VALKEY_TIMEOUT", "state.timeout"),
    plain("KEYS_STORE", "keys.store"),
    plain("KEYS_DIRECTORY", "keys.directory"),
    secret("MASTER_KEY", "keys.master_key"),
    secret("KEK", "keys.kek"),
    plain("KEY_ROTATION_AUTOMATIC", "keys.rotation.automatic"),
    plain("KEY_ROTATION_PERIOD", "keys.rotation.period"),
    plain("KEY_ROTATION_PREPUBLISH", "keys.rotation.prepublish"),
    plain("KEY_ROTATION_GRACE", "keys.rotation.grace"),
    plain("ACCESS_TOKEN_LIFETIME", "tokens.access_token"),
    plain("ID_TOKEN_LIFETIME", "tokens.id_token"),
    plain("AUTHORIZATION_CODE_LIFETIME", "tokens.authorization_code"),
    plain("REFRESH_TOKEN_IDLE_LIFETIME", "tokens.refresh_idle"),
    plain("REFRESH_TOKEN_ABSOLUTE_LIFETIME", "tokens.refresh_absolute"),
    plain("REFRESH_TOKEN_GRACE", "tokens.refresh_grace"),
    plain("SESSION_LIFETIME", "sessions.lifetime"),
    plain("SESSION_IDLE_LIFETIME", "sessions.idle"),
    plain("INTERACTION_LIFETIME", "interactions.lifetime"),
    plain("PROFILE", "oidc.profile"),
    plain("REQUIRE_PUSHED_REQUESTS", "pushed_requests.required"),
    plain("REGISTRATION_MODE", "registration.mode"),
    plain("CLIENT_DOCUMENTS", "client_documents.enabled"),
    plain("DEVICE_CODE_LIFETIME", "device_authorization.lifetime"),
    plain("DEVICE_POLLING_INTERVAL", "device_authorization.interval"),
    plain("BACKCHANNEL_AUTHENTICATION_LIFETIME", "backchannel_authentication.lifetime"),
    plain("BACKCHANNEL_POLLING_INTERVAL", "backchannel_authentication.interval"),
    plain("BACKCHANNEL_ANNOUNCE_URI", "backchannel_authentication.announce_uri"),
    secret("BACKCHANNEL_ANNOUNCE_TOKEN", "backchannel_authentication.announce_token"),
    plain("DEFAULT_RESOURCE", "oidc.default_resource"),
    plain("TLS_BIND", "tls.bind"),
    plain("MTLS_BIND", "tls.mtls_bind"),
    plain("TLS_CERTIFICATE_FILE", "tls.certificate_file"),
    plain("TLS_PRIVATE_KEY_FILE", "tls.private_key_file"),
    plain("CLIENT_CERTIFICATE_HEADER", "mtls.header"),
    plain("CLIENT_CA_FILE", "mtls.client_ca_file"),
    plain("MTLS_ALIAS_BASE_URL", "mtls.alias_base_url"),
    plain("DEFAULT_LOCALE", "pages.default_locale"),
    plain("METRICS_BIND", "metrics.bind"),
    plain("LOG_FORMAT", "log.format"),
    plain("LOG_FILTER", "log.filter"),
];

/// Whether the value of the setting must not be shown.
pub fn is_secret(key: &str) -> bool {
    VARIABLES.iter().any(|variable| variable.is_secret && variable.key == key)
}
