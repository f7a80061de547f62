//! Who may import whom, and which crate stays where: `docs` say it, this holds it.

use std::fs;
use std::path::{Path, PathBuf};

/// What a folder below `src/` may import of this crate. Edges are those that nothing below them names.
const LAYERS: [(&str, &[&str]); 7] = [
    ("model", &["model"]),
    ("protocol", &["model", "protocol"]),
    ("storage", &["model", "protocol", "config", "random", "clock", "telemetry", "storage"]),
    ("keys", &["model", "protocol", "storage", "config", "random", "clock", "keys"]),
    ("identity", &["model", "protocol", "storage", "config", "random", "clock", "fetch", "keys", "identity"]),
    (
        "flow",
        &["model", "protocol", "storage", "config", "random", "clock", "fetch", "keys", "identity", "app", "flow"],
    ),
    ("config", &["model", "config"]),
];

const EDGES: [&str; 4] = ["oauth", "admin", "web", "jobs"];

/// A crate, and the only places that may name it.
const CRATES: [(&str, &[&str]); 9] = [
    ("diesel", &["storage/postgres"]),
    ("diesel_async", &["storage/postgres"]),
    ("diesel_migrations", &["storage/postgres"]),
    ("tokio_postgres", &["storage/postgres", "bootstrap"]),
    ("fred", &["storage/state/valkey"]),
    // The demo application is a relying party of its own, and `ostiary dev` shows a token that it got from itself: both only
    // ever call the development server that they run in.
    ("reqwest", &["fetch", "web/demo", "bootstrap/dev"]),
    ("axum", &["oauth", "admin", "web", "http", "bootstrap", "routes"]),
    ("anyhow", &["main", "bin", "bootstrap"]),
    ("josekit", &["keys/jwe"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source as its path below `src/` and its code, without comments and unit tests.
fn files() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    let is_code = |path: &PathBuf| path.file_name().is_some_and(|name| name != "tests.rs" && name != "contract.rs");
    let files = found.into_iter().filter(is_code).map(|path| {
        let name = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().lines();
        (name, code.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n"))
    });
    files.collect()
}

/// What follows each `prefix` that does not continue a longer name.
fn names_after<'a>(code: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let starts = code.match_indices(prefix).filter(|(at, _)| !code[..*at].ends_with(is_word));
    starts
        .map(|(at, _)| code[at + prefix.len()..].split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap())
        .collect()
}

/// The modules of this crate that a file imports, `use crate::{a, b}` included.
fn imports(code: &str) -> Vec<&str> {
    let mut modules: Vec<&str> = names_after(code, "crate::").into_iter().filter(|name| !name.is_empty()).collect();
    for group in code.split("use crate::{").skip(1) {
        let group = group.split(';').next().unwrap_or_default();
        modules.extend(group.split([',', '{', '}']).map(|item| item.trim().split(':').next().unwrap_or_default()));
    }
    modules.retain(|module| !module.is_empty() && module.chars().all(|c| c.is_lowercase() || c == '_'));
    modules
}

#[test]
fn layers_import_only_what_is_below_them() {
    for (file, code) in files() {
        let folder = file.split(['/', '.']).next().unwrap_or_default();
        if let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == folder) {
            for module in imports(&code) {
                assert!(allowed.contains(&module), "src/{file} imports crate::{module}");
            }
        }
    }
}

#[test]
fn edges_never_import_each_other() {
    for (file, code) in files() {
        let folder = file.split('/').next().unwrap_or_default();
        if EDGES.contains(&folder) {
            for module in imports(&code).into_iter().filter(|module| EDGES.contains(module)) {
                assert_eq!(module, folder, "src/{file} imports crate::{module}");
            }
        }
    }
}

#[test]
fn crates_stay_where_they_belong() {
    for (file, code) in files() {
        for (name, places) in CRATES {
            let is_named =
                code.contains(&format!("use {name}::")) || !names_after(&code, &format!("{name}::")).is_empty();
            let is_allowed = places.iter().any(|place| file.starts_with(place));
            assert!(!is_named || is_allowed, "src/{file} uses {name}");
        }
    }
}

#[test]
fn nothing_is_re_exported_wholesale_and_no_module_is_a_drawer() {
    for (file, code) in files() {
        assert!(
            !code.lines().any(|line| line.trim_start().starts_with("pub use") && line.contains("::*")),
            "src/{file}"
        );
        let names = ["utils", "util", "helpers", "common", "support", "misc"];
        assert!(!file.split(['/', '.']).any(|part| names.contains(&part)), "src/{file}");
    }
}
