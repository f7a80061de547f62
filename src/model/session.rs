//! A person's sign-in in one browser: the row is the truth for "is it alive".

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::{Sid, SubjectId};

/// How and when a person proved who they are: what ID tokens say of it (OpenID Connect Core section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authentication {
    /// When the person last proved it: `auth_time`.
    pub auth_time: DateTime<Utc>,
    /// The methods used, RFC 8176 names: `amr`.
    pub amr: Vec<String>,
    /// The authentication context class reached: `acr`.
    pub acr: String,
}

/// A way to prove who one is, by its name in the registry of RFC 8176 section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthenticationMethod {
    /// A password.
    Pwd,
}

impl AuthenticationMethod {
    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pwd => "pwd",
        }
    }
}

/// A sign-in of one person in one browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its identifier, the `sid` claim.
    pub sid: Sid,
    /// Whose it is.
    pub subject: SubjectId,
    /// The generation of the subject when it was made; a later one ends it.
    pub generation: i64,
    /// How the person signed in.
    pub authentication: Authentication,
    /// When the row was last touched.
    pub seen_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// When it was ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Who is signed in, as the browser's own record says: what a cookie stands for. Whether the session is still alive, its row
/// says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// The session.
    pub sid: Sid,
    /// Whose it is.
    pub subject: SubjectId,
    /// The generation of the subject when it was made.
    pub generation: i64,
    /// How the person signed in.
    pub authentication: Authentication,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

impl From<&Session> for SignedIn {
    fn from(session: &Session) -> Self {
        Self {
            sid: session.sid,
            subject: session.subject.clone(),
            generation: session.generation,
            authentication: session.authentication.clone(),
            expires_at: session.expires_at,
        }
    }
}

/// Why a session ended, as the row and the audit say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The person signed out, here or at a client.
    Logout,
    /// Its time was over.
    Expired,
    /// An administrator ended it.
    Administrator,
    /// Another sign-in in the same browser took its place.
    Replaced,
    /// The subject was disabled or deleted, or signed out everywhere.
    Subject,
}

impl EndReason {
    /// The word stored in the row.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Expired => "expired",
            Self::Administrator => "administrator",
            Self::Replaced => "replaced",
            Self::Subject => "subject",
        }
    }
}
