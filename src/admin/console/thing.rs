//! One thing: what is known of it, and what can be done with it.

use askama::Template;

use super::frame::Frame;

/// The page.
#[derive(Template)]
#[template(path = "console/thing.html", config = "src/http/pages/askama.toml")]
pub(super) struct ThingPage {
    /// The frame.
    pub(super) frame: Frame,
    /// What it is called.
    pub(super) title: String,
    /// The list that it is in.
    pub(super) back: (&'static str, &'static str),
    /// What is to be known first.
    pub(super) lede: String,
    /// How it stands, and the class of that.
    pub(super) badge: Option<(&'static str, &'static str)>,
    /// What can be done.
    pub(super) tools: Vec<Tool>,
    /// What is known: a name, and one line for each value.
    pub(super) facts: Vec<(&'static str, Vec<String>)>,
}

/// Something that can be done.
pub(super) struct Tool {
    /// The id of its link.
    pub(super) id: &'static str,
    /// Where its page is.
    pub(super) path: String,
    /// What it is called.
    pub(super) label: &'static str,
    /// Whether something stops working.
    pub(super) is_dangerous: bool,
}

impl Tool {
    pub(super) fn new(id: &'static str, path: String, label: &'static str) -> Self {
        Self { id, path, label, is_dangerous: false }
    }

    pub(super) fn dangerous(self) -> Self {
        Self { is_dangerous: true, ..self }
    }
}
