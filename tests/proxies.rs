//! Forwarded headers, seen in their effect on the limits of password attempts.

use ostiary::config::ClientIpHeaderMode;

use crate::harness::{Authorization, Browser, Page, TestApp, TestPerson};

const ALLOWED: u32 = 3;

async fn behind(proxies: &str) -> TestApp {
    let proxies = proxies.parse().unwrap();
    TestApp::with_config(|config| {
        config.server.trusted_proxy_cidrs = vec![proxies];
        config.server.client_ip_header_mode = ClientIpHeaderMode::XForwardedFor;
        config.throttle.per_network = ALLOWED;
    })
    .await
}

async fn guess(app: &TestApp, address: &str, person: &TestPerson) -> Page {
    let client = app.web_client().await;
    let mut browser: Browser = app.browser();
    browser.claim_to_be(address);
    let login = browser.open(&Authorization::of(&client).path()).await;
    browser.submit(&login, "login-submit", &[("username", &person.username), ("password", "wrong")]).await
}

#[tokio::test]
async fn a_trusted_proxy_is_asked_whom_it_speaks_for() {
    let app = behind("127.0.0.0/8").await;
    let alice = app.alice().await;
    for _ in 0..ALLOWED {
        // What stands further left than the trusted proxy's own entry is the client's invention.
        guess(&app, "198.51.100.9, 203.0.113.1", &alice).await.assert_login_again();
    }
    assert_eq!(guess(&app, "198.51.100.77, 203.0.113.1", &alice).await.answer.status, 429);
    guess(&app, "203.0.113.2", &alice).await.assert_login_again();
}

#[tokio::test]
async fn anybody_else_is_who_they_are_whatever_they_claim() {
    let app = behind("10.0.0.0/8").await;
    let alice = app.alice().await;
    for index in 0..ALLOWED {
        guess(&app, &format!("203.0.113.{index}"), &alice).await.assert_login_again();
    }
    let page = guess(&app, "203.0.113.200", &alice).await;
    assert_eq!(page.answer.status, 429, "another address in the header is no other client");
}
