//! Every page once, for what holds of all of them.

use ostiary::model::client::{ClientSettings, ConsentPolicy};
use serde_json::json;

use super::{Chromium, RelyingParty};
use crate::harness::{Authorization, MAIL_API, PHOTOS_API, TestApp, encode};

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
    chromium.close_after(&["400 (Bad Request)"]).await;
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
