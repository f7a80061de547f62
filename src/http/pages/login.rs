//! The sign-in page.

use std::time::Duration;

use askama::Template;
use serde::{Deserialize, Serialize};

use super::catalogue::Messages;
use super::view::{ClientView, Guard, Site};
use crate::http::return_to;

/// Asks for a username and a password.
#[derive(Clone, Copy, Template)]
#[template(path = "login.html", config = "src/http/pages/askama.toml")]
pub struct LoginPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// What the form carries.
    pub form: Guard<'a>,
    /// Who sent the person here; absent when they came for their own account.
    pub client: Option<&'a ClientView>,
    /// The page that the person wants to see afterwards; absent when they came for their own account.
    pub return_to: Option<&'a str>,
    /// What is already known of the username.
    pub username: &'a str,
    /// Whether the person is signed in and must prove it again.
    pub is_again: bool,
    /// Why the page is shown, when that is not plain.
    pub notice: Option<LoginNotice>,
    /// Why the last try did not work.
    pub problem: Option<LoginProblem>,
}

/// Why a sign-in page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoginNotice {
    /// The attempt had expired and began anew.
    Expired,
    /// Someone else is signed in than the application asks for.
    OtherAccount,
}

/// Why a sign-in did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoginProblem {
    /// Unknown user, wrong password, disabled account: one sentence.
    Refused,
    /// A field was empty.
    Missing,
    /// Too many tries.
    Throttled(Duration),
    /// The server hashes as many passwords as it can.
    Busy,
}

impl LoginPage<'_> {
    fn heading(&self) -> &'static str {
        if self.is_again { self.site.m.login.reauthenticate_title } else { self.site.m.login.title }
    }

    fn own_lede(&self) -> &'static str {
        let m = &self.site.m.login;
        match (self.return_to.is_some_and(return_to::is_console), self.is_again) {
            (false, _) => m.to_account,
            (true, false) => m.to_console,
            (true, true) => m.to_console_again,
        }
    }
}

impl LoginNotice {
    fn text(self, m: &Messages) -> &'static str {
        match self {
            Self::Expired => m.login.expired,
            Self::OtherAccount => m.login.other_account,
        }
    }
}

impl LoginProblem {
    fn text(self, m: &Messages) -> String {
        match self {
            Self::Refused => m.login.refused.into(),
            Self::Missing => m.login.missing.into(),
            Self::Throttled(wait) => format!("{} {}.", m.login.throttled, (m.login.wait)(wait.as_secs())),
            Self::Busy => m.login.busy.into(),
        }
    }
}
