//! How an [`OAuthError`] is sent when it is answered directly (RFC 6749 section 5.2, RFC 6750 section 3), and how a failure
//! is logged.

use std::error::Error;

use axum::Extension;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::headers::DPOP_NONCE;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::dpop;
use crate::protocol::error::{Challenge, OAuthError};

/// What both challenges call the protected space (RFC 9110 section 11.5).
const REALM: &str = "ostiary";

/// The code of the error that a response tells, for whoever counts: an extension of the response.
#[derive(Clone, Copy, Debug)]
pub struct FailureCode(pub &'static str);

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        log_failure(&self);
        let code = Extension(FailureCode(self.code().as_str()));
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        if let Some(challenge) = challenge(&self) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = self.dpop_nonce().and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
            headers.insert(DPOP_NONCE, nonce);
        }
        if let Some(wait) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        // RFC 6750 section 3.1: who sent no token learns no error code, in the body neither.
        if matches!(self.challenge(), Challenge::BearerMissing | Challenge::PlainBearerMissing) {
            return (status, headers, code).into_response();
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = json!({"error": self.code().as_str(), "error_description": self.detail()});
        (status, headers, code, body.to_string()).into_response()
    }
}

/// Writes a failure to the log, where it becomes a response: [`IntoResponse`] does it, and so must whoever sends the error
/// as a redirect or a page. Codes and our own words only; nothing that a caller sent.
pub fn log_failure(error: &OAuthError) {
    let (code, status, cause) = (error.code().as_str(), error.status(), error.source().map(chain));
    let cause = cause.as_deref();
    if status >= 500 {
        tracing::error!(error.code = code, status, cause, "{}", error.description());
    } else {
        tracing::info!(error.code = code, status, cause, "{}", error.description());
    }
}

fn challenge(error: &OAuthError) -> Option<HeaderValue> {
    let dpop_anew = || format!(r#"DPoP realm="{REALM}", {}"#, dpop_algs());
    let challenges = match error.challenge() {
        Challenge::None => return None,
        // RFC 7617 section 2.1.
        Challenge::Basic => vec![format!(r#"Basic realm="{REALM}", charset="UTF-8""#)],
        Challenge::Bearer => vec![bearer(error)],
        Challenge::BearerScope(scope) => vec![format!(r#"{}, scope="{scope}""#, bearer(error))],
        Challenge::BearerMissing => vec![format!(r#"Bearer realm="{REALM}""#), dpop_anew()],
        Challenge::PlainBearerMissing => vec![format!(r#"Bearer realm="{REALM}""#)],
        Challenge::BearerBound => vec![bearer(error), dpop_anew()],
        Challenge::Dpop => vec![format!("{}, {}", with_error("DPoP", error), dpop_algs())],
        Challenge::DpopScope(scope) => {
            vec![format!(r#"{}, {}, scope="{scope}""#, with_error("DPoP", error), dpop_algs())]
        }
    };
    let more: String =
        error.challenge_parameters().iter().map(|(name, value)| format!(r#", {name}="{value}""#)).collect();
    let challenges: Vec<String> = challenges.into_iter().map(|challenge| challenge + &more).collect();
    HeaderValue::try_from(challenges.join(", ")).ok()
}

fn bearer(error: &OAuthError) -> String {
    with_error("Bearer", error)
}

/// Codes and descriptions contain no `"` and no `\`.
fn with_error(scheme: &str, error: &OAuthError) -> String {
    let (code, description) = (error.code().as_str(), error.description());
    format!(r#"{scheme} realm="{REALM}", error="{code}", error_description="{description}""#)
}

/// RFC 9449 section 7.1: the algorithms of proofs.
pub fn dpop_algs() -> String {
    format!(r#"algs="{}""#, dpop::ALGS.map(SigningAlg::as_str).join(" "))
}

fn chain(cause: &(dyn Error + 'static)) -> String {
    let mut text = cause.to_string();
    let mut next = cause.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::protocol::error::ErrorCode;
    use crate::storage::StoreError;

    async fn sent(error: OAuthError) -> (StatusCode, HeaderMap, String) {
        let (parts, body) = error.into_response().into_parts();
        let body = axum::body::to_bytes(body, 4096).await.unwrap();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn an_error_is_json_that_must_not_be_stored() {
        let (status, headers, body) = sent(OAuthError::invalid_grant("the code has expired")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(headers[CONTENT_TYPE], "application/json");
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        assert_eq!(headers[PRAGMA], "no-cache");
        assert!(!headers.contains_key(WWW_AUTHENTICATE) && !headers.contains_key(RETRY_AFTER));
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({"error": "invalid_grant", "error_description": "the code has expired"})
        );
    }

    #[tokio::test]
    async fn invalid_client_with_basic_must_carry_a_challenge() {
        let error = OAuthError::invalid_client("client authentication failed").with_challenge(Challenge::Basic);
        let (status, headers, body) = sent(error).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(headers[WWW_AUTHENTICATE], r#"Basic realm="ostiary", charset="UTF-8""#);
        assert!(body.contains("invalid_client"));
    }

    #[tokio::test]
    async fn a_protected_resource_repeats_the_error_in_its_challenge() {
        let error = OAuthError::new(ErrorCode::InvalidToken, "the token has expired").with_challenge(Challenge::Bearer);
        let (status, headers, _) = sent(error).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(
            headers[WWW_AUTHENTICATE],
            r#"Bearer realm="ostiary", error="invalid_token", error_description="the token has expired""#
        );
    }

    #[tokio::test]
    async fn insufficient_scope_names_the_scope_that_is_needed() {
        let error = OAuthError::insufficient_scope("more is needed").with_challenge(Challenge::BearerScope("openid"));
        let (status, headers, _) = sent(error).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(
            headers[WWW_AUTHENTICATE],
            r#"Bearer realm="ostiary", error="insufficient_scope", error_description="more is needed", scope="openid""#
        );
    }

    #[tokio::test]
    async fn who_sent_no_token_learns_no_error_code() {
        let error = OAuthError::invalid_token("an access token is required").with_challenge(Challenge::BearerMissing);
        let (status, headers, body) = sent(error).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(
            headers[WWW_AUTHENTICATE],
            r#"Bearer realm="ostiary", DPoP realm="ostiary", algs="PS256 ES256 EdDSA""#
        );
        assert_eq!(body, "");
        let error = OAuthError::invalid_token("a token is required").with_challenge(Challenge::PlainBearerMissing);
        let (status, headers, body) = sent(error).await;
        assert_eq!((status, body.as_str()), (StatusCode::UNAUTHORIZED, ""));
        assert_eq!(headers[WWW_AUTHENTICATE], r#"Bearer realm="ostiary""#);
    }

    #[tokio::test]
    async fn what_is_told_does_not_grow_with_what_was_sent() {
        let long = "x".repeat(100_000);
        let error = OAuthError::invalid_token("no").with_detail(&long).with_challenge(Challenge::Bearer);
        let (_, headers, body) = sent(error.with_challenge_parameter("scope", &long)).await;
        assert!(body.len() < 1200 && body.contains("xx ..."), "{body}");
        assert_eq!(
            headers[WWW_AUTHENTICATE],
            r#"Bearer realm="ostiary", error="invalid_token", error_description="no""#
        );
        let (_, _, body) = sent(OAuthError::invalid_token("no").with_detail(&long[..1024])).await;
        assert!(body.contains(&long[..1024]), "{body}");
    }

    #[tokio::test]
    async fn rfc_9449_section_9_a_resource_that_wants_a_nonce_says_so_with_401() {
        let error = OAuthError::use_dpop_nonce("use the nonce").with_dpop_nonce("n-1");
        let (status, headers, _) = sent(error.clone()).await;
        assert_eq!((status, &headers["dpop-nonce"]), (StatusCode::BAD_REQUEST, &HeaderValue::from_static("n-1")));
        let (status, headers, _) = sent(error.with_challenge(Challenge::Dpop)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let challenge = r#"DPoP realm="ostiary", error="use_dpop_nonce", error_description="use the nonce", algs="PS256 ES256 EdDSA""#;
        assert_eq!(headers[WWW_AUTHENTICATE], challenge);
        assert_eq!(headers.get_all("dpop-nonce").iter().count(), 1);
    }

    #[tokio::test]
    async fn an_outage_is_503_with_retry_after_and_tells_no_cause() {
        let error = OAuthError::from(StoreError::unavailable("connection to 10.0.0.7 refused"));
        let (status, headers, body) = sent(error).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(headers[RETRY_AFTER], "5");
        assert!(body.contains("temporarily_unavailable") && !body.contains("10.0.0.7"));
        let (_, headers, _) = sent(OAuthError::access_denied("too many attempts").with_status(429)).await;
        assert_eq!(headers[RETRY_AFTER], "5");
    }

    /// What is logged while `error` becomes a response.
    fn logged(error: OAuthError) -> String {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let make_writer = move || writer.try_clone().unwrap();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(make_writer).finish();
        tracing::subscriber::with_default(subscriber, || drop(error.into_response()));
        std::io::read_to_string(&mut reader).unwrap()
    }

    #[test]
    fn a_failure_is_logged_once_at_its_level() {
        let refusal = logged(OAuthError::invalid_grant("the code has expired"));
        assert_eq!(refusal.lines().count(), 1, "{refusal}");
        assert!(refusal.contains(" INFO ") && refusal.contains("invalid_grant"), "{refusal}");
        let outage = logged(StoreError::unavailable(std::io::Error::other("connection refused")).into());
        assert_eq!(outage.lines().count(), 1, "{outage}");
        assert!(outage.contains("ERROR ") && outage.contains("connection refused"), "{outage}");
    }

    #[test]
    fn the_log_gets_every_cause() {
        let error = StoreError::unavailable(std::io::Error::other("connection refused"));
        assert_eq!(chain(&error), "the store is unavailable: connection refused");
    }
}
