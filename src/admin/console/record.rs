//! One thing, with links to what belongs to it: what is known of it, what it has, and what can be done with it.

use askama::Template;

use super::frame::Frame;
use super::link::Link;

/// The page.
#[derive(Template)]
#[template(path = "console/record.html", config = "src/http/pages/askama.toml")]
pub(super) struct RecordPage {
    /// The frame.
    pub(super) frame: Frame,
    /// What it is called.
    pub(super) title: String,
    /// The list that it is in: where, and its name.
    pub(super) back: (&'static str, &'static str),
    /// What is to be known first.
    pub(super) lede: String,
    /// How it stands, and the class of that.
    pub(super) badge: (&'static str, &'static str),
    /// What can be done.
    pub(super) tools: Vec<Tool>,
    /// What is known: a name, and its values.
    pub(super) facts: Vec<(&'static str, Vec<Link>)>,
    /// What it has.
    pub(super) lists: Vec<ShortList>,
}

/// Something that can be done.
pub(super) struct Tool {
    id: &'static str,
    path: String,
    label: &'static str,
    is_dangerous: bool,
}

/// The first few of a list.
pub(super) struct ShortList {
    /// Its id.
    pub(super) id: &'static str,
    /// What it holds.
    pub(super) title: &'static str,
    /// The things, each with what is to be known of it.
    pub(super) items: Vec<(Link, String)>,
    /// What is said if there are none.
    pub(super) none: &'static str,
    /// Where all of them are.
    pub(super) all: Option<String>,
    /// What can be done with all of them.
    pub(super) tools: Vec<Tool>,
}

impl Tool {
    /// The id of the link, where it leads, and what it is called.
    pub(super) fn new(id: &'static str, path: String, label: &'static str) -> Self {
        Self { id, path, label, is_dangerous: false }
    }

    /// Something stops working.
    pub(super) fn dangerous(self) -> Self {
        Self { is_dangerous: true, ..self }
    }
}

/// A fact with one value.
pub(super) fn fact(name: &'static str, value: impl Into<String>) -> (&'static str, Vec<Link>) {
    (name, vec![Link::plain(value)])
}

/// A fact with a line for each value.
pub(super) fn lines(
    name: &'static str,
    values: impl IntoIterator<Item = impl Into<String>>,
) -> (&'static str, Vec<Link>) {
    (name, values.into_iter().map(Link::plain).collect())
}
