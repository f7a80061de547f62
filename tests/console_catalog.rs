//! Scopes and resources at the console.

use ostiary::config::RegistrationMode;
use serde_json::json;

use crate::harness::{PHOTOS_API, TestApp};

#[tokio::test]
async fn a_scope_is_registered_changed_and_deleted() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let list = browser.open("/console/scopes").await;
    list.assert_shown("/console/scopes", &["scopes", "scope-new"]);
    assert!(list.texts("#scopes code").contains(&"admin:clients".to_owned()), "{list:?}");
    let form = browser.click(&list, "scope-new").await;
    // Everything that is missing is said at once, and what was typed stays.
    let wrong = browser.submit(&form, "save", &[("description.de", "Rechnungen sehen")]).await;
    assert_eq!(wrong.answer.status, 422, "{wrong:?}");
    assert!(wrong.has("name-notes") && wrong.text("description-notes").contains("English"), "{wrong:?}");
    assert_eq!(wrong.attribute("description-de", "value").as_deref(), Some("Rechnungen sehen"));
    let typed = [("name", "invoices/read"), ("description.en", "See your <invoices>")];
    let path = "/console/scopes/invoices%2Fread";
    let page = browser.submit(&wrong, "save", &typed).await;
    page.assert_done(path, "The scope is registered.");
    assert_eq!((page.text("record"), page.text("state")), ("invoices/read".to_owned(), "published".to_owned()));
    let again = browser.submit(&form, "save", &[("name", "openid"), ("description.en", "Mine")]).await;
    assert_eq!(again.answer.status, 409, "{again:?}");

    let form = browser.click(&page, "edit").await;
    let question = browser.click(&page, "delete").await;
    let mut hidden = form.form("save");
    hidden.remove("published");
    browser.send_form(&form, hidden).await.assert_done(path, "The scope was saved.");
    let admin = app.admin(&["admin:clients"]).await;
    let scope = admin.get("/admin/scopes/invoices%2Fread").await.document(200);
    assert_eq!((&scope["published"], &scope["description"]["en"]), (&json!(false), &json!("See your <invoices>")));
    // Both pages are of the state before.
    let stale = browser.submit(&form, "save", &[("description.en", "Mine")]).await;
    assert_eq!(stale.answer.status, 412, "{stale:?}");
    assert!(stale.text("published-notes").contains("There is now: no"), "{stale:?}");
    browser.submit(&question, "confirm", &[]).await.assert_refused(412);
    let question = browser.open(&format!("{path}/delete")).await;
    let done = browser.submit(&question, "confirm", &[]).await;
    done.assert_done("/console/scopes", "The scope invoices/read is deleted.");
    browser.open(path).await.assert_refused(404);
}

#[tokio::test]
async fn what_is_named_elsewhere_or_part_of_the_server_stays() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    for path in ["/console/scopes/photos.read", "/console/scopes/openid"] {
        let question = browser.open(&format!("{path}/delete")).await;
        browser.submit(&question, "confirm", &[]).await.assert_refused(409);
    }
    let admin_api: String = url::form_urlencoded::byte_serialize(app.admin_resource().as_bytes()).collect();
    for path in ["/console/scopes/admin:clients".to_owned(), format!("/console/resources/{admin_api}")] {
        let page = browser.open(&path).await;
        assert!(!page.has("edit") && !page.has("delete"), "{page:?}");
        let form = browser.open(&format!("{path}/edit")).await;
        let refused = browser.submit(&form, "save", &[]).await;
        assert_eq!(refused.answer.status, 409, "{refused:?}");
    }
}

#[tokio::test]
async fn a_resource_is_registered_changed_and_deleted() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let list = browser.open("/console/resources").await;
    list.assert_shown("/console/resources", &["resources", "resource-new"]);
    assert!(list.texts("#resources code").contains(&PHOTOS_API.to_owned()), "{list:?}");
    let page = browser.click(&list, "resource-new").await;
    let wrong = browser.submit(&page, "save", &[("uri", "invoices")]).await;
    assert_eq!(wrong.answer.status, 422, "{wrong:?}");
    assert!(wrong.has("uri-notes") && wrong.text("name-notes").contains("English"), "{wrong:?}");
    let mut form = wrong.form("save");
    form.set("uri", "https://invoices.example/api");
    form.set("name.en", "Invoices");
    form.tick("scopes", "mail.read");
    form.tick("scopes", "photos.read");
    let path = "/console/resources/https%3A%2F%2Finvoices.example%2Fapi";
    let page = browser.send_form(&wrong, form).await;
    page.assert_done(path, "The resource is registered.");
    let form_page = browser.click(&page, "edit").await;
    let mut form = form_page.form("save");
    form.set("scopes", "photos.read");
    form.tick("restricted", "true");
    browser.send_form(&form_page, form).await.assert_done(path, "The resource was saved.");
    let admin = app.admin(&["admin:clients"]).await;
    let made = admin.get("/admin/resources/https%3A%2F%2Finvoices.example%2Fapi").await.document(200);
    assert_eq!((&made["scopes"], &made["restricted"]), (&json!(["photos.read"]), &json!(true)));
    let stale = browser.submit(&form_page, "save", &[("name.en", "Mine")]).await;
    assert_eq!(stale.answer.status, 412, "{stale:?}");
    let page = browser.open(path).await;
    let question = browser.click(&page, "delete").await;
    let done = browser.submit(&question, "confirm", &[]).await;
    done.assert_done("/console/resources", "The resource https://invoices.example/api is deleted.");
}

#[tokio::test]
async fn a_type_of_authorization_details_is_registered_changed_and_deleted() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let list = browser.open("/console/details-types").await;
    list.assert_shown("/console/details-types", &["details-types", "details-type-new"]);
    let page = browser.click(&list, "details-type-new").await;
    let wrong = browser.submit(&page, "save", &[("schema", "{\"type\": \"object\"")]).await;
    assert_eq!(wrong.answer.status, 422, "{wrong:?}");
    assert!(wrong.has("type-notes") && wrong.has("schema-notes"), "{wrong:?}");
    assert!(wrong.text("name-notes").contains("English"), "{wrong:?}");
    assert_eq!(wrong.text("schema"), "{\"type\": \"object\"", "what was typed stays");
    let schema = r#"{"type": "object", "additionalProperties": false, "required": ["amount"],
        "properties": {"amount": {"type": "string", "maxLength": 20}, "currency": {"enum": ["EUR"]}}}"#;
    let mut form = wrong.form("save");
    form.set("type", "https://pay.example/transfer");
    form.set("name.en", "Transfer");
    form.set("sentence.en", "Pay {amount} {currency}");
    form.set("schema", schema);
    form.tick("resources", PHOTOS_API);
    let path = "/console/details-types/https%3A%2F%2Fpay.example%2Ftransfer";
    let page = browser.send_form(&wrong, form).await;
    page.assert_done(path, "The type is registered.");
    assert_eq!(page.text("record"), "Transfer");

    // What the schema says is typed whole: what is left out is gone, and the sentence may not name it any more.
    let form = browser.click(&page, "edit").await;
    let narrower = r#"{"type": "object", "additionalProperties": false, "properties": {"amount": {"type": "string"}}}"#;
    let refused = browser.submit(&form, "save", &[("schema", narrower)]).await;
    assert_eq!(refused.answer.status, 422, "{refused:?}");
    assert!(refused.has("sentence-notes"), "{refused:?}");
    let typed = [("schema", narrower), ("sentence.en", "Pay {amount}")];
    browser.submit(&refused, "save", &typed).await.assert_done(path, "The type was saved.");
    let admin = app.admin(&["admin:clients"]).await;
    let known =
        admin.get("/admin/authorization-details-types/https%3A%2F%2Fpay.example%2Ftransfer").await.document(200);
    let schema: serde_json::Value = serde_json::from_str(narrower).unwrap();
    assert_eq!(known["schema"], schema);
    assert_eq!((&known["sentence"], &known["resources"]), (&json!({ "en": "Pay {amount}" }), &json!([PHOTOS_API])));
    let stale = browser.submit(&form, "save", &[("name.en", "Mine")]).await;
    assert_eq!(stale.answer.status, 412, "{stale:?}");

    let page = browser.open(path).await;
    let question = browser.click(&page, "delete").await;
    let done = browser.submit(&question, "confirm", &[]).await;
    done.assert_done("/console/details-types", "The type https://pay.example/transfer is deleted.");
    browser.open(path).await.assert_refused(404);
}

#[tokio::test]
async fn an_initial_access_token_is_shown_once_registers_a_client_and_is_ended() {
    let app = TestApp::with_config(|config| config.registration.mode = RegistrationMode::InitialAccessToken).await;
    let mut browser = app.console().await;
    let list = browser.open("/console/initial-access-tokens").await;
    list.assert_shown("/console/initial-access-tokens", &["initial-access-token-new"]);
    let page = browser.click(&list, "initial-access-token-new").await;
    let wrong = browser.submit(&page, "save", &[("max_uses", "0")]).await;
    assert_eq!(wrong.answer.status, 422, "{wrong:?}");
    assert!(wrong.has("max-uses-notes"), "{wrong:?}");
    let mut form = wrong.form("save");
    form.set("note", "Build servers");
    form.set("max_uses", "2");
    form.set("policy/scopes", "openid\nphotos.read");
    let made = browser.send_form(&wrong, form).await;
    let token = made.text("initial_access_token");
    let register = || async {
        let client = json!({"redirect_uris": ["https://album.example/callback"]});
        app.post("/register").header("authorization", &format!("Bearer {token}")).json(&client).send().await
    };
    assert_eq!(register().await.document(201)["scope"], "openid photos.read");

    let list = browser.open("/console/initial-access-tokens").await;
    let text = &list.answer.body;
    assert!(text.contains("Build servers") && text.contains("1 of 2"), "{list:?}");
    assert!(!text.contains(&token), "it is shown once");
    let admin = app.admin(&["admin:clients"]).await;
    let id =
        admin.get("/admin/initial-access-tokens").await.document(200)["items"][0]["id"].as_str().unwrap().to_owned();
    let question = browser.open(&format!("/console/initial-access-tokens/{id}/end")).await;
    let done = browser.submit(&question, "confirm", &[]).await;
    done.assert_done("/console/initial-access-tokens", "The token is ended.");
    assert_eq!(register().await.status, 401);
    browser.open("/console/initial-access-tokens/00000000-0000-4000-8000-000000000000/end").await.assert_refused(404);
}
