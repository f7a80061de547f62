//! Listener, issuer, proxies.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::duration;

/// Where the server listens, what it is called from outside, and whom it believes about that.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// The address and port to listen on.
    pub bind: SocketAddr,
    /// The issuer identifier (RFC 8414 section 2): what clients and browsers call this server. Used byte for byte.
    pub issuer: String,
    /// Where a frontend of one's own stands; the browser is sent there instead of to our pages.
    pub frontend_base_url: Option<String>,
    /// Origins whose scripts may call what clients call, without cookies. The frontend's own is allowed what it needs unlisted.
    pub cors_allowed_origins: Vec<String>,
    /// The networks of reverse proxies whose forwarded headers are believed.
    pub trusted_proxy_cidrs: Vec<IpNet>,
    /// The header in which those proxies say whom they speak for.
    pub client_ip_header_mode: ClientIpHeaderMode,
    /// Whether cookies are `Secure` and `__Host-`; absent: when the issuer is https.
    pub cookie_secure: Option<bool>,
    /// The largest request body, in bytes; 413 beyond it.
    pub max_body_bytes: usize,
    /// The largest request head, in bytes; 431 beyond it.
    pub max_header_bytes: usize,
    /// How long a client may take to send the request head.
    #[serde(with = "duration")]
    pub header_read_timeout: Duration,
    /// How long a request may take as a whole, its body included.
    #[serde(with = "duration")]
    pub request_timeout: Duration,
    /// The most open connections; beyond it new ones wait until others end.
    pub max_connections: usize,
    /// The most open connections from one network address (IPv6: one /64), trusted proxies excepted; further ones are closed.
    pub max_connections_per_address: usize,
    /// How long a connection may be open without a request.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// How old a connection may become: then its running requests are answered and the client makes another.
    #[serde(with = "duration")]
    pub max_connection_age: Duration,
    /// How long after SIGTERM, with `/ready` answering 503, everything else goes on as before.
    #[serde(with = "duration")]
    pub drain_delay: Duration,
    /// How long after SIGTERM the process may live: `drain_delay`, running requests and jobs together.
    #[serde(with = "duration")]
    pub drain_timeout: Duration,
}

/// The header in which a trusted proxy says whom it speaks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientIpHeaderMode {
    /// No header is believed: the peer of the connection is the client.
    #[default]
    None,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            issuer: "http://localhost:8000".into(),
            frontend_base_url: None,
            cors_allowed_origins: Vec::new(),
            trusted_proxy_cidrs: Vec::new(),
            client_ip_header_mode: ClientIpHeaderMode::default(),
            cookie_secure: None,
            max_body_bytes: 64 * 1024,
            max_header_bytes: 32 * 1024,
            header_read_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            max_connections: 4096,
            max_connections_per_address: 256,
            idle_timeout: Duration::from_secs(90),
            max_connection_age: Duration::from_secs(3600),
            drain_delay: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(25),
        }
    }
}

impl ServerConfig {
    /// Whether cookies are `Secure` and carry the `__Host-` prefix.
    pub fn has_secure_cookies(&self) -> bool {
        self.cookie_secure.unwrap_or_else(|| self.issuer.starts_with("https://"))
    }

    /// The origin of the frontend of the operator's own, as browsers write it (RFC 6454 section 6.2).
    pub fn frontend_origin(&self) -> Option<String> {
        let url = Url::parse(self.frontend_base_url.as_deref()?).ok()?;
        Some(url.origin().ascii_serialization())
    }

    /// The address of `path` (which begins with a slash) on this server, as clients and browsers write it.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer.trim_end_matches('/'))
    }
}

/// Whether a URL names this very machine, where nobody can listen in: plain http is then as good as https.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
