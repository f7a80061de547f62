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
use crate::http::client_ip::ClientIp;
use crate::http::problem::{Problem, ProblemType};
use crate::model::audit::Origin;
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
    let access = gate
        .find(&parts)
        .ok_or_else(|| Problem::new(ProblemType::Forbidden).with_detail("no rule says who may call this endpoint"))?;
    let caller = who(&gate.app, &mut parts).await?;
    match access {
        Access::Scope(scope) if !caller.scopes.allow(scope) => return Err(Problem::insufficient_scope(scope)),
        Access::Scope(_) => {}
    }
    parts.extensions.insert(caller);
    Ok(next.run(Request::from_parts(parts, body)).await)
}

impl Gate {
    fn find(&self, parts: &Parts) -> Option<Access> {
        let path = parts.extensions.get::<MatchedPath>()?.as_str();
        // The router answers a HEAD with the handler of GET.
        let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
        self.rules.iter().find(|rule| rule.path == path && rule.method == method).map(|rule| rule.access)
    }
}

async fn who(app: &App, parts: &mut Parts) -> Result<Caller, Problem> {
    let now = app.clock.now();
    let browser = Browser::from_request_parts(parts, app).await;
    let browser = browser.map_err(|_| Problem::new(ProblemType::Internal).with_detail("the caller has no address"))?;
    let ip = ClientIp::from_request_parts(parts, app).await.ok().map(|ip| ip.0);
    let origin = Origin { ip, request_id: Some(browser.support_id.clone()) };
    if !parts.headers.contains_key(AUTHORIZATION) {
        let request = (&parts.headers, parts.method.is_safe());
        return Caller::of_session(app, &browser, request, origin, now).await;
    }
    // Of two identities one would be used that the caller did not mean.
    if browser.session.has_cookie() {
        return Err(Problem::new(ProblemType::TwoCredentials));
    }
    let values = parts.headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    let query = Form::parse(parts.uri.query().unwrap_or_default().as_bytes())?;
    let token = PresentedToken::collect(values, &query, None)
        .map_err(|error| Problem::unauthenticated(false).with_source(error))?;
    Caller::of_token(app, token.as_str(), origin, now).await
}
