//! An HTTP answer, read to its end, and what is asserted of it.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde_json::{Value, json};

/// What everybody is told while a store is down.
pub const OUTAGE: &str = "the server cannot reach its storage, try again shortly";

/// Status, headers and body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub async fn read(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await.expect("the body is read");
        Self { status, headers, body: String::from_utf8(body.to_vec()).expect("the body is UTF-8") }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next().map(|value| value.to_str().expect("a readable header"));
        assert!(values.next().is_none() || name == "set-cookie", "the header {name} is there once");
        first
    }

    /// The JSON body of a success that must not be stored by anyone.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// RFC 6749 section 5.1: token-like answers are not stored.
    #[track_caller]
    pub fn assert_not_stored(&self) {
        let cache = self.header("cache-control").unwrap_or_default();
        assert!(cache.split(',').any(|directive| directive.trim() == "no-store"), "{self:?}");
    }

    /// The whole of an OAuth error answer without a challenge.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: &str, description: &str) {
        assert_eq!(self.header("www-authenticate"), None, "{self:?}");
        self.assert_error_body(status, code, description);
    }

    /// The whole of an OAuth error answer with a challenge.
    #[track_caller]
    pub fn assert_challenge(&self, status: u16, code: &str, description: &str, challenge: &str) {
        assert_eq!(self.header("www-authenticate"), Some(challenge), "{self:?}");
        self.assert_error_body(status, code, description);
    }

    /// The whole of a refusal at a protected resource (RFC 6750 section 3).
    #[track_caller]
    pub fn assert_bearer_error(&self, status: u16, code: &str, description: &str) {
        // RFC 6750 section 3.1: with the scope that would have been enough, here that of userinfo.
        let scope = if code == "insufficient_scope" { ", scope=\"openid\"" } else { "" };
        let challenge =
            format!("Bearer realm=\"ostiary\", error=\"{code}\", error_description=\"{description}\"{scope}");
        self.assert_challenge(status, code, description, &challenge);
    }

    /// The whole of a refused client that tried HTTP Basic (RFC 6749 section 5.2).
    #[track_caller]
    pub fn assert_basic_error(&self, description: &str) {
        self.assert_challenge(401, "invalid_client", description, "Basic realm=\"ostiary\", charset=\"UTF-8\"");
    }

    /// The whole of a refused client that did not try HTTP Basic, at `path` (RFC 6749 section 5.2, RFC 7662 section 2.3).
    #[track_caller]
    pub fn assert_client_refused(&self, path: &str, description: &str) {
        if path == "/introspect" {
            self.assert_basic_error(description);
        } else {
            self.assert_error(400, "invalid_client", description);
        }
    }

    /// RFC 7662 section 2.2: a token that is not active is told nothing of.
    #[track_caller]
    pub fn assert_inactive(&self) {
        self.assert_not_stored();
        assert_eq!(self.json(), json!({ "active": false }));
    }

    /// The whole of an answer while a store is down: when to come back, and no judgement on what was presented.
    #[track_caller]
    pub fn assert_unavailable(&self) {
        self.assert_error(503, "temporarily_unavailable", OUTAGE);
        assert_eq!(self.header("retry-after"), Some("5"), "{self:?}");
    }

    /// The whole of an answer while too much is asked at once.
    #[track_caller]
    pub fn assert_busy(&self) {
        self.assert_error(503, "temporarily_unavailable", "the server is busy, try again shortly");
        assert_eq!(self.header("retry-after"), Some("5"), "{self:?}");
    }

    #[track_caller]
    fn assert_error_body(&self, status: u16, code: &str, description: &str) {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("the body is JSON: {self:?}"));
        assert_eq!(body, json!({ "error": code, "error_description": description }), "{self:?}");
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        self.assert_not_stored();
        assert_description(description);
    }

    /// RFC 9110 section 15.5.6: a 405 names what is allowed.
    #[track_caller]
    pub fn assert_method_not_allowed(&self, allowed: &[&str]) {
        assert_eq!(self.status, 405, "{self:?}");
        let allow = self.header("allow").expect("an Allow header");
        let mut allow: Vec<&str> = allow.split(',').map(str::trim).collect();
        allow.sort_unstable();
        assert_eq!(allow, allowed, "{self:?}");
    }
}

/// RFC 6749 section 5.2 and the conformance suite: printable ASCII without quotation mark and backslash.
#[track_caller]
pub fn assert_description(description: &str) {
    let is_allowed = |b: u8| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\';
    assert!(!description.is_empty() && description.bytes().all(is_allowed), "{description:?}");
}

/// Parameters by name; a repeated one fails the test.
#[track_caller]
pub fn parameters(encoded: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(encoded.as_bytes()) {
        let repeated = parameters.insert(name.clone().into_owned(), value.into_owned());
        assert!(repeated.is_none(), "{name} is repeated in {encoded}");
    }
    parameters
}
