//! What clients that register themselves may have: what the configuration says, or the policy of their initial access token,
//! and never anything of the admin API.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::flow::registration::{self, open_scopes};
use crate::flow::sector;
use crate::model::client::{ClientSettings, ConsentPolicy, GrantType, SubjectType};
use crate::model::registration::RegistrationPolicy;
use crate::model::token_exchange::TokenExchangePolicy;
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

/// Whether a client has what only administrators give. With a registration access token that leaked, somebody else would have it by
/// naming a redirect URI of their own.
pub(super) fn has_trust(settings: &ClientSettings) -> bool {
    settings.consent == ConsentPolicy::FirstParty
        || !settings.serves.is_empty()
        || !settings.authorization_details_types.is_empty()
        || settings.token_exchange != TokenExchangePolicy::default()
}

/// What an administrator took from a client it does not give itself again.
pub(super) fn keep_within(limits: &mut Limits, before: &ClientSettings) {
    limits.scopes.retain(|name| before.scopes.contains(name));
    limits.grant_types.retain(|grant| before.grant_types.contains(grant));
}

/// What an administrator demands of a client it does not let itself off.
pub(super) fn keep_strict(settings: &mut ClientSettings, before: &ClientSettings) {
    settings.pkce_required |= before.pkce_required;
    settings.dpop_bound_access_tokens |= before.dpop_bound_access_tokens;
    settings.tls_client_certificate_bound_access_tokens |= before.tls_client_certificate_bound_access_tokens;
    settings.require_pushed_authorization_requests |= before.require_pushed_authorization_requests;
    settings.require_signed_request_object |= before.require_signed_request_object;
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
        GrantType::DeviceCode | GrantType::TokenExchange | GrantType::Ciba => true,
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
