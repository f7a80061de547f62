use std::time::Duration;

use chrono::TimeDelta;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;
use crate::config::ClientIpHeaderMode;

const URL: (&str, &str) = ("DATABASE_URL", "postgres://db/ostiary");

fn sources(directory: &TempDir, file: &str, environment: &[(&str, &str)]) -> Sources {
    std::fs::write(directory.path().join(".env.yaml"), file).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Sources { file: None, directory: directory.path().to_owned(), environment }
}

fn load_from(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let directory = TempDir::new().unwrap();
    load(&sources(&directory, file, environment))
}

fn keys_of(errors: &ConfigErrors) -> Vec<&str> {
    errors.0.iter().map(|error| error.key.as_str()).collect()
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_the_defaults() {
    let file = "tokens:\n  access_token: 5m\n  id_token: 120\n";
    let config = load_from(file, &[URL, ("ID_TOKEN_LIFETIME", "90"), ("DATABASE_POOL_SIZE", "3")]).unwrap();
    assert_eq!(config.tokens.access_token, TimeDelta::minutes(5));
    assert_eq!(config.tokens.id_token, TimeDelta::seconds(90));
    assert_eq!(config.tokens.authorization_code, TimeDelta::seconds(60));
    assert_eq!(config.database.pool_size, 3);
    assert_eq!(config.database.acquire_timeout, Duration::from_secs(2));
}

#[test]
fn variables_become_lists_booleans_and_enums() {
    let config = load_from(
        "",
        &[
            URL,
            ("ISSUER", "https://id.example"),
            ("TRUSTED_PROXY_CIDRS", "10.0.0.0/8, ::1/128"),
            ("CLIENT_IP_HEADER_MODE", "x_forwarded_for"),
            ("COOKIE_SECURE", "true"),
            ("VALKEY_URL", ""),
        ],
    )
    .unwrap();
    assert_eq!(config.server.trusted_proxy_cidrs.len(), 2);
    assert_eq!(config.server.client_ip_header_mode, ClientIpHeaderMode::XForwardedFor);
    assert_eq!(config.server.cookie_secure, Some(true));
    assert!(config.state.valkey_url.is_none(), "an empty variable counts as absent");
}

#[test]
fn every_error_is_reported_at_once_with_its_key() {
    let file = "serverr: {}\nserver:\n  bindd: 1\n  bind: nowhere\ntokens:\n  access_token: soon\n";
    let errors = load_from(file, &[("DATABASE_POOL_SIZE", "many"), ("ISSUER", "http://id.example")]).unwrap_err();
    let keys = keys_of(&errors);
    for expected in [
        "serverr",
        "server.bindd",
        "server.bind",
        "tokens.access_token",
        "DATABASE_POOL_SIZE (database.pool_size)",
        "server.issuer",
        "database.url",
    ] {
        assert!(keys.contains(&expected), "{expected} in {keys:?}");
    }
    assert!(errors.0.iter().all(|error| !error.mend.is_empty()));
}

#[test]
fn a_dotenv_file_stops_and_names_the_rename() {
    let directory = TempDir::new().unwrap();
    let sources = sources(&directory, "", &[URL]);
    std::fs::write(directory.path().join(".env"), "export DATABASE_URL=postgres://u:hunter2@h/d\nFOO=1\n").unwrap();
    let text = load(&sources).unwrap_err().to_string();
    assert!(text.contains("mv .env .env.yaml") && text.contains("DATABASE_URL becomes database.url"), "{text}");
    assert!(!text.contains("hunter2"));
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("url");
    std::fs::write(&path, "postgres://u:hunter2@h/d\n").unwrap();
    let path = path.to_str().unwrap();
    let config = load(&sources(&directory, "", &[("DATABASE_URL_FILE", path)])).unwrap();
    assert_eq!(config.database.url.expose_secret(), "postgres://u:hunter2@h/d");
    assert!(!config.to_yaml().unwrap().contains("hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"));

    let both = load(&sources(&directory, "", &[URL, ("DATABASE_URL_FILE", path)])).unwrap_err();
    assert_eq!(keys_of(&both), ["DATABASE_URL", "database.url"]);
    let gone = load(&sources(&directory, "", &[("DATABASE_URL_FILE", "/does/not/exist")])).unwrap_err();
    assert_eq!(keys_of(&gone), ["DATABASE_URL_FILE"]);
    let wrong = load_from("database:\n  url: [hunter2]\n", &[]).unwrap_err();
    assert!(!wrong.to_string().contains("hunter2"));
    let syntax = load_from("database: {url: hunter2\n", &[]).unwrap_err();
    assert!(!syntax.to_string().contains("hunter2"));
}

#[test]
fn the_named_file_must_exist() {
    let directory = TempDir::new().unwrap();
    let mut sources = sources(&directory, "", &[URL]);
    sources.file = Some(directory.path().join("absent.yaml"));
    assert!(load(&sources).unwrap_err().to_string().contains("absent.yaml"));
}

fn leaves(tree: &Value) -> Vec<String> {
    let sections = tree.as_object().unwrap().iter();
    sections.flat_map(|(name, keys)| keys.as_object().unwrap().keys().map(move |key| format!("{name}.{key}"))).collect()
}

#[test]
fn a_variable_sets_what_the_file_left_out_of_a_nested_section() {
    let file = "database: {url: 'postgres://localhost/o'}\nkeys: {rotation: {period: 30d}}";
    let config = load_from(file, &[("KEY_ROTATION_PREPUBLISH", "2h")]).unwrap();
    let rotation = &config.keys.rotation;
    assert_eq!((rotation.period, rotation.prepublish), (TimeDelta::days(30), TimeDelta::hours(2)));
}

#[test]
fn the_example_has_every_key_with_its_default_and_a_comment() {
    let example = include_str!("../../../.env.yaml.example");
    let tree: Value = serde_yaml_ng::from_str(example).unwrap();
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let (mut found, mut expected) = (leaves(&tree), leaves(&defaults));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    for key in expected.iter().filter(|key| *key != "database.url") {
        assert_eq!(tree.pointer(&pointer(key)), defaults.pointer(&pointer(key)), "the default of {key}");
    }
    load_from(example, &[]).unwrap();

    let lines: Vec<_> = example.lines().collect();
    for (above, line) in lines.iter().zip(lines.iter().skip(1)).filter(|(_, line)| line.starts_with("  ")) {
        let is_setting = line.trim_start().starts_with(|c: char| c.is_ascii_lowercase());
        assert!(!is_setting || above.trim_start().starts_with('#'), "a comment above {line}");
    }
    for variable in VARIABLES {
        assert!(example.contains(&format!("({})", variable.name)), "{} is named", variable.name);
        assert!(defaults.pointer(&pointer(variable.key)).is_some(), "{} names a setting", variable.name);
    }
}
