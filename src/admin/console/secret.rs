//! A secret, told once: in the answer to the form that made it, and nowhere else. The same form sent again, by a reload,
//! gets the same answer for a day, because its page gave it a key.

use askama::Template;

use super::frame::Frame;

/// The page.
#[derive(Template)]
#[template(path = "console/secret.html", config = "src/http/pages/askama.toml")]
pub(super) struct SecretPage {
    /// The frame.
    pub(super) frame: Frame,
    /// What was done.
    pub(super) title: String,
    /// What is to be known of it.
    pub(super) note: &'static str,
    /// What goes with the secret: names and values.
    pub(super) facts: Vec<(&'static str, String)>,
    /// What it is called, and the secret; absent if there is none to tell.
    pub(super) secret: Option<(&'static str, String)>,
    /// Where to go on.
    pub(super) go_on: String,
}
