//! Ostiary, a self-hosted OAuth 2.1 and OpenID Connect authorization server.
//!
//! The first folder is the layer, the file is the specification's own word for the thing.
//! Layers, from pure to edge: `model` <- `protocol` <- `storage` <- `identity`, `keys` <- `flow` <- edges.

// The admin API: clients, people, sessions, grants and keys by JSON.
pub mod admin;
// What one request may use: stores, keys, identity, clock, settings.
pub mod app;
// From configuration to a running server, and the development mode.
pub mod bootstrap;
// The one source of time.
pub mod clock;
// Settings: defaults, file, environment; every error reported at once.
pub mod config;
// The one outbound HTTP client.
pub mod fetch;
// What several edges share: an authorization attempt, who calls, issuing tokens, logout.
pub mod flow;
// Request parsing, response shapes, cookies, CSRF, headers, client address, rate limits.
pub mod http;
// The people: who they are and how they prove it.
pub mod identity;
// Work started by the clock rather than by a request.
pub mod jobs;
// Signing keys and the master key.
pub mod keys;
// The nouns and their state machines, without I/O.
pub mod model;
// The endpoints that OAuth and OpenID Connect clients call.
pub mod oauth;
// The RFCs as functions, without I/O.
pub mod protocol;
// The only source of secrets.
pub mod random;
// Every path, method and handler, in one table.
pub mod routes;
// Postgres (the truth) and short-lived state (what may be lost).
pub mod storage;
// Logs.
pub mod telemetry;
// The pages people see.
pub mod web;
