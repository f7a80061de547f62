//! The demo application of the development mode, from the first click to the last.

use ostiary::model::client::ConsentPolicy;

use super::Chromium;
use crate::demo::demo;
use crate::harness::{TestApp, jwt};

/// A token as the page shows it in full.
async fn raw(chromium: &Chromium, panel: &str) -> String {
    let script = format!("return document.querySelector('#{panel} details pre').textContent");
    chromium.run(&script).await.as_str().unwrap_or_else(|| panic!("#{panel} has a token")).to_owned()
}

async fn assert_is_over(app: &TestApp, access_token: &str) {
    let answer = app.userinfo(access_token).await;
    answer.assert_bearer_error(401, "invalid_token", "the access token is invalid, expired or revoked");
}

#[tokio::test]
async fn the_demo_signs_in_refreshes_and_signs_out() {
    let (app, client) = demo().await;
    app.change_client(&client, |client| client.settings.consent = ConsentPolicy::Remembered).await;
    let (alice, chromium) = (app.alice().await, Chromium::start(&app).await);
    chromium.open("/").await;
    assert!(!chromium.has("verified").await);
    chromium.click("demo-sign-in").await;
    chromium.shows("/login").await;
    chromium.sign_in(&alice).await;
    chromium.shows("/consent").await;
    chromium.click("consent-allow").await;
    chromium.shows("/").await;
    assert_eq!(chromium.text("verified").await, "ID token verified");
    let claims = chromium.text("claims").await;
    for claim in [alice.sub(), "alice@people.example"] {
        assert!(claims.contains(claim), "{claim} is in {claims}");
    }
    // What is shown is a token of this server for this application, and the words beside are what it says.
    let id_token = jwt::verify(&app, &raw(&chromium, "id-token").await).await;
    assert_eq!((&id_token.claims["sub"], &id_token.claims["aud"]), (&alice.sub().into(), &"demo-browser".into()));
    let shown = chromium.text("id-token").await;
    for said in ["sub", "nonce", "at_hash", "sid"] {
        let said = format!("\"{said}\": {}", id_token.claims[said]);
        assert!(shown.contains(&said), "{said} is in {shown}");
    }
    let first = raw(&chromium, "access-token").await;
    assert_eq!(app.userinfo(&first).await.json()["sub"], alice.sub());
    assert!(!chromium.has("refreshed").await);

    chromium.click("demo-refresh").await;
    chromium.shows("/").await;
    assert_eq!(chromium.text("refreshed").await, "Tokens refreshed. Number of refreshes so far: 1.");
    let second = raw(&chromium, "access-token").await;
    assert_ne!(second, first);
    assert_eq!(app.userinfo(&second).await.json()["sub"], alice.sub());

    chromium.click("demo-sign-out").await;
    chromium.shows("/").await;
    chromium.element("demo-sign-in").await;
    assert!(!chromium.has("verified").await && !chromium.has("claims").await);
    for token in [&first, &second] {
        assert_is_over(&app, token).await;
    }
    // Nor is the browser signed in at the server any more.
    chromium.click("demo-sign-in").await;
    chromium.shows("/login").await;
    chromium.element("password").await;
    chromium.close().await;
}
