//! A list as a table, with what it can be narrowed to.

use askama::Template;

use super::frame::Frame;
use super::link::Link;
use super::listing::Listing;

/// The page.
#[derive(Template)]
#[template(path = "console/sheet.html", config = "src/http/pages/askama.toml")]
pub(super) struct SheetPage {
    /// The frame.
    pub(super) frame: Frame,
    /// What is listed.
    pub(super) title: &'static str,
    /// What is to be known of it.
    pub(super) lede: &'static str,
    /// How another one is made: the id of the link, its address and its words.
    pub(super) new: Option<(&'static str, &'static str, &'static str)>,
    /// Where the list is.
    pub(super) path: &'static str,
    /// What it can be narrowed to.
    pub(super) filters: Vec<Filter>,
    /// The id of the table.
    pub(super) id: &'static str,
    /// What the table holds, in which order.
    pub(super) caption: &'static str,
    /// The columns, and whether only wide screens have them.
    pub(super) columns: Vec<(&'static str, bool)>,
    /// A cell for each column.
    pub(super) rows: Vec<Vec<Cell>>,
    /// What is said in place of an empty table.
    pub(super) none: &'static str,
    /// The other pages.
    pub(super) listing: Listing,
}

/// A parameter of the list.
pub(super) struct Filter {
    name: &'static str,
    label: &'static str,
    value: String,
    /// The words to choose from, and what they mean; none: a text is typed.
    choices: Vec<(&'static str, &'static str)>,
}

/// What stands in a row.
pub(super) struct Cell {
    link: Link,
    badge: Option<&'static str>,
    is_wide: bool,
}

impl Filter {
    /// A text.
    pub(super) fn text(name: &'static str, label: &'static str, value: Option<&str>) -> Self {
        Self { name, label, value: value.unwrap_or_default().to_owned(), choices: Vec::new() }
    }

    /// One of some words; the first is that of a list that nobody narrowed.
    pub(super) fn choice(
        name: &'static str,
        label: &'static str,
        value: Option<&str>,
        choices: Vec<(&'static str, &'static str)>,
    ) -> Self {
        Self { choices, ..Self::text(name, label, value) }
    }
}

impl Cell {
    pub(super) fn of(link: Link) -> Self {
        Self { link, badge: None, is_wide: false }
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::of(Link::plain(text))
    }

    /// A state, and its class.
    pub(super) fn badge((text, class): (&'static str, &'static str)) -> Self {
        Self { badge: Some(class), ..Self::text(text) }
    }

    /// Only on wide screens, as its column.
    pub(super) fn wide(self) -> Self {
        Self { is_wide: true, ..self }
    }
}
