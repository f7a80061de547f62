//! Choosing a password.

use std::time::Duration;

use askama::Template;
use serde::{Deserialize, Serialize};

use super::catalogue::Messages;
use super::view::{PersonView, Site};

/// Asks for a new password, twice.
#[derive(Clone, Copy, Template)]
#[template(path = "password.html", config = "src/http/pages/askama.toml")]
pub struct PasswordPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// The token that shows that the form came from us.
    pub csrf: &'a str,
    /// Whose password it will be.
    pub person: &'a PersonView,
    /// Why it is asked for.
    pub occasion: Occasion<'a>,
    /// The fewest characters.
    pub min_length: usize,
    /// Why the last try did not work.
    pub problem: Option<PasswordProblem>,
}

/// Why a password is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion<'a> {
    /// The first one, with this ticket.
    Invitation(&'a str),
    /// Another one, with this ticket.
    Reset(&'a str),
    /// Another one, by whoever has the one before.
    Change,
}

/// Why a password was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PasswordProblem {
    /// A field was empty.
    Missing,
    /// The two are not the same.
    Different,
    /// It has fewer characters than that.
    TooShort(usize),
    /// It is longer than any password.
    TooLong,
    /// It is among those that are tried first.
    Common,
    /// It is little more than the username.
    LikeUsername,
    /// The password before is another one.
    Unproven,
    /// Too many tries.
    Throttled(Duration),
    /// The server hashes as many passwords as it can.
    Busy,
}

/// What there is to say when no password is asked for any more.
#[derive(Clone, Copy, Template)]
#[template(path = "password_end.html", config = "src/http/pages/askama.toml")]
pub struct PasswordEndPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// What happened.
    pub end: PasswordEnd,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordEnd {
    /// The password is stored, and the person signs in with it next.
    Chosen,
    /// The password is stored, and the person is signed in here with it.
    Changed,
    /// The link does not work, or does no longer.
    Over,
}

impl PasswordPage<'_> {
    fn heading(&self) -> &'static str {
        let m = &self.site.m.password;
        match self.occasion {
            Occasion::Invitation(_) => m.invitation_title,
            Occasion::Reset(_) => m.reset_title,
            Occasion::Change => m.change_title,
        }
    }

    fn lede(&self) -> &'static str {
        let m = &self.site.m.password;
        match self.occasion {
            Occasion::Invitation(_) => m.invitation,
            Occasion::Reset(_) => m.reset,
            Occasion::Change => m.change,
        }
    }

    fn ticket(&self) -> Option<&str> {
        match self.occasion {
            Occasion::Invitation(ticket) | Occasion::Reset(ticket) => Some(ticket),
            Occasion::Change => None,
        }
    }

    fn hint(&self) -> String {
        self.site.m.password.hint.with(&self.min_length.to_string())
    }
}

impl PasswordEndPage<'_> {
    fn heading(&self) -> &'static str {
        let m = &self.site.m.password;
        match self.end {
            PasswordEnd::Chosen | PasswordEnd::Changed => m.done_title,
            PasswordEnd::Over => m.over_title,
        }
    }

    fn explanation(&self) -> &'static str {
        let m = &self.site.m.password;
        match self.end {
            PasswordEnd::Chosen => m.chosen,
            PasswordEnd::Changed => m.changed,
            PasswordEnd::Over => m.over,
        }
    }

    fn id(&self) -> &'static str {
        match self.end {
            PasswordEnd::Chosen | PasswordEnd::Changed => "password-done",
            PasswordEnd::Over => "password-over",
        }
    }
}

impl PasswordProblem {
    fn text(self, m: &Messages) -> String {
        match self {
            Self::Missing => m.password.missing.into(),
            Self::Different => m.password.different.into(),
            Self::TooShort(least) => m.password.too_short.with(&least.to_string()),
            Self::TooLong => m.password.too_long.into(),
            Self::Common => m.password.common.into(),
            Self::LikeUsername => m.password.like_username.into(),
            Self::Unproven => m.password.unproven.into(),
            Self::Throttled(wait) => format!("{} {}.", m.login.throttled, (m.login.wait)(wait.as_secs())),
            Self::Busy => m.password.busy.into(),
        }
    }
}
