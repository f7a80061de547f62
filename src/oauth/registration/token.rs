//! Initial access tokens and registration access tokens (RFC 7591 section 1.2), both shown as bearer tokens in the header.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::protocol::authorization_header::AuthorizationHeader;
use crate::protocol::error::{Challenge, OAuthError};

/// The bearer token of a request. RFC 6750 section 3.1: whoever came with another scheme showed no token.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, OAuthError> {
    let malformed = |error: OAuthError| error.with_challenge(Challenge::Bearer);
    let values = headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    let header = AuthorizationHeader::collect(values).map_err(malformed)?;
    match header.and_then(|header| header.credentials("Bearer")) {
        Some("") => Err(malformed(OAuthError::invalid_request("the Authorization header has no token"))),
        token => Ok(token),
    }
}

/// RFC 6750 section 3.1: who sent no token learns no error code.
pub(super) fn missing(what: &'static str) -> OAuthError {
    OAuthError::invalid_token(what).with_challenge(Challenge::PlainBearerMissing)
}

/// The same for whatever is wrong with it: nobody learns whether there is such a token.
pub(super) fn refused_invitation() -> OAuthError {
    refused("the initial access token is unknown, used up or expired")
}

/// RFC 7592 section 2: the same for a client that is not there.
pub(super) fn refused_registration() -> OAuthError {
    refused("the registration access token is not valid for this client")
}

fn refused(what: &'static str) -> OAuthError {
    OAuthError::invalid_token(what).with_challenge(Challenge::Bearer)
}
