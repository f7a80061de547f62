//! Signing keys and the master key.

use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::duration::{self, lifetime};
use super::secret;

/// Where the keys are, and how they are renewed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeysConfig {
    /// What keeps the signing keys.
    pub store: KeyStoreKind,
    /// The folder of `ostiary-keyctl`: `keyset.json` and the PEM files of the signing keys.
    pub directory: PathBuf,
    /// The file of the master key, from which every other secret of the server is derived.
    pub master_key_file: PathBuf,
    /// The master key itself, where secrets come as variables; used instead of the file.
    #[serde(with = "secret::optional")]
    pub master_key: Option<SecretString>,
    /// The file of the key-encryption key, which seals the signing keys in Postgres.
    pub kek_file: PathBuf,
    /// The key-encryption key itself; used instead of the file.
    #[serde(with = "secret::optional")]
    pub kek: Option<SecretString>,
    /// The automatic life cycle.
    pub rotation: KeyRotationConfig,
    /// Keys that a program signs with.
    pub external: ExternalKeysConfig,
}

/// What keeps the signing keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyStoreKind {
    /// A folder.
    #[default]
    Directory,
    /// The database.
    Postgres,
}

/// The windows of a key's life.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyRotationConfig {
    /// Whether the server renews the keys by itself.
    pub automatic: bool,
    /// How long a key signs.
    #[serde(with = "lifetime")]
    pub period: TimeDelta,
    /// How long a key is published before it signs.
    #[serde(with = "lifetime")]
    pub prepublish: TimeDelta,
    /// How long a key is published after it signed; absent, or shorter than that: as long as the longest token lives.
    #[serde(with = "lifetime::optional")]
    pub grace: Option<TimeDelta>,
}

/// How the programs of external keys are run. Times and numbers are for each key by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExternalKeysConfig {
    /// The programs that may be started, by their absolute paths; whoever can write to the key store names any.
    pub programs: Vec<PathBuf>,
    /// The variables of this process that they get, beside `PATH`.
    pub environment: Vec<String>,
    /// How long one signature may take.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// How many signatures are made at once.
    pub processes: usize,
    /// How many more may wait; a further one is answered 503 at once.
    pub queue: usize,
    /// After how many failures in a row the program is not asked for a while.
    pub failures: u32,
    /// For how long it is not asked then.
    #[serde(with = "lifetime")]
    pub pause: TimeDelta,
}

impl Default for KeysConfig {
    fn default() -> Self {
        Self {
            store: KeyStoreKind::default(),
            directory: PathBuf::from("/etc/ostiary/keys"),
            master_key_file: PathBuf::from("/etc/ostiary/master.key"),
            master_key: None,
            kek_file: PathBuf::from("/etc/ostiary/kek.key"),
            kek: None,
            rotation: KeyRotationConfig::default(),
            external: ExternalKeysConfig::default(),
        }
    }
}

impl Default for KeyRotationConfig {
    fn default() -> Self {
        Self { automatic: true, period: TimeDelta::days(90), prepublish: TimeDelta::hours(24), grace: None }
    }
}

impl Default for ExternalKeysConfig {
    fn default() -> Self {
        Self {
            programs: Vec::new(),
            environment: Vec::new(),
            timeout: Duration::from_secs(2),
            processes: 4,
            queue: 64,
            failures: 5,
            pause: TimeDelta::seconds(10),
        }
    }
}
