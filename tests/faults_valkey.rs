//! Valkey goes away and comes back, and servers that share one stand in for each other.

use chrono::TimeDelta;
use ostiary::model::client::ConsentPolicy;
use serde_json::{Value, json};

use crate::harness::{Authorization, ClientKey, TestApp, Tokens, Valkey, eventually};

async fn server(valkey: &Valkey) -> TestApp {
    TestApp::with_config(|config| {
        config.state.valkey_url = Some(valkey.url().into());
        config.oidc.sample_resource = true;
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_valkey_nothing_begins_and_what_began_goes_on() {
    let mut valkey = Valkey::start().await;
    let app = server(&valkey).await;
    let (client, machine, alice) = (app.web_client().await, app.machine_client().await, app.alice().await);
    let (mut browser, mut stranger) = (app.browser(), app.browser());
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    let request = Authorization::of(&client);
    let code = app.code(&mut browser, &request, &alice).await;
    let login = stranger.open(&Authorization::of(&client).path()).await;
    let key = ClientKey::generate("ES256");
    let bound = [("grant_type", "client_credentials"), ("scope", "mail.read")];
    let proof = || key.proof(&app, "POST", "/token", json!({}));
    let answer = app.proven_token(&machine, &bound, &proof()).await.json();
    let bound_token = answer["access_token"].as_str().unwrap().to_owned();
    assert_eq!(app.get_with_key("/resource", &bound_token, &key).await.status, 200);

    valkey.kill();
    // Nobody knows whether a proof was used before.
    app.proven_token(&machine, &bound, &proof()).await.assert_unavailable();
    app.get_with_key("/resource", &bound_token, &key).await.assert_unavailable();
    stranger.log_in(&login, &alice).await.assert_unavailable("/login");
    stranger.open(login.url.as_str()).await.assert_unavailable("/login");
    // Somebody who is signed in is not taken for a stranger.
    for someone in [&mut browser, &mut app.browser()] {
        let request = Authorization::of(&client);
        // RFC 6749 section 4.1.2.1: the code for what 503 cannot say through a redirect.
        let answer = someone.open(&request.path()).await.returned_error(&client.redirect_uri);
        assert_eq!((&*answer["error"], &*answer["state"]), ("temporarily_unavailable", request.value("state")));
    }
    app.token(&client, &app.redemption(&request, &code)).await.assert_unavailable();
    let ready = app.get("/ready").send().await;
    assert_eq!(ready.status, 503);
    let report: Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!(report, json!({ "status": "unavailable", "postgres": "ok", "state": "unavailable", "keys": "ok" }));

    assert_eq!(app.userinfo(tokens.access()).await.json()["sub"], alice.sub());
    assert_eq!(app.introspect(&client, tokens.access()).await.json()["active"], true);
    let tokens = app.assert_family_stands(&client, &tokens).await;
    app.token(&machine, &[("grant_type", "client_credentials"), ("scope", "mail.read")]).await.json();
    assert_eq!(app.get("/jwks.json").send().await.status, 200);
    app.get("/.well-known/openid-configuration").send().await.json();
    app.assert_family_stands(&client, &tokens).await;

    valkey.start_again().await;
    eventually("the server is ready", || async { (app.get("/ready").send().await.status == 200).then_some(()) }).await;
    // What was in flight is gone with the store. It ends in a page or an error, and whoever begins anew is served.
    let answer = app.token(&client, &app.redemption(&request, &code)).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let page = stranger.open(login.url.as_str()).await;
    assert!(!page.has_left && page.answer.status < 500, "{page:?}");
    let tokens = app.tokens_in(&mut stranger, &client, &Authorization::of(&client), &alice).await;
    app.assert_family_stands(&client, &tokens).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_valkey_sessions_and_attempts_survive_a_restart_of_the_server() {
    let valkey = Valkey::start().await;
    let app = server(&valkey).await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let first = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    let mut beginner = app.browser();
    let request = Authorization::of(&client);
    let login = beginner.open(&request.path()).await;
    let unused = Authorization::of(&client);
    let code = app.code(&mut browser, &unused, &alice).await;

    let again = app.other_process(TimeDelta::zero()).await;
    drop(app);
    browser.use_instance(&again.base);
    beginner.use_instance(&again.base);
    // Neither the password nor the consent is asked for again.
    browser.open(&Authorization::of(&client).path()).await.returned_code(&client.redirect_uri);
    let answer = beginner.log_in(&login, &alice).await.returned_to(&client.redirect_uri);
    assert_eq!(answer["state"], request.value("state"));
    let tokens = Tokens { body: again.token(&client, &again.redemption(&unused, &code)).await.json() };
    assert_eq!(tokens.id_claims(&again).await["sid"], first.id_claims(&again).await["sid"]);
    again.assert_family_stands(&client, &first).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_that_one_server_began_is_continued_by_another() {
    let valkey = Valkey::start().await;
    let one = server(&valkey).await;
    let other = one.other_process(TimeDelta::zero()).await;
    let client = one.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let alice = one.alice().await;
    let mut browser = one.browser();
    let request = Authorization::of(&client);
    let login = browser.open(&request.path()).await;
    browser.use_instance(&other.base);
    let consent = browser.log_in(&login, &alice).await;
    consent.assert_consent();
    browser.use_instance(&one.base);
    let mut answer = browser.submit(&consent, "consent-allow", &[]).await.returned_to(&client.redirect_uri);
    let code = answer.remove("code").unwrap();
    let tokens = Tokens { body: other.token(&client, &other.redemption(&request, &code)).await.json() };
    let tokens = one.refreshed(&client, tokens.refresh()).await;
    one.token(&client, &one.redemption(&request, &code)).await.assert_error(
        400,
        "invalid_grant",
        "the code was used before",
    );
    other.assert_family_is_over(&client, &tokens).await;
}
