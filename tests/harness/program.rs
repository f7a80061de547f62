//! The real programs, run as an operator runs them: in a folder, with settings and an environment, ended by signals.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::deadline::{eventually, until};

pub const OSTIARY: &str = env!("CARGO_BIN_EXE_ostiary");
pub const MIGRATE: &str = env!("CARGO_BIN_EXE_ostiary-migrate");
pub const KEYCTL: &str = env!("CARGO_BIN_EXE_ostiary-keyctl");

/// What migrates the databases of the suite. `scripts/compatibility` names the program of a later version.
pub fn migrate() -> String {
    std::env::var("OSTIARY_TEST_MIGRATE").unwrap_or_else(|_| MIGRATE.to_owned())
}

/// The folder that programs are run in.
pub struct Workplace {
    folder: TempDir,
    next: AtomicU32,
}

impl Workplace {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), next: AtomicU32::new(0) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("the file is written");
        path
    }

    /// Starts a program with that environment and no other.
    pub fn start(&self, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Program {
        let output = self.path(&format!("output-{}", self.next.fetch_add(1, Ordering::Relaxed)));
        let (stdout, stderr) = (output.with_extension("stdout"), output.with_extension("stderr"));
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_clear().envs(environment.iter().copied());
        for kept in ["PATH", "HOME", "OSTIARY_POSTGRES_BIN"] {
            let is_given = environment.iter().any(|(name, _)| *name == kept);
            if let Some(value) = std::env::var_os(kept).filter(|_| !is_given) {
                command.env(kept, value);
            }
        }
        command.stdout(File::create(&stdout).expect("a file")).stderr(File::create(&stderr).expect("a file"));
        Program { child: command.spawn().expect("the program starts"), stdout, stderr }
    }

    /// Runs a program to its end.
    pub async fn run(&self, program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        self.start(program, arguments, environment).ended().await
    }
}

/// A running program; it is killed with its handle.
pub struct Program {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; absent if a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    pub fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(process, signal).expect("the signal is sent");
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its status").is_some()
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Ended {
        let status =
            eventually("the program ends", || std::future::ready(self.child.try_wait().expect("its status"))).await;
        Ended { code: status.code(), signal: status.signal(), stdout: self.stdout(), stderr: self.stderr() }
    }

    /// Waits until it said that on its standard output; it must not end before.
    pub async fn says(&mut self, text: &str) {
        until(&format!("{text:?} is printed"), || {
            let (is_said, has_ended) = (self.stdout().contains(text), self.has_ended());
            assert!(is_said || !has_ended, "the program ended: {} {}", self.stdout(), self.stderr());
            is_said
        })
        .await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("what it said")
}
