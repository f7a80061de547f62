//! A question before something that breaks what people use, or that cannot be taken back.

use askama::Template;
use axum::response::Response;

use super::field::view::GroupView;
use super::frame::Frame;
use super::visit::Visit;

/// The question.
#[derive(Template)]
#[template(path = "console/confirmation.html", config = "src/http/pages/askama.toml")]
pub(super) struct Confirmation {
    /// The frame.
    pub(super) frame: Frame,
    /// The question, in a few words.
    pub(super) title: String,
    /// What it is about.
    pub(super) subject: String,
    /// What will be different, one sentence each.
    pub(super) consequences: Vec<String>,
    /// What else is asked.
    pub(super) groups: Vec<GroupView>,
    /// Where the form goes; the page itself stands there.
    pub(super) action: String,
    /// What the form carries.
    pub(super) hidden: Vec<(&'static str, String)>,
    /// What the button says.
    pub(super) button: &'static str,
    /// Whether something stops working.
    pub(super) is_dangerous: bool,
    /// Where to go instead.
    pub(super) back: String,
}

impl Confirmation {
    /// Asks.
    pub(super) fn ask(&self, visit: &Visit) -> Response {
        visit.page(self)
    }
}
