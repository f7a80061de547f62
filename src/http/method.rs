//! The answers to a path that is not there and to a method that a path does not have (RFC 9110 sections 15.5.5, 15.5.6).

use http::StatusCode;

use crate::protocol::error::OAuthError;

/// For `Router::fallback`: 404 as JSON.
pub async fn not_found() -> OAuthError {
    OAuthError::invalid_request("there is nothing at this path").with_status(StatusCode::NOT_FOUND.as_u16())
}

/// For `Router::method_not_allowed_fallback`: 405 as JSON. The router adds `Allow`, which only it knows.
pub async fn not_allowed() -> OAuthError {
    OAuthError::invalid_request("the method is not allowed here").with_status(StatusCode::METHOD_NOT_ALLOWED.as_u16())
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::{get, post};
    use http::Request;
    use http::header::ALLOW;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_wrong_path_is_404_and_a_wrong_method_405_with_allow() {
        let router = Router::new()
            .route("/token", post(|| async {}))
            .route("/userinfo", get(|| async {}).post(|| async {}))
            .fallback(not_found)
            .method_not_allowed_fallback(not_allowed);
        let request = Request::get("/nowhere").body(Body::empty()).unwrap();
        assert_eq!(router.clone().oneshot(request).await.unwrap().status(), StatusCode::NOT_FOUND);
        for (method, path, allow) in
            [("PUT", "/token", "POST"), ("GET", "/token", "POST"), ("DELETE", "/userinfo", "GET,HEAD,POST")]
        {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(response.headers()[ALLOW], allow, "{method} {path}");
            let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
            assert!(body.starts_with(br#"{"error":"invalid_request""#), "{body:?}");
        }
    }
}
