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
use crate::http::browser::Browser;
use crate::http::problem::{Problem, ProblemType};
use crate::protocol::bearer::PresentedToken;
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
    let access = gate.find(&parts)?;
    let caller = who(&gate.app, &mut parts).await?;
    access.check(&caller)?;
    parts.extensions.insert(caller);
    Ok(next.run(Request::from_parts(parts, body)).await)
}

impl Gate {
    /// The rule of the endpoint.
    pub(super) fn find(&self, parts: &Parts) -> Result<Access, Problem> {
        let path = parts.extensions.get::<MatchedPath>().ok_or_else(no_rule)?.as_str();
        // The router answers a HEAD with the handler of GET.
        let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
        let rule = self.rules.iter().find(|rule| rule.path == path && rule.method == method);
        rule.map(|rule| rule.access).ok_or_else(no_rule)
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

async fn who(app: &App, parts: &mut Parts) -> Result<Caller, Problem> {
    let now = app.clock.now();
    let browser = Browser::from_request_parts(parts, app).await;
    let browser = browser.map_err(|_| Problem::new(ProblemType::Internal).with_detail("the caller has no address"))?;
    if !parts.headers.contains_key(AUTHORIZATION) {
        return Caller::of_session(app, &browser, &parts.headers, parts.method.is_safe(), now).await;
    }
    // Of two identities one would be used that the caller did not mean.
    if browser.session.has_cookie() {
        return Err(Problem::new(ProblemType::TwoCredentials));
    }
    let values = parts.headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    let query = Form::parse(parts.uri.query().unwrap_or_default().as_bytes())?;
    let token = PresentedToken::collect(values, &query, None)
        .map_err(|error| Problem::unauthenticated(false).with_source(error))?;
    Caller::of_token(app, token.as_str(), browser.origin(), now).await
}
