//! Every page once, for what holds of all of them.

use ostiary::model::client::{ClientSettings, ConsentPolicy};
use serde_json::json;

use super::{Chromium, RelyingParty};
use crate::harness::{Authorization, MAIL_API, PASSWORD, PHOTOS_API, TestApp, encode};

/// As much as a page may have to show.
fn with_everything(settings: &mut ClientSettings, base: &str) {
    settings.consent = ConsentPolicy::Remembered;
    settings.client_name = [
        ("en".to_owned(), "The Photo Album of the Extraordinarily Long-Named Company".to_owned()),
        ("de".to_owned(), "Donaudampfschifffahrtsgesellschaftsfotoalbum".to_owned()),
    ]
    .into();
    settings.client_uri = Some(format!("{base}/about"));
    settings.policy_uri = Some(format!("{base}/policy"));
    settings.tos_uri = Some(format!("{base}/terms"));
    settings.frontchannel_logout_uri = Some(format!("{base}/frontchannel"));
}

const SCOPE: &str = "openid profile email address phone offline_access photos.read photos.write mail.read";

fn greedy(client: &RelyingParty) -> Authorization {
    let request = Authorization::of(&client.client).with("scope", SCOPE);
    request.and("resource", PHOTOS_API).and("resource", MAIL_API)
}

#[tokio::test]
async fn the_pages_of_signing_in() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::with(&app, with_everything).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = greedy(&client).with("ui_locales", "en");
    chromium.open(&request.path()).await;
    chromium.assert_fit("login").await;
    chromium.assert_dark_is_dark().await;
    chromium.fill_in("username", "alice").await;
    chromium.fill_in("password", "wrong").await;
    chromium.click("login-submit").await;
    chromium.element("login-error").await;
    chromium.assert_fit("login-refused").await;
    app.pass_seconds(31 * 60);
    chromium.fill_in("password", "wrong").await;
    chromium.click("login-submit").await;
    chromium.element("login-notice").await;
    chromium.assert_fit("login-expired").await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    chromium.assert_fit("consent").await;
    chromium.click("consent-allow").await;
    client.tokens(&app, &chromium, &request).await;
    chromium.open(&Authorization::of(&client.client).with("prompt", "login").path()).await;
    chromium.shows("/login").await;
    chromium.assert_fit("login-again").await;
    chromium.open(&Authorization::of(&client.client).with("prompt", "select_account").path()).await;
    chromium.shows("/select-account").await;
    chromium.assert_fit("select-account").await;
    chromium.close().await;
}

#[tokio::test]
async fn the_pages_of_the_account_and_of_signing_out() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::with(&app, with_everything).await, app.alice().await);
    let mut plain = RelyingParty::foreign(&app).await;
    let chromium = Chromium::start(&app).await;
    chromium.open("/login").await;
    chromium.assert_fit("login-account").await;
    chromium.sign_in(&alice).await;
    chromium.shows("/account/consents").await;
    chromium.assert_fit("consents-none").await;
    for (party, request) in [(&mut client, None), (&mut plain, Some("openid"))] {
        let request =
            request.map_or_else(|| greedy(party), |scope| Authorization::of(&party.client).with("scope", scope));
        chromium.open(&request.path()).await;
        chromium.shows("/consent").await;
        chromium.click("consent-allow").await;
        party.tokens(&app, &chromium, &request).await;
    }
    chromium.open("/account/consents").await;
    chromium.assert_fit("consents").await;
    let goodbye = client.url("/goodbye");
    let asked = [("client_id", client.client.id.as_str()), ("post_logout_redirect_uri", goodbye.as_str())];
    chromium.open(&format!("/logout?{}", encode(&asked))).await;
    chromium.assert_fit("logout").await;
    chromium.click("logout-cancel").await;
    chromium.element("stayed-signed-in").await;
    chromium.assert_fit("logout-kept").await;
    // Without its script the page waits for the person.
    chromium.devtools("Network.enable", json!({})).await;
    chromium.devtools("Network.setBlockedURLs", json!({ "urls": ["*/assets/continue-*"] })).await;
    chromium.open(&format!("/logout?{}", encode(&asked))).await;
    chromium.click("logout-confirm").await;
    chromium.element("logged-out").await;
    chromium.assert_fit("logged-out-go-on").await;
    chromium.click("continue").await;
    chromium.leaves_for(&goodbye).await;
    chromium.open("/logout").await;
    chromium.assert_fit("logged-out").await;
    chromium.close().await;
}

#[tokio::test]
async fn the_pages_that_hand_over_and_that_explain() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::trusted(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client).with("redirect_uri", "https://evil.example/");
    chromium.open(&request.path()).await;
    assert!(chromium.has("error-page").await);
    chromium.assert_fit("error-request").await;
    chromium.devtools("Network.enable", json!({})).await;
    chromium.devtools("Network.setBlockedURLs", json!({ "urls": ["*/assets/continue-*"] })).await;
    let request = Authorization::of(&client.client).with("response_mode", "form_post");
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    chromium.element("form-post-submit").await;
    chromium.assert_fit("form-post").await;
    chromium.click("form-post-submit").await;
    chromium.leaves_for(&client.client.redirect_uri).await;
    assert_eq!(client.arrival("/callback").await.method, "POST");
    chromium.close_after(&["400 (Bad Request)"]).await;
}

#[tokio::test]
async fn a_logo_that_cannot_be_had_is_no_broken_picture() {
    let app = TestApp::start().await;
    let client = RelyingParty::with(&app, |settings, base| settings.logo_uri = Some(format!("{base}/logo"))).await;
    let chromium = Chromium::start(&app).await;
    chromium.open(&Authorization::of(&client.client).path()).await;
    chromium.element("client-logo").await;
    let is_shown = chromium
        .run("const it = document.getElementById('client-logo'); return it.complete && it.naturalWidth > 0")
        .await;
    assert_eq!(is_shown, true);
    chromium.assert_fit("login-without-logo").await;
    chromium.close_after(&["404 (Not Found)"]).await;
}

#[tokio::test]
async fn the_pages_in_german() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::with(&app, with_everything).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    chromium.devtools("Network.enable", json!({})).await;
    chromium.devtools("Network.setExtraHTTPHeaders", json!({ "headers": { "Accept-Language": "de" } })).await;
    let request = greedy(&client);
    chromium.open(&request.path()).await;
    assert_eq!(chromium.run("return document.documentElement.lang").await, "de");
    chromium.assert_fit("de-login").await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    chromium.assert_fit("de-consent").await;
    chromium.click("consent-allow").await;
    client.tokens(&app, &chromium, &request).await;
    chromium.open("/account/consents").await;
    chromium.assert_fit("de-consents").await;
    chromium.open("/logout").await;
    chromium.assert_fit("de-logout").await;
    chromium.close().await;
}

#[tokio::test]
async fn the_pages_of_passwords_and_of_asking_for_applications() {
    let app = TestApp::start().await;
    let (alice, admin) = (app.alice().await, app.admin(&["admin:users", "admin:clients"]).await);
    let made = admin.post(&format!("/admin/users/{}/password-ticket", alice.sub()), &json!({})).await.document(201);
    let link = made["url"].as_str().unwrap();
    let chromium = Chromium::start(&app).await;
    chromium.open(link).await;
    chromium.shows("/account/password").await;
    assert_eq!(chromium.url().await.query(), None, "the ticket is out of the address bar");
    chromium.assert_fit("password-reset").await;
    for password in ["Password2026", PASSWORD] {
        chromium.fill_in("password", password).await;
        chromium.fill_in("repeat", password).await;
        chromium.click("password-submit").await;
        if password != PASSWORD {
            chromium.element("password-error").await;
            chromium.assert_fit("password-refused").await;
        }
    }
    chromium.element("password-done").await;
    chromium.assert_fit("password-done").await;
    chromium.click("password-go-on").await;
    chromium.sign_in(&alice).await;
    chromium.shows("/account/consents").await;
    chromium.click("room-applications").await;
    chromium.shows("/account/applications").await;
    chromium.assert_fit("applications-none").await;
    chromium.fill_in("application-name", "The Notebook of the Extraordinarily Long-Named Company").await;
    chromium.fill_in("application-uris", "https://notes.example/callback").await;
    chromium.fill_in("application-reason", "So that everybody finds our notes").await;
    chromium.click("application-ask").await;
    chromium.element("requests").await;
    let requests = admin.get("/admin/access-requests").await.document(200);
    let path = format!("/admin/access-requests/{}/approve", requests["items"][0]["id"].as_str().unwrap());
    admin.post(&path, &json!({"note": "Have fun"})).await.document(200);
    chromium.open("/account/applications").await;
    chromium.assert_fit("applications").await;
    chromium.run("document.querySelector('button.fetch').click()").await;
    chromium.element("client-secret").await;
    chromium.assert_fit("applications-credentials").await;
    chromium.open("/account/password").await;
    chromium.assert_fit("password-change").await;
    chromium.open(link).await;
    chromium.element("password-over").await;
    chromium.assert_fit("password-over").await;
    chromium.close_after(&["400 (Bad Request)"]).await;
}
