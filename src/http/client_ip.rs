//! Whose request this is, by address: for rate limits and the audit, never for access.
//!
//! Each proxy appends the address it received from, so a forwarded header is believed from its right end, and only as long
//! as the address that wrote it is a trusted proxy. What stands further left anyone may have written.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::header::FORWARDED;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use ipnet::IpNet;

use crate::app::App;
use crate::config::ClientIpHeaderMode;
use crate::flow::throttle::Network;
use crate::http::browser::REQUEST_ID;
use crate::model::audit::Origin;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientIp(pub IpAddr);

impl ClientIp {
    /// The network it counts as.
    pub fn network(&self) -> Network {
        match self.0 {
            IpAddr::V4(address) => Network { name: address.to_string(), site: None },
            IpAddr::V6(address) => Network { name: prefix(address, 64), site: Some(prefix(address, 48)) },
        }
    }

    /// Where a request came from, for what is recorded of it.
    pub fn origin(&self, headers: &HeaderMap) -> Origin {
        let request_id = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
        Origin { ip: Some(self.0), request_id }
    }

    /// The part of the network that it is in: too large to tell who it is.
    pub fn part(&self) -> String {
        match self.0 {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            IpAddr::V6(address) => prefix(address, 48),
        }
    }

    /// The client behind the connection's `peer`.
    pub fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet], mode: ClientIpHeaderMode) -> Self {
        let mut address = peer.to_canonical();
        let mut reported = match mode {
            ClientIpHeaderMode::None => Vec::new(),
            ClientIpHeaderMode::XForwardedFor => from_the_right(headers, X_FORWARDED_FOR, x_forwarded_for),
            ClientIpHeaderMode::Forwarded => from_the_right(headers, FORWARDED.as_str(), forwarded_for),
        }
        .into_iter();
        while trusted.iter().any(|network| network.contains(&address)) {
            match reported.next().flatten() {
                Some(next) => address = next.to_canonical(),
                // Nothing more, or nothing that can be read: the proxy itself is all that is known.
                None => break,
            }
        }
        Self(address)
    }
}

fn prefix(address: Ipv6Addr, length: u32) -> String {
    let host = 128 - length;
    format!("{}/{length}", Ipv6Addr::from(u128::from(address) >> host << host))
}

impl FromRequestParts<App> for ClientIp {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, StatusCode> {
        let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
            tracing::error!("the listener did not say who is connected");
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        };
        let server = &app.config.server;
        let mode = server.client_ip_header_mode;
        Ok(Self::behind(peer.ip(), &parts.headers, &server.trusted_proxy_cidrs, mode))
    }
}

/// The addresses in a header, the last one first; `None` for what is no address.
fn from_the_right(headers: &HeaderMap, name: &str, read: impl Fn(&str) -> Option<IpAddr>) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(name).iter().rev();
    // A line that is not text is an element that cannot be read, not one that can be skipped.
    lines.flat_map(|line| elements_from_the_right(line.to_str().unwrap_or("?"))).map(read).collect()
}

/// The comma-separated elements of a line, the last one first. Quotes are paired from the right too: those that a trusted
/// proxy wrote are in order, whatever a client put before them.
fn elements_from_the_right(line: &str) -> Vec<&str> {
    let mut is_quoted = false;
    line.rsplit(|c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    })
    .map(str::trim)
    .collect()
}

fn x_forwarded_for(element: &str) -> Option<IpAddr> {
    // Some proxies add the port.
    element.parse().ok().or_else(|| node(element))
}

/// The `for` of a forwarded element (RFC 7239 section 4); an obfuscated or unknown one is none.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let value = value.trim();
    node(value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value))
}

/// A node (RFC 7239 section 6): `address`, `address:port`, `[v6]` or `[v6]:port`.
fn node(text: &str) -> Option<IpAddr> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return is_whole.then_some(address.into());
    }
    let (address, port) = text.split_once(':').unwrap_or((text, "0"));
    is_port(port).then(|| address.parse().ok().map(IpAddr::V4)).flatten()
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}
