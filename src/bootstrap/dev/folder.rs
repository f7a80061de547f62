//! `.ostiary/dev`: everything that a development server keeps, and where it may not lie there.
//!
//! ```text
//! .ostiary/dev/lock          held while a server runs; the kernel lets go of it, whatever end the server took
//!              cluster.json  where the Postgres cluster is, for people
//!              postgres.log
//!              keys/  master.key  demo.json
//! <place>/data               the cluster: below .ostiary/dev, or for root below /var/lib/ostiary (see [`Folder::open`])
//! <runtime>                  its Unix socket
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use aws_lc_rs::digest::{SHA256, digest};
use nix::unistd::geteuid;
use serde::Serialize;

use super::account::Account;

const PATIENCE: Duration = Duration::from_millis(500);

/// The folder, locked.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    place: PathBuf,
    runtime: PathBuf,
    account: Account,
    _lock: File,
}

#[derive(Serialize)]
struct ClusterRecord<'a> {
    data: &'a Path,
    socket_folder: &'a Path,
    account: &'a str,
}

impl Folder {
    /// Opens or makes `.ostiary/dev` below `parent`, and locks it.
    ///
    /// As root the cluster belongs to another account, which could not reach it below a home folder of mode 0700: it then
    /// lies below /var/lib/ostiary, under a name derived from this folder's path.
    pub fn open(parent: &Path) -> anyhow::Result<Self> {
        let root = parent.join(".ostiary/dev");
        make_private(&root)?;
        let root = root.canonicalize().context("the path of .ostiary/dev")?;
        require_own(&root)?;
        let lock = lock(&root)?;
        let account = Account::for_postgres()?;
        let name = short_name(&root);
        let place = if account.is_ours() { root.join("postgres") } else { Path::new("/var/lib/ostiary").join(&name) };
        let runtime = runtime_parent().join(format!("ostiary-{name}"));
        Ok(Self { root, place, runtime, account, _lock: lock })
    }

    /// Deletes everything, the cluster first.
    pub fn reset(&self) -> anyhow::Result<()> {
        if self.place.exists() {
            self.require_our_place()?;
            remove(&self.place)?;
        }
        for name in ["keys", "master.key", "demo.json", "cluster.json", "postgres.log"] {
            remove(&self.root.join(name))?;
        }
        Ok(())
    }

    /// Makes the folders of the cluster, for its account.
    pub fn make_place(&self) -> anyhow::Result<()> {
        if self.place.exists() {
            self.require_our_place()?;
        } else {
            if !self.account.is_ours() {
                let parent = Path::new("/var/lib/ostiary");
                DirBuilder::new().recursive(true).mode(0o755).create(parent).context("making /var/lib/ostiary")?;
            }
            make_folder(&self.place)?;
            // While it is ours: what another account puts into a folder of its own may be a link to anywhere.
            fs::write(self.marker(), self.root.as_os_str().as_encoded_bytes()).context("marking the data folder")?;
            self.give_away(&self.place)?;
        }
        if let Ok(metadata) = fs::symlink_metadata(&self.runtime) {
            // In a folder that everybody may write to, somebody else may have taken the name.
            let is_ours = metadata.uid() == self.account.uid() && metadata.is_dir() && metadata.mode() & 0o077 == 0;
            if !is_ours {
                bail!("{} is not ours\n  mend: remove it", self.runtime.display());
            }
        } else {
            make_folder(&self.runtime)?;
            self.give_away(&self.runtime)?;
        }
        let record = ClusterRecord { data: &self.data(), socket_folder: &self.runtime, account: &self.account.name };
        write_private(&self.root.join("cluster.json"), &serde_json::to_vec_pretty(&record)?)
    }

    fn give_away(&self, path: &Path) -> anyhow::Result<()> {
        if let Some((uid, gid)) = self.account.to_become() {
            lchown(path, Some(uid), Some(gid)).with_context(|| format!("giving {} away", path.display()))?;
        }
        Ok(())
    }

    fn marker(&self) -> PathBuf {
        self.place.join("belongs-to")
    }

    /// Only a folder that we made for this very checkout is used, or deleted.
    fn require_our_place(&self) -> anyhow::Result<()> {
        let marker = fs::read(self.marker()).unwrap_or_default();
        if marker != self.root.as_os_str().as_encoded_bytes() {
            bail!("{} was not made by `ostiary dev` for this folder\n  mend: move it away", self.place.display());
        }
        Ok(())
    }

    /// The folder of the cluster, in which its account may do what it likes.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The data folder of the cluster.
    pub fn data(&self) -> PathBuf {
        self.place.join("data")
    }

    /// The folder of its socket: short, for a socket's path has 107 bytes at most.
    pub fn runtime(&self) -> &Path {
        &self.runtime
    }

    /// The account of the cluster.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// A file or folder of `.ostiary/dev`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
}

fn lock(root: &Path) -> anyhow::Result<File> {
    let path = root.join("lock");
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = file.with_context(|| format!("opening {}", path.display()))?;
    let start = Instant::now();
    let mut locked = file.try_lock();
    // A killed process lets go of it a moment later.
    while matches!(locked, Err(TryLockError::WouldBlock)) && start.elapsed() < PATIENCE {
        sleep(Duration::from_millis(10));
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let process = fs::read_to_string(&path).unwrap_or_default();
            bail!(
                "`ostiary dev` is already running in this folder (process {})\n  mend: stop it first",
                process.trim()
            );
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("locking {}", path.display())),
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

fn short_name(root: &Path) -> String {
    let hash = digest(&SHA256, root.as_os_str().as_encoded_bytes());
    hash.as_ref().iter().take(5).map(|byte| format!("{byte:02x}")).collect()
}

fn runtime_parent() -> PathBuf {
    let named = match std::env::var_os("XDG_RUNTIME_DIR") {
        _ if geteuid().is_root() => Some(PathBuf::from("/run")),
        Some(path) => Some(PathBuf::from(path)),
        None => None,
    };
    // `su` leaves the variable of whoever called it.
    let is_ours = |path: &PathBuf| fs::metadata(path).is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw());
    named.filter(|path| is_ours(path) && path.as_os_str().len() < 64).unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// Makes a folder that nobody else can enter; one that is there is an error.
fn make_folder(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new().mode(0o700).create(path).with_context(|| format!("making {}", path.display()))
}

fn make_private(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        anyhow!(
            "making {}: {error}\n  mend: run `ostiary dev` in a folder that this account may write to",
            path.display()
        )
    })
}

/// What another account began, `sudo` perhaps, this one can neither go on with nor may it replace.
fn require_own(root: &Path) -> anyhow::Result<()> {
    let owner = fs::metadata(root).context("the owner of .ostiary/dev")?.uid();
    if owner != geteuid().as_raw() {
        bail!(
            "{} belongs to another account (user id {owner})\n  mend: run `ostiary dev` from that account, or remove the folder",
            root.display()
        );
    }
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Writes a file that only this account can read, from its first byte, in one step.
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let parent = path.parent().context("a file has a folder")?;
    let mut file = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(parent)?;
    file.write_all(bytes)?;
    file.persist(path).with_context(|| format!("writing {}", path.display()))?;
    Ok(())
}
