//! How the admin API says what went wrong: problem details (RFC 9457), one table from type to status and title.
//!
//! The types are stable: programs may tell problems apart by them, and by nothing else.

// The kinds of problems.
mod kind;

use std::error::Error;
use std::sync::Arc;

use axum::Extension;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

pub use self::kind::ProblemType;
use super::headers::dpop_nonce;
use super::oauth_error::dpop_algs;
use crate::keys::master_key::SealError;
use crate::model::admin_scope::AdminScope;
use crate::protocol::error::{Challenge, OAuthError};
use crate::storage::StoreError;

const REALM: &str = "ostiary-admin";

/// Seconds after which a caller may try again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// How many things that are wrong are told, and the longest text of one, in characters: an answer must not grow with what was sent.
const MOST_TOLD: usize = 100;
const LONGEST_TEXT: usize = 512;

/// One thing that is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Violation {
    /// Where: a JSON pointer (RFC 6901) into the body.
    pub pointer: String,
    /// What.
    pub detail: String,
}

impl Violation {
    /// `detail` is wrong at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }

    fn shortened(&self) -> Self {
        Self { pointer: shortened(&self.pointer), detail: shortened(&self.detail) }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{} ...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A problem, on its way to the caller. Descriptions are ours; of what the caller sent they repeat names only.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: ProblemType,
    detail: Option<String>,
    errors: Vec<Violation>,
    challenge: Option<String>,
    dpop_nonce: Option<String>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The document (RFC 9457 section 3.1).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemDocument {
    /// The URI of the type.
    #[serde(rename = "type")]
    kind: String,
    /// What the type is called.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What is special about this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What is wrong with the body, all at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    errors: Vec<Violation>,
}

impl Problem {
    /// A problem of that type.
    pub fn new(kind: ProblemType) -> Self {
        Self { kind, detail: None, errors: Vec::new(), challenge: None, dpop_nonce: None, source: None }
    }

    /// The same with what is special about it.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same with its cause, for the log only.
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What is wrong with a body.
    pub fn invalid_body(mut errors: Vec<Violation>) -> Self {
        errors.sort();
        Self { errors, ..Self::new(ProblemType::InvalidBody) }
    }

    /// The same, said of a body in which what was wrong stands below `pointer`.
    pub fn below(mut self, pointer: &str) -> Self {
        for error in &mut self.errors {
            error.pointer.insert_str(0, pointer);
        }
        self
    }

    /// A parameter of the path, the query or a header.
    pub fn invalid_parameter(detail: impl Into<String>) -> Self {
        Self::new(ProblemType::InvalidParameter).with_detail(detail)
    }

    /// There is no such thing.
    pub fn not_found() -> Self {
        Self::new(ProblemType::NotFound)
    }

    /// Nobody we know. RFC 6750 section 3.1: who sent no token learns no error code.
    pub fn unauthenticated(had_token: bool) -> Self {
        let code = if had_token { r#", error="invalid_token""# } else { "" };
        Self { challenge: Some(format!(r#"Bearer realm="{REALM}"{code}"#)), ..Self::new(ProblemType::Unauthenticated) }
    }

    /// A token or a proof that was refused (RFC 6750 section 3.1, RFC 9449 section 7.1).
    fn refused_token(error: OAuthError) -> Self {
        let (code, description, algs) = (error.code().as_str(), error.description(), dpop_algs());
        let (is_bound, is_proven) = match error.challenge() {
            Challenge::BearerBound => (true, false),
            Challenge::Dpop | Challenge::DpopScope(_) => (false, true),
            Challenge::None
            | Challenge::Basic
            | Challenge::Bearer
            | Challenge::BearerScope(_)
            | Challenge::BearerMissing
            | Challenge::PlainBearerMissing => (false, false),
        };
        let mut problem = Self::unauthenticated(true);
        if is_proven {
            let challenge =
                format!(r#"DPoP realm="{REALM}", error="{code}", error_description="{description}", {algs}"#);
            problem = Self { challenge: Some(challenge), ..problem }.with_detail(description);
        } else if is_bound {
            let challenge = format!(r#"Bearer realm="{REALM}", error="{code}", DPoP realm="{REALM}", {algs}"#);
            problem = Self { challenge: Some(challenge), ..problem }.with_detail(description);
        }
        problem.dpop_nonce = error.dpop_nonce().map(ToOwned::to_owned);
        problem.with_source(error)
    }

    /// The token lacks `scope`.
    pub fn insufficient_scope(scope: AdminScope) -> Self {
        let name = scope.name();
        let challenge = format!(r#"Bearer realm="{REALM}", error="insufficient_scope", scope="{name}""#);
        Self { challenge: Some(challenge), ..Self::new(ProblemType::InsufficientScope) }
            .with_detail(format!("the scope {name} is needed"))
    }

    /// The person has to sign in again, at most `max_age` seconds before (RFC 9470 section 3).
    pub fn insufficient_user_authentication(max_age: i64) -> Self {
        let challenge =
            format!(r#"Bearer realm="{REALM}", error="insufficient_user_authentication", max_age="{max_age}""#);
        Self { challenge: Some(challenge), ..Self::new(ProblemType::InsufficientUserAuthentication) }
            .with_detail(format!("sign in again: it may be {max_age} seconds ago at most"))
    }

    /// The type.
    pub fn kind(&self) -> ProblemType {
        self.kind
    }

    /// What is special about it.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// What is wrong with the body.
    pub fn errors(&self) -> &[Violation] {
        &self.errors
    }

    fn log(&self) {
        let (kind, status) = (self.kind.entry().0, self.kind.status());
        let cause = self.source.as_ref().map(|source| {
            let mut text = source.to_string();
            let mut cause = source.source();
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            text
        });
        if status >= 500 {
            tracing::error!(problem = kind, status, cause, "the admin API failed");
        } else {
            tracing::info!(problem = kind, status, cause, "the admin API refused");
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.log();
        let status = StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) =
            self.challenge.as_ref().and_then(|challenge| HeaderValue::try_from(challenge.as_str()).ok())
        {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        headers.extend(dpop_nonce(self.dpop_nonce.as_deref()));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, RETRY_SECONDS);
        }
        let document = ProblemDocument {
            kind: self.kind.uri(),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: self.detail.as_deref().map(shortened),
            errors: self.errors.iter().take(MOST_TOLD).map(Violation::shortened).collect(),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        // The console tells people the same on a page.
        (status, headers, Extension(self), body).into_response()
    }
}

/// An outage is never "not found": whoever believed that would make the thing again.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Unavailable(_) => ProblemType::Unavailable,
            StoreError::Conflict(_) | StoreError::Corrupt(_) => ProblemType::Internal,
        };
        Self::new(kind).with_source(error)
    }
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        Self::new(ProblemType::Internal).with_source(error)
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        Self::new(ProblemType::Internal).with_source(error)
    }
}

/// For what the admin API shares with the protocol endpoints.
impl From<OAuthError> for Problem {
    fn from(error: OAuthError) -> Self {
        let kind = match error.status() {
            401 => return Self::refused_token(error),
            413 => ProblemType::BodyTooLarge,
            415 => ProblemType::UnsupportedMediaType,
            503 => ProblemType::Unavailable,
            400..=499 => ProblemType::InvalidParameter,
            _ => ProblemType::Internal,
        };
        let detail = error.description();
        Self::new(kind).with_detail(detail).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_type_has_a_name_of_its_own_and_a_status_of_an_error() {
        let uris: HashSet<_> = ProblemType::ALL.map(ProblemType::uri).into();
        assert_eq!(uris.len(), ProblemType::ALL.len());
        assert!(ProblemType::ALL.iter().all(|kind| (400..600).contains(&kind.status())));
    }

    #[tokio::test]
    async fn a_problem_is_sent_as_a_document_with_its_challenge() {
        let scope = crate::model::admin_scope::AdminArea::Users.full();
        let response = Problem::insufficient_scope(scope).into_response();
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let challenge = r#"Bearer realm="ostiary-admin", error="insufficient_scope", scope="admin:users""#;
        assert_eq!(response.headers()[WWW_AUTHENTICATE], challenge);
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({
            "type": "urn:ostiary:problem:insufficient-scope", "title": "The access token lacks a scope", "status": 403,
            "detail": "the scope admin:users is needed",
        });
        assert_eq!(document, expected);
    }

    #[tokio::test]
    async fn what_is_told_does_not_grow_with_what_was_sent() {
        let long = "\u{e4}".repeat(100_000);
        let problem = Problem::invalid_body(vec![Violation::new(&long, "unknown"); 1000]).with_detail(&long);
        let body = axum::body::to_bytes(problem.into_response().into_body(), 1 << 20).await.unwrap();
        let document: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["detail"], format!("{} ...", "\u{e4}".repeat(512)));
        assert_eq!(document["errors"].as_array().unwrap().len(), 100);
        assert!(body.len() < 200_000, "{}", body.len());
    }
}
