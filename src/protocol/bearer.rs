//! How a bearer token is presented (RFC 6750 section 2): in the header or in the body, in exactly one of them.
//!
//! A token in the query is refused: URLs end in logs, histories and `Referer` headers (RFC 6750 section 5.3, OAuth 2.1
//! section 5.1).

use super::authorization_header::AuthorizationHeader;
use super::error::{Challenge, OAuthError};
use super::form::Form;

/// A bearer token as it came, not verified. It has no `Debug`: it is a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PresentedToken<'a>(&'a str);

impl<'a> PresentedToken<'a> {
    /// Finds the token of a request. `body` is its form, if it has one.
    pub fn collect(
        authorization: impl IntoIterator<Item = &'a [u8]>,
        query: &Form,
        body: Option<&'a Form>,
    ) -> Result<Self, OAuthError> {
        Self::find(authorization, query, body).map_err(|error| {
            let is_first = error.challenge() == Challenge::None;
            if is_first { error.with_challenge(Challenge::Bearer) } else { error }
        })
    }

    fn find(
        authorization: impl IntoIterator<Item = &'a [u8]>,
        query: &Form,
        body: Option<&'a Form>,
    ) -> Result<Self, OAuthError> {
        let header = AuthorizationHeader::collect(authorization)?;
        let in_body = body.map(|form| form.one("access_token")).transpose()?.flatten();
        if query.has("access_token") {
            return Err(OAuthError::invalid_request("an access token in the query is not accepted"));
        }
        let token = match (header, in_body) {
            // RFC 6750 section 2: clients must not use more than one method.
            (Some(_), Some(_)) => return Err(OAuthError::invalid_request("the access token was sent in two ways")),
            (Some(header), None) => header.credentials("Bearer"),
            (None, in_body) => in_body,
        };
        match token {
            None => {
                Err(OAuthError::invalid_token("an access token is required").with_challenge(Challenge::BearerMissing))
            }
            Some("") => Err(OAuthError::invalid_request("the Authorization header has no token")),
            Some(token) if is_b64token(token) => Ok(Self(token)),
            Some(_) => Err(OAuthError::invalid_token("the access token is malformed")),
        }
    }

    /// The token.
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

/// RFC 6750 section 2.1.
fn is_b64token(token: &str) -> bool {
    let digits = token.trim_end_matches('=');
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::error::ErrorCode;

    fn collect(headers: &[&str], query: &str, body: Option<&str>) -> Result<String, (ErrorCode, Challenge)> {
        let query = Form::parse(query.as_bytes()).unwrap();
        let body = body.map(|body| Form::parse(body.as_bytes()).unwrap());
        PresentedToken::collect(headers.iter().map(|header| header.as_bytes()), &query, body.as_ref())
            .map(|token| token.as_str().to_owned())
            .map_err(|error| (error.code(), error.challenge()))
    }

    #[test]
    fn the_examples_of_rfc_6750_section_2() {
        assert_eq!(collect(&["Bearer mF_9.B5f-4.1JqM"], "", None), Ok("mF_9.B5f-4.1JqM".into()));
        assert_eq!(collect(&[], "", Some("access_token=mF_9.B5f-4.1JqM")), Ok("mF_9.B5f-4.1JqM".into()));
    }

    #[test]
    fn the_scheme_is_case_insensitive() {
        assert_eq!(collect(&["bEARER abc=="], "", None), Ok("abc==".into()));
    }

    #[test]
    fn a_request_without_a_token_learns_no_error_code() {
        let missing = Err((ErrorCode::InvalidToken, Challenge::BearerMissing));
        assert_eq!(collect(&[], "", None), missing);
        assert_eq!(collect(&[], "", Some("access_token=")), missing);
        assert_eq!(collect(&["Basic eDp5"], "", None), missing);
    }

    #[test]
    fn a_token_must_not_be_sent_in_two_ways() {
        let refused = Err((ErrorCode::InvalidRequest, Challenge::Bearer));
        assert_eq!(collect(&["Bearer abc"], "", Some("access_token=abc")), refused);
        assert_eq!(collect(&["Bearer abc", "Bearer abc"], "", None), refused);
        assert_eq!(collect(&[], "", Some("access_token=abc&access_token=abc")), refused);
    }

    #[test]
    fn a_token_in_the_query_is_refused() {
        let refused = Err((ErrorCode::InvalidRequest, Challenge::Bearer));
        assert_eq!(collect(&[], "access_token=abc", None), refused);
        assert_eq!(collect(&["Bearer abc"], "access_token=abc", None), refused);
    }

    #[test]
    fn a_malformed_token_is_refused() {
        assert_eq!(collect(&["Bearer"], "", None), Err((ErrorCode::InvalidRequest, Challenge::Bearer)));
        for header in ["Bearer a b", "Bearer a,b", "Bearer =", "Bearer a=b", "Bearer \u{e9}"] {
            assert_eq!(collect(&[header], "", None), Err((ErrorCode::InvalidToken, Challenge::Bearer)), "{header}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(header in any::<Vec<u8>>()) {
            let _ = PresentedToken::collect([header.as_slice()], &Form::default(), None).map(|token| token.as_str().len());
        }

        #[test]
        fn header_and_body_agree(token in "[A-Za-z0-9._~+/-]{1,40}={0,2}") {
            let body = crate::protocol::form::encode([("access_token", token.as_str())]);
            prop_assert_eq!(collect(&[&format!("Bearer {token}")], "", None), Ok(token.clone()));
            prop_assert_eq!(collect(&[], "", Some(&body)), Ok(token));
        }
    }
}
