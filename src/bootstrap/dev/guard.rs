//! The process that becomes Postgres: it gives up privileges and ties its life to ours, then runs the program.
//!
//! `ostiary dev` starts itself again with a hidden command rather than do this between fork and exec, which only unsafe code
//! could. On Linux the kernel signals the program when the thread that started it dies, even by kill -9; elsewhere the guard
//! stays and watches a pipe, which closes when its other end dies.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};

use super::account::Account;

/// The arguments of the hidden command.
#[derive(Clone, Debug, clap::Args)]
pub struct Guard {
    /// The process whose death ends the program.
    #[arg(long)]
    parent: i32,
    /// The user to become.
    #[arg(long, requires = "gid")]
    uid: Option<u32>,
    /// The group to become.
    #[arg(long, requires = "uid")]
    gid: Option<u32>,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// A command that runs `program` behind a guard, as `account`, with an empty environment.
pub fn guarded(program: &Path, account: &Account) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program's own file")?);
    command.arg("dev-guard").arg("--parent").arg(std::process::id().to_string());
    if let Some((uid, gid)) = account.to_become() {
        command.arg("--uid").arg(uid.to_string()).arg("--gid").arg(gid.to_string());
    }
    command.arg("--").arg(program);
    // Variables like PGDATA and PGPORT would point Postgres at another cluster.
    command.env_clear().env("LC_ALL", "C").env("PATH", "/usr/bin:/bin");
    // Our folder may be closed to that account. A group of its own keeps Ctrl-C for us: requests drain first.
    command.current_dir("/").process_group(0).stdin(Stdio::piped());
    Ok(command)
}

/// Runs the program in this process's place.
pub fn run(guard: Guard) -> anyhow::Result<ExitCode> {
    let Some((program, arguments)) = guard.command.split_first() else { bail!("no program") };
    let mut command = Command::new(program);
    command.args(arguments);
    become_account(&guard)?;
    follow(&guard, command)
}

#[cfg(target_os = "linux")]
fn become_account(guard: &Guard) -> anyhow::Result<()> {
    use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

    if let (Some(uid), Some(gid)) = (guard.uid, guard.gid) {
        let gid = Gid::from_raw(gid);
        setgroups(&[gid]).context("giving up groups")?;
        setgid(gid).context("becoming the group")?;
        setuid(Uid::from_raw(uid)).context("becoming the user")?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn become_account(guard: &Guard) -> anyhow::Result<()> {
    if guard.uid.is_some() {
        bail!("Postgres does not run as root: start `ostiary dev` from your own account");
    }
    Ok(())
}

/// The kernel's promise is made after the change of user, which would undo it.
#[cfg(target_os = "linux")]
fn follow(guard: &Guard, mut command: Command) -> anyhow::Result<ExitCode> {
    use nix::sys::prctl::set_pdeathsig;
    use nix::sys::signal::Signal;
    use nix::unistd::getppid;

    // SIGINT is Postgres's fast shutdown: it disconnects clients and leaves nothing to recover.
    set_pdeathsig(Signal::SIGINT).context("PR_SET_PDEATHSIG")?;
    if getppid().as_raw() != guard.parent {
        bail!("the parent died before its child began");
    }
    Err(command.exec()).with_context(|| format!("running {}", command.get_program().display()))
}

#[cfg(not(target_os = "linux"))]
fn follow(_: &Guard, mut command: Command) -> anyhow::Result<ExitCode> {
    use std::io::Read;
    use std::time::Duration;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    let mut child = command.stdin(Stdio::null()).spawn()?;
    let (hung_up, hang_up) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        hung_up.send(()).ok();
    });
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        if hang_up.recv_timeout(Duration::from_millis(20)).is_ok() {
            kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGINT)?;
            child.wait()?;
            return Ok(ExitCode::SUCCESS);
        }
    }
}
