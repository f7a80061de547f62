//! What clients that register themselves may have: what the configuration says, or the policy of their initial access token,
//! and never anything of the admin API.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::flow::registration::{self, open_scopes};
use crate::flow::sector;
use crate::model::client::{ClientSettings, GrantType, SubjectType};
use crate::model::registration::RegistrationPolicy;
use crate::protocol::error::OAuthError;
use crate::protocol::registration::{Limits, refusal};

/// What a client may have.
pub(super) async fn of(
    app: &App,
    policy: Option<&RegistrationPolicy>,
    now: DateTime<Utc>,
) -> Result<Limits, OAuthError> {
    let config = &app.config.registration;
    let policy = policy.cloned().unwrap_or_default();
    let scopes = open_scopes(app, &policy.scopes.unwrap_or_else(|| config.scopes.clone()), now).await?;
    let grant_types = policy.grant_types.unwrap_or_else(|| config.grant_types.clone());
    let (methods, subject_types) = (config.token_endpoint_auth_methods.clone(), config.subject_types.clone());
    Ok(Limits { grant_types, methods, scopes, subject_types })
}

/// What the server decides for a new client.
pub(super) fn base(app: &App) -> ClientSettings {
    let config = &app.config.registration;
    registration::base(app, config.pkce_required, &config.resources)
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
        return Err(refusal(&[("/subject_type".to_owned(), what.to_owned())]));
    }
    let violation = sector::violation(app, settings, before).await;
    violation.map_or(Ok(()), |violation| Err(refusal(&[violation])))
}
