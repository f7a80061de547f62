//! The answers to a path that is not there and to a method that a path does not have (RFC 9110 sections 15.5.5, 15.5.6).

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::error_page;
use crate::app::App;
use crate::protocol::error::OAuthError;

/// For `Router::fallback`: 404.
pub async fn not_found(State(app): State<App>, headers: HeaderMap) -> Response {
    let error = OAuthError::invalid_request("there is nothing at this path");
    error_page::answer(&app.config, &headers, error.with_status(StatusCode::NOT_FOUND.as_u16()))
}

/// For `Router::method_not_allowed_fallback`: 405. The router adds `Allow`, which only it knows.
pub async fn not_allowed(State(app): State<App>, headers: HeaderMap) -> Response {
    let error = OAuthError::invalid_request("the method is not allowed here");
    error_page::answer(&app.config, &headers, error.with_status(StatusCode::METHOD_NOT_ALLOWED.as_u16()))
}
