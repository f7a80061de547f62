//! What happens to us when something happens to the server: each test has a server of its own. Without a server binary on
//! the path they have nothing to test and say so.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use chrono::DateTime;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::super::Kind;
use super::*;

const TIMEOUT: Duration = Duration::from_millis(300);

struct Server {
    port: u16,
    flags: Vec<&'static str>,
    process: Child,
}

impl Server {
    fn start(flags: &[&'static str]) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let Some(process) = spawn(port, flags) else {
            eprintln!("skipped: neither valkey-server nor redis-server is installed");
            return None;
        };
        Some(Self { port, flags: flags.to_vec(), process })
    }

    async fn connect(&self) -> ValkeyState {
        let url = SecretString::from(format!("redis://127.0.0.1:{}", self.port));
        ValkeyState::connect(&url, "test", TIMEOUT).await.unwrap()
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn restart(&mut self) {
        self.process = spawn(self.port, &self.flags).unwrap();
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn spawn(port: u16, flags: &[&str]) -> Option<Child> {
    ["valkey-server", "redis-server"].iter().find_map(|program| {
        Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--dir", "/tmp"])
            .args(flags)
            .stdout(Stdio::null())
            .spawn()
            .ok()
    })
}

fn key() -> StateKey {
    StateKey::new(Kind::RateLimit, "n")
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_800_000_000_000_000).unwrap()
}

fn later() -> DateTime<Utc> {
    now() + TimeDelta::seconds(60)
}

/// Every verb fails as an outage, and soon.
async fn assert_unavailable(store: &ValkeyState, within: Duration) {
    let begun = Instant::now();
    let results = tokio::join!(
        async { store.put(&key(), b"1", later(), now()).await },
        async { store.put_if_absent(&key(), b"1", later(), now()).await.map(drop) },
        async { store.get(&key(), now()).await.map(drop) },
        async { store.take(&key(), now()).await.map(drop) },
        async { store.replace_if(&key(), Expected::Present, b"1", later(), now()).await.map(drop) },
        async { store.delete(&key()).await },
        async { store.add(&key(), 1, 0, later(), now()).await.map(drop) },
        async { store.ping().await },
    );
    let took = begun.elapsed();
    let (a, b, c, d, e, f, g, h) = results;
    for (verb, result) in [a, b, c, d, e, f, g, h].into_iter().enumerate() {
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "verb {verb}: {result:?}");
    }
    assert!(took < within, "took {took:?}");
}

async fn assert_back_within(store: &ValkeyState, patience: Duration) {
    let begun = Instant::now();
    while let Err(error) = store.ping().await {
        assert!(begun.elapsed() < patience, "not back after {patience:?}: {}", cause(&error));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The scripts are gone with the old server; that must not show.
    assert_eq!(store.add(&key(), 0, 0, later(), now()).await.unwrap().current, 0);
    assert!(store.put_if_absent(&StateKey::new(Kind::Code, "new"), b"1", later(), now()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_an_outage_and_its_return_needs_nobody() {
    let Some(mut server) = Server::start(&[]) else { return };
    let store = server.connect().await;
    store.check(now()).await.unwrap();
    let before = epoch::find_or_begin(&store, now()).await.unwrap();
    store.add(&key(), 5, 0, later(), now()).await.unwrap();
    for _ in 0..2 {
        server.kill();
        assert_unavailable(&store, TIMEOUT + Duration::from_millis(200)).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_unavailable(&store, Duration::from_millis(50)).await;
        let error = store.check(now()).await.unwrap_err();
        assert!(cause(&error).contains("correct the Valkey URL"), "{}", cause(&error));
        server.restart();
        assert_back_within(&store, Duration::from_secs(5)).await;
    }
    store.check(later()).await.unwrap();
    let after = epoch::find_or_begin(&store, later()).await.unwrap();
    assert_ne!(before.id, after.id);
    assert_eq!(after.began_at, later());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_an_outage_also_under_traffic() {
    let Some(server) = Server::start(&[]) else { return };
    let store = server.connect().await;
    store.ping().await.unwrap();
    server.signal(Signal::SIGSTOP);
    for _ in 0..4 {
        assert_unavailable(&store, TIMEOUT + Duration::from_millis(200)).await;
    }
    // Given up by now: nothing waits any more for a server that does not answer.
    assert_unavailable(&store, Duration::from_millis(50)).await;
    server.signal(Signal::SIGCONT);
    let begun = Instant::now();
    while store.ping().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(5), "not back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_was_lost_is_not_repeated() {
    let Some(server) = Server::start(&[]) else { return };
    let store = server.connect().await;
    store.add(&key(), 0, 0, later(), now()).await.unwrap();
    server.signal(Signal::SIGSTOP);
    assert!(matches!(store.add(&key(), 1, 0, later(), now()).await, Err(StoreError::Unavailable(_))));
    server.signal(Signal::SIGCONT);
    tokio::time::sleep(Duration::from_millis(200)).await;
    // It arrived, and only its answer came too late.
    assert_eq!(store.add(&key(), 0, 0, later(), now()).await.unwrap().current, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_later_than_we_is_found() {
    let Some(mut server) = Server::start(&[]) else { return };
    server.kill();
    let store = server.connect().await;
    assert_unavailable(&store, Duration::from_millis(50)).await;
    server.restart();
    assert_back_within(&store, Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_left_for_the_one_that_does() {
    let Some(server) = Server::start(&["--replicaof", "127.0.0.1 1"]) else { return };
    let store = server.connect().await;
    let connections = async || -> String {
        let statistics: String = store.connection.client().unwrap().info(Some(InfoKind::Stats)).await.unwrap();
        statistics.lines().find(|line| line.starts_with("total_connections_received:")).unwrap().to_owned()
    };
    let before = connections().await;
    for _ in 0..3 {
        assert!(matches!(store.put(&key(), b"1", later(), now()).await, Err(StoreError::Unavailable(_))));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_ne!(connections().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_evicts_is_refused_with_the_mend() {
    let Some(server) = Server::start(&["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"]) else { return };
    let store = server.connect().await;
    let error = store.check(now()).await.unwrap_err();
    assert!(cause(&error).contains("set maxmemory-policy to noeviction"), "{}", cause(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_output_shows_the_password() {
    let Some(server) = Server::start(&["--requirepass", "right"]) else { return };
    let url = |password| SecretString::from(format!("redis://:{password}@127.0.0.1:{}", server.port));
    let store = ValkeyState::connect(&url("right"), "test", TIMEOUT).await.unwrap();
    store.ping().await.unwrap();
    assert!(!format!("{store:?}").contains("right"));
    let refused = ValkeyState::connect(&url("hunter2"), "test", TIMEOUT).await.unwrap();
    let error = refused.check(now()).await.unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"));
    let unusable = ValkeyState::connect(&SecretString::from("redis://:hunter2@:70000"), "test", TIMEOUT).await;
    assert!(!format!("{unusable:?}").contains("hunter2"));
    assert!(unusable.is_err());
}
