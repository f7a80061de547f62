//! What clients that register themselves may have: what the configuration says, or the policy of their initial access token,
//! and never anything of the admin API.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::flow::registration::{self, open_scopes};
use crate::model::client::ClientSettings;
use crate::model::registration::RegistrationPolicy;
use crate::protocol::error::OAuthError;
use crate::protocol::registration::Limits;

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
    Ok(Limits { grant_types, methods: config.token_endpoint_auth_methods.clone(), scopes })
}

/// What the server decides for a new client.
pub(super) fn base(app: &App) -> ClientSettings {
    let config = &app.config.registration;
    registration::base(app, config.pkce_required, &config.resources)
}
