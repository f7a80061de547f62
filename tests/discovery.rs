//! The metadata (OpenID Connect Discovery section 3, RFC 8414 section 2).

use ostiary::config::ClientCertificateHeader;
use serde_json::{Value, json};

use crate::harness::{Authority, MAIL_API, PHOTOS_API, TestApp, eventually, every_claim};

const PATHS: [&str; 2] = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];

/// What the conformance suite knows of what we could send; any other name is a warning there.
const REGISTERED: [&str; 65] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "registration_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
    "pushed_authorization_request_endpoint",
    "require_pushed_authorization_requests",
    "mtls_endpoint_aliases",
    "tls_client_certificate_bound_access_tokens",
    "device_authorization_endpoint",
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
    "id_token_encryption_alg_values_supported",
    "id_token_encryption_enc_values_supported",
    "authorization_signing_alg_values_supported",
    "authorization_encryption_alg_values_supported",
    "authorization_encryption_enc_values_supported",
    "userinfo_signing_alg_values_supported",
    "userinfo_encryption_alg_values_supported",
    "userinfo_encryption_enc_values_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported",
    "introspection_signing_alg_values_supported",
    "introspection_encryption_alg_values_supported",
    "introspection_encryption_enc_values_supported",
    "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported",
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
    "request_object_encryption_alg_values_supported",
    "request_object_encryption_enc_values_supported",
    "code_challenge_methods_supported",
    "dpop_signing_alg_values_supported",
    "prompt_values_supported",
    "authorization_response_iss_parameter_supported",
    "backchannel_logout_supported",
    "backchannel_logout_session_supported",
    "backchannel_authentication_endpoint",
    "backchannel_token_delivery_modes_supported",
    "backchannel_user_code_parameter_supported",
    "frontchannel_logout_supported",
    "frontchannel_logout_session_supported",
    "protected_resources",
];

const ENCRYPTION_ALGS: [&str; 5] = ["RSA-OAEP-256", "RSA-OAEP", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"];
const ENCRYPTION_ENCS: [&str; 4] = ["A128CBC-HS256", "A256CBC-HS512", "A128GCM", "A256GCM"];

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
        "pushed_authorization_request_endpoint": at("/par"),
        "require_pushed_authorization_requests": false,
        "device_authorization_endpoint": at("/device_authorization"),
        "backchannel_authentication_endpoint": at("/backchannel_authentication"),
        "backchannel_token_delivery_modes_supported": ["poll", "ping"],
        "backchannel_user_code_parameter_supported": false,
        "scopes_supported":
            ["address", "email", "mail.read", "offline_access", "openid", "phone", "photos.read", "photos.write", "profile"],
        "response_types_supported": ["code"],
        "response_modes_supported":
            ["query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt"],
        "grant_types_supported":
            ["authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code",
             "urn:ietf:params:oauth:grant-type:token-exchange", "urn:openid:params:grant-type:ciba"],
        "acr_values_supported": ["urn:ostiary:acr:pwd"],
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
        "id_token_encryption_alg_values_supported": ENCRYPTION_ALGS,
        "id_token_encryption_enc_values_supported": ENCRYPTION_ENCS,
        "authorization_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
        "authorization_encryption_alg_values_supported": ENCRYPTION_ALGS,
        "authorization_encryption_enc_values_supported": ENCRYPTION_ENCS,
        "userinfo_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
        "userinfo_encryption_alg_values_supported": ENCRYPTION_ALGS,
        "userinfo_encryption_enc_values_supported": ENCRYPTION_ENCS,
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
        "introspection_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
        "introspection_encryption_alg_values_supported": ENCRYPTION_ALGS,
        "introspection_encryption_enc_values_supported": ENCRYPTION_ENCS,
        "revocation_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
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
        "request_parameter_supported": true,
        "request_uri_parameter_supported": false,
        "require_request_uri_registration": true,
        "request_object_signing_alg_values_supported": ["RS256", "PS256", "ES256", "EdDSA"],
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
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

/// The metadata of a server as operators run it, whose configuration is one that start-up accepts.
async fn public_metadata() -> (TestApp, Value) {
    let app = TestApp::with_config(|config| config.server.issuer = "https://login.example".into()).await;
    let problems = ostiary::config::validate(&app.app.config);
    assert!(!problems.iter().any(|problem| problem.key.starts_with("server.")), "{problems:?}");
    let metadata = metadata(&app, PATHS[0]).await;
    (app, metadata)
}

/// The texts of a list that must be there and have something in it.
#[track_caller]
fn list<'a>(metadata: &'a Value, name: &str) -> Vec<&'a str> {
    let items = metadata[name].as_array().unwrap_or_else(|| panic!("{name} is a list: {metadata}"));
    assert!(!items.is_empty(), "{name}");
    items.iter().map(|item| item.as_str().expect("a text")).collect()
}

#[tokio::test]
async fn every_endpoint_and_uri_is_https_below_an_https_issuer() {
    let (_app, metadata) = public_metadata().await;
    let mut seen = 0;
    for (name, value) in metadata.as_object().unwrap() {
        if name.ends_with("_endpoint") || name.ends_with("_uri") {
            assert!(value.as_str().unwrap().starts_with("https://login.example/"), "{name}: {value}");
            seen += 1;
        }
    }
    assert!(seen >= 7, "{metadata}");
}

#[tokio::test]
async fn the_issuer_is_the_prefix_of_the_discovery_url_without_query_or_fragment() {
    // What start-up accepts, to the byte: the slash at the end of an issuer is not doubled in addresses.
    for issuer in ["https://login.example", "https://login.example/"] {
        let app = TestApp::with_config(|config| config.server.issuer = issuer.into()).await;
        let problems = ostiary::config::validate(&app.app.config);
        assert!(!problems.iter().any(|problem| problem.key == "server.issuer"), "{problems:?}");
        let metadata = metadata(&app, PATHS[0]).await;
        assert_eq!(metadata["issuer"], issuer);
        assert_eq!(metadata["token_endpoint"], "https://login.example/token");
        assert!(!issuer.contains(['?', '#']));
    }
    let app = TestApp::start().await;
    let url = format!("{}{}", app.issuer(), PATHS[0]);
    let answer = crate::harness::http_client().get(&url).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{url}");
    assert_eq!(answer.headers()["content-type"], "application/json");
    let found: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(url.strip_suffix(PATHS[0]), found["issuer"].as_str());
}

#[tokio::test]
async fn response_types_supported_has_code() {
    let (_app, metadata) = public_metadata().await;
    assert_eq!(list(&metadata, "response_types_supported"), ["code"]);
}

#[tokio::test]
async fn grant_types_supported_has_authorization_code_and_refresh_token() {
    let (app, metadata) = public_metadata().await;
    let grants = list(&metadata, "grant_types_supported");
    assert!(grants.contains(&"authorization_code") && grants.contains(&"refresh_token"), "{grants:?}");
    // Whatever is listed is known at the token endpoint: what is missing there is something else.
    let client = app.machine_client().await;
    for grant in grants {
        let answer = app.token(&client, &[("grant_type", grant)]).await;
        assert!(!answer.body.contains("unsupported_grant_type"), "{grant}: {answer:?}");
    }
}

#[tokio::test]
async fn no_list_is_empty() {
    let (_app, metadata) = public_metadata().await;
    for (name, value) in metadata.as_object().unwrap() {
        let is_list = name.ends_with("_supported") && !value.is_boolean();
        if is_list || name == "protected_resources" {
            list(&metadata, name);
        }
    }
    // A server without anything of its own leaves out what it has nothing to say of.
    let app = TestApp::start().await;
    for mut resource in app.app.postgres.list_resources().await.unwrap() {
        resource.restricted = true;
        app.app.postgres.upsert_resource(&resource, app.now()).await.unwrap();
    }
    app.app.registry.forget();
    // A look that began before the last change may end after it; the next one finds out.
    eventually("the metadata has nothing to say of resources", async || {
        self::metadata(&app, PATHS[0]).await.get("protected_resources").is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn scopes_supported_has_openid() {
    let (_app, metadata) = public_metadata().await;
    assert!(list(&metadata, "scopes_supported").contains(&"openid"), "{metadata}");
}

#[tokio::test]
async fn claims_supported_has_the_claims_of_every_scope() {
    let (_app, metadata) = public_metadata().await;
    let claims = list(&metadata, "claims_supported");
    for claim in every_claim().keys().map(String::as_str).chain(["sub", "preferred_username", "updated_at"]) {
        assert!(claims.contains(&claim), "{claim}");
    }
}

#[tokio::test]
async fn userinfo_endpoint_is_there() {
    let (_app, metadata) = public_metadata().await;
    assert_eq!(metadata["userinfo_endpoint"], "https://login.example/userinfo");
}

#[tokio::test]
async fn subject_types_supported_are_public_and_pairwise() {
    let (_app, metadata) = public_metadata().await;
    assert_eq!(list(&metadata, "subject_types_supported"), ["public", "pairwise"]);
}

#[tokio::test]
async fn id_token_signing_alg_values_supported_has_rs256() {
    let (_app, metadata) = public_metadata().await;
    let algs = list(&metadata, "id_token_signing_alg_values_supported");
    assert!(algs.contains(&"RS256") && !algs.contains(&"none"), "{algs:?}");
}

#[tokio::test]
async fn request_object_signing_alg_values_supported_has_rs256_and_not_none() {
    let (_app, metadata) = public_metadata().await;
    let algs = list(&metadata, "request_object_signing_alg_values_supported");
    assert!(algs.contains(&"RS256") && !algs.contains(&"none"), "{algs:?}");
    assert_eq!(metadata["request_parameter_supported"], true);
    assert_eq!(metadata["request_uri_parameter_supported"], false, "left out it would mean true");
}

#[tokio::test]
async fn ui_locales_supported_are_canonical_language_tags() {
    let (_app, metadata) = public_metadata().await;
    for tag in list(&metadata, "ui_locales_supported") {
        // RFC 5646 section 2.1.1: en, en-GB, zh-Hant-TW.
        for (index, part) in tag.split('-').enumerate() {
            let canonical = match part.len() {
                2 if index > 0 => part.to_ascii_uppercase(),
                4 if index > 0 => format!("{}{}", part[..1].to_ascii_uppercase(), part[1..].to_ascii_lowercase()),
                _ => part.to_ascii_lowercase(),
            };
            assert_eq!(part, canonical, "{tag}");
            assert!((1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()), "{tag}");
        }
    }
}

#[tokio::test]
async fn code_challenge_methods_supported_is_s256() {
    let (_app, metadata) = public_metadata().await;
    assert_eq!(list(&metadata, "code_challenge_methods_supported"), ["S256"]);
}

#[tokio::test]
async fn logout_is_supported_in_every_way() {
    let (_app, metadata) = public_metadata().await;
    assert_eq!(metadata["end_session_endpoint"], "https://login.example/logout");
    for way in ["backchannel", "frontchannel"] {
        for flag in ["logout_supported", "logout_session_supported"] {
            assert_eq!(metadata[format!("{way}_{flag}")], true, "{way}_{flag}");
        }
    }
}

#[tokio::test]
async fn certificates_are_offered_where_they_arrive_and_somebody_vouches_for_them() {
    let methods = |metadata: &Value| -> Vec<String> {
        let listed = list(metadata, "token_endpoint_auth_methods_supported");
        listed.into_iter().filter(|name| name.contains("tls")).map(ToOwned::to_owned).collect()
    };
    let (_app, without) = public_metadata().await;
    assert!(methods(&without).is_empty() && without.get("mtls_endpoint_aliases").is_none(), "{without}");
    assert_eq!(without.get("tls_client_certificate_bound_access_tokens"), None);
    let authority = Authority::new();
    for has_authority in [false, true] {
        let app = TestApp::with_config(|config| {
            config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
            config.mtls.header = ClientCertificateHeader::ClientCert;
            config.mtls.client_ca_file = has_authority.then(|| authority.file());
            config.mtls.alias_base_url = Some("https://mtls.login.example".into());
        })
        .await;
        let metadata = metadata(&app, PATHS[0]).await;
        let expected: &[_] = if has_authority {
            &["tls_client_auth", "self_signed_tls_client_auth"]
        } else {
            &["self_signed_tls_client_auth"]
        };
        assert_eq!(methods(&metadata), expected);
        assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
        for (name, alias) in metadata["mtls_endpoint_aliases"].as_object().unwrap() {
            let path = metadata[name].as_str().expect("there at the top too").strip_prefix(app.issuer()).unwrap();
            assert!(name.ends_with("_endpoint") && name != "authorization_endpoint", "{name}");
            assert_eq!(alias, &format!("https://mtls.login.example{path}"));
        }
        for name in metadata.as_object().unwrap().keys() {
            assert!(REGISTERED.contains(&name.as_str()), "{name}");
        }
    }
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
