//! `/token` with `grant_type=client_credentials`.

use ostiary::model::client::{AccessTokenFormat, ClientAuthMethod};
use serde_json::json;

use crate::harness::{ADMIN_API, MAIL_API, PHOTOS_API, TestApp, jwt};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn success_is_exactly_this_without_refresh_and_id_token() {
    let app = TestApp::start().await;
    let client = app.machine_client().await;
    let answer = app.token(&client, &[GRANT]).await;
    answer.assert_not_stored();
    let mut body = answer.json();
    let token = body["access_token"].take();
    let scope = "photos.read mail.read";
    assert_eq!(body, json!({ "access_token": null, "token_type": "Bearer", "expires_in": 600, "scope": scope }));
    let access_token = jwt::verify(&app, token.as_str().unwrap()).await;
    assert_eq!(access_token.header["typ"], "at+jwt");
    let mut claims = access_token.claims;
    let jti = claims["jti"].take();
    let now = app.now().timestamp();
    assert_eq!(
        claims,
        json!({
            "iss": app.issuer(),
            "sub": client.id,
            "aud": app.issuer(),
            "client_id": client.id,
            "scope": scope,
            "jti": null,
            "iat": now,
            "nbf": now - 30,
            "exp": now + 600,
        })
    );
    assert!(jti.as_str().is_some_and(|jti| jti.len() >= 22), "{jti}");
}

#[tokio::test]
async fn a_scope_may_be_chosen_among_the_registered_ones() {
    let app = TestApp::start().await;
    let client = app.machine_client().await;
    assert_eq!(app.token(&client, &[GRANT, ("scope", "mail.read")]).await.json()["scope"], "mail.read");
    for scope in ["photos.write", "mail.read photos.write", "unheard.of"] {
        let answer = app.token(&client, &[GRANT, ("scope", scope)]).await;
        answer.assert_error(400, "invalid_scope", "a scope was asked for that this client may not have");
    }
}

#[tokio::test]
async fn scopes_about_a_person_are_refused_because_there_is_none() {
    let app = TestApp::start().await;
    let client = app
        .machine_client_with(|settings| {
            settings.scopes = ["openid", "email", "offline_access", "photos.read"].map(Into::into).to_vec();
        })
        .await;
    for scope in ["openid", "email", "offline_access"] {
        let answer = app.token(&client, &[GRANT, ("scope", scope)]).await;
        answer.assert_error(400, "invalid_scope", "a scope was asked for that this client may not have");
    }
    assert_eq!(app.token(&client, &[GRANT]).await.json()["scope"], "photos.read");
}

#[tokio::test]
async fn resources_become_the_audience() {
    let app = TestApp::start().await;
    let client = app.machine_client().await;
    let body = app.token(&client, &[GRANT, ("resource", PHOTOS_API)]).await.json();
    let claims = jwt::verify(&app, body["access_token"].as_str().unwrap()).await.claims;
    assert_eq!((claims["aud"].clone(), claims["scope"].clone()), (json!(PHOTOS_API), json!("photos.read")));
    let both = [GRANT, ("resource", PHOTOS_API), ("resource", MAIL_API)];
    let body = app.token(&client, &both).await.json();
    let claims = jwt::verify(&app, body["access_token"].as_str().unwrap()).await.claims;
    assert_eq!(claims["aud"], json!([PHOTOS_API, MAIL_API]));
    for resource in [ADMIN_API, "https://unknown.example/"] {
        let answer = app.token(&client, &[GRANT, ("resource", resource)]).await;
        answer.assert_error(400, "invalid_target", "the resource is unknown, or not for this client");
    }
    let answer = app.token(&client, &[GRANT, ("resource", "api")]).await;
    answer.assert_error(400, "invalid_target", "a resource must be an absolute URI without a fragment");
}

#[tokio::test]
async fn a_public_client_may_not_use_it() {
    let app = TestApp::start().await;
    let client = app.machine_client_with(|settings| settings.token_endpoint_auth_method = ClientAuthMethod::None).await;
    let answer = app.token(&client, &[GRANT]).await;
    answer.assert_error(400, "unauthorized_client", "a public client may not use this grant_type");
}

#[tokio::test]
async fn a_machine_token_tells_userinfo_nothing_of_anyone() {
    let app = TestApp::start().await;
    let client = app.machine_client().await;
    let body = app.token(&client, &[GRANT]).await.json();
    let answer = app.userinfo(body["access_token"].as_str().unwrap()).await;
    answer.assert_bearer_error(403, "insufficient_scope", "the access token was not given by a person");
}

#[tokio::test]
async fn opaque_machine_tokens_and_own_lifetimes() {
    let app = TestApp::start().await;
    let client = app
        .machine_client_with(|settings| {
            settings.access_token_format = AccessTokenFormat::Opaque;
            settings.lifetimes.access_token = Some(30);
        })
        .await;
    let body = app.token(&client, &[GRANT]).await.json();
    assert_eq!(body["expires_in"], 30);
    let token = body["access_token"].as_str().unwrap();
    assert!(!token.contains('.'));
    assert_eq!(app.introspect(&client, token).await.json()["active"], true);
    app.pass_seconds(30);
    app.introspect(&client, token).await.assert_inactive();
}

#[tokio::test]
async fn the_default_audience_can_be_configured() {
    let app = TestApp::with_config(|config| config.oidc.default_resource = Some("https://api.example/".into())).await;
    let client = app.machine_client().await;
    let body = app.token(&client, &[GRANT]).await.json();
    let claims = jwt::verify(&app, body["access_token"].as_str().unwrap()).await.claims;
    assert_eq!(claims["aud"], "https://api.example/");
}
