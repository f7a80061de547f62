//! The people where they are kept: what registering them and giving them passwords needs beside the store.
//!
//! This is no part of [`IdentityBackend`](crate::identity::backend::IdentityBackend), which says who somebody is and whether a
//! password is theirs: people are managed, invited and given passwords only where their rows are. So an
//! [`App`](crate::app::App) either has these people or has none to manage, and says so.

use secrecy::SecretString;

use super::password_policy::{self, PasswordFlaw};
use super::passwords::{PasswordError, Passwords, Phc};
use crate::storage::StoreError;

/// The people of this server's own Postgres.
#[derive(Clone, Debug)]
pub struct LocalPeople {
    passwords: Passwords,
    min_length: usize,
}

/// A new password, judged and hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewPassword {
    /// It may be stored.
    Accepted(Phc),
    /// It may not be chosen.
    Refused(PasswordFlaw),
    /// The hashing queue is full: 503 with Retry-After, before any work was done.
    Busy,
}

impl LocalPeople {
    /// The passwords that wait for a thread to be hashed or checked.
    pub fn waiting_passwords(&self) -> usize {
        self.passwords.waiting()
    }

    /// People who choose passwords of at least `min_length` characters.
    pub fn new(passwords: Passwords, min_length: usize) -> Self {
        Self { passwords, min_length }
    }

    /// The fewest characters of a password.
    pub fn min_length(&self) -> usize {
        self.min_length
    }

    /// Judges and hashes a password that somebody of that name is to have.
    pub async fn accept_password(&self, password: &SecretString, username: &str) -> Result<NewPassword, StoreError> {
        if let Some(flaw) = password_policy::find_flaw(password, username, self.min_length) {
            return Ok(NewPassword::Refused(flaw));
        }
        match self.passwords.hash(password).await {
            Ok(phc) => Ok(NewPassword::Accepted(phc)),
            Err(PasswordError::Busy(_)) => Ok(NewPassword::Busy),
            Err(error @ (PasswordError::Unwritable(_) | PasswordError::Failed(_))) => Err(StoreError::corrupt(error)),
        }
    }
}
