//! The consent page, and the page that lists the consents a person gave.

use askama::Template;
use chrono::NaiveDate;

use super::catalogue::Messages;
use super::view::{ClientView, Guard, PersonView, Site, Text};

/// Asks whether a client may do what it asked for.
#[derive(Clone, Copy, Template)]
#[template(path = "consent.html", config = "src/http/pages/askama.toml")]
pub struct ConsentPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// What the form carries.
    pub form: Guard<'a>,
    /// Who asks.
    pub client: &'a ClientView,
    /// The host that vouches for who it is, where nobody registered it.
    pub named_by: Option<&'a str>,
    /// Whether it registered itself, and nobody here has checked what it says.
    pub registered_itself: bool,
    /// Who is asked.
    pub person: &'a PersonView,
    /// Their subject: the answer counts for nobody else, whoever is signed in when it comes.
    pub account: &'a str,
    /// What it may do, in sentences.
    pub scopes: &'a [Text],
    /// Where, by name.
    pub resources: &'a [Text],
    /// What it may do in particular (RFC 9396).
    pub details: &'a [DetailView],
    /// Whether it may go on when the person has signed out.
    pub is_offline: bool,
    /// Whether a device waits for the answer, rather than a page at `returns_to`.
    pub is_device: bool,
    /// Whether a client waits whose person is elsewhere (OpenID Connect CIBA), rather than a page at `returns_to`.
    pub is_backchannel: bool,
    /// What the person compares with what that client shows.
    pub binding_message: Option<&'a str>,
    /// Where the answer goes.
    pub returns_to: &'a str,
    /// Where another account is chosen.
    pub switch_url: &'a str,
}

/// Something that is asked for in particular.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailView {
    /// What it is called.
    pub name: Text,
    /// What it is, in a sentence; without one the members say it.
    pub sentence: Option<Text>,
    /// Its members and what they say.
    pub members: Vec<(String, String)>,
}

/// The applications a person allowed, each with a button that withdraws it.
#[derive(Clone, Copy, Template)]
#[template(path = "consents.html", config = "src/http/pages/askama.toml")]
pub struct ConsentsPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// The token that shows that the form came from us.
    pub csrf: &'a str,
    /// Whose they are.
    pub person: &'a PersonView,
    /// What they allowed.
    pub consents: &'a [ConsentView],
    /// The name of the client that it was just withdrawn from.
    pub withdrawn: Option<&'a str>,
}

/// One consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentView {
    /// Who was allowed.
    pub client: ClientView,
    /// What, in sentences.
    pub scopes: Vec<Text>,
    /// Where, by name.
    pub resources: Vec<Text>,
    /// Whether also when the person has signed out.
    pub is_offline: bool,
    /// Since when.
    pub since: NaiveDate,
}

impl ConsentView {
    fn since_text(&self, m: &Messages) -> String {
        m.consents.since.with(&(m.date)(self.since))
    }
}
