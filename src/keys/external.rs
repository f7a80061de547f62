//! Keys whose private half never comes here: a program signs with them, which asks a KMS or an HSM.
//!
//! 1. A signature has a place in a bounded queue, and one of a few processes at a time.
//! 2. The program is asked one question, as docs/keys.md says, and has a time limit. One that fails is ended with all that it
//!    started, so no answer can be taken for that to another question.
//! 3. What it answers is verified with the public key that we publish. Nothing else leaves this module.
//! 4. One that fails again and again is not asked for a while. No other key is ever used in its place.

// When it is not asked.
mod breaker;
// What is said and answered.
mod exchange;
// What can go wrong.
mod failure;
// One process of a program.
mod process;
// A program and its processes.
mod program;
// The keys in use.
mod registered;
// The other side.
mod responder;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use self::breaker::Breaker;
pub use self::breaker::BreakerState;
pub use self::failure::ExternalFailure;
use self::failure::Reason;
use self::program::Program;
pub use self::registered::ExternalSigners;
pub(super) use self::registered::public_half;
pub use self::responder::respond;
use super::keyset::SigningError;
use super::signer::Verifier;
use crate::clock::Clock;
use crate::config::ExternalKeysConfig;
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::ExternalKey;
use crate::random;

/// Signs with one external key.
pub(super) struct ExternalSigner {
    kid: String,
    alg: SigningAlg,
    key: ExternalKey,
    verifier: Verifier,
    clock: Clock,
    timeout: Duration,
    program: Program,
    breaker: Mutex<Breaker>,
    places: Arc<Semaphore>,
    processes: Semaphore,
}

/// How the program of an external key does in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignerStatus {
    /// The signatures that were made since the process began.
    pub signed: u64,
    /// Those that the program failed to make.
    pub failed: u64,
    /// Those that it was not asked for, because it had failed too often.
    pub refused: u64,
    /// Whether it is asked now.
    pub breaker: BreakerState,
}

/// A place in the queue for one signature.
pub(super) struct ExternalPlace {
    _permit: OwnedSemaphorePermit,
}

impl ExternalSigner {
    fn new(
        (kid, alg): (&str, SigningAlg),
        key: &ExternalKey,
        verifier: Verifier,
        config: &ExternalKeysConfig,
        clock: &Clock,
    ) -> Self {
        Self {
            kid: kid.to_owned(),
            alg,
            key: key.clone(),
            verifier,
            clock: clock.clone(),
            timeout: config.timeout,
            program: Program::new(key, config),
            breaker: Mutex::new(Breaker::new(config.failures, config.pause)),
            places: Arc::new(Semaphore::new(config.processes + config.queue)),
            processes: Semaphore::new(config.processes),
        }
    }

    /// Whether it signs with that key, in that way.
    fn is_of(&self, key: &ExternalKey) -> bool {
        self.key == *key
    }

    fn status(&self) -> SignerStatus {
        let now = self.clock.now();
        self.with_breaker(|breaker| {
            let breaker::Counts { signed, failed, refused } = breaker.counts;
            SignerStatus { signed, failed, refused, breaker: breaker.state(now) }
        })
    }

    /// Takes a place, or says why no signature would be made.
    pub(super) fn reserve(&self) -> Result<ExternalPlace, SigningError> {
        let now = self.clock.now();
        if self.with_breaker(|breaker| breaker.is_open(now) && !breaker.admit(now)) {
            return Err(self.failure(Reason::Paused, String::new()).into());
        }
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| SigningError::Busy)?;
        Ok(ExternalPlace { _permit: permit })
    }

    /// Signs `message` and gives it back with the signature, which was verified. A task of its own sees it through: who asked
    /// may go away meanwhile, and what the program then says must not meet another question.
    pub(super) async fn sign(
        self: Arc<Self>,
        place: ExternalPlace,
        message: String,
    ) -> Result<(String, Vec<u8>), SigningError> {
        let work = tokio::spawn(async move {
            let signature = self.sign_now(&message).await?;
            drop(place);
            Ok((message, signature))
        });
        work.await.map_err(|_| SigningError::Refused)?
    }

    /// Signs something without a meaning, to see that program and public key belong together.
    pub(super) async fn prove(&self) -> Result<(), SigningError> {
        let header = format!(r#"{{"alg":"{}","typ":"key-proof+jwt"}}"#, self.alg.as_str());
        let claims = format!(r#"{{"nonce":"{}"}}"#, random::id());
        let message = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        self.sign_now(&message).await.map(drop)
    }

    async fn sign_now(&self, message: &str) -> Result<Vec<u8>, SigningError> {
        // Waiting is not the program's failure.
        let process = timeout(self.timeout, self.processes.acquire()).await;
        let _process = process.ok().and_then(Result::ok).ok_or(SigningError::Busy)?;
        let now = self.clock.now();
        if !self.with_breaker(|breaker| breaker.admit(now)) {
            return Err(self.failure(Reason::Paused, String::new()).into());
        }
        let signed = self.ask_to_sign(message).await;
        self.remember(signed.as_ref().err());
        Ok(signed?)
    }

    async fn ask_to_sign(&self, message: &str) -> Result<Vec<u8>, ExternalFailure> {
        let request = exchange::signing_request(&self.kid, self.alg, &self.key.key_ref, message).unwrap_or_default();
        let read = |answer: &[u8]| {
            let signature = exchange::read_signature(self.alg, answer)?;
            let is_valid = self.verifier.is_valid(message.as_bytes(), &signature);
            if is_valid { Ok(signature) } else { Err(Reason::WrongSignature) }
        };
        self.program.ask(&request, read).await.map_err(|(reason, said)| self.failure(reason, said))
    }

    /// The counters are told where they matter: when the program is given up, and when it works again.
    fn remember(&self, failure: Option<&ExternalFailure>) {
        let now = self.clock.now();
        let (has_turned, counts) = self.with_breaker(|breaker| {
            let has_turned = if failure.is_some() { breaker.failed(now) } else { breaker.succeeded() };
            (has_turned, breaker.counts)
        });
        if !has_turned {
            return;
        }
        let (kid, alg) = (&self.kid, self.alg.as_str());
        let breaker::Counts { signed, failed, refused } = counts;
        match failure {
            Some(failure) => tracing::error!(
                kid,
                alg,
                signed,
                failed,
                refused,
                %failure,
                "an external key cannot sign: its program is not asked for a while (keys.external.pause)"
            ),
            None => tracing::info!(kid, alg, signed, failed, refused, "an external key signs again"),
        }
    }

    fn with_breaker<T>(&self, look: impl FnOnce(&mut Breaker) -> T) -> T {
        look(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn failure(&self, reason: Reason, said: String) -> ExternalFailure {
        ExternalFailure { kid: self.kid.clone(), reason, said }
    }
}

#[cfg(test)]
mod tests;
