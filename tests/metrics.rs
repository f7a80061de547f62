//! What Prometheus collects: on a listener of its own, true to what happened, and named as dashboards and alerts name it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ostiary::config::Config;
use serde_json::{Value, json};

use crate::harness::{Authorization, ClientKey, Cluster, Database, TestApp, free_port, http_client};

/// What one look tells.
pub struct Scraped(String);

impl Scraped {
    pub async fn of(app: &TestApp) -> Self {
        let bind = app.app.config.metrics.bind.expect("a place for metrics");
        let answer = http_client().get(format!("http://{bind}/metrics")).send().await.expect("it answers");
        assert_eq!(answer.status(), 200);
        let media_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(media_type.starts_with("application/openmetrics-text"), "{media_type}");
        let text = answer.text().await.unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        Self(text)
    }

    /// The value of a series, with its labels in any order.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("{name} {labels:?} is not there:\n{}", self.0))
    }

    fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let is_it = |series: &str| {
            let (found, rest) = series.split_once('{').unwrap_or((series, ""));
            found == name && labels.iter().all(|(label, value)| rest.contains(&format!("{label}=\"{value}\"")))
        };
        let mut lines = self.0.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        lines.find(|(series, _)| is_it(series)).map(|(_, value)| value.parse().expect("a number"))
    }

    /// The metrics by the names that queries use.
    fn names(&self) -> BTreeSet<String> {
        let types = self.0.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let named = types.map(|line| {
            let (name, kind) = line.split_once(' ').expect("a type");
            if kind == "counter" { format!("{name}_total") } else { name.to_owned() }
        });
        named.collect()
    }
}

/// Has metrics told.
pub fn collected(config: &mut Config) {
    config.metrics.bind = Some(format!("127.0.0.1:{}", free_port()).parse().unwrap());
}

/// A server on a Postgres that can go away.
async fn server(cluster: &Cluster) -> TestApp {
    TestApp::on(Database::of_cluster(cluster).await, collected).await
}

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations").join(name)).expect(name)
}

/// Every name of a metric in a text, without what histograms add.
fn named_in(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("ostiary_").map(|(at, _)| &text[at..]);
    let names = starts.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap());
    names
        .map(|name| {
            let histogram = ["_bucket", "_count", "_sum"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
            histogram.unwrap_or(name).to_owned()
        })
        .collect()
}

#[tokio::test]
async fn they_are_on_a_listener_of_their_own_and_nowhere_else() {
    let app = TestApp::with_config(collected).await;
    assert_eq!(app.get("/metrics").send().await.status, 404, "not for clients");
    let bind = app.app.config.metrics.bind.unwrap();
    for path in ["/", "/token", "/jwks.json"] {
        let answer = http_client().get(format!("http://{bind}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path} is not for those who collect");
    }
    Scraped::of(&app).await;
}

#[tokio::test]
async fn requests_and_errors_are_counted_by_route_and_by_client() {
    let app = TestApp::with_config(collected).await;
    let (client, machine) = (app.web_client().await, app.machine_client().await);
    for _ in 0..3 {
        app.token(&machine, &[("grant_type", "client_credentials"), ("scope", "mail.read")]).await.json();
    }
    app.refresh(&client, "nonsense").await.assert_error(400, "invalid_grant", "the refresh token is not valid");
    let wrong = client.with_secret("wrong");
    let unknown = client.called("made-up-by-a-stranger");
    for refused in [wrong, unknown] {
        let answer = app.refresh(&refused, "nonsense").await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &body["error"]), (401, &json!("invalid_client")));
    }
    // A redirect with an error, a page with one, and a path that is not there.
    let request = Authorization::of(&client).with("prompt", "none");
    let error = app.browser().open(&request.path()).await.returned_error(&client.redirect_uri);
    assert_eq!(error["error"], "login_required");
    app.get("/authorize?client_id=nobody").send().await;
    app.get("/made-up/by-a-stranger").send().await;

    let seen = Scraped::of(&app).await;
    let requests = |endpoint, method, status| {
        let labels = [("endpoint", endpoint), ("method", method), ("status", status)];
        seen.value("ostiary_http_requests_total", &labels)
    };
    assert_eq!(requests("/token", "POST", "200"), 3.0);
    assert_eq!(requests("(none)", "GET", "404"), 1.0);
    assert!(!seen.0.contains("made-up"), "nobody's words become labels:\n{}", seen.0);
    assert_eq!(seen.value("ostiary_http_request_duration_seconds_count", &[("endpoint", "/token")]), 6.0);
    let errors =
        |endpoint, error| seen.value("ostiary_oauth_errors_total", &[("endpoint", endpoint), ("error", error)]);
    assert_eq!(errors("/token", "invalid_grant"), 1.0);
    assert_eq!(errors("/token", "invalid_client"), 2.0);
    assert_eq!(errors("/authorize", "login_required"), 1.0);
    assert_eq!(errors("/authorize", "invalid_client"), 1.0);
    let of_client = |error| seen.value("ostiary_client_errors_total", &[("client", &client.id), ("error", error)]);
    for error in ["invalid_grant", "invalid_client", "login_required"] {
        assert_eq!(of_client(error), 1.0, "{error}");
    }
    assert_eq!(seen.value("ostiary_http_requests_in_flight", &[]), 0.0);
}

/// Also of those that are refused for it: they are why somebody looks.
#[tokio::test]
async fn the_clocks_of_clients_are_seen_in_what_they_sign() {
    let app = TestApp::with_config(collected).await;
    let client = app.signing_client(ClientKey::generate("ES256")).await;
    let now = app.now().timestamp();
    for ahead in [0, 8, 90] {
        let assertion = client.assertion(json!({"iat": now + ahead}));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", crate::harness::ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        let answer = app.post_form("/token", &form).await;
        assert_eq!(answer.status == 200, ahead < 60, "{answer:?}");
    }
    let seen = Scraped::of(&app).await;
    let up_to = |bound| {
        let labels = [("kind", "client_assertion"), ("le", bound)];
        seen.value("ostiary_client_clock_skew_seconds_bucket", &labels)
    };
    assert_eq!((up_to("1.0"), up_to("5.0"), up_to("10.0")), (1.0, 1.0, 2.0));
    assert_eq!((up_to("30.0"), up_to("+Inf")), (2.0, 3.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_in_the_documents_are_those_that_are_told() {
    let mut cluster = Cluster::start().await;
    let app = server(&cluster).await;
    let client = app.signing_client(ClientKey::generate("ES256")).await;
    assert_eq!(app.token(&client, &[("grant_type", "refresh_token"), ("refresh_token", "x")]).await.status, 400);
    let told = Scraped::of(&app).await.names();
    let listed: BTreeSet<String> = document("metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next().map(str::to_owned))
        .collect();
    assert_eq!(listed, told, "docs/operations/metrics.md lists what is told, no more and no less");
    for name in ["alerts.yaml", "dashboard.json"] {
        let text = document(name);
        let unknown: Vec<_> = named_in(&text).difference(&told).cloned().collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
        assert!(named_in(&text).len() > 5, "{name} names metrics");
    }
    serde_json::from_str::<Value>(&document("dashboard.json")).expect("JSON");
    let alerts: Value = serde_yaml_ng::from_str(&document("alerts.yaml")).expect("YAML");
    for rule in alerts["groups"][0]["rules"].as_array().unwrap() {
        assert!(rule["annotations"]["mend"].is_string(), "{rule}: whoever is woken is told what to do");
    }

    // And they go on while Postgres is away, which is when somebody looks.
    cluster.kill().await;
    // Whoever is not known yet has to be looked up.
    let stranger = client.called("somebody-else");
    app.token(&stranger, &[("grant_type", "client_credentials")]).await.assert_unavailable();
    let seen = Scraped::of(&app).await;
    assert!(seen.find("ostiary_outbox_rows", &[]).is_none(), "only Postgres knows");
    let failures = ["connection", "statement"]
        .map(|call| seen.find("ostiary_postgres_call_failures_total", &[("call", call)]).unwrap_or_default());
    assert!(failures.iter().sum::<f64>() >= 1.0, "{failures:?}");
    let errors = [("endpoint", "/token"), ("error", "temporarily_unavailable")];
    assert_eq!(seen.value("ostiary_oauth_errors_total", &errors), 1.0);
}
