//! Connecting a device, as on a phone.

use ostiary::model::client::{ConsentPolicy, GrantType};
use serde_json::Value;

use super::Chromium;
use crate::harness::{TestApp, TestClient};

async fn television(app: &TestApp) -> TestClient {
    app.public_client_with(|settings| {
        settings.grant_types = vec![GrantType::DeviceCode, GrantType::RefreshToken];
        settings.redirect_uris.clear();
        settings.consent = ConsentPolicy::Remembered;
    })
    .await
}

async fn begin(app: &TestApp, client: &TestClient) -> Value {
    app.call_as(client, "/device_authorization", &[("scope", "openid photos.read")]).await.json()
}

#[tokio::test]
async fn a_code_is_typed_and_the_device_gets_its_tokens() {
    let app = TestApp::start().await;
    let (client, alice) = (television(&app).await, app.alice().await);
    let device = begin(&app, &client).await;
    let chromium = Chromium::start(&app).await;
    chromium.open("/device").await;
    assert_eq!(chromium.focus().await, "user-code");
    chromium.assert_fit("device").await;
    chromium.fill_in("user-code", "bbbb bbbb").await;
    chromium.click("device-submit").await;
    chromium.element("device-error").await;
    chromium.assert_fit("device-wrong").await;
    let typed = device["user_code"].as_str().unwrap().to_lowercase().replace('-', " ");
    chromium.fill_in("user-code", &typed).await;
    chromium.click("device-submit").await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    chromium.assert_fit("device-consent").await;
    chromium.click("consent-allow").await;
    chromium.element("device-done").await;
    chromium.assert_fit("device-done").await;
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let form = [grant, ("device_code", device["device_code"].as_str().unwrap())];
    assert_eq!(app.token(&client, &form).await.status, 200);
    chromium.close().await;
}

#[tokio::test]
async fn a_link_shows_the_code_and_one_click_refuses() {
    let app = TestApp::start().await;
    let (client, alice) = (television(&app).await, app.alice().await);
    let device = begin(&app, &client).await;
    let chromium = Chromium::start(&app).await;
    chromium.open(&format!("/device?user_code={}", device["user_code"].as_str().unwrap())).await;
    assert_eq!(chromium.text("device-code").await, device["user_code"].as_str().unwrap());
    chromium.assert_fit("device-confirm").await;
    chromium.click("device-submit").await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    chromium.click("consent-deny").await;
    chromium.element("device-refused").await;
    chromium.assert_fit("device-refused").await;
    chromium.close().await;
}
