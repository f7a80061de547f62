//! `/authorize`: what is refused, where it is said, and that the answer says exactly what it should.

use ostiary::model::client::{ApplicationType, GrantType};
use ostiary::model::profile::Profile;
use serde_json::json;

use crate::harness::{ADMIN_API, Authorization, PHOTOS_API, TestApp};

/// Opens the request and asserts the whole error answer at the client.
async fn refused(app: &TestApp, request: &Authorization, code: &str, description: &str) {
    let mut answer = app.browser().open(&request.path()).await.returned_to(request.value("redirect_uri"));
    assert_eq!(answer.remove("error").as_deref(), Some(code), "{request:?}");
    assert_eq!(answer.remove("error_description").as_deref(), Some(description), "{request:?}");
    assert_eq!(answer.remove("iss").as_deref(), Some(app.issuer()), "{request:?}");
    assert_eq!(answer.remove("state").as_deref(), Some(request.value("state")), "{request:?}");
    assert!(answer.is_empty(), "{answer:?} is too much");
    crate::harness::assert_description(description);
}

/// Opens the request and asserts an error page.
async fn refused_in_place(app: &TestApp, request: &Authorization, code: &str, description: &str) {
    app.browser().open(&request.path()).await.assert_error("/authorize", 400, code, description);
    let page = app.browser().post_from_elsewhere("/authorize", &request.parameters()).await;
    page.assert_error("/authorize", 400, code, description);
}

#[tokio::test]
async fn no_response_type_is_a_redirect_with_invalid_request() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let request = Authorization::of(&client).without("response_type");
    refused(&app, &request, "invalid_request", "the parameter response_type is missing").await;
}

#[tokio::test]
async fn every_other_response_type_is_unsupported() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    for response_type in ["token", "id_token", "code id_token", "code token", "none", "CODE"] {
        let request = Authorization::of(&client).with("response_type", response_type);
        refused(&app, &request, "unsupported_response_type", "the response_type must be code").await;
    }
}

#[tokio::test]
async fn an_unknown_client_is_a_page() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let request = Authorization::of(&client).with("client_id", "nobody");
    refused_in_place(&app, &request, "invalid_client", "the client is unknown or disabled").await;
    let request = Authorization::of(&client).without("client_id");
    refused_in_place(&app, &request, "invalid_request", "the parameter client_id is missing").await;
}

#[tokio::test]
async fn a_disabled_client_is_a_page() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    app.change_client(&client, |client| client.enabled = false).await;
    let request = Authorization::of(&client);
    refused_in_place(&app, &request, "invalid_client", "the client is unknown or disabled").await;
}

#[tokio::test]
async fn a_redirect_uri_that_is_not_registered_is_a_page_never_a_redirect() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    assert_eq!(client.redirect_uri, "https://web.example/callback");
    for foreign in [
        "http://web.example/callback",
        "https://WEB.example/callback",
        "HTTPS://web.example/callback",
        "https://web.example./callback",
        "https://web.example:443/callback",
        "https://web.example:8443/callback",
        "https://web.example%2Fcallback",
        "https://web.example/%63allback",
        "https://web.example/callback%2F",
        "https://web.example//callback",
        "https://web.example/x/../callback",
        "https://web.example/callback/",
        "https://web.example/callback/more",
        "https://web.example/callback?x=1",
        "https://web.example/callback#fragment",
        "https://web.example/callback#",
        "https://user@web.example/callback",
        "https://user:pass@web.example/callback",
        "https://web.example@evil.example/callback",
        "https://evil.example/callback",
        "https://sub.web.example/callback",
        "https://web.example/callback ",
        " https://web.example/callback",
        "https:\\\\web.example\\callback",
        "//web.example/callback",
        "/callback",
        "javascript:alert(1)",
    ] {
        let request = Authorization::of(&client).with("redirect_uri", foreign);
        let description = "the redirect_uri is not registered for this client";
        app.browser().open(&request.path()).await.assert_error("/authorize", 400, "invalid_request", description);
    }
}

#[tokio::test]
async fn a_missing_redirect_uri_is_a_page() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    // OpenID Connect Core section 3.1.2.1: required, even if a single one is registered.
    let request = Authorization::of(&client).without("redirect_uri");
    refused_in_place(&app, &request, "invalid_request", "the parameter redirect_uri is missing").await;
    let two = app.web_client_with(|settings| settings.redirect_uris.push("https://web.example/other".into())).await;
    let request = Authorization::of(&two).with("scope", "photos.read").without("redirect_uri");
    refused_in_place(&app, &request, "invalid_request", "the parameter redirect_uri is missing").await;
}

#[tokio::test]
async fn a_loopback_port_is_free_only_for_native_clients_and_nothing_else_is() {
    let app = TestApp::start().await;
    let register = |kind| {
        app.public_client_with(move |settings| {
            settings.application_type = kind;
            settings.redirect_uris = vec!["http://127.0.0.1:8765/callback".into()];
        })
    };
    let (web, native) = (register(ApplicationType::Web).await, register(ApplicationType::Native).await);
    let description = "the redirect_uri is not registered for this client";
    for (client, uri) in [
        (&web, "http://127.0.0.1:8766/callback"),
        (&native, "http://127.0.0.1:8766/other"),
        (&native, "http://127.0.0.1:8766/callback?x=1"),
        (&native, "http://localhost:8765/callback"),
        (&native, "http://127.0.0.2:8765/callback"),
        (&native, "https://127.0.0.1:8765/callback"),
        (&native, "http://127.0.0.1:99999/callback"),
        (&native, "http://127.0.0.1:8765@evil.example/callback"),
        (&native, "http://127.0.0.1.evil.example/callback"),
    ] {
        let request = Authorization::of(client).with("redirect_uri", uri);
        refused_in_place(&app, &request, "invalid_request", description).await;
    }
}

#[tokio::test]
async fn a_repeated_parameter_is_refused() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    for (name, value) in [("scope", "openid"), ("response_type", "code"), ("nonce", "n"), ("extra", "e")] {
        let request = Authorization::of(&client).with(name, value).and(name, value);
        refused(&app, &request, "invalid_request", "repeated parameter").await;
    }
    // Which state or where to is not known: the state is left out, and for the other two there is only a page.
    let request = Authorization::of(&client).and("state", "second");
    let answer = app.browser().open(&request.path()).await.returned_to(&client.redirect_uri);
    assert_eq!(answer.keys().map(String::as_str).collect::<Vec<_>>(), ["error", "error_description", "iss"]);
    assert_eq!(answer["error"], "invalid_request");
    for name in ["client_id", "redirect_uri"] {
        let request = Authorization::of(&client);
        let request = request.clone().and(name, request.value(name));
        refused_in_place(&app, &request, "invalid_request", "repeated parameter").await;
    }
}

#[tokio::test]
async fn pkce_is_required_by_default() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let missing = "the parameter code_challenge is missing: PKCE is required";
    refused(&app, &Authorization::of(&client).without_pkce(), "invalid_request", missing).await;
    // A public client has nothing else to protect its code: the switch does not reach it.
    let public = app.public_client_with(|settings| settings.pkce_required = false).await;
    refused(&app, &Authorization::of(&public).without_pkce(), "invalid_request", missing).await;
}

#[tokio::test]
async fn pkce_plain_is_refused() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.pkce_required = false).await;
    let request = Authorization::of(&client);
    let must = "code_challenge_method must be S256";
    refused(&app, &request.clone().with("code_challenge_method", "plain"), "invalid_request", must).await;
    // RFC 7636 section 4.3: no method means plain.
    refused(&app, &request.clone().without("code_challenge_method"), "invalid_request", must).await;
    refused(&app, &request.without("code_challenge"), "invalid_request", "code_challenge is missing").await;
}

#[tokio::test]
async fn a_code_challenge_that_is_no_sha256_is_refused() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    for challenge in ["short", &"a".repeat(42), &"a".repeat(44), &format!("{}=", "a".repeat(42)), &"\u{e4}".repeat(43)]
    {
        let request = Authorization::of(&client).with("code_challenge", challenge);
        refused(&app, &request, "invalid_request", "code_challenge is not the base64url of a SHA-256").await;
    }
}

#[tokio::test]
async fn unsigned_request_objects_and_unregistered_addresses_are_refused() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    // {"alg":"none"}.{}.
    let request = Authorization::of(&client).with("request", "eyJhbGciOiJub25lIn0.e30.");
    refused(&app, &request, "invalid_request_object", "the request object is malformed or not signed").await;
    let request = Authorization::of(&client).with("request_uri", "https://web.example/request.jwt");
    refused(&app, &request, "request_uri_not_supported", "request_uri is not supported").await;
    let request = Authorization::of(&client).with("registration", "{}");
    refused(&app, &request, "registration_not_supported", "the registration parameter is not supported").await;
}

#[tokio::test]
async fn a_client_without_the_code_grant_is_unauthorized() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.grant_types = vec![GrantType::ClientCredentials]).await;
    let description = "the client may not use the authorization code grant";
    refused(&app, &Authorization::of(&client), "unauthorized_client", description).await;
}

#[tokio::test]
async fn a_scope_that_the_client_may_not_have_is_refused() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let request = Authorization::of(&client).with("scope", "openid admin.write");
    let description = "a scope was asked for that this client may not have";
    refused(&app, &request, "invalid_scope", description).await;
    let strict = app.web_client_with(|settings| settings.profile = Profile::Oauth2).await;
    refused(&app, &Authorization::of(&strict).with("scope", "openid unheard.of"), "invalid_scope", description).await;
    let request = Authorization::of(&client).with("scope", "open\u{e9}id");
    refused(&app, &request, "invalid_scope", "a scope contains a character that is not allowed").await;
    let nothing = "no known scope was asked for";
    refused(&app, &Authorization::of(&client).with("scope", "unheard.of"), "invalid_scope", nothing).await;
    refused(&app, &Authorization::of(&client).without("scope"), "invalid_scope", nothing).await;
}

#[tokio::test]
async fn an_unknown_or_restricted_resource_is_an_invalid_target() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let description = "the resource is unknown, or not for this client";
    for resource in ["https://unknown.example/", "https://photos.example/api/", ADMIN_API] {
        let request = Authorization::of(&client).with("resource", PHOTOS_API).and("resource", resource);
        refused(&app, &request, "invalid_target", description).await;
    }
    for resource in ["photos", "/api", "https://photos.example/api#x"] {
        let request = Authorization::of(&client).with("resource", resource);
        let description = "a resource must be an absolute URI without a fragment";
        refused(&app, &request, "invalid_target", description).await;
    }
    let limited = app
        .web_client_with(|settings| settings.resources = vec![serde_json::from_value(json!(PHOTOS_API)).unwrap()])
        .await;
    let request = Authorization::of(&limited).with("resource", crate::harness::MAIL_API);
    refused(&app, &request, "invalid_target", description).await;
}

#[tokio::test]
async fn an_unknown_response_mode_is_refused_in_the_query() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    for mode in ["jwt.query", "web_message", "Query"] {
        let request = Authorization::of(&client).with("response_mode", mode);
        refused(&app, &request, "invalid_request", "response_mode is not supported").await;
    }
}

#[tokio::test]
async fn a_claims_parameter_that_is_no_object_is_refused() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    for claims in ["name", "[]", "{\"userinfo\":[]}", "{\"id_token\":{\"a\":1}}", "{\"userinfo\":{},\"userinfo\":{}}"] {
        let request = Authorization::of(&client).with("claims", claims);
        refused(&app, &request, "invalid_request", "claims is malformed").await;
    }
    let long = json!({ "userinfo": { "x".repeat(9000): null } }).to_string();
    refused(&app, &Authorization::of(&client).with("claims", &long), "invalid_request", "claims is too long").await;
}

#[tokio::test]
async fn an_essential_acr_that_cannot_be_reached_is_refused() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let claims = json!({ "id_token": { "acr": { "essential": true, "values": ["urn:example:gold"] } } });
    let request = Authorization::of(&client).with("claims", &claims.to_string());
    let description = "the essential acr cannot be reached";
    refused(&app, &request, "unmet_authentication_requirements", description).await;
}

#[tokio::test]
async fn a_state_or_nonce_beyond_2048_bytes_is_refused() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let description = "state and nonce may have at most 2048 bytes";
    let request = Authorization::of(&client).with("nonce", &"n".repeat(2049));
    refused(&app, &request, "invalid_request", description).await;
    let request = Authorization::of(&client).with("state", &"s".repeat(2049));
    let answer = app.browser().open(&request.path()).await.returned_error(&client.redirect_uri);
    assert_eq!(answer["error"], "invalid_request");
}

#[tokio::test]
async fn what_cannot_be_read_is_a_page_too() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    for bad in ["scope=%", "scope=%zz", "state=%00", "state=%ff"] {
        let path = format!("{}&{bad}", Authorization::of(&client).path());
        let page = app.browser().open(&path).await;
        page.assert_error("/authorize", 400, "invalid_request", "a parameter is not properly encoded");
    }
}

#[tokio::test]
async fn a_post_that_is_no_form_is_a_page() {
    let app = TestApp::start().await;
    let answer = app.post("/authorize").body("application/json", "{}").send().await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{answer:?}");
    assert!(answer.body.contains("the content type must be application/x-www-form-urlencoded"), "{answer:?}");
}
