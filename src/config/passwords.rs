//! Passwords: what may be chosen, and how they are hashed: Argon2id (RFC 9106) on threads of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;

/// What may be chosen, what one password check costs, and how many may wait.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordsConfig {
    /// The fewest characters of a password that somebody chooses; those chosen before go on.
    pub min_length: usize,
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub iterations: u32,
    /// Lanes of one hash.
    pub parallelism: u32,
    /// Threads that hash; 0: one less than there are cores, at least one.
    pub threads: usize,
    /// How many checks may wait for a thread; a further one is answered 503 at once.
    pub queue: usize,
    /// How long a check may wait for a thread before it is answered 503.
    #[serde(with = "duration")]
    pub queue_timeout: Duration,
}

impl Default for PasswordsConfig {
    fn default() -> Self {
        Self {
            min_length: 10,
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            threads: 0,
            queue: 64,
            queue_timeout: Duration::from_secs(3),
        }
    }
}
