//! From settings to an [`App`]: opens the keys, the master key and both stores, and reports at once everything that does
//! not open, each with how to mend it.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::tls;
use crate::admin;
use crate::app::{App, Parts};
use crate::clock::Clock;
use crate::config::{
    ClientIpHeaderMode, Config, ConfigError, ConfigErrors, Installation, KeyStoreKind, KeysConfig, StateConfig,
};
use crate::fetch::Fetch;
use crate::flow::client_document::ClientDocuments;
use crate::flow::client_keys::ClientKeys;
use crate::flow::request_object::RequestObjects;
use crate::identity::local::LocalIdentity;
use crate::identity::local::passwords::Passwords;
use crate::identity::local::people::LocalPeople;
use crate::keys::client_authorities::ClientAuthorities;
use crate::keys::external::ExternalSigners;
use crate::keys::master_key::MasterKeys;
use crate::keys::pairwise::{PairwiseError, PairwiseSalt};
use crate::keys::store::KeyStore;
use crate::keys::{self, Keys};
use crate::model::admin_scope;
use crate::model::id::ResourceUri;
use crate::storage::StoreError;
use crate::storage::postgres::installation::InstallationKind;
use crate::storage::postgres::migrate::{self, SchemaStanding};
use crate::storage::postgres::{Postgres, PostgresOptions};
use crate::storage::registry::{Catalog, Registry};
use crate::storage::state::memory::MemoryState;
use crate::storage::state::timed::TimedState;
use crate::storage::state::valkey::ValkeyState;
use crate::storage::state::{StateStore, epoch};
use crate::telemetry::audit::AuditNotes;
use crate::telemetry::metrics::Metrics;

/// The bell rings in the instance that wrote the row; what is due again, or was left by another, is found this much later.
const OUTBOX_PERIOD: Duration = Duration::from_secs(5);

/// Opens everything that `config` names.
pub async fn build(config: Config, clock: Clock) -> anyhow::Result<App> {
    warn_of_hidden_clients(&config);
    // Reqwest and the stores find it there; somebody may have been first, with the same one.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let now = clock.now();
    let mut problems = Problems(Vec::new());
    let (postgres, state) = tokio::join!(open_postgres(&config, now), open_state(&config.state, now));
    let postgres = problems.keep(postgres);
    let state = problems.keep(state);
    let keys = match keys::open::store(&config.keys, postgres.as_ref()) {
        Some(store) => problems.keep_all(open_keys(&config.keys, store, &clock).await),
        None => None,
    };
    let master_keys = problems.keep(open_master_keys(&config.keys));
    let pairwise = match (&postgres, &master_keys) {
        (Some(postgres), Some(master_keys)) => problems.keep(open_pairwise(&config.keys, postgres, master_keys).await),
        _ => None,
    };
    let passwords = problems.keep(
        Passwords::new(&config.passwords)
            .map_err(|error| problem("passwords", &error, "correct memory_kib, iterations, parallelism and threads")),
    );
    let fetch = problems.keep(
        Fetch::new(&config.outbound)
            .map_err(|error| problem("outbound", &error, "name a PEM file of certificates in extra_ca_file")),
    );
    let client_authorities =
        problems.keep(ClientAuthorities::load(config.mtls.client_ca_file.as_deref()).map_err(|error| {
            let mend = "name a PEM file of the certificates of authorities";
            problem("mtls.client_ca_file", &error, mend)
        }));
    // Read for good when the server listens; what is wrong is told here, with everything else.
    let own_certificate = problems.keep(tls::check(&config.tls, now));
    let (
        Some(postgres),
        Some(state),
        Some(keys),
        Some(master_keys),
        Some(pairwise),
        Some(passwords),
        Some(fetch),
        Some(client_authorities),
        Some(()),
    ) = (postgres, state, keys, master_keys, pairwise, passwords, fetch, client_authorities, own_certificate)
    else {
        return Err(ConfigErrors(problems.0).into());
    };
    let metrics = Metrics::default();
    let state = Arc::new(TimedState::new(state, metrics.state.clone()));
    Ok(App::new(Parts {
        registry: Registry::new(postgres.clone(), admin_catalog(&config)),
        audit: AuditNotes::default(),
        people: Some(LocalPeople::new(passwords.clone(), config.passwords.min_length)),
        identity: Arc::new(LocalIdentity::new(postgres.clone(), passwords)),
        config,
        clock,
        postgres,
        state,
        metrics,
        keys,
        master_keys,
        pairwise,
        fetch,
        client_keys: ClientKeys::default(),
        client_documents: ClientDocuments::default(),
        request_objects: RequestObjects::default(),
        client_authorities,
        metadata: ArcSwapOption::empty(),
        outbox_bell: Notify::new(),
        outbox_period: OUTBOX_PERIOD,
    }))
}

/// What clients may ask for at the admin API, whatever the database says.
pub fn admin_catalog(config: &Config) -> Catalog {
    let (scopes, resource) = admin_scope::catalog(ResourceUri::new(config.server.url(admin::PATH)));
    Catalog { scopes, resources: vec![resource], ..Catalog::default() }
}

/// Everything that is wrong at once: beside `errors` in the settings, what does not open although its own settings are right.
pub async fn report(config: Option<Config>, mut errors: Vec<ConfigError>, clock: Clock) -> ConfigErrors {
    let opened = match config {
        Some(config) => build(config, clock).await.map(drop),
        None => Ok(()),
    };
    if let Some(Ok(ConfigErrors(found))) = opened.err().map(|error| error.downcast()) {
        // A refused value has left its default behind, of which nothing is to be said.
        let is_new = |found: &ConfigError| !errors.iter().any(|known| known.key.contains(&found.key));
        let found: Vec<_> = found.into_iter().filter(is_new).collect();
        errors.extend(found);
    }
    ConfigErrors(errors)
}

/// A server that speaks no TLS itself and has an https issuer has a proxy in front. If that one is not asked whom it speaks
/// for, everybody has its address, and whoever guesses passwords uses up the attempts of all.
fn warn_of_hidden_clients(config: &Config) {
    let server = &config.server;
    let is_behind_proxy = server.issuer.starts_with("https://") && config.tls.bind.is_none();
    if is_behind_proxy && server.client_ip_header_mode == ClientIpHeaderMode::None {
        tracing::warn!(
            "the issuer is https, so a proxy is in front, and every client counts as one for the limits on passwords; mend: \
             set server.trusted_proxy_cidrs and server.client_ip_header_mode"
        );
    }
}

struct Problems(Vec<ConfigError>);

impl Problems {
    fn keep<T>(&mut self, result: Result<T, ConfigError>) -> Option<T> {
        self.keep_all(result.map_err(|problem| vec![problem]))
    }

    fn keep_all<T>(&mut self, result: Result<T, Vec<ConfigError>>) -> Option<T> {
        result.map_err(|problems| self.0.extend(problems)).ok()
    }
}

fn problem(key: &str, error: &(dyn Error + 'static), mend: &str) -> ConfigError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    ConfigError::new(key, text, mend)
}

/// Connects, and makes sure that the database is one for this command and has a schema that this version knows.
async fn open_postgres(config: &Config, now: DateTime<Utc>) -> Result<Postgres, ConfigError> {
    let key = "database.url";
    let unreachable = |error: StoreError| {
        problem(key, &error, "start Postgres, or correct database.url (DATABASE_URL): host, database, user, password")
    };
    let database = &config.database;
    let postgres = Postgres::connect(&PostgresOptions {
        url: database.url.clone(),
        pool_size: database.pool_size,
        acquire_timeout: database.acquire_timeout,
        statement_timeout: database.statement_timeout,
    })
    .map_err(unreachable)?;
    postgres.ping().await.map_err(unreachable)?;
    match migrate::check(&postgres).await.map_err(unreachable)? {
        SchemaStanding::Ready => {}
        SchemaStanding::Newer { found } => tracing::info!(
            found,
            known = migrate::SCHEMA_VERSION,
            "the schema belongs to a later version of ostiary and serves this one too"
        ),
        standing => return Err(unknown_schema(key, standing)),
    }
    let (wanted, mend) = match config.installation {
        Installation::Production => (
            InstallationKind::Production,
            "point database.url at another database: this one has demo accounts whose passwords were printed",
        ),
        Installation::Dev => (InstallationKind::Dev, "run `ostiary` rather than `ostiary dev` on this database"),
    };
    let found = postgres.claim_installation(wanted, now).await.map_err(unreachable)?;
    if found == wanted {
        Ok(postgres)
    } else {
        Err(ConfigError::new(key, format!("the database is a {} one", found.as_str()), mend))
    }
}

async fn open_state(config: &StateConfig, now: DateTime<Utc>) -> Result<Arc<dyn StateStore>, ConfigError> {
    let Some(url) = &config.valkey_url else { return open_memory(now).await };
    let unusable = |error: StoreError| {
        problem("state.valkey_url", &error, "start Valkey, or correct state.valkey_url (VALKEY_URL)")
    };
    let valkey = ValkeyState::connect(url, &config.prefix, config.timeout).await.map_err(unusable)?;
    valkey.check(now).await.map_err(unusable)?;
    Ok(Arc::new(valkey))
}

/// Its epoch begins with it: what was made before may have been used in a process that is gone.
async fn open_memory(now: DateTime<Utc>) -> Result<Arc<dyn StateStore>, ConfigError> {
    let memory = MemoryState::new();
    let begun = epoch::find_or_begin(&memory, now).await;
    begun.map_err(|error| problem("state", &error, "give the process more memory"))?;
    Ok(Arc::new(memory))
}

async fn open_keys(config: &KeysConfig, store: Arc<dyn KeyStore>, clock: &Clock) -> Result<Keys, Vec<ConfigError>> {
    let key = match config.store {
        KeyStoreKind::Directory => "keys.directory",
        KeyStoreKind::Postgres => "keys.store",
    };
    Keys::open(store, ExternalSigners::new(&config.external, clock))
        .await
        .map_err(|error| error.problems().iter().map(|found| ConfigError::new(key, &found.what, &found.mend)).collect())
}

fn open_master_keys(config: &KeysConfig) -> Result<MasterKeys, ConfigError> {
    let opened = match &config.master_key {
        Some(text) => MasterKeys::from_text(text).map_err(|error| ("keys.master_key", error)),
        None => MasterKeys::load(&config.master_key_file).map_err(|error| ("keys.master_key_file", error)),
    };
    opened.map_err(|(key, error)| {
        // Its messages carry their mend.
        let text = error.to_string();
        let (what, mend) = text.split_once("; mend: ").unwrap_or((&text, "make one with `ostiary-keyctl master-key`"));
        ConfigError::new(key, what, mend)
    })
}

async fn open_pairwise(
    config: &KeysConfig,
    postgres: &Postgres,
    master_keys: &MasterKeys,
) -> Result<PairwiseSalt, ConfigError> {
    let of_master_key = if config.master_key.is_some() { "keys.master_key" } else { "keys.master_key_file" };
    PairwiseSalt::open(postgres, master_keys).await.map_err(|error| match &error {
        PairwiseError::Store(_) => problem("database.url", &error, "see that Postgres answers and may be written"),
        PairwiseError::Lost => problem("database.url", &error, error.mend()),
        PairwiseError::Unreadable(_) => problem(of_master_key, &error, error.mend()),
    })
}

fn unknown_schema(key: &'static str, standing: SchemaStanding) -> ConfigError {
    let good = || ("the schema is as it should be".to_owned(), "nothing is to be done");
    let (what, mend) = standing.obstacle().unwrap_or_else(good);
    ConfigError::new(key, what, mend)
}
