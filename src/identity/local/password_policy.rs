//! Which passwords may be chosen (NIST SP 800-63B section 3.1.1.2): long enough, and none of those that are tried first.
//! There are no rules about kinds of characters: they make passwords worse.

use secrecy::{ExposeSecret, SecretString};

/// Longer passwords are refused when they are set, because they are refused at sign-in. In bytes.
pub const MAX_LENGTH: usize = 1024;

/// What people choose most, without the digits and marks around it.
const COMMON: [&str; 44] = [
    "password",
    "passwort",
    "passw0rd",
    "kennwort",
    "geheim",
    "secret",
    "welcome",
    "willkommen",
    "letmein",
    "changeme",
    "default",
    "administrator",
    "admin",
    "root",
    "user",
    "guest",
    "test",
    "testtest",
    "qwerty",
    "qwertyui",
    "qwertyuiop",
    "qwertz",
    "qwertzui",
    "qwertzuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "qazwsxedc",
    "qayxsw",
    "abcdefgh",
    "abcdefghij",
    "iloveyou",
    "ichliebedich",
    "hallo",
    "hello",
    "master",
    "dragon",
    "monkey",
    "sunshine",
    "princess",
    "football",
    "fussball",
    "baseball",
    "schatz",
];

/// Why a password may not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFlaw {
    /// It has fewer characters than that.
    TooShort(usize),
    /// It has more than [`MAX_LENGTH`] bytes, or a NUL among them.
    TooLong,
    /// It is among those that are tried first.
    Common,
    /// It is little more than the username.
    LikeUsername,
}

/// What is wrong with `password` for somebody of that name, if anything.
pub fn find_flaw(password: &SecretString, username: &str, min_length: usize) -> Option<PasswordFlaw> {
    let password = password.expose_secret();
    if password.len() > MAX_LENGTH || password.contains('\0') {
        return Some(PasswordFlaw::TooLong);
    }
    if password.chars().count() < min_length {
        return Some(PasswordFlaw::TooShort(min_length));
    }
    let folded = password.to_lowercase();
    let core = folded.trim_matches(|c: char| !c.is_alphabetic());
    // Without a letter that stays, it is digits and marks: a date, a number, a row of keys.
    if core.is_empty() || COMMON.contains(&core) || is_repeated(&folded) {
        return Some(PasswordFlaw::Common);
    }
    let username = username.trim().to_lowercase();
    let name = username.split('@').next().unwrap_or_default();
    let is_like = |name: &str| name.trim_matches(|c: char| !c.is_alphabetic()) == core;
    if folded == username || is_like(&username) || is_like(name) {
        return Some(PasswordFlaw::LikeUsername);
    }
    None
}

/// Whether it is one to four characters over and over: `aaaaaaaaaa`, `abcabcabcabc`.
fn is_repeated(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (1..=4).any(|period| chars.len() > period && chars.iter().zip(chars.iter().skip(period)).all(|(a, b)| a == b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(password: &str) -> Option<PasswordFlaw> {
        find_flaw(&password.into(), "alice@people.example", 10)
    }

    #[test]
    fn what_is_tried_first_is_refused() {
        for common in
            ["Password2024!", "1234567890", "passwort123", "qwertzuiop", "aaaaaaaaaa", "abcabcabcabc", "!!Welcome2026"]
        {
            assert_eq!(flaw(common), Some(PasswordFlaw::Common), "{common}");
        }
        for like in ["alice@people.example", "Alice12345678", "people-1-alice"] {
            let expected = if like.starts_with("people") { None } else { Some(PasswordFlaw::LikeUsername) };
            assert_eq!(flaw(like), expected, "{like}");
        }
    }

    #[test]
    fn length_is_counted_in_characters_and_bounded_in_bytes() {
        assert_eq!(flaw("ünïçödé-x"), Some(PasswordFlaw::TooShort(10)));
        assert_eq!(flaw("ünïçödé-xy"), None);
        assert_eq!(flaw(&"long words ".repeat(94)), Some(PasswordFlaw::TooLong));
        assert_eq!(flaw("nul \0 in the middle"), Some(PasswordFlaw::TooLong));
    }

    #[test]
    fn whatever_is_long_and_of_ones_own_is_good() {
        for good in ["correct horse battery staple", "password of my grandmother", "ωραία θάλασσα", "zT4!kf9Qpx"]
        {
            assert_eq!(flaw(good), None, "{good}");
        }
    }
}
