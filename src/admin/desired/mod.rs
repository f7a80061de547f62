//! `ostiary plan` and `ostiary apply`: clients, scopes, resources and types of authorization details as one document says.
//!
//! 1. The document is read and checked whole.
//! 2. What is there is compared with it, and with what was applied the last time: what differs from that was changed by
//!    somebody else.
//! 3. The changes are made in one transaction, which fails if anything was changed since step 2.
//!
//! Whoever runs it has the database, so nobody's admin scopes limit what the document may give.

// How two states differ.
mod diff;
// What should be there.
mod document;
// Secrets of clients.
mod secret;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};

pub use self::diff::{Member, Step};
use self::document::{Desired, authorization_details_type_object, client_object, resource_object, scope_object};
use self::secret::Secret;
use super::clients::below_the_floor;
use super::clients::document::unregistered;
use super::json::escape;
use crate::app::App;
use crate::flow::sector;
use crate::http::problem::Violation;
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord, Origin};
use crate::model::client::ClientSettings;
use crate::model::id::{ClientId, ResourceUri};
use crate::storage::StoreError;
use crate::storage::postgres::applied_policy::{Applied, PolicyChanges, PolicyObject};
use crate::storage::postgres::client_record::ClientRecord;
use crate::storage::registry::Catalog;

/// So many clients are read at a time.
const BATCH: i64 = 500;

/// One thing: its kind and its identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Key {
    /// `scopes`, `resources`, `authorization_details_types` or `clients`.
    pub kind: &'static str,
    /// Its identifier.
    pub id: String,
}

/// What `apply` would do.
pub struct Plan {
    /// Each thing that changes, and how.
    pub steps: Vec<(Key, Step)>,
    /// Things that no document names; they are left alone.
    pub unmanaged: Vec<Key>,
    changes: PolicyChanges,
    version: i64,
    generated: Vec<GeneratedSecret>,
    is_remembered: bool,
}

/// A secret that was made up for a new client. It has no `Debug`.
pub struct GeneratedSecret {
    /// Whose it is.
    pub client_id: ClientId,
    /// The secret.
    pub secret: SecretString,
}

/// Why a document cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum DesiredError {
    /// It is wrong.
    #[error("the document is not valid:{}", told(.0))]
    Document(Vec<Violation>),
    /// Somebody changed something meanwhile.
    #[error("a client, scope or resource was changed at the same time; nothing was changed, so run it again")]
    Stale,
    /// Something of that name was deleted before.
    #[error("there was {0} before, and identifiers are not used again; choose another one")]
    Taken(Key),
    /// Something that stays names what would be taken away.
    #[error("{0} cannot be taken away: something that no document manages names it; take it out there first")]
    Named(Key),
    /// A store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DesiredError {
    /// What is wrong, one by one: where, and what.
    pub fn problems(&self) -> Vec<Violation> {
        match self {
            Self::Document(violations) => violations.clone(),
            Self::Taken(key) | Self::Named(key) => vec![Violation::new(key.to_string(), self.to_string())],
            Self::Stale | Self::Store(_) => vec![Violation::new("", self.to_string())],
        }
    }
}

fn told(violations: &[Violation]) -> String {
    let line = |violation: &Violation| format!("\n  - {}: {}", violation.pointer, violation.detail);
    violations.iter().map(line).collect()
}

impl Key {
    fn of(object: &PolicyObject) -> Self {
        match object {
            PolicyObject::Scope(name) => Self::scope(name),
            PolicyObject::Resource(uri) => Self::resource(uri),
            PolicyObject::AuthorizationDetailsType(name) => Self::authorization_details_type(name),
            PolicyObject::Client(id) => Self::client(id),
        }
    }

    fn object(&self) -> PolicyObject {
        match self.kind {
            "scopes" => PolicyObject::Scope(self.id.clone()),
            "resources" => PolicyObject::Resource(ResourceUri::new(&self.id)),
            "authorization_details_types" => PolicyObject::AuthorizationDetailsType(self.id.clone()),
            _ => PolicyObject::Client(ClientId::new(&self.id)),
        }
    }

    fn scope(name: &str) -> Self {
        Self { kind: "scopes", id: name.to_owned() }
    }

    fn resource(uri: &ResourceUri) -> Self {
        Self { kind: "resources", id: uri.as_str().to_owned() }
    }

    fn authorization_details_type(name: &str) -> Self {
        Self { kind: "authorization_details_types", id: name.to_owned() }
    }

    fn client(id: &ClientId) -> Self {
        Self { kind: "clients", id: id.as_str().to_owned() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

impl Plan {
    /// Whether everything is as the document says.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether something is taken away.
    pub fn has_deletions(&self) -> bool {
        self.steps.iter().any(|(_, step)| *step == Step::Delete)
    }

    /// The clients for which a secret is made up.
    pub fn generated(&self) -> &[GeneratedSecret] {
        &self.generated
    }
}

/// Compares what is there with the document. `folder` is where its relative paths begin.
pub async fn plan(app: &App, text: &str, folder: &Path, now: DateTime<Utc>) -> Result<Plan, DesiredError> {
    let desired = Desired::parse(text).map_err(DesiredError::Document)?;
    // Read before the rest: whatever changes afterwards raises it.
    let version = app.postgres.find_policy_version().await?;
    let catalog = Catalog {
        scopes: app.postgres.list_scopes().await?,
        resources: app.postgres.list_resources().await?,
        authorization_details_types: app.postgres.list_authorization_details_types().await?,
    };
    let records = every_client(app).await?;
    let last = app.postgres.find_applied_policy().await?.map(|(objects, _)| objects);
    let applied = last.as_ref().map(remembered).unwrap_or_default();
    let (actual, objects) = (actual(&catalog, &records), desired.objects());
    let mut steps = diff::steps(&objects, &actual, &applied, as_new);
    refuse_taken(app, &steps).await?;
    let is_named = |key: &Key| objects.contains_key(key) || applied.contains_key(key);
    let unmanaged = actual.keys().filter(|key| !is_named(key)).cloned().collect();
    let mut changes = PolicyChanges { applied: to_remember(&objects), ..PolicyChanges::default() };
    check_references(app, &desired, &after(&catalog, &desired, &steps, app.registry.built_in()))?;
    check_sectors(app, &desired, &records).await?;
    let mut generated = Vec::new();
    let mut violations = Vec::new();
    for client in &desired.clients {
        let secret = Secret::read(client, folder).unwrap_or_else(|violation| {
            violations.push(violation);
            Secret::None
        });
        let record = records.iter().find(|record| record.id == client.id);
        let key = Key::client(&client.id);
        if let Some((_, step)) = steps.iter().find(|(changed, _)| *changed == key).cloned() {
            secret.add_changed(app, client, &step, &mut changes, &mut generated)?;
        }
        if record.is_some() && secret.add_rotated(app, client, &mut changes, now).await? {
            steps.push((key, Step::Secret));
        }
    }
    if !violations.is_empty() {
        return Err(DesiredError::Document(violations));
    }
    add_catalog(&desired, &steps, &mut changes);
    let is_remembered = last.as_ref() == Some(&changes.applied);
    Ok(Plan { steps, unmanaged, changes, version, generated, is_remembered })
}

/// Makes the changes of a plan.
pub async fn apply(app: &App, plan: &Plan, now: DateTime<Utc>) -> Result<(), DesiredError> {
    if plan.is_empty() && plan.is_remembered {
        return Ok(());
    }
    let record = AuditRecord {
        event: AuditEvent::new(AuditEventKind::PolicyApplied),
        actor: Actor::Operator,
        origin: Origin::default(),
        happened_at: now,
    };
    match app.postgres.recording(record).apply_policy(&plan.changes, plan.version, now).await? {
        Applied::Done => Ok(()),
        Applied::Stale => Err(DesiredError::Stale),
        Applied::Taken(object) => Err(DesiredError::Taken(Key::of(&object))),
        Applied::Named(object) => Err(DesiredError::Named(Key::of(&object))),
    }
}

async fn every_client(app: &App) -> Result<Vec<ClientRecord>, StoreError> {
    let mut records: Vec<ClientRecord> = Vec::new();
    loop {
        let after = records.last().map(|record| record.id.clone());
        let batch = app.postgres.list_client_records(after.as_ref(), None, BATCH).await?;
        if batch.is_empty() {
            return Ok(records);
        }
        records.extend(batch);
    }
}

fn actual(catalog: &Catalog, records: &[ClientRecord]) -> BTreeMap<Key, Value> {
    let scopes = catalog.scopes.iter().map(|one| (Key::scope(&one.name), scope_object(one)));
    let resources = catalog.resources.iter().map(|one| (Key::resource(&one.uri), resource_object(one)));
    let clients = records.iter().map(|one| (Key::client(&one.id), client_object(one.enabled, &one.settings)));
    let types = catalog.authorization_details_types.iter();
    let types =
        types.map(|one| (Key::authorization_details_type(&one.name_of_type), authorization_details_type_object(one)));
    scopes.chain(resources).chain(types).chain(clients).collect()
}

/// A thing of that kind to which nobody gave anything.
fn as_new(key: &Key) -> Value {
    if key.kind == "clients" { client_object(true, &ClientSettings::default()) } else { Value::Object(Map::new()) }
}

/// Identifiers are not used again: a token or a record of the one before would be taken for one of the new one's.
async fn refuse_taken(app: &App, steps: &[(Key, Step)]) -> Result<(), DesiredError> {
    let made = steps.iter().filter(|(_, step)| matches!(step, Step::Create { .. }));
    let made: Vec<PolicyObject> = made.map(|(key, _)| key.object()).collect();
    let taken = app.postgres.list_deleted(&made).await?;
    let what =
        "there was one before, and identifiers are not used again: choose another one, or take it out of the document";
    let violations: Vec<_> = taken.iter().map(|object| Violation::new(Key::of(object).to_string(), what)).collect();
    if violations.is_empty() { Ok(()) } else { Err(DesiredError::Document(violations)) }
}

/// The catalog as it will be.
fn after(catalog: &Catalog, desired: &Desired, steps: &[(Key, Step)], built_in: &Catalog) -> Catalog {
    let stays = |key: &Key| !steps.iter().any(|(gone, step)| gone == key && *step == Step::Delete);
    let mut after = built_in.clone();
    after.scopes.extend(desired.scopes.iter().cloned());
    after.scopes.extend(catalog.scopes.iter().filter(|one| stays(&Key::scope(&one.name))).cloned());
    after.resources.extend(desired.resources.iter().cloned());
    after.resources.extend(catalog.resources.iter().filter(|one| stays(&Key::resource(&one.uri))).cloned());
    after.authorization_details_types.extend(desired.authorization_details_types.iter().cloned());
    let types = catalog.authorization_details_types.iter();
    let types = types.filter(|one| stays(&Key::authorization_details_type(&one.name_of_type)));
    after.authorization_details_types.extend(types.cloned());
    after
}

fn check_references(app: &App, desired: &Desired, catalog: &Catalog) -> Result<(), DesiredError> {
    let mut violations = Vec::new();
    for client in &desired.clients {
        let at = Key::client(&client.id);
        let mut found = unregistered(&client.settings, catalog);
        found.extend(below_the_floor(app, &client.settings));
        violations.extend(found.into_iter().map(|one| Violation::new(format!("{at}{}", one.pointer), one.detail)));
    }
    for resource in &desired.resources {
        let missing = resource.scopes.iter().filter(|name| catalog.find_scope(name).is_none());
        let at = format!("{}/scopes", Key::resource(&resource.uri));
        violations.extend(missing.map(|name| Violation::new(&at, format!("there is no scope {name}"))));
    }
    for known in &desired.authorization_details_types {
        let missing = known.resources.iter().filter(|uri| catalog.find_resource(uri).is_none());
        let at = format!("{}/resources", Key::authorization_details_type(&known.name_of_type));
        violations.extend(missing.map(|uri| Violation::new(&at, format!("there is no resource {}", uri.as_str()))));
    }
    if violations.is_empty() { Ok(()) } else { Err(DesiredError::Document(violations)) }
}

/// What is at the `sector_identifier_uri` of each client that gets one, or other redirect URIs.
async fn check_sectors(app: &App, desired: &Desired, records: &[ClientRecord]) -> Result<(), DesiredError> {
    let looks = desired.clients.iter().map(async |client| {
        let before = records.iter().find(|record| record.id == client.id).map(|record| &record.settings);
        let (pointer, what) = sector::violation(app, &client.settings, before).await?;
        Some(Violation::new(format!("{}{pointer}", Key::client(&client.id)), what))
    });
    let violations: Vec<_> = join_all(looks).await.into_iter().flatten().collect();
    if violations.is_empty() { Ok(()) } else { Err(DesiredError::Document(violations)) }
}

fn add_catalog(desired: &Desired, steps: &[(Key, Step)], changes: &mut PolicyChanges) {
    let changes_to = |key: Key| steps.iter().any(|(changed, step)| *changed == key && *step != Step::Delete);
    changes.scopes = desired.scopes.iter().filter(|one| changes_to(Key::scope(&one.name))).cloned().collect();
    changes.resources = desired.resources.iter().filter(|one| changes_to(Key::resource(&one.uri))).cloned().collect();
    let types = desired.authorization_details_types.iter();
    changes.authorization_details_types =
        types.filter(|one| changes_to(Key::authorization_details_type(&one.name_of_type))).cloned().collect();
    for (key, _) in steps.iter().filter(|(_, step)| *step == Step::Delete) {
        match key.kind {
            "scopes" => changes.deleted_scopes.push(key.id.clone()),
            "resources" => changes.deleted_resources.push(ResourceUri::new(&key.id)),
            "authorization_details_types" => changes.deleted_authorization_details_types.push(key.id.clone()),
            _ => changes.deleted_clients.push(ClientId::new(&key.id)),
        }
    }
}

/// `{"/clients/a": {...}}`.
fn to_remember(objects: &BTreeMap<Key, Value>) -> Value {
    let member = |(key, value): (&Key, &Value)| (format!("/{}{}", key.kind, escape(&key.id)), value.clone());
    Value::Object(objects.iter().map(member).collect::<Map<_, _>>())
}

fn remembered(objects: &Value) -> BTreeMap<Key, Value> {
    let kinds = ["scopes", "resources", "authorization_details_types", "clients"];
    let key = |pointer: &str| {
        let (kind, id) = pointer.strip_prefix('/')?.split_once('/')?;
        let kind = kinds.into_iter().find(|known| *known == kind)?;
        Some(Key { kind, id: id.replace("~1", "/").replace("~0", "~") })
    };
    let members = objects.as_object().into_iter().flatten();
    members.filter_map(|(pointer, value)| Some((key(pointer)?, value.clone()))).collect()
}
