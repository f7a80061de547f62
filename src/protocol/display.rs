//! The `display` parameter (OpenID Connect Core section 3.1.2.1): what kind of page the client makes room for.
//!
//! It is a wish: what is not known is no error. `wap` is for telephones that read no HTML, so it is not among ours.

use serde::{Deserialize, Serialize};

/// A kind of page that ours are good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Display {
    /// A full page.
    #[default]
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

    /// The kind that a client wishes for; a full page if it does not say, or says something else.
    pub fn parse(value: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|display| value == Some(display.as_str())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_has_one_name_and_anything_else_is_a_full_page() {
        for display in Display::ALL {
            assert_eq!(Display::parse(Some(display.as_str())), display);
            assert_eq!(serde_json::to_value(display).unwrap(), display.as_str());
        }
        for other in [None, Some(""), Some("wap"), Some("Popup"), Some("popup touch")] {
            assert_eq!(Display::parse(other), Display::Page, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_wished_is_a_full_page_but_the_very_names_of_the_others(
            wish in prop_oneof![any::<String>(), "(popup|touch|page|wap|POPUP|Touch| |,){1,2}"],
        ) {
            let expected = match wish.as_str() {
                "popup" => Display::Popup,
                "touch" => Display::Touch,
                _ => Display::Page,
            };
            prop_assert_eq!(Display::parse(Some(&wish)), expected);
        }
    }
}
