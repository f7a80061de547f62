//! What this server can do (OpenID Connect Discovery section 3, RFC 8414 section 2): every capability it lists is true, and
//! lists are read from the same enums that the endpoints match on. Only registered metadata names are used.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Serialize;
use std::sync::Arc;

use super::paths;
use super::protected_resource::public_catalog;
use crate::app::{App, PublishedMetadata};
use crate::config::{Config, RegistrationMode};
use crate::http::document::{self, Document};
use crate::http::pages::locale::Locale;
use crate::keys::keyset::Keyset;
use crate::keys::lifecycle::RotationPolicy;
use crate::model::catalog::Scope;
use crate::model::client::{ClientAuthMethod, GrantType, SubjectType, TokenDeliveryMode};
use crate::model::encryption_alg::{ContentEncryption, EncryptionAlg};
use crate::model::key_alg::KeyAlg;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::claims::release::SCOPES;
use crate::protocol::display::Display;
use crate::protocol::dpop;
use crate::protocol::error::OAuthError;
use crate::protocol::pkce;
use crate::protocol::prompt::Prompt;
use crate::protocol::response_mode::ResponseMode;
use crate::storage::StoreError;
use crate::storage::registry::Catalog;

#[derive(Serialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
    jwks_uri: String,
    // RFC 8414 section 2: only where clients can register.
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id_metadata_document_supported: Option<bool>,
    introspection_endpoint: String,
    revocation_endpoint: String,
    end_session_endpoint: String,
    pushed_authorization_request_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtls_endpoint_aliases: Option<Aliases>,
    require_pushed_authorization_requests: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_client_certificate_bound_access_tokens: Option<bool>,
    device_authorization_endpoint: String,
    backchannel_authentication_endpoint: String,
    backchannel_token_delivery_modes_supported: [&'static str; 2],
    backchannel_user_code_parameter_supported: bool,
    // RFC 8414 section 3.2: what has no elements is left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: Vec<&'static str>,
    grant_types_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    acr_values_supported: Vec<String>,
    subject_types_supported: [&'static str; 2],
    id_token_signing_alg_values_supported: Vec<&'static str>,
    id_token_encryption_alg_values_supported: [&'static str; 5],
    id_token_encryption_enc_values_supported: [&'static str; 4],
    authorization_signing_alg_values_supported: Vec<&'static str>,
    authorization_encryption_alg_values_supported: [&'static str; 5],
    authorization_encryption_enc_values_supported: [&'static str; 4],
    userinfo_signing_alg_values_supported: Vec<&'static str>,
    userinfo_encryption_alg_values_supported: [&'static str; 5],
    userinfo_encryption_enc_values_supported: [&'static str; 4],
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    introspection_signing_alg_values_supported: Vec<&'static str>,
    introspection_encryption_alg_values_supported: [&'static str; 5],
    introspection_encryption_enc_values_supported: [&'static str; 4],
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    display_values_supported: Vec<&'static str>,
    claim_types_supported: [&'static str; 1],
    claims_supported: Vec<&'static str>,
    ui_locales_supported: Vec<&'static str>,
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    require_request_uri_registration: bool,
    request_object_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    request_object_encryption_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    request_object_encryption_enc_values_supported: Vec<&'static str>,
    code_challenge_methods_supported: [&'static str; 1],
    dpop_signing_alg_values_supported: [&'static str; 3],
    prompt_values_supported: Vec<&'static str>,
    authorization_response_iss_parameter_supported: bool,
    backchannel_logout_supported: bool,
    backchannel_logout_session_supported: bool,
    frontchannel_logout_supported: bool,
    frontchannel_logout_session_supported: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_details_types_supported: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    protected_resources: Vec<String>,
}

/// Where the endpoints are for clients that show a certificate (RFC 8705 section 5). Never the authorization endpoint: a browser
/// would ask the person for a certificate.
#[derive(Serialize)]
struct Aliases {
    token_endpoint: String,
    userinfo_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    pushed_authorization_request_endpoint: String,
    device_authorization_endpoint: String,
    backchannel_authentication_endpoint: String,
}

/// The metadata, the same under both well-known names: bytes that were made when the keys or the scopes last changed. When
/// the database is down the last scopes are still true.
pub async fn get(State(app): State<App>, headers: HeaderMap) -> Result<Response, OAuthError> {
    let keyset = app.keys.current();
    let catalog = public_catalog(&app).await?;
    let known = match app.metadata.load_full() {
        Some(known) if Arc::ptr_eq(&known.keyset, &keyset) && Arc::ptr_eq(&known.catalog, &catalog) => known,
        _ => {
            let document = Document::json(&metadata(&app, &keyset, &catalog)).map_err(StoreError::corrupt)?;
            let made = Arc::new(PublishedMetadata { keyset, catalog, document });
            app.metadata.store(Some(made.clone()));
            made
        }
    };
    // It names the algorithms that keys are for, so it changes with them.
    let max_age = RotationPolicy::cache_lifetime(app.config.keys.rotation.prepublish);
    Ok(document::send(&headers, &known.document.body, &known.document.etag, max_age))
}

fn metadata(app: &App, keyset: &Keyset, catalog: &Catalog) -> Metadata {
    let published = |scope: &&Scope| scope.published;
    let signing = keyset.algs().into_iter().filter(|alg| app.config.oidc.profile.allows_alg(*alg));
    let signing: Vec<&'static str> = signing.map(SigningAlg::as_str).collect();
    let offered = ClientAuthMethod::ALL.into_iter().filter(|method| is_offered(&app.config, *method));
    let auth_methods: Vec<_> = offered.map(ClientAuthMethod::as_str).collect();
    let confidential: Vec<_> = auth_methods.iter().copied().filter(|method| *method != "none").collect();
    let profile = app.config.oidc.profile;
    let of_clients = SigningAlg::ALL.into_iter().filter(|alg| profile.allows_alg(*alg));
    let assertions: Vec<_> = of_clients.map(SigningAlg::as_str).collect();
    let encryption =
        (EncryptionAlg::ALL.map(EncryptionAlg::as_str), ContentEncryption::ALL.map(ContentEncryption::as_str));
    let to_us = keyset.takes_encrypted();
    let resources = catalog.resources.iter().filter(|resource| !resource.restricted);
    Metadata {
        issuer: app.issuer().to_owned(),
        authorization_endpoint: app.url(paths::AUTHORIZE),
        token_endpoint: app.url(paths::TOKEN),
        userinfo_endpoint: app.url(paths::USERINFO),
        jwks_uri: app.url(paths::JWKS),
        registration_endpoint: (app.config.registration.mode != RegistrationMode::Off)
            .then(|| app.url(paths::REGISTER)),
        client_id_metadata_document_supported: app.config.client_documents.enabled.then_some(true),
        introspection_endpoint: app.url(paths::INTROSPECT),
        revocation_endpoint: app.url(paths::REVOKE),
        end_session_endpoint: app.url(paths::LOGOUT),
        pushed_authorization_request_endpoint: app.url(paths::PAR),
        mtls_endpoint_aliases: aliases(&app.config),
        require_pushed_authorization_requests: app.config.pushed_requests.required
            || app.config.oidc.profile.is_fapi2(),
        tls_client_certificate_bound_access_tokens: app.config.takes_client_certificates().then_some(true),
        device_authorization_endpoint: app.url(paths::DEVICE_AUTHORIZATION),
        backchannel_authentication_endpoint: app.url(paths::BACKCHANNEL_AUTHENTICATION),
        backchannel_token_delivery_modes_supported: TokenDeliveryMode::ALL.map(TokenDeliveryMode::as_str),
        // Without `backchannel_authentication_request_signing_alg_values_supported`: such requests are not signed (CIBA section 4).
        backchannel_user_code_parameter_supported: false,
        scopes_supported: catalog.scopes.iter().filter(published).map(|scope| scope.name.clone()).collect(),
        response_types_supported: ["code"],
        response_modes_supported: ResponseMode::ALL.into_iter().map(ResponseMode::as_str).collect(),
        grant_types_supported: GrantType::ALL.into_iter().map(GrantType::as_str).collect(),
        acr_values_supported: app.config.oidc.acr_names().map(ToOwned::to_owned).collect(),
        subject_types_supported: SubjectType::ALL.map(SubjectType::as_str),
        id_token_signing_alg_values_supported: signing.clone(),
        id_token_encryption_alg_values_supported: encryption.0,
        id_token_encryption_enc_values_supported: encryption.1,
        authorization_signing_alg_values_supported: signing.clone(),
        authorization_encryption_alg_values_supported: encryption.0,
        authorization_encryption_enc_values_supported: encryption.1,
        userinfo_signing_alg_values_supported: signing.clone(),
        userinfo_encryption_alg_values_supported: encryption.0,
        userinfo_encryption_enc_values_supported: encryption.1,
        token_endpoint_auth_methods_supported: auth_methods.clone(),
        token_endpoint_auth_signing_alg_values_supported: assertions.clone(),
        introspection_endpoint_auth_methods_supported: confidential,
        introspection_endpoint_auth_signing_alg_values_supported: assertions.clone(),
        introspection_signing_alg_values_supported: signing,
        introspection_encryption_alg_values_supported: encryption.0,
        introspection_encryption_enc_values_supported: encryption.1,
        revocation_endpoint_auth_methods_supported: auth_methods,
        revocation_endpoint_auth_signing_alg_values_supported: assertions.clone(),
        display_values_supported: Display::ALL.into_iter().map(Display::as_str).collect(),
        claim_types_supported: ["normal"],
        // Without `claims_locales_supported`: in which languages something is known differs from person to person.
        claims_supported: claims_supported(),
        ui_locales_supported: Locale::ALL.into_iter().map(Locale::tag).collect(),
        claims_parameter_supported: true,
        request_parameter_supported: true,
        request_uri_parameter_supported: app.config.oidc.request_uri,
        require_request_uri_registration: true,
        request_object_signing_alg_values_supported: assertions.clone(),
        request_object_encryption_alg_values_supported: to_us.then_some(KeyAlg::EcdhEs.as_str()).into_iter().collect(),
        request_object_encryption_enc_values_supported: encryption.1.into_iter().filter(|_| to_us).collect(),
        code_challenge_methods_supported: [pkce::METHOD],
        dpop_signing_alg_values_supported: dpop::ALGS.map(SigningAlg::as_str),
        prompt_values_supported: Prompt::ALL.into_iter().map(Prompt::as_str).collect(),
        authorization_response_iss_parameter_supported: true,
        backchannel_logout_supported: true,
        backchannel_logout_session_supported: true,
        frontchannel_logout_supported: true,
        frontchannel_logout_session_supported: true,
        authorization_details_types_supported: types_supported(catalog),
        protected_resources: resources.map(|resource| resource.uri.to_string()).collect(),
    }
}

/// RFC 9396 section 10. A type of restricted resources alone is nobody's business, like those.
fn types_supported(catalog: &Catalog) -> Vec<String> {
    let is_public = |uri| catalog.find_resource(uri).is_some_and(|resource| !resource.restricted);
    let types = catalog.authorization_details_types.iter();
    let types = types.filter(|known| known.resources.is_empty() || known.resources.iter().any(is_public));
    types.map(|known| known.name_of_type.clone()).collect()
}

/// Certificates prove nothing where none arrives, or where nobody vouches for them; and what everybody is held to may leave
/// nothing else.
fn is_offered(config: &Config, method: ClientAuthMethod) -> bool {
    if config.oidc.profile.is_fapi2() && !method.proves_key() {
        return false;
    }
    match method {
        ClientAuthMethod::TlsClientAuth => config.takes_client_certificates() && config.mtls.client_ca_file.is_some(),
        ClientAuthMethod::SelfSignedTlsClientAuth => config.takes_client_certificates(),
        ClientAuthMethod::None
        | ClientAuthMethod::ClientSecretBasic
        | ClientAuthMethod::ClientSecretPost
        | ClientAuthMethod::PrivateKeyJwt => true,
    }
}

fn aliases(config: &Config) -> Option<Aliases> {
    let base =
        config.mtls.alias_base_url.as_deref().filter(|_| config.takes_client_certificates())?.trim_end_matches('/');
    let url = |path: &str| format!("{base}{path}");
    Some(Aliases {
        token_endpoint: url(paths::TOKEN),
        userinfo_endpoint: url(paths::USERINFO),
        introspection_endpoint: url(paths::INTROSPECT),
        revocation_endpoint: url(paths::REVOKE),
        pushed_authorization_request_endpoint: url(paths::PAR),
        device_authorization_endpoint: url(paths::DEVICE_AUTHORIZATION),
        backchannel_authentication_endpoint: url(paths::BACKCHANNEL_AUTHENTICATION),
    })
}

/// What an ID token or userinfo may say: the claims of the sign-in, then those of each scope.
fn claims_supported() -> Vec<&'static str> {
    let of_sign_in = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"];
    of_sign_in.into_iter().chain(SCOPES.iter().flat_map(|(_, claims)| claims.iter().copied())).collect()
}
