//! Redirect URIs: which ones may be registered, and which presented ones match (RFC 6749 section 3.1.2, RFC 8252 sections
//! 7 and 8.3, RFC 9700 section 2.1).

use thiserror::Error;
use url::Url;

use super::uri::AbsoluteUri;
use crate::model::client::ApplicationType;

/// Hosts that never leave the machine.
const LOOPBACK_HOSTS: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// Why a redirect URI cannot be registered.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidRedirectUri {
    /// It is relative, malformed or too long.
    #[error("a redirect URI must be an absolute URI")]
    NotAbsolute,
    /// RFC 6749 section 3.1.2.
    #[error("a redirect URI must not have a fragment")]
    Fragment,
    /// A name before `@` in the authority makes people and programs read the wrong host.
    #[error("a redirect URI must not contain user information")]
    UserInformation,
    /// The code would travel in the clear (RFC 9700 section 2.6).
    #[error("a redirect URI must use https, except on a loopback address")]
    NotHttps,
    /// Only native applications can receive it.
    #[error("a scheme other than https is for native applications")]
    SchemeOfWebApplication,
    /// RFC 8252 section 7.1: a domain name in reverse, which two applications will not choose alike by accident.
    #[error("a private-use scheme must be a domain name in reverse order, such as com.example.app")]
    PrivateUseScheme,
}

/// Whether `presented` is one of the `registered` redirect URIs, byte for byte.
///
/// One exception: a native application listens on whatever port the system gives it, so on a loopback host any port
/// matches (RFC 8252 section 7.3). `localhost` matches only where `localhost` itself was registered: section 8.3 advises
/// against the name, and a client that registered an address did not choose to trust the resolver.
pub fn is_registered(registered: &[String], presented: &str, application_type: ApplicationType) -> bool {
    registered.iter().any(|uri| uri == presented)
        || (application_type == ApplicationType::Native
            && loopback(presented)
                .is_some_and(|wanted| registered.iter().any(|uri| loopback(uri).as_ref() == Some(&wanted))))
}

/// A loopback redirect URI without its port.
#[derive(PartialEq)]
struct Loopback<'a> {
    host: &'a str,
    tail: &'a str,
}

/// Whether it leads back to a program on the same machine, whatever its port.
pub fn is_loopback(uri: &str) -> bool {
    loopback(uri).is_some()
}

fn loopback(uri: &str) -> Option<Loopback<'_>> {
    let AbsoluteUri { scheme: "http", authority: Some(authority), tail } = AbsoluteUri::parse(uri)? else {
        return None;
    };
    LOOPBACK_HOSTS.into_iter().find_map(|name| {
        let (host, port) = authority.split_at_checked(name.len())?;
        (host == name && is_port(port)).then_some(Loopback { host, tail })
    })
}

/// Nothing, or `:` and a number that a browser can dial.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.strip_prefix(':').is_some_and(|digits| {
            digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|port| port != 0)
        })
}

/// Checks a redirect URI that somebody wants to register.
pub fn validate_for_registration(uri: &str, application_type: ApplicationType) -> Result<(), InvalidRedirectUri> {
    if uri.contains('#') {
        return Err(InvalidRedirectUri::Fragment);
    }
    let parts = AbsoluteUri::parse(uri).ok_or(InvalidRedirectUri::NotAbsolute)?;
    if parts.authority.is_some_and(|authority| authority.contains('@')) {
        return Err(InvalidRedirectUri::UserInformation);
    }
    // The browser must be able to go there: this checks host and port as it does.
    let url = Url::parse(uri).map_err(|_| InvalidRedirectUri::NotAbsolute)?;
    if parts.has_scheme("https") || parts.has_scheme("http") {
        if parts.authority.is_none_or(str::is_empty) {
            return Err(InvalidRedirectUri::NotAbsolute);
        }
        let is_loopback = url.host_str().is_some_and(|host| LOOPBACK_HOSTS.contains(&host));
        return if url.scheme() == "https" || is_loopback { Ok(()) } else { Err(InvalidRedirectUri::NotHttps) };
    }
    match application_type {
        ApplicationType::Web => Err(InvalidRedirectUri::SchemeOfWebApplication),
        // Also keeps out `javascript:`, `data:` and `file:`, which have no dot.
        ApplicationType::Native if !parts.scheme.contains('.') => Err(InvalidRedirectUri::PrivateUseScheme),
        ApplicationType::Native => Ok(()),
    }
}

#[cfg(test)]
mod tests;
