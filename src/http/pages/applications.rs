//! The applications that a person asks to register.

use askama::Template;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::catalogue::Messages;
use super::view::{PersonView, Site};

/// The person's requests, and the form for another one.
#[derive(Clone, Copy, Template)]
#[template(path = "applications.html", config = "src/http/pages/askama.toml")]
pub struct ApplicationsPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// The token that shows that the form came from us.
    pub csrf: &'a str,
    /// Who asks.
    pub person: &'a PersonView,
    /// What they asked for, newest first.
    pub requests: &'a [RequestView],
    /// Credentials, told this once.
    pub credentials: Option<&'a CredentialsView>,
    /// What was typed before.
    pub typed: &'a TypedRequest,
    /// Why that was not asked for.
    pub problems: &'a [RequestProblem],
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestView {
    /// Its identifier.
    pub id: String,
    /// The name of the application.
    pub name: String,
    /// How it stands.
    pub state: RequestState,
    /// When it was made.
    pub since: NaiveDate,
    /// What whoever decided said.
    pub note: Option<String>,
    /// The client that came of it.
    pub client_id: Option<String>,
}

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// Nobody has decided yet.
    Open,
    /// The credentials can be fetched.
    Approved,
    /// There will be none.
    Refused,
    /// The credentials were fetched.
    Delivered,
}

/// Credentials of a new client.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialsView {
    /// Its identifier.
    pub client_id: String,
    /// Its secret; absent for a client that has none.
    pub client_secret: Option<String>,
}

/// What was typed into the form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypedRequest {
    /// The name of the application.
    pub name: String,
    /// The word of where it runs: `server`, `browser`, `installed`.
    pub kind: String,
    /// Its redirect URIs, one on each line.
    pub redirect_uris: String,
    /// What it is for.
    pub reason: String,
}

/// Why a request was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestProblem {
    /// No name, or a very long one.
    Name,
    /// An address is missing, or is none that answers may go to.
    RedirectUris,
    /// Nothing is said of what it is for, or very much.
    Reason,
    /// Too many requests wait already.
    TooMany,
    /// What was to be changed or fetched is not there any more.
    Gone,
}

impl RequestView {
    fn state_text(&self, m: &Messages) -> &'static str {
        let m = &m.applications;
        match self.state {
            RequestState::Open => m.open,
            RequestState::Approved => m.approved,
            RequestState::Refused => m.refused,
            RequestState::Delivered => m.delivered,
        }
    }

    fn since_text(&self, m: &Messages) -> String {
        m.applications.since.with(&(m.date)(self.since))
    }
}

impl RequestProblem {
    fn text(self, m: &Messages) -> &'static str {
        let m = &m.applications;
        match self {
            Self::Name => m.wrong_name,
            Self::RedirectUris => m.wrong_redirect_uris,
            Self::Reason => m.wrong_reason,
            Self::TooMany => m.too_many,
            Self::Gone => m.gone,
        }
    }
}

impl ApplicationsPage<'_> {
    fn is_wrong(&self, problem: RequestProblem) -> bool {
        self.problems.contains(&problem)
    }

    fn kinds(&self) -> [(&'static str, &'static str); 3] {
        let m = &self.site.m.applications;
        [("server", m.on_server), ("browser", m.in_browser), ("installed", m.installed)]
    }
}
