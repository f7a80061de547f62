//! The pages as a table: the router and the rules of who is let in come from the same lines, so that no page can be without
//! a rule. A form stands at the address that it is sent to: whoever has to sign in before it counts finds it there again.

use axum::Router;
use axum::handler::Handler;
use axum::routing::get;
use http::Method;

use crate::admin::endpoint::{Access, Rule};
use crate::app::App;
use crate::model::admin_scope::AdminScope;

/// The table while it is being written.
#[derive(Default)]
pub(super) struct Pages {
    router: Router<App>,
    rules: Vec<Rule>,
}

impl Pages {
    /// The pages of one file.
    pub(super) fn with(self, add: fn(Self) -> Self) -> Self {
        add(self)
    }

    /// A page to look at.
    pub(super) fn page<H, T>(mut self, path: &'static str, scope: AdminScope, show: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        self.router = self.router.route(path, get(show));
        self.rules.push(Rule { method: Method::GET, path, access: Access::Scope(scope), has_query: true });
        self
    }

    /// A page with a form, and what happens when it is sent.
    pub(super) fn form<H, T, K, U>(mut self, path: &'static str, scope: AdminScope, show: H, submit: K) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
        K: Handler<U, App>,
        U: 'static,
    {
        self.router = self.router.route(path, get(show).post(submit));
        self.rules.extend([Method::GET, Method::POST].map(|method| Rule {
            method,
            path,
            access: Access::Scope(scope),
            has_query: true,
        }));
        self
    }

    /// The router and the rules.
    pub(super) fn into_parts(self) -> (Router<App>, Vec<Rule>) {
        (self.router, self.rules)
    }
}
