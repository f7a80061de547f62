use std::os::unix::fs::{PermissionsExt, symlink};

use chrono::TimeDelta;

use super::*;
use crate::keys::change::{self, ChangeError};
use crate::keys::lifecycle::Insistence;
use crate::keys::store::{Inspection, inspect};
use crate::keys::tests::{entries, entry, key_directory, policy, private_folder, rules, signers, start, write_entries};
use crate::model::signing_key::KeyPurpose;

const BITS: RsaBits = RsaBits::Two048;

fn store(directory: &Path) -> KeyDirectory {
    KeyDirectory::new(directory)
}

async fn problems(directory: &Path) -> String {
    let found = inspect(&store(directory)).await.problems;
    for problem in &found {
        assert!(!problem.mend.is_empty(), "{problem}");
    }
    found.iter().map(|problem| format!("{problem}\n")).collect()
}

async fn prepublish(directory: &Path) -> Result<Vec<KeyEntry>, ChangeError> {
    change::prepublish(&store(directory), &[(SigningAlg::EdDSA.into(), KeyPurpose::Tokens)], None, start()).await
}

fn path_of(directory: &Path, alg: SigningAlg) -> PathBuf {
    directory.join(entry(directory, alg).file.unwrap())
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn the_first_keys_are_the_required_ones_and_those_asked_for() {
    let parent = private_folder();
    let directory = parent.path().join("new/keys");
    let made = generate_initial(&directory, &[SigningAlg::EdDSA], BITS, start()).unwrap();
    let algs: Vec<_> = made.iter().map(|key| key.alg).collect();
    assert_eq!(algs, [SigningAlg::RS256, SigningAlg::ES256, SigningAlg::EdDSA]);
    for key in &entries(&directory) {
        assert_eq!((key.state, key.created_at, key.activated_at), (KeyState::Active, start(), Some(start())));
        let mode = fs::metadata(directory.join(key.file.as_deref().unwrap())).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(inspect(&store(&directory)).await, Inspection { problems: vec![], warnings: vec![] });

    let refused = generate_initial(&directory, &[], BITS, start()).unwrap_err().to_string();
    assert!(refused.contains("there are keys already"), "{refused}");
    assert_eq!(entries(&directory).len(), made.len());
}

#[tokio::test]
async fn a_missing_directory_says_how_to_make_one() {
    let parent = private_folder();
    let path = parent.path().join("none");
    assert!(problems(&path).await.contains(&format!("ostiary-keyctl generate --dir {}", path.display())));
    assert!(problems(parent.path()).await.contains("keyset.json does not exist"));
    // Looking does not make anything.
    assert!(!path.exists());
}

#[tokio::test]
async fn every_problem_is_reported_at_once() {
    let directory = key_directory();
    let file = |alg| path_of(directory.path(), alg);
    chmod(&file(SigningAlg::RS256), 0o640);
    fs::remove_file(file(SigningAlg::PS256)).unwrap();
    private_file::replace(&file(SigningAlg::EdDSA), b"-----BEGIN PRIVATE KEY-----\nAAAA\n").unwrap();
    let found = problems(directory.path()).await;
    assert_eq!(found.lines().count(), 3, "{found}");
    assert!(found.contains("chmod 0600"), "{found}");
    assert!(found.contains("does not exist"), "{found}");
    assert!(found.contains("or is damaged"), "{found}");
}

#[tokio::test]
async fn a_key_in_the_place_of_another_is_noticed() {
    let directory = key_directory();
    let stranger = PrivateKey::generate(SigningAlg::ES256, BITS).unwrap().to_pem().unwrap();
    let path = path_of(directory.path(), SigningAlg::ES256);
    private_file::replace(&path, stranger.as_bytes()).unwrap();
    assert!(problems(directory.path()).await.contains("holds another key"));
}

#[tokio::test]
async fn a_directory_or_list_that_others_may_write_is_refused() {
    let directory = key_directory();
    chmod(directory.path(), 0o770);
    assert!(problems(directory.path()).await.contains("chmod 0700"));
    chmod(directory.path(), 0o700);
    chmod(&directory.path().join(FILE_NAME), 0o622);
    assert!(problems(directory.path()).await.contains("chmod 0600"));
}

#[tokio::test]
async fn links_are_followed_as_mounted_secrets_need() {
    let directory = key_directory();
    let mounted = private_folder();
    for entry in fs::read_dir(directory.path()).unwrap().flatten() {
        symlink(entry.path(), mounted.path().join(entry.file_name())).unwrap();
    }
    assert_eq!(problems(mounted.path()).await, "");
}

#[tokio::test]
async fn while_another_changes_the_directory_everything_is_refused_and_nothing_written() {
    let directory = key_directory();
    let before = entries(directory.path());
    let held = Lock::take(directory.path()).ok().unwrap();
    let refused = prepublish(directory.path()).await.unwrap_err();
    assert!(matches!(refused, ChangeError::Store(KeyStoreError::Conflict)), "{refused:?}");
    assert_eq!(inspect(&store(directory.path())).await.warnings, []);
    assert_eq!(entries(directory.path()), before);
    drop(held);
    prepublish(directory.path()).await.unwrap();
}

#[tokio::test]
async fn a_directory_with_a_fault_is_not_changed() {
    let directory = key_directory();
    chmod(&path_of(directory.path(), SigningAlg::PS256), 0o644);
    let before = entries(directory.path());
    assert!(prepublish(directory.path()).await.is_err());
    assert_eq!(entries(directory.path()), before);
    // An emergency does not wait for somebody to mend it.
    let kid = entry(directory.path(), SigningAlg::PS256).kid;
    let next = change::revoke(&store(directory.path()), &kid, "exposed", None, start()).await.unwrap();
    assert!(next.is_some());
    assert_eq!(problems(directory.path()).await, "");
}

#[tokio::test]
async fn another_version_is_named_before_its_contents_are_judged() {
    let directory = key_directory();
    private_file::replace(&directory.path().join(FILE_NAME), br#"{"version":3,"sets":[]}"#).unwrap();
    assert!(problems(directory.path()).await.contains("has version 3, this program reads versions 1 and 2"));
    for text in [&b"[]"[..], b"{}", br#"{"version":1}"#, br#"{"version":1,"keys":[{}]}"#, b"\xef\xbb\xbf{}"] {
        private_file::replace(&directory.path().join(FILE_NAME), text).unwrap();
        assert!(problems(directory.path()).await.contains("cannot be read"), "{text:?}");
    }
}

#[tokio::test]
async fn what_an_interrupted_change_left_is_worth_a_look() {
    let directory = key_directory();
    let mut keys = entries(directory.path());
    let left = keys.pop().unwrap();
    write_entries(directory.path(), &keys);
    let found = inspect(&store(directory.path())).await;
    assert_eq!(found.problems, []);
    assert_eq!(found.warnings.len(), 1);
    assert!(found.warnings[0].what.starts_with(left.file.as_deref().unwrap()));
}

#[tokio::test]
async fn the_file_of_a_retired_key_is_destroyed_also_by_a_later_change() {
    let directory = key_directory();
    let made = prepublish(directory.path()).await.unwrap().remove(0);
    let file = entries(directory.path()).pop().unwrap().file.unwrap();
    let path = directory.path().join(file);
    let pem = fs::read(&path).unwrap();
    change::retire(&store(directory.path()), &made.kid, Insistence::Never, start()).await.unwrap();
    assert!(!path.exists());
    // As if the process had died before the removal.
    private_file::replace(&path, &pem).unwrap();
    let found = inspect(&store(directory.path())).await;
    assert!(found.warnings[0].what.contains("is still there"), "{found:?}");
    prepublish(directory.path()).await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_directory_of_version_1_goes_on_as_version_2() {
    let directory = key_directory();
    let path = directory.path().join(FILE_NAME);
    let mut old: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    old["version"] = 1.into();
    for key in old["keys"].as_array_mut().unwrap() {
        key.as_object_mut().unwrap().retain(|name, _| name != "purpose" && name != "published_at");
    }
    private_file::replace(&path, old.to_string().as_bytes()).unwrap();
    assert_eq!(problems(directory.path()).await, "");
    let now = start() + TimeDelta::days(1);
    let (policy, signers) = (policy(), signers());
    let force = rules(&policy, Insistence::Force, &signers);
    change::rotate(&store(directory.path()), &[], &force, None, now).await.unwrap();
    assert!(fs::read_to_string(&path).unwrap().contains("\"version\": 2"));
    assert_eq!(problems(directory.path()).await, "");
}

#[tokio::test]
async fn a_lock_that_is_a_link_to_another_file_is_refused() {
    let directory = key_directory();
    let path = directory.path();
    let elsewhere = private_folder();
    let other = elsewhere.path().join("other");
    fs::write(&other, "theirs").unwrap();
    let lock = path.join(".lock");
    let links: [fn(&Path, &Path) -> std::io::Result<()>; 2] =
        [|other, lock| symlink(other, lock), |other, lock| fs::hard_link(other, lock)];
    for link in links {
        fs::remove_file(&lock).ok();
        link(&other, &lock).unwrap();
        let refused = prepublish(path).await.unwrap_err().to_string();
        assert!(refused.contains(".lock cannot be locked"), "{refused}");
    }
    fs::remove_file(&lock).unwrap();
    // One that points at nothing makes nothing there.
    let nowhere = elsewhere.path().join("nowhere");
    symlink(&nowhere, &lock).unwrap();
    prepublish(path).await.unwrap_err();
    assert!(!nowhere.exists());
    fs::remove_file(&lock).unwrap();
    prepublish(path).await.unwrap();
}

#[test]
fn a_file_outside_the_directory_is_never_destroyed() {
    let directory = key_directory();
    let elsewhere = private_folder();
    let other = elsewhere.path().join("other");
    fs::write(&other, "theirs").unwrap();
    let mut retired = entry(directory.path(), SigningAlg::ES256);
    retired.state = KeyState::Retired;
    retired.file = Some(other.to_str().unwrap().to_owned());
    store(directory.path()).destroy_retired(&KeyRing::new(vec![retired]));
    assert!(other.exists());
}
