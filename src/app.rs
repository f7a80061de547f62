//! What one request may use.
//!
//! A tenant is an [`App`]: its own issuer, schema, state prefix and keys. There are no globals, so one process may host
//! several and a test starts as many as it likes.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::Config;
use crate::fetch::Fetch;
use crate::flow::client_document::ClientDocuments;
use crate::flow::client_keys::ClientKeys;
use crate::flow::request_object::RequestObjects;
use crate::http::document::Document;
use crate::identity::backend::IdentityBackend;
use crate::identity::local::people::LocalPeople;
use crate::keys::Keys;
use crate::keys::client_authorities::ClientAuthorities;
use crate::keys::keyset::Keyset;
use crate::keys::master_key::MasterKeys;
use crate::keys::pairwise::PairwiseSalt;
use crate::storage::postgres::Postgres;
use crate::storage::registry::{Catalog, Registry};
use crate::storage::state::StateStore;
use crate::telemetry::audit::AuditNotes;
use crate::telemetry::metrics::Metrics;

/// A handle on everything a request may use; cloning it costs one reference count.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts, made by `bootstrap`.
pub struct Parts {
    /// The settings, validated.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The durable truth.
    pub postgres: Postgres,
    /// Clients, scopes and resources, cached in the process.
    pub registry: Registry,
    /// Short-lived state.
    pub state: Arc<dyn StateStore>,
    /// What is counted.
    pub metrics: Metrics,
    /// What is to be recorded of sign-ins and tokens.
    pub audit: AuditNotes,
    /// Who signs now.
    pub keys: Keys,
    /// Where MACs and seals come from.
    pub master_keys: MasterKeys,
    /// Where pairwise identifiers come from.
    pub pairwise: PairwiseSalt,
    /// The people.
    pub identity: Arc<dyn IdentityBackend>,
    /// The people again, where they are kept and can be managed: absent where they are kept elsewhere.
    pub people: Option<LocalPeople>,
    /// Outbound HTTP.
    pub fetch: Fetch,
    /// The public keys of clients, as far as they were needed.
    pub client_keys: ClientKeys,
    /// When the documents of clients that are named by an address were last looked at.
    pub client_documents: ClientDocuments,
    /// The request objects that are being fetched.
    pub request_objects: RequestObjects,
    /// Who may vouch for the certificates of clients.
    pub client_authorities: ClientAuthorities,
    /// The discovery document as it was last made.
    pub metadata: ArcSwapOption<PublishedMetadata>,
    /// Rung when an outbox row was written here, so that its job need not wait for its next turn.
    pub outbox_bell: Notify,
    /// How long its job waits for the bell before it looks by itself.
    pub outbox_period: Duration,
}

/// The discovery document and what it was made from: when either changes, it is made again.
pub struct PublishedMetadata {
    /// The keys it lists the algorithms of.
    pub keyset: Arc<Keyset>,
    /// The scopes it lists.
    pub catalog: Arc<Catalog>,
    /// The bytes.
    pub document: Document,
}

impl App {
    /// Takes the parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The issuer identifier, byte for byte as configured.
    pub fn issuer(&self) -> &str {
        &self.config.server.issuer
    }

    /// The address of `path` (with its leading slash) at this issuer.
    pub fn url(&self, path: &str) -> String {
        self.config.server.url(path)
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
