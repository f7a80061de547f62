//! Threads that hash and nothing else, each with memory that it keeps.
//!
//! A password hash is slow on purpose. On the threads that serve requests it would make every other request wait, and without
//! a bound a burst of sign-ins would make each of them wait longer than anyone does. So there are few threads, a short queue
//! and a time limit for waiting in it: whoever does not fit is told at once to come again.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, panic, thread};

use argon2::Block;
use tokio::sync::oneshot;

/// How long a thread keeps its memory when nobody signs in.
const KEEP_MEMORY: Duration = Duration::from_secs(60);

/// There was no room in the queue, or no thread in time.
#[derive(Debug, thiserror::Error)]
#[error("no hashing thread is free")]
pub struct Busy;

/// The memory of one thread.
#[derive(Default)]
pub struct Memory(Vec<Block>);

/// The threads; they end when this is dropped.
pub struct HashingThreads {
    queue: Arc<Queue>,
    patience: Duration,
}

struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

struct Job {
    until: Instant,
    run: Box<dyn FnOnce(&mut Memory) + Send>,
}

impl HashingThreads {
    /// Starts `count` threads (0: one less than there are cores, at least one). `capacity` jobs may wait for one, each as
    /// long as `patience`.
    pub fn start(count: usize, capacity: usize, patience: Duration) -> Result<Self, Busy> {
        let count = match count {
            0 => thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1)),
            count => count,
        };
        // A queue without room would refuse even when every thread is idle.
        let capacity = capacity.max(1);
        let queue = Arc::new(Queue { waiting: Mutex::default(), changed: Condvar::new(), capacity });
        let threads = Self { queue, patience };
        for number in 0..count {
            let queue = threads.queue.clone();
            // On failure `threads` is dropped, which ends those that were started.
            thread::Builder::new().name(format!("hashing-{number}")).spawn(move || queue.work()).map_err(|_| Busy)?;
        }
        Ok(threads)
    }

    /// The jobs that wait for a thread.
    pub fn waiting(&self) -> usize {
        self.queue.lock().jobs.len()
    }

    /// Runs `work` on one of the threads. A caller that goes away takes its job along, unless it has begun.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (answer, answered) = oneshot::channel();
        let until = Instant::now() + self.patience;
        self.queue.push(Job {
            until,
            run: Box::new(move |memory| {
                if !answer.is_closed() {
                    // The caller may go away meanwhile: then nobody wants the result.
                    let _ = answer.send(work(memory));
                }
            }),
        })?;
        match tokio::time::timeout_at(until.into(), answered).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}

impl Drop for HashingThreads {
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.changed.notify_all();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) -> Result<(), Busy> {
        let mut waiting = self.lock();
        if waiting.jobs.len() >= self.capacity {
            let now = Instant::now();
            waiting.jobs.retain(|job| job.until > now);
        }
        if waiting.jobs.len() >= self.capacity {
            return Err(Busy);
        }
        waiting.jobs.push_back(job);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    fn work(&self) {
        let mut memory = Memory::default();
        let mut waiting = self.lock();
        while !waiting.is_closed {
            if let Some(job) = waiting.jobs.pop_front() {
                drop(waiting);
                if job.until > Instant::now() {
                    // A thread that died of one hash would be missing for all that follow. The caller is told `Busy`.
                    let run = AssertUnwindSafe(|| (job.run)(&mut memory));
                    if panic::catch_unwind(run).is_err() {
                        memory = Memory::default();
                    }
                }
                waiting = self.lock();
                continue;
            }
            let (woken, timeout) =
                self.changed.wait_timeout(waiting, KEEP_MEMORY).unwrap_or_else(PoisonError::into_inner);
            waiting = woken;
            if timeout.timed_out() {
                memory = Memory::default();
            }
        }
    }
}

impl Memory {
    /// `count` blocks, with whatever is in them.
    pub fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.0.len() != count {
            // Anew rather than resized: growing would copy what nobody needs.
            self.0 = Vec::new();
            self.0.resize(count, Block::default());
        }
        &mut self.0
    }
}

impl fmt::Debug for HashingThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashingThreads").field("patience", &self.patience).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Occupies one thread until the sender is dropped; returns when it has begun.
    async fn occupy(threads: &Arc<HashingThreads>) -> mpsc::Sender<()> {
        let (release, released) = mpsc::channel::<()>();
        let (begin, begun) = oneshot::channel();
        let threads = threads.clone();
        tokio::spawn(async move {
            threads
                .run(move |_| {
                    begin.send(()).unwrap();
                    let _ = released.recv();
                })
                .await
        });
        begun.await.unwrap();
        release
    }

    #[tokio::test]
    async fn a_panic_costs_one_caller_an_answer_and_no_thread_its_life() {
        let threads = HashingThreads::start(1, 2, LONG).unwrap();
        assert!(threads.run(|_| panic!("in a hash")).await.is_err());
        assert_eq!(threads.run(|_| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn one_too_many_is_refused_at_once_and_the_others_are_served() {
        let threads = Arc::new(HashingThreads::start(1, 2, LONG).unwrap());
        let release = occupy(&threads).await;
        let waiting: Vec<_> = (0..2)
            .map(|n| {
                let threads = threads.clone();
                tokio::spawn(async move { threads.run(move |_| n).await })
            })
            .collect();
        while threads.queue.lock().jobs.len() < 2 {
            tokio::task::yield_now().await;
        }
        let before = Instant::now();
        assert!(threads.run(|_| ()).await.is_err());
        assert!(before.elapsed() < Duration::from_millis(100));
        drop(release);
        for (n, waiting) in waiting.into_iter().enumerate() {
            assert_eq!(waiting.await.unwrap().unwrap(), n);
        }
    }

    #[tokio::test]
    async fn who_waited_too_long_is_refused_and_never_worked_for() {
        let threads = Arc::new(HashingThreads::start(1, 1, Duration::from_millis(50)).unwrap());
        let release = occupy(&threads).await;
        let worked = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let worked = worked.clone();
            // Those whose time is over leave their place to the next one.
            assert!(threads.run(move |_| worked.fetch_add(1, Ordering::SeqCst)).await.is_err());
        }
        drop(release);
        while threads.run(|_| ()).await.is_err() {}
        assert_eq!(worked.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_takes_its_job_along() {
        let threads = Arc::new(HashingThreads::start(1, 4, LONG).unwrap());
        let release = occupy(&threads).await;
        let worked = Arc::new(AtomicUsize::new(0));
        let counted = worked.clone();
        let gone = threads.run(move |_| counted.fetch_add(1, Ordering::SeqCst));
        assert!(tokio::time::timeout(Duration::from_millis(10), gone).await.is_err());
        drop(release);
        threads.run(|_| ()).await.unwrap();
        assert_eq!(worked.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn the_memory_is_kept_between_jobs_of_one_size() {
        let threads = HashingThreads::start(1, 4, LONG).unwrap();
        let address = |memory: &mut Memory| memory.blocks(64).as_ptr() as usize;
        let first = threads.run(address).await.unwrap();
        assert_eq!(threads.run(address).await.unwrap(), first);
        assert_eq!(threads.run(|memory| memory.blocks(8).len()).await.unwrap(), 8);
    }

    #[test]
    fn the_threads_end_with_their_owner() {
        let threads = HashingThreads::start(3, 4, LONG).unwrap();
        let queue = Arc::downgrade(&threads.queue);
        drop(threads);
        let patience = Instant::now() + Duration::from_secs(5);
        while queue.strong_count() > 0 {
            assert!(Instant::now() < patience, "a thread still waits");
            thread::yield_now();
        }
    }
}
