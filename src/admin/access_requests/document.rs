//! A request for a client as the API shows it, and what an administrator says to it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::admin::json::{self, FromObject};
use crate::http::problem::Violation;
use crate::model::client::ClientSettings;
use crate::model::id::{ClientId, SubjectId};
use crate::storage::postgres::access_request::{AccessRequest, AccessRequestStatus};

/// The longest note, in characters.
const MAX_NOTE: usize = 1000;

/// A request.
#[derive(Clone, Serialize, JsonSchema)]
#[schemars(rename = "AccessRequest")]
pub(in crate::admin) struct AccessRequestDocument {
    /// Its identifier.
    pub(in crate::admin) id: Uuid,
    /// Who asks.
    pub(in crate::admin) subject: SubjectId,
    /// How it stands.
    pub(in crate::admin) status: AccessRequestStatus,
    /// The client that they ask for; once it is approved, the client that they got.
    pub(in crate::admin) settings: ClientSettings,
    /// What for.
    pub(in crate::admin) reason: String,
    /// When it was made.
    pub(in crate::admin) created_at: DateTime<Utc>,
    /// Who decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) decided_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) decided_at: Option<DateTime<Utc>>,
    /// What the person is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) note: Option<String>,
    /// The client that came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) client_id: Option<ClientId>,
    /// When the person fetched the credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) delivered_at: Option<DateTime<Utc>>,
}

/// How a request is approved.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::admin) struct Approval {
    /// The identifier of the client; absent: one is made up.
    pub(in crate::admin) client_id: Option<String>,
    /// Changes to what was asked for (RFC 7396); absent: none.
    pub(in crate::admin) settings: Map<String, Value>,
    /// What the person is told.
    pub(in crate::admin) note: Option<String>,
}

/// How a request is refused.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::admin) struct Refusal {
    /// What the person is told.
    pub(in crate::admin) note: Option<String>,
}

impl AccessRequestDocument {
    /// What the row says.
    pub(in crate::admin) fn new(request: AccessRequest) -> Self {
        Self {
            id: request.id,
            subject: request.subject,
            status: request.status,
            settings: request.settings,
            reason: request.reason,
            created_at: request.created_at,
            decided_by: request.decided_by,
            decided_at: request.decided_at,
            note: request.note,
            client_id: request.client_id,
            delivered_at: request.delivered_at,
        }
    }
}

impl FromObject for Approval {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let approval: Self = json::read(Value::Object(object))?;
        check_note(approval.note.as_deref())?;
        Ok(approval)
    }
}

impl FromObject for Refusal {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let refusal: Self = json::read(Value::Object(object))?;
        check_note(refusal.note.as_deref())?;
        Ok(refusal)
    }
}

fn check_note(note: Option<&str>) -> Result<(), Vec<Violation>> {
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if note.is_some_and(|note| note.chars().count() > MAX_NOTE || note.contains(is_odd)) {
        return Err(vec![Violation::new("/note", format!("it may have {MAX_NOTE} characters at most"))]);
    }
    Ok(())
}
