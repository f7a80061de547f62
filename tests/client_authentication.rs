//! Client authentication (RFC 6749 section 2.3) at every endpoint that asks for it.

use ostiary::model::client::{Client, ClientAuthMethod, ClientSettings, GrantType};
use serde_json::Value;

use crate::harness::{Authorization, TestApp, TestClient, Tokens, basic};

const REFUSED: &str = "client authentication failed";
const GRANT: (&str, &str) = ("grant_type", "client_credentials");

fn settings(method: ClientAuthMethod) -> ClientSettings {
    ClientSettings {
        token_endpoint_auth_method: method,
        grant_types: vec![GrantType::ClientCredentials],
        scopes: vec!["photos.read".into()],
        ..ClientSettings::default()
    }
}

async fn machine(app: &TestApp, method: ClientAuthMethod) -> TestClient {
    app.machine_client_with(|settings| settings.token_endpoint_auth_method = method).await
}

#[tokio::test]
async fn client_secret_basic_and_post_are_accepted() {
    let app = TestApp::start().await;
    let by_header = machine(&app, ClientAuthMethod::ClientSecretBasic).await;
    let answer = app.post("/token").header("authorization", &by_header.basic()).form(&[GRANT]).send().await;
    assert_eq!(answer.json()["token_type"], "Bearer");
    // RFC 9110 section 11.1: the scheme is case-insensitive.
    let lower = by_header.basic().replace("Basic", "bAsIc");
    assert_eq!(app.post("/token").header("authorization", &lower).form(&[GRANT]).send().await.status, 200);
    let by_body = machine(&app, ClientAuthMethod::ClientSecretPost).await;
    let form = [GRANT, ("client_id", by_body.id.as_str()), ("client_secret", by_body.secret())];
    assert_eq!(app.post_form("/token", &form).await.json()["token_type"], "Bearer");
}

#[tokio::test]
async fn client_secret_post_redeems_a_code() {
    let app = TestApp::start().await;
    let method = ClientAuthMethod::ClientSecretPost;
    let client = app.web_client_with(|settings| settings.token_endpoint_auth_method = method).await;
    let alice = app.alice().await;
    let request = Authorization::of(&client);
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let mut form = app.redemption(&request, &code).to_vec();
    form.push(("client_id", &client.id));
    // Without its secret, or with another, the code stays good.
    app.post_form("/token", &form).await.assert_error(400, "invalid_client", REFUSED);
    let wrong = [form.clone(), vec![("client_secret", "wrong")]].concat();
    app.post_form("/token", &wrong).await.assert_error(400, "invalid_client", REFUSED);
    form.push(("client_secret", client.secret()));
    let tokens = Tokens { body: app.post_form("/token", &form).await.json() };
    assert_eq!(tokens.id_claims(&app).await["sub"], alice.sub());
    app.assert_family_stands(&client, &tokens).await;
}

#[tokio::test]
async fn basic_credentials_are_percent_decoded() {
    let app = TestApp::start().await;
    let id = "https://client.example:8443/a b?c=d&e=%f";
    let secret = "s:e+c r%e\u{20ac}t&=";
    let settings = settings(ClientAuthMethod::ClientSecretBasic);
    app.insert_client_with_secret(id, settings, Some(secret.to_owned())).await;
    let answer = app.post("/token").header("authorization", &basic(id, secret)).form(&[GRANT]).send().await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(crate::harness::jwt::verify(&app, &token).await.claims["client_id"], id);
}

#[tokio::test]
async fn the_body_may_repeat_the_client_id_of_the_header_but_not_contradict_it() {
    let app = TestApp::start().await;
    let client = machine(&app, ClientAuthMethod::ClientSecretBasic).await;
    let call = |id: &str| app.post("/token").header("authorization", &client.basic()).form(&[GRANT, ("client_id", id)]);
    assert_eq!(call(&client.id).send().await.status, 200);
    call("another").send().await.assert_basic_error("client_id is not the authenticated client");
}

#[tokio::test]
async fn two_methods_at_once_are_invalid_request() {
    let app = TestApp::start().await;
    let client = machine(&app, ClientAuthMethod::ClientSecretBasic).await;
    let both = [GRANT, ("client_id", client.id.as_str()), ("client_secret", client.secret())];
    let answer = app.post("/token").header("authorization", &client.basic()).form(&both).send().await;
    answer.assert_error(400, "invalid_request", "more than one client authentication method");
    let assertion = [GRANT, ("client_assertion", "x"), ("client_assertion_type", "y")];
    let answer = app.post("/token").header("authorization", &client.basic()).form(&assertion).send().await;
    answer.assert_error(400, "invalid_request", "more than one client authentication method");
    let call = app.post("/token").header("authorization", &client.basic());
    let answer = call.header("authorization", &client.basic()).form(&[GRANT]).send().await;
    answer.assert_error(400, "invalid_request", "more than one Authorization header");
}

#[tokio::test]
async fn a_wrong_secret_is_invalid_client_with_a_challenge_where_the_header_was_used() {
    let app = TestApp::start().await;
    let by_header = machine(&app, ClientAuthMethod::ClientSecretBasic).await;
    let by_body = machine(&app, ClientAuthMethod::ClientSecretPost).await;
    for wrong in ["wrong", "", &format!("{} ", by_header.secret())] {
        app.token(&by_header.with_secret(wrong), &[GRANT]).await.assert_basic_error(REFUSED);
        app.token(&by_body.with_secret(wrong), &[GRANT]).await.assert_error(400, "invalid_client", REFUSED);
    }
}

#[tokio::test]
async fn an_unknown_and_a_disabled_client_are_answered_like_a_wrong_secret() {
    let app = TestApp::start().await;
    let client = machine(&app, ClientAuthMethod::ClientSecretBasic).await;
    for id in ["nobody", "u.nobody", "x\u{e4}", &"x".repeat(3000)] {
        let answer = app.post("/token").header("authorization", &basic(id, "x")).form(&[GRANT]).send().await;
        answer.assert_basic_error(REFUSED);
    }
    app.change_client(&client, |client| client.enabled = false).await;
    app.token(&client, &[GRANT]).await.assert_basic_error(REFUSED);
}

#[tokio::test]
async fn a_client_keeps_to_the_method_that_it_registered() {
    let app = TestApp::start().await;
    let by_header = machine(&app, ClientAuthMethod::ClientSecretBasic).await;
    let by_body = machine(&app, ClientAuthMethod::ClientSecretPost).await;
    let form = [GRANT, ("client_id", by_header.id.as_str()), ("client_secret", by_header.secret())];
    app.post_form("/token", &form).await.assert_error(400, "invalid_client", REFUSED);
    app.post_form("/token", &form[..2]).await.assert_error(400, "invalid_client", REFUSED);
    let answer = app.post("/token").header("authorization", &by_body.basic()).form(&[GRANT]).send().await;
    answer.assert_basic_error(REFUSED);
    let public = app.public_client().await;
    let form = [("grant_type", "refresh_token"), ("client_id", public.id.as_str()), ("client_secret", "x")];
    app.post_form("/token", &form).await.assert_error(400, "invalid_client", REFUSED);
    let call = app.post("/token").header("authorization", &basic(&public.id, ""));
    call.form(&[("grant_type", "refresh_token")]).send().await.assert_basic_error(REFUSED);
}

#[tokio::test]
async fn no_credentials_at_all_is_invalid_client() {
    let app = TestApp::start().await;
    for path in ["/token", "/introspect", "/revoke"] {
        let answer = app.post_form(path, &[GRANT]).await;
        answer.assert_client_refused(path, "client authentication is required");
    }
}

#[tokio::test]
async fn malformed_basic_credentials_are_invalid_client() {
    let app = TestApp::start().await;
    for credentials in
        ["Basic", "Basic !!!", "Basic bm9jb2xvbg==", "Basic OnNlY3JldA==", "Basic YToleno=", "Basic /zp4"]
    {
        let answer = app.post("/token").header("authorization", credentials).form(&[GRANT]).send().await;
        answer.assert_basic_error("malformed credentials");
    }
    let answer = app.post("/token").header("authorization", "Bearer abc").form(&[GRANT]).send().await;
    answer.assert_basic_error("the client authentication method is not supported");
}

#[tokio::test]
async fn two_secrets_are_good_while_one_replaces_the_other() {
    let app = TestApp::start().await;
    let client = machine(&app, ClientAuthMethod::ClientSecretBasic).await;
    let other = machine(&app, ClientAuthMethod::ClientSecretBasic).await;
    let mac = |secret: &str| {
        let key_id = app.app.master_keys.current();
        let id = ostiary::model::id::ClientId::new(&client.id);
        let mac = app.app.master_keys.client_secret_mac(key_id, &id, secret).unwrap();
        ostiary::model::client::ClientSecret { id: uuid::Uuid::new_v4(), mac, key_id, expires_at: None }
    };
    let ends = app.now() + chrono::TimeDelta::minutes(5);
    app.change_client(&client, |stored: &mut Client| {
        stored.secrets[0].expires_at = Some(ends);
        stored.secrets.push(mac("second"));
    })
    .await;
    assert_eq!(app.token(&client, &[GRANT]).await.status, 200);
    assert_eq!(app.token(&client.with_secret("second"), &[GRANT]).await.status, 200);
    app.pass(chrono::TimeDelta::minutes(5));
    app.token(&client, &[GRANT]).await.assert_basic_error(REFUSED);
    assert_eq!(app.token(&client.with_secret("second"), &[GRANT]).await.status, 200);
    // A secret belongs to its client.
    app.token(&other.with_secret("second"), &[GRANT]).await.assert_basic_error(REFUSED);
}

#[tokio::test]
async fn the_secret_is_nowhere_in_the_answer() {
    let app = TestApp::start().await;
    let client = machine(&app, ClientAuthMethod::ClientSecretPost).await;
    let form = [("grant_type", "\u{e9}"), ("client_id", client.id.as_str()), ("client_secret", client.secret())];
    let answer = app.post_form("/token", &form).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["error"], "unsupported_grant_type");
    assert!(!answer.body.contains(client.secret()));
}
