//! The metadata (OpenID Connect Discovery section 3, RFC 8414 section 2).

use serde_json::{Value, json};

use crate::harness::{MAIL_API, PHOTOS_API, TestApp};

const PATHS: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

/// What the conformance suite knows of what we could send; any other name is a warning there.
const REGISTERED: [&str; 42] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "registration_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
    "service_documentation",
    "op_policy_uri",
    "op_tos_uri",
    "scopes_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "acr_values_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "userinfo_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_methods_supported",
    "display_values_supported",
    "claim_types_supported",
    "claims_supported",
    "claims_locales_supported",
    "ui_locales_supported",
    "claims_parameter_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "require_request_uri_registration",
    "request_object_signing_alg_values_supported",
    "code_challenge_methods_supported",
    "prompt_values_supported",
    "authorization_response_iss_parameter_supported",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
    "frontchannel_logout_supported",
    "frontchannel_logout_session_supported",
    "protected_resources",
];

async fn metadata(app: &TestApp, path: &str) -> Value {
    let answer = app.get(path).send().await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=900"));
    answer.json()
}

#[tokio::test]
async fn the_metadata_is_exactly_this_under_both_names() {
    let app = TestApp::start().await;
    let at = |path: &str| format!("{}{path}", app.issuer());
    let expected = json!({
        "issuer": app.issuer(),
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks.json"),
        "introspection_endpoint": at("/introspect"),
        "revocation_endpoint": at("/revoke"),
        "end_session_endpoint": at("/logout"),
        "scopes_supported":
            ["address", "email", "mail.read", "offline_access", "openid", "phone", "photos.read", "photos.write", "profile"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "acr_values_supported": ["urn:ostiary:acr:pwd"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
        "userinfo_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "display_values_supported": ["page", "popup", "touch"],
        "claim_types_supported": ["normal"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash",
            "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
            "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at", "email", "email_verified",
            "phone_number", "phone_number_verified", "address",
        ],
        "ui_locales_supported": ["en", "de"],
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
        // The restricted one is nobody's business.
        "protected_resources": [MAIL_API, PHOTOS_API],
    });
    for path in PATHS {
        assert_eq!(metadata(&app, path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn only_registered_names_are_used() {
    let app = TestApp::start().await;
    for name in metadata(&app, PATHS[0]).await.as_object().unwrap().keys() {
        assert!(REGISTERED.contains(&name.as_str()), "{name}");
    }
}

#[tokio::test]
async fn every_endpoint_and_uri_is_https_below_an_https_issuer() {
    let app = TestApp::with_config(|config| config.server.issuer = "https://login.example".into()).await;
    let metadata = metadata(&app, PATHS[0]).await;
    assert_eq!(metadata["issuer"], "https://login.example");
    for (name, value) in metadata.as_object().unwrap() {
        if name.ends_with("_endpoint") || name.ends_with("_uri") {
            assert!(value.as_str().unwrap().starts_with("https://login.example/"), "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn the_issuer_is_byte_for_byte_the_configured_one() {
    let app = TestApp::with_config(|config| config.server.issuer.push_str("/tenant")).await;
    let answer = app.get(PATHS[0]).send().await;
    let metadata: Value = answer.json();
    assert_eq!(metadata["issuer"], app.issuer());
    assert_eq!(metadata["token_endpoint"], format!("{}/token", app.issuer()));
}

#[tokio::test]
async fn a_copy_that_is_still_good_is_not_sent_again() {
    let app = TestApp::start().await;
    for path in PATHS {
        let first = app.get(path).send().await;
        let etag = first.header("etag").expect("a tag").to_owned();
        let again = app.get(path).header("if-none-match", &etag).send().await;
        assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", Some(etag.as_str())));
        assert_eq!(app.get(path).header("if-none-match", "\"other\"").send().await.status, 200);
    }
}

#[tokio::test]
async fn a_new_scope_is_listed_within_a_second() {
    let app = TestApp::start().await;
    metadata(&app, PATHS[0]).await;
    let description = [("en".to_owned(), "Play".to_owned())].into();
    let scope = ostiary::model::catalog::Scope { name: "games.play".into(), description, published: true };
    app.app.postgres.upsert_scope(&scope, app.now()).await.unwrap();
    app.app.registry.poll(app.now()).await.unwrap();
    let scopes = metadata(&app, PATHS[0]).await["scopes_supported"].clone();
    assert!(scopes.as_array().unwrap().contains(&json!("games.play")), "{scopes}");
}

#[tokio::test]
async fn scripts_of_configured_origins_may_read_it() {
    let app =
        TestApp::with_config(|config| config.server.cors_allowed_origins = vec!["https://spa.example".into()]).await;
    let answer = app.get(PATHS[0]).header("origin", "https://spa.example").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://spa.example"));
    let answer = app.get(PATHS[0]).header("origin", "https://evil.example").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}
