//! `GET /metrics`: what a Prometheus collects, on a listener of its own that is not for clients.

// What is read when it is asked for.
mod snapshot;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use self::snapshot::Snapshot;
use crate::app::App;
use crate::config::MetricsConfig;

/// The media type of OpenMetrics, which is what `encode` writes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Listens, if the settings name a place for it.
pub(super) async fn listen(config: &MetricsConfig) -> anyhow::Result<Option<TcpListener>> {
    let Some(bind) = config.bind else { return Ok(None) };
    let listener = TcpListener::bind(bind).await.with_context(|| {
        format!("metrics.bind: {bind} cannot be listened on\n      mend: free it, or set another one (METRICS_BIND)")
    })?;
    Ok(Some(listener))
}

/// What is answered there.
pub(super) fn router(app: App) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(app)
}

/// A store that does not answer leaves out what only it knows.
async fn scrape(State(app): State<App>) -> Response {
    let mut registry = Registry::with_prefix("ostiary");
    app.metrics.register(&mut registry);
    app.postgres.times().register("postgres", &mut registry);
    registry.register_collector(Box::new(Snapshot::take(&app, app.clock.now()).await));
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS), (CACHE_CONTROL, "no-store")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
