//! `keyset.json`, as `ostiary-keyctl` and a running server read it, and the text of a master key.

#![no_main]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ostiary::keys::directory::read_keyset_file;
use ostiary::keys::keyset_file::FILE_NAME;
use ostiary::keys::master_key::MasterKeys;
use secrecy::SecretString;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("its mode");
    let file = folder.path().join(FILE_NAME);
    fs::write(&file, "").expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
    folder
});

fuzz_target!(|data: &[u8]| {
    let path = FOLDER.path().join(FILE_NAME);
    fs::write(&path, data).expect("the file is written");
    if let Ok((text, file)) = read_keyset_file(FOLDER.path()) {
        assert_eq!(text.as_bytes(), data);
        let problems = file.problems();
        let written = serde_json::to_vec(&file).expect("it is written");
        fs::write(&path, written).expect("the file is written");
        let (_, again) = read_keyset_file(FOLDER.path()).expect("it is read back");
        assert_eq!(again, file);
        assert_eq!(again.problems().len(), problems.len());
    }
    if let Ok(text) = str::from_utf8(data)
        && let Ok(keys) = MasterKeys::from_text(&SecretString::from(text))
    {
        assert!(keys.has(keys.current()));
    }
});
