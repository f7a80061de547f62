//! The page on which a person sees which applications wait for their decision (OpenID Connect CIBA).

use askama::Template;
use serde::{Deserialize, Serialize};

use super::catalogue::Messages;
use super::consent::DetailView;
use super::view::{ClientView, PersonView, Site, Text};

/// What waits, each with a button to look at it and one to refuse it at once.
#[derive(Clone, Copy, Template)]
#[template(path = "requests.html", config = "src/http/pages/askama.toml")]
pub struct RequestsPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// The token that shows that the form came from us.
    pub csrf: &'a str,
    /// Who is asked.
    pub person: &'a PersonView,
    /// What waits, the oldest first.
    pub requests: &'a [PendingView],
    /// What became of the form that was sent before.
    pub remark: Option<RequestsRemark>,
}

/// A request that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingView {
    /// Its identifier.
    pub id: String,
    /// Who asks.
    pub client: ClientView,
    /// What the person compares with what the application shows.
    pub binding_message: Option<String>,
    /// What it may do, in sentences.
    pub scopes: Vec<Text>,
    /// Where, by name.
    pub resources: Vec<Text>,
    /// What it may do in particular (RFC 9396).
    pub details: Vec<DetailView>,
    /// Whether it may go on when the person has signed out.
    pub is_offline: bool,
    /// The seconds after which it ends by itself.
    pub ends_in: u64,
}

/// What became of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestsRemark {
    /// It was refused.
    Refused,
    /// It was decided elsewhere, or its time was over.
    Gone,
}

impl PendingView {
    fn ends_text(&self, m: &Messages) -> String {
        m.requests.ends.with(&(m.login.wait)(self.ends_in))
    }
}

impl RequestsRemark {
    fn text(self, m: &Messages) -> &'static str {
        match self {
            Self::Refused => m.requests.refused,
            Self::Gone => m.requests.gone,
        }
    }
}
