//! The error page: what happened in the person's words, and below it what support needs.

use askama::Template;

use super::view::{Link, Site};
use crate::protocol::error::OAuthError;

/// Says that something did not work.
#[derive(Clone, Copy, Template)]
#[template(path = "error.html", config = "src/http/pages/askama.toml")]
pub struct ErrorPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// What the person is told.
    pub kind: ErrorKind,
    /// The registered code.
    pub code: &'a str,
    /// The fixed description, in English.
    pub description: &'a str,
    /// What finds the request in the log; empty when there is none.
    pub support_id: &'a str,
    /// Where to go from here.
    pub back: Option<&'a Link>,
}

/// What an error is to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The application asked for something impossible.
    Request,
    /// They may not.
    Denied,
    /// There is no such page.
    NotFound,
    /// Too much was asked from where they are.
    Busy,
    /// A part of the server is down.
    Unavailable,
    /// A fault of ours.
    Server,
    /// The attempt is unknown, or another browser's.
    Lost,
    /// The attempt was completed before.
    Finished,
    /// A form did not come from our page.
    Forged,
}

impl ErrorKind {
    /// What `error` is to a person.
    pub fn of(error: &OAuthError) -> Self {
        match error.status() {
            403 => Self::Denied,
            404 => Self::NotFound,
            429 => Self::Busy,
            503 => Self::Unavailable,
            500.. => Self::Server,
            _ => Self::Request,
        }
    }
}

impl ErrorPage<'_> {
    fn heading(&self) -> &'static str {
        let m = &self.site.m.error;
        match self.kind {
            ErrorKind::Request => m.request_title,
            ErrorKind::Denied => m.denied_title,
            ErrorKind::NotFound => m.not_found_title,
            ErrorKind::Busy => m.busy_title,
            ErrorKind::Unavailable => m.unavailable_title,
            ErrorKind::Server => m.server_title,
            ErrorKind::Lost => m.lost_title,
            ErrorKind::Finished => m.finished_title,
            ErrorKind::Forged => m.forged_title,
        }
    }

    fn explanation(&self) -> &'static str {
        let m = &self.site.m.error;
        match self.kind {
            ErrorKind::Request => m.request,
            ErrorKind::Denied => m.denied,
            ErrorKind::NotFound => m.not_found,
            ErrorKind::Busy => m.busy,
            ErrorKind::Unavailable => m.unavailable,
            ErrorKind::Server => m.server,
            ErrorKind::Lost => m.lost,
            ErrorKind::Finished => m.finished,
            ErrorKind::Forged => m.forged,
        }
    }

    fn back_text(&self, link: &Link) -> String {
        let m = &self.site.m.error;
        if link.name.is_empty() { m.again.to_owned() } else { m.back_to.with(&link.name) }
    }
}
