//! Allowing, denying, and pressing twice.

use super::{Chromium, RelyingParty};
use crate::harness::{Authorization, TestApp, parameters};

#[tokio::test]
async fn allow_is_asked_once_and_leads_to_a_code() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client).with("scope", "openid email photos.read");
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    let shown = chromium.visible_text().await;
    for text in ["Photo Album", "Alice Adams", "See your e-mail address", "See your photos"] {
        assert!(shown.contains(text), "{text} is in {shown}");
    }
    client.assert_nothing_more();
    chromium.click("consent-allow").await;
    let tokens = client.tokens(&app, &chromium, &request).await;
    assert_eq!(tokens.id_claims(&app).await["sub"], alice.sub());
    let again = Authorization::of(&client.client).with("scope", "openid email photos.read");
    chromium.open(&again.path()).await;
    client.tokens(&app, &chromium, &again).await;
    chromium.close().await;
}

#[tokio::test]
async fn deny_tells_the_client() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    chromium.click("consent-deny").await;
    let answer = client.answer(&chromium).await;
    assert_eq!(answer["error"], "access_denied");
    assert_eq!(answer["state"], request.value("state"));
    // Nothing was remembered.
    chromium.open(&Authorization::of(&client.client).path()).await;
    chromium.shows("/consent").await;
    chromium.close().await;
}

#[tokio::test]
async fn a_double_click_on_allow_leaves_the_client_with_a_good_code() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    chromium.double_click("consent-allow").await;
    chromium.leaves_for(&client.client.redirect_uri).await;
    // What is in the address bar came last, and is what the client goes on with.
    let answer = parameters(chromium.url().await.query().unwrap());
    assert_eq!(answer["state"], request.value("state"));
    let tokens = client.redeem(&app, &request, &answer["code"]).await;
    app.assert_family_stands(&client.client, &tokens).await;
    client.arrival("/callback").await;
    chromium.close().await;
}

#[tokio::test]
async fn what_was_allowed_is_withdrawn_on_the_account_page() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    chromium.click("consent-allow").await;
    let tokens = client.tokens(&app, &chromium, &request).await;
    chromium.open("/account/consents").await;
    let withdraw = chromium.client.find(fantoccini::Locator::Css("form button")).await.unwrap();
    withdraw.click().await.unwrap();
    chromium.element("no-consents").await;
    app.assert_family_is_over(&client.client, &tokens).await;
    chromium.close().await;
}
