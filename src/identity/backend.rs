//! What a people backend must do. The one that there is, the local one, keeps people in Postgres.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::model::family::TokenFamily;
use crate::model::id::{FamilyId, SubjectId};
use crate::model::lineage::Lineage;
use crate::storage::StoreError;

/// A person who just proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedPerson {
    /// Whose account it is.
    pub subject: SubjectId,
    /// The subject's current generation.
    pub generation: i64,
}

/// What became of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordOutcome {
    /// It is theirs.
    Verified(VerifiedPerson),
    /// Unknown user, wrong password or disabled account: one answer to whoever tried, after the same work. Whose account it is, if
    /// there is one, is for the record alone.
    Refused(Option<SubjectId>),
    /// The hashing queue is full: 503 with Retry-After, before any work was done.
    Busy,
}

/// What pages and tokens say of a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Person {
    /// What pages greet them by.
    pub display_name: String,
    /// The name they sign in with.
    pub username: String,
    /// Every standard claim (OpenID Connect Core section 5.1) that has a value: no nulls, no empty texts. Without `sub`.
    pub claims: Map<String, Value>,
    /// Whether they administer the server.
    pub is_administrator: bool,
}

/// Where people are kept.
#[async_trait]
pub trait IdentityBackend: Send + Sync + 'static {
    /// Checks a password. Takes the same time for people who do not exist.
    async fn verify_password(
        &self,
        username: &str,
        password: &SecretString,
        now: DateTime<Utc>,
    ) -> Result<PasswordOutcome, StoreError>;

    /// The person behind a subject; `None` when disabled, deleted or never there.
    async fn find_person(&self, subject: &SubjectId) -> Result<Option<Person>, StoreError>;

    /// The subject of whoever signs in with that name; `None` when disabled, deleted or never there.
    async fn find_subject(&self, username: &str) -> Result<Option<SubjectId>, StoreError>;

    /// A token family, whether it and all that a token of it depends on still stand, and the person it is about: what
    /// userinfo needs, in one round trip where the backend can.
    async fn find_family_and_person(
        &self,
        family: FamilyId,
        token: &Lineage,
        now: DateTime<Utc>,
    ) -> Result<Option<(TokenFamily, Option<Person>)>, StoreError>;
}
