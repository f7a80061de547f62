//! What must hold of the sources of this suite and of the routes together.

use std::fs;
use std::path::Path;

/// Every path that a router of ours names one by one, as it is written there.
pub fn routes() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).expect(file);
    let paths = read("src/oauth/paths.rs");
    let value = |source: &str, name: &str| {
        let line = source.lines().find(|line| line.starts_with(&format!("pub const {name}:"))).expect("a constant");
        let value = line.split(" = ").nth(1).expect("its value");
        value.trim_end_matches(';').to_owned()
    };
    let constant = |name: &str| {
        let value_of = value(&paths, name);
        // What others than the endpoint name too is in `flow`.
        let literal = match value_of.split_once("::") {
            Some((module, name)) => value(&read(&format!("src/flow/{module}.rs")), name),
            None => value_of,
        };
        literal.trim_matches('"').to_owned()
    };
    let mut found = Vec::new();
    for file in ["src/routes.rs", "src/web/mod.rs", "src/web/demo/mod.rs", "src/admin/mod.rs"] {
        for argument in read(file).split(".route(").skip(1) {
            let argument = argument.split(',').next().expect("a path").trim().to_owned();
            found.push(match argument.strip_prefix("paths::") {
                Some(name) => constant(name),
                None => argument.trim_matches('"').to_owned(),
            });
        }
    }
    found
}

#[test]
fn every_route_has_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = fs::read_dir(tests).expect("tests").map(|entry| entry.expect("an entry").path());
    // A table of every path is no test of any.
    let sources =
        files.filter(|path| path.is_file() && !path.ends_with("contract.rs") && !path.ends_with("methods.rs"));
    let sources: String = sources.map(|path| fs::read_to_string(path).expect("a source")).collect();
    let routes = routes();
    assert!(routes.len() >= 20, "{routes:?}");
    for route in routes {
        let fixed = route.split('{').next().expect("a beginning");
        assert!(sources.contains(&format!("\"{fixed}")), "no test names {route}");
    }
}

#[test]
fn every_fuzz_target_is_built_and_has_seeds() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("its Cargo.toml");
    let targets: Vec<_> = fs::read_dir(fuzz.join("targets")).expect("targets").collect();
    assert!(targets.len() >= 12, "{targets:?}");
    for target in targets {
        let path = target.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name} is not in tests/fuzz/Cargo.toml");
        let seeds = fs::read_dir(fuzz.join("seeds").join(&name)).map(Iterator::count);
        assert!(seeds.is_ok_and(|seeds| seeds > 0), "{name} has no seeds");
    }
}

#[test]
fn every_test_file_is_part_of_the_suite() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let main = fs::read_to_string(tests.join("main.rs")).expect("main.rs");
    for entry in fs::read_dir(tests).expect("tests") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let is_source = path.join("mod.rs").is_file() || path.extension().is_some_and(|extension| extension == "rs");
        assert!(!is_source || name == "main" || main.contains(&format!("mod {name};")), "{name} is not in main.rs");
    }
}
