//! `/admin/keys`: a rotation by hand, over REST.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Admin, TestApp, copied_directory, jwt};

/// A server with keys of its own, and their folder.
async fn start() -> (TestApp, TempDir) {
    let keys = copied_directory();
    let app = TestApp::with_config(|config| config.keys.directory = keys.path().to_owned()).await;
    (app, keys)
}

async fn key_in_state(admin: &Admin<'_>, alg: &str, state: &str) -> Value {
    let keys = admin.get("/admin/keys").await.document(200);
    let found = keys["keys"].as_array().unwrap().iter().find(|key| key["alg"] == alg && key["state"] == state).cloned();
    found.unwrap_or_else(|| panic!("{alg} {state} in {keys}"))
}

#[tokio::test]
async fn a_key_is_prepublished_activated_and_the_one_before_retired() {
    let (app, _keys) = start().await;
    let admin = app.admin(&["admin:keys"]).await;
    let first = key_in_state(&admin, "ES256", "active").await["kid"].as_str().unwrap().to_owned();
    let answer = admin.post("/admin/keys", &json!({"keys": [{"alg": "ES256"}]})).await.document(200);
    let made = answer["keys"][0].clone();
    let next = made["kid"].as_str().unwrap().to_owned();
    assert_eq!((&made["state"], &made["purpose"]), (&json!("prepublished"), &json!("tokens")));
    let listed = app.get("/jwks.json").send().await.json();
    assert!(listed["keys"].as_array().unwrap().iter().any(|key| key["kid"] == next.as_str()), "{listed}");
    let again = admin.post("/admin/keys", &json!({"keys": [{"alg": "ES256"}]})).await;
    again.problem(409, "conflict");

    // Not before every copy of the key set has it.
    let activate = format!("/admin/keys/{next}/activate");
    let refused = admin.post(&activate, &json!({})).await.problem(409, "conflict");
    assert!(refused["detail"].as_str().unwrap().contains(&next), "{refused}");
    app.pass(TimeDelta::hours(24));
    let admin = app.admin(&["admin:keys"]).await;
    let active = admin.post(&activate, &json!({})).await.document(200);
    assert_eq!(active["state"], "active");
    let machine = app.machine_client().await;
    let token = app.token(&machine, &[("grant_type", "client_credentials")]).await.json();
    let token = jwt::verify(&app, token["access_token"].as_str().unwrap()).await;
    assert_eq!(token.header["kid"], next.as_str());

    // Not before everything that it signed is over.
    let retire = format!("/admin/keys/{first}/retire");
    assert_eq!(admin.get(&format!("/admin/keys/{first}")).await.document(200)["state"], "grace");
    admin.post(&retire, &json!({})).await.problem(409, "conflict");
    let status = admin.get("/admin/keys").await.document(200);
    let step = status["timeline"].as_array().unwrap().iter().find(|step| step["kid"] == first.as_str()).unwrap();
    assert_eq!(step["action"], "retire");
    app.pass(TimeDelta::days(1));
    let admin = app.admin(&["admin:keys"]).await;
    assert_eq!(admin.post(&retire, &json!({})).await.document(200)["state"], "retired");
    let listed = app.get("/jwks.json").send().await.json();
    assert!(listed["keys"].as_array().unwrap().iter().all(|key| key["kid"] != first.as_str()), "{listed}");
}

#[tokio::test]
async fn conditions_are_passed_over_when_that_is_said() {
    let (app, _keys) = start().await;
    let admin = app.admin(&["admin:keys"]).await;
    let made = admin.post("/admin/keys", &json!({"keys": [{"alg": "EdDSA", "purpose": "logout"}]})).await.document(200);
    let path = format!("/admin/keys/{}/activate", made["keys"][0]["kid"].as_str().unwrap());
    let refused = admin.post(&path, &json!({"force": false})).await.problem(409, "conflict");
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains(r#"or send {"force": true} and accept"#) && !detail.contains("--force"), "{refused}");
    assert_eq!(admin.post(&path, &json!({"force": true})).await.document(200)["state"], "active");
    // The only key that signs stays.
    let active = key_in_state(&admin, "ES256", "active").await["kid"].as_str().unwrap().to_owned();
    let retire = format!("/admin/keys/{active}/retire");
    admin.post(&retire, &json!({"force": true})).await.problem(409, "conflict");
}

#[tokio::test]
async fn what_is_no_key_and_what_is_no_choice_is_refused() {
    let (app, _keys) = start().await;
    let admin = app.admin(&["admin:keys"]).await;
    admin.get("/admin/keys/nothing").await.problem(404, "not-found");
    admin.post("/admin/keys/nothing/activate", &json!({})).await.problem(404, "not-found");
    admin.post("/admin/keys/nothing/retire", &json!({})).await.problem(404, "not-found");
    let wrong = json!({"keys": [{"alg": "HS256"}]});
    assert_eq!(admin.post("/admin/keys", &wrong).await.invalid_members(), ["/keys/0/alg"]);
    assert_eq!(admin.post("/admin/keys", &json!({"kys": []})).await.invalid_members(), ["/kys"]);
    // Private halves are nowhere in what is told.
    let told = admin.get("/admin/keys").await.document(200).to_string();
    assert!(!told.contains("PRIVATE") && !told.contains(".pem"), "{told}");
}
