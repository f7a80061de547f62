//! People in this server's own Postgres.

// Threads that hash and nothing else.
mod hashing_threads;
// Which passwords may be chosen.
pub mod password_policy;
// Argon2id.
pub mod passwords;
// What managing people needs beside the store.
pub mod people;
// What pages and tokens say of a person.
mod person;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use self::passwords::{PasswordCheck, PasswordError, Passwords, Phc};
use super::backend::{IdentityBackend, PasswordOutcome, Person, VerifiedPerson};
use crate::model::family::TokenFamily;
use crate::model::id::{FamilyId, SubjectId};
use crate::model::lineage::Lineage;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::person::{Credentials, username_key};

/// The local people.
#[derive(Clone)]
pub struct LocalIdentity {
    postgres: Postgres,
    passwords: Passwords,
}

impl LocalIdentity {
    /// The people of `postgres`.
    pub fn new(postgres: Postgres, passwords: Passwords) -> Self {
        Self { postgres, passwords }
    }

    /// The password was right, so this is not worth failing for: the next sign-in tries again.
    async fn store_rehashed(&self, credentials: &Credentials, rehashed: &Phc) {
        let Credentials { subject, phc, .. } = credentials;
        if let Err(error) = self.postgres.rehash_password(subject, phc, rehashed.as_str()).await {
            tracing::warn!(%error, "a password hash could not be stored under today's parameters");
        }
    }
}

#[async_trait]
impl IdentityBackend for LocalIdentity {
    async fn verify_password(
        &self,
        username: &str,
        password: &SecretString,
        _now: DateTime<Utc>,
    ) -> Result<PasswordOutcome, StoreError> {
        let credentials = self.postgres.find_credentials(&username_key(username)).await?;
        let stored = credentials.as_ref().map(|credentials| credentials.phc.as_str());
        let check = match self.passwords.verify(password, stored).await {
            Ok(check) => check,
            Err(PasswordError::Busy(_)) => return Ok(PasswordOutcome::Busy),
            Err(error @ (PasswordError::Failed(_) | PasswordError::Unwritable(_))) => {
                return Err(StoreError::corrupt(error));
            }
        };
        match (check, credentials) {
            (PasswordCheck::Right { rehashed }, Some(credentials)) => {
                if let Some(rehashed) = rehashed {
                    self.store_rehashed(&credentials, &rehashed).await;
                }
                let Credentials { subject, generation, .. } = credentials;
                Ok(PasswordOutcome::Verified(VerifiedPerson { subject, generation }))
            }
            (PasswordCheck::Unreadable(why), credentials) => {
                // To whoever guesses it is a wrong password: anything else would say that the account exists.
                let subject = credentials.map(|credentials| credentials.subject);
                let whose = subject.as_ref().map(tracing::field::display);
                tracing::error!(
                    subject = whose,
                    why,
                    "a stored password hash cannot be read: its person cannot sign in"
                );
                Ok(PasswordOutcome::Refused(subject))
            }
            (PasswordCheck::Right { .. } | PasswordCheck::Wrong, credentials) => {
                Ok(PasswordOutcome::Refused(credentials.map(|credentials| credentials.subject)))
            }
        }
    }

    async fn find_person(&self, subject: &SubjectId) -> Result<Option<Person>, StoreError> {
        Ok(self.postgres.find_person(subject).await?.map(person::told))
    }

    async fn find_subject(&self, username: &str) -> Result<Option<SubjectId>, StoreError> {
        self.postgres.find_subject(&username_key(username)).await
    }

    async fn find_family_and_person(
        &self,
        family: FamilyId,
        token: &Lineage,
        now: DateTime<Utc>,
    ) -> Result<Option<(TokenFamily, Option<Person>)>, StoreError> {
        let found = self.postgres.find_family_with_person(family, token, now).await?;
        Ok(found.map(|(family, row)| (family, row.map(person::told))))
    }
}
