//! How an access token is presented: as a bearer token in the header or in the body (RFC 6750 section 2), or in the header as
//! one that is bound to a key (RFC 9449 section 7.1); in exactly one of these ways.
//!
//! A token in the query is refused: URLs end in logs, histories and `Referer` headers (RFC 6750 section 5.3, OAuth 2.1
//! section 5.1).

use super::authorization_header::AuthorizationHeader;
use super::error::{Challenge, OAuthError};
use super::form::Form;

/// An access token as it came, not verified. It has no `Debug`: it is a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PresentedToken<'a> {
    token: &'a str,
    scheme: TokenScheme,
}

/// As what a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenScheme {
    /// Good in anybody's hands (RFC 6750).
    Bearer,
    /// Good with a proof of the key that it is bound to (RFC 9449 section 7.1).
    Dpop,
}

impl TokenScheme {
    /// The registered name, which is also that of the token type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }

    /// What a refusal says of how to do better.
    pub fn challenge(self) -> Challenge {
        match self {
            Self::Bearer => Challenge::Bearer,
            Self::Dpop => Challenge::Dpop,
        }
    }

    /// The same where `scope` is needed.
    pub fn challenge_for(self, scope: &'static str) -> Challenge {
        match self {
            Self::Bearer => Challenge::BearerScope(scope),
            Self::Dpop => Challenge::DpopScope(scope),
        }
    }
}

impl<'a> PresentedToken<'a> {
    /// Finds the token of a request. `body` is its form, if it has one.
    pub fn collect(
        authorization: impl IntoIterator<Item = &'a [u8]>,
        query: &Form,
        body: Option<&'a Form>,
    ) -> Result<Self, OAuthError> {
        let mut scheme = TokenScheme::Bearer;
        Self::find(authorization, query, body, &mut scheme).map_err(|error| {
            let is_first = error.challenge() == Challenge::None;
            if is_first { error.with_challenge(scheme.challenge()) } else { error }
        })
    }

    fn find(
        authorization: impl IntoIterator<Item = &'a [u8]>,
        query: &Form,
        body: Option<&'a Form>,
        scheme: &mut TokenScheme,
    ) -> Result<Self, OAuthError> {
        let header = AuthorizationHeader::collect(authorization)?;
        let in_body = body.map(|form| form.one("access_token")).transpose()?.flatten();
        if query.has("access_token") {
            return Err(OAuthError::invalid_request("an access token in the query is not accepted"));
        }
        let token = match (header, in_body) {
            // RFC 6750 section 2: clients must not use more than one method.
            (Some(_), Some(_)) => return Err(OAuthError::invalid_request("the access token was sent in two ways")),
            (Some(header), None) => header.credentials("Bearer").or_else(|| {
                let bound = header.credentials("DPoP")?;
                *scheme = TokenScheme::Dpop;
                Some(bound)
            }),
            (None, in_body) => in_body,
        };
        match token {
            None => {
                Err(OAuthError::invalid_token("an access token is required").with_challenge(Challenge::BearerMissing))
            }
            Some("") => Err(OAuthError::invalid_request("the Authorization header has no token")),
            Some(token) if is_b64token(token) => Ok(Self { token, scheme: *scheme }),
            Some(_) => Err(OAuthError::invalid_token("the access token is malformed")),
        }
    }

    /// The token.
    pub fn as_str(&self) -> &'a str {
        self.token
    }

    /// As what it was presented.
    pub fn scheme(&self) -> TokenScheme {
        self.scheme
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
    fn rfc_9449_section_7_1_a_bound_token_has_a_scheme_of_its_own() {
        for header in ["DPoP abc", "dpop abc", "DPOP  abc"] {
            let token = PresentedToken::collect([header.as_bytes()], &Form::default(), None).ok().unwrap();
            assert_eq!((token.as_str(), token.scheme()), ("abc", TokenScheme::Dpop));
        }
        assert_eq!(collect(&["DPoP"], "", None), Err((ErrorCode::InvalidRequest, Challenge::Dpop)));
        assert_eq!(collect(&["DPoP a b"], "", None), Err((ErrorCode::InvalidToken, Challenge::Dpop)));
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
