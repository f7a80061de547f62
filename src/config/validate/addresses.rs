//! Where the server is found, and what stands before it: the issuer, other origins, proxies.

use url::Url;

use super::Findings;
use crate::config::server::is_loopback;
use crate::config::{ClientCertificateHeader, ClientIpHeaderMode, Config};

/// Whether `text` is an origin as a browser writes it (RFC 6454 section 6.2), over TLS unless it stays on this machine.
fn require_origin(found: &mut Findings, key: &str, text: &str) -> Option<Url> {
    let Some(url) = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http")) else {
        found.require(false, key, "is not an http(s) URL", "write it like https://id.example.com");
        return None;
    };
    let origin = url.origin().ascii_serialization();
    found.require(
        origin == text.trim_end_matches('/'),
        key,
        "has a path, a query, a user, a default port or capital letters, or is not plain ASCII",
        format!("write it as {origin}"),
    );
    found.require(
        url.scheme() == "https" || is_loopback(&url),
        key,
        "is public and not https: passwords and tokens would cross the network in the clear",
        "use https, with TLS ended by a proxy in front of this server; plain http is for localhost",
    );
    Some(url)
}

pub(super) fn check_issuer(config: &Config, found: &mut Findings) {
    let server = &config.server;
    let key = "server.issuer";
    // RFC 8414 section 2: no query, no fragment. No path either: a tenant is an origin, its cookies are `__Host-`.
    let Some(issuer) = require_origin(found, key, &server.issuer) else { return };
    let is_https = issuer.scheme() == "https";
    found.require(
        server.cookie_secure != Some(true) || is_https,
        "server.cookie_secure",
        "is true but the issuer is http: browsers would not send the cookies back",
        "remove cookie_secure, or make the issuer https",
    );
    found.require(
        server.cookie_secure != Some(false) || !is_https || is_loopback(&issuer),
        "server.cookie_secure",
        "is false but the issuer is public: sessions could be taken over from the network",
        "remove cookie_secure",
    );
}

pub(super) fn check_frontend(config: &Config, found: &mut Findings) {
    let server = &config.server;
    for origin in &server.cors_allowed_origins {
        let key = "server.cors_allowed_origins";
        require_origin(found, key, origin);
        found.require(!origin.ends_with('/'), key, "has an origin that ends in a slash", "remove the slash");
    }
    let Some(text) = &server.frontend_base_url else { return };
    let key = "server.frontend_base_url";
    let Some(url) = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http")) else {
        return found.require(false, key, "is not an http(s) URL", "write it like https://login.example.com");
    };
    found.require(
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none(),
        key,
        "has a query, a fragment or a user",
        "leave only scheme, host and path",
    );
    found.require(
        Url::parse(&server.issuer).is_ok_and(|issuer| is_same_site(&url, &issuer)),
        key,
        "is another site than the issuer: browsers would not send our cookies with its requests",
        "use the issuer's scheme and a host below the same registered domain",
    );
}

/// Whether cookies with `SameSite=Lax` travel from one to the other, as far as that can be told without the public suffix
/// list: too lenient for suffixes of several labels, never too strict.
fn is_same_site(one: &Url, other: &Url) -> bool {
    let site = |url: &Url| match url.host() {
        Some(url::Host::Domain(name)) => {
            let mut labels = name.rsplitn(3, '.');
            Some([labels.next().unwrap_or_default().to_owned(), labels.next().unwrap_or_default().to_owned()])
        }
        host => host.map(|host| [host.to_string(), String::new()]),
    };
    one.scheme() == other.scheme() && site(one) == site(other)
}

pub(super) fn check_proxies(config: &Config, found: &mut Findings) {
    let server = &config.server;
    let believes = server.client_ip_header_mode != ClientIpHeaderMode::None;
    let names_proxies = !server.trusted_proxy_cidrs.is_empty();
    found.require(
        names_proxies || !believes,
        "server.client_ip_header_mode",
        "names a header, but no proxy is trusted to write it",
        "set server.trusted_proxy_cidrs to the networks of the proxies, or client_ip_header_mode to none",
    );
    found.require(
        believes || !names_proxies,
        "server.trusted_proxy_cidrs",
        "names proxies, but no header of theirs is read: everybody would share the proxy's rate limit",
        "set server.client_ip_header_mode to x_forwarded_for or forwarded",
    );
    found.require(
        server.trusted_proxy_cidrs.iter().all(|network| network.prefix_len() > 0),
        "server.trusted_proxy_cidrs",
        "trusts the whole internet: anybody could choose the address that the rate limits see",
        "name only the networks of the proxies",
    );
}

pub(super) fn check_certificates(config: &Config, found: &mut Findings) {
    let mtls = &config.mtls;
    found.require(
        mtls.header == ClientCertificateHeader::None || !config.server.trusted_proxy_cidrs.is_empty(),
        "mtls.header",
        "names a header, but no proxy is trusted to write it",
        "set server.trusted_proxy_cidrs to the networks of the proxies, or header to none",
    );
    if let Some(base) = &mtls.alias_base_url {
        let key = "mtls.alias_base_url";
        require_origin(found, key, base);
        let mend = "set mtls.header or tls.mtls_bind too";
        found.require(config.takes_client_certificates(), key, "is set, but no certificate of a client arrives", mend);
    }
    let tls = &config.tls;
    for (key, file) in
        [("tls.certificate_file", &tls.certificate_file), ("tls.private_key_file", &tls.private_key_file)]
    {
        found.require(
            file.is_some() || !tls.is_used(),
            key,
            "is not set, but the server is to speak TLS",
            "name the PEM file, or remove tls.bind and tls.mtls_bind",
        );
    }
}
