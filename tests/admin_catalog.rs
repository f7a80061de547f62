//! `/admin/scopes` and `/admin/resources`: what clients may ask for.

use http::Method;
use ostiary::model::admin_scope::AdminScope;
use serde_json::{Value, json};

use crate::harness::{Admin, Answer, PHOTOS_API, TestApp};

const INVOICES: &str = "https://invoices.example/api?v=1";

fn scope() -> Value {
    json!({"name": "invoices.read", "description": {"en": "See your invoices"}, "published": true})
}

fn resource() -> Value {
    json!({"uri": INVOICES, "name": {"en": "Invoices"}, "scopes": ["photos.read"], "restricted": true})
}

/// The path of a resource.
fn path_of(uri: &str) -> String {
    let encoded: String = uri.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/admin/resources/{encoded}")
}

async fn change(admin: &Admin<'_>, path: &str, etag: &str, body: &Value) -> Answer {
    let call = admin.call(Method::PATCH, path).header("if-match", etag);
    call.body("application/merge-patch+json", &body.to_string()).send().await
}

#[tokio::test]
async fn a_scope_is_registered_given_to_a_client_and_got_in_a_token() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let answer = admin.post("/admin/scopes", &scope()).await;
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let made = answer.document(201);
    assert_eq!((&made["name"], &made["built_in"]), (&json!("invoices.read"), &json!(false)));
    assert_eq!(admin.get("/admin/scopes/invoices.read").await.document(200), made);
    let published = app.get("/.well-known/openid-configuration").send().await.json();
    assert!(published["scopes_supported"].as_array().unwrap().contains(&json!("invoices.read")));
    let client = app.machine_client_with(|settings| settings.scopes = vec!["invoices.read".into()]).await;
    let token = app.token(&client, &[("grant_type", "client_credentials")]).await.json();
    assert_eq!(token["scope"], "invoices.read");
}

#[tokio::test]
async fn a_change_of_a_scope_is_for_the_state_that_was_read() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    admin.post("/admin/scopes", &scope()).await.document(201);
    let path = "/admin/scopes/invoices.read";
    let patch = json!({"description": {"de": "Ihre Rechnungen sehen"}, "published": false});
    let call = admin.call(Method::PATCH, path).body("application/merge-patch+json", &patch.to_string());
    call.send().await.problem(428, "precondition-required");
    let answer = change(&admin, path, "\"1\"", &patch).await;
    assert_eq!(answer.header("etag"), Some("\"2\""));
    let changed = answer.document(200);
    let both = json!({"en": "See your invoices", "de": "Ihre Rechnungen sehen"});
    assert_eq!((&changed["description"], &changed["published"]), (&both, &json!(false)));
    change(&admin, path, "\"1\"", &json!({"published": true})).await.problem(412, "precondition-failed");
    let renamed = change(&admin, path, "*", &json!({"name": "other"})).await;
    assert_eq!(renamed.invalid_members(), ["/name"]);
    let nameless = change(&admin, path, "*", &json!({"description": {"en": null}})).await;
    assert_eq!(nameless.invalid_members(), ["/description"]);
    change(&admin, "/admin/scopes/nothing", "*", &json!({})).await.problem(404, "not-found");
    admin.call(Method::DELETE, path).header("if-match", "\"1\"").send().await.problem(412, "precondition-failed");
    assert_eq!(admin.call(Method::DELETE, path).header("if-match", "\"2\"").send().await.status, 204);
    admin.get(path).await.problem(404, "not-found");
}

#[tokio::test]
async fn a_name_is_never_given_again() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    admin.post("/admin/scopes", &scope()).await.document(201);
    admin.post("/admin/scopes", &scope()).await.problem(409, "already-exists");
    admin.post("/admin/resources", &resource()).await.document(201);
    assert_eq!(admin.delete("/admin/scopes/invoices.read").await.status, 204);
    assert_eq!(admin.delete(&path_of(INVOICES)).await.status, 204);
    admin.post("/admin/scopes", &scope()).await.problem(409, "already-exists");
    admin.post("/admin/resources", &resource()).await.problem(409, "already-exists");
    let client = json!({"redirect_uris": ["https://a.example/"], "scopes": ["openid", "invoices.read"], "resources": [INVOICES]});
    assert_eq!(admin.post("/admin/clients", &client).await.invalid_members(), ["/resources/0", "/scopes/1"]);
}

#[tokio::test]
async fn what_a_client_or_a_resource_names_stays() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    admin.post("/admin/scopes", &scope()).await.document(201);
    let mut named = resource();
    named["scopes"] = json!(["invoices.read"]);
    admin.post("/admin/resources", &named).await.document(201);
    admin.delete("/admin/scopes/invoices.read").await.problem(409, "conflict");
    let freed = change(&admin, &path_of(INVOICES), "*", &json!({"scopes": []})).await.document(200);
    assert_eq!(freed["scopes"], json!([]));
    for (member, value) in [("scopes", "invoices.read"), ("resources", INVOICES), ("serves", INVOICES)] {
        let mut client = json!({"client_id": format!("names-{member}"), "redirect_uris": ["https://a.example/"]});
        client[member] = json!([value]);
        admin.post("/admin/clients", &client).await.document(201);
    }
    admin.delete("/admin/scopes/invoices.read").await.problem(409, "conflict");
    admin.delete(&path_of(INVOICES)).await.problem(409, "conflict");
    for client in ["names-scopes", "names-resources"] {
        assert_eq!(admin.delete(&format!("/admin/clients/{client}")).await.status, 204);
    }
    assert_eq!(admin.delete("/admin/scopes/invoices.read").await.status, 204);
    admin.delete(&path_of(INVOICES)).await.problem(409, "conflict");
    assert_eq!(admin.delete("/admin/clients/names-serves").await.status, 204);
    assert_eq!(admin.delete(&path_of(INVOICES)).await.status, 204);
}

#[tokio::test]
async fn what_is_part_of_the_server_is_listed_and_stays_as_it_is() {
    let app = TestApp::start().await;
    let every: Vec<String> = AdminScope::all().map(AdminScope::name).collect();
    let admin = app.admin(&every.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let api = path_of(&app.admin_resource());
    let listed = admin.get("/admin/scopes?limit=200").await.document(200);
    let built_in = listed["items"].as_array().unwrap().iter().filter(|scope| scope["built_in"] == true);
    let mut names: Vec<&str> = built_in.map(|scope| scope["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let mut expected: Vec<&str> = every.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for path in ["/admin/scopes/admin:clients", &api] {
        let answer = admin.get(path).await;
        assert_eq!(answer.header("etag"), None);
        assert_eq!(answer.document(200)["built_in"], true);
        change(&admin, path, "*", &json!({})).await.problem(409, "conflict");
        admin.delete(path).await.problem(409, "conflict");
    }
    for name in ["admin:clients", "admin:whatever"] {
        let scope = json!({"name": name, "description": {"en": "Mine"}});
        assert_eq!(admin.post("/admin/scopes", &scope).await.invalid_members(), ["/name"]);
    }
    let mut copy = resource();
    copy["uri"] = app.admin_resource().into();
    admin.post("/admin/resources", &copy).await.problem(409, "already-exists");
    // Nor does another API become one for admin scopes.
    let mut api = resource();
    api["scopes"] = json!(["photos.read", "admin:clients"]);
    assert_eq!(admin.post("/admin/resources", &api).await.invalid_members(), ["/scopes/1"]);
}

#[tokio::test]
async fn the_scopes_of_openid_connect_can_be_worded_but_not_taken_away() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    for name in ["openid", "profile", "email", "address", "phone", "offline_access"] {
        admin.delete(&format!("/admin/scopes/{name}")).await.problem(409, "conflict");
    }
    let worded = change(&admin, "/admin/scopes/email", "*", &json!({"published": false})).await.document(200);
    assert_eq!(worded["published"], false);
    let hidden = change(&admin, "/admin/scopes/openid", "*", &json!({"published": false})).await;
    assert_eq!(hidden.invalid_members(), ["/published"]);
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let strange = json!({"name": "two words", "description": {"de": "Nur deutsch"}});
    assert_eq!(admin.post("/admin/scopes", &strange).await.invalid_members(), ["/description", "/name"]);
    let strange = json!({"uri": "/relative", "name": {}, "scopes": ["photos.read", "photos.read"]});
    assert_eq!(admin.post("/admin/resources", &strange).await.invalid_members(), ["/name", "/scopes/1", "/uri"]);
    let unregistered = json!({"uri": INVOICES, "name": {"en": "Invoices"}, "scopes": ["nothing"]});
    assert_eq!(admin.post("/admin/resources", &unregistered).await.invalid_members(), ["/scopes/0"]);
    let unknown = json!({"name": "a", "description": {"en": "A"}, "publish": true});
    assert_eq!(admin.post("/admin/scopes", &unknown).await.status, 422);
    // Postgres has no text with U+0000.
    let nul = json!({"name": "a", "description": {"en": "A\u{0}"}});
    assert_eq!(admin.post("/admin/scopes", &nul).await.invalid_members(), [""]);
    for path in ["/admin/scopes/%00", "/admin/scopes/%FF", "/admin/resources/%00", "/admin/clients/%00"] {
        admin.get(path).await.problem(404, "not-found");
    }
}

#[tokio::test]
async fn a_creation_is_repeated_with_its_key() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    for (path, body) in [("/admin/scopes", scope()), ("/admin/resources", resource())] {
        let post = |body: &Value| admin.call(Method::POST, path).header("idempotency-key", path).json(body).send();
        let made = post(&body).await.document(201);
        assert_eq!(post(&body).await.document(201), made);
        let mut other = body.clone();
        other["extra"] = json!(1);
        assert_eq!(post(&other).await.status, 422);
    }
}

#[tokio::test]
async fn a_resource_is_restricted_from_the_next_request_on() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let client = app.machine_client().await;
    let form = [("grant_type", "client_credentials"), ("resource", PHOTOS_API)];
    assert_eq!(app.token(&client, &form).await.json()["scope"], "photos.read");
    let path = path_of(PHOTOS_API);
    assert_eq!(admin.get(&path).await.document(200)["uri"], PHOTOS_API);
    change(&admin, &path, "*", &json!({"restricted": true})).await.document(200);
    let refused = app.token(&client, &form).await;
    assert_eq!((refused.status, refused.body.contains("invalid_target")), (400, true), "{refused:?}");
    let given = json!({"resources": [PHOTOS_API]});
    change(&admin, &format!("/admin/clients/{}", client.id), "*", &given).await.document(200);
    assert_eq!(app.token(&client, &form).await.json()["scope"], "photos.read");
    let moved = change(&admin, &path, "*", &json!({"uri": "https://elsewhere.example/"})).await;
    assert_eq!(moved.invalid_members(), ["/uri"]);
}

#[tokio::test]
async fn the_default_audience_stays() {
    let app = TestApp::with_config(|config| config.oidc.default_resource = Some(PHOTOS_API.into())).await;
    let admin = app.admin(&["admin:clients"]).await;
    admin.delete(&path_of(PHOTOS_API)).await.problem(409, "conflict");
}

#[tokio::test]
async fn lists_come_in_pages_without_gap_or_repeat() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients:read"]).await;
    for (path, member, least) in [("/admin/scopes", "name", 22), ("/admin/resources", "uri", 4)] {
        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let page = admin.get(&format!("{path}?limit=3{next}")).await.document(200);
            let items = page["items"].as_array().unwrap();
            assert!((1..=3).contains(&items.len()));
            seen.extend(items.iter().map(|item| item[member].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => break,
            }
        }
        let mut expected = seen.clone();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(seen, expected);
        assert!(seen.len() >= least, "{seen:?}");
    }
}
