//! Forwarded headers, seen in their effect on the limits of password attempts.

use ostiary::config::ClientIpHeaderMode;

use crate::harness::{Authorization, Browser, Page, TestApp, TestPerson};

const ALLOWED: u32 = 3;

async fn behind(proxies: &str) -> TestApp {
    reading(ClientIpHeaderMode::XForwardedFor, proxies).await
}

async fn reading(mode: ClientIpHeaderMode, proxies: &str) -> TestApp {
    let proxies = proxies.parse().unwrap();
    TestApp::with_config(|config| {
        config.server.trusted_proxy_cidrs = vec![proxies];
        config.server.client_ip_header_mode = mode;
        config.throttle.per_network = ALLOWED;
    })
    .await
}

async fn guess(app: &TestApp, address: &str, person: &TestPerson) -> Page {
    guess_with(app, &[("x-forwarded-for", address)], person).await
}

async fn guess_with(app: &TestApp, claims: &[(&'static str, &str)], person: &TestPerson) -> Page {
    let client = app.web_client().await;
    let mut browser: Browser = app.browser();
    for (header, value) in claims {
        browser.claim(header, value);
    }
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

#[tokio::test]
async fn forwarded_is_read_with_ipv6_and_the_other_header_is_nobodys_word() {
    let app = reading(ClientIpHeaderMode::Forwarded, "127.0.0.0/8").await;
    let alice = app.alice().await;
    let claims = |host: u32| {
        let forwarded =
            format!("for=198.51.100.{host}, For=\"[2001:db8:1:2::{host:x}]:4711\";proto=https;by=127.0.0.1");
        (forwarded, format!("203.0.113.{host}"))
    };
    for host in 1..=ALLOWED {
        let (forwarded, other) = claims(host);
        guess_with(&app, &[("forwarded", &forwarded), ("x-forwarded-for", &other)], &alice).await.assert_login_again();
    }
    // One subscriber has all addresses of a /64.
    let (forwarded, other) = claims(200);
    let page = guess_with(&app, &[("forwarded", &forwarded), ("x-forwarded-for", &other)], &alice).await;
    assert_eq!(page.answer.status, 429, "another address in the other header is no other client");
    guess_with(&app, &[("forwarded", "for=\"[2001:db8:1:3::1]\"")], &alice).await.assert_login_again();
}

#[tokio::test]
async fn forwarded_is_nobodys_word_where_the_other_header_is_read() {
    let app = behind("127.0.0.0/8").await;
    let alice = app.alice().await;
    for host in 1..=ALLOWED {
        let forwarded = format!("for=203.0.113.{host}");
        let page = guess_with(&app, &[("forwarded", &forwarded), ("x-forwarded-for", "2001:db8::1")], &alice).await;
        page.assert_login_again();
    }
    let claims = [("forwarded", "for=203.0.113.200"), ("x-forwarded-for", "2001:db8::2")];
    assert_eq!(guess_with(&app, &claims, &alice).await.answer.status, 429);
}
