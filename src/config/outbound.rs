//! Outbound HTTP: https to public addresses only, unless an exception names the peer.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Url;

/// What outbound requests may do beyond the rule.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundConfig {
    /// A PEM file of further certificate authorities that are believed, and of servers' own certificates, which are believed for
    /// their names and for nothing that is signed with their keys.
    pub extra_ca_file: Option<PathBuf>,
    /// Peers inside one's own network.
    pub allow: Vec<OutboundException>,
}

impl OutboundConfig {
    /// Whether what is at `url` may be called without TLS for that purpose.
    pub fn allows_http(&self, purpose: OutboundPurpose, url: &Url) -> bool {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return false };
        self.allow.iter().any(|exception| {
            exception.allow_http
                && exception.purpose == purpose
                && exception.port == port
                && exception.is_for_host(host)
        })
    }
}

/// One peer that may be reached although its address is not public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboundException {
    /// What it may be reached for.
    pub purpose: OutboundPurpose,
    /// Its name or address, as the URL writes it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The network in which its addresses must lie.
    pub network: IpNet,
    /// Whether plain http will do: loopback in development.
    #[serde(default)]
    pub allow_http: bool,
}

impl OutboundException {
    /// Whether it is for that host, as a URL or a certificate writes it: in any case, an IPv6 address with its brackets or without.
    pub fn is_for_host(&self, host: &str) -> bool {
        let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let (meant, host) = (bare(&self.host), bare(host));
        match (meant.parse::<IpAddr>(), host.parse::<IpAddr>()) {
            (Ok(meant), Ok(host)) => meant == host,
            _ => meant == host,
        }
    }
}

/// Why an outbound request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboundPurpose {
    /// A logout token to a client (OpenID Connect Back-Channel Logout section 2.5).
    BackchannelLogout,
    /// Word to a client that its request was decided (OpenID Connect CIBA section 10.2).
    BackchannelNotification,
    /// Word of a request that waits for a person, to the operator's own service (`backchannel_authentication.announce_uri`).
    BackchannelAnnouncement,
    /// A client's logo, to be served by us.
    ClientLogo,
    /// A client's public keys (RFC 7591 section 2, `jwks_uri`).
    ClientKeys,
    /// A request object of a client (OpenID Connect Core section 6.2).
    RequestObject,
    /// The redirect URIs of a sector (OpenID Connect Dynamic Registration section 5).
    SectorIdentifier,
    /// The document of a client whose identifier is its address (draft-ietf-oauth-client-id-metadata-document).
    ClientDocument,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_the_same_however_it_is_written() {
        let exception = |host: &str| OutboundException {
            purpose: OutboundPurpose::ClientLogo,
            host: host.to_owned(),
            port: 443,
            network: "::/0".parse().unwrap(),
            allow_http: false,
        };
        for (meant, host) in [
            ("Peer.Test", "peer.test"),
            ("peer.test", "PEER.test"),
            ("::1", "[::1]"),
            ("[::1]", "0:0:0:0:0:0:0:1"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            assert!(exception(meant).is_for_host(host), "{meant} {host}");
        }
        for (meant, host) in
            [("peer.test", "a.peer.test"), ("::1", "::2"), ("", "peer.test"), ("10.0.0.1", "::ffff:10.0.0.1")]
        {
            assert!(!exception(meant).is_for_host(host), "{meant} {host}");
        }
    }
}
