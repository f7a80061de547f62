//! How long what is issued lives: the server's lifetimes, and those that a client has of its own.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::Client;

/// How far another machine's clock may differ from ours when we judge a time that it wrote.
///
/// The one place where the tolerance is stated: tokens begin this much before they are issued (`nbf`), and times written
/// by others are accepted this far in the future. FAPI 2.0 section 5.3.2.1 wants 10 s accepted and more than 60 s refused.
pub const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(30);

/// How old a proof of possession may be (RFC 9449 section 11.1: seconds, or a few minutes). It is remembered for as long; of the
/// future it may be by [`CLOCK_TOLERANCE`].
pub const PROOF_LIFETIME: TimeDelta = TimeDelta::seconds(60);

/// Lifetimes of one client, in seconds; absent ones are the server's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientLifetimes {
    /// Of an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<u32>,
    /// Of an ID token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<u32>,
    /// Of an authorization code; never over 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_code: Option<u32>,
    /// Of a refresh token that is not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_idle: Option<u32>,
    /// Of a family, however much it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_absolute: Option<u32>,
    /// How long after a rotation the token before it still gets the same successor; 0 allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_grace: Option<u32>,
}

/// The server's lifetimes, with a client's own put over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of an access token.
    pub access_token: TimeDelta,
    /// Of an ID token.
    pub id_token: TimeDelta,
    /// Of an authorization code.
    pub authorization_code: TimeDelta,
    /// Of a refresh token that is not used.
    pub refresh_idle: TimeDelta,
    /// Of a family, however much it is used.
    pub refresh_absolute: TimeDelta,
    /// How long the token before the last rotation still gets the same successor.
    pub refresh_grace: TimeDelta,
}

impl Lifetimes {
    /// The longest life of a code: the certification suite tries one after 62 seconds.
    pub const LONGEST_CODE: TimeDelta = TimeDelta::seconds(60);

    /// These lifetimes with the client's own put over them.
    pub fn of(self, client: &Client) -> Self {
        let own = client.settings.lifetimes;
        let seconds = |own: Option<u32>, server: TimeDelta| own.map_or(server, |s| TimeDelta::seconds(s.into()));
        Self {
            access_token: seconds(own.access_token, self.access_token),
            id_token: seconds(own.id_token, self.id_token),
            authorization_code: seconds(own.authorization_code, self.authorization_code).min(Self::LONGEST_CODE),
            refresh_idle: seconds(own.refresh_idle, self.refresh_idle),
            refresh_absolute: seconds(own.refresh_absolute, self.refresh_absolute),
            refresh_grace: seconds(own.refresh_grace, self.refresh_grace),
        }
    }
}
