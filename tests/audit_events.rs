//! What people and clients do is recorded too: sign-ins, consents, tokens, and what was tried in vain.

use ostiary::jobs::{self, Job};
use ostiary::model::client::ConsentPolicy;
use serde_json::{Value, json};

use crate::harness::{Authorization, Cluster, Database, PASSWORD, TestApp, Tokens};

const MACHINE: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("scope", "mail.read")];

impl TestApp {
    /// What was recorded, the oldest first, without what administrators did.
    async fn recorded(&self) -> Vec<Value> {
        Job::AuditWriting.run_once(&self.app, self.now()).await.unwrap();
        let admin = self.admin_of_everything().await;
        let listed = admin.get("/admin/audit-events?limit=200").await.document(200);
        let mut events = listed["items"].as_array().unwrap().clone();
        events.reverse();
        events
    }

    async fn recorded_of(&self, kind: &str) -> Vec<Value> {
        self.recorded().await.into_iter().filter(|event| event["event"] == kind).collect()
    }
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_journey_leaves_a_record_of_every_step() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let request = Authorization::of(&client).with("scope", "openid offline_access");
    let page = browser.open(&request.path()).await;
    let page = browser.log_in(&page, &alice).await;
    let code = browser.submit(&page, "consent-allow", &[]).await.returned_code(&client.redirect_uri);
    let tokens = Tokens { body: app.token(&client, &app.redemption(&request, &code)).await.json() };
    let later = app.refreshed(&client, tokens.refresh()).await;
    let revoked = app.post("/revoke").header("authorization", &client.basic()).form(&[("token", later.refresh())]);
    assert_eq!(revoked.send().await.status, 200);
    let page = browser.open("/logout").await;
    browser.submit(&page, "logout-confirm", &[]).await;

    let events = app.recorded().await;
    let journey: Vec<&Value> = events.iter().filter(|event| event["actor"]["id"] != "machine").collect();
    let expected = [
        "sign_in.succeeded",
        "consent.given",
        "tokens.issued",
        "tokens.refreshed",
        "token_family.revoked",
        "session.ended",
    ];
    let found: Vec<&str> = journey.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert!(found.starts_with(&expected), "{found:?}");
    for event in &journey[..expected.len()] {
        assert_eq!((&event["outcome"], &event["ip"]), (&json!("success"), &json!("127.0.0.1")), "{event}");
        assert!(event["request_id"].as_str().unwrap().len() > 8, "{event}");
    }
    let subject = journey[0]["subject"].clone();
    assert_eq!(journey[0]["actor"], json!({"kind": "person", "id": subject}));
    assert_eq!((&journey[1]["client_id"], &journey[1]["subject"]), (&json!(client.id), &subject));
    assert_eq!(journey[1]["detail"]["scope"], "openid offline_access");
    for (event, grant) in [(journey[2], "authorization_code"), (journey[3], "authorization_code")] {
        assert_eq!(event["actor"], json!({"kind": "client", "id": client.id}));
        assert_eq!(event["subject"], subject);
        assert_eq!(event["detail"], json!({"grant_type": grant, "scope": "openid offline_access"}));
        assert_eq!(event["object"], journey[4]["object"], "the family");
    }
    assert_eq!(journey[5]["object"], journey[0]["object"], "the session");
    assert_eq!(journey[5]["actor"], journey[0]["actor"]);
    // Nothing in them can be used.
    let text = serde_json::to_string(&events).unwrap();
    for secret in [&code, tokens.access(), tokens.refresh(), later.access(), later.refresh(), PASSWORD] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn what_was_tried_in_vain_is_recorded_without_what_was_typed() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let page = browser.open(&Authorization::of(&client).path()).await;
    let page = browser.submit(&page, "login-submit", &[("username", &alice.username), ("password", "wrong-1")]).await;
    browser.submit(&page, "login-submit", &[("username", "my-secret-by-mistake"), ("password", "wrong-2")]).await;
    let events = app.recorded().await;
    let failed: Vec<&Value> = events.iter().filter(|event| event["event"] == "sign_in.failed").collect();
    assert_eq!(failed.len(), 2, "{events:?}");
    for event in &failed {
        assert_eq!((&event["outcome"], &event["actor"]), (&json!("failure"), &json!({"kind": "stranger"})));
        assert_eq!(event["ip"], "127.0.0.1");
    }
    assert_eq!(failed[0]["subject"], json!(alice.subject));
    assert_eq!(failed[1].get("subject"), None);
    let text = serde_json::to_string(&events).unwrap();
    assert!(!text.contains("my-secret-by-mistake") && !text.contains("wrong-"), "{text}");
}

#[tokio::test]
async fn what_is_used_twice_is_recorded_even_where_tokens_are_not() {
    let app = TestApp::with_config(|config| config.audit.tokens = false).await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid offline_access").await;
    let second = app.refreshed(&client, first.refresh()).await;
    app.refreshed(&client, second.refresh()).await;
    app.pass_seconds(60);
    app.refresh(&client, first.refresh()).await.assert_error(400, "invalid_grant", "the refresh token was used before");
    for seconds in [0, 300] {
        let mut browser = app.browser();
        let request = Authorization::of(&client).with("scope", "openid");
        let code = app.code(&mut browser, &request, &alice).await;
        app.token(&client, &app.redemption(&request, &code)).await.json();
        app.pass_seconds(seconds);
        assert_eq!(app.token(&client, &app.redemption(&request, &code)).await.status, 400);
    }
    let events = app.recorded().await;
    let reused = app.recorded_of("refresh_token.reused").await;
    assert_eq!((reused.len(), &reused[0]["outcome"]), (1, &json!("failure")), "{events:?}");
    assert_eq!(app.recorded_of("code.reused").await.len(), 2);
    assert!(!names(&events).iter().any(|name| name.starts_with("tokens.")), "{events:?}");
}

#[tokio::test]
async fn an_outage_of_postgres_loses_no_note() {
    let mut cluster = Cluster::start().await;
    let app = TestApp::on(Database::of_cluster(&cluster).await, |_| {}).await;
    let machine = app.machine_client().await;
    app.token(&machine, &MACHINE).await.json();
    cluster.kill().await;
    for _ in 0..3 {
        app.token(&machine, &MACHINE).await.json();
    }
    assert!(Job::AuditWriting.run_once(&app.app, app.now()).await.is_err());
    cluster.start_again().await;
    app.is_ready().await;
    let issued = app.recorded_of("tokens.issued").await;
    let machines = issued.iter().filter(|event| event["client_id"] == json!(machine.id)).count();
    assert_eq!(machines, 4, "{issued:?}");
}

#[tokio::test]
async fn a_server_that_ends_writes_down_what_it_noted() {
    let app = TestApp::start().await;
    let machine = app.machine_client().await;
    // A second instance whose only jobs are those that end at once.
    let ending = app.second_instance_with(|_| {}).await;
    ending.token(&machine, &MACHINE).await.json();
    jobs::spawn(ending.app.clone(), std::future::ready(())).await;
    assert_eq!(ending.app.audit.waiting_count(), 0);
    let issued = app.recorded_of("tokens.issued").await;
    assert!(issued.iter().any(|event| event["client_id"] == json!(machine.id)), "{issued:?}");
}
