//! Initial access tokens and registration access tokens (RFC 7591 section 1.2), both shown as bearer tokens in the header.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::protocol::authorization_header::AuthorizationHeader;
use crate::protocol::error::{Challenge, OAuthError};

/// The bearer token of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, OAuthError> {
    let values = headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    let header = AuthorizationHeader::collect(values)?;
    let Some(header) = header else { return Ok(None) };
    let token = header.credentials("Bearer").filter(|token| !token.is_empty());
    token.map(Some).ok_or_else(|| missing("the Authorization header has no bearer token"))
}

/// RFC 6750 section 3.1.
pub(super) fn missing(what: &'static str) -> OAuthError {
    OAuthError::invalid_token(what).with_challenge(Challenge::Bearer)
}

/// The same for whatever is wrong with it: nobody learns whether there is such a token.
pub(super) fn refused_invitation() -> OAuthError {
    missing("the initial access token is unknown, used up or expired")
}

/// RFC 7592 section 2: the same for a client that is not there.
pub(super) fn refused_registration() -> OAuthError {
    missing("the registration access token is not valid for this client")
}
