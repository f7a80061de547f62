//! Without a mouse.

use fantoccini::key::Key;
use serde_json::json;

use super::{Chromium, RelyingParty};
use crate::harness::{Authorization, PASSWORD, TestApp, encode};

/// Whether what has the focus can be told from the rest: a ring of at least two pixels around something in view.
const HAS_VISIBLE_FOCUS: &str = "
    const it = document.activeElement;
    const style = getComputedStyle(it);
    const box = it.getBoundingClientRect();
    const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
    const inView = box.width > 0 && box.height > 0 && box.top >= 0 && box.bottom <= innerHeight;
    return ring && inView && it.matches(':focus-visible');";

impl Chromium {
    /// Presses Tab from where the focus is, until it leaves the page; every stop must show where one is.
    async fn tab_through(&self) -> Vec<String> {
        let mut stops = Vec::new();
        for _ in 0..20 {
            self.press(Key::Tab).await;
            let focus = self.focus().await;
            if focus == "BODY" || stops.contains(&focus) {
                return stops;
            }
            assert_eq!(self.run(HAS_VISIBLE_FOCUS).await, json!(true), "the focus on #{focus} is visible");
            stops.push(focus);
        }
        panic!("the focus goes round: {stops:?}");
    }

    /// Presses Tab until `id` has the focus.
    pub(super) async fn tab_to(&self, id: &str) {
        for _ in 0..20 {
            if self.focus().await == id {
                return;
            }
            self.press(Key::Tab).await;
        }
        panic!("#{id} can be reached by Tab");
    }
}

#[tokio::test]
async fn a_whole_journey_needs_only_the_keyboard() {
    let app = TestApp::start().await;
    let client = RelyingParty::with(&app, |settings, base| {
        settings.consent = ostiary::model::client::ConsentPolicy::Remembered;
        settings.policy_uri = Some(format!("{base}/policy"));
        settings.tos_uri = Some(format!("{base}/terms"));
    });
    let mut client = client.await;
    app.alice().await;
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    // The first field has the focus, and shows it.
    assert_eq!(chromium.focus().await, "username");
    assert_eq!(chromium.run(HAS_VISIBLE_FOCUS).await, json!(true));
    let stops = chromium.tab_through().await;
    assert_eq!(stops, ["password", "login-submit", "login-cancel", "client-policy", "client-tos"]);
    chromium.tab_to("username").await;
    chromium.type_text("alice").await;
    chromium.press(Key::Tab).await;
    chromium.type_text(PASSWORD).await;
    chromium.press(Key::Enter).await;
    chromium.shows("/consent").await;
    let stops = chromium.tab_through().await;
    assert_eq!(stops, ["consent-switch", "consent-allow", "consent-deny", "client-policy", "client-tos"]);
    chromium.tab_to("consent-allow").await;
    chromium.press(Key::Enter).await;
    let tokens = client.tokens(&app, &chromium, &request).await;

    let chosen = Authorization::of(&client.client).with("prompt", "select_account");
    chromium.open(&chosen.path()).await;
    chromium.shows("/select-account").await;
    let stops = chromium.tab_through().await;
    assert_eq!(stops, ["account-continue", "account-another", "account-cancel", "client-policy", "client-tos"]);
    chromium.tab_to("account-continue").await;
    chromium.press(Key::Enter).await;
    client.tokens(&app, &chromium, &chosen).await;

    let goodbye = client.url("/goodbye");
    let asked = [("client_id", client.client.id.as_str()), ("post_logout_redirect_uri", goodbye.as_str())];
    chromium.open(&format!("/logout?{}", encode(&asked))).await;
    assert_eq!(chromium.tab_through().await, ["logout-confirm", "logout-cancel"]);
    chromium.tab_to("logout-confirm").await;
    chromium.press(Key::Enter).await;
    chromium.leaves_for(&goodbye).await;
    app.assert_access_token_is_over(&client.client, tokens.access()).await;
    chromium.close().await;
}

#[tokio::test]
async fn a_wrong_password_and_a_denial_need_only_the_keyboard() {
    let app = TestApp::start().await;
    let (mut client, _alice) = (RelyingParty::foreign(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    chromium.open(&Authorization::of(&client.client).path()).await;
    chromium.type_text("alice").await;
    chromium.press(Key::Tab).await;
    chromium.type_text("wrong").await;
    chromium.press_and_leave(Key::Enter).await;
    chromium.shows("/login").await;
    assert!(chromium.text("login-error").await.contains("not right"));
    // Where one types next is where one is.
    assert_eq!(chromium.focus().await, "password");
    assert_eq!(chromium.run(HAS_VISIBLE_FOCUS).await, json!(true));
    chromium.type_text(PASSWORD).await;
    chromium.press_and_leave(Key::Enter).await;
    chromium.shows("/consent").await;
    chromium.tab_to("consent-deny").await;
    chromium.press(Key::Space).await;
    assert_eq!(client.answer(&chromium).await["error"], "access_denied");
    // Cancel, on the page before.
    let again = Authorization::of(&client.client).with("prompt", "login");
    chromium.open(&again.path()).await;
    chromium.tab_to("login-cancel").await;
    chromium.press(Key::Enter).await;
    assert_eq!(client.answer(&chromium).await["error"], "access_denied");
    chromium.close().await;
}
