//! The nouns and their state machines: pure values, without I/O, clock or framework.

// What the admin API lets its callers do.
pub mod admin_scope;
// What is recorded of what happened.
pub mod audit;
// The registered scopes and resources.
pub mod catalog;
// The client applications and what they registered.
pub mod client;
// What one authorization code, device code or machine grant stands for.
pub mod family;
// Identifiers: each its own type.
pub mod id;
// Who fetched the key set.
pub mod jwks_fetch;
// How long what is issued lives.
pub mod lifetimes;
// Sets of rules that clients are held to.
pub mod profile;
// How clients register themselves.
pub mod registration;
// A person's sign-in in one browser.
pub mod session;
// Signature algorithms by their registered names.
pub mod signing_alg;
// Signing keys and their states.
pub mod signing_key;
