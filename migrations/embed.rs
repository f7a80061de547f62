//! The build script: lists the migrations, so that each is embedded in the programs as soon as its folder is there.
//!
//! `metadata.toml` beside `up.sql` may say `run_in_transaction = false` and `contract = true`; docs/migrations.md explains
//! both.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

const SETS: [&str; 2] = ["protocol", "people"];

struct Found {
    version: i32,
    name: String,
    folder: PathBuf,
    run_in_transaction: bool,
    is_contract: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=migrations");
    // Relative to the package, which is where build scripts run: checkouts may share what was built.
    let root = Path::new("migrations");
    let mut all = Vec::new();
    for set in SETS {
        for entry in fs::read_dir(root.join(set))? {
            all.push(find(&entry?.path())?);
        }
    }
    all.sort_by_key(|migration| migration.version);
    if let Some(twice) = all.windows(2).find_map(|pair| match pair {
        [one, two] if one.version == two.version => Some(format!("{} and {}", one.name, two.name)),
        _ => None,
    }) {
        return Err(format!("two migrations have the same version: {twice}").into());
    }
    let last = all.last().ok_or("there is no migration")?.version;
    let mut code = format!("const LAST: i32 = {last};\n\nconst EMBEDDED: &[Migration] = &[\n");
    for Found { version, name, folder, run_in_transaction, is_contract } in &all {
        let include = |file| {
            let path = Path::new("/").join(folder).join(file);
            format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))")
        };
        let (up, down) = (include("up.sql"), include("down.sql"));
        writeln!(
            code,
            "Migration {{ version: {version}, name: {name:?}, up: {up}, down: {down}, \
             run_in_transaction: {run_in_transaction}, is_contract: {is_contract} }},"
        )?;
    }
    code.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("migrations.rs"), code)?;
    Ok(())
}

fn find(folder: &Path) -> Result<Found, Box<dyn Error>> {
    let name = folder.file_name().and_then(|name| name.to_str()).ok_or("a migration has no name")?.to_owned();
    let wrong = |what: &str| format!("migrations: {name}: {what}");
    if let Some(missing) = ["up.sql", "down.sql"].into_iter().find(|file| !folder.join(file).is_file()) {
        return Err(wrong(&format!("{missing} is missing")).into());
    }
    let version = name.split('_').next().unwrap_or_default().parse();
    let version =
        version.map_err(|_| wrong("its name does not begin with a version, as in 00000000000001_protocol"))?;
    let (mut run_in_transaction, mut is_contract) = (true, false);
    let metadata = folder.join("metadata.toml");
    let metadata = if metadata.exists() { fs::read_to_string(metadata)? } else { String::new() };
    let lines = metadata.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    for line in lines.filter(|line| !line.is_empty()) {
        match line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("run_in_transaction", "true")) | Some(("contract", "false")) => {}
            Some(("run_in_transaction", "false")) => run_in_transaction = false,
            Some(("contract", "true")) => is_contract = true,
            _ => return Err(wrong(&format!("metadata.toml: `{line}` is not understood")).into()),
        }
    }
    Ok(Found { version, name, folder: folder.to_owned(), run_in_transaction, is_contract })
}
