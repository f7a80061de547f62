//! A person as the API shows and takes them.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::admin::json::FromObject;
use crate::http::problem::Violation;
use crate::model::id::SubjectId;
use crate::protocol::claims::standard;
use crate::storage::postgres::password_ticket::TicketPurpose;
use crate::storage::postgres::person_record::{PersonChange, PersonRecord};

/// The longest username, in bytes: what the sign-in page takes.
const MAX_USERNAME: usize = 256;

/// Somebody.
#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub(in crate::admin) struct UserDocument {
    /// The `sub` of their tokens; never anybody else's.
    pub(in crate::admin) subject: SubjectId,
    /// The name they sign in with.
    pub(in crate::admin) username: String,
    /// Their standard claims (OpenID Connect Core section 5.1).
    pub(in crate::admin) claims: Map<String, Value>,
    /// Whether they administer the server.
    pub(in crate::admin) is_administrator: bool,
    /// Whether they may sign in.
    pub(in crate::admin) enabled: bool,
    /// Whether they have a password; without one they were invited, and have not answered yet.
    pub(in crate::admin) has_password: bool,
    /// When they were registered.
    pub(in crate::admin) created_at: DateTime<Utc>,
    /// When they last changed.
    pub(in crate::admin) updated_at: DateTime<Utc>,
}

/// Somebody who was just registered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RegisteredUser")]
pub(in crate::admin) struct RegisteredUser {
    /// Who.
    #[serde(flatten)]
    pub(in crate::admin) user: UserDocument,
    /// The invitation, if they were given no password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) invitation: Option<PasswordLink>,
}

/// A link that an administrator passes on. Whoever opens it may choose the person's password, once.
#[derive(Clone, Serialize, JsonSchema)]
pub(in crate::admin) struct PasswordLink {
    /// The address, told once.
    pub(in crate::admin) url: String,
    /// What for.
    pub(in crate::admin) purpose: TicketPurpose,
    /// When it stops working.
    pub(in crate::admin) expires_at: DateTime<Utc>,
}

/// What a caller says of somebody to register.
#[derive(JsonSchema)]
#[schemars(rename = "NewUser", deny_unknown_fields)]
#[expect(dead_code, reason = "read member by member; the type is what the OpenAPI document shows")]
pub(super) struct NewUserInput {
    #[schemars(flatten)]
    user: UserInput,
    /// Their password; absent: the answer has an invitation.
    password: Option<String>,
}

/// What a caller may say of somebody.
#[derive(JsonSchema)]
#[schemars(rename = "UserInput", deny_unknown_fields)]
#[expect(dead_code, reason = "read member by member; the type is what the OpenAPI document shows")]
pub(super) struct UserInput {
    /// The name they sign in with. Names that differ only in case are one name.
    #[schemars(length(min = 1, max = MAX_USERNAME))]
    username: String,
    /// Their standard claims (OpenID Connect Core section 5.1); absent: none.
    claims: Option<Map<String, Value>>,
    /// Whether they administer the server; absent: no.
    is_administrator: Option<bool>,
    /// Whether they may sign in; absent: yes.
    enabled: Option<bool>,
}

/// Somebody to register.
pub(in crate::admin) struct NewUser {
    /// What is known of them.
    pub(in crate::admin) user: UserChange,
    /// Their password; without one they are invited.
    pub(in crate::admin) password: Option<SecretString>,
}

/// Everything of somebody that can be changed.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::admin) struct UserChange {
    /// The name they sign in with.
    pub(in crate::admin) username: String,
    /// Their standard claims.
    pub(in crate::admin) claims: Map<String, Value>,
    /// Whether they administer the server.
    pub(in crate::admin) is_administrator: bool,
    /// Whether they may sign in.
    pub(in crate::admin) enabled: bool,
}

impl UserDocument {
    /// What the rows say.
    pub(in crate::admin) fn new(record: PersonRecord) -> Self {
        Self {
            subject: record.subject,
            username: record.username,
            claims: record.claims,
            is_administrator: record.is_administrator,
            enabled: record.enabled,
            has_password: record.has_password,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }

    /// Somebody who is about to be registered.
    pub(super) fn unborn(subject: SubjectId, user: &UserChange, has_password: bool, now: DateTime<Utc>) -> Self {
        Self {
            subject,
            username: user.username.clone(),
            claims: user.claims.clone(),
            is_administrator: user.is_administrator,
            enabled: user.enabled,
            has_password,
            created_at: now,
            updated_at: now,
        }
    }
}

impl UserChange {
    /// As the store takes it.
    pub(super) fn as_change(&self) -> PersonChange<'_> {
        let Self { username, claims, is_administrator, enabled } = self;
        PersonChange { username, claims, is_administrator: *is_administrator, enabled: *enabled }
    }

    fn take(object: &mut Map<String, Value>, found: &mut Vec<Violation>) -> Self {
        let username = match object.remove("username") {
            Some(Value::String(name)) if is_username(&name) => name.trim().to_owned(),
            _ => {
                let what = format!("it must be a text of 1 to {MAX_USERNAME} bytes without control characters");
                found.push(Violation::new("/username", what));
                String::new()
            }
        };
        let claims = match object.remove("claims") {
            None => Map::new(),
            Some(Value::Object(claims)) => {
                let wrong = standard::violations(&claims).into_iter();
                found.extend(wrong.map(|(pointer, what)| Violation::new(format!("/claims{pointer}"), what)));
                claims
            }
            Some(_) => {
                found.push(Violation::new("/claims", "it must be an object"));
                Map::new()
            }
        };
        let is_administrator = take_bool(object, "is_administrator", false, found);
        let enabled = take_bool(object, "enabled", true, found);
        Self { username, claims, is_administrator, enabled }
    }
}

impl FromObject for UserChange {
    fn from_object(mut object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let mut found = Vec::new();
        let user = Self::take(&mut object, &mut found);
        refuse_rest(object, &mut found);
        if found.is_empty() { Ok(user) } else { Err(found) }
    }
}

impl FromObject for NewUser {
    fn from_object(mut object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let mut found = Vec::new();
        let user = UserChange::take(&mut object, &mut found);
        let password = match object.remove("password") {
            None => None,
            Some(Value::String(password)) => Some(SecretString::from(password)),
            Some(_) => {
                found.push(Violation::new("/password", "it must be a text; leave it out to invite the person"));
                None
            }
        };
        refuse_rest(object, &mut found);
        if found.is_empty() { Ok(Self { user, password }) } else { Err(found) }
    }
}

/// The members of somebody that can be changed, as they stand.
pub(in crate::admin) fn changeable(record: &PersonRecord) -> Map<String, Value> {
    [
        ("username", Value::from(record.username.as_str())),
        ("claims", Value::Object(record.claims.clone())),
        ("is_administrator", record.is_administrator.into()),
        ("enabled", record.enabled.into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Whether somebody may be called that.
pub fn is_username(name: &str) -> bool {
    let name = name.trim();
    (1..=MAX_USERNAME).contains(&name.len()) && !name.contains(char::is_control)
}

fn take_bool(object: &mut Map<String, Value>, name: &str, default: bool, found: &mut Vec<Violation>) -> bool {
    match object.remove(name) {
        None => default,
        Some(Value::Bool(value)) => value,
        Some(_) => {
            found.push(Violation::new(format!("/{name}"), "it must be true or false"));
            default
        }
    }
}

fn refuse_rest(object: Map<String, Value>, found: &mut Vec<Violation>) {
    let pointer = |name: String| crate::admin::json::escape(&name);
    found.extend(object.into_iter().map(|(name, _)| Violation::new(pointer(name), "there is no such member")));
}
