//! A frontend of the operator's own, on another port of the issuer's host: what the browser lets its scripts do.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Chromium, RelyingParty};
use crate::harness::{Authorization, PASSWORD, Receiver, TestApp};

const PAGE: &str = include_str!("frontend.html");
const PATHS: [&str; 3] = ["/login", "/select-account", "/consent"];
/// What Chromium's console says of a refused call.
const BLOCKED: &str = "has been blocked by CORS policy";

/// Where the frontend's pages are, and a server that sends people there.
async fn frontend() -> (Receiver, TestApp) {
    let frontend = Receiver::start().await;
    let base = frontend.url("");
    let app = TestApp::with_config(|config| config.server.frontend_base_url = Some(base)).await;
    publish(&frontend, &app);
    (frontend, app)
}

fn publish(frontend: &Receiver, app: &TestApp) {
    for path in PATHS {
        frontend.serve_page(path, &PAGE.replace("{issuer}", app.issuer()));
    }
}

impl Chromium {
    /// Waits until the frontend says this.
    async fn frontend_says(&self, expected: &str) {
        let begun = Instant::now();
        loop {
            let said = self.text("next").await;
            if said == expected {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(15), "{expected}, not {said}: {}", self.url().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn its_scripts_take_every_step_with_the_cookies_of_the_issuer() {
    let (frontend, app) = frontend().await;
    let (mut client, _alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.leaves_for(&frontend.url("/login")).await;
    chromium.frontend_says("login").await;
    chromium.fill_in("username", "alice").await;
    chromium.fill_in("password", "wrong").await;
    chromium.click_here("sign-in").await;
    chromium.frontend_says("refused").await;
    chromium.fill_in("password", PASSWORD).await;
    chromium.click_here("sign-in").await;
    chromium.frontend_says("consent").await;
    assert_eq!(chromium.run("return document.cookie").await, json!(""), "no script sees who is signed in");
    chromium.click("allow").await;
    client.tokens(&app, &chromium, &request).await;

    // Signed in, and asked on the pages for that.
    let request = Authorization::of(&client.client).with("prompt", "select_account");
    chromium.open(&request.path()).await;
    chromium.leaves_for(&frontend.url("/select-account")).await;
    chromium.frontend_says("select_account").await;
    chromium.click("continue").await;
    client.tokens(&app, &chromium, &request).await;
    let request = Authorization::of(&client.client).with("prompt", "consent");
    chromium.open(&request.path()).await;
    chromium.leaves_for(&frontend.url("/consent")).await;
    chromium.frontend_says("consent").await;
    chromium.click("deny").await;
    assert_eq!(client.answer(&chromium).await["error"], "access_denied");
    // The wrong password is a 403, which Chromium writes down.
    chromium.close_after(&["403"]).await;
}

#[tokio::test]
async fn the_same_page_at_another_origin_reads_and_does_nothing() {
    let (frontend, app) = frontend().await;
    let (mut client, _alice) = (RelyingParty::trusted(&app).await, app.alice().await);
    let imitation = Receiver::start().await;
    publish(&imitation, &app);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.leaves_for(&frontend.url("/login")).await;
    chromium.frontend_says("login").await;
    let genuine = chromium.url().await;
    // The attempt's number is in the address, so an imitation could have it; the cookies go with its calls, too.
    chromium.open(&imitation.url(&format!("/login?{}", genuine.query().unwrap()))).await;
    chromium.frontend_says("Failed to fetch").await;
    chromium.fill_in("username", "alice").await;
    chromium.fill_in("password", PASSWORD).await;
    chromium.run("show('')").await;
    chromium.click_here("sign-in").await;
    chromium.frontend_says("Failed to fetch").await;
    // What needs no permission to be sent arrives, and is refused.
    let script = "
        const body = JSON.stringify({interaction: step.interaction, decision: 'deny'});
        return fetch(ISSUER + '/authorize/decision', {method: 'POST', mode: 'no-cors', credentials: 'include', body})
            .then(answer => answer.type);";
    assert_eq!(chromium.run(script).await, json!("opaque"));
    chromium.open(genuine.as_str()).await;
    chromium.frontend_says("login").await;
    chromium.fill_in("username", "alice").await;
    chromium.fill_in("password", PASSWORD).await;
    chromium.click("sign-in").await;
    client.tokens(&app, &chromium, &request).await;
    chromium.close_after(&[BLOCKED, "Failed to load resource"]).await;
}
