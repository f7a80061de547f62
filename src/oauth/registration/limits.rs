//! What clients that register themselves may have: what the configuration says, or the policy of their initial access token,
//! and never anything of the admin API.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::flow::sector;
use crate::model::client::{ClientSettings, GrantType, SubjectType};
use crate::model::registration::RegistrationPolicy;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::client_metadata::Violation;
use crate::protocol::error::OAuthError;
use crate::protocol::registration::{self, Limits};

/// The scopes of the admin API begin with it, and no others do.
const RESERVED: &str = "admin:";

/// What a client may have.
pub(super) async fn of(
    app: &App,
    policy: Option<&RegistrationPolicy>,
    now: DateTime<Utc>,
) -> Result<Limits, OAuthError> {
    let config = &app.config.registration;
    let policy = policy.cloned().unwrap_or_default();
    let catalog = app.registry.catalog(now).await?;
    let mut scopes = policy.scopes.unwrap_or_else(|| config.scopes.clone());
    scopes.retain(|name| !name.starts_with(RESERVED) && catalog.find_scope(name).is_some());
    let grant_types = policy.grant_types.unwrap_or_else(|| config.grant_types.clone());
    let (methods, subject_types) = (config.token_endpoint_auth_methods.clone(), config.subject_types.clone());
    Ok(Limits { grant_types, methods, scopes, subject_types })
}

/// What the server decides for a new client.
pub(super) fn base(app: &App) -> ClientSettings {
    let (config, defaults) = (&app.config.registration, ClientSettings::default());
    ClientSettings {
        profile: defaults.profile.max(app.config.oidc.profile),
        pkce_required: config.pkce_required || app.config.oidc.profile.is_fapi2(),
        resources: config.resources.clone(),
        ..defaults
    }
}

/// Refuses pairwise identifiers of a sector that the client does not prove to be in (OpenID Connect Registration section 5): asked for
/// last, because it calls an address that the client names. `before` is what it had registered.
pub(super) async fn check_sector(
    app: &App,
    settings: &ClientSettings,
    before: Option<&ClientSettings>,
) -> Result<(), OAuthError> {
    // Where authorization responses go proves the sector. What other grants give goes to whoever asks.
    let is_elsewhere = |grant: &GrantType| match grant {
        GrantType::AuthorizationCode | GrantType::RefreshToken | GrantType::ClientCredentials => false,
        GrantType::DeviceCode | GrantType::TokenExchange => true,
    };
    let is_pairwise = settings.subject_type == SubjectType::Pairwise;
    if is_pairwise && (settings.redirect_uris.is_empty() || settings.grant_types.iter().any(is_elsewhere)) {
        let what =
            "a client that registers itself has pairwise subjects only where all of them go to its redirect URIs";
        return Err(registration::refusal(&[("/subject_type".to_owned(), what.to_owned())]));
    }
    let violation = sector::violation(app, settings, before).await;
    violation.map_or(Ok(()), |violation| Err(registration::refusal(&[violation])))
}

/// Refuses algorithms that this server has no keys for: nothing could be signed as the client wants it.
pub(super) fn check(app: &App, settings: &ClientSettings) -> Result<(), OAuthError> {
    let algs = app.keys.current().algs();
    let wanted: [(&str, Option<SigningAlg>); 3] = [
        ("/id_token_signed_response_alg", Some(settings.id_token_signed_response_alg)),
        ("/authorization_signed_response_alg", Some(settings.authorization_signed_response_alg)),
        ("/userinfo_signed_response_alg", settings.userinfo_signed_response_alg),
    ];
    let is_missing = |alg: &Option<SigningAlg>| alg.is_some_and(|alg| !algs.contains(&alg));
    let missing = wanted.into_iter().filter(|(_, alg)| is_missing(alg));
    let violations: Vec<Violation> =
        missing.map(|(pointer, _)| (pointer.to_owned(), "this server has no key for it".to_owned())).collect();
    if violations.is_empty() { Ok(()) } else { Err(registration::refusal(&violations)) }
}
