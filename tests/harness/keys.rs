//! Keys, made once per process: RSA generation is slow.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ostiary::clock::Clock;
use ostiary::keys::keyset::ReservedSignatures;
use ostiary::keys::private_key::RsaBits;
use ostiary::keys::store::directory;
use ostiary::model::signing_alg::SigningAlg;
use tempfile::TempDir;

use super::app::TestApp;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    // Under target/, so that cleaning up is `cargo clean`.
    let path = PathBuf::from(format!("{}/keys-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id()));
    directory::generate_initial(&path, &SigningAlg::ALL, RsaBits::Two048, Clock::system().now()).expect("keys");
    path
});

/// A key directory with an active key of every algorithm.
pub fn directory() -> &'static Path {
    &DIRECTORY
}

/// A copy of it, for a test that changes the keys.
pub fn copied_directory() -> TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(directory()).expect("the directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_owned();
        // The modes are copied with the contents.
        fs::copy(&path, copy.path().join(name)).expect("a copy");
    }
    copy
}

/// A master key, as its file holds it.
pub fn master_key() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("1:{}", ostiary::random::token()));
    &TEXT
}

impl TestApp {
    /// Takes every place in the queue for RSA signatures, for as long as the answer is kept.
    pub fn fill_rsa_queue(&self) -> Vec<ReservedSignatures> {
        std::iter::from_fn(|| self.app.keys.current().reserve(&[SigningAlg::RS256]).ok()).collect()
    }
}
