//! The nouns and their state machines: pure values, without I/O, clock or framework.

// What the admin API lets its callers do.
pub mod admin_scope;
// What is recorded of what happened.
pub mod audit;
// Authorization details and their types (RFC 9396).
pub mod authorization_details;
// The registered scopes and resources.
pub mod catalog;
// The client applications and what they registered.
pub mod client;
// Encryption algorithms by their registered names.
pub mod encryption_alg;
// What one authorization code, device code or machine grant stands for.
pub mod family;
// Identifiers: each its own type.
pub mod id;
// Who fetched the key set.
pub mod jwks_fetch;
// What keys of ours are used with.
pub mod key_alg;
// How long what is issued lives.
pub mod lifetimes;
// What an access token stands and falls with.
pub mod lineage;
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
// What a client may do with token exchange.
pub mod token_exchange;
