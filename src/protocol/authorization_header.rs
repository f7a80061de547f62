//! The `Authorization` header (RFC 9110 section 11.6.2): one scheme and what follows it.

use super::error::OAuthError;

/// The header of a request. It has no `Debug`: it carries a secret.
#[derive(Clone, Copy)]
pub struct AuthorizationHeader<'a> {
    scheme: &'a str,
    credentials: &'a str,
}

impl<'a> AuthorizationHeader<'a> {
    /// Takes every `Authorization` header of a request, of which there may be one.
    pub fn collect(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Self>, OAuthError> {
        let mut values = values.into_iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(OAuthError::invalid_request("more than one Authorization header"));
        }
        let text = str::from_utf8(value).ok().map(str::trim_ascii).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| OAuthError::invalid_request("the Authorization header is malformed"))?;
        let (scheme, credentials) = text.split_once(' ').unwrap_or((text, ""));
        Ok(Some(Self { scheme, credentials: credentials.trim_ascii_start() }))
    }

    /// What follows the scheme, if it is that scheme, in any case; may be empty.
    pub fn credentials(&self, scheme: &str) -> Option<&'a str> {
        self.scheme.eq_ignore_ascii_case(scheme).then_some(self.credentials)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::error::ErrorCode;

    fn credentials<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
        AuthorizationHeader::collect([value.as_bytes()]).ok().flatten()?.credentials(scheme)
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        for value in ["Basic eDp5", "basic eDp5", "BASIC   eDp5", " Basic eDp5 "] {
            assert_eq!(credentials(value, "Basic"), Some("eDp5"), "{value}");
            assert_eq!(credentials(value, "Bearer"), None, "{value}");
        }
        assert_eq!(credentials("Bearer", "Bearer"), Some(""));
        assert_eq!(credentials("Basicx", "Basic"), None);
    }

    #[test]
    fn no_header_is_no_error() {
        assert!(AuthorizationHeader::collect([]).unwrap().is_none());
    }

    #[test]
    fn two_headers_are_refused() {
        let error = AuthorizationHeader::collect([b"Basic eDp5".as_slice(), b"Basic eDp5"]).err().unwrap();
        assert_eq!(error.code(), ErrorCode::InvalidRequest);
    }

    #[test]
    fn an_empty_or_binary_header_is_refused() {
        for value in [b"".as_slice(), b"  ", b"Basic \xff"] {
            let error = AuthorizationHeader::collect([value]).err().unwrap();
            assert_eq!(error.code(), ErrorCode::InvalidRequest);
        }
    }

    proptest! {
        #[test]
        fn never_panics(value in any::<Vec<u8>>()) {
            let _ = AuthorizationHeader::collect([value.as_slice()]).map(|header| header.map(|h| h.credentials("Basic").is_some()));
        }
    }
}
