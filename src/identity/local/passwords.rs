//! Passwords: Argon2id (RFC 9106), written as PHC strings, hashed on threads of their own (`hashing_threads`).
//!
//! A person who does not exist costs the same work as one who does. A hash made with other parameters than today's is made
//! anew when its password next turns up.

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
    /// The stored hash is not an Argon2 PHC string that this server can check.
    #[error("the stored password hash cannot be read")]
    Unreadable(#[source] argon2::password_hash::Error),
    /// Hashing failed.
    #[error("the password cannot be hashed")]
    Failed(#[source] argon2::Error),
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

    /// A hash of a new password.
    pub async fn hash(&self, password: &SecretString) -> Result<Phc, PasswordError> {
        let (password, params) = (password.clone(), self.params.clone());
        self.threads.run(move |memory| new_hash(&params, &password, memory)).await?
    }

    /// Checks a password against a stored hash; without one it does the same work and the answer is [`PasswordCheck::Wrong`].
    pub async fn verify(&self, password: &SecretString, stored: Option<&str>) -> Result<PasswordCheck, PasswordError> {
        let stored = match stored {
            Some(phc) => PasswordHash::new(phc).map_err(|error| PasswordError::Unreadable(error.into()))?,
            None => self.dummy.clone(),
        };
        let (password, params) = (password.clone(), self.params.clone());
        self.threads
            .run(move |memory| {
                if !is_right(&stored, &password, memory)? {
                    return Ok(PasswordCheck::Wrong);
                }
                let rehashed =
                    if is_current(&stored, &params) { None } else { Some(new_hash(&params, &password, memory)?) };
                Ok(PasswordCheck::Right { rehashed })
            })
            .await?
    }
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

fn is_right(stored: &PasswordHash, password: &SecretString, memory: &mut Memory) -> Result<bool, PasswordError> {
    let unreadable = PasswordError::Unreadable;
    let algorithm = Algorithm::new(stored.algorithm).map_err(|error| unreadable(error.into()))?;
    let version = match stored.version {
        Some(version) => Version::try_from(version).map_err(|error| unreadable(error.into()))?,
        // The format's first version had no such field.
        None => Version::V0x10,
    };
    let params = Params::try_from(stored).map_err(unreadable)?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return Err(unreadable(argon2::password_hash::Error::EncodingInvalid));
    };
    if params.m_cost() > MOST_STORED_KIB {
        return Err(unreadable(argon2::password_hash::Error::ParamInvalid { name: "m" }));
    }
    let memory = memory.blocks(params.block_count());
    let argon2 = Argon2::new(algorithm, version, params);
    let mut found = vec![0_u8; expected.len()];
    argon2
        .hash_password_into_with_memory(password.expose_secret().as_bytes(), salt.as_ref(), &mut found, memory)
        .map_err(PasswordError::Failed)?;
    Ok(found.ct_eq(expected.as_bytes()).into())
}

fn is_current(stored: &PasswordHash, params: &Params) -> bool {
    stored.algorithm == Algorithm::Argon2id.ident()
        && stored.version == Some(Version::V0x13.into())
        && Params::try_from(stored).is_ok_and(|made_with| made_with == *params)
}

fn written(params: &Params, salt: &[u8], output: &[u8]) -> Result<PasswordHash, PasswordError> {
    let unreadable = |error: argon2::password_hash::phc::Error| PasswordError::Unreadable(error.into());
    Ok(PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(PasswordError::Unreadable)?,
        salt: Some(Salt::new(salt).map_err(unreadable)?),
        hash: Some(Output::new(output).map_err(unreadable)?),
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
mod tests {
    use super::*;

    /// The least that Argon2 accepts: the tests are of the rules, not of the cost.
    fn cheap() -> PasswordsConfig {
        PasswordsConfig { memory_kib: 64, iterations: 1, threads: 1, ..PasswordsConfig::default() }
    }

    fn secret(text: &str) -> SecretString {
        text.into()
    }

    const RIGHT: PasswordCheck = PasswordCheck::Right { rehashed: None };

    #[tokio::test]
    async fn only_the_password_itself_is_right() {
        let passwords = Passwords::new(&cheap()).unwrap();
        let phc = passwords.hash(&secret("correct horse")).await.unwrap();
        assert!(phc.as_str().starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", phc.as_str());
        assert_eq!(passwords.verify(&secret("correct horse"), Some(phc.as_str())).await.unwrap(), RIGHT);
        for wrong in ["correct hors", "Correct horse", "correct horse ", ""] {
            let check = passwords.verify(&secret(wrong), Some(phc.as_str())).await.unwrap();
            assert_eq!(check, PasswordCheck::Wrong, "{wrong}");
        }
    }

    #[tokio::test]
    async fn two_hashes_of_one_password_differ() {
        let passwords = Passwords::new(&cheap()).unwrap();
        let (one, two) =
            (passwords.hash(&secret("same")).await.unwrap(), passwords.hash(&secret("same")).await.unwrap());
        assert_ne!(one, two);
    }

    #[tokio::test]
    async fn nobody_s_password_is_wrong_after_as_much_work() {
        let passwords = Passwords::new(&cheap()).unwrap();
        assert_eq!(passwords.verify(&secret("any"), None).await.unwrap(), PasswordCheck::Wrong);
        assert!(is_current(&passwords.dummy, &passwords.params), "the dummy costs what today's hashes cost");
    }

    #[tokio::test]
    async fn a_hash_of_other_parameters_is_checked_and_made_anew() {
        let old = Passwords::new(&cheap()).unwrap();
        let stored = old.hash(&secret("kept")).await.unwrap();
        let new = Passwords::new(&PasswordsConfig { iterations: 2, memory_kib: 32, ..cheap() }).unwrap();
        assert_eq!(new.verify(&secret("lost"), Some(stored.as_str())).await.unwrap(), PasswordCheck::Wrong);
        let PasswordCheck::Right { rehashed: Some(rehashed) } =
            new.verify(&secret("kept"), Some(stored.as_str())).await.unwrap()
        else {
            panic!("not made anew");
        };
        assert!(rehashed.as_str().starts_with("$argon2id$v=19$m=32,t=2,p=1$"), "{}", rehashed.as_str());
        assert_eq!(new.verify(&secret("kept"), Some(rehashed.as_str())).await.unwrap(), RIGHT);
    }

    /// RFC 9106 section 5.3 has a secret key, which PHC strings cannot say; these come from the reference implementation
    /// (its `test.c`, version 0x13, m=65536 t=2 p=1 and p=2).
    #[tokio::test]
    async fn hashes_of_the_reference_implementation_are_right() {
        let passwords = Passwords::new(&PasswordsConfig { threads: 1, ..PasswordsConfig::default() }).unwrap();
        for phc in [
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        ] {
            let check = passwords.verify(&secret("password"), Some(phc)).await.unwrap();
            assert!(matches!(check, PasswordCheck::Right { rehashed: Some(_) }), "{phc}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_an_error_and_not_a_wrong_password() {
        let passwords = Passwords::new(&cheap()).unwrap();
        for stored in [
            "",
            "plain",
            "$2b$12$abcdefghijklmnopqrstuv",
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$scrypt$ln=16,r=8,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ] {
            let check = passwords.verify(&secret("plain"), Some(stored)).await;
            assert!(matches!(check, Err(PasswordError::Unreadable(_))), "{stored}: {check:?}");
        }
    }

    #[test]
    fn impossible_parameters_are_an_error() {
        for wrong in [PasswordsConfig { memory_kib: 1, ..cheap() }, PasswordsConfig { iterations: 0, ..cheap() }] {
            assert!(matches!(Passwords::new(&wrong), Err(PasswordError::Failed(_))));
        }
    }

    #[tokio::test]
    async fn debug_shows_no_hash() {
        let passwords = Passwords::new(&cheap()).unwrap();
        let phc = passwords.hash(&secret("x")).await.unwrap();
        assert_eq!(format!("{phc:?}"), "Phc(..)");
        assert!(!format!("{passwords:?}").contains("$argon2"));
    }
}
