//! `/health` (alive) and `/ready` (able to serve): for load balancers and orchestrators.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{StatusCode, header};
use serde::Serialize;

use crate::app::App;
use crate::storage::StoreError;

/// Whether the server is on its way out, so that load balancers stop sending to it.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// Says so.
    pub fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    postgres: &'static str,
    state: &'static str,
    keys: &'static str,
}

/// `GET /health`: the process answers. It says nothing of what it depends on: restarting would not mend that.
pub async fn alive() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(Alive { status: "ok" })).into_response()
}

/// `GET /ready`: Postgres and the state store answer, there are keys to sign with, and the server is not draining. An instance
/// that cannot take up every key says `incomplete` and is ready as long as it signs: the others may be no better off.
pub async fn ready(State(app): State<App>, draining: Option<Extension<Draining>>) -> Response {
    let (postgres, state) = tokio::join!(app.postgres.ping(), app.state.ping());
    let draining = draining.is_some_and(|Extension(draining)| draining.has_begun());
    let has_keys = app.keys.current().has_required();
    let is_ready = postgres.is_ok() && state.is_ok() && has_keys && !draining;
    let body = Ready {
        status: if draining { "draining" } else { word(is_ready, "ready", "unavailable") },
        postgres: word_of("postgres", postgres),
        state: word_of("state", state),
        keys: if has_keys { word(app.keys.trouble().is_empty(), "ok", "incomplete") } else { "missing" },
    };
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn word(holds: bool, yes: &'static str, no: &'static str) -> &'static str {
    if holds { yes } else { no }
}

fn word_of(store: &'static str, answer: Result<(), StoreError>) -> &'static str {
    if let Err(error) = &answer {
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(store, %error, source, "not ready");
    }
    word(answer.is_ok(), "ok", "unavailable")
}
