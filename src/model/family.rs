//! What one authorization code stands for: the durable family of every token that comes of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::authorization_details::AuthorizationDetail;
use super::client::GrantType;
use super::id::{ClientId, FamilyId, ResourceUri, Sid, SubjectId};
use super::session::Authentication;

/// What a person allowed a client: carried from the code to the family row and into every token of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The grant that began it.
    pub grant_type: GrantType,
    /// Who may use it.
    pub client_id: ClientId,
    /// The client's generation when it was given; a later one ends it.
    #[serde(default)]
    pub client_generation: i64,
    /// On whose behalf.
    pub subject: SubjectId,
    /// The subject's generation when it was given; a later one ends it.
    pub generation: i64,
    /// The session it was given in.
    pub sid: Sid,
    /// The scopes granted, in the order asked.
    pub scopes: Vec<String>,
    /// The resources granted; empty: the default audience.
    pub resources: Vec<ResourceUri>,
    /// What was granted in particular (RFC 9396). Absent from the records of a version that did not know.
    #[serde(default)]
    pub authorization_details: Vec<AuthorizationDetail>,
    /// The `claims` parameter as it was validated (OpenID Connect Core section 5.5).
    pub claims: Option<serde_json::Value>,
    /// How the person signed in.
    pub authentication: Authentication,
}

impl Grant {
    /// Whether `scope` was granted.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }

    /// Whether the grant outlives the session (OpenID Connect Core section 11).
    pub fn is_offline(&self) -> bool {
        self.has_scope("offline_access")
    }
}

/// A family as its row stands.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenFamily {
    /// Its identifier.
    pub id: FamilyId,
    /// What was granted.
    pub grant: Grant,
    /// How many times its refresh token was rotated.
    pub seq: i32,
    /// When its refresh token ends if nobody uses it; absent: it has none.
    pub idle_expires_at: Option<DateTime<Utc>>,
    /// When it ends whatever happens.
    pub expires_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Whether the row, its subject, its client and (without offline access) its session all still stand.
    pub is_alive: bool,
}
