//! The few threads that make RSA signatures: a quarter of a millisecond each, too long for a thread that serves requests.
//!
//! The queue is bounded. A full one is answered at once with [`SigningError::Busy`], a 503: a client that waits for a
//! signature that it will have given up on helps nobody. Who must not fail later takes a [`RsaPlace`] beforehand.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::{io, thread};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::keyset::SigningError;
use super::signer::Signer;

const MAX_THREADS: usize = 4;
const QUEUE: usize = 512;

/// A handle to the threads; they end with the last one.
#[derive(Clone)]
pub(super) struct RsaPool {
    queue: Sender<Job>,
    places: Arc<Semaphore>,
}

/// A place in the queue for one signature. It is free again when a thread begins with that one, or when this is dropped.
pub(super) struct RsaPlace {
    _permit: OwnedSemaphorePermit,
}

struct Job {
    place: RsaPlace,
    signer: Arc<Signer>,
    message: String,
    reply: oneshot::Sender<(String, Option<Vec<u8>>)>,
}

impl RsaPool {
    /// Starts half as many threads as there are cores, at least one.
    pub(super) fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let (pool, jobs) = Self::with_places(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..(cores / 2).clamp(1, MAX_THREADS) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name("rsa-sign".to_owned()).spawn(move || work(&jobs))?;
        }
        Ok(pool)
    }

    fn with_places(places: usize) -> (Self, Receiver<Job>) {
        let (queue, jobs) = channel();
        (Self { queue, places: Arc::new(Semaphore::new(places)) }, jobs)
    }

    /// The signatures that wait for a thread, and those that somebody will ask for in a moment.
    pub(super) fn waiting(&self) -> usize {
        QUEUE.saturating_sub(self.places.available_permits())
    }

    /// Takes a place, or says that there is none.
    pub(super) fn reserve(&self) -> Result<RsaPlace, SigningError> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| SigningError::Busy)?;
        Ok(RsaPlace { _permit: permit })
    }

    /// Signs `message` and gives it back with the signature.
    pub(super) async fn sign(
        &self,
        place: RsaPlace,
        signer: Arc<Signer>,
        message: String,
    ) -> Result<(String, Vec<u8>), SigningError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job { place, signer, message, reply }).map_err(|_| SigningError::Refused)?;
        match answer.await {
            Ok((message, Some(signature))) => Ok((message, signature)),
            Ok((_, None)) | Err(_) => Err(SigningError::Refused),
        }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // A statement of its own, so that the lock is released before the signature is made.
        let next = jobs.lock().map(|jobs| jobs.recv());
        let Ok(Ok(Job { place, signer, message, reply })) = next else { return };
        drop(place);
        if reply.is_closed() {
            continue;
        }
        let signature = signer.sign(message.as_bytes()).ok();
        // Whoever asked may have gone meanwhile.
        let _gone = reply.send((message, signature));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::private_key::{PrivateKey, RsaBits};
    use crate::model::signing_alg::SigningAlg;

    fn signer() -> Arc<Signer> {
        let key = PrivateKey::generate(SigningAlg::RS256, RsaBits::default()).unwrap();
        Arc::new(Signer::new(SigningAlg::RS256, &key).unwrap())
    }

    async fn sign(pool: RsaPool, signer: Arc<Signer>, message: &str) -> Result<(String, Vec<u8>), SigningError> {
        pool.sign(pool.reserve()?, signer, message.to_owned()).await
    }

    #[tokio::test]
    async fn a_full_queue_is_answered_at_once() {
        // No thread takes from this queue.
        let (pool, jobs) = RsaPool::with_places(1);
        let signer = signer();
        let waiting = tokio::spawn(sign(pool.clone(), Arc::clone(&signer), "first"));
        tokio::task::yield_now().await;
        assert!(matches!(sign(pool.clone(), Arc::clone(&signer), "second").await, Err(SigningError::Busy)));
        drop(jobs);
        assert!(matches!(waiting.await.unwrap(), Err(SigningError::Refused)));
        assert!(matches!(sign(pool, signer, "third").await, Err(SigningError::Refused)));
    }

    #[tokio::test]
    async fn a_reserved_place_is_nobody_elses() {
        let (pool, jobs) = RsaPool::with_places(1);
        let place = pool.reserve().unwrap();
        assert!(matches!(pool.reserve(), Err(SigningError::Busy)));
        let worker = thread::spawn(move || work(&Mutex::new(jobs)));
        let (message, _) = pool.sign(place, signer(), "certain".to_owned()).await.unwrap();
        assert_eq!(message, "certain");
        drop(pool.reserve().unwrap());
        drop(pool.reserve().unwrap());
        drop(pool);
        worker.join().unwrap();
    }

    #[tokio::test]
    async fn a_request_that_went_away_costs_nothing() {
        let (pool, jobs) = RsaPool::with_places(2);
        let signer = signer();
        let gone = sign(pool.clone(), Arc::clone(&signer), "gone");
        drop(tokio::time::timeout(std::time::Duration::ZERO, gone).await);
        let waits = tokio::spawn(sign(pool.clone(), signer, "waits"));
        tokio::task::yield_now().await;
        drop(pool);
        let worker = thread::spawn(move || work(&Mutex::new(jobs)));
        let (message, signature) = waits.await.unwrap().unwrap();
        assert_eq!((message.as_str(), signature.len()), ("waits", 256));
        // The queue is gone, so the thread ends.
        worker.join().unwrap();
    }
}
