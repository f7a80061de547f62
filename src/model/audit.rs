//! What is recorded of what happened: which event, to whom or what, and who did it. Never a secret.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::{ClientId, SubjectId};

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal as $words:literal,)+) => {
        /// The kinds of events. Their names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum AuditEventKind {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $kind,)+
        }

        impl AuditEventKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// The name in the record.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// What it is called for people.
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$kind => $words,)+
                }
            }
        }
    };
}

kinds! {
    /// The first administrator and the first client were made.
    AdministrationBegun = "administration.begun" as "First administrator made",
    /// Clients, scopes and resources were changed as a document says.
    PolicyApplied = "policy.applied" as "Policy applied",
    /// A client was registered.
    ClientRegistered = "client.registered" as "Client registered",
    /// The settings of a client were changed, or it was enabled or disabled.
    ClientChanged = "client.changed" as "Client changed",
    /// A client was deleted.
    ClientDeleted = "client.deleted" as "Client deleted",
    /// A client that nobody registered by hand, and nobody used, was removed.
    ClientReaped = "client.reaped" as "Unused client removed",
    /// A client got one more secret.
    ClientSecretRotated = "client_secret.rotated" as "Client secret added",
    /// A secret of a client was taken away.
    ClientSecretDeleted = "client_secret.deleted" as "Client secret taken away",
    /// An initial access token was made, with which clients register themselves.
    InitialAccessTokenIssued = "initial_access_token.issued" as "Initial access token made",
    /// An initial access token was ended.
    InitialAccessTokenRevoked = "initial_access_token.revoked" as "Initial access token ended",
    /// A scope was registered.
    ScopeRegistered = "scope.registered" as "Scope registered",
    /// A scope was changed.
    ScopeChanged = "scope.changed" as "Scope changed",
    /// A scope was taken away.
    ScopeRemoved = "scope.removed" as "Scope taken away",
    /// A resource was registered.
    ResourceRegistered = "resource.registered" as "Resource registered",
    /// A resource was changed.
    ResourceChanged = "resource.changed" as "Resource changed",
    /// A resource was taken away.
    ResourceRemoved = "resource.removed" as "Resource taken away",
    /// A type of authorization details was registered.
    AuthorizationDetailsTypeRegistered = "authorization_details_type.registered" as "Type of authorization details registered",
    /// A type of authorization details was changed.
    AuthorizationDetailsTypeChanged = "authorization_details_type.changed" as "Type of authorization details changed",
    /// A type of authorization details was taken away.
    AuthorizationDetailsTypeRemoved = "authorization_details_type.removed" as "Type of authorization details taken away",
    /// Somebody was registered.
    PersonRegistered = "person.registered" as "Person registered",
    /// Somebody's claims, name or rights were changed, or they were enabled or disabled.
    PersonChanged = "person.changed" as "Person changed",
    /// Somebody was deleted.
    PersonDeleted = "person.deleted" as "Person deleted",
    /// Somebody was given a password.
    PasswordSet = "password.set" as "Password set",
    /// A link was made with which somebody chooses a password.
    PasswordLinkIssued = "password_link.issued" as "Password link made",
    /// Everything that somebody has was ended.
    PersonSignedOut = "person.signed_out" as "Person signed out everywhere",
    /// A session was ended.
    SessionEnded = "session.ended" as "Session ended",
    /// The sessions of somebody were ended.
    SessionsEnded = "sessions.ended" as "Sessions ended",
    /// What somebody allowed a client was taken back.
    ConsentWithdrawn = "consent.withdrawn" as "Consent withdrawn",
    /// The tokens that came of one code were revoked.
    TokenFamilyRevoked = "token_family.revoked" as "Tokens of a sign-in revoked",
    /// The tokens of a subject, of a client or of both were revoked.
    TokensRevoked = "tokens.revoked" as "Tokens revoked",
    /// A client that somebody asked for was registered.
    AccessRequestApproved = "access_request.approved" as "Request approved",
    /// A client that somebody asked for was refused.
    AccessRequestRefused = "access_request.refused" as "Request refused",
    /// Somebody signed in.
    SignedIn = "sign_in.succeeded" as "Signed in",
    /// Somebody tried a wrong password.
    SignInFailed = "sign_in.failed" as "Sign-in failed",
    /// Somebody allowed a client what it asked for.
    ConsentGiven = "consent.given" as "Consent given",
    /// A client got tokens.
    TokensIssued = "tokens.issued" as "Tokens issued",
    /// A client got new tokens for a refresh token.
    TokensRefreshed = "tokens.refreshed" as "Tokens refreshed",
    /// A code was used a second time; what it gave was revoked.
    CodeReused = "code.reused" as "Code used twice",
    /// A refresh token was used that had a successor; what came of its sign-in was revoked.
    RefreshTokenReused = "refresh_token.reused" as "Refresh token used twice",
    /// A signing key was made and published.
    KeyPrepublished = "key.prepublished" as "Key made and listed",
    /// A signing key signs from now on.
    KeyActivated = "key.activated" as "Key begun to sign",
    /// A signing key left the key set.
    KeyRetired = "key.retired" as "Key retired",
    /// A signing key was ended at once, in an emergency.
    KeyRevoked = "key.revoked" as "Key revoked",
}

impl AuditEventKind {
    /// What a record of it says.
    pub fn outcome(self) -> AuditOutcome {
        match self {
            Self::SignInFailed | Self::CodeReused | Self::RefreshTokenReused => AuditOutcome::Failure,
            _ => AuditOutcome::Success,
        }
    }

    /// The kind with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

/// Whether something came to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It did.
    Success,
    /// It was tried, and refused.
    Failure,
}

impl AuditOutcome {
    /// The word in the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// What.
    pub kind: AuditEventKind,
    /// To which client.
    pub client_id: Option<ClientId>,
    /// To whom.
    pub subject: Option<SubjectId>,
    /// To what else: the identifier of a session, a scope, a key.
    pub object: Option<String>,
    /// What else there is to say.
    pub detail: Option<Value>,
}

impl AuditEvent {
    /// An event of that kind.
    pub fn new(kind: AuditEventKind) -> Self {
        Self { kind, client_id: None, subject: None, object: None, detail: None }
    }

    /// The same, which happened to a client.
    pub fn to_client(self, id: &ClientId) -> Self {
        Self { client_id: Some(id.clone()), ..self }
    }

    /// The same, which happened to somebody.
    pub fn to_subject(self, id: &SubjectId) -> Self {
        Self { subject: Some(id.clone()), ..self }
    }

    /// The same, which happened to something else.
    pub fn to_object(self, id: impl ToString) -> Self {
        Self { object: Some(id.to_string()), ..self }
    }

    /// The same, of which there is more to say.
    pub fn with_detail(self, detail: Value) -> Self {
        Self { detail: Some(detail), ..self }
    }
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Actor {
    /// A client for itself.
    Client(ClientId),
    /// Somebody who is signed in, or who let a client act for them.
    Person(SubjectId),
    /// Whoever has a shell beside the server.
    Operator,
    /// The server itself.
    Server,
    /// Somebody who is not signed in.
    Stranger,
}

impl Actor {
    /// The word in the record.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Client(_) => "client",
            Self::Person(_) => "person",
            Self::Operator => "operator",
            Self::Server => "server",
            Self::Stranger => "stranger",
        }
    }

    /// Which client, which person.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Client(id) => Some(id.as_str()),
            Self::Person(id) => Some(id.as_str()),
            Self::Operator | Self::Server | Self::Stranger => None,
        }
    }
}

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The address of the client.
    pub ip: Option<IpAddr>,
    /// The identifier under which the log has the request.
    pub request_id: Option<String>,
}

/// An event as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    /// What happened.
    pub event: AuditEvent,
    /// Who did it.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// When.
    pub happened_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_own_name() {
        for kind in AuditEventKind::ALL {
            assert_eq!(AuditEventKind::from_name(kind.as_str()), Some(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
