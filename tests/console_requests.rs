//! Requests for clients at the console.

use crate::harness::{Browser, TestApp, TestPerson};

async fn ask(app: &TestApp, person: &TestPerson, name: &str) {
    let (mut browser, _) = app.signed_in(person).await;
    let page = browser.open("/account/applications").await;
    let fields = [("name", name), ("redirect_uris", "https://notes.example/callback"), ("reason", "Our notes")];
    browser.submit(&page, "application-ask", &fields).await.assert_shown("/account/applications", &["requests"]);
}

/// The page of the only open request.
async fn only(browser: &mut Browser) -> String {
    let list = browser.open("/console/requests").await;
    let paths = list.attributes("#requests tbody th a", "href");
    assert_eq!(paths.len(), 1, "{list:?}");
    paths[0].clone()
}

#[tokio::test]
async fn a_request_is_approved_with_changes() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let alice = app.alice().await;
    ask(&app, &alice, "Notes").await;
    let path = only(&mut browser).await;
    let page = browser.open(&path).await;
    page.assert_shown(&path, &["request-approve", "request-refuse"]);
    assert_eq!((page.text("record"), page.text("state")), ("Notes".to_owned(), "open".to_owned()));
    assert!(page.visible_text().contains("Our notes"), "{page:?}");
    let form_page = browser.click(&page, "request-approve").await;
    let refusal_page = browser.click(&page, "request-refuse").await;
    let wrong = [("client_id", "two words"), ("settings/redirect_uris", "http://notes.example/")];
    let refused = browser.submit(&form_page, "save", &wrong).await;
    assert_eq!(refused.answer.status, 422, "{refused:?}");
    assert!(refused.has("client-id-notes") && refused.text("settings-redirect-uris-notes").contains("Line 1"));
    let mut form = form_page.form("save");
    form.set("client_id", "notes");
    form.set("settings/scopes", "openid");
    form.tick("settings/scopes", "photos.read");
    form.set("note", "Have fun <b>");
    let page = browser.send_form(&form_page, form).await;
    page.assert_done(&path, "The client is registered.");
    assert!(page.text("state") == "approved" && !page.has("request-approve"), "{page:?}");
    assert!(page.visible_text().contains("Have fun <b>") && page.visible_text().contains("root"), "{page:?}");
    let client = app.admin(&["admin:clients"]).await.get("/admin/clients/notes").await.document(200);
    assert_eq!(client["scopes"], serde_json::json!(["openid", "photos.read"]));
    assert_eq!(client["redirect_uris"], serde_json::json!(["https://notes.example/callback"]));
    // It is decided once.
    for page in [&form_page, &refusal_page] {
        let again = browser.submit(page, "save", &[]).await;
        assert_eq!(again.answer.status, 409, "{again:?}");
        assert!(again.text("form-error").contains("decided before"), "{again:?}");
    }
    browser.open("/console/requests").await.assert_shown("/console/requests", &["none"]);
    let all = browser.open("/console/requests?status=all").await;
    assert_eq!(all.texts("#requests tbody tr").len(), 1, "{all:?}");
    // An identifier is given once.
    ask(&app, &alice, "Others").await;
    let path = only(&mut browser).await;
    let form_page = browser.open(&format!("{path}/approve")).await;
    let taken = browser.submit(&form_page, "save", &[("client_id", "notes")]).await;
    assert_eq!(taken.answer.status, 409, "{taken:?}");
    assert!(taken.text("form-error").contains("taken"), "{taken:?}");
}

#[tokio::test]
async fn a_request_is_refused_with_a_note() {
    let app = TestApp::start().await;
    let mut browser = app.console().await;
    let alice = app.alice().await;
    ask(&app, &alice, "Notes").await;
    let path = only(&mut browser).await;
    let form_page = browser.open(&format!("{path}/refuse")).await;
    let long = "x".repeat(1001);
    let refused = browser.submit(&form_page, "save", &[("note", &long)]).await;
    assert_eq!(refused.answer.status, 422, "{refused:?}");
    assert!(refused.has("note-notes") && refused.text("note") == long, "{refused:?}");
    let page = browser.submit(&form_page, "save", &[("note", "There is one already.")]).await;
    page.assert_done(&path, "The request is refused.");
    assert!(page.text("state") == "refused" && page.visible_text().contains("There is one already."), "{page:?}");
    browser.open("/console/requests/nothing").await.assert_refused(404);
}
