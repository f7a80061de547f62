//! The console in a real browser: every page is fit for everybody, and the daily work needs no mouse and no script.

use fantoccini::key::Key;
use serde_json::json;

use super::Chromium;
use crate::harness::{TestApp, copied_directory};

/// A Chromium in which an administrator looks at the console.
async fn start(app: &TestApp) -> Chromium {
    let root = app.administrator().await;
    let chromium = Chromium::start(app).await;
    chromium.open("/console").await;
    chromium.shows("/login").await;
    chromium.assert_fit("login-console").await;
    chromium.sign_in(&root).await;
    chromium.shows("/console").await;
    chromium
}

#[tokio::test]
async fn the_pages_of_clients() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for _ in 0..30 {
        app.web_client().await;
    }
    let chromium = start(&app).await;
    chromium.assert_fit("console-overview").await;
    chromium.click("room-clients").await;
    chromium.shows("/console/clients").await;
    chromium.assert_fit("console-clients").await;
    chromium.click("client-new").await;
    chromium.shows("/console/new/client").await;
    chromium.assert_fit("console-client-presets").await;
    chromium.click("preset-web").await;
    chromium.element("redirect-uris").await;
    chromium.assert_fit("console-client-new").await;
    chromium.fill_in("redirect-uris", "https://notes.example/callback\nhttp://notes.example/").await;
    chromium.fill_in("client-name-en", "The Notebook of the Extraordinarily Long-Named Company").await;
    chromium.click("save").await;
    chromium.element("form-error").await;
    chromium.assert_fit("console-client-new-refused").await;
    chromium.fill_in("redirect-uris", "https://notes.example/callback").await;
    chromium.fill_in("client-id", "notebook").await;
    chromium.click("save").await;
    chromium.element("client_secret").await;
    chromium.assert_fit("console-client-registered").await;
    chromium.click("go-on").await;
    chromium.shows("/console/clients/notebook").await;
    chromium.assert_fit("console-client").await;
    chromium.click("secret-new").await;
    chromium.assert_fit("console-secret-new").await;
    chromium.click("confirm").await;
    chromium.element("client_secret").await;
    chromium.assert_fit("console-secret-told").await;
    chromium.click("go-on").await;
    chromium.click("client-edit").await;
    chromium.shows("/console/clients/notebook/edit").await;
    chromium.assert_fit("console-client-edit").await;
    let admin = app.admin(&["admin:clients"]).await;
    admin.patch("/admin/clients/notebook", &json!({"client_uri": "https://notes.example/"})).await.document(200);
    chromium.click("save").await;
    chromium.element("form-error").await;
    chromium.assert_fit("console-client-edit-stale").await;
    chromium.click("save").await;
    chromium.shows("/console/clients/notebook").await;
    chromium.assert_fit("console-client-saved").await;
    chromium.click("client-disable").await;
    chromium.assert_fit("console-client-disable").await;
    chromium.click("confirm").await;
    chromium.shows("/console/clients/notebook").await;
    chromium.click("client-delete").await;
    chromium.assert_fit("console-client-delete").await;
    chromium.open("/console/clients/nothing").await;
    chromium.assert_fit("console-not-found").await;
    chromium.open("/login?switch=1").await;
    chromium.sign_in(&alice).await;
    chromium.shows("/account/consents").await;
    chromium.open("/console").await;
    chromium.element("closed-sign-in").await;
    chromium.assert_fit("console-closed").await;
    chromium.close_after(&["422", "412", "404", "403"]).await;
}

#[tokio::test]
async fn the_pages_of_scopes_resources_and_keys() {
    let folder = copied_directory();
    let app = TestApp::with_config(|config| config.keys.directory = folder.path().to_owned()).await;
    let chromium = start(&app).await;
    let known = json!({
        "type": "payment",
        "name": { "en": "Payment" },
        "sentence": { "en": "Pay {amount} to {creditor}" },
        "schema": {
            "type": "object",
            "additionalProperties": false,
            "required": ["amount", "creditor"],
            "properties": {"amount": {"type": "string"}, "creditor": {"type": "string", "maxLength": 70}}
        },
    });
    app.admin(&["admin:clients"]).await.post("/admin/authorization-details-types", &known).await.document(201);
    for (room, list, thing) in [
        ("scopes", "/console/scopes", "/console/scopes/photos.read"),
        ("resources", "/console/resources", "/console/resources/https%3A%2F%2Fphotos.example%2Fapi"),
        ("details", "/console/details-types", "/console/details-types/payment"),
    ] {
        chromium.click(&format!("room-{room}")).await;
        chromium.shows(list).await;
        chromium.assert_fit(&format!("console-{room}")).await;
        chromium.open(thing).await;
        chromium.assert_fit(&format!("console-{room}-one")).await;
        chromium.click("edit").await;
        chromium.element("save").await;
        chromium.assert_fit(&format!("console-{room}-edit")).await;
        chromium.open(&format!("{thing}/delete")).await;
        chromium.assert_fit(&format!("console-{room}-delete")).await;
    }
    for new in ["scope", "resource", "details-type"] {
        chromium.open(&format!("/console/new/{new}")).await;
        chromium.assert_fit(&format!("console-new-{new}")).await;
    }
    chromium.click("room-keys").await;
    chromium.shows("/console/keys").await;
    chromium.click("key-new").await;
    chromium.element("save").await;
    chromium.assert_fit("console-key-new").await;
    chromium.click("save").await;
    chromium.element("remark").await;
    chromium.assert_fit("console-key").await;
    chromium.click("activate").await;
    chromium.element("force").await;
    chromium.assert_fit("console-key-activate").await;
    chromium.click_here("force").await;
    chromium.click("confirm").await;
    chromium.element("remark").await;
    chromium.open("/console/keys").await;
    chromium.assert_fit("console-keys").await;
    chromium.close().await;
}

#[tokio::test]
async fn a_client_is_registered_with_the_keyboard_alone() {
    let app = TestApp::start().await;
    let chromium = start(&app).await;
    chromium.open("/console/new/client?preset=machine").await;
    chromium.element("save").await;
    // The first stop leads past the navigation.
    chromium.press(Key::Tab).await;
    assert_eq!(chromium.run("return document.activeElement.className").await, "skip");
    chromium.press(Key::Enter).await;
    for word in ["client-name-en", "client-name-de"] {
        chromium.press(Key::Tab).await;
        while chromium.focus().await != word {
            chromium.press(Key::Tab).await;
        }
        chromium.type_text("Robot").await;
    }
    chromium.press(Key::Enter).await;
    chromium.element("client_secret").await;
    chromium.close().await;
}
