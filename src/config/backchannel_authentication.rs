//! Backchannel authentication (OpenID Connect CIBA).

use chrono::TimeDelta;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;
use super::secret;

/// How clients ask people who are elsewhere, and how those hear of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackchannelAuthenticationConfig {
    /// How long a request waits for its person, unless the client asks for another time.
    #[serde(with = "lifetime")]
    pub lifetime: TimeDelta,
    /// The longest time that a client may ask for.
    #[serde(with = "lifetime")]
    pub longest_lifetime: TimeDelta,
    /// How long a client waits between two questions.
    #[serde(with = "lifetime")]
    pub interval: TimeDelta,
    /// The requests that one client may send to one person in `throttle.window`.
    pub requests_per_person: u32,
    /// The hints at nobody that one client may send in `throttle.window`: more would tell it who has an account.
    pub unknown_hints_per_client: u32,
    /// Where each request is announced, such as to the operator's own push service. Absent: people look at the page.
    pub announce_uri: Option<String>,
    /// What the announcement is authorized with, as a bearer token.
    #[serde(with = "secret::optional")]
    pub announce_token: Option<SecretString>,
}

impl Default for BackchannelAuthenticationConfig {
    fn default() -> Self {
        Self {
            lifetime: TimeDelta::minutes(5),
            longest_lifetime: TimeDelta::minutes(15),
            interval: TimeDelta::seconds(5),
            requests_per_person: 20,
            unknown_hints_per_client: 100,
            announce_uri: None,
            announce_token: None,
        }
    }
}
