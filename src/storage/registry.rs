//! Clients, scopes, resources and types of authorization details as this process remembers them, so that the token path asks the database for none.
//!
//! Every change of them raises the policy version in its own transaction. The version is part of each key here, so a row
//! that was read before a change can never be found after the change was seen, even if it was on its way meanwhile.
//! [`Registry::poll`] looks at the version each second. What was not verified for thirty seconds is not used: a disabled
//! client would otherwise go on for as long as the database cannot be reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, TimeDelta, Utc};
use moka::Expiry;
use moka::future::Cache;
use tokio::sync::Mutex;

use super::StoreError;
use super::postgres::Postgres;
use super::postgres::client::LONGEST_ID;
use crate::model::authorization_details::AuthorizationDetailsType;
use crate::model::catalog::{Resource, Scope};
use crate::model::client::Client;
use crate::model::id::{ClientId, ResourceUri};

/// How long we rely on a version that could not be verified.
const TRUSTED_FOR: TimeDelta = TimeDelta::seconds(30);

/// How long after a failed verification nobody tries another, so that an outage does not make a queue.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long "there is no such client" is believed.
const ABSENT_FOR: Duration = Duration::from_secs(1);

/// How long a client that nobody asks for is remembered.
const IDLE_FOR: Duration = Duration::from_secs(600);

/// The most clients remembered.
const CAPACITY: u64 = 50_000;

/// Every scope, resource and type of authorization details.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// The scopes, by name.
    pub scopes: Vec<Scope>,
    /// The resources, by identifier.
    pub resources: Vec<Resource>,
    /// The types of authorization details, by identifier.
    pub authorization_details_types: Vec<AuthorizationDetailsType>,
}

impl Catalog {
    /// The scope of that name.
    pub fn find_scope(&self, name: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.name == name)
    }

    /// The resource with that identifier.
    pub fn find_resource(&self, uri: &ResourceUri) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.uri == *uri)
    }

    /// The type of authorization details with that identifier.
    pub fn find_authorization_details_type(&self, name: &str) -> Option<&AuthorizationDetailsType> {
        self.authorization_details_types.iter().find(|known| known.name_of_type == name)
    }
}

/// What the process remembers. Cloning is cheap; clones share the memory.
#[derive(Clone)]
pub struct Registry(Arc<Memory>);

struct Memory {
    postgres: Postgres,
    clients: Cache<(i64, ClientId), Option<Arc<Client>>>,
    /// What is part of the program rather than of the database.
    built_in: Catalog,
    catalogs: Cache<i64, Arc<Catalog>>,
    last_catalog: ArcSwapOption<Catalog>,
    version: AtomicI64,
    /// When the version was last verified, in microseconds.
    verified_at: AtomicI64,
    /// Held by the one who verifies; when that last failed.
    verifying: Mutex<Option<Instant>>,
}

impl Registry {
    /// A registry that remembers nothing yet. What is `built_in` stands before anything that the database says.
    pub fn new(postgres: Postgres, built_in: Catalog) -> Self {
        let clients = Cache::builder().max_capacity(CAPACITY).time_to_idle(IDLE_FOR).expire_after(AbsentSoon).build();
        Self(Arc::new(Memory {
            postgres,
            clients,
            built_in,
            catalogs: Cache::new(2),
            last_catalog: ArcSwapOption::empty(),
            version: AtomicI64::new(0),
            verified_at: AtomicI64::new(i64::MIN),
            verifying: Mutex::new(None),
        }))
    }

    /// The client with that identifier, enabled or not. Many who ask at once cause one query.
    pub async fn find_client(&self, id: &ClientId, now: DateTime<Utc>) -> Result<Option<Arc<Client>>, StoreError> {
        let version = self.verified_version(now).await?;
        // Not even remembered as absent: made-up names could be as long as a request.
        if id.as_str().len() > LONGEST_ID {
            return Ok(None);
        }
        let load = async { Ok(self.0.postgres.find_client(id).await?.map(Arc::new)) };
        self.0.clients.try_get_with((version, id.clone()), load).await.map_err(shared)
    }

    /// Every scope, resource and type of authorization details.
    pub async fn catalog(&self, now: DateTime<Utc>) -> Result<Arc<Catalog>, StoreError> {
        let version = self.verified_version(now).await?;
        let load = async {
            let mut catalog = self.0.built_in.clone();
            catalog.scopes.extend(self.0.postgres.list_scopes().await?);
            catalog.resources.extend(self.0.postgres.list_resources().await?);
            catalog.authorization_details_types.extend(self.0.postgres.list_authorization_details_types().await?);
            let catalog = Arc::new(catalog);
            self.0.last_catalog.store(Some(Arc::clone(&catalog)));
            Ok(catalog)
        };
        self.0.catalogs.try_get_with(version, load).await.map_err(shared)
    }

    /// What is part of the program rather than of the database.
    pub fn built_in(&self) -> &Catalog {
        &self.0.built_in
    }

    /// The catalog as it was last read, however long ago: to tell the public, never to decide by.
    pub fn last_catalog(&self) -> Option<Arc<Catalog>> {
        self.0.last_catalog.load_full()
    }

    /// Looks whether anything changed, and forgets everything if so. To be called each second.
    pub async fn poll(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        let version = self.0.postgres.find_policy_version().await?;
        // Versions only rise: a slower poll must not bring an older one back.
        if self.0.version.fetch_max(version, Ordering::SeqCst) < version {
            self.forget();
        }
        self.0.verified_at.fetch_max(now.timestamp_micros(), Ordering::SeqCst);
        Ok(())
    }

    /// Forgets whether there is a client with that identifier.
    pub async fn forget_client(&self, id: &ClientId) {
        self.0.clients.invalidate(&(self.0.version.load(Ordering::SeqCst), id.clone())).await;
    }

    /// Forgets everything.
    pub fn forget(&self) {
        self.0.clients.invalidate_all();
        self.0.catalogs.invalidate_all();
    }

    /// The version to look things up under. Verifies it when the last time is too long ago, so that a process whose polls
    /// fell behind recovers with the first request, and the very first request needs no poll before it.
    async fn verified_version(&self, now: DateTime<Utc>) -> Result<i64, StoreError> {
        if !self.is_verified(now) {
            let mut failed_at = self.0.verifying.lock().await;
            if !self.is_verified(now) {
                if failed_at.is_some_and(|failed_at| failed_at.elapsed() < RETRY_AFTER) {
                    return Err(StoreError::unavailable("the clients known here could not be verified a moment ago"));
                }
                let result = self.poll(now).await;
                *failed_at = result.is_err().then(Instant::now);
                result?;
            }
        }
        Ok(self.0.version.load(Ordering::SeqCst))
    }

    fn is_verified(&self, now: DateTime<Utc>) -> bool {
        let verified_at = self.0.verified_at.load(Ordering::SeqCst);
        now.timestamp_micros().saturating_sub(verified_at) < TRUSTED_FOR.num_microseconds().unwrap_or(0)
    }
}

/// An error that several waited for.
fn shared(error: Arc<StoreError>) -> StoreError {
    match *error {
        StoreError::Unavailable(_) => StoreError::unavailable(error),
        StoreError::Conflict(_) => StoreError::conflict(error),
        StoreError::Corrupt(_) => StoreError::corrupt(error),
    }
}

/// Absent clients are forgotten soon: one that was just registered must work, and made-up names must not fill the memory.
struct AbsentSoon;

impl Expiry<(i64, ClientId), Option<Arc<Client>>> for AbsentSoon {
    fn expire_after_create(
        &self,
        _key: &(i64, ClientId),
        client: &Option<Arc<Client>>,
        _created_at: Instant,
    ) -> Option<Duration> {
        client.is_none().then_some(ABSENT_FOR)
    }
}
