//! The choice between the account that is signed in and another one.

use askama::Template;

use super::view::{ClientView, Guard, PersonView, Site};

/// Asks which account to go on with.
#[derive(Clone, Copy, Template)]
#[template(path = "select_account.html", config = "src/http/pages/askama.toml")]
pub struct SelectAccountPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// What the form carries.
    pub form: Guard<'a>,
    /// Who sent the person here.
    pub client: &'a ClientView,
    /// Who is signed in.
    pub person: &'a PersonView,
    /// Their subject: the answer counts for nobody else, whoever is signed in when it comes.
    pub account: &'a str,
}
