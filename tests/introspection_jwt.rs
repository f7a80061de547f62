//! Introspection answers as JWTs (RFC 9701).

use ostiary::model::profile::Profile;
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};

use crate::harness::{Answer, Authorization, ClientKey, MAIL_API, PHOTOS_API, TestApp, TestClient, Tokens, jwt};

const MEDIA_TYPE: &str = "application/token-introspection+jwt";

async fn ask(app: &TestApp, caller: &TestClient, token: &str, accept: &str) -> Answer {
    caller.sign(app.post("/introspect").header("accept", accept), &[("token", token)]).send().await
}

/// What the JWT says of the token, everything else of it checked.
#[track_caller]
fn told(app: &TestApp, jwks: &Value, caller: &TestClient, answer: &Answer) -> Value {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(MEDIA_TYPE)), "{answer:?}");
    answer.assert_not_stored();
    let mut signed = jwt::verify_with(jwks, &answer.body);
    assert_eq!(signed.header["typ"], "token-introspection+jwt");
    let told = signed.claims["token_introspection"].take();
    // Exactly these: section 5 leaves sub and exp out.
    let about = json!({
        "iss": app.issuer(), "aud": caller.id, "iat": app.now().timestamp(), "token_introspection": null,
    });
    assert_eq!(signed.claims, about);
    told
}

async fn jwks(app: &TestApp) -> Value {
    serde_json::from_str(&app.get("/jwks.json").send().await.body).unwrap()
}

async fn told_to(app: &TestApp, caller: &TestClient, token: &str) -> Value {
    told(app, &jwks(app).await, caller, &ask(app, caller, token, MEDIA_TYPE).await)
}

/// Tokens for both APIs.
async fn tokens_for_both(app: &TestApp) -> (TestClient, Tokens) {
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client).with("scope", "openid photos.read mail.read");
    let request = request.with("resource", PHOTOS_API).and("resource", MAIL_API);
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    (client, tokens)
}

#[tokio::test]
async fn whoever_accepts_it_gets_a_jwt_of_that_type_signed_as_registered() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let registered = SigningAlg::ALL.map(Some).into_iter().chain([None]);
    for alg in registered {
        let client = app.web_client_with(|settings| settings.introspection_signed_response_alg = alg).await;
        let tokens = app.tokens(&client, &alice, "openid profile photos.read").await;
        let plain = app.introspect(&client, tokens.access()).await.json();
        let answer = ask(&app, &client, tokens.access(), MEDIA_TYPE).await;
        assert_eq!(told(&app, &jwks(&app).await, &client, &answer), plain, "the client is told everything");
        // RFC 9701 section 6: the default is RS256.
        let expected = alg.unwrap_or(SigningAlg::RS256).as_str();
        assert_eq!(jwt::read(&answer.body).header["alg"], expected);
        let refresh = app.introspect(&client, tokens.refresh()).await.json();
        assert_eq!(told_to(&app, &client, tokens.refresh()).await, refresh);
    }
}

#[tokio::test]
async fn clients_of_fapi_have_an_algorithm_that_it_allows() {
    let app = TestApp::start().await;
    let (_, tokens) = tokens_for_both(&app).await;
    let photos = app.signing_client_with(ClientKey::generate("PS256"), |settings| {
        settings.profile = Profile::Fapi2Security;
        settings.id_token_signed_response_alg = SigningAlg::PS256;
        settings.authorization_signed_response_alg = SigningAlg::PS256;
        settings.serves = vec![serde_json::from_value(json!(PHOTOS_API)).unwrap()];
    });
    let photos = photos.await;
    let answer = ask(&app, &photos, tokens.access(), MEDIA_TYPE).await;
    assert_eq!(told(&app, &jwks(&app).await, &photos, &answer)["active"], true);
    assert_eq!(jwt::read(&answer.body).header["alg"], "ES256");
    let admin = app.admin(&["admin:clients"]).await;
    let settings = json!({
        "profile": "fapi2-security", "grant_types": ["client_credentials"], "token_endpoint_auth_method": "private_key_jwt",
        "jwks": ClientKey::generate("PS256").jwks(), "dpop_bound_access_tokens": true, "id_token_signed_response_alg": "PS256",
        "authorization_signed_response_alg": "PS256", "introspection_signed_response_alg": "RS256",
    });
    let problem = admin.post("/admin/clients", &settings).await.problem(422, "invalid-body");
    assert_eq!(problem["errors"][0]["pointer"], "/introspection_signed_response_alg", "{problem}");
}

#[tokio::test]
async fn the_audience_is_the_resource_server_and_it_is_told_what_concerns_it() {
    let app = TestApp::start().await;
    let (client, tokens) = tokens_for_both(&app).await;
    for (api, scope) in [(PHOTOS_API, "openid photos.read"), (MAIL_API, "openid mail.read")] {
        let server = app.resource_server(api).await;
        let told = told_to(&app, &server, tokens.access()).await;
        assert_eq!((&told["active"], &told["aud"], &told["scope"]), (&json!(true), &json!(api), &json!(scope)));
        assert_eq!(told["client_id"], client.id);
    }
    let told = told_to(&app, &client, tokens.access()).await;
    assert_eq!(told["aud"], json!([PHOTOS_API, MAIL_API]));
}

#[tokio::test]
async fn what_is_not_active_or_not_for_the_caller_is_active_false_and_nothing_more() {
    let app = TestApp::start().await;
    let (client, tokens) = tokens_for_both(&app).await;
    let (stranger, photos) = (app.web_client().await, app.resource_server(PHOTOS_API).await);
    let inactive = json!({"active": false});
    for token in ["x", "a.b.c", tokens.id()] {
        assert_eq!(told_to(&app, &photos, token).await, inactive);
    }
    assert_eq!(told_to(&app, &stranger, tokens.access()).await, inactive);
    assert_eq!(told_to(&app, &photos, tokens.refresh()).await, inactive);
    assert_eq!(told_to(&app, &photos, tokens.access()).await["active"], true);
    app.revoke(&client, tokens.refresh()).await;
    assert_eq!(told_to(&app, &photos, tokens.access()).await, inactive);
}

#[tokio::test]
async fn the_accept_header_decides_with_its_weights() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    for accept in [
        "Application/Token-Introspection+JWT",
        "application/json;q=0.8, application/token-introspection+jwt;q=0.9",
        "application/token-introspection+jwt;q=0.5, */*;q=0.1",
    ] {
        let answer = ask(&app, &client, tokens.access(), accept).await;
        assert_eq!(told(&app, &jwks(&app).await, &client, &answer)["active"], true, "{accept}");
    }
    for accept in [
        "*/*",
        "application/json",
        "application/jwt",
        "application/json, application/token-introspection+jwt;q=0.5",
        "application/json, application/token-introspection+jwt;q=0",
    ] {
        let answer = ask(&app, &client, tokens.access(), accept).await;
        assert_eq!(answer.json()["active"], true, "{accept}");
    }
}

#[tokio::test]
async fn a_client_may_register_that_its_answers_are_always_signed() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    app.change_client(&client, |client| client.settings.require_signed_introspection_response = true).await;
    let jwks = jwks(&app).await;
    let without = app.introspect(&client, tokens.access()).await;
    assert_eq!(told(&app, &jwks, &client, &without)["active"], true);
    for accept in ["*/*", "application/*;q=0.1", "application/json, */*;q=0.1"] {
        let answer = ask(&app, &client, tokens.access(), accept).await;
        assert_eq!(told(&app, &jwks, &client, &answer)["active"], true, "{accept}");
    }
    for accept in ["application/json", "*/*, application/token-introspection+jwt;q=0"] {
        let answer = ask(&app, &client, tokens.access(), accept).await;
        let description = "the client registered that its answers are JWTs: it must accept those";
        answer.assert_error(406, "invalid_request", description);
    }
}

#[tokio::test]
async fn the_caller_must_authenticate_and_errors_are_json() {
    let app = TestApp::start().await;
    let (client, public, alice) = (app.web_client().await, app.public_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let answer = ask(&app, &client.with_secret("wrong"), tokens.access(), MEDIA_TYPE).await;
    answer.assert_basic_error("client authentication failed");
    let answer = ask(&app, &public, tokens.access(), MEDIA_TYPE).await;
    answer.assert_basic_error("a public client may not introspect tokens");
    let call = app.post("/introspect").header("accept", MEDIA_TYPE);
    let answer = client.sign(call, &[]).send().await;
    answer.assert_error(400, "invalid_request", "the parameter token is missing");
}

#[tokio::test]
async fn the_answer_is_no_access_token_and_no_hint_and_says_nothing_of_itself() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let answer = ask(&app, &client, tokens.access(), MEDIA_TYPE).await;
    let refused = app.userinfo(&answer.body).await;
    refused.assert_bearer_error(401, "invalid_token", "the access token is invalid, expired or revoked");
    let request = Authorization::of(&client).with("id_token_hint", &answer.body);
    let page = app.browser().open(&request.path()).await;
    assert_eq!(page.returned_error(&client.redirect_uri)["error"], "invalid_request");
    app.introspect(&client, &answer.body).await.assert_inactive();
}

#[tokio::test]
async fn an_answer_that_cannot_be_signed_is_not_sent_unsigned() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let queue = app.fill_rsa_queue();
    ask(&app, &client, tokens.access(), MEDIA_TYPE).await.assert_busy();
    drop(queue);
    let answer = ask(&app, &client, tokens.access(), MEDIA_TYPE).await;
    assert_eq!(told(&app, &jwks(&app).await, &client, &answer)["active"], true);
}

#[tokio::test]
async fn the_registration_of_it_is_shown_and_changed_over_the_api() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let settings = json!({
        "redirect_uris": ["https://app.example/callback"],
        "introspection_signed_response_alg": "PS256", "require_signed_introspection_response": true,
    });
    let made = admin.post("/admin/clients", &settings).await.document(201);
    assert_eq!(
        (&made["introspection_signed_response_alg"], &made["require_signed_introspection_response"]),
        (&json!("PS256"), &json!(true))
    );
    let none = admin.post("/admin/clients", &json!({"redirect_uris": ["https://app.example/callback"]})).await;
    let none = none.document(201);
    assert_eq!(
        (&none["introspection_signed_response_alg"], &none["require_signed_introspection_response"]),
        (&json!(null), &json!(false))
    );
    let path = format!("/admin/clients/{}", made["client_id"].as_str().unwrap());
    let wrong = admin.patch(&path, &json!({"introspection_signed_response_alg": "HS256"})).await;
    wrong.problem(422, "invalid-body");
}
