//! The question before a sign-out, and what is said afterwards (OpenID Connect RP-Initiated Logout section 2).

use askama::Template;

use super::view::{Link, PersonView, Site};

/// Asks whether to sign out.
#[derive(Clone, Copy, Template)]
#[template(path = "logout_question.html", config = "src/http/pages/askama.toml")]
pub struct LogoutQuestionPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// Where the form goes.
    pub action: &'a str,
    /// The token that shows that the form came from us.
    pub csrf: &'a str,
    /// Who asks, when known.
    pub client_name: Option<&'a str>,
    /// Who would be signed out, when known.
    pub person: Option<&'a PersonView>,
    /// What the form repeats of the request, as names and values.
    pub fields: &'a [(&'static str, String)],
}

/// Says that the person is signed out, or that nothing was changed.
#[derive(Clone, Copy, Template)]
#[template(path = "logged_out.html", config = "src/http/pages/askama.toml")]
pub struct LoggedOutPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// Whether the person chose to stay.
    pub is_kept: bool,
    /// The addresses that tell applications (OpenID Connect Front-Channel Logout section 2), loaded in frames.
    pub frames: &'a [String],
    /// Where to go on: followed by itself once the frames have loaded.
    pub go_on: Option<&'a Link>,
}

impl LoggedOutPage<'_> {
    fn heading(&self) -> &'static str {
        if self.is_kept { self.site.m.logout.kept_title } else { self.site.m.logout.done_title }
    }
}
