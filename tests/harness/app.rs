//! A server of a test's own: real HTTP on a free port, a fresh database, its own state, a clock that stands still.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use ostiary::app::{App, Parts};
use ostiary::bootstrap;
use ostiary::clock::{Clock, ManualClock};
use ostiary::config::Config;
use ostiary::flow::client_document::ClientDocuments;
use ostiary::flow::client_keys::ClientKeys;
use ostiary::flow::request_object::RequestObjects;
use ostiary::keys::client_authorities::ClientAuthorities;
use ostiary::storage::registry::Registry;
use ostiary::storage::state::StateStore;
use ostiary::telemetry::audit::AuditNotes;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::answer::Answer;
use super::browser::Browser;
use super::database::Database;
use super::deadline::eventually;
use super::keys;

/// A running server.
pub struct TestApp {
    /// What the server itself uses: for setting up, and for the jobs.
    pub app: App,
    /// The clock of this server and of every instance beside it.
    pub clock: ManualClock,
    /// Where it listens.
    pub base: String,
    http: reqwest::Client,
    database: Arc<Database>,
    _stop: oneshot::Sender<()>,
}

impl TestApp {
    /// A server with the defaults.
    pub async fn start() -> Self {
        Self::with_config(|_| {}).await
    }

    /// A server with other settings.
    pub async fn with_config(change: impl FnOnce(&mut Config)) -> Self {
        Self::on(Database::create().await, change).await
    }

    /// A server with other settings on a database that was made before.
    pub async fn on(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        Self::serving(database, change, |app| app).await
    }

    /// A server with other settings, on which nothing of the outbox is delivered before the bell is rung: by itself its job
    /// would look again only after the test.
    pub async fn with_outbox_on_demand(change: impl FnOnce(&mut Config)) -> Self {
        let rarely = |app: App| {
            let parts = Parts { outbox_period: Duration::from_hours(24), ..parts(&app, app.state.clone()) };
            App::new(parts)
        };
        Self::serving(Database::create().await, change, rarely).await
    }

    async fn serving(database: Database, change: impl FnOnce(&mut Config), rebuild: impl FnOnce(App) -> App) -> Self {
        let database = Arc::new(database);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let mut config = config(&database);
        config.server.bind = address;
        config.server.issuer = format!("http://{address}");
        change(&mut config);
        // What was made in the second in which the state store began may be older than that, and is not believed: so that
        // second is over, and the clock is none the less not ahead of those of programs that tests start.
        let clock = ManualClock::starting_at(whole_second(Clock::system().now()) - TimeDelta::seconds(1));
        let app = bootstrap::build(config, Clock::manual(&clock)).await.expect("the server is built");
        clock.advance(TimeDelta::seconds(1));
        Self::serve(rebuild(app), clock, listener, database)
    }

    /// Another instance of the same server: same issuer, database, state and keys, another port.
    pub async fn second_instance(&self) -> Self {
        self.second_instance_with(|_| {}).await
    }

    /// The same with other settings.
    pub async fn second_instance_with(&self, change: impl FnOnce(&mut Config)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut config = self.app.config.clone();
        change(&mut config);
        let built = bootstrap::build(config, Clock::manual(&self.clock)).await.expect("it is built");
        // The memory store is one process's; instances that share it stand for instances that share a Valkey.
        let app = App::new(parts(&built, self.app.state.clone()));
        Self::serve(app, self.clock.clone(), listener, self.database.clone())
    }

    /// Another instance of the same server, on which no thread is ever free to look at a password.
    pub async fn busy_instance(&self) -> Self {
        self.second_instance_with(|config| config.passwords.queue_timeout = Duration::ZERO).await
    }

    /// Waits until the server says that it recovered, and until what it remembers is verified again.
    pub async fn is_ready(&self) {
        eventually("the server is ready", || async { (self.get("/ready").send().await.status == 200).then_some(()) })
            .await;
        eventually("clients are known again", || async { self.app.registry.catalog(self.now()).await.ok().map(drop) })
            .await;
    }

    /// The same server as another process would be, which shares Postgres, Valkey and the keys with this one and nothing
    /// else, and whose clock differs by `skew`.
    pub async fn other_process(&self, skew: TimeDelta) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let clock = ManualClock::starting_at(self.now() + skew);
        let app = bootstrap::build(self.app.config.clone(), Clock::manual(&clock)).await.expect("it is built");
        Self::serve(app, clock, listener, self.database.clone())
    }

    fn serve(app: App, clock: ManualClock, listener: TcpListener, database: Arc<Database>) -> Self {
        let base = format!("http://{}", listener.local_addr().expect("its address"));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = app.clone();
        tokio::spawn(async move {
            let shutdown = async {
                stopped.await.ok();
            };
            bootstrap::serve(served, listener, shutdown).await.expect("the server runs");
        });
        Self { app, clock, base, http: http_client(), database, _stop: stop }
    }

    pub fn issuer(&self) -> &str {
        self.app.issuer()
    }

    /// For looking at what the verbs do not tell.
    pub fn database_url(&self) -> String {
        self.database.url().expose_secret().to_owned()
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// Moves the clock.
    pub fn pass(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    pub fn pass_seconds(&self, seconds: i64) {
        self.pass(TimeDelta::seconds(seconds));
    }

    /// A browser without any cookie.
    pub fn browser(&self) -> Browser {
        Browser::new(self.issuer(), &self.base)
    }

    pub fn request(&self, method: Method, path: &str) -> Call {
        Call { builder: self.http.request(method, format!("{}{path}", self.base)) }
    }

    pub fn get(&self, path: &str) -> Call {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.request(Method::POST, path)
    }

    /// A POST with a form.
    pub async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post(path).form(form).send().await
    }

    /// A plain connection, for what no HTTP library sends.
    pub async fn raw(&self, request: &[u8]) -> super::raw::RawAnswer {
        super::raw::exchange(self.base.trim_start_matches("http://"), request).await
    }
}

/// A request that is being put together.
pub struct Call {
    builder: reqwest::RequestBuilder,
}

impl Call {
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { builder: self.builder.header(name, value) }
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn form(self, form: &[(&str, &str)]) -> Self {
        self.body("application/x-www-form-urlencoded", &encode(form))
    }

    pub fn body(self, content_type: &str, body: &str) -> Self {
        Self { builder: self.builder.header("content-type", content_type).body(body.to_owned()) }
    }

    pub fn json(self, body: &serde_json::Value) -> Self {
        self.body("application/json", &body.to_string())
    }

    pub async fn send(self) -> Answer {
        Answer::read(self.builder.send().await.expect("the server answers")).await
    }
}

/// A form as a browser writes it.
pub fn encode(form: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// A client that follows nothing and keeps nothing.
pub fn http_client() -> reqwest::Client {
    static PROVIDER: LazyLock<()> = LazyLock::new(|| {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    });
    LazyLock::force(&PROVIDER);
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().expect("an HTTP client")
}

fn config(database: &Database) -> Config {
    let mut config = Config::default();
    config.database.url = database.url();
    config.database.pool_size = 8;
    config.state.prefix = database.name().to_owned();
    config.state.valkey_url = match std::env::var("OSTIARY_TEST_STATE").as_deref() {
        Ok("valkey") => {
            Some(std::env::var("OSTIARY_TEST_VALKEY_URL").expect("OSTIARY_TEST_VALKEY_URL names a Valkey").into())
        }
        Ok("memory") | Err(_) => None,
        Ok(other) => panic!("OSTIARY_TEST_STATE is memory or valkey, not {other}"),
    };
    config.server.drain_delay = Duration::ZERO;
    config.keys.directory = keys::directory().to_owned();
    // All tests share these keys, and clocks are moved by months.
    config.keys.rotation.automatic = false;
    config.keys.master_key = Some(SecretString::from(keys::master_key()));
    config.passwords.memory_kib = 64;
    config.passwords.iterations = 1;
    config.passwords.threads = 1;
    config
}

/// What a server is made of, once more, with `state` for its own.
fn parts(built: &App, state: Arc<dyn StateStore>) -> Parts {
    Parts {
        config: built.config.clone(),
        clock: built.clock.clone(),
        postgres: built.postgres.clone(),
        registry: Registry::new(built.postgres.clone(), bootstrap::admin_catalog(&built.config)),
        state,
        metrics: built.metrics.clone(),
        audit: AuditNotes::default(),
        keys: built.keys.clone(),
        master_keys: built.master_keys.clone(),
        pairwise: built.pairwise.clone(),
        identity: built.identity.clone(),
        people: built.people.clone(),
        fetch: built.fetch.clone(),
        client_keys: ClientKeys::default(),
        client_documents: ClientDocuments::default(),
        request_objects: RequestObjects::default(),
        client_authorities: ClientAuthorities::load(built.config.mtls.client_ca_file.as_deref()).expect("authorities"),
        metadata: arc_swap::ArcSwapOption::empty(),
        outbox_bell: tokio::sync::Notify::new(),
        outbox_period: built.outbox_period,
    }
}

/// Tokens count whole seconds; a clock that begins on one makes what they say exact.
fn whole_second(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(time.timestamp(), 0).expect("a time")
}
