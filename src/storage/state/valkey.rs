//! State in Valkey, or any server of the same protocol from Redis 7.0 on: shared by every instance, kept over a restart.
//!
//! - A value is stored as `<expires_at in microseconds>:<bytes>`. The stamp decides with the caller's `now`; the server's
//!   own time to live comes later and only collects rubbish.
//! - Each verb is one command or one script, tried once: a write whose answer was lost is reported as unknown
//!   ([`StoreError::Unavailable`]) and never repeated behind the caller's back.
//! - While the server is away every verb fails at once, and the connection is made again in the background. A server that
//!   takes commands and answers none is left after a few of them.

mod connection;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use fred::error::Error;
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::{Expiration, InfoKind, Value};
use secrecy::SecretString;

use self::connection::{Connection, Script};
use super::{Expected, StateKey, StateStore, Tally, epoch};
use crate::storage::StoreError;

/// How long after its expiry the server may still hold a value: clocks differ between instances, and one that is behind
/// must still find what is alive for it.
const KEEP: TimeDelta = TimeDelta::seconds(60);

/// Writes `ARGV[2]` unless what is there is alive at `ARGV[1]`.
const PUT_IF_ABSENT: &str = "
local held = redis.call('GET', KEYS[1])
if held and tonumber(string.match(held, '^(%-?%d+):')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Writes `ARGV[2]` if what is there is alive at `ARGV[1]` and, when there is an `ARGV[4]`, equal to it.
const REPLACE_IF: &str = "
local held = redis.call('GET', KEYS[1])
if not held then return 0 end
local stamp, value = string.match(held, '^(%-?%d+):(.*)$')
if tonumber(stamp) <= tonumber(ARGV[1]) or (ARGV[4] and ARGV[4] ~= value) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Adds `ARGV[2]` to the counter in period `ARGV[3]`. The period begins at 0, and the counter then ends at `ARGV[4]`, unless
/// one of that period or a later one is alive at `ARGV[1]`. Nil: not a counter.
const ADD: &str = "
local n, period = tonumber(ARGV[2]), tonumber(ARGV[3])
local function begin(previous)
  redis.call('SET', KEYS[1], string.format('%s:%s %s %.0f', ARGV[4], ARGV[3], ARGV[2], previous), 'PX', ARGV[5])
  return {n, previous}
end
local held = redis.call('GET', KEYS[1])
local stamp, value
if held then stamp, value = string.match(held, '^(%-?%d+):(.*)$') end
if not held or tonumber(stamp) <= tonumber(ARGV[1]) then return begin(0) end
local last, current, previous = string.match(value, '^(%-?%d+) (%-?%d+) (%-?%d+)$')
if not last then return false end
last, current, previous = tonumber(last), tonumber(current), tonumber(previous)
if last < period then return begin(last + 1 == period and current or 0) end
local tally
if last == period then
  current = current + n
  tally = {current, previous}
else
  previous = previous + n
  tally = {previous, 0}
end
redis.call('SET', KEYS[1], string.format('%s:%.0f %.0f %.0f', stamp, last, current, previous), 'KEEPTTL')
return tally";

/// The seven verbs over a Valkey connection.
#[derive(Debug)]
pub struct ValkeyState {
    connection: Connection,
    prefix: String,
    put_if_absent: Script,
    replace_if: Script,
    add: Script,
}

impl ValkeyState {
    /// Connects. If the server is away, that is no error here: every verb says so until it is back, and
    /// [`check`](Self::check) at the start says what to do. `timeout` bounds each verb.
    pub async fn connect(url: &SecretString, prefix: &str, timeout: Duration) -> Result<Self, StoreError> {
        let connection = Connection::open(url, timeout).await?;
        Ok(Self {
            connection,
            prefix: prefix.to_owned(),
            put_if_absent: Script::new(PUT_IF_ABSENT),
            replace_if: Script::new(REPLACE_IF),
            add: Script::new(ADD),
        })
    }

    /// Whether the server can be relied on: it answers, it does not evict, and it carries an epoch (begun now if it has
    /// none). The error names the mend.
    pub async fn check(&self, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.ping().await.map_err(|error| {
            StoreError::unavailable(format!(
                "Valkey does not answer ({}): start it, or correct the Valkey URL",
                cause(&error)
            ))
        })?;
        let memory: String = self.connection.reply(self.connection.client()?.info(Some(InfoKind::Memory)).await)?;
        let policy = memory.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).unwrap_or("unknown").trim();
        if policy != "noeviction" {
            return Err(StoreError::unavailable(format!(
                "Valkey may throw values away before they expire (maxmemory-policy is {policy}), and with them proof that \
                 a one-time value was used: set maxmemory-policy to noeviction in its configuration"
            )));
        }
        epoch::find_or_begin(self, now).await.map(drop)
    }

    fn name(&self, key: &StateKey) -> String {
        format!("{}:{}", self.prefix, key.as_str())
    }
}

/// The innermost cause of an error, for a message that a person at a terminal reads.
fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[async_trait]
impl StateStore for ValkeyState {
    async fn put(
        &self,
        key: &StateKey,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let expiration = Expiration::PX(time_to_live(expires_at, now));
        let client = self.connection.client()?;
        let name = self.name(key);
        self.connection.reply(client.set(name, stamped(expires_at, value), Some(expiration), None, false).await)
    }

    async fn put_if_absent(
        &self,
        key: &StateKey,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let arguments = vec![micros(now), stamped(expires_at, value), decimal(time_to_live(expires_at, now))];
        self.connection.run(&self.put_if_absent, self.name(key), arguments).await
    }

    async fn get(&self, key: &StateKey, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        let held = self.connection.client()?.get(self.name(key)).await;
        alive(self.connection.reply(held)?, now)
    }

    async fn take(&self, key: &StateKey, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
        let held = self.connection.client()?.getdel(self.name(key)).await;
        alive(self.connection.reply(held)?, now)
    }

    async fn replace_if(
        &self,
        key: &StateKey,
        expected: Expected<'_>,
        value: &[u8],
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut arguments = vec![micros(now), stamped(expires_at, value), decimal(time_to_live(expires_at, now))];
        if let Expected::Equals(bytes) = expected {
            arguments.push(bytes.into());
        }
        self.connection.run(&self.replace_if, self.name(key), arguments).await
    }

    async fn delete(&self, key: &StateKey) -> Result<(), StoreError> {
        let deleted: Result<i64, Error> = self.connection.client()?.del(self.name(key)).await;
        self.connection.reply(deleted).map(drop)
    }

    async fn add(
        &self,
        key: &StateKey,
        n: i64,
        period: i64,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Tally, StoreError> {
        let time_to_live = decimal(time_to_live(expires_at, now));
        let arguments = vec![micros(now), decimal(n), decimal(period), micros(expires_at), time_to_live];
        let sums: Option<(i64, i64)> = self.connection.run(&self.add, self.name(key), arguments).await?;
        let (current, previous) = sums.ok_or_else(|| StoreError::corrupt("not a counter"))?;
        Ok(Tally { current, previous })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let pong: Result<String, Error> = self.connection.client()?.ping(None).await;
        self.connection.reply(pong).map(drop)
    }
}

fn time_to_live(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
    ((expires_at - now).max(TimeDelta::zero()) + KEEP).num_milliseconds()
}

fn decimal(n: i64) -> Value {
    Value::String(n.to_string().into())
}

fn micros(time: DateTime<Utc>) -> Value {
    decimal(time.timestamp_micros())
}

fn stamped(expires_at: DateTime<Utc>, value: &[u8]) -> Value {
    Value::Bytes([expires_at.timestamp_micros().to_string().as_bytes(), b":", value].concat().into())
}

fn alive(held: Option<Vec<u8>>, now: DateTime<Utc>) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(mut held) = held else { return Ok(None) };
    let unstamped = || StoreError::corrupt("a value without its expiry");
    let colon = held.iter().position(|byte| *byte == b':').ok_or_else(unstamped)?;
    let value = held.split_off(colon.saturating_add(1));
    let stamp = held.get(..colon).and_then(|stamp| std::str::from_utf8(stamp).ok());
    let expires_at: i64 = stamp.and_then(|stamp| stamp.parse().ok()).ok_or_else(unstamped)?;
    Ok((expires_at > now.timestamp_micros()).then_some(value))
}
