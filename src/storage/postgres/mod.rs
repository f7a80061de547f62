//! The durable truth: rows and verbs, one file per noun.
//!
//! A verb is one transaction, mostly one statement, and takes its time from the caller. Rows, SQL and diesel stay in
//! here; what comes out are values of the model.

// What `ostiary apply` brings about.
pub mod applied_policy;
// The clients that people ask for.
pub mod access_request;
// What happened, recorded with what it changed.
pub mod audit;
// Seals over audit records.
pub mod audit_seal;
// Types of authorization details as an administrator sees them.
pub mod authorization_details_type_record;
// Scopes, resources and the version of the policy.
pub mod catalog;
// Registered clients and their secrets.
pub mod client;
// Registered clients as an administrator sees them.
pub mod client_record;
// What people allowed clients for later requests too.
pub mod consent;
// Consents as an administrator sees them.
pub mod consent_record;
// Token families: redeeming codes, rotating refresh tokens, revocation.
pub mod family;
// Tokens with which clients register themselves.
pub mod initial_access_token;
// Whether the database belongs to the development mode.
pub mod installation;
// Who fetched the key set.
pub mod jwks_fetch;
// Answers to creations, kept for repeated requests.
pub mod kept_answer;
// Bringing the schema up to date, and whether it is.
pub mod migrate;
// Effects that follow a commit.
pub mod outbox;
// New passwords, and the tickets with which people choose them.
pub mod password_ticket;
// The people of the local backend.
pub mod person;
// Resources as an administrator sees them.
pub mod resource_record;
// Ending everything that was issued to a subject or a client.
pub mod revocation;
// How much there is, for the first page of the console.
pub mod overview;
// Scopes as an administrator sees them.
pub mod scope_record;
// People as an administrator sees them.
pub mod person_record;
// Sign-ins, their ends, and who has to hear of them.
pub mod session;
// Sessions as an administrator sees them.
pub mod session_record;
// Signing keys, sealed.
pub mod signing_key;
// Who tokens are about: disabling, and signing out everywhere.
pub mod subject;
// How long tokens lived, and until when.
pub mod token_lifetime;

// Removal of what no decision needs any more.
mod expiry;
// Connections, and how a verb runs on one.
mod pool;
// What makes a transaction leave nothing behind.
mod rollback;
// The tables; written by `scripts/schema`.
mod schema;
// Signing in again within a session.
mod session_renewal;
// Whether sessions are in use, and the end of those that are not.
pub mod session_review;

#[cfg(test)]
pub(crate) mod tests;

pub use pool::{Postgres, PostgresOptions};
