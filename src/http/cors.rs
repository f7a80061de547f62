//! Which scripts may call us from a browser (Fetch section 3.2): those of configured origins, and with cookies only those of
//! the operator's own frontend.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AUTHORIZATION,
    CONTENT_TYPE, ORIGIN, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Method};
use tower_http::cors::CorsLayer;

use super::headers::{DPOP, DPOP_NONCE};
use crate::config::ServerConfig;

/// How long a browser may remember that it was allowed: short enough that a removed origin is soon out.
const REMEMBERED: Duration = Duration::from_secs(600);

/// For what clients call with tokens, codes or secrets. No cookies: they could only do harm there.
pub fn for_clients(server: &ServerConfig) -> CorsLayer {
    layer(&server.cors_allowed_origins).allow_methods([Method::GET, Method::POST]).allow_headers([
        AUTHORIZATION,
        CONTENT_TYPE,
        DPOP,
    ])
}

/// For the registration of a client, which the client replaces and deletes too (RFC 7592 sections 2.2 and 2.3).
pub fn for_registrations(server: &ServerConfig) -> CorsLayer {
    for_clients(server).allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
}

/// For what a frontend of the operator's own calls on behalf of the person at the browser: with cookies. Nobody else, not
/// even a configured origin: with the person's cookies its scripts could read who is signed in, and answer in their place.
pub fn for_frontend(server: &ServerConfig) -> CorsLayer {
    let origin = server.frontend_origin();
    layer(origin.as_slice())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([CONTENT_TYPE])
        .allow_credentials(true)
}

/// Lets those scripts read an answer that was given before a route was found, such as 413. It says nothing of anybody, so that
/// it does not matter for which path it was.
pub fn open_refusal(server: &ServerConfig, request: &HeaderMap, response: &mut HeaderMap) {
    response.append(VARY, HeaderValue::from_static("origin"));
    let Some(origin) = request.get(ORIGIN) else { return };
    let is_frontend = server.frontend_origin().is_some_and(|frontend| origin == frontend.as_str());
    if is_frontend {
        response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    if is_frontend || server.cors_allowed_origins.iter().any(|allowed| origin == allowed.as_str()) {
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        response
            .insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("www-authenticate,retry-after,dpop-nonce"));
    }
}

fn layer(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    CorsLayer::new()
        .allow_origin(origins)
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER, DPOP_NONCE])
        .max_age(REMEMBERED)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::post;
    use http::header::{ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_REQUEST_METHOD};
    use http::{Request, Response};
    use tower::ServiceExt;

    use super::*;

    async fn call(cors: fn(&ServerConfig) -> CorsLayer, method: Method, origin: &str) -> Response<Body> {
        let server = ServerConfig {
            cors_allowed_origins: vec!["https://app.example".into()],
            frontend_base_url: Some("https://login.example/start/".into()),
            ..ServerConfig::default()
        };
        let router = Router::new().route("/", post(async || "done")).layer(cors(&server));
        let request = Request::builder()
            .method(method)
            .header(ORIGIN, origin)
            .header(ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .body(Body::empty())
            .unwrap();
        router.oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn only_configured_origins_are_allowed_and_caches_are_told() {
        for method in [Method::OPTIONS, Method::POST] {
            let allowed = call(for_clients, method.clone(), "https://app.example").await;
            assert_eq!(allowed.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example");
            assert!(allowed.headers()[VARY].to_str().unwrap().contains("origin"));
            for origin in ["https://app.example.evil.example", "http://app.example", "null"] {
                let refused = call(for_clients, method.clone(), origin).await;
                assert!(!refused.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
            }
        }
    }

    #[test]
    fn a_refusal_is_open_to_the_same_scripts() {
        let server = ServerConfig {
            cors_allowed_origins: vec!["https://app.example".into()],
            frontend_base_url: Some("https://login.example/start/".into()),
            ..ServerConfig::default()
        };
        let refused = |origin: &'static str| {
            let mut response = HeaderMap::new();
            let request = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
            open_refusal(&server, &request, &mut response);
            [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS]
                .map(|name| response.get(name).map(|value| value.to_str().unwrap().to_owned()))
        };
        assert_eq!(refused("https://app.example"), [Some("https://app.example".to_owned()), None]);
        let frontend = Some("https://login.example".to_owned());
        assert_eq!(refused("https://login.example"), [frontend, Some("true".to_owned())]);
        for origin in ["https://app.example.evil.example", "http://app.example", "null", ""] {
            assert_eq!(refused(origin), [None, None], "{origin}");
        }
    }

    #[tokio::test]
    async fn cookies_are_for_the_frontend_only_and_no_other_origin_is_told_anything() {
        let client = call(for_clients, Method::OPTIONS, "https://app.example").await;
        assert!(!client.headers().contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
        assert_eq!(client.headers()[ACCESS_CONTROL_ALLOW_HEADERS], "authorization,content-type,dpop");
        for method in [Method::OPTIONS, Method::POST] {
            let frontend = call(for_frontend, method.clone(), "https://login.example").await;
            assert_eq!(frontend.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://login.example");
            assert_eq!(frontend.headers()[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
            for origin in ["https://app.example", "https://login.example:8443", "http://login.example", "null"] {
                let refused = call(for_frontend, method.clone(), origin).await;
                assert!(!refused.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "{origin}");
            }
        }
        let elsewhere = call(for_clients, Method::OPTIONS, "https://login.example").await;
        assert!(!elsewhere.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "tokens are no business of a frontend");
    }
}
