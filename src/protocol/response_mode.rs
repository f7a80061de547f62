//! The `response_mode` parameter: how the authorization response travels (OAuth 2.0 Multiple Response Type Encoding
//! Practices section 2.1, OAuth 2.0 Form Post Response Mode), and whether it is signed (JARM section 2.3).

use serde::{Deserialize, Serialize};

use super::error::OAuthError;

/// A way to send the authorization response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of the redirect URI: the default for a code.
    #[default]
    Query,
    /// In its fragment.
    Fragment,
    /// In the body of a POST that the browser makes.
    FormPost,
    /// As a JWT in the default way of the response type, which for a code is the query.
    Jwt,
    /// As a JWT in the query.
    #[serde(rename = "query.jwt")]
    QueryJwt,
    /// As a JWT in the fragment.
    #[serde(rename = "fragment.jwt")]
    FragmentJwt,
    /// As a JWT in the body of a POST.
    #[serde(rename = "form_post.jwt")]
    FormPostJwt,
}

/// Where the parameters of a response are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the query of the redirect URI.
    Query,
    /// In its fragment.
    Fragment,
    /// In a form that the browser posts to it.
    Form,
}

impl ResponseMode {
    /// Every mode, in the order in which discovery lists them.
    pub const ALL: [Self; 7] =
        [Self::Query, Self::Fragment, Self::FormPost, Self::Jwt, Self::QueryJwt, Self::FragmentJwt, Self::FormPostJwt];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
            Self::Jwt => "jwt",
            Self::QueryJwt => "query.jwt",
            Self::FragmentJwt => "fragment.jwt",
            Self::FormPostJwt => "form_post.jwt",
        }
    }

    /// Where the parameters go.
    pub fn place(self) -> Place {
        match self {
            Self::Query | Self::Jwt | Self::QueryJwt => Place::Query,
            Self::Fragment | Self::FragmentJwt => Place::Fragment,
            Self::FormPost | Self::FormPostJwt => Place::Form,
        }
    }

    /// Whether they are inside of a JWT (JARM).
    pub fn is_signed(self) -> bool {
        matches!(self, Self::Jwt | Self::QueryJwt | Self::FragmentJwt | Self::FormPostJwt)
    }

    /// The mode with that registered name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    /// Reads what was sent; nothing sent is the default. An error can only be answered in the default mode.
    pub fn parse(sent: Option<&str>) -> Result<Self, OAuthError> {
        match sent {
            None => Ok(Self::default()),
            Some(name) => {
                Self::from_name(name).ok_or_else(|| OAuthError::invalid_request("response_mode is not supported"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::error::ErrorCode;

    #[test]
    fn nothing_sent_is_query() {
        assert_eq!(ResponseMode::parse(None).unwrap(), ResponseMode::Query);
    }

    #[test]
    fn every_mode_is_read_by_its_registered_name() {
        for mode in ResponseMode::ALL {
            assert_eq!(ResponseMode::parse(Some(mode.as_str())).unwrap(), mode);
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
    }

    #[test]
    fn an_unknown_mode_is_refused() {
        for name in ["JWT", "Query", "code.jwt", "form-post", "web_message"] {
            assert_eq!(ResponseMode::parse(Some(name)).unwrap_err().code(), ErrorCode::InvalidRequest, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_mode_is_read_only_by_the_very_text_of_its_name(
            name in prop_oneof![any::<String>(), "(query|fragment|form_post|QUERY|Fragment| |\\.|jwt){1,3}"],
        ) {
            let registered = ["query", "fragment", "form_post", "jwt", "query.jwt", "fragment.jwt", "form_post.jwt"];
            let expected = registered.into_iter().find(|registered| *registered == name);
            match ResponseMode::parse(Some(&name)) {
                Ok(mode) => prop_assert_eq!(Some(mode.as_str()), expected),
                Err(error) => prop_assert_eq!((error.code(), expected), (ErrorCode::InvalidRequest, None)),
            }
        }
    }
}
