//! What an address names, and which of its addresses may be dialled.

use std::io;
use std::net::IpAddr;

use url::{Host, Url};

use super::{FetchError, address};
use crate::config::{OutboundException, OutboundPurpose};

/// Who turns names into addresses.
pub(super) enum Names {
    System,
    #[cfg(test)]
    Fixed(Vec<(&'static str, IpAddr)>),
}

/// An address that may be worth resolving.
pub(super) struct Target {
    pub(super) url: Url,
    host: String,
    pub(super) port: u16,
    is_plain: bool,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, FetchError> {
        let url = Url::parse(url).map_err(|_| FetchError::Refused("it is not a URL"))?;
        let is_plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(FetchError::Refused("only https is called")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Refused("it contains user information"));
        }
        let (Some(host), Some(port)) = (url.host_str().map(str::to_owned), url.port_or_known_default()) else {
            return Err(FetchError::Refused("it names no host"));
        };
        Ok(Self { host, port, is_plain, url })
    }

    pub(super) fn is_meant_by(&self, exception: &OutboundException, purpose: OutboundPurpose) -> bool {
        exception.purpose == purpose && exception.is_for_host(&self.host) && exception.port == self.port
    }

    pub(super) fn admits(&self, ip: IpAddr, exceptions: &[&OutboundException]) -> bool {
        let is_excepted = exceptions
            .iter()
            .any(|exception| exception.network.contains(&ip) && (exception.allow_http || !self.is_plain));
        is_excepted || (!self.is_plain && address::is_public(ip))
    }
}

impl Names {
    pub(super) async fn resolve(&self, target: &Target) -> io::Result<Vec<IpAddr>> {
        let name = match target.url.host() {
            Some(Host::Ipv4(ip)) => return Ok(vec![ip.into()]),
            Some(Host::Ipv6(ip)) => return Ok(vec![ip.into()]),
            Some(Host::Domain(name)) => name,
            None => return Ok(Vec::new()),
        };
        match self {
            Self::System => Ok(tokio::net::lookup_host((name, target.port)).await?.map(|found| found.ip()).collect()),
            #[cfg(test)]
            Self::Fixed(names) => Ok(names.iter().filter(|(known, _)| *known == name).map(|(_, ip)| *ip).collect()),
        }
    }
}
