//! Finding the Postgres server binaries of this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The variable that names the folder of the binaries.
pub const VARIABLE: &str = "OSTIARY_POSTGRES_BIN";

const OLDEST: u32 = 14;
/// Folders whose entries may be, or hold, an installation: Debian, Red Hat, Homebrew on both kinds of Mac.
const PLACES: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
];

/// The server binaries of one version.
#[derive(Clone, Debug)]
pub struct Binaries {
    folder: PathBuf,
    /// The major version.
    pub version: u32,
}

impl Binaries {
    /// Those of version `wanted`, which a data folder is tied to, or else the newest.
    pub fn find(wanted: Option<u32>) -> anyhow::Result<Self> {
        let named = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let folders = match &named {
            Some(folder) => vec![folder.clone()],
            None => candidates(std::env::var_os("PATH")),
        };
        let mut found: Vec<_> = folders.into_iter().filter_map(Self::inspect).collect();
        found.sort_by_key(|binaries| binaries.version);
        let versions: Vec<_> = found.iter().map(|binaries| binaries.version.to_string()).collect();
        let fitting = found.into_iter().rfind(|found| wanted.map_or(found.version >= OLDEST, |v| v == found.version));
        match (fitting, wanted, named) {
            (Some(binaries), _, _) => Ok(binaries),
            (None, Some(wanted), _) if !versions.is_empty() => bail!(
                "the data of this folder belongs to Postgres {wanted}, and this machine has {}\n  mend: `ostiary dev \
                 --reset` starts over with the new version",
                versions.join(", ")
            ),
            (None, _, Some(folder)) => bail!(
                "{VARIABLE} is {}, where no Postgres server (version {OLDEST} or newer) is\n  mend: set it to the folder \
                 of `initdb` and `postgres`, or unset it",
                folder.display()
            ),
            (None, _, None) => bail!(
                "no Postgres server (version {OLDEST} or newer) was found on PATH, in /usr/lib/postgresql/*/bin or in \
                 Homebrew\n  mend: `scripts/dev` installs it; or `apt-get install postgresql`, `dnf install \
                 postgresql-server`, `brew install postgresql`; or set {VARIABLE} to the folder of `initdb` and `postgres`"
            ),
        }
    }

    fn inspect(folder: PathBuf) -> Option<Self> {
        if !folder.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let version = parse_version(std::str::from_utf8(&output.stdout).ok()?)?;
        Some(Self { folder, version })
    }

    /// The server.
    pub fn postgres(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    /// The program that makes a data folder.
    pub fn initdb(&self) -> PathBuf {
        self.folder.join("initdb")
    }
}

fn candidates(path: Option<OsString>) -> Vec<PathBuf> {
    let mut folders: Vec<_> = path.iter().flat_map(std::env::split_paths).collect();
    for (place, prefix, inner) in PLACES {
        let entries = Path::new(place).read_dir().into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)));
        folders.extend(named.map(|entry| entry.path().join(inner)));
    }
    folders
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, `postgres (PostgreSQL) 18beta1`.
fn parse_version(text: &str) -> Option<u32> {
    let number = text.split_once("(PostgreSQL)")?.1.trim_start();
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The major version that a data folder belongs to, if there is one.
pub fn version_of_data(data: &Path) -> anyhow::Result<Option<u32>> {
    match std::fs::read_to_string(data.join("PG_VERSION")) {
        Ok(text) => Ok(Some(text.trim().parse().context("PG_VERSION of the data folder")?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", data.join("PG_VERSION").display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(parse_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_version("initdb"), None);
    }
}
