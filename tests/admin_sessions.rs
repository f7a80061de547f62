//! `/admin/sessions`: who is signed in, and signing them out.

use chrono::TimeDelta;
use http::Method;
use ostiary::model::admin_scope::AdminScope;
use serde_json::{Value, json};

use crate::harness::{Admin, Authorization, Receiver, TestApp, TestPerson, jwt, parameters};

/// A machine with every admin scope.
async fn everything(app: &TestApp) -> Admin<'_> {
    let every: Vec<String> = AdminScope::all().map(AdminScope::name).collect();
    app.admin(&every.iter().map(String::as_str).collect::<Vec<_>>()).await
}

async fn sids(admin: &Admin<'_>, query: &str) -> Vec<String> {
    let listed = admin.get(&format!("/admin/sessions{query}")).await.document(200);
    let sid = |session: &Value| session["sid"].as_str().unwrap().to_owned();
    listed["items"].as_array().unwrap().iter().map(sid).collect()
}

/// The session that tokens were given in.
async fn sid_of(app: &TestApp, person: &TestPerson) -> String {
    let client = app.web_client().await;
    let claims = app.tokens(&client, person, "openid").await.id_claims(app).await;
    claims["sid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn sessions_are_listed_newest_first_by_subject_and_alive() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:sessions:read"]).await;
    let (alice, bob) = (app.alice().await, app.bob().await);
    let first = sid_of(&app, &alice).await;
    app.pass_seconds(1);
    let second = sid_of(&app, &bob).await;
    let third = sid_of(&app, &alice).await;
    let all = sids(&admin, "").await;
    assert_eq!((all.len(), all.last()), (3, Some(&first)));
    let of_alice = sids(&admin, &format!("?subject={}", alice.sub())).await;
    assert_eq!(of_alice, [third.clone(), first.clone()]);
    let full = app.admin(&["admin:sessions"]).await;
    assert_eq!(full.delete(&format!("/admin/sessions/{third}")).await.status, 204);
    let mut alive = sids(&admin, "?alive=true").await;
    alive.sort_unstable();
    let mut expected = [first.clone(), second];
    expected.sort_unstable();
    assert_eq!(alive, expected);
    assert_eq!(sids(&admin, "?alive=false").await.len(), 3);
    // Each page begins behind the one before, also among those of the same second.
    let mut paged = Vec::new();
    let mut next = String::new();
    for _ in 0..3 {
        let page = admin.get(&format!("/admin/sessions?limit=1{next}")).await.document(200);
        paged.push(page["items"][0]["sid"].as_str().unwrap().to_owned());
        next = format!("&cursor={}", page["next"].as_str().unwrap_or_default());
    }
    assert_eq!((paged, next.as_str()), (all, "&cursor="));
    app.pass(TimeDelta::days(30));
    let admin = app.admin(&["admin:sessions:read"]).await;
    assert_eq!(sids(&admin, "?alive=true").await, [""; 0], "their time is over");
}

#[tokio::test]
async fn a_session_is_shown_with_the_clients_that_used_it() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:sessions:read"]).await;
    let alice = app.alice().await;
    let (one, two) = (app.web_client().await, app.public_client().await);
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, &one, &Authorization::of(&one), &alice).await;
    app.tokens_in(&mut browser, &one, &Authorization::of(&one), &alice).await;
    app.tokens_in(&mut browser, &two, &Authorization::of(&two), &alice).await;
    let sid = tokens.id_claims(&app).await["sid"].as_str().unwrap().to_owned();
    let shown = admin.get(&format!("/admin/sessions/{sid}")).await.document(200);
    assert_eq!((&shown["subject"], &shown["alive"]), (&json!(alice.sub()), &json!(true)));
    assert_eq!((&shown["amr"], shown.get("ended_at")), (&json!(["pwd"]), None));
    let clients = shown["clients"].as_array().unwrap();
    let mut seen: Vec<(String, i64)> = clients
        .iter()
        .map(|client| (client["client_id"].as_str().unwrap().to_owned(), client["families"].as_i64().unwrap()))
        .collect();
    seen.sort_unstable();
    let mut expected = vec![(one.id.clone(), 2), (two.id.clone(), 1)];
    expected.sort_unstable();
    assert_eq!(seen, expected);
    admin.get("/admin/sessions/00000000-0000-4000-8000-000000000000").await.problem(404, "not-found");
    admin.get("/admin/sessions/nothing").await.problem(404, "not-found");
}

#[tokio::test]
async fn a_session_that_is_ended_is_over_and_its_clients_are_told() {
    let mut receiver = Receiver::start().await;
    let exception = receiver.exception();
    let app = TestApp::with_config(|config| config.outbound.allow.push(exception)).await;
    let uri = receiver.url("/backchannel");
    let client = app.web_client_with(|settings| settings.backchannel_logout_uri = Some(uri)).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    let sid = tokens.id_claims(&app).await["sid"].as_str().unwrap().to_owned();
    let admin = app.admin(&["admin:sessions"]).await;
    let path = format!("/admin/sessions/{sid}");
    assert_eq!(admin.delete(&path).await.status, 204);
    let received = receiver.next().await;
    let logout = jwt::verify(&app, &parameters(&received.body)["logout_token"]).await;
    assert_eq!((&logout.claims["sid"], &logout.claims["sub"]), (&json!(sid), &json!(alice.sub())));
    app.assert_family_is_over(&client, &tokens).await;
    let page = browser.open(&Authorization::of(&client).path()).await;
    assert!(page.has("login-submit"), "the browser is signed out: {page:?}");
    let shown = admin.get(&path).await.document(200);
    assert_eq!((&shown["alive"], &shown["end_reason"]), (&json!(false), &json!("administrator")));
    // Again: nothing changes, and nobody is told twice.
    assert_eq!(admin.delete(&path).await.status, 204);
    app.everything_is_delivered().await;
    receiver.assert_nothing_more();
}

#[tokio::test]
async fn every_session_of_a_subject_ends_at_once() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:sessions"]).await;
    let (alice, bob) = (app.alice().await, app.bob().await);
    let (one, two, other) = (sid_of(&app, &alice).await, sid_of(&app, &alice).await, sid_of(&app, &bob).await);
    let path = format!("/admin/sessions?subject={}", alice.sub());
    assert_eq!(admin.delete(&path).await.document(200), json!({"ended": 2}));
    assert_eq!(admin.delete(&path).await.document(200), json!({"ended": 0}));
    for (sid, alive) in [(one, false), (two, false), (other, true)] {
        let shown = admin.get(&format!("/admin/sessions/{sid}")).await.document(200);
        assert_eq!(shown["alive"], alive);
    }
    for nobody in ["", "?subject=", "?subject"] {
        admin.delete(&format!("/admin/sessions{nobody}")).await.problem(400, "invalid-parameter");
    }
    assert_eq!(admin.delete("/admin/sessions?subject=u.nobody").await.document(200), json!({"ended": 0}));
}

#[tokio::test]
async fn more_sessions_than_end_in_one_transaction_all_end() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    sid_of(&app, &alice).await;
    let copies = "INSERT INTO session (sid, subject, generation, auth_time, amr, acr, seen_at, expires_at, created_at)
        SELECT gen_random_uuid(), subject, generation, auth_time, amr, acr, seen_at, expires_at, created_at
        FROM session, generate_series(1, 1200)";
    app.execute(copies).await;
    let admin = app.admin(&["admin:sessions"]).await;
    let answer = admin.delete(&format!("/admin/sessions?subject={}", alice.sub())).await;
    assert_eq!(answer.document(200), json!({"ended": 1201}));
}

#[tokio::test]
async fn an_administrator_is_signed_out_only_by_who_holds_every_scope() {
    let app = TestApp::start().await;
    let root = app.administrator().await;
    let sid = sid_of(&app, &root).await;
    let (one, all) = (format!("/admin/sessions/{sid}"), format!("/admin/sessions?subject={}", root.sub()));
    let help_desk = app.admin(&["admin:sessions", "admin:users", "admin:clients"]).await;
    for path in [&one, &all] {
        help_desk.delete(path).await.problem(403, "forbidden");
    }
    assert_eq!(help_desk.get(&one).await.document(200)["alive"], true);
    let admin = everything(&app).await;
    assert_eq!(admin.delete(&one).await.status, 204);
    assert_eq!(admin.delete(&all).await.document(200), json!({"ended": 0}));
    // Another administrator in person may, of course.
    let sid = sid_of(&app, &root).await;
    let (browser, csrf) = app.signed_in(&root).await;
    let call = app.fetch(&browser, Method::DELETE, &format!("/admin/sessions/{sid}")).header("x-csrf-token", &csrf);
    assert_eq!(call.send().await.status, 204);
}
