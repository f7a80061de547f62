//! One process of the program of an external key: in a group of its own, with limits on all that it says, and gone with its
//! handle together with whatever it started.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::failure::Reason;

/// The longest answer: an RSA signature of 8192 bits is 1366 characters.
const LONGEST_ANSWER: u64 = 16 * 1024;
/// How much of its standard error is kept, from the beginning.
const LONGEST_WORDS: usize = 1024;
/// How long a process that failed is listened to for its reasons.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A process that answers.
pub(super) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    said: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
}

impl Process {
    /// Starts `command` with these variables and no others. Starting takes a while, so it has a thread for that.
    pub(super) async fn start(command: &[String], variables: &[(String, OsString)]) -> Result<Self, Reason> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| Reason::NotStarted("no program is named".to_owned()))?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(variables.iter().cloned()).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Its own group, so that what it starts ends with it.
        command.process_group(0).kill_on_drop(true);
        let started = tokio::task::spawn_blocking(move || command.spawn()).await;
        let not_started = |error: &dyn std::fmt::Display| Reason::NotStarted(error.to_string());
        let mut child = started.map_err(|error| not_started(&error))?.map_err(|error| not_started(&error))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Reason::NotStarted("it has no standard streams".to_owned()));
        };
        let said = Arc::default();
        let listening = tokio::spawn(listen(stderr, Arc::clone(&said)));
        Ok(Self { child, stdin: Some(stdin), stdout: BufReader::new(stdout), said, listening })
    }

    /// Asks the one question that this process is for, and waits for its end.
    pub(super) async fn ask_once(&mut self, request: &[u8]) -> Result<Vec<u8>, Reason> {
        if let Some(mut stdin) = self.stdin.take() {
            // One that answers without reading is judged by its answer.
            stdin.write_all(request).await.ok();
        }
        let mut answer = Vec::new();
        let read = (&mut self.stdout).take(LONGEST_ANSWER + 1).read_to_end(&mut answer).await;
        read.map_err(|error| Reason::Ended(error.to_string()))?;
        if is_too_long(&answer) {
            return Err(Reason::TooLong);
        }
        let status = self.wait().await.map_err(|error| Reason::Ended(error.to_string()))?;
        if status.success() { Ok(answer) } else { Err(Reason::Ended(status.to_string())) }
    }

    /// Asks one question of many, each answered by one line.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, Reason> {
        let stdin = self.stdin.as_mut().ok_or(Reason::NotAnAnswer)?;
        let closed = |error: std::io::Error| Reason::Ended(error.to_string());
        stdin.write_all(request).await.map_err(closed)?;
        stdin.flush().await.map_err(closed)?;
        let mut answer = Vec::new();
        (&mut self.stdout).take(LONGEST_ANSWER + 1).read_until(b'\n', &mut answer).await.map_err(closed)?;
        if is_too_long(&answer) {
            return Err(Reason::TooLong);
        }
        if answer.last() != Some(&b'\n') {
            return Err(Reason::Ended("it closed its output".to_owned()));
        }
        // A second line would be taken for the answer to the next question.
        if self.stdout.buffer().is_empty() { Ok(answer) } else { Err(Reason::NotAnAnswer) }
    }

    /// Whether it still runs, as far as can be told.
    pub(super) fn is_running(&self) -> bool {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        self.pid().is_some_and(|pid| waitid(Id::Pid(pid), look) == Ok(WaitStatus::StillAlive))
    }

    /// Waits for its end, and ends what it started before its number is given back: afterwards nobody could be told apart.
    async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        // Asked for before the look, so that an end right after it is heard of.
        let mut ends = signal(SignalKind::child())?;
        while self.is_running() {
            ends.recv().await;
        }
        // One that ran as another account cannot be told from what it left behind.
        self.kill_group().ok();
        self.child.wait().await
    }

    /// Ends it with all that it started, and tells what it said on its standard error.
    pub(super) async fn end(mut self) -> String {
        self.kill_group_or_say();
        // It may hang in the system, and whoever left the group may hold the stream open.
        let ended = async {
            self.child.wait().await.ok();
            (&mut self.listening).await.ok();
        };
        timeout(LAST_WORDS, ended).await.ok();
        let said = self.said.lock().map(|said| said.clone()).unwrap_or_default();
        String::from_utf8_lossy(&said).trim().to_owned()
    }

    fn kill_group_or_say(&self) {
        if let Err(error) = self.kill_group()
            && self.is_running()
        {
            tracing::warn!(
                error = error.desc(),
                "a signing program could not be ended; mend: if it runs as another account, let `timeout -k` end it there"
            );
        }
    }

    /// Once its number was given back it may be another's: then nothing is done.
    fn kill_group(&self) -> nix::Result<()> {
        self.pid().map_or(Ok(()), |group| killpg(group, Signal::SIGKILL))
    }

    /// Its number, until its end was taken note of.
    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill_group().ok();
        self.listening.abort();
    }
}

fn is_too_long(answer: &[u8]) -> bool {
    u64::try_from(answer.len()).is_ok_and(|length| length > LONGEST_ANSWER)
}

/// Keeps the beginning, and reads on so that the process is never held up by a full pipe.
async fn listen(mut stderr: ChildStderr, said: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 512];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        if let Ok(mut said) = said.lock() {
            let room = LONGEST_WORDS.saturating_sub(said.len()).min(count);
            said.extend(buffer.iter().take(room));
        }
    }
}
