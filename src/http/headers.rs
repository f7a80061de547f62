//! What every answer says about how it may be used: caching, sniffing, framing, and what a page may load.

use std::collections::BTreeSet;

use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, Entry, PRAGMA, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::protocol::dpop;

/// For what is not a page: it loads nothing and stands in no frame.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// In which a client proves that it has a key (RFC 9449 section 4).
pub const DPOP: HeaderName = HeaderName::from_static(dpop::HEADER);

/// The nonce that the next proof must have (RFC 9449 section 8).
pub const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The nonce for the next proof, for an answer that has one to give.
pub fn dpop_nonce(nonce: Option<&str>) -> HeaderMap {
    nonce.and_then(|nonce| HeaderValue::try_from(nonce).ok()).map(|nonce| (DPOP_NONCE, nonce)).into_iter().collect()
}

/// No cache may keep the answer (RFC 6749 section 5.1).
pub fn no_store() -> [(HeaderName, HeaderValue); 2] {
    [(CACHE_CONTROL, HeaderValue::from_static("no-store")), (PRAGMA, HeaderValue::from_static("no-cache"))]
}

/// The browser forgets what it kept of this origin, also the pages that its back button would show as they were: Chromium
/// keeps those in spite of `no-store` (Clear Site Data section 3.1). Heeded over https and on loopback.
pub fn clear_cache() -> (HeaderName, HeaderValue) {
    (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""))
}

/// Adds what an answer does not say itself: everything is kept out of caches, frames and content sniffing until its handler
/// decides otherwise, so that forgetting is harmless. For `axum::middleware::map_response`.
pub async fn secure(mut response: Response) -> Response {
    add_missing(response.headers_mut());
    response
}

fn add_missing(headers: &mut HeaderMap) {
    let defaults = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, NO_PAGE),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in defaults {
        if let Entry::Vacant(vacant) = headers.entry(name) {
            vacant.insert(HeaderValue::from_static(value));
        }
    }
}

/// The policy of a page: our own styles and images, our own script file if `has_script`, forms that end here or at one of
/// the sources `form_action`, frames of the addresses `frames`. Nothing inline, and no frame around it.
pub fn page_csp(form_action: &[String], frames: &[String], has_script: bool) -> HeaderValue {
    let script = if has_script { "'self'" } else { "'none'" };
    let forms = ["'self'"].into_iter().chain(form_action.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
    let frames = if frames.is_empty() { "'none'".to_owned() } else { sources(frames).collect::<Vec<_>>().join(" ") };
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src {script}; form-action {forms}; \
         frame-src {frames}; frame-ancestors 'none'; base-uri 'none'"
    );
    // Every source is made of characters that a header can hold; else the page is better off with no rights at all.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(NO_PAGE))
}

/// The source expression that matches every address of the scheme of `url`; `http:` stands for `https:` too. Chromium applies
/// `form-action` to every redirect that follows a form, also to those of other sites: an origin would stop whoever sends the
/// browser on to another one.
pub fn scheme_source(url: &str) -> Option<String> {
    Some(format!("{}:", Url::parse(url).ok()?.scheme()))
}

/// Each source once.
fn sources(urls: &[String]) -> impl Iterator<Item = String> {
    urls.iter().filter_map(|url| origin_source(url)).collect::<BTreeSet<_>>().into_iter()
}

/// The source expression (CSP section 2.3.1) that matches where `url` leads; nothing of the URL but its origin or scheme
/// gets into the policy.
pub fn origin_source(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https");
    match url.host() {
        // The URL parser lets `*` and `;` be part of a host. Here they would be a wildcard and the end of the directive.
        Some(url::Host::Domain(name)) if is_web && !is_host_name(name) => None,
        // The grammar has no IPv6 addresses; browsers drop an expression that they cannot read.
        Some(url::Host::Domain(_) | url::Host::Ipv4(_)) if is_web => Some(url.origin().ascii_serialization()),
        _ => Some(format!("{}:", url.scheme())),
    }
}

fn is_host_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directive<'a>(policy: &'a HeaderValue, name: &str) -> &'a str {
        let mut directives = policy.to_str().unwrap().split("; ");
        directives.find_map(|directive| directive.strip_prefix(name)?.strip_prefix(' ')).unwrap()
    }

    #[test]
    fn what_a_handler_says_stands_and_what_it_forgets_is_strict() {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
        add_missing(&mut headers);
        assert_eq!(headers[CACHE_CONTROL], "public, max-age=60");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[REFERRER_POLICY], "no-referrer");
        assert_eq!(headers[X_FRAME_OPTIONS], "DENY");
        assert_eq!(headers[CONTENT_SECURITY_POLICY], NO_PAGE);
        let mut bare = HeaderMap::new();
        add_missing(&mut bare);
        assert_eq!(bare[CACHE_CONTROL], "no-store");
    }

    #[test]
    fn a_form_may_end_at_the_scheme_of_the_client() {
        for (redirect_uri, expected) in [
            ("https://rp.example/cb?x=1", "'self' https:"),
            ("HTTPS://RP.example:443/cb", "'self' https:"),
            ("http://[::1]:8765/callback", "'self' http:"),
            ("com.example.app:/oauth", "'self' com.example.app:"),
            ("com.example.app://host/;script-src *", "'self' com.example.app:"),
            ("https://rp.example/;script-src *", "'self' https:"),
            ("not a url", "'self'"),
        ] {
            let sources: Vec<_> = scheme_source(redirect_uri).into_iter().collect();
            let policy = page_csp(&sources, &[], false);
            assert_eq!(directive(&policy, "form-action"), expected);
            assert_eq!(directive(&policy, "script-src"), "'none'");
            assert_eq!(directive(&policy, "frame-src"), "'none'");
        }
    }

    #[test]
    fn a_frame_is_named_by_its_origin_or_not_at_all() {
        for (frame, expected) in [
            ("https://rp.example:8443/out?x=1", "https://rp.example:8443"),
            ("https://RP.example:443/out", "https://rp.example"),
            ("https://b\u{fc}cher.example/out", "https://xn--bcher-kva.example"),
            ("http://127.0.0.1:8765/out", "http://127.0.0.1:8765"),
            ("http://[::1]:8765/out", "http:"),
            ("https://rp.example/;script-src *", "https://rp.example"),
            ("https://*.rp.example/out", ""),
            ("https://*/out", ""),
            ("https://rp.example;sandbox/out", ""),
            ("https://rp.example,sandbox/out", ""),
        ] {
            let policy = page_csp(&[], &[frame.into()], false);
            let sources =
                policy.to_str().unwrap().split("; ").find_map(|directive| directive.strip_prefix("frame-src"));
            assert_eq!(sources.unwrap().trim(), expected, "{frame}");
        }
    }

    #[test]
    fn frames_and_scripts_are_allowed_only_where_asked() {
        let policy = page_csp(&[], &["https://a.example/x".into(), "https://b.example/y".into()], true);
        assert_eq!(directive(&policy, "frame-src"), "https://a.example https://b.example");
        assert_eq!(directive(&policy, "script-src"), "'self'");
        assert_eq!(directive(&policy, "form-action"), "'self'");
        assert!(!policy.to_str().unwrap().contains("unsafe"));
    }
}
