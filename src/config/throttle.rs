//! The limits on password attempts: they slow an attacker and cannot lock a person out.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;

/// Failed attempts allowed in one window. A network is an IPv4 address or an IPv6 /64.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleConfig {
    /// The length of a window.
    #[serde(with = "lifetime")]
    pub window: TimeDelta,
    /// From one network, whatever the account.
    pub per_network: u32,
    /// From one network at one account.
    pub per_account_and_network: u32,
    /// At one account from everywhere; beyond it each network has fewer attempts there, but never none.
    pub per_account: u32,
    /// At one account from a browser that signed in to it before.
    pub per_device: u32,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self {
            window: TimeDelta::minutes(15),
            per_network: 100,
            per_account_and_network: 10,
            per_account: 50,
            per_device: 10,
        }
    }
}
