//! One connection to Valkey that fails fast and mends itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface, LuaInterface};
use fred::types::config::{Config, ReconnectPolicy};
use fred::types::{Builder, FromValue, RespVersion, Value};
use secrecy::{ExposeSecret, SecretString};
use tokio::task::AbortHandle;

use crate::storage::StoreError;

/// After how many commands in a row that were not served the connection is made anew: a peer that vanished without a word
/// (a failover, a firewall) would otherwise hold it until TCP gives up, a quarter of an hour later.
const UNSERVED: u32 = 3;

/// The least time for a TCP and TLS handshake; commands do not wait for it.
const HANDSHAKE: Duration = Duration::from_secs(2);

pub(super) struct Connection {
    client: Client,
    unserved: Arc<AtomicU32>,
    tasks: [AbortHandle; 2],
}

/// A script and the hash that the server knows it by.
#[derive(Debug)]
pub(super) struct Script {
    lua: &'static str,
    hash: String,
}

impl Script {
    pub(super) fn new(lua: &'static str) -> Self {
        Self { lua, hash: fred::util::sha1_hash(lua) }
    }
}

impl Connection {
    /// Opens it, waiting for the first handshake but not for a server that is away.
    pub(super) async fn open(url: &SecretString, timeout: Duration) -> Result<Self, StoreError> {
        let handshake = timeout.max(HANDSHAKE);
        let mut config = Config::from_url(url.expose_secret()).map_err(StoreError::unavailable)?;
        config.version = RespVersion::RESP3;
        config.fail_fast = false;
        let mut builder = Builder::from_config(config);
        builder.with_performance_config(|performance| performance.default_command_timeout = timeout);
        builder.with_connection_config(|connection| {
            connection.connection_timeout = handshake;
            connection.internal_command_timeout = handshake;
            connection.max_command_attempts = 1;
            connection.tcp.nodelay = Some(true);
        });
        builder.set_policy(ReconnectPolicy::new_exponential(0, 20, 1000, 2));
        let client = builder.build().map_err(StoreError::unavailable)?;

        let log = tokio::spawn(log_outages(client.clone())).abort_handle();
        // In this order: what is not listened for when it happens is missed.
        let (_, run) = tokio::join!(
            biased;
            tokio::time::timeout(handshake, client.wait_for_connect()),
            async { client.connect().abort_handle() },
        );
        Ok(Self { client, unserved: Arc::default(), tasks: [log, run] })
    }

    /// The client, if it is connected: a command sent while it is not would wait for the server in a queue.
    pub(super) fn client(&self) -> Result<&Client, StoreError> {
        if self.client.is_connected() {
            Ok(&self.client)
        } else {
            Err(StoreError::unavailable("there is no connection to Valkey"))
        }
    }

    /// Runs a script on one key. Only a server that does not know the script, and so did nothing, is sent it again.
    pub(super) async fn run<T: FromValue>(
        &self,
        script: &Script,
        key: String,
        arguments: Vec<Value>,
    ) -> Result<T, StoreError> {
        let client = self.client()?;
        let mut reply = client.evalsha(script.hash.as_str(), key.as_str(), arguments.clone()).await;
        if reply.as_ref().is_err_and(|error: &Error| error.details().starts_with("NOSCRIPT")) {
            reply = client.eval(script.lua, key.as_str(), arguments).await;
        }
        self.reply(reply)
    }

    /// Reads a reply, and gives up a connection that no longer brings any.
    pub(super) fn reply<T>(&self, reply: Result<T, Error>) -> Result<T, StoreError> {
        match reply {
            Ok(value) => {
                self.unserved.store(0, Ordering::Relaxed);
                Ok(value)
            }
            Err(error) => {
                // A primary that was demoted goes on answering, but takes no writes any more.
                if *error.kind() == ErrorKind::Timeout || error.details().starts_with("READONLY") {
                    self.note_unserved();
                }
                Err(match error.kind() {
                    ErrorKind::Parse => StoreError::corrupt(error),
                    _ => StoreError::unavailable(error),
                })
            }
        }
    }

    fn note_unserved(&self) {
        // Once per silence: the count goes on rising until an answer sets it back.
        if self.unserved.fetch_add(1, Ordering::Relaxed).saturating_add(1) == UNSERVED {
            let client = self.client.clone();
            let unserved = Arc::clone(&self.unserved);
            tokio::spawn(async move {
                if let Err(error) = client.force_reconnection().await {
                    tracing::warn!(%error, "the connection to Valkey could not be made again");
                }
                unserved.store(0, Ordering::Relaxed);
            });
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The client's own output would show the password.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("is_connected", &self.client.is_connected()).finish_non_exhaustive()
    }
}

/// Says once that the server went away, and once that it is back, however many requests notice.
async fn log_outages(client: Client) {
    let (mut errors, mut connections) = (client.error_rx(), client.reconnect_rx());
    let mut is_away = false;
    loop {
        tokio::select! {
            Ok((error, _)) = errors.recv() => if !std::mem::replace(&mut is_away, true) {
                tracing::warn!(%error, "Valkey is unreachable: what needs it is refused until it is back");
            },
            Ok(_) = connections.recv() => if std::mem::replace(&mut is_away, false) {
                tracing::info!("Valkey is reachable again");
            },
            else => return,
        }
    }
}
