//! `/account/applications` and `/admin/access-requests`: a person asks for a client, an administrator decides.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Admin, Authorization, Browser, Page, TestApp, TestPerson, basic};

const HERE: &str = "/account/applications";

struct Asking {
    app: Arc<TestApp>,
    alice: TestPerson,
    browser: Browser,
}

async fn asking() -> Asking {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let (browser, _) = app.signed_in(&alice).await;
    Asking { app: Arc::new(app), alice, browser }
}

impl Asking {
    async fn ask_with(&mut self, changes: &[(&str, &str)]) -> Page {
        let page = self.browser.open(HERE).await;
        let mut fields = vec![
            ("name", "Notes"),
            ("redirect_uris", "https://notes.example/callback\r\n\r\n https://notes.example/silent "),
            ("reason", "Our notes,\nfor everybody"),
        ];
        for change in changes {
            fields.retain(|(name, _)| name != &change.0);
            fields.push(*change);
        }
        self.browser.submit(&page, "application-ask", &fields).await
    }

    /// Asks, and says the path of the request.
    async fn ask(&mut self) -> String {
        // So that it is the newest.
        self.app.pass_seconds(1);
        self.ask_with(&[]).await.assert_shown(HERE, &["requests"]);
        let requests = self.app.admin(&["admin:clients:read"]).await.get("/admin/access-requests").await.document(200);
        format!("/admin/access-requests/{}", requests["items"][0]["id"].as_str().unwrap())
    }

    async fn press(&mut self, css: &str) -> Page {
        let page = self.browser.open(HERE).await;
        let form = page.form_of(css);
        self.browser.send_form(&page, form).await
    }
}

async fn approve(admin: &Admin<'_>, path: &str, body: &Value) -> crate::harness::Answer {
    admin.post(&format!("{path}/approve"), body).await
}

#[tokio::test]
async fn a_person_asks_and_gets_credentials_that_work() {
    let mut asking = asking().await;
    let page = asking.browser.open(HERE).await;
    page.assert_shown(HERE, &["no-requests", "application-ask", "room-applications"]);
    let path = asking.ask().await;
    let app = asking.app.clone();
    let admin = app.admin(&["admin:clients"]).await;
    let asked = admin.get(&path).await;
    assert_eq!(asked.header("etag"), Some("\"1\""));
    let asked = asked.document(200);
    assert_eq!((&asked["status"], &asked["subject"]), (&json!("open"), &json!(asking.alice.sub())));
    assert_eq!(asked["reason"], "Our notes,\nfor everybody");
    let settings = &asked["settings"];
    assert_eq!(settings["client_name"], json!({"en": "Notes"}));
    assert_eq!(settings["redirect_uris"], json!(["https://notes.example/callback", "https://notes.example/silent"]));
    assert_eq!((&settings["consent"], &settings["resources"]), (&json!("remembered"), &json!([])));
    let changes = json!({"settings": {"scopes": ["openid", "photos.read"]}, "note": "Have fun <b>"});
    let approved = approve(&admin, &path, &changes).await;
    assert!(!approved.body.contains("secret\":\""), "nobody but the person gets the secret: {approved:?}");
    let approved = approved.document(200);
    assert_eq!((&approved["status"], &approved["note"]), (&json!("approved"), &json!("Have fun <b>")));
    assert!(approved["decided_by"].as_str().unwrap().starts_with("client:machine-"), "{approved}");
    let client_id = approved["client_id"].as_str().unwrap();
    let client = admin.get(&format!("/admin/clients/{client_id}")).await.document(200);
    assert_eq!(client["scopes"], json!(["openid", "photos.read"]));
    assert_eq!(client["secrets"].as_array().unwrap().len(), 1);
    // Once.
    let page = asking.press("button.fetch").await;
    page.assert_shown(HERE, &["credentials"]);
    assert_eq!(page.text("client-id"), client_id);
    assert!(page.visible_text().contains("Have fun <b>"));
    let secret = page.text("client-secret");
    let page = asking.browser.open(HERE).await;
    assert!(!page.has("credentials") && !page.answer.body.contains(&secret) && page.visible_text().contains(client_id));
    assert_eq!(admin.get(&path).await.document(200)["status"], "delivered");
    let form =
        [("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", "https://notes.example/callback")];
    let token =
        |secret: &str| asking.app.post("/token").header("authorization", &basic(client_id, secret)).form(&form).send();
    let (authenticated, refused) = (token(&secret).await, token("wrong").await);
    assert!(authenticated.status == 400 && authenticated.body.contains("invalid_grant"), "{authenticated:?}");
    assert!(refused.status == 401 && refused.body.contains("invalid_client"), "{refused:?}");
    let request = Authorization::by(client_id, "https://notes.example/callback");
    asking.browser.open(&request.path()).await.assert_consent();
}

#[tokio::test]
async fn credentials_are_handed_over_once_and_to_nobody_else() {
    let mut asking = asking().await;
    let path = asking.ask().await;
    let app = asking.app.clone();
    let admin = app.admin(&["admin:clients"]).await;
    approve(&admin, &path, &json!({})).await.document(200);
    let page = asking.browser.open(HERE).await;
    let form = page.form_of("button.fetch");
    let bob = asking.app.bob().await;
    let (mut bobs, _) = asking.app.signed_in(&bob).await;
    let his = bobs.open(HERE).await;
    let mut stolen = form.clone();
    stolen.set("csrf", his.form("application-ask").value("csrf"));
    let refused = bobs.send_form(&his, stolen).await;
    assert!(refused.text("application-error").contains("not there any more"), "{refused:?}");
    assert!(!refused.has("credentials"), "{refused:?}");
    let mut second = asking.browser.clone();
    let other = asking.app.second_instance().await;
    second.use_instance(&other.base);
    let (one, two) = tokio::join!(asking.browser.send_form(&page, form.clone()), second.send_form(&page, form.clone()));
    assert!(one.has("client-secret") != two.has("client-secret"), "{one:?} {two:?}");
    assert!(asking.browser.send_form(&page, form).await.text("application-error").contains("not there any more"));
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_said_beside_what_was_typed() {
    let mut asking = asking().await;
    let long = "x".repeat(1001);
    for (changes, said) in [
        (vec![("name", " ")], "a name"),
        (vec![("redirect_uris", "")], "redirect URI"),
        (vec![("redirect_uris", "http://notes.example/")], "redirect URI"),
        (vec![("redirect_uris", "https://notes.example/#x")], "redirect URI"),
        (vec![("reason", "")], "what it is for"),
        (vec![("reason", &long)], "what it is for"),
    ] {
        let page = asking.ask_with(&changes).await;
        page.assert_shown(HERE, &["application-ask"]);
        assert!(page.text("application-error").contains(said), "{changes:?}: {page:?}");
        assert!(page.visible_text().contains("Our notes") || changes[0].0 == "reason", "{page:?}");
    }
    let list = asking.app.admin(&["admin:clients:read"]).await.get("/admin/access-requests").await.document(200);
    assert_eq!(list, json!({"items": []}));
    // By a redirect, after which it is said once.
    let page = asking.browser.open(HERE).await;
    assert!(!page.visible_text().contains("what it is for") || page.text("application-error").is_empty(), "{page:?}");
    let csrf = page.form("application-ask").value("csrf").to_owned();
    let fields = [("csrf", csrf.as_str()), ("name", " "), ("reason", "Our <notes>")];
    let call = asking.app.post(HERE).header("cookie", &asking.browser.cookie_header());
    let answer = call.header("sec-fetch-site", "same-origin").form(&fields).send().await;
    let address = format!("{}{HERE}", asking.app.issuer());
    assert_eq!((answer.status, answer.header("location")), (303, Some(address.as_str())), "{answer:?}");
    let stranger = asking.app.bob().await;
    let (mut theirs, _) = asking.app.signed_in(&stranger).await;
    assert!(!theirs.open(HERE).await.visible_text().contains("Our <notes>"), "it is bound to the browser");
    assert!(asking.browser.open(HERE).await.visible_text().contains("Our <notes>"));
    // A loopback address is for what is installed.
    let loopback = ("redirect_uris", "http://127.0.0.1/callback");
    asking.ask_with(&[loopback, ("kind", "installed")]).await.assert_shown(HERE, &["requests"]);
    for _ in 0..4 {
        asking.ask_with(&[]).await.assert_shown(HERE, &["requests"]);
    }
    let page = asking.ask_with(&[]).await;
    assert!(page.text("application-error").contains("wait already"), "{page:?}");
}

#[tokio::test]
async fn a_request_is_withdrawn_while_it_is_open() {
    let mut asking = asking().await;
    let path = asking.ask().await;
    let app = asking.app.clone();
    let admin = app.admin(&["admin:clients"]).await;
    let page = asking.browser.open(HERE).await;
    let withdraw = page.form_of("button.withdraw");
    let mut forged = withdraw.clone();
    forged.set("csrf", "AAAA");
    assert_eq!(asking.browser.send_form(&page, forged).await.answer.status, 403);
    asking.browser.send_form(&page, withdraw.clone()).await.assert_shown(HERE, &["no-requests"]);
    admin.get(&path).await.problem(404, "not-found");
    approve(&admin, &path, &json!({})).await.problem(404, "not-found");
    let gone = |page: &Page| page.text("application-error").contains("not there any more");
    assert!(gone(&asking.browser.send_form(&page, withdraw).await));
    let path = asking.ask().await;
    let page = asking.browser.open(HERE).await;
    let late = page.form_of("button.withdraw");
    admin.post(&format!("{path}/refuse"), &json!({"note": "not now"})).await.document(200);
    assert!(gone(&asking.browser.send_form(&page, late).await));
    let page = asking.browser.open(HERE).await;
    assert!(page.visible_text().contains("Refused") && page.visible_text().contains("not now"), "{page:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_decided_once() {
    let mut asking = asking().await;
    let app = asking.app.clone();
    let admin = app.admin(&["admin:clients"]).await;
    for _ in 0..5 {
        let path = asking.ask().await;
        let (nothing, refusal) = (json!({}), format!("{path}/refuse"));
        let (approved, refused) = tokio::join!(approve(&admin, &path, &nothing), admin.post(&refusal, &nothing));
        let (won, lost) = if approved.status == 200 { (approved, refused) } else { (refused, approved) };
        lost.problem(409, "conflict");
        let status = won.document(200)["status"].clone();
        assert_eq!(admin.get(&path).await.document(200)["status"], status);
        approve(&admin, &path, &json!({})).await.problem(409, "conflict");
    }
    let count = admin.get("/admin/access-requests?status=open").await.document(200);
    assert_eq!(count["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_is_for_what_was_seen() {
    let mut asking = asking().await;
    let app = asking.app.clone();
    let admin = app.admin(&["admin:clients"]).await;
    let decide = async |path: &str, seen: &str| {
        admin.call(Method::POST, path).header("if-match", seen).json(&json!({})).send().await
    };
    for _ in 0..5 {
        let path = asking.ask().await;
        let (approve, refuse) = (format!("{path}/approve"), format!("{path}/refuse"));
        for path in [&approve, &refuse] {
            decide(path, "\"2\"").await.problem(412, "precondition-failed");
            decide(path, "\"x\"").await.problem(412, "precondition-failed");
            decide(path, "W/\"1\"").await.problem(400, "invalid-parameter");
        }
        assert_eq!(admin.get(&path).await.document(200)["status"], "open");
        let (approved, refused) = tokio::join!(decide(&approve, "\"1\""), decide(&refuse, "\"1\""));
        let (won, lost) = if approved.status == 200 { (approved, refused) } else { (refused, approved) };
        lost.problem(412, "precondition-failed");
        let status = won.document(200)["status"].clone();
        assert_eq!(admin.get(&path).await.document(200)["status"], status);
        let seen = won.header("etag").unwrap();
        decide(&approve, seen).await.problem(409, "conflict");
        decide(&approve, "*").await.problem(409, "conflict");
    }
    let absent = "/admin/access-requests/00000000-0000-4000-8000-000000000000/refuse";
    decide(absent, "\"1\"").await.problem(404, "not-found");
}

#[tokio::test]
async fn an_approval_is_judged_like_any_client() {
    let mut asking = asking().await;
    let path = asking.ask().await;
    let app = asking.app.clone();
    let admin = app.admin(&["admin:clients"]).await;
    let taken = asking.app.web_client().await;
    approve(&admin, &path, &json!({"client_id": taken.id})).await.problem(409, "already-exists");
    for (body, pointers) in [
        (json!({"client_id": "u.someone"}), vec!["/client_id"]),
        (json!({"settings": {"redirect_uris": []}}), vec!["/settings/redirect_uris"]),
        (json!({"settings": {"scopes": ["nothing"]}}), vec!["/settings/scopes/0"]),
        (json!({"settings": {"client_id": "x", "enabled": false}}), vec!["/settings/client_id", "/settings/enabled"]),
        (json!({"settings": {"redirect_uri": "x"}}), vec!["/settings/redirect_uri"]),
        (json!({"notes": "x"}), vec!["/notes"]),
        (json!({"note": "x".repeat(1001)}), vec!["/note"]),
    ] {
        assert_eq!(approve(&admin, &path, &body).await.invalid_members(), pointers, "{body}");
    }
    // Nobody gives admin scopes that they do not hold.
    let resource = asking.app.admin_resource();
    let more = json!({"settings": {"resources": [resource], "scopes": ["openid", "admin:users"]}});
    approve(&admin, &path, &more).await.problem(403, "forbidden");
    assert_eq!(admin.get(&path).await.document(200)["status"], "open", "and nothing is left of it");
    approve(&admin, &path, &json!({"client_id": "notes"})).await.document(200);
    admin.get("/admin/clients/notes").await.document(200);
    for unknown in ["00000000-0000-4000-8000-000000000000", "x", "%00"] {
        admin.get(&format!("/admin/access-requests/{unknown}")).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn a_client_without_a_secret_is_delivered_without_one() {
    let mut asking = asking().await;
    asking.ask_with(&[("kind", "browser")]).await.assert_shown(HERE, &["requests"]);
    let app = asking.app.clone();
    let admin = app.admin(&["admin:clients"]).await;
    let list = admin.get("/admin/access-requests").await.document(200);
    assert_eq!(list["items"][0]["settings"]["token_endpoint_auth_method"], "none");
    let path = format!("/admin/access-requests/{}", list["items"][0]["id"].as_str().unwrap());
    approve(&admin, &path, &json!({})).await.document(200);
    let page = asking.press("button.fetch").await;
    assert!(page.has("client-id") && !page.has("client-secret"), "{page:?}");
}

#[tokio::test]
async fn requests_are_listed_in_pages_by_status() {
    let mut asking = asking().await;
    let app = asking.app.clone();
    let admin = app.admin(&["admin:clients"]).await;
    let mut paths = Vec::new();
    for _ in 0..3 {
        paths.push(asking.ask().await);
    }
    admin.post(&format!("{}/refuse", paths[1]), &json!({})).await.document(200);
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|one| format!("/admin/access-requests/{}", one["id"].as_str().unwrap())).collect()
    };
    let first = admin.get("/admin/access-requests?status=open&limit=1").await.document(200);
    assert_eq!(ids(&first), [paths[2].clone()], "the newest first");
    let next = format!("/admin/access-requests?status=open&limit=1&cursor={}", first["next"].as_str().unwrap());
    let second = admin.get(&next).await.document(200);
    assert_eq!((ids(&second), second.get("next")), (vec![paths[0].clone()], None));
    let refused = admin.get("/admin/access-requests?status=refused").await.document(200);
    assert_eq!(ids(&refused), [paths[1].clone()]);
    for query in ["status=lost", "cursor=x", "limit=0"] {
        admin.get(&format!("/admin/access-requests?{query}")).await.problem(400, "invalid-parameter");
    }
    let page = asking.app.browser().open(HERE).await;
    assert_eq!(page.url.path(), "/login", "who is not signed in signs in first");
}
