//! Proof key for code exchange (RFC 7636), with S256 only.
//!
//! `plain` is refused: it sends the verifier itself through the browser (RFC 9700 section 2.1.1).

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use super::error::OAuthError;

/// The one transformation that is offered (RFC 7636 section 4.2), as discovery lists it.
pub const METHOD: &str = "S256";

/// Reads `code_challenge` and `code_challenge_method` of an authorization request; `None` if neither was sent.
pub fn parse_challenge(challenge: Option<&str>, method: Option<&str>) -> Result<Option<String>, OAuthError> {
    match (challenge, method) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(OAuthError::invalid_request("code_challenge is missing")),
        (Some(challenge), Some(METHOD)) if is_s256(challenge) => Ok(Some(challenge.to_owned())),
        (Some(_), Some(METHOD)) => Err(OAuthError::invalid_request("code_challenge is not the base64url of a SHA-256")),
        // RFC 7636 section 4.3: an absent method means `plain`.
        (Some(_), _) => Err(OAuthError::invalid_request("code_challenge_method must be S256")),
    }
}

/// Checks the `code_verifier` of a token request against the challenge of the authorization request.
///
/// A verifier without a challenge is refused too: else whoever strips the challenge from the authorization request turns
/// PKCE off unnoticed (RFC 9700 section 4.8.2).
pub fn verify(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), OAuthError> {
    match (challenge, verifier) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(OAuthError::invalid_grant("the authorization request had no code_challenge")),
        (Some(_), None) => Err(OAuthError::invalid_grant("code_verifier is missing")),
        (Some(challenge), Some(verifier)) if is_verifier(verifier) => {
            // RFC 7636 section 4.6.
            let is_equal = challenge_of(verifier).as_bytes().ct_eq(challenge.as_bytes());
            if bool::from(is_equal) { Ok(()) } else { Err(wrong_verifier()) }
        }
        (Some(_), Some(_)) => Err(wrong_verifier()),
    }
}

/// The S256 challenge of a verifier (RFC 7636 section 4.2).
pub fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// RFC 7636 section 4.1: 43 to 128 unreserved characters.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// 32 bytes in base64url without padding.
fn is_s256(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|hash| hash.len() == 32)
}

fn wrong_verifier() -> OAuthError {
    OAuthError::invalid_grant("code_verifier does not match")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::error::ErrorCode;

    // RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_rfc_7636_appendix_b() {
        assert_eq!(challenge_of(VERIFIER), CHALLENGE);
        assert_eq!(parse_challenge(Some(CHALLENGE), Some("S256")).unwrap().as_deref(), Some(CHALLENGE));
        verify(Some(CHALLENGE), Some(VERIFIER)).unwrap();
    }

    #[test]
    fn nothing_sent_is_no_challenge() {
        assert_eq!(parse_challenge(None, None).unwrap(), None);
        verify(None, None).unwrap();
    }

    #[test]
    fn plain_is_refused() {
        for method in [Some("plain"), None, Some("s256"), Some("S512")] {
            let error = parse_challenge(Some(VERIFIER), method).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidRequest, "{method:?}");
        }
    }

    #[test]
    fn a_method_without_a_challenge_is_refused() {
        assert_eq!(parse_challenge(None, Some("S256")).unwrap_err().code(), ErrorCode::InvalidRequest);
    }

    #[test]
    fn a_challenge_that_is_no_sha256_is_refused() {
        let padded = format!("{CHALLENGE}=");
        let long = "A".repeat(64);
        // The last character of 43 carries two bits that must be zero.
        let loose = CHALLENGE.replace("-cM", "-cN");
        for challenge in ["", "short", &padded, &long, &loose, &CHALLENGE.replace('-', "+")] {
            let error = parse_challenge(Some(challenge), Some("S256")).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidRequest, "{challenge}");
        }
    }

    #[test]
    fn a_missing_wrong_or_malformed_verifier_is_refused() {
        let wrong = VERIFIER.replace('d', "e");
        let long = "a".repeat(129);
        for verifier in [None, Some(""), Some(wrong.as_str()), Some(CHALLENGE), Some("short"), Some(&long)] {
            let error = verify(Some(CHALLENGE), verifier).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidGrant, "{verifier:?}");
        }
    }

    #[test]
    fn a_verifier_of_the_wrong_syntax_is_refused_even_if_its_hash_fits() {
        for verifier in ["short".to_owned(), "a".repeat(129), format!("{} ", "a".repeat(43))] {
            let challenge = challenge_of(&verifier);
            assert!(verify(Some(&challenge), Some(&verifier)).is_err(), "{verifier}");
        }
    }

    #[test]
    fn a_verifier_without_a_challenge_is_refused() {
        assert_eq!(verify(None, Some(VERIFIER)).unwrap_err().code(), ErrorCode::InvalidGrant);
    }

    proptest! {
        #[test]
        fn never_panics(challenge in any::<Option<String>>(), second in any::<Option<String>>()) {
            let _ = parse_challenge(challenge.as_deref(), second.as_deref());
            let _ = verify(challenge.as_deref(), second.as_deref());
        }

        #[test]
        fn every_verifier_fits_its_own_challenge_only(verifier in "[A-Za-z0-9._~-]{43,128}", other in "[A-Za-z0-9._~-]{43,128}") {
            let challenge = challenge_of(&verifier);
            prop_assert!(parse_challenge(Some(&challenge), Some(METHOD)).is_ok());
            prop_assert!(verify(Some(&challenge), Some(&verifier)).is_ok());
            prop_assert_eq!(verify(Some(&challenge), Some(&other)).is_ok(), verifier == other);
        }
    }
}
