//! A client as the API shows and takes it: what it registered, flat, beside what the server knows of it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::admin::catalog::RESERVED;
use crate::admin::json::{self, FromObject};
use crate::http::problem::Violation;
use crate::model::admin_scope::AdminScopes;
use crate::model::client::ClientSettings;
use crate::model::id::{ClientId, ResourceUri, SubjectId};
use crate::model::registration::RegisteredThrough;
use crate::protocol::client_metadata;
use crate::protocol::uri::AbsoluteUri;
use crate::storage::postgres::client_record::{ClientRecord, SecretRecord};
use crate::storage::registry::Catalog;

/// The longest identifier that a caller may choose.
const MAX_ID: usize = 255;

/// A client.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Client")]
pub(in crate::admin) struct ClientDocument {
    /// Its identifier.
    pub(in crate::admin) client_id: ClientId,
    /// Whether it may do anything at all.
    pub(in crate::admin) enabled: bool,
    /// What it registered.
    #[serde(flatten)]
    pub(in crate::admin) settings: ClientSettings,
    /// Its secrets, oldest first; never the secrets themselves.
    pub(in crate::admin) secrets: Vec<SecretDocument>,
    /// How it registered itself (RFC 7591); absent: somebody registered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) registered_through: Option<RegisteredThrough>,
    /// When it was registered.
    pub(in crate::admin) created_at: DateTime<Utc>,
    /// When it last changed.
    pub(in crate::admin) updated_at: DateTime<Utc>,
}

/// What can be told of a secret.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ClientSecret")]
pub(in crate::admin) struct SecretDocument {
    /// Its identifier.
    pub(in crate::admin) id: Uuid,
    /// When it was made.
    pub(in crate::admin) created_at: DateTime<Utc>,
    /// When it stops working; absent: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) expires_at: Option<DateTime<Utc>>,
}

/// A client that was just registered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RegisteredClient")]
pub(super) struct Registered {
    /// The client.
    #[serde(flatten)]
    pub(super) client: ClientDocument,
    /// Its secret, told once. Absent for clients that have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_secret: Option<String>,
}

/// What a caller says of a client: everything that it may change.
#[derive(JsonSchema)]
#[schemars(rename = "ClientInput", deny_unknown_fields)]
#[expect(dead_code, reason = "read member by member; the type is what the OpenAPI document shows")]
pub(super) struct ClientInput {
    /// Its identifier; absent: one is made up.
    #[schemars(length(min = 1, max = MAX_ID))]
    client_id: Option<String>,
    /// Whether it may do anything at all; absent: yes.
    enabled: Option<bool>,
    /// What it registers. What is absent has its default.
    #[schemars(flatten)]
    settings: ClientSettings,
}

/// A client to register.
pub(in crate::admin) struct NewClient {
    /// The identifier that the caller chose.
    pub(in crate::admin) client_id: Option<ClientId>,
    /// Whether it may do anything at all.
    pub(in crate::admin) enabled: bool,
    /// What it registers.
    pub(in crate::admin) settings: ClientSettings,
}

impl ClientDocument {
    /// What the row says.
    pub(in crate::admin) fn new(record: ClientRecord) -> Self {
        Self {
            client_id: record.id,
            enabled: record.enabled,
            settings: record.settings,
            secrets: record.secrets.into_iter().map(SecretDocument::new).collect(),
            registered_through: record.registered_through,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }

    /// A client that is about to be registered.
    pub(super) fn unborn(
        client_id: ClientId,
        (enabled, settings): (bool, ClientSettings),
        secret: Option<Uuid>,
        now: DateTime<Utc>,
    ) -> Self {
        let secrets = secret.map(|id| SecretDocument { id, created_at: now, expires_at: None }).into_iter().collect();
        Self { client_id, enabled, settings, secrets, registered_through: None, created_at: now, updated_at: now }
    }
}

impl SecretDocument {
    fn new(record: SecretRecord) -> Self {
        Self { id: record.id, created_at: record.created_at, expires_at: record.expires_at }
    }
}

impl FromObject for NewClient {
    fn from_object(mut object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let mut violations = Vec::new();
        let client_id = match object.remove("client_id") {
            None => None,
            Some(Value::String(id)) if is_client_id(&id) => Some(ClientId::new(id)),
            Some(_) => {
                let what = format!(
                    "it must be 1 to {MAX_ID} characters out of letters, digits and -._~, or an absolute https URI, and not \
                     begin with {}",
                    SubjectId::PREFIX
                );
                violations.push(Violation::new("/client_id", what));
                None
            }
        };
        let enabled = match object.remove("enabled") {
            None => true,
            Some(Value::Bool(enabled)) => enabled,
            Some(_) => {
                violations.push(Violation::new("/enabled", "it must be true or false"));
                true
            }
        };
        match json::read::<ClientSettings>(Value::Object(object)) {
            Ok(settings) => {
                let found = client_metadata::violations(&settings);
                violations.extend(found.into_iter().map(|(pointer, detail)| Violation::new(pointer, detail)));
                if violations.is_empty() { Ok(Self { client_id, enabled, settings }) } else { Err(violations) }
            }
            Err(found) => {
                violations.extend(found);
                Err(violations)
            }
        }
    }
}

/// RFC 6749 appendix A.1 allows more; what is allowed here needs no escaping anywhere.
fn is_client_id(id: &str) -> bool {
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    let is_uri = AbsoluteUri::parse(id).is_some_and(|uri| uri.has_scheme("https") && uri.authority.is_some());
    (1..=MAX_ID).contains(&id.len()) && !id.starts_with(SubjectId::PREFIX) && (is_plain || is_uri)
}

/// The members of a client that can be changed, as they stand.
pub(in crate::admin) fn changeable(record: &ClientRecord) -> serde_json::Result<Map<String, Value>> {
    let mut object = match serde_json::to_value(&record.settings)? {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    object.insert("enabled".to_owned(), record.enabled.into());
    Ok(object)
}

/// What the settings name that is not registered, or not to be had in that way.
pub(in crate::admin) fn unregistered(settings: &ClientSettings, catalog: &Catalog) -> Vec<Violation> {
    let scopes = settings.scopes.iter().enumerate().filter(|(_, name)| catalog.find_scope(name).is_none());
    let scopes = scopes
        .map(|(index, _)| Violation::new(format!("/scopes/{index}"), "there is no scope of that name registered"));
    let exchanged = &settings.token_exchange.resources;
    let resources =
        [("resources", &settings.resources), ("serves", &settings.serves), ("token_exchange/resources", exchanged)];
    let resources = resources.into_iter().flat_map(|(list, uris)| {
        let missing = uris.iter().enumerate().filter(|(_, uri)| catalog.find_resource(uri).is_none());
        missing
            .map(move |(index, _)| Violation::new(format!("/{list}/{index}"), "there is no such resource registered"))
    });
    // Whoever administers signs in for it, or has a secret of their own.
    let is_administrative = |uri: &ResourceUri| {
        let resource = catalog.find_resource(uri);
        resource.is_some_and(|resource| resource.scopes.iter().any(|scope| scope.starts_with(RESERVED)))
    };
    let administrative = exchanged.iter().enumerate().filter(|(_, uri)| is_administrative(uri)).map(|(index, _)| {
        let what = "the admin API cannot be reached by token exchange";
        Violation::new(format!("/token_exchange/resources/{index}"), what)
    });
    let types = settings.authorization_details_types.iter().enumerate();
    let types = types.filter(|(_, name)| catalog.find_authorization_details_type(name).is_none()).map(|(index, _)| {
        let pointer = format!("/authorization_details_types/{index}");
        Violation::new(pointer, "there is no type of authorization details of that name registered")
    });
    scopes.chain(resources).chain(administrative).chain(types).collect()
}

/// What a client with these settings may do at the admin API.
pub(in crate::admin) fn admin_scopes(settings: &ClientSettings, admin: &ResourceUri) -> AdminScopes {
    if settings.resources.contains(admin) {
        AdminScopes::among(settings.scopes.iter().map(String::as_str))
    } else {
        AdminScopes::default()
    }
}
