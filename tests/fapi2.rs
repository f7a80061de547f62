//! The FAPI 2.0 profiles: what they ask of a client, and of every request that it makes.

use chrono::TimeDelta;
use ostiary::config::NoncePolicy;
use ostiary::model::client::{ClientSettings, GrantType};
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
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], json!(["private_key_jwt"]));
    for member in [
        "token_endpoint_auth_signing_alg_values_supported",
        "request_object_signing_alg_values_supported",
        "id_token_signing_alg_values_supported",
    ] {
        assert!(!metadata[member].as_array().unwrap().contains(&json!("RS256")), "{member}");
    }
    let good = |settings: &mut ClientSettings| {
        fapi(settings);
        settings.profile = Profile::Oidc;
    };
    let client = app.signing_web_client_with(ClientKey::generate("PS256"), good).await;
    let request = Authorization::of(&client);
    let answer = push(&app, &request, &client.assertion(json!({}))).await;
    answer.assert_error(400, "invalid_request", "the authorization request must be a signed request object");
    let answer = push(&app, &request, &client.assertion(json!({"aud": [app.issuer()]}))).await;
    answer.assert_error(400, "invalid_client", "the aud of the client assertion is not this server");
}

#[tokio::test]
async fn who_was_registered_before_everybody_was_held_to_it_is_shut_out() {
    let app = TestApp::with_config(|config| config.oidc.profile = Profile::Fapi2Security).await;
    let description = "the profile of the client needs one that signs or shows a certificate";
    let (web, public) = (app.web_client().await, app.public_client().await);
    for path in ["/par", "/token", "/revoke", "/introspect", "/device_authorization"] {
        app.call_as(&web, path, &[("grant_type", "client_credentials")]).await.assert_basic_error(description);
        let answer = app.call_as(&public, path, &[("grant_type", "refresh_token")]).await;
        answer.assert_client_refused(path, description);
    }
    // Whoever does not authenticate learns nothing of that.
    let answer = app.call_as(&web.with_secret("wrong"), "/token", &[("grant_type", "client_credentials")]).await;
    answer.assert_basic_error("client authentication failed");
    let signing = app.signing_web_client(ClientKey::generate("PS256")).await;
    let description = "the registration of the client names an algorithm that its profile does not allow";
    app.call_as(&signing, "/par", &[]).await.assert_error(400, "unauthorized_client", description);
}

#[tokio::test]
async fn a_pushed_request_says_where_the_answer_goes() {
    let app = TestApp::start().await;
    let client = app.signing_web_client_with(ClientKey::generate("PS256"), fapi).await;
    // Not OpenID Connect, and one redirect URI: anybody else may leave it out.
    let request = Authorization::of(&client).with("scope", "photos.read").without("redirect_uri");
    let description = "the parameter redirect_uri is missing";
    push(&app, &request, &client.assertion(json!({}))).await.assert_error(400, "invalid_request", description);
    let object = client.request_object(&request, json!({}));
    let answer = app.call_as(&client, "/par", &[("request", &object)]).await;
    answer.assert_error(400, "invalid_request", description);
    let loose = app.signing_web_client(ClientKey::generate("PS256")).await;
    let request = Authorization::of(&loose).with("scope", "photos.read").without("redirect_uri");
    assert_eq!(push(&app, &request, &loose.assertion(json!({}))).await.status, 201);
}

async fn kept_tokens(app: &TestApp, client: &TestClient, key: &ClientKey, scope: &str) -> Tokens {
    let request = app.pushed(client, &Authorization::of(client).with("scope", scope)).await;
    let code = app.code(&mut app.browser(), &request, &app.alice().await).await;
    let proof = key.proof(app, "POST", "/token", json!({}));
    Tokens { body: app.proven_token(client, &app.redemption(&request, &code), &proof).await.json() }
}

#[tokio::test]
async fn a_refresh_token_that_stays_is_for_its_client_and_its_scopes_alone() {
    let app = TestApp::start().await;
    let (client, other) = (client(&app).await, client(&app).await);
    let key = ClientKey::generate("ES256");
    let tokens = kept_tokens(&app, &client, &key, "openid photos.read offline_access").await;
    let proof = || key.proof(&app, "POST", "/token", json!({}));
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    let answer = app.proven_token(&other, &form, &proof()).await;
    answer.assert_error(400, "invalid_grant", "the refresh token is not valid");
    let anonymous = [&form[..], &[("client_id", client.id.as_str())]].concat();
    let answer = app.post("/token").form(&anonymous).header("dpop", &proof()).send().await;
    answer.assert_error(400, "invalid_client", "client authentication failed");
    let wider = [&form[..], &[("scope", "openid mail.read")]].concat();
    let answer = app.proven_token(&client, &wider, &proof()).await;
    assert_eq!((answer.status, answer.body.contains("invalid_scope")), (400, true), "{answer:?}");
    let narrower = [&form[..], &[("scope", "openid")]].concat();
    assert_eq!(app.proven_token(&client, &narrower, &proof()).await.json()["scope"], "openid");
    let whole = app.proven_token(&client, &form, &proof()).await.json();
    assert_eq!(whole["scope"], "openid photos.read offline_access", "what was narrowed once is not lost");
}

#[tokio::test]
async fn a_refresh_token_that_stays_ends_with_the_session_if_it_is_not_for_offline_use() {
    let app = TestApp::start().await;
    let client = client(&app).await;
    let key = ClientKey::generate("ES256");
    let mut browser = app.browser();
    let request = app.pushed(&client, &Authorization::of(&client)).await;
    let code = app.code(&mut browser, &request, &app.alice().await).await;
    let proof = || key.proof(&app, "POST", "/token", json!({}));
    let tokens = Tokens { body: app.proven_token(&client, &app.redemption(&request, &code), &proof()).await.json() };
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    assert_eq!(app.proven_token(&client, &form, &proof()).await.status, 200);
    let question = browser.open("/logout").await;
    browser.submit(&question, "logout-confirm", &[]).await;
    let answer = app.proven_token(&client, &form, &proof()).await;
    answer.assert_error(400, "invalid_grant", "the refresh token is not valid");
}

#[tokio::test]
async fn a_refresh_token_that_stays_and_ends_soon_is_kept_alive_by_each_use() {
    let app = TestApp::start().await;
    let client = client(&app).await;
    app.change_client(&client, |stored| stored.settings.lifetimes.refresh_idle = Some(60)).await;
    let key = ClientKey::generate("ES256");
    let tokens = kept_tokens(&app, &client, &key, "openid offline_access").await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    for _ in 0..10 {
        app.pass_seconds(30);
        let proof = key.proof(&app, "POST", "/token", json!({}));
        assert_eq!(app.proven_token(&client, &form, &proof).await.status, 200);
    }
    app.pass_seconds(61);
    let proof = key.proof(&app, "POST", "/token", json!({}));
    let answer = app.proven_token(&client, &form, &proof).await;
    answer.assert_error(400, "invalid_grant", "the refresh token is not valid");
}

#[tokio::test]
async fn a_revocation_beside_64_refreshes_is_the_last_word() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let client = client(&app).await;
    let key = ClientKey::generate("ES256");
    let tokens = kept_tokens(&app, &client, &key, "openid offline_access").await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    let refreshes = (0..64).map(|n| {
        let server = if n % 2 == 0 { &app } else { &other };
        let proof = key.proof(&app, "POST", "/token", json!({}));
        let (client, form) = (&client, &form);
        async move { server.proven_token(client, form, &proof).await }
    });
    let (answers, revoked) =
        tokio::join!(futures_util::future::join_all(refreshes), app.revoke(&client, tokens.refresh()));
    assert_eq!(revoked.status, 200);
    // Whatever was given meanwhile is worth nothing.
    for answer in answers.iter().filter(|answer| answer.status == 200) {
        let access = answer.json()["access_token"].as_str().unwrap().to_owned();
        app.introspect(&client, &access).await.assert_inactive();
    }
    let proof = key.proof(&app, "POST", "/token", json!({}));
    let answer = app.proven_token(&client, &form, &proof).await;
    answer.assert_error(400, "invalid_grant", "the refresh token is not valid");
}

/// RFC 9449 section 8: whoever is told to come back with a nonce has not used anything up.
#[tokio::test]
async fn a_nonce_is_asked_for_wherever_a_proof_is_taken_and_the_assertion_stays_good() {
    let app = TestApp::with_config(|config| config.dpop.nonces = NoncePolicy::Required).await;
    let client = app
        .signing_web_client_with(ClientKey::generate("PS256"), |settings| {
            settings.grant_types.push(GrantType::DeviceCode);
        })
        .await;
    let key = ClientKey::generate("ES256");
    let request = Authorization::of(&client);
    for (path, form) in [("/par", request.parameters()), ("/device_authorization", vec![("scope", "openid")])] {
        let assertion = client.assertion(json!({}));
        let credentials = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
        let form = [form, credentials.to_vec()].concat();
        let call = |nonce: Value| {
            let proof = key.proof(&app, "POST", path, json!({ "nonce": nonce }));
            app.post(path).form(&form).header("dpop", &proof).send()
        };
        let answer = call(json!(null)).await;
        let description = "the DPoP proof must have the nonce of the header DPoP-Nonce";
        answer.assert_error(400, "use_dpop_nonce", description);
        let nonce = answer.header("dpop-nonce").unwrap().to_owned();
        let answer = call(json!(nonce)).await;
        assert!([200, 201].contains(&answer.status), "{path}: {answer:?}");
    }
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
