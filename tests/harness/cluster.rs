//! A Postgres of a test's own, to be killed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use super::deadline::{eventually, until};
use super::failure::tell_at_once;

/// Names the folder of the servers that tests start; `scripts/test` sets it.
const FOLDER: &str = "OSTIARY_TEST_FOLDER";

/// A cluster with one database; it ends with its handle.
pub struct Cluster {
    folder: TempDir,
    account: Option<User>,
    server: Option<Child>,
}

impl Cluster {
    /// A new, empty one that runs.
    pub async fn start() -> Self {
        tell_at_once();
        // Short: the path of a Unix socket has 107 bytes at most.
        let parent = std::env::var_os(FOLDER).unwrap_or_else(|| "/tmp".into());
        let folder = tempfile::Builder::new().prefix("c.").tempdir_in(parent).expect("a folder");
        let mut cluster = Self { folder, account: unprivileged(), server: None };
        let home = cluster.home();
        fs::create_dir(&home).expect("a folder for Postgres");
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("its mode");
        fs::set_permissions(cluster.folder.path(), fs::Permissions::from_mode(0o711)).expect("the mode above");
        if let Some(user) = &cluster.account {
            chown(&home, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("its owner");
        }
        let mut initdb = cluster.command("initdb");
        initdb.args(["-U", "ostiary", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]);
        let made = initdb.arg(home.join("data")).stdout(Stdio::null()).spawn();
        let mut made = made.expect("initdb runs");
        let status = eventually("initdb is done", || std::future::ready(made.try_wait().expect("its status"))).await;
        assert!(status.success(), "initdb succeeds");
        cluster.start_again().await;
        cluster
    }

    /// Where to connect.
    pub fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user=ostiary", self.home().display())
    }

    /// What it has written down so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).expect("a log")
    }

    /// `kill -9` of the postmaster: its backends notice by themselves that it is gone.
    pub async fn kill(&mut self) {
        self.end(Signal::SIGKILL).await;
    }

    /// An immediate shutdown: every backend drops what it is doing, nothing is written any more.
    pub async fn stop_immediately(&mut self) {
        self.end(Signal::SIGQUIT).await;
    }

    /// Freezes every process of the cluster: connections stay open, and nothing is answered.
    pub fn freeze(&self) {
        signal_all(self.server.as_ref().expect("the cluster runs"), Signal::SIGSTOP);
    }

    pub fn thaw(&self) {
        signal_all(self.server.as_ref().expect("the cluster runs"), Signal::SIGCONT);
    }

    /// Starts it on the same data, and waits until it answers.
    pub async fn start_again(&mut self) {
        assert!(self.server.is_none(), "the cluster is down");
        loop {
            self.spawn();
            if self.answers().await {
                return;
            }
            // What is left of the one before still held the shared memory.
            self.server = None;
        }
    }

    fn spawn(&mut self) {
        let home = self.home();
        let log = fs::File::options().create(true).append(true).open(self.log_file()).expect("a log");
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(home.join("data")).stdout(log.try_clone().expect("a log")).stderr(log);
        // Acknowledged commits survive the death of the server; that of the machine they need not.
        for setting in ["listen_addresses=", "fsync=off", "shared_buffers=16MB", "max_connections=100"] {
            postgres.args(["-c", setting]);
        }
        let socket_folder = format!("unix_socket_directories={}", home.display());
        self.server = Some(postgres.args(["-c", &socket_folder]).spawn().expect("postgres runs"));
    }

    /// Whether it came to answer, rather than to end.
    async fn answers(&mut self) -> bool {
        let url = self.url();
        let server = self.server.as_mut().expect("a server");
        eventually("Postgres starts", || {
            let is_gone = server.try_wait().expect("its status").is_some();
            let url = url.clone();
            async move {
                match tokio_postgres::connect(&url, NoTls).await {
                    Ok(_) => Some(true),
                    Err(_) => is_gone.then_some(false),
                }
            }
        })
        .await
    }

    async fn end(&mut self, signal: Signal) {
        let mut server = self.server.take().expect("the cluster runs");
        kill(pid(&server), signal).expect("the signal is sent");
        until("Postgres ends", move || server.try_wait().expect("its status").is_some()).await;
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("postgres")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(binaries().join(program));
        command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin").current_dir("/").stdin(Stdio::null());
        if let Some(user) = &self.account {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            signal_all(&server, Signal::SIGCONT);
            kill(pid(&server), Signal::SIGQUIT).ok();
            server.wait().ok();
        }
    }
}

/// The postmaster first, so that it starts no other backend meanwhile.
fn signal_all(server: &Child, signal: Signal) {
    kill(pid(server), signal).ok();
    for backend in children(pid(server)) {
        kill(backend, signal).ok();
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id"))
}

/// The processes that `parent` started.
fn children(parent: Pid) -> Vec<Pid> {
    let ids = Command::new("ps").args(["-A", "-o", "ppid=,pid="]).output().expect("ps runs");
    let ids = String::from_utf8(ids.stdout).expect("numbers");
    let pairs = ids.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
    let pairs = pairs.filter_map(|(above, id)| Some((above.parse::<i32>().ok()?, id.trim().parse::<i32>().ok()?)));
    pairs.filter(|(above, _)| *above == parent.as_raw()).map(|(_, id)| Pid::from_raw(id)).collect()
}

/// Postgres refuses to run as root.
fn unprivileged() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    let found = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).expect("the accounts"));
    Some(found.expect("an account for Postgres"))
}

/// The folder of the server binaries: the newest that is found.
pub fn binaries() -> PathBuf {
    let named = std::env::var_os("OSTIARY_POSTGRES_BIN").map(PathBuf::from);
    let on_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let packaged = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"].into_iter().flat_map(|place| {
        let mut folders: Vec<_> =
            Path::new(place).read_dir().into_iter().flatten().flatten().map(|entry| entry.path().join("bin")).collect();
        folders.sort_unstable();
        folders.into_iter().rev()
    });
    let mut folders = named.into_iter().chain(on_path).chain(packaged);
    folders.find(|folder| folder.join("initdb").is_file()).expect("the server binaries of Postgres")
}
