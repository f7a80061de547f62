//! The limits on password attempts, which slow an attacker and cannot lock a person out, and on authorization attempts.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;

/// What is allowed in one window. A network is an IPv4 address or an IPv6 /64, a site an IPv6 /48.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThrottleConfig {
    /// The window in which failed password attempts are counted.
    #[serde(with = "lifetime")]
    pub window: TimeDelta,
    /// From one network, whatever the account.
    pub per_network: u32,
    /// From all networks of one site, whatever the account.
    pub per_site: u32,
    /// From one network at one account.
    pub per_account_and_network: u32,
    /// At one account from everywhere; beyond it each network has fewer attempts there, but never none.
    pub per_account: u32,
    /// At one account from a browser that signed in to it before.
    pub per_device: u32,
    /// Wrong codes of devices from one network.
    pub user_codes_per_network: u32,
    /// From all networks of one site.
    pub user_codes_per_site: u32,
    /// From everywhere; beyond it each network has fewer, but never none.
    pub user_codes: u32,
    /// The window in which beginnings of authorization attempts are counted.
    #[serde(with = "lifetime")]
    pub beginnings_window: TimeDelta,
    /// Begun from one network: only those that need a page count.
    pub beginnings_per_network: u32,
    /// Begun from all networks of one site.
    pub beginnings_per_site: u32,
    /// Request objects fetched for one network in that window (`request_uri`).
    pub request_objects_per_network: u32,
    /// Fetched for all networks of one site.
    pub request_objects_per_site: u32,
    /// Fetched of one client for everybody; beyond it each network has fewer, but never none.
    pub request_objects_per_client: u32,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self {
            window: TimeDelta::minutes(15),
            per_network: 100,
            per_site: 1000,
            per_account_and_network: 10,
            per_account: 50,
            per_device: 10,
            user_codes_per_network: 20,
            user_codes_per_site: 100,
            user_codes: 500,
            beginnings_window: TimeDelta::minutes(10),
            beginnings_per_network: 600,
            beginnings_per_site: 6000,
            request_objects_per_network: 600,
            request_objects_per_site: 6000,
            request_objects_per_client: 6000,
        }
    }
}
