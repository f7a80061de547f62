//! Lifetimes of tokens; a client may have its own.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;
use crate::model::lifetimes::Lifetimes;

/// How long what is issued lives.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokensConfig {
    /// An access token.
    #[serde(with = "lifetime")]
    pub access_token: TimeDelta,
    /// An ID token.
    #[serde(with = "lifetime")]
    pub id_token: TimeDelta,
    /// An authorization code; 60 seconds at most.
    #[serde(with = "lifetime")]
    pub authorization_code: TimeDelta,
    /// A refresh token that is not used.
    #[serde(with = "lifetime")]
    pub refresh_idle: TimeDelta,
    /// Refresh tokens of one sign-in, however much they are used.
    #[serde(with = "lifetime")]
    pub refresh_absolute: TimeDelta,
    /// How long after a rotation the token before it still gets the same successor; 0 turns that off.
    #[serde(with = "lifetime")]
    pub refresh_grace: TimeDelta,
}

impl Default for TokensConfig {
    fn default() -> Self {
        Self {
            access_token: TimeDelta::minutes(10),
            id_token: TimeDelta::hours(1),
            authorization_code: TimeDelta::seconds(60),
            refresh_idle: TimeDelta::days(30),
            refresh_absolute: TimeDelta::days(90),
            refresh_grace: TimeDelta::seconds(10),
        }
    }
}

impl TokensConfig {
    /// The server's lifetimes, over which a client's own are put.
    pub fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            access_token: self.access_token,
            id_token: self.id_token,
            authorization_code: self.authorization_code,
            refresh_idle: self.refresh_idle,
            refresh_absolute: self.refresh_absolute,
            refresh_grace: self.refresh_grace,
        }
    }
}
