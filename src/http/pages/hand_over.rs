//! A page between a form and another site.

use askama::Template;

use super::view::Site;

/// Goes on to another site: by itself, or by its button.
#[derive(Clone, Copy, Template)]
#[template(path = "hand_over.html", config = "src/http/pages/askama.toml")]
pub struct HandOverPage<'a> {
    /// The server.
    pub site: &'a Site,
    /// Where it goes on.
    pub location: &'a str,
    /// The same in few words.
    pub returns_to: &'a str,
}
