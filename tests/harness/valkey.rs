//! A Valkey (or Redis) of a test's own, to be killed.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
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

    /// Begins to count what it is asked.
    pub async fn counter(&self) -> Counter {
        let mut watch = self.connection().await;
        watch.write_all(b"MONITOR\r\n").await.expect("a question");
        let mut watch = BufReader::new(watch).lines();
        assert_eq!(watch.next_line().await.expect("an answer").as_deref(), Some("+OK"));
        Counter { watch, mark: self.connection().await, marks: 0 }
    }

    async fn connection(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.expect("a connection")
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

/// Counts the commands that a server gets; what a script does inside it belongs to the command that runs it.
pub struct Counter {
    watch: Lines<BufReader<TcpStream>>,
    mark: TcpStream,
    marks: usize,
}

impl Counter {
    /// How many there were since the last time.
    pub async fn commands(&mut self) -> usize {
        self.marks += 1;
        let mark = format!("mark-{}", self.marks);
        self.mark.write_all(format!("ECHO {mark}\r\n").as_bytes()).await.expect("a mark");
        let mut count = 0;
        loop {
            let line = self.watch.next_line().await.expect("a line").expect("Valkey runs");
            if line.contains(&mark) {
                return count;
            }
            // `+1700000000.000000 [0 127.0.0.1:50000] "EVALSHA" ..`; a script's own commands come from `lua`.
            if !line.contains(" lua] ") {
                count += 1;
            }
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
