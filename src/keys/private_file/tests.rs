use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_file_is_private_from_its_first_byte() {
    let folder = tempfile::tempdir().unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut seen = 0;
            while !is_done.load(Ordering::SeqCst) {
                for entry in fs::read_dir(folder.path()).unwrap().flatten() {
                    if let Ok(metadata) = entry.metadata() {
                        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
                        seen += 1;
                    }
                }
            }
            seen
        });
        for number in 0..200 {
            create(&folder.path().join(number.to_string()), &[b'x'; 4096]).unwrap();
            replace(&folder.path().join("same"), &[b'x'; 4096]).unwrap();
        }
        is_done.store(true, Ordering::SeqCst);
        assert!(watcher.join().unwrap() > 0);
    });
    // Nothing is left of the names that files have while they are written.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 201);
}

#[test]
fn an_existing_file_is_not_created_again_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    create(&path, b"one").unwrap();
    assert!(matches!(create(&path, b"two"), Err(FileError::Exists(_))));
    assert_eq!(read(&path).unwrap().as_str(), "one");
    replace(&path, b"two").unwrap();
    assert_eq!((read(&path).unwrap().as_str(), mode(&path)), ("two", 0o600));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn only_private_text_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    assert!(matches!(read(&path), Err(FileError::Missing(_))));
    assert!(matches!(read(folder.path()), Err(FileError::NotText(_))));
    create(&path, &[0xff, 0xfe]).unwrap();
    assert!(matches!(read(&path), Err(FileError::NotText(_))));
    replace(&path, &vec![b'x'; 1024 * 1024 + 1]).unwrap();
    assert!(matches!(read(&path), Err(FileError::NotText(_))));
    replace(&path, b"text").unwrap();
    for (bits, is_readable) in [(0o600, true), (0o400, true), (0o640, false), (0o606, false), (0o610, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        assert_eq!(read(&path).is_ok(), is_readable, "{bits:o}");
    }
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    create_folder(&path).unwrap();
    assert_eq!(mode(&path), 0o700);
    for (bits, is_good) in [(0o700, true), (0o755, true), (0o770, false), (0o702, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(bits)).unwrap();
        assert_eq!(check_folder(&path).is_ok(), is_good, "{bits:o}");
    }
    assert!(check_folder(&path).unwrap_err().mend().contains("chmod 0700"));
}

#[test]
fn what_root_makes_in_the_folder_of_another_account_belongs_to_that_account() {
    if !Uid::effective().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(12345), Some(12345)).unwrap();
    let path = folder.path().join("file");
    create(&path, b"text").unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), mode(&path)), (12345, 12345, 0o600));
}
