//! `/admin/users`: a person's life by REST.

use futures_util::future::join_all;
use http::Method;
use ostiary::model::id::SubjectId;
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::harness::{Admin, PASSWORD, Page, Receiver, TestApp, TestPerson};

const OTHER_PASSWORD: &str = "four brown foxes jump";

fn carol() -> Value {
    json!({
        "username": "carol", "password": OTHER_PASSWORD,
        "claims": {"name": "Carol Clark", "name#de": "Carol Klar", "email": "carol@people.example"},
    })
}

fn path_of(person: &TestPerson) -> String {
    format!("/admin/users/{}", person.sub())
}

/// What the sign-in page makes of a username and a password.
async fn sign_in(app: &TestApp, username: &str, password: &str) -> Page {
    let mut browser = app.browser();
    let page = browser.open("/login").await;
    browser.submit(&page, "login-submit", &[("username", username), ("password", password)]).await
}

async fn can_sign_in(app: &TestApp, username: &str, password: &str) -> bool {
    match sign_in(app, username, password).await.url.path() {
        "/account/consents" => true,
        "/login" => false,
        other => panic!("{other}"),
    }
}

async fn one(app: &TestApp, sql: &str) -> i64 {
    let (client, connection) = tokio_postgres::connect(&app.database_url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn with_etag(admin: &Admin<'_>, path: &str, etag: &str, body: &Value) -> crate::harness::Answer {
    let call = admin.call(Method::PATCH, path).header("if-match", etag);
    call.body("application/merge-patch+json", &body.to_string()).send().await
}

#[tokio::test]
async fn a_person_is_registered_and_can_sign_in() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let answer = admin.post("/admin/users", &carol()).await;
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let made = answer.document(201);
    assert!(!made.to_string().contains(OTHER_PASSWORD) && made.get("invitation").is_none());
    let subject = made["subject"].as_str().unwrap();
    let shown = admin.get(&format!("/admin/users/{subject}")).await;
    assert_eq!(shown.header("etag"), Some("\"1\""));
    assert_eq!(shown.document(200), made);
    let now = serde_json::to_value(app.now()).unwrap();
    let expected = json!({
        "subject": subject, "username": "carol", "claims": carol()["claims"], "is_administrator": false, "enabled": true,
        "has_password": true, "created_at": now, "updated_at": now,
    });
    assert_eq!(made, expected);
    assert!(can_sign_in(&app, "Carol ", OTHER_PASSWORD).await);
    assert!(!can_sign_in(&app, "carol", PASSWORD).await);
    let client = app.web_client().await;
    let person = TestPerson { username: "carol".into(), subject: SubjectId::new(subject) };
    admin.put(&format!("/admin/users/{subject}/password"), &json!({"password": PASSWORD})).await;
    let tokens = app.tokens(&client, &person, "openid profile").await;
    let claims = app.userinfo(tokens.access()).await.json();
    assert_eq!((&claims["sub"], &claims["name"]), (&json!(subject), &json!("Carol Clark")));
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_person_is_said_at_once() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let strange = json!({
        "username": " ", "password": 5, "enabled": "yes", "role": "root",
        "claims": {"sub": "u.other", "email_verified": "true", "address": {"planet": "Mars"}, "name#": "x"},
    });
    let pointers = [
        "/claims/address/planet",
        "/claims/email_verified",
        "/claims/name#",
        "/claims/sub",
        "/enabled",
        "/password",
        "/role",
        "/username",
    ];
    assert_eq!(admin.post("/admin/users", &strange).await.invalid_members(), pointers);
    assert_eq!(admin.post("/admin/users", &json!({})).await.invalid_members(), ["/username"]);
    for weak in ["short", "Password2026", "carol12345678"] {
        let body = json!({"username": "carol", "password": weak});
        assert_eq!(admin.post("/admin/users", &body).await.invalid_members(), ["/password"], "{weak}");
    }
    assert_eq!(admin.get("/admin/users").await.document(200), json!({"items": []}));
}

#[tokio::test]
async fn a_username_is_one_persons_whatever_its_case() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let alice = app.alice().await;
    let made = admin.post("/admin/users", &carol()).await.document(201);
    let path = format!("/admin/users/{}", made["subject"].as_str().unwrap());
    admin.post("/admin/users", &json!({"username": "ALICE"})).await.problem(409, "already-exists");
    admin.patch(&path, &json!({"username": "Alice "})).await.problem(409, "already-exists");
    let renamed = admin.patch(&path, &json!({"username": "Carol"})).await.document(200);
    assert_eq!(renamed["username"], "Carol");
    // A name that was freed is free.
    assert_eq!(admin.delete(&path_of(&alice)).await.status, 204);
    admin.patch(&path, &json!({"username": "alice"})).await.document(200);
    assert!(can_sign_in(&app, "alice", OTHER_PASSWORD).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_creations_of_one_username_at_once_one_is_made() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    for round in 0..10 {
        let names = ["Same", "same", "SAME", "sAmE"].map(|name| json!({"username": format!("{name}{round}")}));
        let answers = join_all(names.iter().map(|body| admin.post("/admin/users", body))).await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409]);
    }
    assert_eq!(one(&app, "SELECT count(*) FROM subject").await, 10, "no subject without a person");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_creation_with_the_same_key_is_made_once() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let body = json!({"username": "carol"});
    let post =
        |body: &Value| admin.call(Method::POST, "/admin/users").header("idempotency-key", "one").json(body).send();
    let (first, second) = tokio::join!(post(&body), post(&body));
    assert_eq!(first.document(201), second.document(201), "the same link too");
    assert_eq!(post(&body).await.document(201), first.document(201));
    post(&carol()).await.problem(422, "idempotency-key-reused");
    assert_eq!(one(&app, "SELECT count(*) FROM person").await, 1);
}

#[tokio::test]
async fn a_list_comes_in_pages_and_can_be_searched() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users:read"]).await;
    for name in ["erik", "Dora", "anna", "Berta", "carl"] {
        let Value::Object(claims) = json!({"name": format!("100% {name}"), "email": format!("{name}@x_y.example")})
        else {
            unreachable!()
        };
        app.person(name, claims).await;
    }
    let names = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|one| one["username"].as_str().unwrap().to_owned()).collect()
    };
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = admin.get(&format!("/admin/users?limit=2{cursor}")).await.document(200);
        assert!(names(&page).len() <= 2);
        seen.extend(names(&page));
        let Some(next) = page.get("next") else { break };
        cursor = format!("&cursor={}", next.as_str().unwrap());
    }
    assert_eq!(seen, ["anna", "Berta", "carl", "Dora", "erik"]);
    for (search, found) in [
        ("DOR", vec!["Dora"]),
        ("100%25%20ca", vec!["carl"]),
        ("erik@x_y", vec!["erik"]),
        ("x%25y", vec![]),
        ("erik@xzy", vec![]),
    ] {
        assert_eq!(names(&admin.get(&format!("/admin/users?search={search}")).await.document(200)), found, "{search}");
    }
    // A cursor of somebody's own making.
    for query in ["limit=0", "limit=201", "cursor=x", "cursor=IlwwIg", "cursor=Ilx1MDAwMCI", "no=1", "search=%00"] {
        admin.get(&format!("/admin/users?{query}")).await.problem(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn a_change_is_for_the_state_that_was_read() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let alice = app.alice().await;
    let path = path_of(&alice);
    let unconditional = admin.call(Method::PATCH, &path).body("application/merge-patch+json", "{}").send().await;
    unconditional.problem(428, "precondition-required");
    app.pass_seconds(5);
    let changes = json!({"claims": {"nickname": null, "name": "Alice Arnold", "address": {"country": null}}});
    let answer = with_etag(&admin, &path, "\"1\"", &changes).await;
    assert_eq!(answer.header("etag"), Some("\"2\""));
    let changed = answer.document(200);
    assert_eq!(changed["claims"]["name"], "Alice Arnold");
    assert_eq!(changed["claims"].get("nickname"), None);
    assert_eq!(changed["claims"]["address"]["locality"], "Berlin");
    assert_eq!(changed["claims"]["address"].get("country"), None);
    assert_eq!(changed["updated_at"], serde_json::to_value(app.now()).unwrap());
    with_etag(&admin, &path, "\"1\"", &json!({"enabled": false})).await.problem(412, "precondition-failed");
    assert_eq!(admin.patch(&path, &json!({"password": OTHER_PASSWORD})).await.invalid_members(), ["/password"]);
    assert_eq!(admin.patch(&path, &json!({"claims": {"email": "nobody"}})).await.invalid_members(), ["/claims/email"]);
    assert_eq!(admin.patch(&path, &json!({"username": null})).await.invalid_members(), ["/username"]);
    for unknown in ["u.AAAAAAAAAAAAAAAAAAAAAA", "nobody", "%00"] {
        let path = format!("/admin/users/{unknown}");
        admin.get(&path).await.problem(404, "not-found");
        admin.patch(&path, &json!({})).await.problem(404, "not-found");
        admin.delete(&path).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn who_is_disabled_is_signed_out_everywhere_and_cannot_sign_in() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    // Another change leaves everything as it is.
    admin.patch(&path_of(&alice), &json!({"claims": {"nickname": "Ali"}})).await.document(200);
    let tokens = app.assert_family_stands(&client, &tokens).await;
    let disabled = admin.patch(&path_of(&alice), &json!({"enabled": false})).await.document(200);
    assert_eq!(disabled["enabled"], false);
    app.assert_family_is_over(&client, &tokens).await;
    assert!(!can_sign_in(&app, "alice", PASSWORD).await);
    admin.patch(&path_of(&alice), &json!({"enabled": true})).await.document(200);
    app.assert_family_is_over(&client, &tokens).await;
    assert!(can_sign_in(&app, "alice", PASSWORD).await);
}

#[tokio::test]
async fn who_is_deleted_leaves_nothing_but_a_subject_that_nobody_has_again() {
    let mut receiver = Receiver::start().await;
    let exception = receiver.exception();
    let app = TestApp::with_config(|config| config.outbound.allow.push(exception)).await;
    let uri = receiver.url("/backchannel");
    let client = app.web_client_with(|settings| settings.backchannel_logout_uri = Some(uri)).await;
    let admin = app.admin(&["admin:users"]).await;
    let alice = app.alice().await;
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    let (path, etag) = (path_of(&alice), "\"1\"");
    admin.call(Method::DELETE, &path).send().await.problem(428, "precondition-required");
    let delete = || admin.call(Method::DELETE, &path).header("if-match", etag).send();
    admin.patch(&path, &json!({"claims": {"nickname": null}})).await.document(200);
    delete().await.problem(412, "precondition-failed");
    assert_eq!(admin.delete(&path).await.status, 204);
    app.assert_family_is_over(&client, &tokens).await;
    assert_eq!(receiver.next().await.path, "/backchannel", "the application hears of it");
    admin.get(&path).await.problem(404, "not-found");
    assert_eq!(admin.get("/admin/users").await.document(200)["items"], json!([]));
    assert!(!can_sign_in(&app, "alice", PASSWORD).await);
    assert_eq!(one(&app, "SELECT count(*) FROM person").await, 0);
    assert_eq!(one(&app, "SELECT count(*) FROM person_password").await, 0);
    let left = "SELECT count(*) FROM subject WHERE deleted_at IS NOT NULL AND status = 'disabled' AND generation = 1";
    assert_eq!(one(&app, left).await, 1);
    let anew = admin.post("/admin/users", &json!({"username": "alice"})).await.document(201);
    assert_ne!(anew["subject"], alice.sub());
}

#[tokio::test]
async fn a_password_that_is_set_ends_what_was_before_it() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let path = format!("{}/password", path_of(&alice));
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    let quietly = json!({"password": OTHER_PASSWORD, "sign_out": false});
    assert_eq!(admin.put(&path, &quietly).await.status, 204);
    let tokens = app.assert_family_stands(&client, &tokens).await;
    assert!(!can_sign_in(&app, "alice", PASSWORD).await);
    assert!(can_sign_in(&app, "alice", OTHER_PASSWORD).await);
    assert_eq!(admin.put(&path, &json!({"password": PASSWORD})).await.status, 204);
    app.assert_family_is_over(&client, &tokens).await;
    assert_eq!(admin.put(&path, &json!({"password": "alice12345"})).await.invalid_members(), ["/password"]);
    assert_eq!(admin.put(&path, &json!({"word": PASSWORD})).await.status, 422);
    assert!(can_sign_in(&app, "alice", PASSWORD).await);
    let nobody = admin.put("/admin/users/nobody/password", &json!({"password": PASSWORD})).await;
    nobody.problem(404, "not-found");
}

#[tokio::test]
async fn a_person_is_signed_out_everywhere() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:users"]).await;
    let (client, alice, bob) = (app.web_client().await, app.alice().await, app.bob().await);
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    let others = app.tokens(&client, &bob, "openid offline_access").await;
    let sign_out = |path: String| admin.call(Method::POST, &format!("{path}/sign-out")).send();
    assert_eq!(sign_out(path_of(&alice)).await.status, 204);
    app.assert_family_is_over(&client, &tokens).await;
    app.assert_family_stands(&client, &others).await;
    assert!(can_sign_in(&app, "alice", PASSWORD).await);
    sign_out("/admin/users/nobody".into()).await.problem(404, "not-found");
}

#[tokio::test]
async fn only_who_holds_every_scope_touches_an_administrator() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let alice = app.alice().await;
    let users = app.admin(&["admin:users"]).await;
    let five = ["admin:users", "admin:clients", "admin:grants", "admin:sessions", "admin:keys"];
    let most = app.admin(&five).await;
    let narrow = app.admin_in_person(&root, &["admin:users"]).await;
    let path = path_of(&root);
    for admin in [&users, &most, &narrow] {
        admin.get(&path).await.document(200);
        admin.patch(&path, &json!({"claims": {"name": "Root"}})).await.problem(403, "forbidden");
        admin.patch(&path, &json!({"is_administrator": false})).await.problem(403, "forbidden");
        admin.patch(&path, &json!({"enabled": false})).await.problem(403, "forbidden");
        admin.delete(&path).await.problem(403, "forbidden");
        admin.put(&format!("{path}/password"), &json!({"password": OTHER_PASSWORD})).await.problem(403, "forbidden");
        admin.post(&format!("{path}/password-ticket"), &json!({})).await.problem(403, "forbidden");
        admin.call(Method::POST, &format!("{path}/sign-out")).send().await.problem(403, "forbidden");
        admin.patch(&path_of(&alice), &json!({"is_administrator": true})).await.problem(403, "forbidden");
        let another = json!({"username": "another", "is_administrator": true});
        admin.post("/admin/users", &another).await.problem(403, "forbidden");
    }
    assert!(can_sign_in(&app, "root", PASSWORD).await);
    assert_eq!(users.get("/admin/users?search=another").await.document(200)["items"], json!([]));
    // An administrator at the console, and a machine with every scope.
    let (browser, csrf) = app.signed_in(&root).await;
    let call = app.fetch(&browser, Method::PATCH, &path_of(&alice)).header("x-csrf-token", &csrf);
    let call = call.header("if-match", "*").body("application/merge-patch+json", r#"{"is_administrator": true}"#);
    assert_eq!(call.send().await.document(200)["is_administrator"], true);
    let everything = app.admin_of_everything().await;
    let demoted = everything.patch(&path_of(&alice), &json!({"is_administrator": false})).await.document(200);
    assert_eq!(demoted["is_administrator"], false);
    everything.post(&format!("{path}/password-ticket"), &json!({})).await.document(201);
    let other = json!({"password": OTHER_PASSWORD});
    assert_eq!(everything.put(&format!("{path}/password"), &other).await.status, 204);
}

#[tokio::test]
async fn the_last_administrator_who_can_sign_in_stays_one() {
    let app = TestApp::start().await;
    let admin = app.admin_of_everything().await;
    let (root, second) = (app.administrator().await, app.administrator_called("second").await);
    admin.patch(&path_of(&second), &json!({"enabled": false})).await.document(200);
    for change in [json!({"is_administrator": false}), json!({"enabled": false})] {
        admin.patch(&path_of(&root), &change).await.problem(409, "conflict");
    }
    admin.delete(&path_of(&root)).await.problem(409, "conflict");
    admin.patch(&path_of(&root), &json!({"username": "toor"})).await.document(200);
    admin.patch(&path_of(&second), &json!({"enabled": true})).await.document(200);
    admin.patch(&path_of(&root), &json!({"is_administrator": false})).await.document(200);
    admin.delete(&path_of(&second)).await.problem(409, "conflict");
    assert_eq!(admin.delete(&path_of(&root)).await.status, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_administrators_who_remove_each_other_at_once_leave_one() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let (here, there) = (app.admin_of_everything().await, other.admin_of_everything().await);
    let administrators = "SELECT count(*) FROM person p JOIN subject s ON s.backend_ref = p.id::text
        WHERE p.is_administrator AND s.status = 'active'";
    for (round, kind) in ["demote", "disable", "delete", "demote", "disable", "delete"].into_iter().enumerate() {
        let pair = [
            app.administrator_called(&format!("a{round}")).await,
            app.administrator_called(&format!("b{round}")).await,
        ];
        let remove = async |admin: &Admin<'_>, person: &TestPerson| match kind {
            "demote" => admin.patch(&path_of(person), &json!({"is_administrator": false})).await,
            "disable" => admin.patch(&path_of(person), &json!({"enabled": false})).await,
            _ => admin.delete(&path_of(person)).await,
        };
        let (one_gone, other_gone) = tokio::join!(remove(&here, &pair[0]), remove(&there, &pair[1]));
        let refused = [&one_gone, &other_gone].into_iter().filter(|answer| answer.status == 409).count();
        assert_eq!(refused, 1, "{kind}: {one_gone:?} {other_gone:?}");
        assert_eq!(one(&app, administrators).await, 1, "{kind}");
        // Whoever is left makes room for the next two.
        let left = if one_gone.status == 409 { &pair[0] } else { &pair[1] };
        app.app.postgres.disable_subject(&left.subject, app.now()).await.unwrap();
    }
}
