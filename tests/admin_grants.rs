//! `/admin/consents` and `/admin/tokens`: what people allowed clients, and what came of it.

use ostiary::keys::token::PlainCode;
use ostiary::model::admin_scope::AdminScope;
use ostiary::model::client::ConsentPolicy;
use ostiary::storage::state::{Kind, StateKey};
use serde_json::{Value, json};

use crate::harness::{Admin, Authorization, TestApp, TestClient, TestPerson, Tokens};

const SCOPE: &str = "openid profile offline_access";

struct Setting {
    app: TestApp,
    alice: TestPerson,
    bob: TestPerson,
    client: TestClient,
}

async fn setting() -> Setting {
    let app = TestApp::start().await;
    let (alice, bob) = (app.alice().await, app.bob().await);
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    Setting { app, alice, bob, client }
}

impl Setting {
    async fn tokens(&self, client: &TestClient, person: &TestPerson) -> Tokens {
        self.app.tokens(client, person, SCOPE).await
    }

    async fn admin(&self) -> Admin<'_> {
        self.app.admin(&["admin:grants"]).await
    }

    async fn revoke(&self, admin: &Admin<'_>, what: Value) -> Value {
        admin.post("/admin/tokens/revoke", &what).await.document(200)
    }

    /// The family of tokens.
    async fn family(&self, tokens: &Tokens) -> String {
        let jti = tokens.access_claims(&self.app).await["jti"].as_str().unwrap().to_owned();
        jti.split_once('.').unwrap().0.to_owned()
    }
}

async fn items(admin: &Admin<'_>, path: &str) -> Vec<Value> {
    admin.get(path).await.document(200)["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn consents_are_listed_by_subject_and_client_and_withdrawn() {
    let Setting { app, alice, bob, client } = &setting().await;
    let other = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let admin = app.admin(&["admin:grants"]).await;
    let tokens = app.tokens(client, alice, SCOPE).await;
    let elsewhere = app.tokens(&other, alice, SCOPE).await;
    app.tokens(client, bob, SCOPE).await;
    assert_eq!(items(&admin, "/admin/consents").await.len(), 3);
    assert_eq!(items(&admin, &format!("/admin/consents?subject={}", alice.sub())).await.len(), 2);
    assert_eq!(items(&admin, &format!("/admin/consents?client_id={}", client.id)).await.len(), 2);
    let query = format!("/admin/consents?client_id={}&subject={}", client.id, alice.sub());
    let found = items(&admin, &query).await;
    let scopes: Vec<&str> = SCOPE.split(' ').collect();
    assert_eq!((found.len(), &found[0]["scopes"]), (1, &json!(scopes)));
    let mut seen = Vec::new();
    let mut next = String::new();
    for _ in 0..3 {
        let page = admin.get(&format!("/admin/consents?limit=1{next}")).await.document(200);
        seen.push(page["items"][0].clone());
        next = format!("&cursor={}", page["next"].as_str().unwrap_or_default());
    }
    assert_eq!(seen, items(&admin, "/admin/consents").await);
    let path = format!("/admin/consents/{}/{}", alice.sub(), client.id);
    assert_eq!(admin.delete(&path).await.status, 204);
    app.assert_family_is_over(client, &tokens).await;
    app.assert_family_stands(&other, &elsewhere).await;
    assert!(items(&admin, &query).await.is_empty());
    admin.delete(&path).await.problem(404, "not-found");
    let page = app.browser().open(&Authorization::of(client).path()).await;
    assert!(page.has("login-submit"), "{page:?}");
}

#[tokio::test]
async fn where_there_is_no_consent_nothing_ends() {
    let Setting { app, alice, .. } = &setting().await;
    let trusted = app.web_client().await;
    let tokens = app.tokens(&trusted, alice, SCOPE).await;
    let admin = app.admin(&["admin:grants"]).await;
    let path = format!("/admin/consents/{}/{}", alice.sub(), trusted.id);
    admin.delete(&path).await.problem(404, "not-found");
    app.assert_family_stands(&trusted, &tokens).await;
}

#[tokio::test]
async fn families_are_listed_newest_first_and_tell_no_secret() {
    let setting = setting().await;
    let Setting { app, alice, bob, client } = &setting;
    let admin = setting.admin().await;
    let first = setting.tokens(client, alice).await;
    app.pass_seconds(1);
    let second = app.refreshed(client, setting.tokens(client, alice).await.refresh()).await;
    app.pass_seconds(1);
    let third = setting.tokens(client, bob).await;
    let (one, two) = (setting.family(&first).await, setting.family(&second).await);
    let three = setting.family(&third).await;
    let ids = |items: Vec<Value>| items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(items(&admin, "/admin/tokens").await), [three.clone(), two.clone(), one.clone()]);
    let of_alice = format!("/admin/tokens?subject={}", alice.sub());
    assert_eq!(ids(items(&admin, &of_alice).await), [two.clone(), one]);
    assert_eq!(items(&admin, &format!("/admin/tokens?client_id={}", client.id)).await.len(), 3);
    let sid = third.id_claims(app).await["sid"].as_str().unwrap().to_owned();
    assert_eq!(ids(items(&admin, &format!("/admin/tokens?sid={sid}")).await), [three]);
    let page = admin.get("/admin/tokens?limit=2").await.document(200);
    let rest = format!("/admin/tokens?limit=2&cursor={}", page["next"].as_str().unwrap());
    assert_eq!(items(&admin, &rest).await.len(), 1);
    let shown = admin.get(&format!("/admin/tokens/{two}")).await.document(200);
    let (alive, rotations) = (&shown["alive"], &shown["rotations"]);
    assert_eq!((alive, rotations, &shown["client_id"]), (&json!(true), &json!(1), &json!(client.id)));
    let mut members: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let expected = [
        "alive",
        "auth_time",
        "client_id",
        "created_at",
        "expires_at",
        "grant_type",
        "id",
        "idle_expires_at",
        "resources",
        "rotated_at",
        "rotations",
        "scopes",
        "sid",
        "subject",
    ];
    assert_eq!(members, expected);
    admin.get("/admin/tokens/nothing").await.problem(404, "not-found");
}

#[tokio::test]
async fn one_family_is_revoked() {
    let setting = setting().await;
    let Setting { app, alice, client, .. } = &setting;
    let admin = setting.admin().await;
    let (first, second) = (setting.tokens(client, alice).await, setting.tokens(client, alice).await);
    let (one, two) = (setting.family(&first).await, setting.family(&second).await);
    assert_eq!(admin.delete(&format!("/admin/tokens/{one}")).await.status, 204);
    app.assert_family_is_over(client, &first).await;
    let shown = admin.get(&format!("/admin/tokens/{one}")).await.document(200);
    assert_eq!((&shown["alive"], &shown["revoke_reason"]), (&json!(false), &json!("administrator")));
    let second = app.assert_family_stands(client, &second).await;
    let by_family = json!({"by": "family", "family": two});
    assert_eq!(setting.revoke(&admin, by_family.clone()).await, json!({"families": 1}));
    assert_eq!(setting.revoke(&admin, by_family).await, json!({"families": 0}));
    app.assert_family_is_over(client, &second).await;
    let unknown = json!({"by": "family", "family": "00000000-0000-4000-8000-000000000000"});
    admin.post("/admin/tokens/revoke", &unknown).await.problem(404, "not-found");
}

#[tokio::test]
async fn everything_of_a_subject_is_revoked_however_much_it_is() {
    let setting = setting().await;
    let Setting { app, alice, bob, client } = &setting;
    let other = app.web_client().await;
    let admin = setting.admin().await;
    let (first, second) = (setting.tokens(client, alice).await, setting.tokens(&other, alice).await);
    let theirs = setting.tokens(client, bob).await;
    let both = json!({"by": "subject_and_client", "subject": alice.sub(), "client_id": client.id});
    assert_eq!(setting.revoke(&admin, both).await, json!({"families": 1}));
    app.assert_family_is_over(client, &first).await;
    let second = app.assert_family_stands(&other, &second).await;
    // More than fit into one transaction.
    let copies = "CREATE TEMPORARY TABLE copies AS SELECT f.* FROM token_family f, generate_series(1, 1100)
            WHERE f.revoked_at IS NULL AND f.subject IN (SELECT subject FROM token_family WHERE revoked_at IS NOT NULL);
        UPDATE copies SET id = gen_random_uuid();
        INSERT INTO token_family SELECT * FROM copies";
    app.execute(copies).await;
    let all = json!({"by": "subject", "subject": alice.sub()});
    assert_eq!(setting.revoke(&admin, all.clone()).await, json!({"families": 1101}));
    assert_eq!(setting.revoke(&admin, all).await, json!({"families": 0}));
    app.assert_family_is_over(&other, &second).await;
    app.assert_family_stands(client, &theirs).await;
}

/// A code of that person that waits in the browser of a client, and the request that it answers.
async fn waiting_code(app: &TestApp, client: &TestClient, person: &TestPerson) -> (Authorization, String) {
    let request = Authorization::of(client).with("scope", SCOPE);
    let code = app.code(&mut app.browser(), &request, person).await;
    (request, code)
}

#[tokio::test]
async fn codes_that_wait_end_with_the_tokens_of_their_subject() {
    let setting = setting().await;
    let Setting { app, alice, bob, client } = &setting;
    let admin = setting.admin().await;
    let revoked = async |(request, code): &(Authorization, String)| {
        let answer = app.token(client, &app.redemption(request, code)).await;
        answer.assert_error(400, "invalid_grant", "the code has been revoked");
    };
    let bobs = waiting_code(app, client, bob).await;
    for what in [
        json!({"by": "subject", "subject": alice.sub()}),
        json!({"by": "subject_and_client", "subject": alice.sub(), "client_id": client.id}),
    ] {
        let waiting = waiting_code(app, client, alice).await;
        assert_eq!(setting.revoke(&admin, what).await, json!({"families": 0}));
        revoked(&waiting).await;
        // The same moment: what comes after is good.
        let tokens = setting.tokens(client, alice).await;
        app.assert_family_stands(client, &tokens).await;
        setting.revoke(&admin, json!({"by": "subject", "subject": alice.sub()})).await;
    }
    // And those that came of a consent, whoever takes it back.
    let waiting = waiting_code(app, client, alice).await;
    let path = format!("/admin/consents/{}/{}", alice.sub(), client.id);
    assert_eq!(admin.delete(&path).await.status, 204);
    revoked(&waiting).await;
    // Nobody else's.
    assert_eq!(app.token(client, &app.redemption(&bobs.0, &bobs.1)).await.status, 200);
}

#[tokio::test]
async fn a_code_of_the_version_before_is_good_although_codes_were_revoked_once() {
    let setting = setting().await;
    let Setting { app, alice, client, .. } = &setting;
    let admin = setting.admin().await;
    setting.revoke(&admin, json!({"by": "subject", "subject": alice.sub()})).await;
    let (request, code) = waiting_code(app, client, alice).await;
    let id = PlainCode::parse(&app.app.master_keys, &code).unwrap().id();
    let key = StateKey::new(Kind::Code, id);
    let bytes = app.app.state.get(&key, app.now()).await.unwrap().unwrap();
    let mut record: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(record.as_object_mut().unwrap().remove("code_generation"), Some(json!(1)));
    let until = app.now() + chrono::TimeDelta::seconds(60);
    app.app.state.put(&key, &serde_json::to_vec(&record).unwrap(), until, app.now()).await.unwrap();
    assert_eq!(app.token(client, &app.redemption(&request, &code)).await.status, 200);
}

#[tokio::test]
async fn everything_of_a_client_is_revoked_and_nothing_that_comes_after() {
    let setting = setting().await;
    let Setting { app, alice, bob, client } = &setting;
    let other = app.web_client().await;
    let admin = setting.admin().await;
    let tokens = [setting.tokens(client, alice).await, setting.tokens(client, bob).await];
    let elsewhere = setting.tokens(&other, alice).await;
    let mut browser = app.browser();
    let request = Authorization::of(client).with("scope", SCOPE);
    let waiting = app.code(&mut browser, &request, alice).await;
    let by_client = json!({"by": "client", "client_id": client.id});
    assert_eq!(setting.revoke(&admin, by_client).await, json!({}));
    for tokens in &tokens {
        app.assert_family_is_over(client, tokens).await;
    }
    // A code that was made before is no way around it.
    let answer = app.token(client, &app.redemption(&request, &waiting)).await;
    answer.assert_error(400, "invalid_grant", "the code has been revoked");
    app.assert_family_stands(&other, &elsewhere).await;
    // The same moment: what comes after is good.
    let request = Authorization::of(client).with("scope", SCOPE);
    let fresh = app.tokens_in(&mut browser, client, &request, alice).await;
    app.assert_family_stands(client, &fresh).await;
    let listed = items(&admin, &format!("/admin/tokens?client_id={}", client.id)).await;
    assert_eq!((listed.len(), listed.iter().filter(|family| family["alive"] == true).count()), (3, 1));
    let unknown = json!({"by": "client", "client_id": "nothing"});
    admin.post("/admin/tokens/revoke", &unknown).await.problem(404, "not-found");
}

#[tokio::test]
async fn the_tokens_that_a_client_got_for_itself_are_revoked_with_the_rest() {
    let Setting { app, .. } = &setting().await;
    let machine = app.machine_client().await;
    let admin = app.admin(&["admin:grants"]).await;
    let get = async || {
        let answer = app.token(&machine, &[("grant_type", "client_credentials")]).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    };
    let before = get().await;
    assert_eq!(app.introspect(&machine, &before).await.json()["active"], true);
    let what = json!({"by": "client", "client_id": machine.id});
    admin.post("/admin/tokens/revoke", &what).await.document(200);
    app.introspect(&machine, &before).await.assert_inactive();
    let other = app.second_instance().await;
    other.introspect(&machine, &before).await.assert_inactive();
    let after = get().await;
    assert_eq!(app.introspect(&machine, &after).await.json()["active"], true);
}

#[tokio::test]
async fn what_is_an_administrators_is_revoked_only_by_who_holds_every_scope() {
    let setting = setting().await;
    let Setting { app, client, .. } = &setting;
    let root = app.administrator().await;
    let tokens = setting.tokens(client, &root).await;
    let family = setting.family(&tokens).await;
    let admin = setting.admin().await;
    let (by_family, by_subject) =
        (json!({"by": "family", "family": family}), json!({"by": "subject", "subject": root.sub()}));
    for what in [&by_family, &by_subject] {
        admin.post("/admin/tokens/revoke", what).await.problem(403, "forbidden");
    }
    admin.delete(&format!("/admin/tokens/{family}")).await.problem(403, "forbidden");
    admin.delete(&format!("/admin/consents/{}/{}", root.sub(), client.id)).await.problem(403, "forbidden");
    // Nor may the tokens of a client be taken that may do more than the caller.
    let powerful = app.admin_client(&["admin:users"]).await;
    let by_client = json!({"by": "client", "client_id": powerful.id});
    admin.post("/admin/tokens/revoke", &by_client).await.problem(403, "forbidden");
    let tokens = app.assert_family_stands(client, &tokens).await;
    let every: Vec<String> = AdminScope::all().map(AdminScope::name).collect();
    let holder = app.admin(&every.iter().map(String::as_str).collect::<Vec<_>>()).await;
    holder.post("/admin/tokens/revoke", &by_client).await.document(200);
    assert_eq!(setting.revoke(&holder, by_subject).await, json!({"families": 1}));
    app.assert_family_is_over(client, &tokens).await;
}

#[tokio::test]
async fn a_revocation_says_what_it_is_for() {
    let Setting { app, .. } = &setting().await;
    let admin = app.admin(&["admin:grants"]).await;
    for strange in [
        json!({}),
        json!({"by": "everything"}),
        json!({"by": "subject"}),
        json!({"by": "subject", "subject": "u.a", "client_id": "b"}),
        json!({"by": "family", "family": "nothing"}),
    ] {
        admin.post("/admin/tokens/revoke", &strange).await.problem(422, "invalid-body");
    }
}
