//! `/admin/keys`: a rotation by hand, over REST.

use std::os::unix::fs::PermissionsExt;

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use ostiary::bootstrap;
use ostiary::clock::Clock;
use ostiary::jobs::Job;
use ostiary::keys::store::KeyStore;
use ostiary::keys::store::directory::KeyDirectory;
use ostiary::keys::{change, open};
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Admin, Receiver, TestApp, copied_directory, jwt, parameters};

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
async fn a_revoked_key_is_gone_although_another_cannot_be_read() {
    let (app, keys) = start().await;
    let admin = app.admin(&["admin:keys"]).await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let old = jwt::read(tokens.access()).header["kid"].as_str().unwrap().to_owned();
    let alg = jwt::read(tokens.access()).header["alg"].clone();
    let made = admin.post("/admin/keys", &json!({"keys": [{"alg": alg}]})).await.document(200);
    assert_eq!(admin.get("/admin/keys").await.document(200)["problems"], json!([]));
    assert_eq!(app.get("/ready").send().await.json()["keys"], "ok");

    let store = KeyDirectory::new(keys.path());
    let ring = store.read().await.unwrap().ring;
    let file = ring.keys().iter().find(|key| key.alg == SigningAlg::EdDSA).unwrap().file.clone().unwrap();
    std::fs::set_permissions(keys.path().join(&file), std::fs::Permissions::from_mode(0o644)).unwrap();
    change::revoke(&store, &old, "stolen", None, app.now()).await.unwrap();
    Job::KeyReload.run_once(&app.app, app.now()).await.unwrap();

    let listed = app.get("/jwks.json").send().await;
    assert!(!listed.body.contains(&old) && listed.body.contains("EdDSA"), "{}", listed.body);
    assert_eq!(app.get("/userinfo").bearer(tokens.access()).send().await.status, 401);
    let again = app.tokens(&client, &alice, "openid").await;
    assert_eq!(jwt::verify(&app, again.access()).await.header["kid"], made["keys"][0]["kid"]);
    let ready = app.get("/ready").send().await;
    assert_eq!((ready.status, &ready.json()["keys"]), (200, &json!("incomplete")));
    let admin = app.admin(&["admin:keys:read"]).await;
    let problems = admin.get("/admin/keys").await.document(200)["problems"].clone();
    assert_eq!(problems.as_array().unwrap().len(), 1);
    assert!(problems[0]["what"].as_str().unwrap().contains(&file), "{problems}");
    let page = app.console().await.open("/console/keys").await;
    assert!(page.text("key-problems").contains(&file), "{page:?}");

    // Once nothing can sign what a server has to sign, it is not ready.
    let ring = store.read().await.unwrap().ring;
    let active = ring.keys().iter().find(|key| key.alg == SigningAlg::RS256 && key.is_for_signing()).unwrap();
    let next = change::revoke(&store, &active.kid, "stolen", None, app.now()).await.unwrap().unwrap();
    let ring = store.read().await.unwrap().ring;
    std::fs::remove_file(keys.path().join(ring.find(&next).unwrap().file.as_deref().unwrap())).unwrap();
    Job::KeyReload.run_once(&app.app, app.now()).await.unwrap();
    let ready = app.get("/ready").send().await;
    assert!(ready.status == 503 && ready.body.contains(r#""keys":"missing""#), "{ready:?}");
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
    let signs = admin.post(&retire, &json!({"force": true})).await.problem(409, "conflict");
    // Whoever asks here has no commands.
    let waiting = admin.post("/admin/keys", &json!({"keys": [{"alg": "ES256"}]})).await.document(200);
    assert_eq!(waiting["keys"][0]["state"], "prepublished");
    let waits = admin.post("/admin/keys", &json!({"keys": [{"alg": "ES256"}]})).await.problem(409, "conflict");
    let again = admin.post(&path, &json!({"force": true})).await.problem(409, "conflict");
    for (refused, mend) in
        [(signs, "prepublish another one"), (waits, "activate it, or retire it"), (again, "look at the keys")]
    {
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(mend) && !detail.contains("keyctl"), "{refused}");
    }
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

#[tokio::test]
async fn a_key_is_needed_for_as_long_as_the_longest_token_that_it_may_have_signed() {
    let (app, _keys) = start().await;
    let admin = app.admin(&["admin:clients", "admin:keys"]).await;
    let machine = app.machine_client().await;
    let path = format!("/admin/clients/{}", machine.id);
    let lives = async |seconds: u32| {
        admin.patch(&path, &json!({"lifetimes": {"access_token": seconds}})).await.document(200);
        let form = [("grant_type", "client_credentials")];
        app.token(&machine, &form).await.json()["access_token"].as_str().unwrap().to_owned()
    };
    // Made longer and shorter again between two looks of the job, and then the keys are rotated at once.
    let long = lives(12 * 3600).await;
    let short = lives(60).await;
    let first = jwt::verify(&app, &long).await.header["kid"].as_str().unwrap().to_owned();
    assert_eq!(jwt::verify(&app, &short).await.header["kid"], first.as_str());
    rotate_by_force(&admin).await;
    let key = admin.get(&format!("/admin/keys/{first}")).await.document(200);
    assert_eq!(key["state"], "grace");
    let over = DateTime::from_timestamp(jwt::read(&long).claims["exp"].as_i64().unwrap(), 0).unwrap();
    let retire_at: DateTime<Utc> = key["retire_at"].as_str().unwrap().parse().unwrap();
    assert!(retire_at > over && retire_at < over + TimeDelta::hours(1), "{key}");
    // Whatever the short one would have allowed, the long one is believed to its end.
    app.clock.advance(over - app.now() - TimeDelta::seconds(1));
    let admin = app.admin(&["admin:keys"]).await;
    admin.post(&format!("/admin/keys/{first}/retire"), &json!({})).await.problem(409, "conflict");
    jwt::verify(&app, &long).await;
    app.pass(TimeDelta::hours(1));
    let admin = app.admin(&["admin:keys"]).await;
    let retired = admin.post(&format!("/admin/keys/{first}/retire"), &json!({})).await.document(200);
    assert_eq!(retired["state"], "retired");
}

#[tokio::test]
async fn an_instance_that_knows_a_shorter_lifetime_heeds_what_the_others_gave() {
    let keys = copied_directory();
    let before = TestApp::with_config(|config| {
        config.keys.directory = keys.path().to_owned();
        config.tokens.access_token = TimeDelta::hours(12);
    })
    .await;
    Job::KeyRotation.run_once(&before.app, before.now()).await.unwrap();
    let mut config = before.app.config.clone();
    config.tokens.access_token = TimeDelta::minutes(5);
    let after = bootstrap::build(config, Clock::manual(&before.clock)).await.unwrap();
    let needed_until = async || {
        let policy = open::policy(&after.config.keys, &after.config.tokens, &after.postgres).await.unwrap();
        policy.needed_until
    };
    let needed_for = needed_until().await.unwrap() - before.now();
    assert!(needed_for > TimeDelta::hours(12) && needed_for < TimeDelta::hours(13), "{needed_for}");
    // Once they are over, the rows that tell of them go too.
    before.pass(TimeDelta::days(2));
    Job::Deletion.run_once(&before.app, before.now()).await.unwrap();
    assert_eq!(needed_until().await, None);
}

#[tokio::test]
async fn a_key_for_logout_tokens_signs_those_and_nothing_else() {
    let (keys, mut receiver) = (copied_directory(), Receiver::start().await);
    let exception = receiver.exception();
    let app = TestApp::with_config(|config| {
        config.keys.directory = keys.path().to_owned();
        config.outbound.allow.push(exception);
    })
    .await;
    let client = app
        .web_client_with(|settings| {
            settings.id_token_signed_response_alg = SigningAlg::ES256;
            settings.backchannel_logout_uri = Some(receiver.url("/logout"));
        })
        .await;
    let alice = app.alice().await;
    let mut logout = async || {
        let tokens = app.tokens(&client, &alice, "openid").await;
        let path = format!("/admin/users/{}/sign-out", alice.sub());
        assert!(app.admin(&["admin:users"]).await.post(&path, &json!({})).await.status < 300);
        let token = parameters(&receiver.next().await.body)["logout_token"].clone();
        let kid = |jwt: jwt::Jwt| jwt.header["kid"].as_str().unwrap().to_owned();
        let logout_token = jwt::verify(&app, &token).await;
        assert_eq!(logout_token.header["typ"], "logout+jwt");
        let (access, id) = (jwt::verify(&app, tokens.access()).await, jwt::verify(&app, tokens.id()).await);
        (kid(logout_token), kid(access), kid(id))
    };
    let (first, access, id) = logout().await;
    assert!(first == access && first == id, "without a key of its own it is signed with the one for tokens");
    let admin = app.admin(&["admin:keys"]).await;
    let wanted = json!({"keys": [{"alg": "ES256", "purpose": "logout"}]});
    let made = admin.post("/admin/keys", &wanted).await.document(200)["keys"][0]["kid"].as_str().unwrap().to_owned();
    let (still, ..) = logout().await;
    assert_eq!(still, first, "it is only listed");
    admin.post(&format!("/admin/keys/{made}/activate"), &json!({"force": true})).await.document(200);
    let (own, access, id) = logout().await;
    assert_eq!((own, access, id), (made, first.clone(), first));
}

#[tokio::test]
async fn a_repeated_prepublication_makes_nothing_twice() {
    let (app, _keys) = start().await;
    let admin = app.admin(&["admin:keys"]).await;
    let wanted = json!({"keys": [{"alg": "ES256"}]});
    let post = async |key: &str, body: &Value| {
        admin.call(Method::POST, "/admin/keys").header("idempotency-key", key).json(body).send().await
    };
    let (one, two) = tokio::join!(post("once", &wanted), post("once", &wanted));
    let made = one.document(200);
    assert_eq!(two.document(200), made);
    assert_eq!(post("once", &wanted).await.document(200), made);
    let count = async || {
        let keys = admin.get("/admin/keys").await.document(200);
        keys["keys"].as_array().unwrap().iter().filter(|key| key["state"] == "prepublished").count()
    };
    assert_eq!(count().await, 1);
    post("once", &json!({"keys": [{"alg": "EdDSA"}]})).await.problem(422, "idempotency-key-reused");
    // A refusal is no answer to keep: the same request is judged anew.
    post("later", &wanted).await.problem(409, "conflict");
    let kid = made["keys"][0]["kid"].as_str().unwrap();
    admin.post(&format!("/admin/keys/{kid}/retire"), &json!({})).await.document(200);
    let next = post("later", &wanted).await.document(200);
    assert!(next["keys"][0]["kid"] != kid && count().await == 1, "{next}");
    post("with a blank", &wanted).await.problem(400, "invalid-parameter");
}

#[tokio::test]
async fn a_key_may_have_any_name() {
    let (app, _keys) = start().await;
    let admin = app.admin(&["admin:keys"]).await;
    // What is told of all keys is not where a key of that name would be.
    admin.get("/admin/keys/rehearsal").await.problem(404, "not-found");
    admin.get("/admin/key-rehearsal").await.document(200);
}

/// Puts a new key in the place of each that signs access tokens.
async fn rotate_by_force(admin: &Admin<'_>) {
    let made = admin.post("/admin/keys", &json!({"keys": [{"alg": "ES256"}]})).await.document(200);
    let path = format!("/admin/keys/{}/activate", made["keys"][0]["kid"].as_str().unwrap());
    admin.post(&path, &json!({"force": true})).await.document(200);
}
