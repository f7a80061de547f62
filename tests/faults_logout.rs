//! Signing out while a store is down: it is put off as a whole, and happens once when the store is back.

use ostiary::config::Config;

use crate::harness::{Authorization, Browser, Cluster, Database, Page, Receiver, TestApp, TestClient, Tokens, Valkey};

const GOODBYE: &str = "https://web.example/goodbye";

struct SignedIn {
    app: TestApp,
    receiver: Receiver,
    client: TestClient,
    browser: Browser,
    tokens: Tokens,
    /// The page that asks whether to sign out, opened before anything went wrong.
    question: Page,
}

/// The ways out: a client's link with a hint, and the answer to our own question.
#[derive(Clone, Copy)]
enum Way {
    Hint,
    Answer,
}

impl SignedIn {
    async fn at(app: TestApp, receiver: Receiver) -> Self {
        let uri = receiver.url("/backchannel");
        let client = app.web_client_with(|settings| settings.backchannel_logout_uri = Some(uri)).await;
        let alice = app.alice().await;
        let mut browser = app.browser();
        let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
        let question = browser.open("/logout").await;
        question.assert_shown("/logout", &["logout-confirm"]);
        Self { app, receiver, client, browser, tokens, question }
    }

    async fn leave(&mut self, way: Way) -> Page {
        match way {
            Way::Hint => {
                let hint = self.tokens.id();
                let path = format!("/logout?id_token_hint={hint}&post_logout_redirect_uri={GOODBYE}&state=x");
                self.browser.open(&path).await
            }
            Way::Answer => self.browser.submit(&self.question, "logout-confirm", &[]).await,
        }
    }

    async fn assert_is_put_off(&mut self) {
        for way in [Way::Hint, Way::Answer, Way::Hint] {
            let page = self.leave(way).await;
            page.assert_unavailable("/logout");
            assert_eq!(page.answer.header("clear-site-data"), None, "nothing has ended: {page:?}");
        }
    }

    /// Nothing was half done: the browser is signed in, the tokens are good, and no client was told.
    async fn assert_nothing_ended(&mut self) {
        let request = Authorization::of(&self.client).with("prompt", "none");
        self.browser.open(&request.path()).await.returned_code(&self.client.redirect_uri);
        let refreshed = self.app.assert_family_stands(&self.client, &self.tokens).await;
        // The hint stays the one from before the outage.
        self.tokens.body["refresh_token"] = refreshed.body["refresh_token"].clone();
        self.app.everything_is_delivered().await;
        self.receiver.assert_nothing_more();
    }

    async fn assert_ends_once(&mut self, way: Way) {
        let page = self.leave(way).await;
        match way {
            Way::Hint => assert_eq!(page.returned_to(GOODBYE)["state"], "x"),
            Way::Answer => assert!(page.has("logged-out"), "{page:?}"),
        }
        self.app.assert_family_is_over(&self.client, &self.tokens).await;
        // Whoever is impatient changes nothing.
        self.leave(way).await;
        assert_eq!(self.receiver.next().await.path, "/backchannel");
        self.app.everything_is_delivered().await;
        self.receiver.assert_nothing_more();
    }
}

async fn receiver() -> (Receiver, impl FnOnce(&mut Config)) {
    let receiver = Receiver::start().await;
    let exception = receiver.exception();
    (receiver, |config: &mut Config| config.outbound.allow.push(exception))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgres_signing_out_is_put_off_and_then_happens_once() {
    for way in [Way::Hint, Way::Answer] {
        let mut cluster = Cluster::start().await;
        let (receiver, change) = receiver().await;
        let app = TestApp::on(Database::of_cluster(&cluster).await, change).await;
        let mut s = SignedIn::at(app, receiver).await;
        cluster.kill().await;
        s.assert_is_put_off().await;
        cluster.start_again().await;
        s.app.is_ready().await;
        s.assert_nothing_ended().await;
        s.assert_ends_once(way).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_valkey_signing_out_is_put_off_and_then_happens_once() {
    for way in [Way::Hint, Way::Answer] {
        let valkey = Valkey::start().await;
        let url = valkey.url();
        let (receiver, change) = receiver().await;
        let app = TestApp::with_config(|config| {
            change(config);
            config.state.valkey_url = Some(url.into());
        })
        .await;
        let mut s = SignedIn::at(app, receiver).await;
        // What it holds comes back with it: a browser is then still signed in.
        valkey.freeze();
        s.assert_is_put_off().await;
        valkey.thaw();
        s.app.is_ready().await;
        s.assert_nothing_ended().await;
        s.assert_ends_once(way).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_record_was_lost_with_valkey_ends_when_the_person_says_so() {
    let mut valkey = Valkey::start().await;
    let url = valkey.url();
    let (receiver, change) = receiver().await;
    let app = TestApp::with_config(|config| {
        change(config);
        config.state.valkey_url = Some(url.into());
    })
    .await;
    let mut s = SignedIn::at(app, receiver).await;
    valkey.kill();
    s.assert_is_put_off().await;
    valkey.start_again().await;
    s.app.is_ready().await;
    // The session goes on in Postgres, and this browser is a stranger now: so it is asked.
    let question = s.leave(Way::Hint).await;
    question.assert_shown("/logout", &["logout-confirm"]);
    s.tokens.body["refresh_token"] =
        s.app.assert_family_stands(&s.client, &s.tokens).await.body["refresh_token"].clone();
    let page = s.browser.submit(&question, "logout-confirm", &[]).await;
    assert_eq!(page.returned_to(GOODBYE)["state"], "x");
    s.app.assert_family_is_over(&s.client, &s.tokens).await;
    s.receiver.next().await;
    s.app.everything_is_delivered().await;
    s.receiver.assert_nothing_more();
}
