//! The parameters of a backchannel authentication request (OpenID Connect CIBA section 7.1).

use chrono::TimeDelta;

use super::error::OAuthError;

/// The longest message, in characters: it is to be compared at a glance.
const LONGEST_MESSAGE: usize = 128;

/// Section 7.1: what a token may be long.
const LONGEST_TOKEN: usize = 1024;

/// What a token of 128 bits is long at least, whatever it is written in.
const SHORTEST_TOKEN: usize = 22;

/// What the person compares with what the client shows. Nothing that is not seen, or makes the rest look like something else.
pub fn binding_message(text: &str) -> Result<String, OAuthError> {
    let is_deceptive = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if text.trim().is_empty() || text.chars().count() > LONGEST_MESSAGE || text.chars().any(is_deceptive) {
        let description = "the binding_message must be one line of 1 to 128 characters that can be seen";
        return Err(OAuthError::invalid_binding_message(description));
    }
    Ok(text.to_owned())
}

/// How long the client wants the request to wait: a positive number of seconds.
pub fn requested_expiry(text: &str) -> Result<TimeDelta, OAuthError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // More seconds than fit are more than any request waits.
    let seconds = if is_number { text.parse().unwrap_or(u32::MAX) } else { 0 };
    if seconds == 0 {
        return Err(OAuthError::invalid_request("requested_expiry must be a positive number of seconds"));
    }
    Ok(TimeDelta::seconds(seconds.into()))
}

/// What the client recognises us by: a bearer token (RFC 6750 section 2.1), short enough and not to be guessed.
pub fn client_notification_token(token: &str) -> Result<&str, OAuthError> {
    let body = token.trim_end_matches('=');
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if body.is_empty() || !body.bytes().all(is_token) {
        return Err(OAuthError::invalid_request("the client_notification_token is not a bearer token"));
    }
    if token.len() > LONGEST_TOKEN || body.len() < SHORTEST_TOKEN {
        let description = "the client_notification_token must have 22 to 1024 characters";
        return Err(OAuthError::invalid_request(description));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_one_line_that_can_be_seen() {
        for good in ["W4SCT", "Pay 12.50 € to Ada", &"x".repeat(128)] {
            assert_eq!(binding_message(good).unwrap(), good);
        }
        for bad in ["", "  ", "a\nb", "a\u{202e}b", "a\u{200b}b", "a\u{2066}b", "\u{feff}", &"x".repeat(129)] {
            assert_eq!(binding_message(bad).unwrap_err().code().as_str(), "invalid_binding_message", "{bad:?}");
        }
    }

    #[test]
    fn a_time_is_a_positive_number_of_seconds() {
        assert_eq!(requested_expiry("120").unwrap(), TimeDelta::seconds(120));
        assert!(requested_expiry(&"9".repeat(40)).unwrap() > TimeDelta::days(365));
        for bad in ["", "0", "000", "-1", "+1", "1.5", "1 ", "soon"] {
            assert_eq!(requested_expiry(bad).unwrap_err().code().as_str(), "invalid_request", "{bad:?}");
        }
    }

    #[test]
    fn a_notification_token_is_a_bearer_token_that_nobody_guesses() {
        for good in ["8d67dc78-7faa-4d41-aabd-67707b374255", "abcdefghijklmnopqrstu~", &"a".repeat(1024)] {
            assert_eq!(client_notification_token(good).unwrap(), good);
        }
        for bad in
            ["", "=", "short", &"a".repeat(21), &"a".repeat(1025), &format!("{}=a", "a".repeat(30)), &"ä".repeat(30)]
        {
            assert_eq!(client_notification_token(bad).unwrap_err().code().as_str(), "invalid_request", "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_can_be_a_header(token in ".{0,60}") {
            if let Ok(token) = client_notification_token(&token) {
                prop_assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
