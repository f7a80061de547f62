//! Clients that nobody registered by hand are removed when nobody uses them.

use chrono::TimeDelta;
use futures_util::future::join_all;
use http::Method;
use ostiary::config::{Config, OutboundPurpose, RegistrationMode};
use ostiary::jobs::{Job, Progress};
use ostiary::model::client::GrantType;
use ostiary::model::id::ClientId;
use serde_json::{Value, json};

use crate::harness::{Authorization, TestApp, TestClient, TlsPeer};

const CALLBACK: &str = "https://album.example/callback";

fn open(config: &mut Config) {
    config.registration.mode = RegistrationMode::Open;
    config.registration.per_network = 1000;
    config.registration.grant_types.push(GrantType::ClientCredentials);
}

async fn start() -> TestApp {
    TestApp::with_config(open).await
}

/// A client that registered itself, and what it was told.
async fn register(app: &TestApp) -> (TestClient, Value) {
    let said = json!({
        "client_name": "Album", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
    });
    let told = app.post("/register").json(&said).send().await.document(201);
    (app.client_named_by(told["client_id"].as_str().unwrap(), CALLBACK), told)
}

async fn reap(app: &TestApp) {
    for job in [Job::SessionExpiry, Job::Deletion] {
        job.run_once(&app.app, app.now()).await.unwrap();
    }
    assert_eq!(Job::ClientReaping.run_once(&app.app, app.now()).await.unwrap(), Progress::Done);
}

async fn is_there(app: &TestApp, client: &TestClient) -> bool {
    app.app.postgres.find_client(&ClientId::new(&client.id)).await.unwrap().is_some()
}

async fn reaped(app: &TestApp) -> Vec<Value> {
    let admin = app.admin(&["admin:audit:read"]).await;
    let listed = admin.get("/admin/audit-events?event=client.reaped").await.document(200);
    listed["items"].as_array().unwrap().iter().map(|event| event["client_id"].clone()).collect()
}

#[tokio::test]
async fn a_client_that_was_never_used_goes_after_a_while_with_all_that_is_kept_of_it() {
    let app = start().await;
    let (client, told) = register(&app).await;
    app.pass(TimeDelta::days(30) - TimeDelta::seconds(1));
    reap(&app).await;
    assert!(is_there(&app, &client).await);
    app.pass_seconds(1);
    reap(&app).await;
    assert!(!is_there(&app, &client).await);
    assert_eq!(reaped(&app).await, [json!(client.id)]);
    let token = told["registration_access_token"].as_str().unwrap();
    assert_eq!(app.get(&format!("/register/{}", client.id)).bearer(token).send().await.status, 401);
    let page = app.browser().open(&Authorization::of(&client).path()).await;
    page.assert_error("/authorize", 400, "invalid_client", "the client is unknown or disabled");
    reap(&app).await;
    assert_eq!(reaped(&app).await.len(), 1);
}

#[tokio::test]
async fn a_client_that_was_used_stays_while_anything_of_it_lives_and_for_a_year_after_its_last_use() {
    let app = start().await;
    let (client, _) = register(&app).await;
    let alice = app.alice().await;
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    app.pass(TimeDelta::days(29));
    app.refreshed(&client, tokens.refresh()).await;
    for _ in 0..12 {
        app.pass(TimeDelta::days(30));
        reap(&app).await;
        assert!(is_there(&app, &client).await);
    }
    // 360 days after it was used.
    app.pass(TimeDelta::days(5) - TimeDelta::seconds(1));
    reap(&app).await;
    assert!(is_there(&app, &client).await);
    app.pass_seconds(1);
    reap(&app).await;
    assert!(!is_there(&app, &client).await);
}

#[tokio::test]
async fn a_client_that_changes_itself_is_looked_at_anew_and_one_that_an_administrator_changed_is_let_alone() {
    let app = start().await;
    let (own, told) = register(&app).await;
    let (touched, _) = register(&app).await;
    let (disabled, _) = register(&app).await;
    let (both, of_both) = register(&app).await;
    let made = app.public_client().await;
    let admin = app.admin(&["admin:clients"]).await;
    admin.patch(&format!("/admin/clients/{}", touched.id), &json!({"consent": "always"})).await.document(200);
    admin.patch(&format!("/admin/clients/{}", disabled.id), &json!({"enabled": false})).await.document(200);
    admin.patch(&format!("/admin/clients/{}", both.id), &json!({"consent": "always"})).await.document(200);
    app.pass(TimeDelta::days(20));
    for (client, told) in [(&own, &told), (&both, &of_both)] {
        let said = json!({
            "client_id": client.id, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        });
        let call = app.request(Method::PUT, &format!("/register/{}", client.id)).json(&said);
        call.bearer(told["registration_access_token"].as_str().unwrap()).send().await.document(200);
    }
    app.pass(TimeDelta::days(29));
    reap(&app).await;
    assert!(is_there(&app, &own).await);
    app.pass(TimeDelta::days(1));
    reap(&app).await;
    assert!(!is_there(&app, &own).await);
    app.pass(TimeDelta::days(1000));
    reap(&app).await;
    for client in [&touched, &disabled, &both, &made] {
        assert!(is_there(&app, client).await, "{}", client.id);
    }
}

#[tokio::test]
async fn a_client_whose_use_leaves_no_trace_stays() {
    let app = start().await;
    let said = json!({"grant_types": ["client_credentials"]});
    let told = app.post("/register").json(&said).send().await.document(201);
    let client = app.client_named_by(told["client_id"].as_str().unwrap(), "");
    app.pass(TimeDelta::days(1000));
    reap(&app).await;
    assert!(is_there(&app, &client).await);
}

#[tokio::test]
async fn zero_removes_none() {
    let app = TestApp::with_config(|config| {
        open(config);
        config.registration.unused_after = TimeDelta::zero();
        config.registration.idle_after = TimeDelta::zero();
    })
    .await;
    let (client, _) = register(&app).await;
    app.pass(TimeDelta::days(1000));
    reap(&app).await;
    assert!(is_there(&app, &client).await);
}

#[tokio::test]
async fn a_client_that_is_named_by_an_address_comes_back_when_somebody_begins_with_it() {
    let peer = TlsPeer::start();
    let app = TestApp::with_config(|config| {
        config.client_documents.enabled = true;
        peer.is_trusted_by(&mut config.outbound, OutboundPurpose::ClientDocument);
    })
    .await;
    let client = app.client_named_by(&peer.url("/client.json"), CALLBACK);
    peer.serve_json("", &json!({"client_id": client.id, "redirect_uris": [CALLBACK]}));
    let begin = async || app.browser().open(&Authorization::of(&client).path()).await.assert_login();
    begin().await;
    app.pass(TimeDelta::days(29));
    // Somebody takes an interest.
    begin().await;
    app.pass(TimeDelta::days(29));
    reap(&app).await;
    assert!(is_there(&app, &client).await);
    app.pass(TimeDelta::days(1));
    reap(&app).await;
    assert!(!is_there(&app, &client).await);
    begin().await;
    assert!(is_there(&app, &client).await);
}

#[tokio::test]
async fn two_instances_remove_each_client_once() {
    let app = start().await;
    let other = app.second_instance().await;
    for _ in 0..12 {
        register(&app).await;
    }
    app.pass(TimeDelta::days(30));
    let run = |app: &TestApp| {
        let (app, now) = (app.app.clone(), app.now());
        async move { Job::ClientReaping.run_once(&app, now).await.unwrap() }
    };
    join_all([run(&app), run(&other), run(&app), run(&other)]).await;
    reap(&app).await;
    assert_eq!(reaped(&app).await.len(), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_use_and_the_removal_in_the_same_moment_never_both_win() {
    let app = start().await;
    let alice = app.alice().await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(register(&app).await.0);
    }
    app.pass(TimeDelta::days(30));
    let mut codes = Vec::new();
    let mut browser = app.browser();
    for client in &clients {
        let request = Authorization::of(client);
        let code = app.code(&mut browser, &request, &alice).await;
        codes.push((client, request, code));
    }
    let redeem = async |client: &TestClient, request: &Authorization, code: &str| {
        let answer = app.token(client, &app.redemption(request, code)).await;
        (answer.status, answer.body)
    };
    let uses = join_all(codes.iter().map(|(client, request, code)| redeem(client, request, code)));
    let (uses, ()) = tokio::join!(uses, reap(&app));
    for ((status, body), client) in uses.into_iter().zip(&clients) {
        let token = serde_json::from_str::<Value>(&body).unwrap()["access_token"].clone();
        let works = match token.as_str() {
            Some(token) => app.userinfo(token).await.status == 200,
            None => false,
        };
        assert_eq!((works, status == 200), (is_there(&app, client).await, works), "{status} {body}");
    }
}
