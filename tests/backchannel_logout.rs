//! OpenID Connect Back-Channel Logout 1.0.

use ostiary::config::OutboundPurpose;
use ostiary::model::client::ClientSettings;
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};

use crate::harness::{
    Authorization, Browser, Receiver, TestApp, TestClient, TestPerson, TlsPeer, Tokens, jwt, parameters,
};

const GOODBYE: &str = "https://web.example/goodbye";
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

struct SignedIn {
    app: TestApp,
    receiver: Receiver,
    client: TestClient,
    alice: TestPerson,
    browser: Browser,
    tokens: Tokens,
}

async fn signed_in() -> SignedIn {
    signed_in_to(|_| {}).await
}

async fn signed_in_to(change: impl FnOnce(&mut ClientSettings)) -> SignedIn {
    let receiver = Receiver::start().await;
    let exception = receiver.exception();
    let app = TestApp::with_config(|config| config.outbound.allow.push(exception)).await;
    signed_in_at(app, receiver, change).await
}

async fn signed_in_at(app: TestApp, receiver: Receiver, change: impl FnOnce(&mut ClientSettings)) -> SignedIn {
    let uri = receiver.url("/backchannel?keep=this");
    let client = app
        .web_client_with(|settings| {
            settings.backchannel_logout_uri = Some(uri);
            change(settings);
        })
        .await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    SignedIn { app, receiver, client, alice, browser, tokens }
}

impl SignedIn {
    /// The next logout token that arrives, its form and its signature verified.
    async fn logout_token(&mut self) -> Value {
        let received = self.receiver.next().await;
        assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/backchannel?keep=this"));
        assert_eq!(received.content_type, "application/x-www-form-urlencoded");
        let form = parameters(&received.body);
        assert_eq!(form.keys().map(String::as_str).collect::<Vec<_>>(), ["logout_token"], "nothing else");
        let token = jwt::verify(&self.app, &form["logout_token"]).await;
        assert_eq!(token.header["typ"], "logout+jwt");
        let id_token = jwt::read(self.tokens.id());
        assert_eq!(token.header["alg"], id_token.header["alg"], "the algorithm of the client's ID tokens");
        token.claims
    }

    async fn assert_told(&mut self, sid: &Value) {
        let mut claims = self.logout_token().await;
        let jti = claims["jti"].take();
        let now = self.app.now().timestamp();
        assert_eq!(
            claims,
            json!({
                "iss": self.app.issuer(),
                "sub": self.alice.sub(),
                "aud": self.client.id,
                "iat": now,
                "exp": now + 120,
                "jti": null,
                "sid": sid,
                "events": { EVENT: {} },
            }),
            "and no nonce"
        );
        assert!(jti.as_str().is_some_and(|jti| jti.len() >= 22));
    }
}

#[tokio::test]
async fn rp_initiated_logout_posts_a_logout_token_and_redirects() {
    let mut s = signed_in().await;
    let sid = s.tokens.id_claims(&s.app).await["sid"].clone();
    let path = format!("/logout?id_token_hint={}&post_logout_redirect_uri={GOODBYE}&state=x", s.tokens.id());
    let page = s.browser.open(&path).await;
    assert_eq!(page.returned_to(GOODBYE), [("state".to_owned(), "x".to_owned())].into());
    s.assert_told(&sid).await;
    let request = Authorization::of(&s.client).with("prompt", "none");
    let answer = s.browser.open(&request.path()).await.returned_error(&s.client.redirect_uri);
    assert_eq!(answer["error"], "login_required");
    s.app.everything_is_delivered().await;
    s.receiver.assert_nothing_more();
}

#[tokio::test]
async fn the_logout_token_has_the_algorithm_of_the_clients_id_tokens() {
    for alg in SigningAlg::ALL {
        let mut s = signed_in_to(|settings| settings.id_token_signed_response_alg = alg).await;
        assert_eq!(jwt::read(s.tokens.id()).header["alg"], alg.as_str());
        let sid = s.tokens.id_claims(&s.app).await["sid"].clone();
        s.browser.open(&format!("/logout?id_token_hint={}", s.tokens.id())).await;
        s.assert_told(&sid).await;
    }
}

#[tokio::test]
async fn the_logout_token_is_sent_at_once_and_does_not_wait_for_the_jobs_next_turn() {
    let receiver = Receiver::start().await;
    let exception = receiver.exception();
    let app = TestApp::with_outbox_on_demand(|config| config.outbound.allow.push(exception)).await;
    let mut s = signed_in_at(app, receiver, |_| {}).await;
    let sid = s.tokens.id_claims(&s.app).await["sid"].clone();
    let path = format!("/logout?id_token_hint={}&post_logout_redirect_uri={GOODBYE}", s.tokens.id());
    assert!(s.browser.open(&path).await.has_left);
    s.assert_told(&sid).await;
}

#[tokio::test]
async fn every_client_of_the_session_is_told_once_and_no_other() {
    let mut s = signed_in().await;
    let uri = s.receiver.url("/second");
    let second = s.app.public_client_with(|settings| settings.backchannel_logout_uri = Some(uri)).await;
    let uri = s.receiver.url("/never");
    s.app.web_client_with(|settings| settings.backchannel_logout_uri = Some(uri)).await;
    for _ in 0..2 {
        s.app.tokens_in(&mut s.browser, &second, &Authorization::of(&second), &s.alice).await;
    }
    // The same person elsewhere is not concerned.
    s.app.tokens(&second, &s.alice, "openid").await;
    s.browser.open(&format!("/logout?id_token_hint={}", s.tokens.id())).await;
    let mut paths = vec![s.receiver.next().await.path, s.receiver.next().await.path];
    paths.sort_unstable();
    assert_eq!(paths, ["/backchannel?keep=this", "/second"]);
    s.app.everything_is_delivered().await;
    s.receiver.assert_nothing_more();
}

#[tokio::test]
async fn a_session_ended_by_an_administrator_tells_the_clients() {
    let mut s = signed_in().await;
    let sid = s.tokens.id_claims(&s.app).await["sid"].clone();
    let ended = serde_json::from_value(sid.clone()).unwrap();
    let reason = ostiary::model::session::EndReason::Administrator;
    ostiary::flow::logout::end_session(&s.app.app, ended, reason, s.app.now()).await.unwrap();
    s.assert_told(&sid).await;
    s.app.assert_family_is_over(&s.client, &s.tokens).await;
}

#[tokio::test]
async fn a_session_that_expires_tells_the_clients() {
    let mut s = signed_in().await;
    let sid = s.tokens.id_claims(&s.app).await["sid"].clone();
    s.app.pass(chrono::TimeDelta::hours(13));
    let now = s.app.now();
    ostiary::jobs::Job::SessionExpiry.run_once(&s.app.app, now).await.unwrap();
    s.app.app.outbox_bell.notify_one();
    s.assert_told(&sid).await;
}

#[tokio::test]
async fn a_session_that_is_not_used_tells_the_clients() {
    let mut s = signed_in().await;
    let sid = s.tokens.id_claims(&s.app).await["sid"].clone();
    let review = async |app: &TestApp| {
        // The first run only says when to look again.
        for _ in 0..2 {
            ostiary::jobs::Job::SessionExpiry.run_once(&app.app, app.now()).await.unwrap();
        }
        app.app.outbox_bell.notify_one();
    };
    review(&s.app).await;
    s.app.pass(chrono::TimeDelta::minutes(90));
    // A client that refreshes uses the session: its tokens end with it.
    let tokens = s.app.refreshed(&s.client, s.tokens.refresh()).await;
    s.app.pass(chrono::TimeDelta::minutes(90));
    review(&s.app).await;
    s.app.everything_is_delivered().await;
    s.receiver.assert_nothing_more();
    let tokens = s.app.refreshed(&s.client, tokens.refresh()).await;
    s.app.pass(chrono::TimeDelta::minutes(120));
    review(&s.app).await;
    s.assert_told(&sid).await;
    s.app.assert_family_is_over(&s.client, &tokens).await;
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_later() {
    let mut s = signed_in().await;
    s.receiver.answer_with(&[503]);
    s.browser.open(&format!("/logout?id_token_hint={}", s.tokens.id())).await;
    let first = s.logout_token().await;
    let failed = s.app.delivery(|row| row.last_error.is_some()).await;
    assert!(failed.attempts == 1 && !failed.is_done, "{failed:?}");
    // Not before it is due, and then with a token that is still good.
    s.app.run_outbox().await;
    s.receiver.assert_nothing_more();
    s.app.pass_seconds(3600);
    s.app.run_outbox().await;
    let second = s.logout_token().await;
    assert_eq!(second["sid"], first["sid"]);
    assert_eq!(second["iat"], s.app.now().timestamp(), "a fresh token: the old one has expired");
    s.app.delivery(|row| row.is_done && row.attempts == 2).await;
    s.app.pass_seconds(86_400);
    s.app.run_outbox().await;
    s.app.everything_is_delivered().await;
    s.receiver.assert_nothing_more();
}

#[tokio::test]
async fn an_administrator_sees_what_each_client_was_told() {
    let mut s = signed_in().await;
    let sid = s.tokens.id_claims(&s.app).await["sid"].as_str().unwrap().to_owned();
    let notices = async |app: &TestApp| {
        let admin = app.admin(&["admin:sessions:read"]).await;
        admin.get(&format!("/admin/sessions/{sid}")).await.document(200)["logout_notices"].clone()
    };
    assert_eq!(notices(&s.app).await, json!([]));
    s.receiver.answer_with(&[503]);
    s.browser.open(&format!("/logout?id_token_hint={}", s.tokens.id())).await;
    s.logout_token().await;
    s.app.delivery(|row| row.last_error.is_some()).await;
    let waiting = notices(&s.app).await;
    assert_eq!((&waiting[0]["state"], &waiting[0]["attempts"]), (&json!("waiting"), &json!(1)), "{waiting}");
    assert!(waiting[0]["next_attempt_at"].is_string() && waiting[0]["last_error"].is_string(), "{waiting}");
    s.app.pass_seconds(3600);
    s.app.run_outbox().await;
    s.logout_token().await;
    s.app.delivery(|row| row.is_done).await;
    let delivered = notices(&s.app).await;
    assert_eq!((&delivered[0]["state"], &delivered[0]["attempts"]), (&json!("delivered"), &json!(2)), "{delivered}");
    assert!(delivered[0].get("next_attempt_at").is_none() && delivered[0]["settled_at"].is_string(), "{delivered}");
}

#[tokio::test]
async fn an_address_inside_ones_own_network_is_not_called_without_an_exception() {
    let mut receiver = Receiver::start().await;
    let app = TestApp::start().await;
    let uri = receiver.url("/backchannel");
    let client = app.web_client_with(|settings| settings.backchannel_logout_uri = Some(uri)).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    let page = browser.open(&format!("/logout?id_token_hint={}", tokens.id())).await;
    assert!(page.has("logged-out"), "{page:?}");
    let refused = app.delivery(|row| row.last_error.is_some()).await;
    assert!(refused.attempts == 1 && !refused.is_done, "{refused:?}");
    receiver.assert_nothing_more();
}

#[tokio::test]
async fn a_client_with_a_certificate_of_the_operators_own_authority_is_told_over_tls() {
    let peer = TlsPeer::start();
    peer.serve("text/plain", b"");
    for is_trusted in [false, true] {
        let app = TestApp::with_config(|config| match is_trusted {
            true => peer.is_trusted_by(&mut config.outbound, OutboundPurpose::BackchannelLogout),
            false => peer.may_be_called_by(&mut config.outbound, OutboundPurpose::BackchannelLogout),
        })
        .await;
        let uri = peer.url("/backchannel");
        let client = app.web_client_with(|settings| settings.backchannel_logout_uri = Some(uri)).await;
        let alice = app.alice().await;
        let mut browser = app.browser();
        let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
        browser.open(&format!("/logout?id_token_hint={}", tokens.id())).await;
        if is_trusted {
            app.delivery(|row| row.is_done).await;
            let request = peer.last_request();
            assert!(request.starts_with("POST /backchannel HTTP/1.1\r\n"), "{request}");
            let form = parameters(request.split_once("\r\n\r\n").unwrap().1);
            let claims = jwt::verify(&app, &form["logout_token"]).await.claims;
            assert_eq!(claims["sid"], tokens.id_claims(&app).await["sid"]);
        } else {
            let refused = app.delivery(|row| row.last_error.is_some()).await;
            assert!(!refused.is_done, "{refused:?}");
            assert_eq!(peer.last_request(), "", "nothing was said to a stranger");
        }
    }
}
