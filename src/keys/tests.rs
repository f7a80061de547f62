use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

use super::directory;
use super::keyset_file::{FILE_NAME, KeyEntry, KeysetFile};
use super::private_key::RsaBits;
use super::*;
use crate::model::signing_alg::SigningAlg;

/// When the keys of [`key_directory`] were made.
pub(super) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// An empty folder that nobody else may enter, whatever the umask is.
pub(super) fn private_folder() -> TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

/// A key directory with one active key for every algorithm, copied from one that is made once.
pub(super) fn key_directory() -> TempDir {
    static TEMPLATE: LazyLock<TempDir> = LazyLock::new(|| {
        let template = private_folder();
        directory::generate_initial(template.path(), &SigningAlg::ALL, RsaBits::default(), start()).unwrap();
        template
    });
    let copy = private_folder();
    for entry in fs::read_dir(TEMPLATE.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

pub(super) fn keyset_file(directory: &Path) -> KeysetFile {
    directory::read_keyset_file(directory).unwrap().1
}

pub(super) fn write_keyset_file(directory: &Path, file: &KeysetFile) {
    private_file::replace(&directory.join(FILE_NAME), &serde_json::to_vec(file).unwrap()).unwrap();
}

pub(super) fn entry(directory: &Path, alg: SigningAlg) -> KeyEntry {
    keyset_file(directory).keys.into_iter().find(|key| key.alg == alg).unwrap()
}

fn rotate(directory: &Path, alg: SigningAlg) -> directory::Rotation {
    directory::rotate(directory, &[alg], RsaBits::default(), start() + TimeDelta::days(1)).unwrap().remove(0)
}

async fn sign(keys: &Keys) -> String {
    keys.current().sign_jwt(SigningAlg::ES256, "JWT", &serde_json::json!({ "sub": "u.x" })).await.unwrap()
}

#[tokio::test]
async fn a_running_server_takes_up_a_rotation_and_still_verifies() {
    let directory = key_directory();
    let keys = Keys::open(directory.path()).unwrap();
    let held_by_a_request = keys.current();
    let before = sign(&keys).await;
    assert!(!keys.reload_if_changed().unwrap());

    let rotation = rotate(directory.path(), SigningAlg::ES256);
    assert!(keys.reload_if_changed().unwrap());
    assert!(!keys.reload_if_changed().unwrap());
    assert_eq!(keys.current().active_kid(SigningAlg::ES256), Some(rotation.activated.as_str()));
    assert_eq!(held_by_a_request.active_kid(SigningAlg::ES256), rotation.superseded.as_deref());
    assert!(keys.current().verify_jwt(&before, &["JWT"]).is_some());
    assert!(keys.current().verify_jwt(&sign(&keys).await, &["JWT"]).is_some());
    assert_ne!(keys.current().jwks().etag, held_by_a_request.jwks().etag);
}

#[tokio::test]
async fn an_instance_that_did_not_reload_yet_verifies_what_a_prepublished_key_signs() {
    let directory = key_directory();
    directory::prepublish(directory.path(), &[SigningAlg::ES256], RsaBits::default(), start()).unwrap();
    let slow = Keys::open(directory.path()).unwrap();
    assert!(rotate(directory.path(), SigningAlg::ES256).was_prepublished);
    let quick = Keys::open(directory.path()).unwrap();
    assert!(slow.current().verify_jwt(&sign(&quick).await, &["JWT"]).is_some());
}

#[tokio::test]
async fn a_bad_state_is_reported_once_and_the_old_keys_stay() {
    let directory = key_directory();
    let keys = Keys::open(directory.path()).unwrap();
    let kid = keys.current().active_kid(SigningAlg::ES256).unwrap().to_owned();
    let good = fs::read(directory.path().join(FILE_NAME)).unwrap();

    // Torn: as if the file had been written in place and the writer had died.
    for length in [0, 1, good.len() / 2, good.len() - 3] {
        private_file::replace(&directory.path().join(FILE_NAME), &good[..length]).unwrap();
        let reported = keys.reload_if_changed().unwrap_err().to_string();
        assert!(reported.contains("keyset.json cannot be read"), "{reported}");
        assert!(!keys.reload_if_changed().unwrap());
        assert_eq!(keys.current().active_kid(SigningAlg::ES256), Some(kid.as_str()));
        assert!(keys.current().verify_jwt(&sign(&keys).await, &["JWT"]).is_some());
        private_file::replace(&directory.path().join(FILE_NAME), &good).unwrap();
        assert!(!keys.reload_if_changed().unwrap());
    }

    fs::remove_file(directory.path().join(FILE_NAME)).unwrap();
    assert!(keys.reload_if_changed().unwrap_err().to_string().contains("does not exist"));
    assert_eq!(keys.current().active_kid(SigningAlg::ES256), Some(kid.as_str()));
}

#[test]
fn a_change_is_taken_up_once_its_fault_is_mended() {
    let directory = key_directory();
    let keys = Keys::open(directory.path()).unwrap();
    let rotation = rotate(directory.path(), SigningAlg::ES256);
    let file = keyset_file(directory.path()).keys.into_iter().find(|key| key.kid == rotation.activated).unwrap().file;
    let path = directory.path().join(file);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(keys.reload_if_changed().unwrap_err().to_string().contains("chmod 0600"));
    assert!(!keys.reload_if_changed().unwrap());
    assert_eq!(keys.current().active_kid(SigningAlg::ES256), rotation.superseded.as_deref());

    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(keys.reload_if_changed().unwrap());
    assert_eq!(keys.current().active_kid(SigningAlg::ES256), Some(rotation.activated.as_str()));
}

#[test]
fn a_reader_never_sees_half_a_change() {
    let directory = key_directory();
    let keys = Keys::open(directory.path()).unwrap();
    let writer = std::thread::spawn({
        let directory = directory.path().to_owned();
        move || (0..40).for_each(|_| drop(rotate(&directory, SigningAlg::EdDSA)))
    });
    let mut reloads = 0;
    while !writer.is_finished() {
        // Any refusal would mean that keyset.json or a PEM file was seen before it was whole.
        reloads += u32::from(keys.reload_if_changed().unwrap());
    }
    writer.join().unwrap();
    keys.reload_if_changed().unwrap();
    assert!(reloads > 0);
    assert_eq!(keyset_file(directory.path()).keys.len(), 4 + 40);
}
