//! The FAPI 2.0 profiles: what they ask of a client, and of every request that it makes.

use chrono::TimeDelta;
use ostiary::model::client::ClientSettings;
use ostiary::model::profile::Profile;
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};

use crate::harness::{ASSERTION_TYPE, Authorization, ClientKey, TestApp, TestClient, Tokens};

/// What FAPI 2.0 asks of a registration, beside the key.
fn fapi(settings: &mut ClientSettings) {
    settings.profile = Profile::Fapi2Security;
    settings.id_token_signed_response_alg = SigningAlg::PS256;
    settings.authorization_signed_response_alg = SigningAlg::PS256;
    settings.dpop_bound_access_tokens = true;
}

async fn client(app: &TestApp) -> TestClient {
    app.signing_web_client_with(ClientKey::generate("PS256"), fapi).await
}

async fn push(app: &TestApp, request: &Authorization, assertion: &str) -> crate::harness::Answer {
    let credentials = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
    app.post_form("/par", &[request.parameters(), credentials.to_vec()].concat()).await
}

#[tokio::test]
async fn a_registration_that_breaks_the_profile_is_refused_with_each_switch_that_does() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let mut settings = json!({
        "profile": "fapi2-security", "redirect_uris": ["https://app.example/callback"], "pkce_required": false,
        "userinfo_signed_response_alg": "RS256",
    });
    let problem = admin.post("/admin/clients", &settings).await.problem(422, "invalid-body");
    let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(
        json!(pointers),
        json!([
            "/authorization_signed_response_alg",
            "/dpop_bound_access_tokens",
            "/id_token_signed_response_alg",
            "/pkce_required",
            "/token_endpoint_auth_method",
            "/userinfo_signed_response_alg",
        ])
    );
    settings.as_object_mut().unwrap().extend(
        json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks": ClientKey::generate("PS256").jwks(),
            "pkce_required": true, "dpop_bound_access_tokens": true, "id_token_signed_response_alg": "PS256", "userinfo_signed_response_alg": null,
            "authorization_signed_response_alg": "ES256",
        })
        .as_object()
        .unwrap()
        .clone(),
    );
    admin.post("/admin/clients", &settings).await.document(201);
    // A server that holds everybody to it refuses what is looser, whatever it calls itself.
    let strict = TestApp::with_config(|config| config.oidc.profile = Profile::Fapi2Security).await;
    let browser = strict.console().await;
    let session = strict.fetch(&browser, http::Method::GET, "/auth/session").send().await.json();
    let csrf = session["csrf"].as_str().unwrap().to_owned();
    let plain = json!({"profile": "oauth2", "redirect_uris": ["https://app.example/callback"]});
    let call = strict.fetch(&browser, http::Method::POST, "/admin/clients").header("x-csrf-token", &csrf);
    let problem = call.json(&plain).send().await.problem(422, "invalid-body");
    assert_eq!(problem["errors"][1]["pointer"], "/dpop_bound_access_tokens");
}

#[tokio::test]
async fn the_request_must_be_pushed() {
    let app = TestApp::start().await;
    let client = client(&app).await;
    let request = Authorization::of(&client);
    let answer = app.browser().open(&request.path()).await.returned_to(&client.redirect_uri);
    assert_eq!(answer["error"], "invalid_request");
    assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), (request.value("state"), app.issuer()));
    app.browser().open(&app.pushed(&client, &request).await.path()).await.assert_login();
}

#[tokio::test]
async fn the_audience_of_an_assertion_is_the_issuer_as_a_string() {
    let app = TestApp::start().await;
    let client = client(&app).await;
    let request = Authorization::of(&client);
    let at = |path: &str| format!("{}{path}", app.issuer());
    for aud in [json!([app.issuer()]), json!([app.issuer(), at("/par")]), json!(at("/par")), json!(at("/token"))] {
        let answer = push(&app, &request, &client.assertion(json!({ "aud": aud }))).await;
        answer.assert_error(400, "invalid_client", "the aud of the client assertion is not this server");
    }
    assert_eq!(push(&app, &request, &client.assertion(json!({}))).await.status, 201);
}

#[tokio::test]
async fn an_assertion_or_a_request_object_signed_with_rs256_is_refused() {
    let app = TestApp::start().await;
    let client = app.signing_web_client_with(ClientKey::generate("RS256"), fapi).await;
    let request = Authorization::of(&client);
    let answer = push(&app, &request, &client.assertion(json!({}))).await;
    answer.assert_error(400, "invalid_client", "client authentication failed");
    let pushing = app.signing_web_client_with(ClientKey::generate("ES256"), fapi).await;
    let rs256 = ClientKey::generate("RS256");
    app.change_client(&pushing, |stored| {
        let keys = [pushing.key.as_ref().unwrap().jwk(), rs256.jwk()];
        stored.settings.jwks = Some(json!({ "keys": keys }));
    })
    .await;
    let object = rs256.sign(&pushing.request_object_claims(&Authorization::of(&pushing), json!({})));
    let answer = app.call_as(&pushing, "/par", &[("request", &object)]).await;
    let description = "the request object is signed with an algorithm that the client may not use";
    answer.assert_error(400, "invalid_request_object", description);
}

#[tokio::test]
async fn pkce_is_needed_whatever_the_switch_says() {
    let app = TestApp::start().await;
    let client = client(&app).await;
    app.change_client(&client, |stored| stored.settings.pkce_required = false).await;
    let answer = push(&app, &Authorization::of(&client).without_pkce(), &client.assertion(json!({}))).await;
    let description = "the parameter code_challenge is missing: PKCE is required";
    answer.assert_error(400, "invalid_request", description);
}

#[tokio::test]
async fn tokens_are_bound_to_a_key_whatever_the_switch_says() {
    let app = TestApp::start().await;
    let (client, alice) = (client(&app).await, app.alice().await);
    app.change_client(&client, |stored| stored.settings.dpop_bound_access_tokens = false).await;
    let key = ClientKey::generate("ES256");
    let request = app.pushed(&client, &Authorization::of(&client)).await;
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let form = app.redemption(&request, &code);
    let description = "the tokens of the client are bound to a key: a DPoP proof is required";
    app.token(&client, &form).await.assert_error(400, "invalid_dpop_proof", description);
    let answer = app.proven_token(&client, &form, &key.proof(&app, "POST", "/token", json!({}))).await;
    assert_eq!(answer.json()["token_type"], "DPoP");
}

#[tokio::test]
async fn message_signing_needs_a_signed_request() {
    let app = TestApp::start().await;
    let client = app.signing_web_client_with(ClientKey::generate("PS256"), |settings| {
        fapi(settings);
        settings.profile = Profile::Fapi2MessageSigning;
    });
    let client = client.await;
    let request = Authorization::of(&client);
    let answer = push(&app, &request, &client.assertion(json!({}))).await;
    answer.assert_error(400, "invalid_request", "the authorization request must be a signed request object");
    let object = client.request_object(&request, json!({"exp": null}));
    let answer = app.call_as(&client, "/par", &[("request", &object)]).await;
    answer.assert_error(400, "invalid_request_object", "the request object has no exp");
    let object = client.request_object(&request, json!({}));
    assert_eq!(app.call_as(&client, "/par", &[("request", &object)]).await.status, 201);
}

#[tokio::test]
async fn a_server_may_hold_everybody_to_it() {
    let app = TestApp::with_config(|config| config.oidc.profile = Profile::Fapi2MessageSigning).await;
    let metadata: Value =
        serde_json::from_str(&app.get("/.well-known/openid-configuration").send().await.body).unwrap();
    assert_eq!(metadata["require_pushed_authorization_requests"], true);
    let client = app.signing_web_client(ClientKey::generate("PS256")).await;
    let request = Authorization::of(&client);
    let answer = push(&app, &request, &client.assertion(json!({}))).await;
    answer.assert_error(400, "invalid_request", "the authorization request must be a signed request object");
    let answer = push(&app, &request, &client.assertion(json!({"aud": [app.issuer()]}))).await;
    answer.assert_error(400, "invalid_client", "the aud of the client assertion is not this server");
}

/// Security Profile section 5.3.2.1: a rotation would only be one more way to lose the token.
#[tokio::test]
async fn the_refresh_token_of_a_client_stays_the_same() {
    let app = TestApp::start().await;
    let client = client(&app).await;
    let request = Authorization::of(&client).with("scope", "openid offline_access");
    let request = app.pushed(&client, &request).await;
    let code = app.code(&mut app.browser(), &request, &app.alice().await).await;
    let key = ClientKey::generate("ES256");
    let proof = |key: &ClientKey| key.proof(&app, "POST", "/token", json!({}));
    let answer = app.proven_token(&client, &app.redemption(&request, &code), &proof(&key)).await;
    let first = Tokens { body: answer.json() };
    let form = [("grant_type", "refresh_token"), ("refresh_token", first.refresh())];
    let mut seen = vec![first.access_claims(&app).await["jti"].clone()];
    // Bound to the client and not to the key; used long after any grace, and more than once.
    for key in [&key, &ClientKey::generate("PS256"), &key] {
        let tokens = Tokens { body: app.proven_token(&client, &form, &proof(key)).await.json() };
        assert_eq!(tokens.refresh(), first.refresh());
        let claims = tokens.access_claims(&app).await;
        assert_eq!(claims["cnf"], json!({"jkt": key.thumbprint()}));
        assert_eq!(claims["iat"], app.now().timestamp());
        assert!(!seen.contains(&claims["jti"]), "another token: {claims}");
        seen.push(claims["jti"].clone());
        assert_eq!(app.introspect(&client, tokens.access()).await.json()["active"], true);
        app.pass_seconds(60);
    }
    app.refresh(&client, first.refresh()).await.assert_error(
        400,
        "invalid_dpop_proof",
        "the tokens of the client are bound to a key: a DPoP proof is required",
    );
    app.pass(TimeDelta::days(400));
    let ended = app.proven_token(&client, &form, &proof(&key)).await;
    ended.assert_error(400, "invalid_grant", "the refresh token is not valid");
}
