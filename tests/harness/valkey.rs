//! A Valkey (or Redis) of a test's own, to be killed.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::deadline::eventually;
use super::port::free_port;

/// A server that keeps nothing over its own end; it ends with its handle.
pub struct Valkey {
    port: u16,
    folder: TempDir,
    server: Option<Child>,
}

impl Valkey {
    pub async fn start() -> Self {
        loop {
            let folder = tempfile::tempdir().expect("a folder");
            let mut valkey = Self { port: free_port(), folder, server: None };
            if valkey.begin().await {
                return valkey;
            }
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// A connection to ask it about itself.
    pub async fn connect(&self) -> Questions {
        Questions { stream: TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection") }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut server = self.server.take().expect("Valkey runs");
        server.kill().expect("it is killed");
        server.wait().expect("it ends");
    }

    /// Freezes it: connections stay open, nothing is answered, and nothing is lost.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let server = self.server.as_ref().expect("Valkey runs");
        let process = Pid::from_raw(i32::try_from(server.id()).expect("a process id"));
        nix::sys::signal::kill(process, signal).expect("the signal is sent");
    }

    /// Starts it on the same port, with nothing in it.
    pub async fn start_again(&mut self) {
        assert!(self.begin().await, "the port is still free");
    }

    /// Whether it came to answer: somebody else may have taken the port.
    async fn begin(&mut self) -> bool {
        let port = self.port.to_string();
        let mut command = Command::new(program());
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--maxmemory-policy", "noeviction", "--dir"]).arg(self.folder.path());
        let mut server = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("the server runs");
        let has_begun = eventually("Valkey starts", || {
            let is_gone = server.try_wait().expect("its status").is_some();
            let port = self.port;
            async move {
                if is_gone {
                    return Some(false);
                }
                answers(port).await.then_some(true)
            }
        })
        .await;
        self.server = has_begun.then_some(server);
        has_begun
    }
}

/// What a test asks a server itself.
pub struct Questions {
    stream: TcpStream,
}

impl Questions {
    /// How often it read something, this question included: mostly once for each time that it was waited for.
    pub async fn reads(&mut self) -> u64 {
        self.stream.write_all(b"*2\r\n$4\r\nINFO\r\n$5\r\nstats\r\n").await.expect("a question");
        let mut answer = Vec::new();
        loop {
            assert_ne!(self.stream.read_buf(&mut answer).await.expect("an answer"), 0, "the server answers");
            let text = String::from_utf8_lossy(&answer);
            let Some((length, text)) = text.strip_prefix('$').and_then(|text| text.split_once("\r\n")) else {
                continue;
            };
            if text.len() < length.parse::<usize>().expect("a length") + 2 {
                continue;
            }
            let counted = text.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
            return counted.expect("a counter").parse().expect("a number");
        }
    }
}

impl Drop for Valkey {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().ok();
            server.wait().ok();
        }
    }
}

async fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let mut answer = [0; 7];
    stream.write_all(b"PING\r\n").await.is_ok()
        && stream.read_exact(&mut answer).await.is_ok()
        && &answer == b"+PONG\r\n"
}

fn program() -> &'static str {
    let on_path = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
    };
    ["valkey-server", "redis-server"].into_iter().find(|name| on_path(name)).expect("valkey-server or redis-server")
}
