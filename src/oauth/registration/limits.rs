//! What clients that register themselves may have: what the configuration says, or the policy of their initial access token,
//! and never anything of the admin API.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::flow::registration::{self, open_scopes};
use crate::flow::sector;
use crate::flow::throttle::{self, Network};
use crate::model::client::{ClientSettings, ConsentPolicy, GrantType, SubjectType};
use crate::model::encryption_alg::{ContentEncryption, EncryptionAlg};
use crate::model::registration::RegistrationPolicy;
use crate::model::token_exchange::TokenExchangePolicy;
use crate::protocol::client_metadata::violations_under;
use crate::protocol::error::OAuthError;
use crate::protocol::registration::{Limits, refusal};
use crate::protocol::sector::https_host;

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
    let (profile, has_pages_elsewhere) = (app.config.oidc.profile, false);
    Ok(Limits { grant_types, methods, scopes, subject_types, profile, has_pages_elsewhere })
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
    keep(
        (&mut settings.id_token_encrypted_response_alg, before.id_token_encrypted_response_alg),
        (&mut settings.id_token_encrypted_response_enc, before.id_token_encrypted_response_enc),
    );
    keep(
        (&mut settings.userinfo_encrypted_response_alg, before.userinfo_encrypted_response_alg),
        (&mut settings.userinfo_encrypted_response_enc, before.userinfo_encrypted_response_enc),
    );
    keep(
        (&mut settings.authorization_encrypted_response_alg, before.authorization_encrypted_response_alg),
        (&mut settings.authorization_encrypted_response_enc, before.authorization_encrypted_response_enc),
    );
    keep(
        (&mut settings.introspection_encrypted_response_alg, before.introspection_encrypted_response_alg),
        (&mut settings.introspection_encrypted_response_enc, before.introspection_encrypted_response_enc),
    );
}

/// What was encrypted stays that; the client chooses how.
fn keep(
    (alg, alg_before): (&mut Option<EncryptionAlg>, Option<EncryptionAlg>),
    (enc, enc_before): (&mut Option<ContentEncryption>, Option<ContentEncryption>),
) {
    if alg.is_none() && alg_before.is_some() {
        (*alg, *enc) = (alg_before, enc_before);
    }
}

/// Refuses a registration that cannot keep to what it is held to, by the profile of now too: a client may have been registered when
/// less was asked.
pub(super) fn check_strict(app: &App, settings: &ClientSettings) -> Result<(), OAuthError> {
    let violations = violations_under(settings, settings.profile.max(app.config.oidc.profile));
    if violations.is_empty() { Ok(()) } else { Err(refusal(&violations)) }
}

/// Refuses pairwise identifiers of a sector that the client does not prove to be in (OpenID Connect Registration section 5): asked for
/// last, because it calls an address that the client names, so often and no more. `before` is what it had registered.
pub(super) async fn check_sector(
    app: &App,
    settings: &ClientSettings,
    before: Option<&ClientSettings>,
    network: &Network,
    now: DateTime<Utc>,
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
    if let Some(host) = sector::to_look_at(settings, before).and_then(https_host) {
        let asked = (network, host.as_str());
        let wait = throttle::count_sector_identifier(app.state.as_ref(), &app.config.registration, asked, now).await?;
        if let Some(wait) = wait {
            let what = "too many sectors were looked at for this network, or at this address";
            return Err(OAuthError::temporarily_unavailable(what).with_wait(wait));
        }
    }
    let violation = sector::violation(app, settings, before).await;
    violation.map_or(Ok(()), |violation| Err(refusal(&[violation])))
}
