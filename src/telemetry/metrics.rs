//! What is counted while requests are served. Each instrument is a handle: clones count together, and an [`App`](crate::app::App)
//! has its own.
//!
//! Names and labels are a promise to dashboards and alerts: `docs/operations/metrics.md` lists them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Bounds of what a store or a request takes, in seconds.
const SECONDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Bounds of how far a client's clock is ahead, in seconds. Below zero lie the time on the way and clocks that are behind.
const SKEW_SECONDS: [f64; 11] = [-60.0, -30.0, -10.0, -5.0, -2.0, -1.0, 1.0, 2.0, 5.0, 10.0, 30.0];

/// The most clients that are told apart; those after them count together.
const MOST_CLIENTS: usize = 1000;

/// What clients are called that are not told apart.
const OTHERS: &str = "(others)";

/// Everything that is counted as it happens.
#[derive(Clone, Default)]
pub struct Metrics {
    /// Requests.
    pub http: HttpMetrics,
    /// What clients do.
    pub clients: ClientMetrics,
    /// Calls of the state store.
    pub state: CallTimes,
}

/// Requests and their answers.
#[derive(Clone)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Histograms<EndpointLabels>,
    in_flight: Gauge,
    errors: Family<ErrorLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    endpoint: Arc<str>,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    endpoint: Arc<str>,
    error: &'static str,
}

/// A request that is being answered.
pub struct InFlight {
    metrics: HttpMetrics,
    endpoint: Arc<str>,
    method: &'static str,
    start: Instant,
}

/// What is known of clients by what they send.
#[derive(Clone)]
pub struct ClientMetrics {
    errors: Family<ClientErrorLabels, Counter>,
    skew: Histograms<KindLabels>,
    known: Arc<Mutex<HashSet<String>>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClientErrorLabels {
    client: String,
    error: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

/// How long calls of a store take, by their name, and how many fail.
#[derive(Clone)]
pub struct CallTimes {
    seconds: Histograms<CallLabels>,
    failures: Family<CallLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    call: &'static str,
}

/// One histogram for each set of labels, made when it is first needed.
type Histograms<Labels> = Family<Labels, Histogram, fn() -> Histogram>;

fn of_seconds() -> Histogram {
    Histogram::new(SECONDS)
}

fn of_skew() -> Histogram {
    Histogram::new(SKEW_SECONDS)
}

impl Default for HttpMetrics {
    fn default() -> Self {
        let seconds = Family::new_with_constructor(of_seconds as fn() -> Histogram);
        Self { requests: Family::default(), seconds, in_flight: Gauge::default(), errors: Family::default() }
    }
}

impl Default for ClientMetrics {
    fn default() -> Self {
        let skew = Family::new_with_constructor(of_skew as fn() -> Histogram);
        Self { errors: Family::default(), skew, known: Arc::default() }
    }
}

impl Default for CallTimes {
    fn default() -> Self {
        Self { seconds: Family::new_with_constructor(of_seconds as fn() -> Histogram), failures: Family::default() }
    }
}

impl Metrics {
    /// Puts everything where it is read from.
    pub fn register(&self, registry: &mut Registry) {
        self.http.register(registry);
        self.clients.register(registry);
        self.state.register("state", registry);
    }
}

impl HttpMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("http_requests", "Requests that were answered", self.requests.clone());
        let help = "How long requests took";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, self.seconds.clone());
        registry.register("http_requests_in_flight", "Requests that are being answered", self.in_flight.clone());
        registry.register("oauth_errors", "Errors that were told, by their OAuth code", self.errors.clone());
    }

    /// A request has come to an endpoint, named by its route. `method` is a known one, so that nobody can make up labels.
    pub fn begin(&self, endpoint: &str, method: &'static str) -> InFlight {
        self.in_flight.inc();
        InFlight { metrics: self.clone(), endpoint: endpoint.into(), method, start: Instant::now() }
    }
}

impl InFlight {
    /// It is answered.
    pub fn end(&self, status: u16, error: Option<&'static str>) {
        let (metrics, endpoint) = (&self.metrics, || Arc::clone(&self.endpoint));
        metrics.requests.get_or_create(&RequestLabels { endpoint: endpoint(), method: self.method, status }).inc();
        let took = self.start.elapsed().as_secs_f64();
        metrics.seconds.get_or_create(&EndpointLabels { endpoint: endpoint() }).observe(took);
        if let Some(error) = error {
            metrics.errors.get_or_create(&ErrorLabels { endpoint: endpoint(), error }).inc();
        }
    }
}

/// Also when whoever asked went away.
impl Drop for InFlight {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

impl ClientMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("client_errors", "Errors that were told to a client that is known", self.errors.clone());
        let help = "How far the clock of a client is ahead of ours, from the iat of what it signed";
        registry.register_with_unit("client_clock_skew", help, Unit::Seconds, self.skew.clone());
    }

    /// An error was told to a registered client.
    pub fn note_error(&self, client: &str, error: &'static str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_told_apart = known.contains(client) || (known.len() < MOST_CLIENTS && known.insert(client.to_owned()));
        drop(known);
        let client = if is_told_apart { client } else { OTHERS }.to_owned();
        self.errors.get_or_create(&ClientErrorLabels { client, error }).inc();
    }

    /// A client signed something at `issued_at`, seconds of the epoch, by its own clock.
    pub fn note_clock(&self, kind: &'static str, issued_at: f64, now: DateTime<Utc>) {
        if issued_at.is_finite() {
            // Not lossy for any time of this era.
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of the epoch have 41 bits")]
            let now = now.timestamp_millis() as f64 / 1000.0;
            self.skew.get_or_create(&KindLabels { kind }).observe(issued_at - now);
        }
    }
}

impl CallTimes {
    /// Puts them where they are read from, as those of `store`.
    pub fn register(&self, store: &str, registry: &mut Registry) {
        let help = "How long calls of the store took";
        registry.register_with_unit(format!("{store}_call_duration"), help, Unit::Seconds, self.seconds.clone());
        registry.register(format!("{store}_call_failures"), "Calls of the store that failed", self.failures.clone());
    }

    /// A call is over.
    pub fn note(&self, call: &'static str, took: Duration, has_failed: bool) {
        self.seconds.get_or_create(&CallLabels { call }).observe(took.as_secs_f64());
        // Also nothing is told: an alert sees the first failure as a rise.
        self.failures.get_or_create(&CallLabels { call }).inc_by(u64::from(has_failed));
    }
}
