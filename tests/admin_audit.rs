//! `/admin/audit-events`: whatever is changed by the admin API is recorded with its change, and nothing else is.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use http::Method;
use ostiary::admin::rules;
use ostiary::jobs::Job;
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::harness::program::{KEYCTL, Workplace};
use crate::harness::{Admin, TestApp, TestPerson, copied_directory, master_key};

async fn execute(app: &TestApp, sql: &str) {
    let (client, connection) = tokio_postgres::connect(&app.database_url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
}

async fn events(admin: &Admin<'_>, query: &str) -> Vec<Value> {
    let listed = admin.get(&format!("/admin/audit-events{query}")).await.document(200);
    listed["items"].as_array().unwrap().clone()
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

/// What each changing endpoint is recorded as.
const RECORDED: [(&str, &str, &str); 31] = [
    ("POST", "/admin/clients", "client.registered"),
    ("PATCH", "/admin/clients/{client_id}", "client.changed"),
    ("DELETE", "/admin/clients/{client_id}", "client.deleted"),
    ("POST", "/admin/clients/{client_id}/secrets", "client_secret.rotated"),
    ("DELETE", "/admin/clients/{client_id}/secrets/{secret_id}", "client_secret.deleted"),
    ("POST", "/admin/initial-access-tokens", "initial_access_token.issued"),
    ("DELETE", "/admin/initial-access-tokens/{token_id}", "initial_access_token.revoked"),
    ("POST", "/admin/scopes", "scope.registered"),
    ("PATCH", "/admin/scopes/{name}", "scope.changed"),
    ("DELETE", "/admin/scopes/{name}", "scope.removed"),
    ("POST", "/admin/resources", "resource.registered"),
    ("PATCH", "/admin/resources/{uri}", "resource.changed"),
    ("DELETE", "/admin/resources/{uri}", "resource.removed"),
    ("POST", "/admin/authorization-details-types", "authorization_details_type.registered"),
    ("PATCH", "/admin/authorization-details-types/{type}", "authorization_details_type.changed"),
    ("DELETE", "/admin/authorization-details-types/{type}", "authorization_details_type.removed"),
    ("POST", "/admin/users", "person.registered"),
    ("PATCH", "/admin/users/{subject}", "person.changed"),
    ("DELETE", "/admin/users/{subject}", "person.deleted"),
    ("PUT", "/admin/users/{subject}/password", "password.set"),
    ("POST", "/admin/users/{subject}/password-ticket", "password_link.issued"),
    ("POST", "/admin/users/{subject}/sign-out", "person.signed_out"),
    ("DELETE", "/admin/sessions", "sessions.ended"),
    ("DELETE", "/admin/sessions/{sid}", "session.ended"),
    ("DELETE", "/admin/consents/{subject}/{client_id}", "consent.withdrawn"),
    ("DELETE", "/admin/tokens/{family}", "token_family.revoked"),
    ("POST", "/admin/tokens/revoke", "tokens.revoked"),
    ("POST", "/admin/access-requests/{request_id}/approve", "access_request.approved"),
    ("POST", "/admin/access-requests/{request_id}/refuse", "access_request.refused"),
    ("POST", "/admin/keys", "key.prepublished"),
    ("POST", "/admin/keys/{kid}/activate", "key.activated"),
];

async fn change_clients(admin: &Admin<'_>) {
    let client = json!({"client_id": "notes", "redirect_uris": ["https://n.example/"]});
    let secret =
        admin.post("/admin/clients", &client).await.document(201)["secrets"][0]["id"].as_str().unwrap().to_owned();
    admin.patch("/admin/clients/notes", &json!({"consent": "always"})).await.document(200);
    admin.post("/admin/clients/notes/secrets", &json!({})).await.document(201);
    assert_eq!(admin.delete(&format!("/admin/clients/notes/secrets/{secret}")).await.status, 204);
    assert_eq!(admin.delete("/admin/clients/notes").await.status, 204);
    let token = admin.post("/admin/initial-access-tokens", &json!({})).await.document(201);
    let path = format!("/admin/initial-access-tokens/{}", token["id"].as_str().unwrap());
    assert_eq!(admin.delete(&path).await.status, 204);
    let scope = json!({"name": "notes.read", "description": {"en": "Read notes"}});
    admin.post("/admin/scopes", &scope).await.document(201);
    admin.patch("/admin/scopes/notes.read", &json!({"published": false})).await.document(200);
    assert_eq!(admin.delete("/admin/scopes/notes.read").await.status, 204);
    let resource = json!({"uri": "https://n.example/api", "name": {"en": "Notes"}, "scopes": []});
    admin.post("/admin/resources", &resource).await.document(201);
    let path = "/admin/resources/https%3A%2F%2Fn.example%2Fapi";
    admin.patch(path, &json!({"restricted": true})).await.document(200);
    assert_eq!(admin.delete(path).await.status, 204);
    let schema = json!({"type": "object", "additionalProperties": false});
    let known = json!({"type": "notebook", "schema": schema, "name": {"en": "A notebook"}});
    admin.post("/admin/authorization-details-types", &known).await.document(201);
    let path = "/admin/authorization-details-types/notebook";
    admin.patch(path, &json!({"sentence": {"en": "Read a notebook"}})).await.document(200);
    assert_eq!(admin.delete(path).await.status, 204);
}

async fn change_people(app: &TestApp, admin: &Admin<'_>, alice: &TestPerson) {
    let carol = admin.post("/admin/users", &json!({"username": "carol", "claims": {}})).await.document(201);
    let carol = format!("/admin/users/{}", carol["subject"].as_str().unwrap());
    admin.patch(&carol, &json!({"claims": {"name": "Carol"}})).await.document(200);
    let password = json!({"password": "four brown foxes jump"});
    assert_eq!(admin.put(&format!("{carol}/password"), &password).await.status, 204);
    admin.post(&format!("{carol}/password-ticket"), &json!({})).await.document(201);
    assert_eq!(admin.call(Method::POST, &format!("{carol}/sign-out")).send().await.status, 204);
    assert_eq!(admin.delete(&carol).await.status, 204);
    for client in ["one", "two"] {
        let (mut browser, _) = app.signed_in(alice).await;
        let page = browser.open("/account/applications").await;
        let fields = [("name", client), ("redirect_uris", "https://n.example/"), ("reason", "notes")];
        browser.submit(&page, "application-ask", &fields).await;
    }
    let asked = admin.get("/admin/access-requests?status=open").await.document(200);
    let path = |index: usize| format!("/admin/access-requests/{}", asked["items"][index]["id"].as_str().unwrap());
    admin.post(&format!("{}/approve", path(0)), &json!({})).await.document(200);
    admin.post(&format!("{}/refuse", path(1)), &json!({})).await.document(200);
}

async fn end_what_alice_has(app: &TestApp, admin: &Admin<'_>, alice: &TestPerson) {
    let client =
        app.web_client_with(|settings| settings.consent = ostiary::model::client::ConsentPolicy::Remembered).await;
    app.tokens(&client, alice, "openid").await;
    let sub = alice.sub();
    let first = |listed: Value, member: &str| match listed["items"][0][member].as_str() {
        Some(text) => text.to_owned(),
        None => panic!("no {member} in {listed}"),
    };
    let family = admin.get(&format!("/admin/tokens?subject={sub}")).await.document(200);
    assert_eq!(admin.delete(&format!("/admin/tokens/{}", first(family, "id"))).await.status, 204);
    app.tokens(&client, alice, "openid").await;
    admin.post("/admin/tokens/revoke", &json!({"by": "subject", "subject": sub})).await.document(200);
    let consent = admin.get(&format!("/admin/consents?subject={sub}")).await.document(200);
    assert_eq!(admin.delete(&format!("/admin/consents/{sub}/{}", first(consent, "client_id"))).await.status, 204);
    let session = admin.get(&format!("/admin/sessions?subject={sub}&alive=true")).await.document(200);
    assert_eq!(admin.delete(&format!("/admin/sessions/{}", first(session, "sid"))).await.status, 204);
    admin.delete(&format!("/admin/sessions?subject={sub}")).await.document(200);
}

#[tokio::test]
async fn whatever_an_endpoint_changes_is_recorded() {
    let keys = copied_directory();
    let app = TestApp::with_config(|config| config.keys.directory = keys.path().to_owned()).await;
    let (admin, alice) = (app.admin_of_everything().await, app.alice().await);
    change_clients(&admin).await;
    change_people(&app, &admin, &alice).await;
    end_what_alice_has(&app, &admin, &alice).await;
    let made = admin.post("/admin/keys", &json!({"keys": [{"alg": "ES256"}]})).await.document(200);
    let kid = made["keys"][0]["kid"].as_str().unwrap().to_owned();
    admin.post(&format!("/admin/keys/{kid}/activate"), &json!({"force": true})).await.document(200);
    admin.post(&format!("/admin/keys/{kid}/retire"), &json!({"force": true})).await;

    let events = events(&admin, "?limit=200").await;
    let found: BTreeSet<&str> = names(&events).into_iter().collect();
    for (method, path, event) in RECORDED {
        assert!(found.contains(event), "{method} {path} leaves no {event} in {found:?}");
    }
    let changing = rules().into_iter().filter(|rule| !rule.method.is_safe() && !rule.path.ends_with("/retire"));
    for rule in changing {
        let is_here = RECORDED.iter().any(|(method, path, _)| rule.method == *method && rule.path == *path);
        assert!(is_here, "say what {} {} is recorded as", rule.method, rule.path);
    }
    let carol = events.iter().find(|event| event["event"] == "password.set").unwrap();
    assert_eq!(carol["ip"], "127.0.0.1");
    assert_eq!(carol["actor"]["kind"], "client");
    assert!(carol["request_id"].as_str().unwrap().len() > 8 && carol["subject"].as_str().unwrap().starts_with("u."));
    assert!(!json!(events).to_string().contains("brown foxes"), "no record has a secret");
}

#[tokio::test]
async fn what_a_command_and_the_clock_do_to_the_keys_is_recorded_too() {
    let keys = copied_directory();
    let folder = keys.path().to_owned();
    let app = TestApp::with_config(|config| {
        config.keys.directory = folder.clone();
        config.keys.rotation.automatic = true;
    })
    .await;
    let workplace = Workplace::new();
    let settings = json!({
        "keys": {"directory": folder, "master_key": master_key()}, "database": {"url": app.database_url()},
    });
    workplace.write("settings.yaml", &settings.to_string());
    let prepublish = async |place: [&str; 2], alg: &str| {
        let words = [&place[..], &["--json", "prepublish", "--alg", alg]].concat();
        let ended = workplace.run(KEYCTL, &words, &[("ISSUER", app.issuer())]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let told: Value = serde_json::from_str(&ended.stdout).unwrap();
        told["prepublished"][0]["kid"].as_str().unwrap().to_owned()
    };
    let kid = prepublish(["--config", "settings.yaml"], "ES256").await;
    let unseen = prepublish(["--dir", folder.to_str().unwrap()], "EdDSA").await;
    Job::KeyReload.run_once(&app.app, app.now()).await.unwrap();
    app.pass(TimeDelta::days(91));
    Job::KeyRotation.run_once(&app.app, app.now()).await.unwrap();
    let admin = app.admin(&["admin:audit:read"]).await;
    let events = events(&admin, "?limit=200").await;
    let of = |kid: &str| -> Vec<_> {
        let ours = events.iter().filter(|event| event["object"] == kid);
        ours.map(|event| (event["event"].clone(), event["actor"]["kind"].clone())).collect()
    };
    assert_eq!(of(&kid), [(json!("key.activated"), json!("server")), (json!("key.prepublished"), json!("operator"))]);
    assert_eq!(of(&unseen), [(json!("key.activated"), json!("server"))], "the folder names no database");
}

#[tokio::test]
async fn what_changes_nothing_leaves_no_record() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients", "admin:grants", "admin:audit:read"]).await;
    let scope = json!({"name": "notes.read", "description": {"en": "Read notes"}});
    let once = || admin.call(Method::POST, "/admin/scopes").header("idempotency-key", "a-key").json(&scope).send();
    once().await.document(201);
    once().await.document(201);
    admin.post("/admin/scopes", &scope).await.problem(409, "already-exists");
    let stale = admin.call(Method::PATCH, "/admin/scopes/notes.read").header("if-match", "\"9\"");
    let stale = stale.body("application/merge-patch+json", r#"{"published": false}"#).send().await;
    stale.problem(412, "precondition-failed");
    admin.delete("/admin/scopes/nothing").await.problem(404, "not-found");
    let nobody = json!({"by": "subject", "subject": "u.nobody"});
    admin.post("/admin/tokens/revoke", &nobody).await.document(200);
    assert_eq!(names(&events(&admin, "").await), ["scope.registered"]);
}

#[tokio::test]
async fn a_change_that_cannot_be_recorded_is_not_made() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    execute(&app, "ALTER TABLE audit_event ADD CHECK (event <> 'scope.registered')").await;
    let scope = json!({"name": "notes.read", "description": {"en": "Read notes"}});
    assert_eq!(admin.post("/admin/scopes", &scope).await.status, 500);
    admin.get("/admin/scopes/notes.read").await.problem(404, "not-found");
}

#[tokio::test]
async fn records_are_found_by_what_and_who_and_come_in_pages() {
    let app = TestApp::start().await;
    let (admin, alice) = (app.admin_of_everything().await, app.alice().await);
    let person = app.administrator().await;
    let (browser, csrf) = app.signed_in(&person).await;
    for name in ["a.one", "a.two", "a.three"] {
        app.pass(TimeDelta::seconds(1));
        let scope = json!({"name": name, "description": {"en": name}});
        let call = app.fetch(&browser, Method::POST, "/admin/scopes").header("x-csrf-token", &csrf).json(&scope);
        call.send().await.document(201);
    }
    let path = format!("/admin/users/{}/sign-out", alice.sub());
    assert_eq!(admin.call(Method::POST, &path).send().await.status, 204);
    let scopes = events(&admin, "?event=scope.registered&limit=2").await;
    let objects: Vec<_> = scopes.iter().map(|event| event["object"].as_str().unwrap()).collect();
    assert_eq!(objects, ["a.three", "a.two"]);
    assert_eq!(scopes[0]["actor"], json!({"kind": "person", "id": person.sub()}));
    let next = admin.get("/admin/audit-events?event=scope.registered&limit=2").await.document(200);
    let next = format!("?event=scope.registered&cursor={}", next["next"].as_str().unwrap());
    assert_eq!(events(&admin, &next).await[0]["object"], "a.one");
    assert_eq!(events(&admin, &format!("?actor={}", person.sub())).await.len(), 3);
    assert_eq!(names(&events(&admin, &format!("?subject={}", alice.sub())).await), ["person.signed_out"]);
    assert_eq!(events(&admin, "?client_id=nobody").await.len(), 0);
    admin.get("/admin/audit-events?event=nothing.known").await.problem(400, "invalid-parameter");
}
