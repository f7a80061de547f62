//! What the server decides for clients that nobody registered by hand, and what is kept of the tokens with which they register
//! and manage themselves (RFC 7591 section 1.2): both are 256 random bits, which are not guessed.

use aws_lc_rs::digest::{Context, SHA256};
use chrono::{DateTime, Utc};
use url::Url;

use crate::app::App;
use crate::config::{Installation, OutboundPurpose};
use crate::model::client::ClientSettings;
use crate::model::id::{ClientId, ResourceUri};
use crate::model::signing_alg::SigningAlg;
use crate::protocol::client_metadata::Violation;
use crate::protocol::error::OAuthError;
use crate::protocol::registration;

/// Where clients register themselves (RFC 7591 section 3).
pub const ENDPOINT: &str = "/register";
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

/// Refuses algorithms that this server has no keys for: nothing could be signed, or read, as the client wants it.
pub fn check_keys(app: &App, settings: &ClientSettings) -> Result<(), OAuthError> {
    let keyset = app.keys.current();
    let algs = keyset.algs();
    let wanted: [(&str, Option<SigningAlg>); 4] = [
        ("/id_token_signed_response_alg", Some(settings.id_token_signed_response_alg)),
        ("/authorization_signed_response_alg", Some(settings.authorization_signed_response_alg)),
        ("/userinfo_signed_response_alg", settings.userinfo_signed_response_alg),
        ("/introspection_signed_response_alg", settings.introspection_signed_response_alg),
    ];
    let is_missing = |alg: &Option<SigningAlg>| alg.is_some_and(|alg| !algs.contains(&alg));
    let missing = wanted.into_iter().filter(|(_, alg)| is_missing(alg)).map(|(pointer, _)| pointer);
    let is_unread = settings.request_object_encryption_alg.is_some() && !keyset.takes_encrypted();
    let missing = missing.chain(is_unread.then_some("/request_object_encryption_alg"));
    let violations: Vec<Violation> =
        missing.map(|pointer| (pointer.to_owned(), "this server has no key for it".to_owned())).collect();
    if violations.is_empty() { Ok(()) } else { Err(registration::refusal(&violations)) }
}

/// Refuses addresses without TLS that this server would call, or send people to, at the word of a client that nobody here has checked:
/// on a loopback address is what the operator runs beside the server. Development has nothing else, and what the operator lets this
/// server call may be registered.
pub fn check_addresses(app: &App, settings: &ClientSettings) -> Result<(), OAuthError> {
    if app.config.installation == Installation::Dev {
        return Ok(());
    }
    let one = |pointer: &str, purpose, uri: &Option<String>| Some((pointer.to_owned(), purpose, uri.clone()?));
    let called = [
        one("/jwks_uri", Some(OutboundPurpose::ClientKeys), &settings.jwks_uri),
        one("/logo_uri", Some(OutboundPurpose::ClientLogo), &settings.logo_uri),
        one("/backchannel_logout_uri", Some(OutboundPurpose::BackchannelLogout), &settings.backchannel_logout_uri),
        // OpenID Connect Registration section 2: it must be https, and nobody but a browser goes there.
        one("/initiate_login_uri", None, &settings.initiate_login_uri),
    ];
    let objects = settings.request_uris.iter().enumerate();
    let objects = objects
        .map(|(index, uri)| (format!("/request_uris/{index}"), Some(OutboundPurpose::RequestObject), uri.clone()));
    let is_allowed = |purpose: Option<OutboundPurpose>, uri: &str| {
        let Ok(url) = Url::parse(uri) else { return false };
        url.scheme() == "https" || purpose.is_some_and(|purpose| app.config.outbound.allows_http(purpose, &url))
    };
    let refused = called.into_iter().flatten().chain(objects).filter(|(_, purpose, uri)| !is_allowed(*purpose, uri));
    let what = "it must be https for a client that registers itself";
    let violations: Vec<Violation> = refused.map(|(pointer, _, _)| (pointer, what.to_owned())).collect();
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
