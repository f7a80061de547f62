//! The demo application of the development mode, in the same process as its issuer.

use ostiary::config::Installation;
use ostiary::model::client::{ClientAuthMethod, ClientSettings, ConsentPolicy, GrantType};

use crate::harness::{Browser, Page, TestApp, TestClient};

async fn demo() -> (TestApp, TestClient) {
    let app = TestApp::with_config(|config| config.installation = Installation::Dev).await;
    let settings = ClientSettings {
        redirect_uris: vec![format!("{}/demo/callback", app.issuer())],
        post_logout_redirect_uris: vec![format!("{}/", app.issuer())],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scopes: ["openid", "profile", "email", "address", "phone"].map(str::to_owned).to_vec(),
        token_endpoint_auth_method: ClientAuthMethod::None,
        consent: ConsentPolicy::FirstParty,
        ..ClientSettings::default()
    };
    let client = app.insert_client("demo-browser", settings).await;
    (app, client)
}

async fn signed_in(app: &TestApp) -> (Browser, Page) {
    let alice = app.alice().await;
    let mut browser = app.browser();
    let home = browser.open("/").await;
    let login = browser.submit(&home, "demo-sign-in", &[]).await;
    let home = browser.log_in(&login, &alice).await;
    home.assert_shown("/", &["verified", "demo-refresh"]);
    (browser, home)
}

#[tokio::test]
async fn a_refresh_that_fails_for_a_while_forgets_nobody() {
    let (app, client) = demo().await;
    let (mut browser, home) = signed_in(&app).await;
    app.change_client(&client, |client| client.enabled = false).await;
    let failed = browser.submit(&home, "demo-refresh", &[]).await;
    assert!(failed.has("demo-failed"), "{failed:?}");
    assert!(failed.text("demo-failure").starts_with("invalid_client: "), "{failed:?}");
    assert!(failed.visible_text().contains("You stay signed in"), "{failed:?}");
    let home = browser.open("/").await;
    home.assert_shown("/", &["verified", "demo-refresh"]);
    app.change_client(&client, |client| client.enabled = true).await;
    let home = browser.submit(&home, "demo-refresh", &[]).await;
    home.assert_shown("/", &["refreshed"]);
    // What came with the refresh is what the next one needs.
    browser.submit(&home, "demo-refresh", &[]).await.assert_shown("/", &["refreshed"]);
}

#[tokio::test]
async fn a_refresh_after_the_end_of_the_grant_says_that_the_sign_in_is_over() {
    let (app, _) = demo().await;
    let (mut browser, home) = signed_in(&app).await;
    let question = browser.open("/logout").await;
    browser.submit(&question, "logout-confirm", &[]).await;
    let failed = browser.submit(&home, "demo-refresh", &[]).await;
    assert!(failed.text("demo-failure").starts_with("invalid_grant: "), "{failed:?}");
    assert!(failed.visible_text().contains("is over"), "{failed:?}");
    browser.open("/").await.assert_shown("/", &["demo-sign-in"]);
}
