//! The answers to a path that is not there and to a method that a path does not have (RFC 9110 sections 15.5.5, 15.5.6).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use http::header::ALLOW;
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

/// The same route without HEAD, which the router would answer by calling the handler of GET. Whoever looks at a link before
/// the person does sends one (mail scanners, previews), and it must not begin, answer or end anything; an answer without the
/// effect would not be the one that GET gives (RFC 9110 section 9.3.2). `allowed` is what is left.
pub fn without_head(route: MethodRouter<App>, allowed: &'static str) -> MethodRouter<App> {
    let refuse = move |app: State<App>, headers: HeaderMap| async move {
        ([(ALLOW, allowed)], not_allowed(app, headers).await).into_response()
    };
    route.head(refuse).fallback(refuse)
}
