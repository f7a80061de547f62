//! A client with a server of its own, on another site than ours.

use std::collections::BTreeMap;

use ostiary::model::client::{ClientSettings, ConsentPolicy};

use super::driver::Chromium;
use crate::harness::{Authorization, Received, Receiver, TestApp, TestClient, Tokens, parameters};

/// A registered client, and what arrives at its addresses.
pub struct RelyingParty {
    pub client: TestClient,
    receiver: Receiver,
    base: String,
}

impl RelyingParty {
    /// One that the operator trusts: no consent is asked.
    pub async fn trusted(app: &TestApp) -> Self {
        Self::with(app, |_, _| {}).await
    }

    /// One that needs consent.
    pub async fn foreign(app: &TestApp) -> Self {
        Self::with(app, |settings, _| settings.consent = ConsentPolicy::Remembered).await
    }

    /// One with other settings; `change` is told where it lives.
    pub async fn with(app: &TestApp, change: impl FnOnce(&mut ClientSettings, &str)) -> Self {
        let receiver = Receiver::start().await;
        // Ports do not make a site of their own; another name does.
        let base = receiver.url("").replace("127.0.0.1", "localhost");
        let registered = app.web_client_with(|settings| {
            settings.redirect_uris = vec![format!("{base}/callback")];
            settings.post_logout_redirect_uris = vec![format!("{base}/goodbye")];
            change(settings, &base);
        });
        Self { client: registered.await, receiver, base }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Sends whoever comes to `path` on to `location`, by GET.
    pub fn redirect(&self, path: &str, location: &str) {
        self.receiver.redirect(path, location);
    }

    /// The next request for `path`; Chromium asks for an icon too.
    pub async fn arrival(&mut self, path: &str) -> Received {
        loop {
            let received = self.receiver.next().await;
            if received.path.split('?').next() == Some(path) {
                return received;
            }
            assert_eq!(received.path, "/favicon.ico", "only {path} is asked for");
        }
    }

    /// Waits for the browser and gives the parameters with which it came.
    pub async fn answer(&mut self, chromium: &Chromium) -> BTreeMap<String, String> {
        chromium.leaves_for(&self.client.redirect_uri).await;
        let received = self.arrival("/callback").await;
        assert_eq!(received.method, "GET");
        parameters(received.path.split_once('?').expect("a query").1)
    }

    /// Waits for the browser, which must bring a code for `request`, and redeems it.
    pub async fn tokens(&mut self, app: &TestApp, chromium: &Chromium, request: &Authorization) -> Tokens {
        let answer = self.answer(chromium).await;
        assert_eq!(answer.get("state").map(String::as_str), Some(request.value("state")), "{answer:?}");
        assert_eq!(answer.get("iss").map(String::as_str), Some(app.issuer()), "{answer:?}");
        let code = answer.get("code").unwrap_or_else(|| panic!("a code in {answer:?}"));
        self.redeem(app, request, code).await
    }

    pub async fn redeem(&self, app: &TestApp, request: &Authorization, code: &str) -> Tokens {
        let answer = app.token(&self.client, &app.redemption(request, code)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Tokens { body: answer.json() }
    }

    pub fn assert_nothing_more(&mut self) {
        self.receiver.assert_nothing_more();
    }
}
