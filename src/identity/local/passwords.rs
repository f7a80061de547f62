//! Passwords: Argon2id (RFC 9106), written as PHC strings, hashed on threads of their own (`hashing_threads`).
//!
//! A person who does not exist costs the same work as one who does, also if their hash was made with less work than today's
//! or cannot be read. A hash made with more work takes its time until it is made anew: every hash of other parameters is, when
//! its password next turns up.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::hashing_threads::{Busy, HashingThreads, Memory};
use crate::config::PasswordsConfig;
use crate::random;

/// The most memory that a stored hash may ask for, so that an imported row cannot exhaust the machine.
const MOST_STORED_KIB: u32 = 1024 * 1024;

const OUTPUT_LENGTH: usize = 32;

/// Why a password was neither hashed nor checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many are waiting, or this one waited too long: nothing was decided.
    #[error("too many passwords are being checked")]
    Busy(#[from] Busy),
    /// Hashing failed.
    #[error("the password cannot be hashed")]
    Failed(#[source] argon2::Error),
    /// A hash cannot be written as a PHC string.
    #[error("the hash cannot be written")]
    Unwritable(#[source] argon2::password_hash::Error),
}

/// Why a stored hash cannot be checked.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Format(#[from] argon2::password_hash::Error),
    #[error(transparent)]
    Phc(#[from] argon2::password_hash::phc::Error),
    #[error(transparent)]
    Argon2(#[from] argon2::Error),
    #[error("the salt or the hash is missing")]
    Incomplete,
    #[error("it asks for too much memory")]
    TooLarge,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is the one. `rehashed` is a new hash of it, when the stored one was made with other parameters.
    Right {
        /// The PHC string to store in place of the old one.
        rehashed: Option<Phc>,
    },
    /// It is not, or there is no such person.
    Wrong,
    /// The stored hash is not an Argon2 PHC string that this server can check, so that no password is right; why, in words
    /// that hold nothing of it.
    Unreadable(String),
}

/// A PHC string. Not a secret like a password is, but nothing for a log either.
#[derive(Clone, PartialEq, Eq)]
pub struct Phc(String);

/// Hashes and checks passwords.
#[derive(Clone)]
pub struct Passwords {
    threads: Arc<HashingThreads>,
    params: Params,
    dummy: PasswordHash,
}

impl Passwords {
    /// Starts the threads. They end when the last clone is gone.
    pub fn new(config: &PasswordsConfig) -> Result<Self, PasswordError> {
        let params = Params::new(config.memory_kib, config.iterations, config.parallelism, Some(OUTPUT_LENGTH))
            .map_err(PasswordError::Failed)?;
        let threads = HashingThreads::start(config.threads, config.queue, config.queue_timeout)?;
        // A hash that no password has: checking against it is the work, and the answer is always no.
        let dummy = written(&params, &random::bytes::<16>(), &random::bytes::<OUTPUT_LENGTH>())?;
        Ok(Self { threads: Arc::new(threads), params, dummy })
    }

    /// The passwords that wait for a thread.
    pub fn waiting(&self) -> usize {
        self.threads.waiting()
    }

    /// A hash of a new password.
    pub async fn hash(&self, password: &SecretString) -> Result<Phc, PasswordError> {
        let (password, params) = (password.clone(), self.params.clone());
        self.threads.run(move |memory| new_hash(&params, &password, memory)).await?
    }

    /// Checks a password against a stored hash; without one it does the same work and the answer is [`PasswordCheck::Wrong`].
    pub async fn verify(&self, password: &SecretString, stored: Option<&str>) -> Result<PasswordCheck, PasswordError> {
        let stored = stored.map(|phc| PasswordHash::new(phc).map_err(Unreadable::from));
        let (this, password) = (self.clone(), password.clone());
        self.threads.run(move |memory| this.check(&password, stored, memory)).await?
    }

    fn check(
        &self,
        password: &SecretString,
        stored: Option<Result<PasswordHash, Unreadable>>,
        memory: &mut Memory,
    ) -> Result<PasswordCheck, PasswordError> {
        let Some(stored) = stored else {
            self.pretend(password, memory);
            return Ok(PasswordCheck::Wrong);
        };
        match stored.and_then(|stored| Ok((is_right(&stored, password, memory)?, stored))) {
            Ok((true, stored)) => {
                let is_current = is_current(&stored, &self.params);
                let rehashed = if is_current { None } else { Some(new_hash(&self.params, password, memory)?) };
                Ok(PasswordCheck::Right { rehashed })
            }
            Ok((false, stored)) => {
                if let Some(missing) = missing_work(&stored, &self.params) {
                    new_hash(&missing, password, memory)?;
                }
                Ok(PasswordCheck::Wrong)
            }
            Err(unreadable) => {
                self.pretend(password, memory);
                Ok(PasswordCheck::Unreadable(unreadable.to_string()))
            }
        }
    }

    /// Does the work of a check whose answer is no.
    fn pretend(&self, password: &SecretString, memory: &mut Memory) {
        if let Err(error) = is_right(&self.dummy, password, memory) {
            tracing::error!(%error, "the dummy hash cannot be checked");
        }
    }
}

/// The parameters of the work by which a check of `stored` is cheaper than one of today's hashes, if it is: Argon2 takes as
/// long as it fills blocks of memory, so many in each iteration.
fn missing_work(stored: &PasswordHash, today: &Params) -> Option<Params> {
    let blocks = |params: &Params| u64::from(params.m_cost()) * u64::from(params.t_cost());
    let missing = blocks(today).checked_sub(blocks(&Params::try_from(stored).ok()?))?;
    let iterations = missing.div_ceil(today.m_cost().into());
    let memory = missing.checked_div(iterations)?;
    // What is less than Argon2 can do is nothing to notice.
    Params::new(memory.try_into().ok()?, iterations.try_into().ok()?, today.p_cost(), Some(OUTPUT_LENGTH)).ok()
}

fn new_hash(params: &Params, password: &SecretString, memory: &mut Memory) -> Result<Phc, PasswordError> {
    let salt = random::bytes::<16>();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut output = [0_u8; OUTPUT_LENGTH];
    argon2
        .hash_password_into_with_memory(
            password.expose_secret().as_bytes(),
            &salt,
            &mut output,
            memory.blocks(params.block_count()),
        )
        .map_err(PasswordError::Failed)?;
    Ok(Phc(written(params, &salt, &output)?.to_string()))
}

fn is_right(stored: &PasswordHash, password: &SecretString, memory: &mut Memory) -> Result<bool, Unreadable> {
    let algorithm = Algorithm::new(stored.algorithm)?;
    let version = match stored.version {
        Some(version) => Version::try_from(version)?,
        // The format's first version had no such field.
        None => Version::V0x10,
    };
    let params = Params::try_from(stored)?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return Err(Unreadable::Incomplete);
    };
    if params.m_cost() > MOST_STORED_KIB {
        return Err(Unreadable::TooLarge);
    }
    let memory = memory.blocks(params.block_count());
    let argon2 = Argon2::new(algorithm, version, params);
    let mut found = vec![0_u8; expected.len()];
    argon2.hash_password_into_with_memory(password.expose_secret().as_bytes(), salt.as_ref(), &mut found, memory)?;
    Ok(found.ct_eq(expected.as_bytes()).into())
}

fn is_current(stored: &PasswordHash, params: &Params) -> bool {
    stored.algorithm == Algorithm::Argon2id.ident()
        && stored.version == Some(Version::V0x13.into())
        && Params::try_from(stored).is_ok_and(|made_with| made_with == *params)
}

fn written(params: &Params, salt: &[u8], output: &[u8]) -> Result<PasswordHash, PasswordError> {
    let unwritable = |error: argon2::password_hash::phc::Error| PasswordError::Unwritable(error.into());
    Ok(PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(PasswordError::Unwritable)?,
        salt: Some(Salt::new(salt).map_err(unwritable)?),
        hash: Some(Output::new(output).map_err(unwritable)?),
    })
}

impl Phc {
    /// The text to store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phc(..)")
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("params", &self.params).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
