//! `application/x-www-form-urlencoded` bodies and query strings (RFC 6749 appendix B).
//!
//! A parser of our own, because the usual ones replace invalid UTF-8, pass malformed percent-encodings on as text and keep
//! only one of two parameters of the same name: two parsers in a row could then read one request in two ways.
//!
//! Repeats are kept, not refused at once: an authorization request with a repeated `scope` is answered by a redirect, and
//! for that the client and the redirect URI have to be read from the same list first.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::OAuthError;

/// Everything but the unreserved characters of RFC 3986 section 2.3. A space becomes `%20`, which both form decoders and
/// plain percent-decoders read back; `+` would survive only the former.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The parameters of a request, in the order sent. Those without a value are not among them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form {
    parameters: Vec<(String, String)>,
}

impl Form {
    /// More parameters than this are refused: finding repeats compares each with each.
    pub const MAX_PARAMETERS: usize = 128;

    /// What a form with lists to tick may have in place of [`Self::MAX_PARAMETERS`]: more than fits into a body of the
    /// default length with names of 20 characters. Who reads one asks for single names, and never compares each with each.
    pub const MAX_TICKED: usize = 2048;

    /// Reads a body or a query string (without its `?`).
    pub fn parse(encoded: &[u8]) -> Result<Self, OAuthError> {
        Self::parse_up_to(Self::MAX_PARAMETERS, encoded)
    }

    /// Reads the body of a form with lists to tick.
    pub fn parse_ticked(encoded: &[u8]) -> Result<Self, OAuthError> {
        Self::parse_up_to(Self::MAX_TICKED, encoded)
    }

    fn parse_up_to(most: usize, encoded: &[u8]) -> Result<Self, OAuthError> {
        let mut parameters = Vec::new();
        for (index, pair) in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).enumerate() {
            if index >= most {
                return Err(OAuthError::invalid_request("too many parameters"));
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default()).ok_or_else(malformed)?;
            let value = decode(halves.next().unwrap_or_default()).ok_or_else(malformed)?;
            // RFC 6749 section 3.1: a parameter sent without a value is treated as if it were omitted.
            if !value.is_empty() {
                parameters.push((name, value));
            }
        }
        Ok(Self { parameters })
    }

    /// These parameters, which came in another way than in a form.
    pub fn of(parameters: Vec<(String, String)>) -> Self {
        Self { parameters }
    }

    /// The value of a parameter that may be sent once (RFC 6749 sections 3.1 and 3.2).
    pub fn one(&self, name: &str) -> Result<Option<&str>, OAuthError> {
        let mut values = self.all(name);
        let value = values.next();
        if values.next().is_some() { Err(repeated()) } else { Ok(value) }
    }

    /// The value of a parameter that must be sent, once.
    pub fn required(&self, name: &str, missing: &'static str) -> Result<&str, OAuthError> {
        self.one(name)?.ok_or_else(|| OAuthError::invalid_request(missing))
    }

    /// Every value of a parameter that may be repeated, in the order sent.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(sent, _)| *sent == name).map(|(_, value)| value)
    }

    /// Every parameter, in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a parameter was sent.
    pub fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Whether a parameter was sent more than once.
    pub fn has_repeated(&self, name: &str) -> bool {
        self.all(name).nth(1).is_some()
    }

    /// Refuses any repeated parameter, known to us or not, except `resource` (RFC 8707 section 2).
    pub fn refuse_repeats(&self) -> Result<(), OAuthError> {
        self.refuse_repeats_except(&["resource"])
    }

    /// Refuses any repeated parameter, known to us or not, except these.
    pub fn refuse_repeats_except(&self, repeatable: &[&str]) -> Result<(), OAuthError> {
        let is_repeated = |(name, _): (&str, &str)| !repeatable.contains(&name) && self.has_repeated(name);
        if self.iter().any(is_repeated) { Err(repeated()) } else { Ok(()) }
    }
}

/// How many there are; names and values come from outside and may be secrets.
impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("parameters", &self.parameters.len()).finish()
    }
}

/// Writes parameters so that [`Form::parse`] reads the same ones.
pub fn encode<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut encoded = String::new();
    for (name, value) in parameters {
        if !encoded.is_empty() {
            encoded.push('&');
        }
        encoded.extend(utf8_percent_encode(name, RESERVED));
        encoded.push('=');
        encoded.extend(utf8_percent_encode(value, RESERVED));
    }
    encoded
}

/// One name or value: `+` is a space, `%` begins two hexadecimal digits, the result is UTF-8 without NUL.
pub(super) fn decode(encoded: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            other => other,
        });
    }
    // A NUL would be cut off or refused by stores further down, each in its own way.
    String::from_utf8(decoded).ok().filter(|text| !text.contains('\0'))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn malformed() -> OAuthError {
    OAuthError::invalid_request("a parameter is not properly encoded")
}

fn repeated() -> OAuthError {
    OAuthError::invalid_request("repeated parameter")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::error::ErrorCode;

    fn parse(text: &str) -> Form {
        Form::parse(text.as_bytes()).unwrap()
    }

    fn refused(encoded: &[u8]) {
        let error = Form::parse(encoded).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidRequest, "{encoded:?}");
    }

    #[test]
    fn the_example_of_rfc_6749_appendix_b() {
        // A space, `%`, `&`, `+`, the pound sign and the euro sign.
        let form = parse("v=+%25%26%2B%C2%A3%E2%82%AC");
        assert_eq!(form.one("v").unwrap(), Some(" %&+\u{a3}\u{20ac}"));
    }

    #[test]
    fn a_parameter_without_a_value_is_treated_as_omitted() {
        let form = parse("state=&scope&nonce=x&&scope=openid");
        assert_eq!(form.one("state").unwrap(), None);
        assert_eq!(form.one("scope").unwrap(), Some("openid"));
        assert!(!form.has("state"));
        form.refuse_repeats().unwrap();
    }

    #[test]
    fn a_value_may_contain_equals_signs_and_semicolons() {
        assert_eq!(parse("a=b=c;d=e").one("a").unwrap(), Some("b=c;d=e"));
    }

    #[test]
    fn a_repeated_parameter_is_refused_when_it_is_read() {
        let form = parse("scope=a&client_id=c&scope=b");
        assert_eq!(form.one("client_id").unwrap(), Some("c"));
        assert!(form.has_repeated("scope"));
        assert_eq!(form.one("scope").unwrap_err().description(), "repeated parameter");
        assert_eq!(form.refuse_repeats().unwrap_err().code(), ErrorCode::InvalidRequest);
    }

    #[test]
    fn names_that_differ_only_in_their_encoding_are_the_same() {
        assert!(parse("scope=a&%73cope=b").has_repeated("scope"));
    }

    #[test]
    fn an_unknown_parameter_must_not_be_repeated_either() {
        assert!(parse("x=1&x=1").refuse_repeats().is_err());
    }

    #[test]
    fn resource_may_be_repeated() {
        let form = parse("resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example");
        form.refuse_repeats().unwrap();
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["https://a.example", "https://b.example"]);
    }

    #[test]
    fn malformed_percent_encoding_is_refused() {
        for encoded in ["a=%", "a=%2", "a=%zz", "a=%+1", "%=a", "a=b&c=%e"] {
            refused(encoded.as_bytes());
        }
    }

    #[test]
    fn invalid_utf8_is_refused() {
        refused(b"a=%ff");
        refused(b"a=\xff");
        refused(b"a=%C2");
        refused(b"%ff=a");
    }

    #[test]
    fn nul_is_refused() {
        refused(b"a=b%00c");
        refused(b"a=\0");
        refused(b"%00");
    }

    #[test]
    fn the_number_of_parameters_is_bounded() {
        let many = "a=b&".repeat(Form::MAX_PARAMETERS);
        assert!(Form::parse(many.as_bytes()).is_ok());
        refused(format!("{many}a=b").as_bytes());
        refused(format!("{many}a=").as_bytes());
        let ticked = "a=b&".repeat(Form::MAX_TICKED);
        assert_eq!(Form::parse_ticked(ticked.as_bytes()).unwrap().all("a").count(), Form::MAX_TICKED);
        assert!(Form::parse_ticked(format!("{ticked}a=b").as_bytes()).is_err());
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", parse("client_secret=hunter2"));
        assert_eq!(shown, "Form { parameters: 1 }");
    }

    proptest! {
        #[test]
        fn never_panics(encoded in any::<Vec<u8>>()) {
            let _ = Form::parse(&encoded);
        }

        #[test]
        fn never_panics_on_what_looks_like_a_form(encoded in "([a-c%&=+0-9f]|%[0-9a-fA-F]{2}){0,40}") {
            if let Ok(form) = Form::parse(encoded.as_bytes()) {
                let again = Form::parse(encode(form.iter()).as_bytes()).unwrap();
                prop_assert_eq!(form, again);
            }
        }

        #[test]
        fn what_is_encoded_is_read_back(pairs in prop::collection::vec(("[^\\x00]{0,8}", "[^\\x00]{1,20}"), 0..10)) {
            let encoded = encode(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            let form = Form::parse(encoded.as_bytes()).unwrap();
            prop_assert_eq!(&form.parameters, &pairs);
            // The two ways of writing a space, and the two cases of a hexadecimal digit, agree.
            prop_assert_eq!(&form, &Form::parse(encoded.replace("%20", "+").as_bytes()).unwrap());
            prop_assert!(encoded.is_ascii());
        }

        #[test]
        fn encoding_every_byte_agrees_with_encoding_none(value in "[^\\x00&+%=]{1,20}") {
            let all: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let plain = Form::parse(format!("a={value}").as_bytes()).unwrap();
            prop_assert_eq!(Form::parse(format!("a={all}").as_bytes()).unwrap(), plain);
        }
    }
}
