//! Who asks for a page, and what they typed: left in the request by the gate.

use std::ops::Deref;
use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::response::Response;
use chrono::{DateTime, Utc};
use http::StatusCode;
use http::request::Parts;

use super::frame::{Frame, Room};
use crate::admin::caller::Caller;
use crate::admin::idempotency::IdempotencyKey;
use crate::admin::precondition::Expected;
use crate::app::App;
use crate::http::browser::{Browser, Csp};
use crate::http::pages::html;
use crate::http::pages::view::{PersonView, Site};
use crate::http::problem::Problem;
use crate::http::remark;
use crate::protocol::form::Form;
use crate::random;

/// A request that was let in.
#[derive(Clone)]
pub(super) struct Visit(Arc<Visitor>);

/// What is known of it.
pub(super) struct Visitor {
    /// The browser.
    pub(super) browser: Arc<Browser>,
    /// The administrator, for the operations.
    pub(super) caller: Caller,
    /// The administrator, as pages greet them.
    pub(super) person: PersonView,
    /// The server.
    pub(super) site: Site,
    /// What forms carry.
    pub(super) csrf: String,
    /// The path that was asked for.
    pub(super) path: String,
    /// The same with its query.
    pub(super) here: String,
    /// The parameters in the query.
    pub(super) query: Form,
    /// What was typed; its CSRF token is verified.
    pub(super) form: Form,
    /// When.
    pub(super) now: DateTime<Utc>,
}

impl Visit {
    pub(super) fn new(visitor: Visitor) -> Self {
        Self(Arc::new(visitor))
    }

    /// What every page of `room` shows, with what is to be said after a form.
    pub(super) async fn frame(&self, app: &App, room: Room) -> Result<Frame, Problem> {
        let said: Option<String> = remark::take(app, &self.browser, &self.path, self.now).await?;
        Ok(Frame::new(self, room, said))
    }

    /// Shows a page.
    pub(super) fn page(&self, page: &impl Template) -> Response {
        self.page_with(StatusCode::OK, page)
    }

    /// Shows a page that refuses something.
    pub(super) fn page_with(&self, status: StatusCode, page: &impl Template) -> Response {
        self.browser.page(status, html(page), &Csp::default())
    }

    /// After a form: sends the browser to `path`, where `said` is said once.
    pub(super) async fn go_on(&self, app: &App, path: &str, said: impl Into<String>) -> Result<Response, Problem> {
        let about = path.split('?').next().unwrap_or_default();
        remark::keep(app, &self.browser, about, &said.into(), self.now).await?;
        Ok(self.browser.redirect(&app.url(path)))
    }

    /// What was typed into a field; empty if nothing was.
    pub(super) fn typed(&self, name: &str) -> Result<&str, Problem> {
        Ok(self.form.one(name)?.unwrap_or_default())
    }

    /// A parameter in the query, if it has a value.
    pub(super) fn asked(&self, name: &str) -> Result<Option<&str>, Problem> {
        Ok(self.query.one(name)?)
    }

    /// The state that the form was shown in.
    pub(super) fn expected(&self) -> Result<Expected, Problem> {
        // What we never wrote matches nothing.
        Ok(Expected::Revision(self.typed("revision")?.parse().ok().filter(|revision| *revision > 0).unwrap_or(0)))
    }

    /// The key with which the page of a form was made, so that sending it again gets the same answer.
    pub(super) fn key(&self, app: &App) -> Result<Option<IdempotencyKey>, Problem> {
        Ok(IdempotencyKey::of_form(app, self.typed("key")?, &self.path, &self.form))
    }

    /// A key for a form that makes something.
    pub(super) fn new_key() -> String {
        format!("console.{}", random::id())
    }
}

impl Deref for Visit {
    type Target = Visitor;

    fn deref(&self) -> &Visitor {
        &self.0
    }
}

/// The gate left it there.
impl FromRequestParts<App> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::unauthenticated(false))
    }
}
