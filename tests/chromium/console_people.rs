//! The pages of people, sessions, consents, tokens and requests at the console: each is fit for everybody.

use serde_json::json;

use super::Chromium;
use crate::harness::{Authorization, TestApp};

/// What can be done with somebody: the link, and the name of the picture.
const QUESTIONS: [(&str, &str); 8] = [
    ("person-edit", "edit"),
    ("person-password", "password"),
    ("person-link", "link"),
    ("person-sign-out", "sign-out"),
    ("person-disable", "disable"),
    ("person-delete", "delete"),
    ("sessions-end", "end-sessions"),
    ("tokens-revoke", "revoke-tokens"),
];

#[tokio::test]
async fn the_pages_of_people_sessions_grants_and_requests() {
    let app = TestApp::start().await;
    let (root, alice) = (app.administrator().await, app.alice().await);
    let client =
        app.web_client_with(|settings| settings.consent = ostiary::model::client::ConsentPolicy::Remembered).await;
    let mut hers = app.browser();
    let page = hers.authorize(&Authorization::of(&client), &alice).await;
    if page.has("consent-allow") {
        hers.submit(&page, "consent-allow", &[]).await;
    }
    let trusted = app.web_client().await;
    app.tokens(&trusted, &alice, "openid profile offline_access").await;
    let (mut hers, _) = app.signed_in(&alice).await;
    let page = hers.open("/account/applications").await;
    let fields = [
        ("name", "The Notebook of the Extraordinarily Long-Named Company"),
        ("redirect_uris", "https://notes.example/callback"),
        ("reason", "Our notes,\nfor everybody"),
    ];
    hers.submit(&page, "application-ask", &fields).await;

    let chromium = Chromium::start(&app).await;
    chromium.open("/console").await;
    chromium.sign_in(&root).await;
    chromium.shows("/console").await;
    chromium.click("room-people").await;
    chromium.element("people").await;
    chromium.assert_fit("console-people").await;
    chromium.click("person-new").await;
    chromium.element("save").await;
    chromium.assert_fit("console-person-new").await;
    chromium.fill_in("username", "karla").await;
    chromium.fill_in("password", "short").await;
    chromium.click("save").await;
    chromium.element("form-error").await;
    chromium.assert_fit("console-person-new-refused").await;
    chromium.click("save").await;
    chromium.element("link").await;
    chromium.assert_fit("console-person-invited").await;
    let person = format!("/console/people/{}", alice.sub());
    chromium.open(&person).await;
    chromium.element("person-sessions").await;
    chromium.assert_fit("console-person").await;
    for (link, name) in QUESTIONS {
        chromium.open(&person).await;
        chromium.click(link).await;
        chromium.element("cancel").await;
        chromium.assert_fit(&format!("console-person-{name}")).await;
    }
    let consent = format!("/console/consents/{}/{}", alice.sub(), client.id);
    chromium.open(&consent).await;
    chromium.assert_fit("console-consent").await;
    for room in ["sessions", "consents", "tokens", "requests"] {
        chromium.click(&format!("room-{room}")).await;
        chromium.shows(&format!("/console/{room}")).await;
        chromium.element(room).await;
        chromium.assert_fit(&format!("console-{room}")).await;
        if room == "consents" {
            continue;
        }
        let path = chromium.run("return document.querySelector('tbody th a').getAttribute('href')").await;
        chromium.open(path.as_str().unwrap()).await;
        chromium.element("record").await;
        chromium.assert_fit(&format!("console-{room}-one")).await;
        let questions: &[&str] = match room {
            "sessions" => &["session-end"],
            "tokens" => &["token-revoke"],
            _ => &["request-approve", "request-refuse"],
        };
        for question in questions {
            chromium.open(path.as_str().unwrap()).await;
            chromium.click(question).await;
            chromium.element("cancel").await;
            chromium.assert_fit(&format!("console-{question}")).await;
        }
    }
    chromium.open(&format!("/console/clients/{}/tokens", client.id)).await;
    chromium.assert_fit("console-client-tokens").await;
    chromium.click("room-audit").await;
    chromium.assert_fit("console-audit").await;
    assert_eq!(json!([]), chromium.run("return [...document.scripts].map(it => it.src)").await);
    chromium.close_after(&["422"]).await;
}
