//! Scope lists (RFC 6749 section 3.3).

use super::error::OAuthError;

/// A list with more names is refused: removing repeats compares each with each.
pub const MAX_SCOPES: usize = 100;

/// Reads a space-separated list, keeping the order asked and the first of equal names.
///
/// Strangers' clients do send two spaces or one at the end; nothing can hide in them, so they pass.
pub fn parse(list: &str) -> Result<Vec<String>, OAuthError> {
    let mut scopes: Vec<String> = Vec::new();
    for name in list.split(' ').filter(|name| !name.is_empty()) {
        if !is_scope_token(name) {
            return Err(OAuthError::invalid_scope("a scope contains a character that is not allowed"));
        }
        if scopes.iter().any(|seen| seen == name) {
            continue;
        }
        if scopes.len() == MAX_SCOPES {
            return Err(OAuthError::invalid_scope("too many scopes"));
        }
        scopes.push(name.to_owned());
    }
    Ok(scopes)
}

/// Whether a name is a `scope-token`: printable ASCII without space, `"` and `\`.
pub fn is_scope_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::error::ErrorCode;

    #[test]
    fn keeps_the_order_and_the_first_of_equal_names() {
        assert_eq!(parse("openid profile openid email profile").unwrap(), ["openid", "profile", "email"]);
    }

    #[test]
    fn names_are_case_sensitive() {
        assert_eq!(parse("openid OpenID").unwrap().len(), 2);
    }

    #[test]
    fn extra_spaces_pass_and_nothing_else_separates() {
        assert_eq!(parse("  a  b ").unwrap(), ["a", "b"]);
        assert_eq!(parse("a,b").unwrap(), ["a,b"]);
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn a_character_outside_scope_token_is_refused() {
        for list in ["a\tb", "a\nb", "a\"b", "a\\b", "caf\u{e9}", "a\u{a0}b", "a \u{7f}"] {
            assert_eq!(parse(list).unwrap_err().code(), ErrorCode::InvalidScope, "{list:?}");
        }
    }

    #[test]
    fn the_number_of_scopes_is_bounded() {
        let names = |count: usize| (0..count).map(|i| format!("s{i}")).collect::<Vec<_>>().join(" ");
        assert_eq!(parse(&names(MAX_SCOPES)).unwrap().len(), MAX_SCOPES);
        assert_eq!(parse(&names(MAX_SCOPES + 1)).unwrap_err().code(), ErrorCode::InvalidScope);
    }

    proptest! {
        #[test]
        fn never_panics(list in any::<String>()) {
            let _ = parse(&list);
        }

        #[test]
        fn reading_twice_changes_nothing(list in "([!#-\\[\\]-~]{1,3} ){0,30}") {
            let once = parse(&list).unwrap();
            prop_assert!(once.iter().all(|name| is_scope_token(name)));
            prop_assert_eq!(parse(&once.join(" ")).unwrap(), once);
        }
    }
}
