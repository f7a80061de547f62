//! What the server decides for clients that nobody registered by hand, and what is kept of the tokens with which they register
//! and manage themselves (RFC 7591 section 1.2): both are 256 random bits, which are not guessed.

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};

use crate::app::App;
use crate::model::client::ClientSettings;
use crate::model::id::{ClientId, ResourceUri};
use crate::model::signing_alg::SigningAlg;
use crate::protocol::client_metadata::Violation;
use crate::protocol::error::OAuthError;
use crate::protocol::registration;

/// The scopes of the admin API begin with it, and no others do.
const RESERVED: &str = "admin:";

/// Which of `scopes` there are, and can be had without an administrator.
pub async fn open_scopes(app: &App, scopes: &[String], now: DateTime<Utc>) -> Result<Vec<String>, OAuthError> {
    let catalog = app.registry.catalog(now).await?;
    let is_open = |name: &&String| !name.starts_with(RESERVED) && catalog.find_scope(name).is_some();
    Ok(scopes.iter().filter(is_open).cloned().collect())
}

/// What the server decides for a new client.
pub fn base(app: &App, pkce_required: bool, resources: &[ResourceUri]) -> ClientSettings {
    let defaults = ClientSettings::default();
    ClientSettings {
        profile: defaults.profile.max(app.config.oidc.profile),
        pkce_required: pkce_required || app.config.oidc.profile.is_fapi2(),
        resources: resources.to_vec(),
        ..defaults
    }
}

/// Refuses algorithms that this server has no keys for: nothing could be signed as the client wants it.
pub fn check_algs(app: &App, settings: &ClientSettings) -> Result<(), OAuthError> {
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

/// What is kept of an initial access token.
pub fn hash_initial_access_token(token: &str) -> [u8; 32] {
    digest(&[b"initial access token", token.as_bytes()])
}

/// What is kept of a registration access token. It covers the client, so that a row copied to another client is worthless
/// there.
pub fn hash_registration_access_token(client: &ClientId, token: &str) -> [u8; 32] {
    digest(&[b"registration access token", client.as_str().as_bytes(), token.as_bytes()])
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        // With its length, so that no two lists of parts are the same text.
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}
