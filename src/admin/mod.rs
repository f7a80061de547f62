//! The admin API: JSON over HTTP, below `/admin`.
//!
//! 1. [`admit`] finds the rule of the endpoint and who calls, and lets nobody through who has not the scope it needs.
//! 2. An extractor reads the body or the query; what does not belong there is refused (`json`, `query`).
//! 3. The handler asks a store verb and answers with a document, or with a [`Problem`].
//!
//! The table of [`endpoints`] is the only way to add an endpoint: path, method, who may call, and what it says of itself in
//! the OpenAPI document stand in one line.

// The clients that people ask for.
mod access_requests;
// Who is let through.
mod admit;
// What was done.
mod audit;
// Who calls.
mod caller;
// Registered scopes and resources.
mod catalog;
// Registered clients.
mod clients;
// The same work at a browser, on pages.
pub mod console;
// `ostiary plan` and `ostiary apply`.
pub mod desired;
// The endpoints as a table.
mod endpoint;
// Consents and tokens.
mod grants;
// Repeated creations.
mod idempotency;
// Tokens with which clients register themselves.
mod initial_access_tokens;
// Bodies.
mod json;
// Signing keys.
mod keys;
// The description of the API.
mod openapi;
// Lists in pages.
mod page;
// Parameters in the path.
mod path;
// Entity tags and `If-Match`.
mod precondition;
// Parameters in the query.
mod query;
// The description as a page.
mod reference;
// Sign-ins.
mod sessions;
// People.
pub mod users;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};

use self::endpoint::Endpoint;
use self::endpoint::Endpoints;
pub use self::endpoint::{Access, Rule};
use crate::app::App;
use crate::http::problem::{Problem, ProblemType};
use crate::http::session;

/// Where the API stands below the issuer; the address is also the resource indicator of its tokens.
pub const PATH: &str = "/admin";

/// Every endpoint.
fn endpoints() -> Endpoints {
    let clients = Endpoints::new().with(clients::endpoints).with(catalog::endpoints).with(access_requests::endpoints);
    let clients = clients.with(initial_access_tokens::endpoints);
    clients
        .with(users::endpoints)
        .with(sessions::endpoints)
        .with(grants::endpoints)
        .with(keys::endpoints)
        .with(audit::endpoints)
}

/// Who may call what: the table as data.
pub fn rules() -> Vec<Rule> {
    described().into_iter().map(|endpoint| endpoint.rule).collect()
}

/// The table with what the OpenAPI document says.
fn described() -> Vec<Endpoint> {
    endpoints().into_parts().1
}

/// The routes of the API.
pub fn routes(app: &App) -> Router<App> {
    let (router, described) = endpoints().into_parts();
    let rules = described.into_iter().map(|endpoint| endpoint.rule).collect();
    let gate = admit::Gate { app: app.clone(), rules: Arc::new(rules) };
    router
        .route_layer(from_fn_with_state(gate, admit::admit))
        .layer(session::layer(app))
        .route("/admin/openapi.json", get(openapi::get))
        .route("/admin/docs", get(reference::get))
        .route("/admin/{*nothing}", any(nothing_here))
        .method_not_allowed_fallback(method_not_allowed)
}

async fn nothing_here() -> Problem {
    Problem::not_found()
}

async fn method_not_allowed() -> Problem {
    Problem::new(ProblemType::MethodNotAllowed)
}
