//! Signing in, and what may go wrong with it.

use super::{Chromium, RelyingParty};
use crate::harness::{Authorization, PASSWORD, TestApp};

#[tokio::test]
async fn signing_in_leads_to_a_code_at_the_client() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::trusted(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.shows("/login").await;
    assert!(chromium.visible_text().await.contains("Photo Album"));
    chromium.sign_in(&alice).await;
    let tokens = client.tokens(&app, &chromium, &request).await;
    assert_eq!(tokens.id_claims(&app).await["sub"], alice.sub());
    // Signed in once is enough.
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    client.tokens(&app, &chromium, &request).await;
    chromium.close().await;
}

#[tokio::test]
async fn a_wrong_password_is_said_and_the_username_kept() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::trusted(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    assert_eq!(chromium.focus().await, "username");
    assert_eq!(chromium.text("login-error").await, "");
    chromium.fill_in("username", "alice").await;
    chromium.fill_in("password", "wrong").await;
    chromium.click("login-submit").await;
    chromium.shows("/login").await;
    let region = chromium.element("login-error").await;
    assert!(region.is_displayed().await.unwrap());
    assert!(region.text().await.unwrap().contains("The username or the password is not right"));
    assert_eq!(region.attr("role").await.unwrap().as_deref(), Some("alert"));
    assert_eq!(chromium.value("username").await, "alice");
    assert_eq!(chromium.value("password").await, "");
    assert_eq!(chromium.focus().await, "password", "what is typed next goes where it is needed");
    assert!(chromium.client.title().await.unwrap().starts_with("Error: "));
    client.assert_nothing_more();
    chromium.type_text(PASSWORD).await;
    chromium.click("login-submit").await;
    let tokens = client.tokens(&app, &chromium, &request).await;
    assert_eq!(tokens.id_claims(&app).await["sub"], alice.sub());
    chromium.close().await;
}

#[tokio::test]
async fn an_empty_form_stays_in_the_browser() {
    let app = TestApp::start().await;
    let mut client = RelyingParty::trusted(&app).await;
    let chromium = Chromium::start(&app).await;
    chromium.open(&Authorization::of(&client.client).path()).await;
    let before = chromium.url().await;
    chromium.click_here("login-submit").await;
    assert_eq!(chromium.url().await, before);
    assert_eq!(chromium.focus().await, "username");
    // Leaving needs nothing filled in.
    chromium.click("login-cancel").await;
    assert_eq!(client.answer(&chromium).await["error"], "access_denied");
    chromium.close().await;
}

#[tokio::test]
async fn cancel_tells_the_client() {
    let app = TestApp::start().await;
    let mut client = RelyingParty::trusted(&app).await;
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.fill_in("username", "alice").await;
    chromium.click("login-cancel").await;
    let answer = client.answer(&chromium).await;
    assert_eq!(answer["error"], "access_denied");
    assert_eq!(answer["state"], request.value("state"));
    assert_eq!(answer["iss"], app.issuer());
    assert!(!answer.contains_key("code"));
    chromium.close().await;
}

#[tokio::test]
async fn an_expired_page_begins_anew_and_ends_well() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::trusted(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    app.pass_seconds(31 * 60);
    chromium.sign_in(&alice).await;
    chromium.shows("/login").await;
    assert!(chromium.text("login-notice").await.contains("we started over"));
    assert_eq!(chromium.value("username").await, "alice");
    assert_eq!(chromium.focus().await, "password");
    chromium.type_text(PASSWORD).await;
    chromium.click("login-submit").await;
    client.tokens(&app, &chromium, &request).await;
    chromium.close().await;
}

#[tokio::test]
async fn an_expired_page_that_is_reloaded_begins_anew_and_ends_well() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::trusted(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    app.pass_seconds(31 * 60);
    chromium.reload().await;
    chromium.shows("/login").await;
    assert!(chromium.text("login-notice").await.contains("we started over"));
    chromium.sign_in(&alice).await;
    client.tokens(&app, &chromium, &request).await;
    chromium.close().await;
}
