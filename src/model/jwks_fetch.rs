//! Who fetched the key set, as far as that can be known.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::id::ClientId;

/// Somebody who fetches the key set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fetcher {
    /// A client that names itself in the address. Nobody proves it.
    Client(ClientId),
    /// Anybody else.
    Unnamed {
        /// The network that the request came from, cut to a /24 or a /48.
        network: String,
        /// The product at the beginning of the `User-Agent`.
        agent: String,
    },
}

/// A client that people use, and when it last had the key set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientFetch {
    /// The client.
    pub client_id: ClientId,
    /// When it last got tokens of a person.
    pub last_token_at: DateTime<Utc>,
    /// When it last fetched the key set under its name; absent: not within the time that this is remembered.
    pub fetched_at: Option<DateTime<Utc>>,
}

/// Somebody without a name, and when he last had the key set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnnamedFetch {
    /// Part of the network.
    pub network: String,
    /// The program.
    pub agent: String,
    /// When.
    pub fetched_at: DateTime<Utc>,
}

/// Who has the key set, and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JwksAudience {
    /// The clients that got tokens lately.
    pub clients: Vec<ClientFetch>,
    /// Everybody else who fetched it, whoever waits longest first.
    pub others: Vec<UnnamedFetch>,
}
