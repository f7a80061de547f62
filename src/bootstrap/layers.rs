//! What surrounds every request, from the outside in: its id and its line in the log, the headers that every answer has,
//! panics, the time and the size that it may take, and in development the names that are answered.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Method, header};
use http_body_util::Limited;
use tower_http::request_id::RequestId;
use tracing::Instrument;

use super::health::Draining;
use super::local_names::{LocalNames, answer_local_names};
use crate::admin;
use crate::config::{Config, Installation};
use crate::http::headers::secure;
use crate::http::oauth_error::FailureCode;
use crate::http::problem::Problem;
use crate::http::{cors, error_page};
use crate::protocol::error::OAuthError;
use crate::random;
use crate::telemetry::metrics::HttpMetrics;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const QUIET_PATHS: [&str; 2] = ["/health", "/ready"];

/// Puts the layers around `router`.
pub fn around(router: Router, config: &Config, metrics: HttpMetrics, draining: Draining) -> Router {
    // The size is limited below, for every way of reading a body and not only axum's.
    let shared = Arc::new(config.clone());
    let mut router = router
        .layer(Extension(draining))
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(shared.clone(), limit_body))
        .layer(from_fn_with_state(shared, bound));
    if config.installation == Installation::Dev {
        router = router.layer(from_fn_with_state(LocalNames::of(&config.server.issuer), answer_local_names));
    }
    router.layer(map_response(secure)).layer(from_fn_with_state(metrics, observe))
}

/// Gives the request an id (never one from outside, which could forge lines of the log) and logs how it went.
///
/// The query is not logged: it carries codes, states and hints.
async fn observe(State(metrics): State<HttpMetrics>, mut request: Request, next: Next) -> Response {
    let id = random::id();
    let value = HeaderValue::try_from(&id).ok();
    if let Some(value) = value.clone() {
        request.headers_mut().insert(REQUEST_ID, value.clone());
        request.extensions_mut().insert(RequestId::new(value));
    }
    let span = tracing::info_span!("request", id, method = %request.method(), path = request.uri().path());
    // The route and not the path, which has ids in it that anybody can make up.
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str);
    let in_flight = metrics.begin(route, method_name(request.method()));
    let is_quiet = QUIET_PATHS.contains(&request.uri().path());
    async move {
        let start = Instant::now();
        let mut response = next.run(request).await;
        let (status, duration_ms) = (response.status().as_u16(), start.elapsed().as_millis());
        in_flight.end(status, response.extensions().get().map(|FailureCode(code)| *code));
        if is_quiet {
            tracing::debug!(status, duration_ms, "answered");
        } else {
            tracing::info!(status, duration_ms, "answered");
        }
        if let Some(value) = value {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
    .instrument(span)
    .await
}

/// The methods that routes know; nobody else's words become labels.
fn method_name(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|name| method.as_str() == *name).unwrap_or("(other)")
}

/// A request that ran out of time may have had its effect: 503, as for every other outage. The message of a panic is for the
/// log, where the panic hook has put it already.
async fn bound(State(config): State<Arc<Config>>, request: Request, next: Next) -> Response {
    let asked = Asked::of(&request);
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(config.server.request_timeout, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => asked.refuse(&config, OAuthError::server_error("the server could not complete the request")),
        Err(_) => asked.refuse(&config, OAuthError::temporarily_unavailable("the request took too long, try again")),
    }
}

/// A body that says it is too large is refused unread; one that turns out to be stops being read.
async fn limit_body(State(config): State<Arc<Config>>, request: Request, next: Next) -> Response {
    let limit = config.server.max_body_bytes;
    let length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        let error = OAuthError::invalid_request("the request body is too large").with_status(413);
        return Asked::of(&request).refuse(&config, error);
    }
    next.run(request.map(|body| Body::new(Limited::new(body, limit)))).await
}

/// What has to be known of a request to refuse it here, where no route is known and the request may be gone.
struct Asked {
    is_admin: bool,
    headers: [(HeaderName, Option<HeaderValue>); 4],
}

impl Asked {
    fn of(request: &Request) -> Self {
        let names = [header::ACCEPT, header::ACCEPT_LANGUAGE, header::ORIGIN, REQUEST_ID];
        let headers = names.map(|name| {
            let value = request.headers().get(&name).cloned();
            (name, value)
        });
        let rest = request.uri().path().strip_prefix(admin::PATH);
        Self { is_admin: rest.is_some_and(|rest| rest.starts_with('/')), headers }
    }

    /// The admin API says what is wrong in its own way; everybody else is answered in the form that they can read.
    fn refuse(self, config: &Config, error: OAuthError) -> Response {
        if self.is_admin {
            return Problem::from(error).into_response();
        }
        let headers = self.headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let mut response = error_page::answer(config, &headers, error);
        cors::open_refusal(&config.server, &headers, response.headers_mut());
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::to_bytes;
    use axum::routing::{get, post};
    use bytes::Bytes;
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;

    async fn panics() {
        panic!("with a secret")
    }

    fn served(change: impl FnOnce(&mut Config)) -> Router {
        let mut config = Config::default();
        config.server.max_body_bytes = 10;
        config.server.request_timeout = Duration::from_millis(20);
        change(&mut config);
        let router = Router::new()
            .route("/panic", get(panics))
            .route("/slow", get(|| tokio::time::sleep(Duration::from_secs(60))))
            .route("/echo", post(|body: Bytes| async move { body }));
        around(router, &config, HttpMetrics::default(), Draining::default())
    }

    async fn send(
        router: Router,
        request: http::request::Builder,
        body: Body,
    ) -> (StatusCode, http::HeaderMap, String) {
        let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, 4096).await.unwrap();
        (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_answer_has_an_id_of_ours() {
        let request = Request::get("/nowhere").header(REQUEST_ID, "forged");
        let (status, headers, _) = send(served(|_| {}), request, Body::empty()).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(headers[REQUEST_ID].len(), 22);
    }

    #[tokio::test]
    async fn a_panic_is_answered_without_its_message() {
        let (status, headers, body) = send(served(|_| {}), Request::get("/panic"), Body::empty()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.starts_with(r#"{"error":"server_error""#) && !body.contains("secret"), "{body}");
        assert!(headers.contains_key(REQUEST_ID));
    }

    #[tokio::test]
    async fn a_slow_request_is_an_outage() {
        let (status, headers, _) = send(served(|_| {}), Request::get("/slow"), Body::empty()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(headers.contains_key(header::RETRY_AFTER));
    }

    #[tokio::test]
    async fn a_large_body_is_refused_whether_or_not_it_says_so() {
        let exact = send(served(|_| {}), Request::post("/echo"), Body::from("0123456789")).await;
        assert_eq!((exact.0, exact.2.as_str()), (StatusCode::OK, "0123456789"));
        let announced = Request::post("/echo").header(header::CONTENT_LENGTH, "11");
        assert_eq!(send(served(|_| {}), announced, Body::from("01234567890")).await.0, StatusCode::PAYLOAD_TOO_LARGE);
        let chunks = futures_util::stream::iter(["012345", "67890"].map(Ok::<_, std::io::Error>));
        let streamed = send(served(|_| {}), Request::post("/echo"), Body::from_stream(chunks)).await;
        assert_eq!(streamed.0, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_browser_is_shown_a_page_whatever_the_layers_refuse() {
        for (request, expected) in [
            (Request::get("/panic"), StatusCode::INTERNAL_SERVER_ERROR),
            (Request::get("/slow"), StatusCode::SERVICE_UNAVAILABLE),
            (Request::post("/echo").header(header::CONTENT_LENGTH, "11"), StatusCode::PAYLOAD_TOO_LARGE),
        ] {
            let request = request.header(header::ACCEPT, "text/html").header(header::ACCEPT_LANGUAGE, "de");
            let (status, headers, body) = send(served(|_| {}), request, Body::empty()).await;
            assert_eq!(status, expected);
            assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{expected}");
            let support_id = headers[REQUEST_ID].to_str().unwrap();
            assert!(body.contains(r#"lang="de""#) && body.contains(support_id), "{body}");
            assert!(!body.contains("with a secret"), "{body}");
            assert_eq!(headers.contains_key(header::RETRY_AFTER), status == StatusCode::SERVICE_UNAVAILABLE);
        }
    }

    #[tokio::test]
    async fn scripts_of_configured_origins_may_read_what_the_layers_refuse() {
        let server = |config: &mut Config| {
            config.server.cors_allowed_origins = vec!["https://app.example".into()];
        };
        for path in ["/panic", "/slow", "/echo"] {
            let ask = |origin| {
                let request = if path == "/echo" { Request::post(path) } else { Request::get(path) };
                let length = if path == "/echo" { "11" } else { "0" };
                request.header(header::CONTENT_LENGTH, length).header(header::ORIGIN, origin)
            };
            let (_, headers, body) = send(served(server), ask("https://app.example"), Body::empty()).await;
            assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://app.example", "{path}");
            assert_eq!(headers[header::VARY], "origin");
            assert!(body.starts_with(r#"{"error":""#), "{body}");
            let (_, headers, _) = send(served(server), ask("https://evil.example"), Body::empty()).await;
            assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{path}");
            assert_eq!(headers[header::VARY], "origin", "a cache must not give this one to the other");
        }
    }

    #[tokio::test]
    async fn only_development_looks_at_the_host() {
        let to = |host| Request::get("/nowhere?a=b").header(header::HOST, host);
        let dev = || served(|config| config.installation = Installation::Dev);
        assert_eq!(send(dev(), to("localhost:8000"), Body::empty()).await.0, StatusCode::NOT_FOUND);
        assert_eq!(send(dev(), to("evil.example"), Body::empty()).await.0, StatusCode::MISDIRECTED_REQUEST);
        let (status, headers, _) = send(dev(), to("127.0.0.1:8000"), Body::empty()).await;
        assert_eq!(status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(headers[header::LOCATION], "http://localhost:8000/nowhere?a=b");
        assert_eq!(send(served(|_| {}), to("evil.example"), Body::empty()).await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn every_answer_says_how_it_may_be_used() {
        let panics = get(async || -> StatusCode { panic!("as a handler of ours must not") });
        let router = Router::new().route("/", get(async || "x")).route("/panic", panics);
        let router = around(router, &Config::default(), HttpMetrics::default(), Draining::default());
        for (path, length, status) in
            [("/", "0", 200), ("/nothing", "0", 404), ("/panic", "0", 500), ("/", "99999999", 413)]
        {
            let request = Request::get(path).header(header::CONTENT_LENGTH, length).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            let headers = response.headers();
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
            assert_eq!(headers[header::REFERRER_POLICY], "no-referrer", "{path}");
            assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{path}");
            assert!(
                headers.contains_key(header::CONTENT_SECURITY_POLICY) && headers.contains_key(REQUEST_ID),
                "{path}"
            );
        }
    }
}
