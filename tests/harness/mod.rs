//! What every test stands on: a server of its own, a browser, and builders for clients and people.

mod answer;
mod app;
mod authorization;
mod browser;
mod catalog;
mod client;
mod cluster;
mod database;
mod deadline;
mod journey;
pub mod jwt;
mod keys;
mod outbox;
mod page;
mod person;
mod port;
pub mod program;
mod raw;
mod receiver;
mod valkey;

pub use answer::{Answer, assert_description, parameters};
pub use app::{TestApp, encode, http_client};
pub use authorization::Authorization;
pub use browser::Browser;
pub use catalog::{ADMIN_API, MAIL_API, PHOTOS_API};
pub use client::{TestClient, basic};
pub use cluster::Cluster;
pub use database::Database;
pub use deadline::{eventually, until};
pub use journey::Tokens;
pub use page::Page;
pub use person::{PASSWORD, TestPerson, every_claim};
pub use port::free_port;
pub use raw::RawAnswer;
pub use receiver::{Received, Receiver};
pub use valkey::Valkey;
