//! A frontend of the operator's own while a store is down: its script is told to come again, and can read that.

use serde_json::Value;

use crate::frontend::{Frontend, assert_readable, read, returned, settings};
use crate::harness::{Answer, Authorization, Cluster, Database, TestApp, Valkey};

/// One person who was asked for consent, and the calls that come next.
struct Waiting {
    frontend: Frontend,
    consent: String,
    decision: Value,
    credentials: Value,
}

#[track_caller]
fn assert_put_off(answer: &Answer) {
    answer.assert_unavailable();
    assert_readable(answer);
    let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
    assert!(exposed.contains("retry-after"), "the script can read it: {exposed}");
}

impl Waiting {
    async fn at(app: TestApp) -> Self {
        let mut frontend = Frontend::of(app).await;
        let request = Authorization::of(&frontend.client).with("scope", "openid photos.read");
        let id = frontend.begin(&request, "/login").await;
        let asked = frontend.log_in(&id, "alice").await;
        assert_eq!(asked["next"], "consent", "{asked}");
        let decision = frontend.decision(&id, "allow", asked["account"].as_str());
        let credentials = frontend.credentials(&id, "alice");
        Self { frontend, consent: format!("/authorize/consent?interaction={id}"), decision, credentials }
    }

    async fn assert_everything_is_put_off(&mut self) {
        assert_put_off(&self.frontend.get("/auth/session").await);
        assert_put_off(&self.frontend.get(&self.consent).await);
        assert_put_off(&self.frontend.post("/auth/login", &self.credentials).await);
        assert_put_off(&self.frontend.post("/authorize/decision", &self.decision).await);
    }

    /// The same attempt ends as if nothing had been.
    async fn assert_goes_on(&mut self) {
        assert_eq!(read(&self.frontend.get("/auth/session").await)["person"]["username"], "alice");
        assert_eq!(read(&self.frontend.get(&self.consent).await)["next"], "consent", "nothing was decided meanwhile");
        assert_eq!(read(&self.frontend.post("/auth/login", &self.credentials).await)["next"], "consent");
        let done = read(&self.frontend.post("/authorize/decision", &self.decision).await);
        assert!(returned(&done, &self.frontend.client).contains_key("code"), "{done}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgres_each_call_is_put_off_and_the_attempt_goes_on_afterwards() {
    let mut cluster = Cluster::start().await;
    let app = TestApp::on(Database::of_cluster(&cluster).await, settings).await;
    let mut waiting = Waiting::at(app).await;
    cluster.kill().await;
    waiting.assert_everything_is_put_off().await;
    cluster.start_again().await;
    waiting.frontend.app.is_ready().await;
    waiting.assert_goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_valkey_each_call_is_put_off_and_the_attempt_goes_on_afterwards() {
    let valkey = Valkey::start().await;
    let url = valkey.url();
    let app = TestApp::with_config(|config| {
        settings(config);
        config.state.valkey_url = Some(url.into());
    })
    .await;
    let mut waiting = Waiting::at(app).await;
    valkey.freeze();
    waiting.assert_everything_is_put_off().await;
    valkey.thaw();
    waiting.frontend.app.is_ready().await;
    waiting.assert_goes_on().await;
}
