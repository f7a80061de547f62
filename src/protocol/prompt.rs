//! The `prompt` parameter (OpenID Connect Core section 3.1.2.1): what the person must, or must not, be asked.

use serde::{Deserialize, Serialize};

use super::error::OAuthError;

/// One thing that the person must be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Nothing at all: no page may be shown.
    None,
    /// To sign in, even when they are.
    Login,
    /// For consent, even when it is remembered.
    Consent,
    /// Which account.
    SelectAccount,
}

impl Prompt {
    /// Every value, in the order in which discovery lists them.
    pub const ALL: [Self; 4] = [Self::None, Self::Login, Self::Consent, Self::SelectAccount];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
        }
    }

    /// The value with that registered name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|prompt| prompt.as_str() == name)
    }
}

/// Reads the set that was sent, in the order sent.
///
/// A value that we do not know is refused: it may ask for a page that we would leave out.
pub fn parse(list: Option<&str>) -> Result<Vec<Prompt>, OAuthError> {
    let mut prompts = Vec::new();
    for name in list.unwrap_or_default().split(' ').filter(|name| !name.is_empty()) {
        let prompt = Prompt::from_name(name)
            .ok_or_else(|| OAuthError::invalid_request("prompt has a value that is not supported"))?;
        if !prompts.contains(&prompt) {
            prompts.push(prompt);
        }
    }
    if prompts.len() > 1 && prompts.contains(&Prompt::None) {
        return Err(OAuthError::invalid_request("prompt none stands alone"));
    }
    Ok(prompts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::error::ErrorCode;

    #[test]
    fn a_set_is_read() {
        assert!(parse(None).unwrap().is_empty());
        assert_eq!(parse(Some("none")).unwrap(), [Prompt::None]);
        assert_eq!(parse(Some("login consent login")).unwrap(), [Prompt::Login, Prompt::Consent]);
        assert_eq!(parse(Some("select_account")).unwrap(), [Prompt::SelectAccount]);
    }

    #[test]
    fn none_with_any_other_value_is_refused() {
        for list in ["none login", "consent none", "none other"] {
            assert_eq!(parse(Some(list)).unwrap_err().code(), ErrorCode::InvalidRequest, "{list}");
        }
    }

    #[test]
    fn an_unknown_value_is_refused() {
        for list in ["create", "Login", "login,consent"] {
            assert_eq!(parse(Some(list)).unwrap_err().code(), ErrorCode::InvalidRequest, "{list}");
        }
    }

    #[test]
    fn the_stored_names_are_the_registered_ones() {
        for prompt in Prompt::ALL {
            assert_eq!(serde_json::to_value(prompt).unwrap(), prompt.as_str());
        }
    }

    proptest! {
        #[test]
        fn never_panics(list in any::<String>()) {
            let _ = parse(Some(&list));
        }

        #[test]
        fn the_set_does_not_depend_on_repeats(
            names in prop::collection::vec(prop::sample::select(vec!["login", "consent", "select_account"]), 0..8),
        ) {
            let once = parse(Some(&names.join(" "))).unwrap();
            let again: Vec<&str> = once.iter().map(|prompt| prompt.as_str()).collect();
            prop_assert_eq!(parse(Some(&again.join(" "))).unwrap(), once);
        }
    }
}
