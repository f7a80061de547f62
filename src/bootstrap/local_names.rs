//! The names that a development server answers to.
//!
//! Every page that a browser opens can send requests to this machine under a name of its own (DNS rebinding); what holds
//! them off is that the `Host` header then carries that name. The other names of this machine are sent to the issuer's:
//! cookies and passkeys belong to one name.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::header;
use url::Url;

use crate::config::server::is_loopback;
use crate::protocol::error::OAuthError;

/// The issuer's origin and its host with port.
#[derive(Clone, Debug)]
pub struct LocalNames {
    origin: Arc<str>,
    authority: Arc<str>,
}

/// What becomes of a request by the name it used.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Ours,
    OtherLoopback,
    Foreign,
}

impl LocalNames {
    /// Those of `issuer`.
    pub fn of(issuer: &str) -> Self {
        let origin = issuer.trim_end_matches('/');
        let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
        Self { origin: origin.into(), authority: authority.into() }
    }

    fn standing_of(&self, authority: &str) -> Standing {
        if authority.eq_ignore_ascii_case(&self.authority) {
            return Standing::Ours;
        }
        match Url::parse(&format!("http://{authority}/")) {
            Ok(url) if is_loopback(&url) => Standing::OtherLoopback,
            _ => Standing::Foreign,
        }
    }
}

/// Answers requests under the issuer's name, redirects those under other loopback names, refuses the rest.
pub async fn answer_local_names(State(names): State<LocalNames>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(|authority| authority.as_str()).or(host).unwrap_or_default();
    match names.standing_of(authority) {
        Standing::Ours => next.run(request).await,
        Standing::OtherLoopback => {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            Redirect::temporary(&format!("{}{path}", names.origin)).into_response()
        }
        Standing::Foreign => OAuthError::invalid_request("this development server answers only under its own name")
            .with_status(421)
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_issuer_is_ours_and_only_loopback_is_redirected() {
        let names = LocalNames::of("http://localhost:8000");
        assert_eq!(names.standing_of("localhost:8000"), Standing::Ours);
        assert_eq!(names.standing_of("LOCALHOST:8000"), Standing::Ours);
        for loopback in ["127.0.0.1:8000", "[::1]:8000", "ostiary.localhost:8000", "localhost", "127.0.0.1:9000"] {
            assert_eq!(names.standing_of(loopback), Standing::OtherLoopback, "{loopback}");
        }
        for foreign in ["", "evil.example:8000", "localhost.evil.example", "10.0.0.1:8000", "user@evil", "a b"] {
            assert_eq!(names.standing_of(foreign), Standing::Foreign, "{foreign}");
        }
    }
}
