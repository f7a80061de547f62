//! Public documents: bytes made once, with an entity tag (RFC 9110 section 8.8.3).

use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chrono::TimeDelta;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

/// A document and its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The bytes.
    pub body: Bytes,
    /// Their tag, with its quotation marks.
    pub etag: String,
}

impl Document {
    /// `value` as JSON.
    pub fn json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self::new(serde_json::to_vec(value)?.into()))
    }

    /// These bytes.
    pub fn new(body: Bytes) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body);
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest.as_ref()));
        Self { body, etag }
    }
}

/// Sends it, or says that the caller's copy is still good. It may be used for `max_age` without asking again.
pub fn send(headers: &HeaderMap, body: &Bytes, etag: &str, max_age: TimeDelta) -> Response {
    let copies = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let is_current = copies.flat_map(|list| list.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
    });
    let cache = [(CACHE_CONTROL, format!("public, max-age={}", max_age.num_seconds())), (ETAG, etag.to_owned())];
    if is_current {
        return (StatusCode::NOT_MODIFIED, cache).into_response();
    }
    (cache, [(CONTENT_TYPE, "application/json")], body.clone()).into_response()
}
