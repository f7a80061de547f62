//! Chromium applies `form-action` to every redirect that follows a form, also to those of the client.

use super::{Chromium, RelyingParty};
use crate::harness::{Authorization, Receiver, TestApp, encode};

/// The client's real home, on another origin than its redirect URI.
const HOME: &str = "/home";

async fn home_of(client: &RelyingParty) -> (Receiver, String) {
    let home = Receiver::start().await;
    let address = home.url(HOME);
    for path in ["/callback", "/goodbye"] {
        client.redirect(path, &address);
    }
    (home, address)
}

#[tokio::test]
async fn a_client_may_go_on_to_another_origin_after_every_form() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let (_home, address) = home_of(&client).await;
    let chromium = Chromium::start(&app).await;
    for button in ["consent-deny", "consent-allow"] {
        chromium.open(&Authorization::of(&client.client).path()).await;
        if button == "consent-deny" {
            chromium.sign_in(&alice).await;
        }
        chromium.shows("/consent").await;
        chromium.click(button).await;
        chromium.leaves_for(&address).await;
        client.arrival("/callback").await;
    }
    chromium.open(&Authorization::of(&client.client).with("prompt", "login").path()).await;
    chromium.sign_in(&alice).await;
    chromium.leaves_for(&address).await;
    client.arrival("/callback").await;
    chromium.open(&Authorization::of(&client.client).with("prompt", "login").path()).await;
    chromium.click("login-cancel").await;
    chromium.leaves_for(&address).await;
    client.arrival("/callback").await;
    chromium.open(&Authorization::of(&client.client).with("prompt", "select_account").path()).await;
    chromium.click("account-continue").await;
    chromium.leaves_for(&address).await;
    client.arrival("/callback").await;
    let goodbye = client.url("/goodbye");
    let asked = [("client_id", client.client.id.as_str()), ("post_logout_redirect_uri", goodbye.as_str())];
    chromium.open(&format!("/logout?{}", encode(&asked))).await;
    chromium.click("logout-confirm").await;
    chromium.leaves_for(&address).await;
    client.arrival("/goodbye").await;
    chromium.close().await;
}

#[tokio::test]
async fn a_client_may_go_on_to_another_origin_after_form_post() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::trusted(&app).await, app.alice().await);
    let (_home, address) = home_of(&client).await;
    let chromium = Chromium::start(&app).await;
    chromium.open(&Authorization::of(&client.client).with("response_mode", "form_post").path()).await;
    chromium.sign_in(&alice).await;
    chromium.leaves_for(&address).await;
    assert_eq!(client.arrival("/callback").await.method, "POST");
    chromium.close().await;
}

#[tokio::test]
async fn back_from_the_client_does_not_meet_the_page_that_handed_over() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open("/login").await;
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    let entries = chromium.run("return history.length").await.as_u64().unwrap();
    chromium.click("consent-allow").await;
    client.tokens(&app, &chromium, &request).await;
    assert_eq!(chromium.run("return history.length").await.as_u64(), Some(entries + 1));
    chromium.close().await;
}
