//! The settings file: whatever is wrong with it is told, and what was read can be printed and is read back the same.

#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ostiary::config::{Config, ConfigError, Sources, examine};
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fuzz_target!(|data: &[u8]| {
    let (config, errors) = read(data);
    let Some(config) = config else {
        assert!(!errors.is_empty(), "somebody has to know why");
        return;
    };
    let printed = config.to_yaml().expect("it is printed");
    let (again, _) = read(printed.as_bytes());
    assert_eq!(again.expect("it is read back").to_yaml().expect("it is printed"), printed);
});

fn read(text: &[u8]) -> (Option<Config>, Vec<ConfigError>) {
    let file = FOLDER.path().join("settings.yaml");
    fs::write(&file, text).expect("the file is written");
    examine(&Sources { file: Some(file), directory: FOLDER.path().to_owned(), ..Sources::default() })
}
