//! Clients that are named by an address at which they describe themselves (draft-ietf-oauth-client-id-metadata-document).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::duration::lifetime;

/// What such clients may be, and how often their documents are fetched.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientDocumentsConfig {
    /// Whether there are such clients at all.
    pub enabled: bool,
    /// The hosts whose documents are taken; `*.example.com` stands for everything below `example.com`. Empty: every host.
    pub allowed_hosts: Vec<String>,
    /// The scopes that they may have, and have unless they ask for fewer. Never those of the admin API.
    pub scopes: Vec<String>,
    /// The window in which fetches are counted.
    #[serde(with = "lifetime")]
    pub window: TimeDelta,
    /// For one network.
    pub fetches_per_network: u32,
    /// For all networks of one site.
    pub fetches_per_site: u32,
}

impl ClientDocumentsConfig {
    /// Whether documents of that host are taken.
    pub fn allows_host(&self, host: &str) -> bool {
        let is_meant = |pattern: &String| match pattern.strip_prefix('*') {
            Some(parent) => host.len() > parent.len() && host.ends_with(parent),
            None => host == pattern,
        };
        self.allowed_hosts.is_empty() || self.allowed_hosts.iter().any(is_meant)
    }
}

impl Default for ClientDocumentsConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            allowed_hosts: Vec::new(),
            scopes: ["openid", "profile", "email", "address", "phone", "offline_access"].map(String::from).into(),
            window: TimeDelta::minutes(10),
            fetches_per_network: 30,
            fetches_per_site: 300,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_for_what_is_below_and_not_for_what_only_ends_alike() {
        let allows = |patterns: &[&str], host: &str| {
            let allowed_hosts = patterns.iter().map(ToString::to_string).collect();
            ClientDocumentsConfig { allowed_hosts, ..ClientDocumentsConfig::default() }.allows_host(host)
        };
        assert!(allows(&[], "anything.example"));
        let patterns = ["agent.example", "*.tools.example"];
        for host in ["agent.example", "a.tools.example", "b.a.tools.example"] {
            assert!(allows(&patterns, host), "{host}");
        }
        for host in
            ["tools.example", ".tools.example", "atools.example", "x.agent.example", "agent.example.evil.example"]
        {
            assert!(!allows(&patterns, host), "{host}");
        }
    }
}
