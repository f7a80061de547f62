//! Parameters in the path, percent-decoded, and the paths that have them. What no identifier can be is an identifier of nothing.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::http::problem::Problem;

/// What has to be escaped in a path: all but the unreserved characters (RFC 3986 section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The path of one thing in the list at `path`.
pub(super) fn below(path: &str, id: &str) -> String {
    format!("{path}/{}", utf8_percent_encode(id, RESERVED))
}

/// The parameters of an endpoint.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let raw = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Problem::not_found())?;
        // Postgres would answer NUL with an error instead of no row.
        if raw.iter().any(|(_, value)| value.contains('\0')) {
            return Err(Problem::not_found());
        }
        let read = axum::extract::Path::<T>::from_request_parts(parts, app).await;
        read.map(|path| Self(path.0)).map_err(|_| Problem::not_found())
    }
}
