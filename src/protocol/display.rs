//! The `display` parameter (OpenID Connect Core section 3.1.2.1): what kind of page the client makes room for.
//!
//! It is a wish, and our pages fit themselves to whatever room there is; so nothing has to be read from it, and what is not
//! known is no error.

/// A kind of page that ours are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// A full page.
    Page,
    /// A small window.
    Popup,
    /// A touch screen.
    Touch,
}

impl Display {
    /// Every kind, in the order in which discovery lists them.
    pub const ALL: [Self; 3] = [Self::Page, Self::Popup, Self::Touch];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Popup => "popup",
            Self::Touch => "touch",
        }
    }
}
