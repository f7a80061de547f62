//! The names in a certificate, and those that clients register for theirs (RFC 8705 section 2.1.2, RFC 4514).

use std::net::IpAddr;

use x509_parser::der_parser::asn1_rs::{Any, FromDer};
use x509_parser::x509::X509Name;

use crate::model::client::ClientSettings;

/// The attribute types that have a short name: those of RFC 4514 section 3, and what certificates have besides.
const TYPES: [(&str, &str); 25] = [
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("SN", "2.5.4.4"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("TITLE", "2.5.4.12"),
    ("BUSINESSCATEGORY", "2.5.4.15"),
    ("POSTALCODE", "2.5.4.17"),
    ("GIVENNAME", "2.5.4.42"),
    ("GN", "2.5.4.42"),
    ("INITIALS", "2.5.4.43"),
    ("GENERATIONQUALIFIER", "2.5.4.44"),
    ("DNQUALIFIER", "2.5.4.46"),
    ("PSEUDONYM", "2.5.4.65"),
    ("ORGANIZATIONIDENTIFIER", "2.5.4.97"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
    ("JURISDICTIONL", "1.3.6.1.4.1.311.60.2.1.1"),
    ("JURISDICTIONST", "1.3.6.1.4.1.311.60.2.1.2"),
    ("JURISDICTIONC", "1.3.6.1.4.1.311.60.2.1.3"),
];

/// The name of its certificate that a client registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisteredName<'a> {
    /// The subject, in the form of RFC 4514.
    SubjectDn(&'a str),
    /// A DNS name.
    Dns(&'a str),
    /// A URI.
    Uri(&'a str),
    /// An IPv4 or IPv6 address.
    Ip(&'a str),
    /// A mail address.
    Email(&'a str),
}

/// The names that are registered; of a good registration one at most.
pub fn registered_names(settings: &ClientSettings) -> Vec<RegisteredName<'_>> {
    let names = [
        settings.tls_client_auth_subject_dn.as_deref().map(RegisteredName::SubjectDn),
        settings.tls_client_auth_san_dns.as_deref().map(RegisteredName::Dns),
        settings.tls_client_auth_san_uri.as_deref().map(RegisteredName::Uri),
        settings.tls_client_auth_san_ip.as_deref().map(RegisteredName::Ip),
        settings.tls_client_auth_san_email.as_deref().map(RegisteredName::Email),
    ];
    names.into_iter().flatten().collect()
}

impl RegisteredName<'_> {
    /// Where it is in the settings, as a JSON pointer (RFC 6901).
    pub fn pointer(&self) -> &'static str {
        match self {
            Self::SubjectDn(_) => "/tls_client_auth_subject_dn",
            Self::Dns(_) => "/tls_client_auth_san_dns",
            Self::Uri(_) => "/tls_client_auth_san_uri",
            Self::Ip(_) => "/tls_client_auth_san_ip",
            Self::Email(_) => "/tls_client_auth_san_email",
        }
    }

    /// Whether a certificate could have it.
    pub fn is_readable(&self) -> bool {
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        match self {
            Self::SubjectDn(text) => DistinguishedName::parse(text).is_some(),
            Self::Dns(text) => is_word(text) && !text.contains(['*', ':', '/']),
            Self::Uri(text) => is_word(text) && text.contains(':'),
            Self::Ip(text) => text.parse::<IpAddr>().is_ok(),
            Self::Email(text) => is_word(text) && text.contains('@'),
        }
    }

    /// What it must look like.
    pub fn expected_form(&self) -> &'static str {
        match self {
            Self::SubjectDn(_) => "it must be a name such as CN=shop,O=Example (RFC 4514)",
            Self::Dns(_) => "it must be a DNS name",
            Self::Uri(_) => "it must be a URI",
            Self::Ip(_) => "it must be an IPv4 or IPv6 address",
            Self::Email(_) => "it must be a mail address",
        }
    }
}

/// A distinguished name: its relative names, the most significant last as RFC 4514 writes them, each sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DistinguishedName(Vec<Vec<Attribute>>);

/// The type of an attribute as a dotted number, and its value.
type Attribute = (String, Content);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Content {
    /// Text as it is compared: its case and the width of its spaces say nothing (RFC 4517 section 4.2.11).
    Text(String),
    /// Anything else: the tag and the octets.
    Other(u32, Vec<u8>),
}

impl DistinguishedName {
    /// The name in a certificate.
    pub(super) fn of(name: &X509Name<'_>) -> Self {
        let relative = name.iter_rdn().map(|relative| {
            let attributes = relative.iter();
            sorted(attributes.map(|a| (a.attr_type().to_id_string(), Content::of(a.attr_value()))).collect())
        });
        let mut relative: Vec<_> = relative.collect();
        // RFC 4514 section 2.1: the string begins with what the certificate ends with.
        relative.reverse();
        Self(relative)
    }

    /// The name in a string; `None` for what is none, or is empty.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let (mut names, mut current) = (Vec::new(), Vec::new());
        loop {
            let (kind, after) = rest.split_once('=')?;
            let (content, end, after) = read_value(after)?;
            current.push((type_of(kind.trim())?, content));
            rest = after;
            if end != Some('+') {
                names.push(sorted(std::mem::take(&mut current)));
            }
            if end.is_none() {
                return Some(Self(names));
            }
        }
    }
}

fn sorted(mut attributes: Vec<Attribute>) -> Vec<Attribute> {
    attributes.sort();
    attributes
}

impl Content {
    fn of(value: &Any<'_>) -> Self {
        match value.as_str() {
            Ok(text) => Self::text(text),
            Err(_) => Self::Other(value.tag().0, value.data.to_vec()),
        }
    }

    fn text(text: &str) -> Self {
        let words: Vec<_> = text.split_whitespace().collect();
        Self::Text(words.join(" ").to_lowercase())
    }
}

/// The dotted number of an attribute type that is written by its name or as that number.
fn type_of(text: &str) -> Option<String> {
    if let Some((_, number)) = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Some((*number).to_owned());
    }
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (text.contains('.') && text.split('.').all(is_number)).then(|| text.to_owned())
}

/// A value, what ended it (`,`, `+` or the end of the text), and what comes after that (RFC 4514 section 3).
fn read_value(text: &str) -> Option<(Content, Option<char>, &str)> {
    let text = text.trim_start_matches(' ');
    if let Some(hex) = text.strip_prefix('#') {
        let end = hex.find([',', '+']).unwrap_or(hex.len());
        let (digits, rest) = hex.split_at_checked(end)?;
        let der = from_hex(digits.trim_end_matches(' '))?;
        let (left, value) = Any::from_der(&der).ok()?;
        let mut rest = rest.chars();
        return left.is_empty().then(|| (Content::of(&value), rest.next(), rest.as_str()));
    }
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    let mut end = None;
    while let Some(char) = chars.next() {
        match char {
            ',' | '+' => {
                end = Some(char);
                break;
            }
            '\\' => match chars.next()? {
                special @ (' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\') => bytes.push(special as u8),
                high => {
                    let octet = 16 * high.to_digit(16)? + chars.next()?.to_digit(16)?;
                    bytes.push(u8::try_from(octet).ok()?);
                }
            },
            '"' | ';' | '<' | '>' | '\0' => return None,
            char => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    let content = Content::text(&String::from_utf8(bytes).ok()?);
    (content != Content::Text(String::new())).then_some((content, end, chars.as_str()))
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let digits: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    digits?.chunks_exact(2).map(|pair| u8::try_from(pair.iter().fold(0, |sum, digit| sum * 16 + digit)).ok()).collect()
}
