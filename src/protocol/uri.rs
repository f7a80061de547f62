//! Absolute URIs by their syntax (RFC 3986 section 4.3), for values that are compared byte for byte and sent on unchanged.
//!
//! Browsers repair what they read: they drop tabs, turn `\` into `/`, accept `https:host`. What passes here needs no repair,
//! so that we and the browser see the same authority.

/// The parts of an absolute URI, exactly as written. There is no fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsoluteUri<'a> {
    /// What is before the first `:`.
    pub scheme: &'a str,
    /// What is between `//` and the path; absent in `urn:example:x` and `com.example.app:/callback`.
    pub authority: Option<&'a str>,
    /// Path and query.
    pub tail: &'a str,
}

impl<'a> AbsoluteUri<'a> {
    /// Longer ones are refused; browsers and proxies cut them in ways of their own.
    pub const MAX_BYTES: usize = 2048;

    /// Takes a URI apart; `None` if it is relative, has a fragment, or contains anything that a URI may not.
    pub fn parse(uri: &'a str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if uri.len() > Self::MAX_BYTES || !is_scheme || rest.is_empty() || !has_uri_characters(rest) {
            return None;
        }
        let (authority, tail) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                (Some(authority), tail)
            }
            None => (None, rest),
        };
        // Brackets belong to an IP literal and to nothing else (RFC 3986 section 3.2.2).
        (!tail.contains(['[', ']'])).then_some(Self { scheme, authority, tail })
    }

    /// Whether the scheme is that one, in any case (RFC 3986 section 3.1).
    pub fn has_scheme(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }
}

/// RFC 3986 section 2: unreserved, reserved except `#`, and complete percent-encodings.
fn has_uri_characters(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_allowed = match byte {
            b'%' => [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(|d| d.is_ascii_hexdigit())),
            other => other.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=".contains(&other),
        };
        if !is_allowed {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_rfc_3986_section_1_1_2() {
        let table = [
            ("ftp://ftp.is.co.za/rfc/rfc1808.txt", "ftp", Some("ftp.is.co.za"), "/rfc/rfc1808.txt"),
            ("http://www.ietf.org/rfc/rfc2396.txt", "http", Some("www.ietf.org"), "/rfc/rfc2396.txt"),
            ("ldap://[2001:db8::7]/c=GB?objectClass?one", "ldap", Some("[2001:db8::7]"), "/c=GB?objectClass?one"),
            ("mailto:John.Doe@example.com", "mailto", None, "John.Doe@example.com"),
            ("tel:+1-816-555-1212", "tel", None, "+1-816-555-1212"),
            ("telnet://192.0.2.16:80/", "telnet", Some("192.0.2.16:80"), "/"),
            (
                "urn:oasis:names:specification:docbook:dtd:xml:4.1.2",
                "urn",
                None,
                "oasis:names:specification:docbook:dtd:xml:4.1.2",
            ),
            ("https://a.example?x=1", "https", Some("a.example"), "?x=1"),
        ];
        for (uri, scheme, authority, tail) in table {
            assert_eq!(AbsoluteUri::parse(uri), Some(AbsoluteUri { scheme, authority, tail }), "{uri}");
        }
    }

    #[test]
    fn what_is_not_an_absolute_uri_is_refused() {
        let table = [
            "",
            ":",
            "https:",
            "/path",
            "//a.example/",
            "a.example",
            "1http://a",
            "ht tp://a",
            "https://a/#",
            "https://a/#f",
            "https://a/ b",
            "https://a\\b",
            "https://a/\tb",
            "https://a/%",
            "https://a/%2",
            "https://a/%zz",
            "https://a/\u{e9}",
            "https://a/<",
            "https://a/\"",
            "https://a/[x]",
            "https://a/{x}",
            "https://a/\0",
        ];
        for uri in table {
            assert_eq!(AbsoluteUri::parse(uri), None, "{uri:?}");
        }
        assert_eq!(AbsoluteUri::parse(&format!("https://a/{}", "x".repeat(AbsoluteUri::MAX_BYTES))), None);
    }

    proptest! {
        #[test]
        fn never_panics(uri in any::<String>()) {
            let _ = AbsoluteUri::parse(&uri);
        }

        #[test]
        fn the_parts_make_the_whole(uri in "[a-z.]{1,5}:(//)?[a-z0-9.:@/?%\\[\\]-]{0,20}") {
            if let Some(AbsoluteUri { scheme, authority, tail }) = AbsoluteUri::parse(&uri) {
                let authority = authority.map(|authority| format!("//{authority}")).unwrap_or_default();
                prop_assert_eq!(format!("{scheme}:{authority}{tail}"), uri);
            }
        }
    }
}
