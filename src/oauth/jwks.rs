//! `/jwks.json` (RFC 7517 section 5): the public keys, as bytes that were made when the keys last changed.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use crate::app::App;
use crate::http::document;
use crate::keys::lifecycle::RotationPolicy;

/// The key set.
pub async fn get(State(app): State<App>, headers: HeaderMap) -> Response {
    let keyset = app.keys.current();
    let jwks = keyset.jwks();
    let max_age = RotationPolicy::cache_lifetime(app.config.keys.rotation.prepublish);
    document::send(&headers, &jwks.body, &jwks.etag, max_age)
}
