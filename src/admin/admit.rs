//! Who is let through. It stands in front of every endpoint, so that none can forget it, and an endpoint without a rule
//! lets nobody through.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::caller::Caller;
use super::endpoint::{Access, Rule};
use crate::app::App;
use crate::flow::bearer::{PossessedToken, ResourceRequest};
use crate::http::browser::Browser;
use crate::http::client_certificate::ClientCertificate;
use crate::http::headers::dpop_nonce;
use crate::http::problem::{Problem, ProblemType};
use crate::protocol::bearer::PresentedToken;
use crate::protocol::error::Challenge;
use crate::protocol::form::Form;

/// What the layer needs.
#[derive(Clone)]
pub(super) struct Gate {
    /// The server.
    pub(super) app: App,
    /// Every rule.
    pub(super) rules: Arc<Vec<Rule>>,
}

/// Lets a request through with its [`Caller`], or answers with the problem.
pub(super) async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let rule = gate.find(&parts)?;
    let (caller, nonce) = who(&gate.app, &mut parts).await?;
    rule.access.check(&caller)?;
    // Where there are parameters, those that are unknown are refused as they are read.
    if !rule.has_query && parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(Problem::invalid_parameter("the endpoint takes no parameters in the query"));
    }
    parts.extensions.insert(caller);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    response.headers_mut().extend(dpop_nonce(nonce.as_deref()));
    Ok(response)
}

impl Gate {
    /// The rule of the endpoint.
    pub(super) fn find(&self, parts: &Parts) -> Result<&Rule, Problem> {
        let path = parts.extensions.get::<MatchedPath>().ok_or_else(no_rule)?.as_str();
        // The router answers a HEAD with the handler of GET.
        let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
        self.rules.iter().find(|rule| rule.path == path && rule.method == method).ok_or_else(no_rule)
    }
}

impl Access {
    /// Refuses a caller that lacks what is needed.
    pub(super) fn check(self, caller: &Caller) -> Result<(), Problem> {
        match self {
            Self::Scope(scope) if !caller.scopes.allow(scope) => Err(Problem::insufficient_scope(scope)),
            Self::Scope(_) => Ok(()),
        }
    }
}

fn no_rule() -> Problem {
    Problem::new(ProblemType::Forbidden).with_detail("no rule says who may call this endpoint")
}

/// Who calls, and the nonce for their next proof (RFC 9449 section 8.2) if there is one to be told.
async fn who(app: &App, parts: &mut Parts) -> Result<(Caller, Option<String>), Problem> {
    let now = app.clock.now();
    let browser = Browser::from_request_parts(parts, app).await;
    let browser = browser.map_err(|_| Problem::new(ProblemType::Internal).with_detail("the caller has no address"))?;
    if !parts.headers.contains_key(AUTHORIZATION) {
        let caller = Caller::of_session(app, &browser, &parts.headers, parts.method.is_safe(), now).await?;
        return Ok((caller, None));
    }
    // Of two identities one would be used that the caller did not mean.
    if browser.session.has_cookie() {
        return Err(Problem::new(ProblemType::TwoCredentials));
    }
    let certificate = ClientCertificate::from_request_parts(parts, app).await?;
    let values = parts.headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    let query = Form::parse(parts.uri.query().unwrap_or_default().as_bytes())?;
    let token = PresentedToken::collect(values, &query, None)
        .map_err(|error| Problem::unauthenticated(error.challenge() != Challenge::BearerMissing).with_source(error))?;
    let request = ResourceRequest {
        method: &parts.method,
        path: parts.uri.path(),
        headers: &parts.headers,
        certificate: certificate.as_ref(),
    };
    let token = PossessedToken::verify(app, token, &request, now)?;
    let nonce = token.next_nonce().map(ToOwned::to_owned);
    Ok((Caller::of_token(app, token, browser.origin(), now).await?, nonce))
}
