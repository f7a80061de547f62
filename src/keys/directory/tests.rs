use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Barrier;

use chrono::TimeDelta;

use super::lock::Lock;
use super::*;
use crate::keys::keyset_file::KeyState;
use crate::keys::private_key::RsaBits;
use crate::keys::tests::{entry, key_directory, keyset_file, private_folder, start, write_keyset_file};
use crate::model::signing_alg::SigningAlg;

const BITS: RsaBits = RsaBits::Two048;

fn problems(directory: &Path) -> String {
    let found = inspect(directory).problems;
    for problem in &found {
        assert!(!problem.mend.is_empty(), "{problem}");
    }
    found.iter().map(|problem| format!("{problem}\n")).collect()
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_first_keys_are_the_required_ones_and_those_asked_for() {
    let parent = private_folder();
    let directory = parent.path().join("new/keys");
    let made = generate_initial(&directory, &[SigningAlg::EdDSA], BITS, start()).unwrap();
    let algs: Vec<_> = made.iter().map(|key| key.alg).collect();
    assert_eq!(algs, [SigningAlg::RS256, SigningAlg::ES256, SigningAlg::EdDSA]);
    for key in &made {
        assert_eq!((key.state, key.created_at, key.activated_at), (KeyState::Active, start(), Some(start())));
        let mode = fs::metadata(directory.join(&key.file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(inspect(&directory), Inspection { problems: vec![], warnings: vec![] });

    let refused = generate_initial(&directory, &[], BITS, start()).unwrap_err().to_string();
    assert!(refused.contains("has keys already"), "{refused}");
    assert_eq!(keyset_file(&directory).keys, made);
}

#[test]
fn a_key_is_listed_before_it_signs_and_verified_after() {
    let directory = key_directory();
    let first = entry(directory.path(), SigningAlg::ES256).kid;
    let (one_day, two_days) = (start() + TimeDelta::days(1), start() + TimeDelta::days(2));

    let made = prepublish(directory.path(), &[SigningAlg::ES256], BITS, one_day).unwrap();
    let [next] = made.as_slice() else { panic!("{made:?}") };
    assert_eq!((next.state, next.created_at, next.activated_at), (KeyState::Prepublished, one_day, None));

    let rotations = rotate(directory.path(), &[SigningAlg::ES256], BITS, two_days).unwrap();
    let expected = Rotation {
        alg: SigningAlg::ES256,
        activated: next.kid.clone(),
        superseded: Some(first.clone()),
        was_prepublished: true,
    };
    assert_eq!(rotations, [expected]);
    let file = keyset_file(directory.path());
    let of = |kid: &str| file.keys.iter().find(|key| key.kid == kid).unwrap();
    assert_eq!((of(&next.kid).state, of(&next.kid).activated_at), (KeyState::Active, Some(two_days)));
    assert_eq!((of(&first).state, of(&first).superseded_at), (KeyState::Grace, Some(two_days)));
    assert_eq!(problems(directory.path()), "");
}

#[test]
fn without_algorithms_every_one_in_use_is_meant() {
    let directory = key_directory();
    prepublish(directory.path(), &[SigningAlg::RS256], BITS, start()).unwrap();
    let made: Vec<_> = prepublish(directory.path(), &[], BITS, start()).unwrap().iter().map(|key| key.alg).collect();
    assert_eq!(made, [SigningAlg::PS256, SigningAlg::ES256, SigningAlg::EdDSA]);
    for algs in [&[][..], &[SigningAlg::ES256]] {
        let refused = prepublish(directory.path(), algs, BITS, start()).unwrap_err().to_string();
        assert!(refused.contains("waits to be activated") && refused.contains("rotate"), "{refused}");
    }
    let rotations = rotate(directory.path(), &[], BITS, start()).unwrap();
    assert_eq!(rotations.len(), 4);
    assert!(rotations.iter().all(|rotation| rotation.was_prepublished));
    assert_eq!(problems(directory.path()), "");
}

#[test]
fn an_algorithm_is_added_by_prepublishing_and_rotating() {
    let directory = private_folder();
    generate_initial(directory.path(), &[], BITS, start()).unwrap();
    let refused = rotate(directory.path(), &[SigningAlg::EdDSA], BITS, start()).unwrap_err().to_string();
    assert!(refused.contains("generate --alg EdDSA"), "{refused}");
    prepublish(directory.path(), &[SigningAlg::EdDSA], BITS, start()).unwrap();
    let rotations = rotate(directory.path(), &[SigningAlg::EdDSA], BITS, start()).unwrap();
    assert_eq!((rotations[0].superseded.as_ref(), rotations[0].was_prepublished), (None, true));
}

#[test]
fn of_several_at_once_each_succeeds_whole_or_is_refused() {
    let directory = key_directory();
    let barrier = Barrier::new(4);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let rotating = || {
            barrier.wait();
            rotate(directory.path(), &[SigningAlg::EdDSA], BITS, start())
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(rotating)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let succeeded = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(succeeded >= 1);
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert!(refused.to_string().contains("another process"), "{refused}");
    }
    assert_eq!(keyset_file(directory.path()).keys.len(), 4 + succeeded);
    assert_eq!(inspect(directory.path()), Inspection { problems: vec![], warnings: vec![] });
}

#[test]
fn while_another_changes_the_directory_everything_is_refused_and_nothing_written() {
    let directory = key_directory();
    let before = keyset_file(directory.path());
    let held = Lock::take(directory.path()).unwrap();
    let refusals = [
        prepublish(directory.path(), &[], BITS, start()).unwrap_err(),
        rotate(directory.path(), &[], BITS, start()).unwrap_err(),
        generate_initial(directory.path(), &[], BITS, start()).unwrap_err(),
    ];
    assert!(refusals.iter().all(|refused| refused.to_string().contains("another process")));
    assert_eq!(inspect(directory.path()).warnings, []);
    assert_eq!(keyset_file(directory.path()), before);
    drop(held);
    rotate(directory.path(), &[SigningAlg::EdDSA], BITS, start()).unwrap();
}

#[test]
fn a_directory_with_a_fault_is_not_changed() {
    let directory = key_directory();
    chmod(&directory.path().join(entry(directory.path(), SigningAlg::PS256).file), 0o644);
    let before = keyset_file(directory.path());
    assert!(rotate(directory.path(), &[SigningAlg::EdDSA], BITS, start()).is_err());
    assert!(prepublish(directory.path(), &[SigningAlg::EdDSA], BITS, start()).is_err());
    assert_eq!(keyset_file(directory.path()), before);
}

#[test]
fn a_missing_directory_says_how_to_make_one() {
    let parent = private_folder();
    let path = parent.path().join("none");
    assert!(problems(&path).contains(&format!("ostiary-keyctl generate --dir {}", path.display())));
    assert!(problems(parent.path()).contains("keyset.json does not exist"));
    // Looking does not make anything.
    assert!(!path.exists());
}

#[test]
fn every_problem_is_reported_at_once() {
    let directory = key_directory();
    let file = |alg| directory.path().join(entry(directory.path(), alg).file);
    chmod(&file(SigningAlg::RS256), 0o640);
    fs::remove_file(file(SigningAlg::PS256)).unwrap();
    private_file::replace(&file(SigningAlg::EdDSA), b"-----BEGIN PRIVATE KEY-----\nAAAA\n").unwrap();
    let found = problems(directory.path());
    assert_eq!(found.lines().count(), 3, "{found}");
    assert!(found.contains("chmod 0600"), "{found}");
    assert!(found.contains("does not exist"), "{found}");
    assert!(found.contains("or is damaged"), "{found}");
}

#[test]
fn a_key_in_the_place_of_another_is_noticed() {
    let directory = key_directory();
    let stranger = PrivateKey::generate(SigningAlg::ES256, BITS).unwrap().to_pem().unwrap();
    let path = directory.path().join(entry(directory.path(), SigningAlg::ES256).file);
    private_file::replace(&path, stranger.as_bytes()).unwrap();
    assert!(problems(directory.path()).contains("holds another key than"));
}

#[test]
fn a_directory_or_list_that_others_may_write_is_refused() {
    let directory = key_directory();
    chmod(directory.path(), 0o770);
    assert!(problems(directory.path()).contains("chmod 0700"));
    chmod(directory.path(), 0o700);
    chmod(&directory.path().join(FILE_NAME), 0o622);
    assert!(problems(directory.path()).contains("chmod 0600"));
}

#[test]
fn links_are_followed_as_mounted_secrets_need() {
    let directory = key_directory();
    let mounted = private_folder();
    for entry in fs::read_dir(directory.path()).unwrap().flatten() {
        symlink(entry.path(), mounted.path().join(entry.file_name())).unwrap();
    }
    assert_eq!(problems(mounted.path()), "");
}

#[test]
fn another_version_is_named_before_its_contents_are_judged() {
    let directory = key_directory();
    private_file::replace(&directory.path().join(FILE_NAME), br#"{"version":2,"sets":[]}"#).unwrap();
    assert!(problems(directory.path()).contains("has version 2, this program reads version 1"));
    for text in [&b"[]"[..], b"{}", br#"{"version":1}"#, br#"{"version":1,"keys":[{}]}"#, b"\xef\xbb\xbf{}"] {
        private_file::replace(&directory.path().join(FILE_NAME), text).unwrap();
        assert!(problems(directory.path()).contains("cannot be read"), "{text:?}");
    }
}

#[test]
fn what_an_interrupted_change_left_is_worth_a_look() {
    let directory = key_directory();
    let mut file = keyset_file(directory.path());
    let left = file.keys.pop().unwrap();
    write_keyset_file(directory.path(), &file);
    let found = inspect(directory.path());
    assert_eq!(found.problems, []);
    assert_eq!(found.warnings.len(), 1);
    assert!(found.warnings[0].what.starts_with(&left.file));
}
