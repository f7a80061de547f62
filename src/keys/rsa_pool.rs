//! The few threads that make RSA signatures: a quarter of a millisecond each, too long for a thread that serves requests.
//!
//! The queue is bounded. A full one is answered at once with [`SigningError::Busy`], a 503: a client that waits for a
//! signature that it will have given up on helps nobody.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::{io, thread};

use tokio::sync::oneshot;

use super::keyset::SigningError;
use super::signer::Signer;

const MAX_THREADS: usize = 4;
const QUEUE: usize = 512;

/// A handle to the threads; they end with the last one.
#[derive(Clone)]
pub(super) struct RsaPool {
    queue: SyncSender<Job>,
}

struct Job {
    signer: Arc<Signer>,
    message: String,
    reply: oneshot::Sender<(String, Option<Vec<u8>>)>,
}

impl RsaPool {
    /// Starts half as many threads as there are cores, at least one.
    pub(super) fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let (queue, jobs) = sync_channel(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..(cores / 2).clamp(1, MAX_THREADS) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name("rsa-sign".to_owned()).spawn(move || work(&jobs))?;
        }
        Ok(Self { queue })
    }

    /// Signs `message` and gives it back with the signature.
    pub(super) async fn sign(&self, signer: Arc<Signer>, message: String) -> Result<(String, Vec<u8>), SigningError> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Job { signer, message, reply }).map_err(|error| match error {
            TrySendError::Full(_) => SigningError::Busy,
            TrySendError::Disconnected(_) => SigningError::Refused,
        })?;
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
        let Ok(Ok(Job { signer, message, reply })) = next else { return };
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

    #[tokio::test]
    async fn a_full_queue_is_answered_at_once() {
        // No thread takes from this queue.
        let (queue, jobs) = sync_channel(1);
        let pool = RsaPool { queue };
        let signer = signer();
        let waiting = tokio::spawn({
            let (pool, signer) = (pool.clone(), Arc::clone(&signer));
            async move { pool.sign(signer, "first".to_owned()).await }
        });
        tokio::task::yield_now().await;
        assert!(matches!(pool.sign(Arc::clone(&signer), "second".to_owned()).await, Err(SigningError::Busy)));
        drop(jobs);
        assert!(matches!(waiting.await.unwrap(), Err(SigningError::Refused)));
        assert!(matches!(pool.sign(signer, "third".to_owned()).await, Err(SigningError::Refused)));
    }

    #[tokio::test]
    async fn a_request_that_went_away_costs_nothing() {
        let (queue, jobs) = sync_channel(2);
        let pool = RsaPool { queue };
        let signer = signer();
        let gone = pool.sign(Arc::clone(&signer), "gone".to_owned());
        drop(tokio::time::timeout(std::time::Duration::ZERO, gone).await);
        let waits = tokio::spawn({
            let pool = pool.clone();
            async move { pool.sign(signer, "waits".to_owned()).await }
        });
        tokio::task::yield_now().await;
        drop(pool);
        let worker = thread::spawn(move || work(&Mutex::new(jobs)));
        let (message, signature) = waits.await.unwrap().unwrap();
        assert_eq!((message.as_str(), signature.len()), ("waits", 256));
        // The queue is gone, so the thread ends.
        worker.join().unwrap();
    }
}
