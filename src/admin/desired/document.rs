//! The document of `ostiary apply`: what clients, scopes, resources and types of authorization details there should be.
//!
//! A policy is a named set of client settings; a client that names one has its settings, and its own over them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Key;
use crate::admin::catalog::authorization_details_types::document::type_violations;
use crate::admin::catalog::text_violations;
use crate::admin::clients::document::NewClient;
use crate::admin::json::{self, FromObject, escape, merge};
use crate::http::problem::Violation;
use crate::model::authorization_details::AuthorizationDetailsType;
use crate::model::catalog::{Localized, Resource, Scope};
use crate::model::client::ClientSettings;
use crate::model::id::{ClientId, ResourceUri};
use crate::protocol::{resource, scope};

/// The whole document.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    policies: BTreeMap<String, Map<String, Value>>,
    scopes: Vec<ScopeEntry>,
    resources: Vec<ResourceEntry>,
    authorization_details_types: Vec<TypeEntry>,
    clients: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct ScopeEntry {
    name: String,
    description: Localized,
    #[serde(default = "yes")]
    published: bool,
}

#[derive(Deserialize)]
struct ResourceEntry {
    uri: String,
    name: Localized,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    restricted: bool,
}

#[derive(Deserialize)]
struct TypeEntry {
    r#type: String,
    schema: Value,
    name: Localized,
    #[serde(default)]
    sentence: Localized,
    #[serde(default)]
    resources: Vec<ResourceUri>,
}

/// A client that should be there.
pub(super) struct DesiredClient {
    pub(super) id: ClientId,
    pub(super) enabled: bool,
    pub(super) settings: ClientSettings,
    /// Where its secret is to be read; absent: one is made up when the client is.
    pub(super) secret_file: Option<PathBuf>,
}

/// What should be there.
#[derive(Default)]
pub(super) struct Desired {
    pub(super) scopes: Vec<Scope>,
    pub(super) resources: Vec<Resource>,
    pub(super) authorization_details_types: Vec<AuthorizationDetailsType>,
    pub(super) clients: Vec<DesiredClient>,
}

fn yes() -> bool {
    true
}

impl Desired {
    /// Reads the document; everything that is wrong with it at once.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<Violation>> {
        let yaml: serde_yaml_ng::Value =
            serde_yaml_ng::from_str(text).map_err(|error| vec![Violation::new("", format!("is not YAML: {error}"))])?;
        let value = serde_json::to_value(yaml).map_err(|_| vec![Violation::new("", "a key is not a text")])?;
        let document: Document = if value.is_null() { Document::default() } else { json::read(value)? };
        let mut violations = Vec::new();
        let desired = Self {
            scopes: scopes(document.scopes, &mut violations),
            resources: resources(document.resources, &mut violations),
            authorization_details_types: types(document.authorization_details_types, &mut violations),
            clients: clients(&document.policies, document.clients, &mut violations),
        };
        desired.refuse_repeats(&mut violations);
        if violations.is_empty() { Ok(desired) } else { Err(violations) }
    }

    /// Every thing by its key, in the form in which states are compared.
    pub(super) fn objects(&self) -> BTreeMap<Key, Value> {
        let scopes = self.scopes.iter().map(|one| (Key::scope(&one.name), scope_object(one)));
        let resources = self.resources.iter().map(|one| (Key::resource(&one.uri), resource_object(one)));
        let clients = self.clients.iter().map(|one| (Key::client(&one.id), client_object(one.enabled, &one.settings)));
        let types = self.authorization_details_types.iter();
        let types = types
            .map(|one| (Key::authorization_details_type(&one.name_of_type), authorization_details_type_object(one)));
        scopes.chain(resources).chain(types).chain(clients).collect()
    }

    fn refuse_repeats(&self, violations: &mut Vec<Violation>) {
        let keys = self.scopes.iter().map(|one| Key::scope(&one.name));
        let keys = keys.chain(self.resources.iter().map(|one| Key::resource(&one.uri)));
        let types = self.authorization_details_types.iter();
        let keys = keys.chain(types.map(|one| Key::authorization_details_type(&one.name_of_type)));
        let keys: Vec<Key> = keys.chain(self.clients.iter().map(|one| Key::client(&one.id))).collect();
        for (index, key) in keys.iter().enumerate() {
            if keys.iter().take(index).any(|other| other == key) {
                violations.push(Violation::new(key.to_string(), "is there twice"));
            }
        }
    }
}

/// A scope as it is compared.
pub(super) fn scope_object(one: &Scope) -> Value {
    json!({"description": one.description, "published": one.published})
}

/// A resource as it is compared.
pub(super) fn resource_object(one: &Resource) -> Value {
    json!({"name": one.name, "scopes": one.scopes, "restricted": one.restricted})
}

/// A type of authorization details as it is compared.
pub(super) fn authorization_details_type_object(one: &AuthorizationDetailsType) -> Value {
    json!({"schema": one.schema, "name": one.name, "sentence": one.sentence, "resources": one.resources})
}

/// A client as it is compared.
pub(super) fn client_object(enabled: bool, settings: &ClientSettings) -> Value {
    let mut object = json!(settings);
    if let Value::Object(object) = &mut object {
        object.insert("enabled".to_owned(), enabled.into());
    }
    object
}

fn scopes(entries: Vec<ScopeEntry>, violations: &mut Vec<Violation>) -> Vec<Scope> {
    let mut scopes = Vec::new();
    for (index, ScopeEntry { name, description, published }) in entries.into_iter().enumerate() {
        let at = format!("/scopes/{index}");
        if !scope::parse(&name).is_ok_and(|parsed| parsed == [name.as_str()]) {
            violations.push(Violation::new(format!("{at}/name"), "it is not a scope (RFC 6749 section 3.3)"));
        }
        violations.extend(text_violations(&format!("{at}/description"), &description));
        scopes.push(Scope { name, description, published });
    }
    scopes
}

fn resources(entries: Vec<ResourceEntry>, violations: &mut Vec<Violation>) -> Vec<Resource> {
    let mut resources = Vec::new();
    for (index, ResourceEntry { uri, name, scopes, restricted }) in entries.into_iter().enumerate() {
        let at = format!("/resources/{index}");
        if resource::parse(&uri).is_err() {
            violations.push(Violation::new(format!("{at}/uri"), "it must be an absolute URI without a fragment"));
        }
        violations.extend(text_violations(&format!("{at}/name"), &name));
        resources.push(Resource { uri: ResourceUri::new(uri), name, scopes, restricted });
    }
    resources
}

fn types(entries: Vec<TypeEntry>, violations: &mut Vec<Violation>) -> Vec<AuthorizationDetailsType> {
    let mut types = Vec::new();
    for (index, TypeEntry { r#type, schema, name, sentence, resources }) in entries.into_iter().enumerate() {
        let known = AuthorizationDetailsType { name_of_type: r#type, schema, name, sentence, resources };
        let at =
            |one: Violation| Violation::new(format!("/authorization_details_types/{index}{}", one.pointer), one.detail);
        violations.extend(type_violations(&known).into_iter().map(at));
        types.push(known);
    }
    types
}

fn clients(
    policies: &BTreeMap<String, Map<String, Value>>,
    entries: Vec<Map<String, Value>>,
    violations: &mut Vec<Violation>,
) -> Vec<DesiredClient> {
    for (name, settings) in policies {
        if let Err(found) = json::read::<ClientSettings>(Value::Object(settings.clone())) {
            let at = |violation: Violation| {
                Violation::new(format!("/policies{}{}", escape(name), violation.pointer), violation.detail)
            };
            violations.extend(found.into_iter().map(at));
        }
    }
    let mut clients = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        match client(policies, entry) {
            Ok(client) => clients.push(client),
            Err(found) => {
                let at = |one: Violation| Violation::new(format!("/clients/{index}{}", one.pointer), one.detail);
                violations.extend(found.into_iter().map(at));
            }
        }
    }
    clients
}

fn client(
    policies: &BTreeMap<String, Map<String, Value>>,
    mut entry: Map<String, Value>,
) -> Result<DesiredClient, Vec<Violation>> {
    let mut violations = Vec::new();
    let mut text = |entry: &mut Map<String, Value>, name: &str| match entry.remove(name) {
        None => None,
        Some(Value::String(text)) => Some(text),
        Some(_) => {
            violations.push(Violation::new(format!("/{name}"), "it must be a text"));
            None
        }
    };
    let policy = text(&mut entry, "policy");
    let secret_file = text(&mut entry, "client_secret_file").map(PathBuf::from);
    let base = match &policy {
        None => Map::new(),
        Some(name) => policies.get(name).cloned().unwrap_or_else(|| {
            violations.push(Violation::new("/policy", format!("there is no policy {name} in the document")));
            Map::new()
        }),
    };
    match NewClient::from_object(merge(base, entry)) {
        Ok(NewClient { client_id: Some(id), enabled, settings }) => {
            if !settings.token_endpoint_auth_method.has_secret() && secret_file.is_some() {
                violations.push(Violation::new("/client_secret_file", "the client authenticates without a secret"));
            }
            if violations.is_empty() {
                Ok(DesiredClient { id, enabled, settings, secret_file })
            } else {
                Err(violations)
            }
        }
        Ok(NewClient { client_id: None, .. }) => {
            violations.push(Violation::new("/client_id", "it is missing"));
            Err(violations)
        }
        Err(found) => {
            violations.extend(found);
            Err(violations)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_what_its_clients_begin_with() {
        let desired = Desired::parse(
            "
            policies:
              ours: {consent: first_party, lifetimes: {access_token: 300, id_token: 60}}
            clients:
              - {client_id: a, policy: ours, redirect_uris: ['https://a.example/'], lifetimes: {id_token: 90}}
            ",
        );
        let client = desired.ok().and_then(|mut desired| desired.clients.pop()).unwrap();
        assert_eq!(json!(client.settings.consent), "first_party");
        assert_eq!(json!(client.settings.lifetimes), json!({"access_token": 300, "id_token": 90}));
    }

    #[test]
    fn everything_that_is_wrong_is_said_with_its_place() {
        let violations = Desired::parse(
            "
            policies: {ours: {consnt: always}}
            scopes: [{name: 'a b', description: {de: Lesen}}]
            resources: [{uri: nowhere, name: {}}]
            clients:
              - {client_id: a, policy: theirs, redirect_uris: []}
              - {redirect_uris: ['https://a.example/']}
            ",
        );
        let pointers: Vec<String> = violations.err().unwrap().into_iter().map(|one| one.pointer).collect();
        let expected = [
            "/scopes/0/name",
            "/scopes/0/description",
            "/resources/0/uri",
            "/resources/0/name",
            "/policies/ours/consnt",
            "/clients/0/policy",
            "/clients/0/redirect_uris",
            "/clients/1/client_id",
        ];
        assert_eq!(pointers, expected);
        assert_eq!(Desired::parse("clints: []").err().unwrap()[0].pointer, "/clints");
        assert!(Desired::parse("").is_ok());
    }
}
