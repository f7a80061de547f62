//! From a [`Config`](crate::config::Config) to an [`App`](crate::app::App), from there to listeners and jobs, and to a
//! graceful end.

// `ostiary audit`.
pub mod audit;
// From settings to an `App`.
mod build;
// `ostiary plan` and `ostiary apply`.
pub mod desired;
// One connection and what ends it.
mod connection;
// The embedded default for development.
pub mod dev;
// `ostiary bootstrap`.
pub mod first_administrator;
// `/health` and `/ready`.
pub mod health;
// What surrounds every request.
mod layers;
// The names that a development server answers to.
mod local_names;
// `ostiary health`.
pub mod probe;
// `ostiary config check --clients --profile`.
pub mod profile_check;
// What Prometheus collects.
mod metrics;
// How many connections may be open.
mod places;
// Listeners, jobs, graceful end.
mod serve;
// The signals that ask the server to end.
pub mod shutdown;
// A client's connection.
mod socket;
// The listeners that speak TLS themselves.
mod tls;

pub use build::{admin_catalog, build, report};
pub use serve::{serve, serve_all};
