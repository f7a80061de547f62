use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

use super::change::{Rotation, RotationOutcome};
use super::private_key::{PrivateKey, RsaBits};
use super::store::directory::{FILE_NAME, KeyDirectory, generate_initial};
use super::store::{Change, Revision, StoredKeys, StoredRing};
use super::*;
use crate::clock::Clock;
use crate::config::{KeysConfig, TokensConfig};
use crate::model::key_alg::KeyAlg;
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::{ExternalKey, KeyPurpose, KeyState, SignerMode};
use crate::protocol::jwt::UnverifiedJwt;

/// When the keys of [`key_directory`] were made.
pub(super) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// The windows of the defaults.
pub(super) fn policy() -> RotationPolicy {
    open::policy_for(&KeysConfig::default(), &TokensConfig::default(), None)
}

/// No settings name programs, so none is started.
pub(super) fn signers() -> ExternalSigners {
    ExternalSigners::without_settings(&Clock::system())
}

pub(super) fn rules<'a>(policy: &'a RotationPolicy, insistence: Insistence, signers: &'a ExternalSigners) -> Rules<'a> {
    Rules { policy, insistence, signers }
}

/// An empty folder that nobody else may enter, whatever the umask is.
pub(super) fn private_folder() -> TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

/// A key directory with one active key for every algorithm, copied from one that is made once.
pub(super) fn key_directory() -> TempDir {
    static TEMPLATE: LazyLock<TempDir> = LazyLock::new(|| {
        let template = private_folder();
        generate_initial(template.path(), &SigningAlg::ALL, RsaBits::default(), start()).unwrap();
        template
    });
    let copy = private_folder();
    for entry in fs::read_dir(TEMPLATE.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

pub(super) async fn open_directory(directory: &Path) -> Keys {
    Keys::open(Arc::new(KeyDirectory::new(directory)), signers()).await.unwrap()
}

/// What keyset.json says.
pub(super) fn entries(directory: &Path) -> Vec<KeyEntry> {
    let text = fs::read(directory.join(FILE_NAME)).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
    serde_json::from_value(value["keys"].clone()).unwrap()
}

pub(super) fn write_entries(directory: &Path, keys: &[KeyEntry]) {
    let text = serde_json::json!({ "version": 2, "keys": keys }).to_string();
    private_file::replace(&directory.join(FILE_NAME), text.as_bytes()).unwrap();
}

pub(super) fn entry(directory: &Path, alg: SigningAlg) -> KeyEntry {
    entries(directory).into_iter().find(|key| key.alg == alg).unwrap()
}

/// A rotation at once.
async fn rotate(directory: &Path, alg: SigningAlg) -> Rotation {
    let (store, now) = (KeyDirectory::new(directory), start() + TimeDelta::days(1));
    let kinds = [(alg.into(), KeyPurpose::Tokens)];
    change::rotate(&store, &kinds, &rules(&policy(), Insistence::Force, &signers()), None, now).await.unwrap().remove(0)
}

fn superseded(rotation: &Rotation) -> Option<&str> {
    match &rotation.outcome {
        RotationOutcome::Activated { superseded, .. } => superseded.as_deref(),
        other => panic!("{other:?}"),
    }
}

async fn sign(keys: &Keys) -> String {
    keys.current().sign_jwt(SigningAlg::ES256, "JWT", &serde_json::json!({ "sub": "u.x" })).await.unwrap()
}

#[tokio::test]
async fn a_running_server_takes_up_a_rotation_and_still_verifies() {
    let directory = key_directory();
    let keys = open_directory(directory.path()).await;
    let held_by_a_request = keys.current();
    let before = sign(&keys).await;
    assert!(!keys.reload_if_changed().await.unwrap());

    let rotation = rotate(directory.path(), SigningAlg::ES256).await;
    assert!(keys.reload_if_changed().await.unwrap());
    assert!(!keys.reload_if_changed().await.unwrap());
    assert_eq!(keys.current().active_kid(SigningAlg::ES256), Some(rotation.kid.as_str()));
    assert_eq!(held_by_a_request.active_kid(SigningAlg::ES256), superseded(&rotation));
    assert!(keys.current().verify_jwt(&before, &["JWT"]).is_some());
    assert!(keys.current().verify_jwt(&sign(&keys).await, &["JWT"]).is_some());
    assert_ne!(keys.current().jwks().etag, held_by_a_request.jwks().etag);
}

#[tokio::test]
async fn an_instance_that_did_not_reload_yet_verifies_what_a_prepublished_key_signs() {
    let directory = key_directory();
    let kinds = [(SigningAlg::ES256.into(), KeyPurpose::Tokens)];
    change::prepublish(&KeyDirectory::new(directory.path()), &kinds, None, start()).await.unwrap();
    let slow = open_directory(directory.path()).await;
    let rotation = rotate(directory.path(), SigningAlg::ES256).await;
    assert!(matches!(rotation.outcome, RotationOutcome::Activated { was_listed: true, .. }), "{rotation:?}");
    let quick = open_directory(directory.path()).await;
    assert!(slow.current().verify_jwt(&sign(&quick).await, &["JWT"]).is_some());
}

#[tokio::test]
async fn a_bad_state_is_reported_once_and_the_old_keys_stay() {
    let directory = key_directory();
    let keys = open_directory(directory.path()).await;
    let kid = keys.current().active_kid(SigningAlg::ES256).unwrap().to_owned();
    let good = fs::read(directory.path().join(FILE_NAME)).unwrap();

    // Torn: as if the file had been written in place and the writer had died.
    for length in [0, 1, good.len() / 2, good.len() - 3] {
        private_file::replace(&directory.path().join(FILE_NAME), &good[..length]).unwrap();
        let reported = keys.reload_if_changed().await.unwrap_err().to_string();
        assert!(reported.contains("keyset.json cannot be read"), "{reported}");
        assert!(!keys.reload_if_changed().await.unwrap());
        assert_eq!(keys.current().active_kid(SigningAlg::ES256), Some(kid.as_str()));
        assert!(keys.current().verify_jwt(&sign(&keys).await, &["JWT"]).is_some());
        private_file::replace(&directory.path().join(FILE_NAME), &good).unwrap();
        assert!(!keys.reload_if_changed().await.unwrap());
    }

    fs::remove_file(directory.path().join(FILE_NAME)).unwrap();
    assert!(keys.reload_if_changed().await.unwrap_err().to_string().contains("does not exist"));
    assert_eq!(keys.current().active_kid(SigningAlg::ES256), Some(kid.as_str()));
}

#[tokio::test]
async fn a_change_is_taken_up_once_its_fault_is_mended() {
    let directory = key_directory();
    let keys = open_directory(directory.path()).await;
    let rotation = rotate(directory.path(), SigningAlg::ES256).await;
    let file = entries(directory.path()).into_iter().find(|key| key.kid == rotation.kid).unwrap().file.unwrap();
    let path = directory.path().join(file);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(keys.reload_if_changed().await.unwrap_err().to_string().contains("chmod 0600"));
    assert!(!keys.reload_if_changed().await.unwrap());
    assert_eq!(keys.current().active_kid(SigningAlg::ES256), superseded(&rotation));

    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(keys.reload_if_changed().await.unwrap());
    assert_eq!(keys.current().active_kid(SigningAlg::ES256), Some(rotation.kid.as_str()));
}

/// The file of a key, with a mode.
fn set_mode(directory: &Path, kid: &str, mode: u32) {
    let key = entries(directory).into_iter().find(|key| key.kid == kid).unwrap();
    fs::set_permissions(directory.join(key.file.unwrap()), fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_revoked_key_is_gone_although_others_cannot_be_read() {
    let directory = key_directory();
    let keys = open_directory(directory.path()).await;
    let (token, old) = (sign(&keys).await, entry(directory.path(), SigningAlg::ES256).kid);
    let other = entry(directory.path(), SigningAlg::EdDSA).kid;
    let store = KeyDirectory::new(directory.path());
    let next = change::revoke(&store, &old, "stolen", None, start()).await.unwrap().unwrap();
    for kid in [&next, &other] {
        set_mode(directory.path(), kid, 0o644);
    }
    assert!(keys.reload_if_changed().await.unwrap_err().to_string().contains("chmod 0600"));
    assert!(!keys.reload_if_changed().await.unwrap(), "said once");
    let held = keys.current();
    assert!(held.verify_jwt(&token, &["JWT"]).is_none() && held.find_jwk(&old).is_none());
    assert!(!String::from_utf8_lossy(&held.jwks().body).contains(&old));
    assert_eq!(
        keys.status(&policy(), start()).keys.iter().find(|key| key.kid == old).unwrap().state,
        KeyState::Retired
    );
    // What is held goes on; nothing takes the place of what cannot be read.
    assert_eq!(held.active_kid(SigningAlg::EdDSA), Some(other.as_str()));
    let refused = held.sign_jwt(SigningAlg::ES256, "JWT", &serde_json::json!({})).await;
    assert!(matches!(refused, Err(keyset::SigningError::NoKey(SigningAlg::ES256))) && !held.has_required());
    assert_eq!(keys.trouble().len(), 2);

    set_mode(directory.path(), &next, 0o600);
    assert!(keys.reload_if_changed().await.is_err(), "something else is wrong now");
    assert_eq!((keys.current().active_kid(SigningAlg::ES256), keys.trouble().len()), (Some(next.as_str()), 1));
    set_mode(directory.path(), &other, 0o600);
    assert!(keys.reload_if_changed().await.unwrap() && keys.current().has_required());
    assert!(keys.trouble().is_empty() && !keys.reload_if_changed().await.unwrap());
}

#[tokio::test]
async fn an_external_key_is_listed_where_its_program_may_not_be_started() {
    let directory = key_directory();
    let store = Arc::new(KeyDirectory::new(directory.path()));
    let nothing = ExternalSigners::new(&crate::config::ExternalKeysConfig::default(), &Clock::system());
    let keys = Keys::open(store.clone(), nothing).await.unwrap();
    let first = entry(directory.path(), SigningAlg::ES256).kid;
    let next = external_entry(&PrivateKey::generate(SigningAlg::ES256, RsaBits::default()).unwrap());
    let all = entries(directory.path()).into_iter().chain([next.clone()]).collect::<Vec<_>>();
    write_entries(directory.path(), &all);
    assert!(keys.reload_if_changed().await.unwrap_err().to_string().contains("keys.external.programs"));
    assert!(keys.current().find_jwk(&next.kid).is_some());
    let signs = async || {
        keys.reload_if_changed().await.unwrap();
        let token = keys.current().sign_jwt(SigningAlg::ES256, "JWT", &serde_json::json!({})).await?;
        assert!(keys.current().verify_jwt(&token, &["JWT"]).is_some());
        Ok::<_, keyset::SigningError>(UnverifiedJwt::parse(&token).ok().unwrap().header.kid.unwrap())
    };
    assert_eq!(signs().await.unwrap(), first);

    // It takes over elsewhere: here the one before signs on, and not for a moment longer than it is listed.
    let (policy, signers) = (policy(), signers());
    let force = rules(&policy, Insistence::Force, &signers);
    change::activate(&*store, &next.kid, &force, start()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(signs().await.unwrap(), first);
    }
    change::retire(&*store, &first, Insistence::Force, start()).await.unwrap();
    let refused = signs().await;
    assert!(matches!(&refused, Err(keyset::SigningError::NoProgram(kid)) if *kid == next.kid), "{refused:?}");
    assert!(keys.current().find_jwk(&first).is_none() && keys.current().find_jwk(&next.kid).is_some());
    assert!(!keys.current().has_required());
}

#[tokio::test]
async fn metadata_that_contradicts_itself_ends_what_it_says_is_ended_and_nothing_else() {
    let directory = key_directory();
    let keys = open_directory(directory.path()).await;
    let held = |alg| keys.current().active_kid(alg).map(ToOwned::to_owned);
    let before = SigningAlg::ALL.map(held);
    let mut all = entries(directory.path());
    for key in &mut all {
        match key.alg {
            KeyAlg::EdDSA => (key.state, key.retired_at) = (KeyState::Retired, Some(start())),
            // A server without that algorithm is no server.
            KeyAlg::ES256 => key.state = KeyState::Prepublished,
            KeyAlg::RS256 | KeyAlg::PS256 | KeyAlg::EcdhEs => {}
        }
    }
    write_entries(directory.path(), &all);
    assert!(keys.reload_if_changed().await.unwrap_err().to_string().contains("no key is active for ES256"));
    for (alg, kid) in SigningAlg::ALL.into_iter().zip(before) {
        assert_eq!(held(alg), kid.filter(|_| alg != SigningAlg::EdDSA), "{alg:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_never_sees_half_a_change() {
    let directory = key_directory();
    let keys = open_directory(directory.path()).await;
    let writer = tokio::spawn({
        let directory = directory.path().to_owned();
        async move {
            for _ in 0..40 {
                rotate(&directory, SigningAlg::EdDSA).await;
            }
        }
    });
    let mut reloads = 0;
    while !writer.is_finished() {
        // Any refusal would mean that keyset.json or a PEM file was seen before it was whole.
        reloads += u32::from(keys.reload_if_changed().await.unwrap());
    }
    writer.await.unwrap();
    keys.reload_if_changed().await.unwrap();
    assert!(reloads > 0);
    assert_eq!(entries(directory.path()).len(), 4 + 40);
}

#[tokio::test]
async fn what_a_running_server_changes_counts_there_at_once() {
    let directory = key_directory();
    let keys = open_directory(directory.path()).await;
    let kinds = [(SigningAlg::ES256.into(), KeyPurpose::Tokens)];
    let made = keys.prepublish(&kinds, &Author::operator(start())).await.unwrap().remove(0);
    let early = keys.activate(&made.kid, &policy(), Insistence::Never, &Author::operator(start())).await.unwrap_err();
    assert!(matches!(early, ChangeError::Refused(lifecycle::Refusal::PublishedTooLately { .. })), "{early:?}");
    let now = start() + TimeDelta::days(1);
    let superseded =
        keys.activate(&made.kid, &policy(), Insistence::Never, &Author::operator(now)).await.unwrap().unwrap();
    assert_eq!(keys.current().active_kid(SigningAlg::ES256), Some(made.kid.as_str()));
    let status = keys.status(&policy(), now);
    assert_eq!(status.keys.len(), 5);
    assert!(status.timeline.iter().any(|step| step.at == now + policy().grace));
    let late = Author::operator(now + policy().grace);
    keys.retire(&superseded, Insistence::Never, &late).await.unwrap();
    assert!(keys.current().find_jwk(&superseded).is_none());
    let next = keys.revoke(&made.kid, "stolen", &late).await.unwrap().unwrap();
    assert_eq!(keys.current().active_kid(SigningAlg::ES256), Some(next.as_str()));
}

/// A key that a program signs with, as the directory would have it.
pub(super) fn external_entry(private: &PrivateKey) -> KeyEntry {
    let jwk = private.public_jwk().unwrap();
    let mut entry = KeyEntry::prepublished(jwk.thumbprint(), SigningAlg::ES256, KeyPurpose::Tokens, start());
    let (command, jwk) = (vec!["/bin/false".to_owned()], serde_json::to_value(jwk).unwrap());
    entry.external = Some(ExternalKey { key_ref: "r".to_owned(), command, mode: SignerMode::Once, jwk });
    entry
}

#[tokio::test]
async fn without_settings_only_whoever_insists_lets_an_external_key_sign() {
    let directory = key_directory();
    let (store, policy, signers) = (KeyDirectory::new(directory.path()), policy(), signers());
    let next = external_entry(&PrivateKey::generate(SigningAlg::ES256, RsaBits::default()).unwrap());
    let mut all = entries(directory.path());
    // Its time is over, that of no other.
    for key in all.iter_mut().filter(|key| key.alg == SigningAlg::ES256) {
        let began = start() - policy.period;
        (key.created_at, key.published_at, key.activated_at) = (began, began, Some(began));
    }
    all.push(next.clone());
    write_entries(directory.path(), &all);
    let first = entry(directory.path(), SigningAlg::ES256);
    let now = start() + policy.prepublish;
    let refusal = lifecycle::Refusal::Untried { kid: next.kid.clone() };
    let due = change::run_due(&store, &policy, &signers, now).await.unwrap();
    assert_eq!(due, Due { done: vec![], withheld: vec![refusal.clone()] });
    let activate =
        async |insistence| change::activate(&store, &next.kid, &rules(&policy, insistence, &signers), now).await;
    let refused = activate(Insistence::Never).await.unwrap_err();
    assert!(matches!(&refused, ChangeError::Refused(found) if *found == refusal), "{refused}");
    assert_eq!(entry(directory.path(), SigningAlg::ES256), first, "the key before signs on");
    assert_eq!(activate(Insistence::Force).await.unwrap(), Some(first.kid));
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_an_obstacle() {
    let directory = key_directory();
    assert_eq!(open_directory(directory.path()).await.find_obstacle().await, None);
    // A folder in the place of the lock file stands for a read-only file system, also for root.
    fs::remove_file(directory.path().join(".lock")).ok();
    fs::create_dir(directory.path().join(".lock")).unwrap();
    let keys = open_directory(directory.path()).await;
    assert!(keys.find_obstacle().await.unwrap().what.contains("cannot be locked"));
}

/// A directory whose changes are stored and which cannot be read after that.
#[derive(Clone)]
struct Unreadable(KeyDirectory, Arc<AtomicBool>);

#[async_trait]
impl KeyStore for Unreadable {
    fn place(&self) -> String {
        self.0.place()
    }

    fn recording(&self, _: &Author) -> Arc<dyn KeyStore> {
        Arc::new(self.clone())
    }

    async fn find_revision(&self) -> Result<Revision, KeyStoreError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(crate::storage::StoreError::unavailable("the disk is gone").into());
        }
        self.0.find_revision().await
    }

    async fn read(&self) -> Result<StoredRing, KeyStoreError> {
        self.0.read().await
    }

    async fn read_or_empty(&self) -> Result<StoredRing, KeyStoreError> {
        self.0.read_or_empty().await
    }

    async fn read_keys(&self) -> Result<StoredKeys, KeyStoreError> {
        self.0.read_keys().await
    }

    async fn replace(&self, change: Change) -> Result<(), KeyStoreError> {
        self.0.replace(change).await?;
        self.1.store(true, Ordering::SeqCst);
        Ok(())
    }

    async fn rewrap(&self) -> Result<Option<usize>, KeyStoreError> {
        self.0.rewrap().await
    }

    async fn warnings(&self) -> Vec<Problem> {
        self.0.warnings().await
    }

    async fn obstacle(&self) -> Option<Problem> {
        self.0.obstacle().await
    }
}

#[tokio::test]
async fn a_change_that_stands_is_no_failure_although_it_cannot_be_read_yet() {
    let directory = key_directory();
    let store = Arc::new(Unreadable(KeyDirectory::new(directory.path()), Arc::default()));
    let keys = Keys::open(store.clone(), signers()).await.unwrap();
    let kinds = [(SigningAlg::ES256.into(), KeyPurpose::Tokens)];
    let made = keys.prepublish(&kinds, &Author::operator(start())).await.unwrap().remove(0);
    assert!(entries(directory.path()).iter().any(|entry| entry.kid == made.kid));
    assert!(keys.current().find_jwk(&made.kid).is_none());
    store.1.store(false, Ordering::SeqCst);
    assert!(keys.reload_if_changed().await.unwrap());
    assert!(keys.current().find_jwk(&made.kid).is_some());
}
