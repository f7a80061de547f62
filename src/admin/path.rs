//! Parameters in the path, percent-decoded. What no identifier can be is an identifier of nothing.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::http::problem::Problem;

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
