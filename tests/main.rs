//! The black-box suite: everything is driven over real HTTP, against a fresh database and a clock of its own per test.
//!
//! It needs a Postgres superuser (`OSTIARY_TEST_DATABASE_URL`) and, with `OSTIARY_TEST_STATE=valkey`, a Valkey
//! (`OSTIARY_TEST_VALKEY_URL`). `scripts/test` starts both, and runs the suite once with each state store.
#![recursion_limit = "256"]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod admin_access;
mod admin_access_requests;
mod admin_audit;
mod admin_catalog;
mod admin_clients;
mod admin_grants;
mod admin_keys;
mod admin_lists;
mod admin_openapi;
mod admin_sessions;
mod admin_users;
mod adversary;
mod agents;
mod architecture;
mod audit_events;
mod audit_seal;
mod authorization_details;
mod authorize;
mod authorize_prompt;
mod authorize_refusals;
mod backchannel_logout;
mod bad_input;
mod chromium;
mod ciba;
mod client_authentication;
mod client_documents;
mod client_logo;
mod client_reaping;
mod clock_skew;
mod conformance;
mod connections;
mod console;
mod console_audit;
mod console_catalog;
mod console_clients;
mod console_keys;
mod console_people;
mod console_requests;
mod console_sessions;
mod contract;
mod demo;
mod dev;
mod device;
mod discovery;
mod dpop;
mod encryption;
mod exit_codes;
mod external_keys;
mod fapi2;
mod faults;
mod faults_frontend;
mod faults_logout;
mod faults_pages;
mod faults_valkey;
mod flows;
mod frontchannel_logout;
mod frontend;
mod harness;
mod interaction;
mod introspection;
mod introspection_jwt;
mod jar;
mod jar_encrypted;
mod jarm;
mod jwks;
mod key_rotation;
mod least_work;
mod logout;
mod metadata_contract;
mod methods;
mod metrics;
mod migrate;
mod migrations_lint;
mod mtls;
mod mtls_listener;
mod openid_client;
mod operator;
mod pages;
mod pairwise;
mod pairwise_registration;
mod par;
mod password_queue;
mod password_ticket;
mod private_key_jwt;
mod process;
mod protected_resource;
mod proxies;
mod races;
mod registration;
mod registration_management;
mod revocation;
mod sample_resource;
mod token_client_credentials;
mod token_code;
mod token_exchange;
mod token_refresh;
mod userinfo;
