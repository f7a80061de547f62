//! The private Postgres cluster: made once, started with us, ended with us, on a Unix socket only.
//!
//! Authentication is `peer`: the kernel tells Postgres who connects, so there is no password to keep.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::SecretString;

use super::account::Account;
use super::binaries::{Binaries, version_of_data};
use super::folder::Folder;
use super::given_file;
use super::guard::guarded;

const USER: &str = "ostiary";
/// What the name of a data folder ends in while it is being made, before the number of the process.
const UNFINISHED: &str = "unfinished-";
const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);
/// How often it is looked whether Postgres is still there.
const WATCH: Duration = Duration::from_millis(250);
/// The delay before Postgres is started again; each further start doubles it, unless the last one lasted.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const STABLE: Duration = Duration::from_secs(30);
/// After so many further starts, in about six seconds, one that fails is the last.
const MOST_STARTS: u32 = 5;

/// A running cluster; dropping it ends it.
#[derive(Debug)]
pub struct Cluster {
    server: Child,
    /// Where to connect.
    pub url: SecretString,
}

impl Cluster {
    /// Makes the cluster if there is none, and starts it. Must be called on the main thread: the kernel ends Postgres when
    /// the thread that started it ends.
    pub fn start(folder: &Folder) -> anyhow::Result<Self> {
        let data = folder.data();
        let version = version_of_data(&data)?;
        let binaries = Binaries::find(version)?;
        if version.is_none() {
            make(folder, &binaries)?;
        }
        let socket_folder: String =
            url::form_urlencoded::byte_serialize(folder.runtime().as_os_str().as_encoded_bytes()).collect();
        let url = SecretString::from(format!("postgres://{USER}@{socket_folder}/postgres"));
        let mut cluster = Self { server: launch(folder, &binaries)?, url };
        let start = Instant::now();
        while !cluster.is_ready(folder, start.elapsed())? {
            sleep(POLL);
        }
        Ok(cluster)
    }

    /// Starts Postgres again whenever it ends without us, and says so on the terminal. Ends when that does not work. Must
    /// be awaited on the main thread, like [`Cluster::start`] is called on it.
    pub async fn keep_running(&mut self, folder: &Folder) -> anyhow::Result<Infallible> {
        let (mut starts, mut running_since) = (0, Instant::now());
        loop {
            tokio::time::sleep(WATCH).await;
            let Some(status) = self.server.try_wait()? else { continue };
            eprintln!("ostiary: Postgres ended ({status}), starting it again");
            if running_since.elapsed() > STABLE {
                starts = 0;
            }
            loop {
                // What is left of the one before goes within moments, and until then there can be no other.
                tokio::time::sleep(FIRST_DELAY * 2_u32.pow(starts.min(MOST_STARTS))).await;
                starts += 1;
                match self.start_again(folder).await {
                    Ok(()) => break,
                    Err(error) if starts > MOST_STARTS => {
                        return Err(error).context(
                            "Postgres ended and cannot be started again\n  mend: run `ostiary dev` once more; if that does \
                             not help, `ostiary dev --reset` starts over",
                        );
                    }
                    Err(_) => {}
                }
            }
            eprintln!("ostiary: Postgres runs again");
            running_since = Instant::now();
        }
    }

    async fn start_again(&mut self, folder: &Folder) -> anyhow::Result<()> {
        let binaries = Binaries::find(version_of_data(&folder.data())?)?;
        self.end();
        self.server = launch(folder, &binaries)?;
        let start = Instant::now();
        while !self.is_ready(folder, start.elapsed())? {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Postgres writes how far it is into its lock file, of which there may still be one of a server before.
    fn is_ready(&mut self, folder: &Folder, waited: Duration) -> anyhow::Result<bool> {
        let lock_file = fs::read_to_string(folder.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = lock_file.lines();
        let process = lines.next().and_then(|line| line.trim().parse::<u32>().ok());
        // Where a guard stays, Postgres is a process of its own.
        let is_this = process.is_some_and(|process| {
            if cfg!(target_os = "linux") { process == self.server.id() } else { is_alive(process) }
        });
        if is_this && lines.nth(6).is_some_and(|status| status.trim() == "ready") {
            return Ok(true);
        }
        if let Some(status) = self.server.try_wait()? {
            bail!("Postgres did not start ({status}):\n{}", last_lines(&log_file(folder)));
        }
        if waited > START {
            bail!("Postgres did not start in {} s:\n{}", START.as_secs(), last_lines(&log_file(folder)));
        }
        Ok(false)
    }

    fn end(&mut self) {
        // Its number may be another process's by now.
        if !matches!(self.server.try_wait(), Ok(None)) {
            return;
        }
        // Where a guard watches, the end of the pipe is the sign; on Linux the guard has become Postgres.
        drop(self.server.stdin.take());
        if cfg!(target_os = "linux") {
            signal(self.server.id(), Signal::SIGINT);
        }
        let start = Instant::now();
        while let Ok(None) = self.server.try_wait() {
            if start.elapsed() > STOP {
                signal(self.server.id(), Signal::SIGQUIT);
                break;
            }
            sleep(POLL);
        }
        self.server.wait().ok();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end();
    }
}

fn log_file(folder: &Folder) -> PathBuf {
    folder.path("postgres.log")
}

/// Starts the server, which is not ready at once.
fn launch(folder: &Folder, binaries: &Binaries) -> anyhow::Result<Child> {
    let data = folder.data();
    end_leftover(&data)?;
    for stale in [".s.PGSQL.5432", ".s.PGSQL.5432.lock"] {
        fs::remove_file(folder.runtime().join(stale)).ok();
    }
    let log_path = log_file(folder);
    let log = File::create(&log_path).with_context(|| format!("opening {}", log_path.display()))?;
    let mut command = guarded(&binaries.postgres(), folder.account())?;
    command.arg("-D").arg(&data);
    for setting in [
        "listen_addresses=".to_owned(),
        format!("unix_socket_directories={}", folder.runtime().display()),
        "unix_socket_permissions=0700".to_owned(),
        "shared_buffers=32MB".to_owned(),
    ] {
        command.arg("-c").arg(setting);
    }
    command.stdout(log.try_clone()?).stderr(log);
    command.spawn().context("starting Postgres")
}

/// Made under another name first: half of a data folder, left by a start that was killed, would be taken for a whole one.
fn make(folder: &Folder, binaries: &Binaries) -> anyhow::Result<()> {
    let data = folder.data();
    remove_unfinished(&data);
    // Not the name of an earlier start, whose initdb may still be clearing up.
    let unfinished = data.with_extension(format!("{UNFINISHED}{}", std::process::id()));
    let mut command = guarded(&binaries.initdb(), folder.account())?;
    command.arg("-D").arg(&unfinished).args(["-U", USER, "-A", "peer", "-E", "UTF8", "--locale=C", "--no-sync"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("running initdb")?;
    // Kept until it is done: its end is a guard's sign to stop.
    let pipe = child.stdin.take();
    let output = child.wait_with_output().context("running initdb")?;
    drop(pipe);
    if !output.status.success() {
        bail!("initdb failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let map = format!("ostiary \"{}\" {USER}\nostiary \"{}\" {USER}\n", Account::ours()?.name, folder.account().name);
    let name = unfinished.file_name().unwrap_or_default();
    for (file, text) in [("pg_hba.conf", "local all all peer map=ostiary\n"), ("pg_ident.conf", &map)] {
        given_file::write(folder.account(), folder.place(), name, file, text)?;
    }
    fs::rename(&unfinished, &data).with_context(|| format!("making {}", data.display()))
}

/// What a killed start left of a data folder is of no use, and does no harm if it stays.
fn remove_unfinished(data: &Path) {
    for entry in data.parent().into_iter().filter_map(|place| place.read_dir().ok()).flatten().flatten() {
        if entry.path().extension().and_then(OsStr::to_str).is_some_and(|ending| ending.starts_with(UNFINISHED)) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// Ends a server that an earlier run left behind, and only that: its data folder must be ours. We hold the lock, so no other
/// `ostiary dev` uses it.
///
/// The lock file of a dead server is left to Postgres, which first makes sure that no backend of it still lives.
pub fn end_leftover(data: &Path) -> anyhow::Result<()> {
    let lock_file = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&lock_file) else { return Ok(()) };
    let Some(process) = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) else { return Ok(()) };
    if !is_alive(process) {
        return Ok(());
    }
    if !serves(process, data) {
        // Another program got the number since.
        return fs::remove_file(&lock_file).context("removing the lock file of a dead Postgres");
    }
    for sign in [Signal::SIGINT, Signal::SIGQUIT] {
        signal(process, sign);
        let start = Instant::now();
        while start.elapsed() < STOP / 2 {
            // A dead process that nobody has waited for still has its number, but no command line.
            if !serves(process, data) {
                return Ok(());
            }
            sleep(POLL);
        }
    }
    bail!("a Postgres of an earlier run (process {process}) does not end\n  mend: end it yourself")
}

fn is_alive(process: u32) -> bool {
    i32::try_from(process).is_ok_and(|process| !matches!(kill(Pid::from_raw(process), None), Err(Errno::ESRCH)))
}

fn signal(process: u32, signal: Signal) {
    if let Ok(process) = i32::try_from(process) {
        kill(Pid::from_raw(process), signal).ok();
    }
}

/// Whether the process is a Postgres on that data folder, by its command line.
fn serves(process: u32, data: &Path) -> bool {
    let line = match fs::read(format!("/proc/{process}/cmdline")) {
        Ok(line) => line,
        Err(_) => match Command::new("ps").args(["-o", "command=", "-p", &process.to_string()]).output() {
            Ok(output) => output.stdout,
            Err(_) => return false,
        },
    };
    let data = data.as_os_str().as_encoded_bytes();
    line.windows(data.len()).any(|window| window == data)
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(10)).map(|line| format!("  {line}\n")).collect()
}
