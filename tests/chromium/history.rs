//! The back button and several tabs.

use super::{Chromium, RelyingParty};
use crate::harness::{Authorization, TestApp};

#[tokio::test]
async fn back_after_signing_in_goes_on_with_consent() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    chromium.back().await;
    chromium.shows("/consent").await;
    chromium.click("consent-allow").await;
    client.tokens(&app, &chromium, &request).await;
    chromium.close().await;
}

#[tokio::test]
async fn back_after_consent_ends_well_at_once_and_is_explained_later() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    let consent = chromium.url().await;
    chromium.click("consent-allow").await;
    let first = client.tokens(&app, &chromium, &request).await;
    chromium.back().await;
    // Chromium may have kept the page, and shows it as it was; else it asks for it and is sent on.
    if chromium.has("consent-allow").await {
        chromium.click("consent-allow").await;
    }
    let second = client.tokens(&app, &chromium, &request).await;
    for tokens in [&first, &second] {
        app.assert_family_stands(&client.client, tokens).await;
    }
    app.pass_seconds(61);
    chromium.open(consent.as_str()).await;
    assert!(chromium.has("error-page").await);
    assert!(chromium.visible_text().await.contains("This sign-in was completed before"));
    chromium.close_after(&["400 (Bad Request)"]).await;
}

#[tokio::test]
async fn back_past_a_wrong_password_goes_on_with_consent() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.fill_in("username", "alice").await;
    chromium.fill_in("password", "wrong").await;
    chromium.click("login-submit").await;
    chromium.shows("/login").await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    for _ in 0..2 {
        chromium.back().await;
        chromium.shows("/consent").await;
    }
    chromium.click("consent-allow").await;
    client.tokens(&app, &chromium, &request).await;
    chromium.close().await;
}

#[tokio::test]
async fn back_onto_a_wrong_password_shows_the_page_and_not_a_question_of_the_browser() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::trusted(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    for start in [Authorization::of(&client.client).path(), "/login".to_owned()] {
        chromium.open(&start).await;
        chromium.fill_in("username", "alice").await;
        chromium.fill_in("password", "wrong").await;
        chromium.click("login-submit").await;
        chromium.shows("/login").await;
        chromium.element("login-error").await;
        chromium.open("/health").await;
        chromium.back().await;
        chromium.element("login-submit").await;
        chromium.reload().await;
        chromium.element("login-submit").await;
    }
    chromium.sign_in(&alice).await;
    chromium.shows("/account/consents").await;
    client.assert_nothing_more();
    chromium.close().await;
}

#[tokio::test]
async fn back_onto_the_end_of_signing_out_shows_the_page_and_not_a_question_of_the_browser() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let chromium = Chromium::start(&app).await;
    chromium.open("/login").await;
    chromium.sign_in(&alice).await;
    for (button, shown) in [("logout-cancel", "stayed-signed-in"), ("logout-confirm", "logged-out")] {
        chromium.shows("/account/consents").await;
        chromium.open("/logout").await;
        chromium.click(button).await;
        chromium.element(shown).await;
        chromium.open("/health").await;
        chromium.back().await;
        chromium.element(shown).await;
        chromium.open("/account/consents").await;
    }
    chromium.shows("/login").await;
    chromium.close().await;
}

#[tokio::test]
async fn back_after_signing_out_finds_nobody_signed_in() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let chromium = Chromium::start(&app).await;
    chromium.open("/login").await;
    chromium.sign_in(&alice).await;
    chromium.shows("/account/consents").await;
    assert!(chromium.visible_text().await.contains("Alice Adams"));
    chromium.click("account-sign-out").await;
    chromium.shows("/logout").await;
    chromium.click("logout-confirm").await;
    chromium.element("logged-out").await;
    // The question is not asked again, and says what is the case now.
    chromium.back().await;
    chromium.element("logged-out").await;
    chromium.back().await;
    chromium.shows("/login").await;
    assert!(!chromium.visible_text().await.contains("Alice Adams"));
    chromium.close().await;
}

#[tokio::test]
async fn two_tabs_both_end_well() {
    let app = TestApp::start().await;
    let (mut one, mut two) = (RelyingParty::trusted(&app).await, RelyingParty::foreign(&app).await);
    let alice = app.alice().await;
    let chromium = Chromium::start(&app).await;
    let (first, second) = (Authorization::of(&one.client), Authorization::of(&two.client));
    let first_tab = chromium.client.window().await.unwrap();
    chromium.open(&first.path()).await;
    chromium.shows("/login").await;
    let second_tab = chromium.client.new_window(true).await.unwrap().handle;
    chromium.client.switch_to_window(second_tab).await.unwrap();
    chromium.open(&second.path()).await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    chromium.click("consent-allow").await;
    two.tokens(&app, &chromium, &second).await;
    // The first tab still shows its form.
    chromium.client.switch_to_window(first_tab).await.unwrap();
    chromium.sign_in(&alice).await;
    one.tokens(&app, &chromium, &first).await;
    chromium.close().await;
}
