//! Signing keys and the master key.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::secret;

/// Where the keys are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeysConfig {
    /// The folder of `ostiary-keyctl`: `keyset.json` and the PEM files of the signing keys.
    pub directory: PathBuf,
    /// The file of the master key, from which every other secret of the server is derived.
    pub master_key_file: PathBuf,
    /// The master key itself, where secrets come as variables; used instead of the file.
    #[serde(with = "secret::optional")]
    pub master_key: Option<SecretString>,
}

impl Default for KeysConfig {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/etc/ostiary/keys"),
            master_key_file: PathBuf::from("/etc/ostiary/master.key"),
            master_key: None,
        }
    }
}
