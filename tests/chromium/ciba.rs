//! Deciding about a request that was made elsewhere.

use fantoccini::key::Key;
use ostiary::model::client::{ConsentPolicy, GrantType, TokenDeliveryMode};

use super::Chromium;
use crate::harness::{TestApp, TestClient};

async fn call_centre(app: &TestApp) -> TestClient {
    app.web_client_with(|settings| {
        settings.grant_types = vec![GrantType::Ciba, GrantType::RefreshToken];
        settings.backchannel_token_delivery_mode = Some(TokenDeliveryMode::Poll);
        settings.redirect_uris.clear();
        settings.post_logout_redirect_uris.clear();
        settings.consent = ConsentPolicy::Remembered;
    })
    .await
}

async fn begin(app: &TestApp, client: &TestClient, message: &str) -> String {
    let form = [("scope", "openid photos.read"), ("login_hint", "alice"), ("binding_message", message)];
    let answer = app.call_as(client, "/backchannel_authentication", &form).await.json();
    answer["auth_req_id"].as_str().unwrap().to_owned()
}

async fn poll(app: &TestApp, client: &TestClient, auth_req_id: &str) -> u16 {
    let grant = ("grant_type", "urn:openid:params:grant-type:ciba");
    app.token(client, &[grant, ("auth_req_id", auth_req_id)]).await.status
}

#[tokio::test]
async fn a_person_allows_one_request_and_refuses_another() {
    let app = TestApp::start().await;
    let (client, alice) = (call_centre(&app).await, app.alice().await);
    let first = begin(&app, &client, "W4SCT").await;
    let chromium = Chromium::start(&app).await;
    chromium.open("/login").await;
    chromium.sign_in(&alice).await;
    chromium.shows("/account/consents").await;
    chromium.click("room-requests").await;
    chromium.shows("/account/requests").await;
    assert!(chromium.visible_text().await.contains("W4SCT"));
    chromium.assert_fit("requests").await;
    chromium.assert_dark_is_dark().await;
    chromium.click("look-1").await;
    chromium.shows("/consent").await;
    assert_eq!(chromium.text("binding-message").await, "W4SCT");
    chromium.assert_fit("request-consent").await;
    chromium.click("consent-allow").await;
    chromium.element("request-done").await;
    chromium.assert_fit("request-done").await;
    assert_eq!(poll(&app, &client, &first).await, 200);
    let second = begin(&app, &client, "DONAUDAMPFSCHIFFFAHRTSGESELLSCHAFTSKAPITAENSMUETZENBAND").await;
    // A second passes before the place of the first one is free.
    chromium.click("requests-back").await;
    chromium.shows("/account/requests").await;
    chromium.assert_fit("requests-long").await;
    chromium.click("refuse-1").await;
    chromium.element("requests-remark").await;
    chromium.assert_fit("requests-none").await;
    assert_eq!(poll(&app, &client, &second).await, 400);
    chromium.close().await;
}

#[tokio::test]
async fn a_decision_needs_only_the_keyboard() {
    let app = TestApp::start().await;
    let (client, alice) = (call_centre(&app).await, app.alice().await);
    let auth_req_id = begin(&app, &client, "W4SCT").await;
    let chromium = Chromium::start(&app).await;
    chromium.open("/login").await;
    chromium.sign_in(&alice).await;
    chromium.open("/account/requests").await;
    chromium.tab_to("look-1").await;
    chromium.press_and_leave(Key::Enter).await;
    chromium.shows("/consent").await;
    chromium.tab_to("consent-allow").await;
    chromium.press_and_leave(Key::Enter).await;
    chromium.element("request-done").await;
    assert_eq!(poll(&app, &client, &auth_req_id).await, 200);
    chromium.close().await;
}
