//! The certificate that a client shows: who it says the client is, and what a token is bound to (RFC 8705).
//!
//! A certificate is taken apart here and compared with a registration. Whether an authority vouches for it is for whoever
//! has the authorities; that the client has its key was proven in the handshake.

// How proxies pass a certificate on.
pub mod header;
// The names in a certificate, and those that clients register.
mod name;

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::Value;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use self::name::DistinguishedName;
pub use self::name::{RegisteredName, registered_names};

/// A client's certificate, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    chain: Vec<Vec<u8>>,
    subject: DistinguishedName,
    alternatives: Vec<Alternative>,
    key: Option<Key>,
    not_before: i64,
    not_after: i64,
}

/// An alternative name of the subject (RFC 5280 section 4.2.1.6) of a kind that can be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Alternative {
    Dns(String),
    Uri(String),
    Ip(IpAddr),
    Email(String),
}

/// The public key, in the numbers that a JWK is made of (RFC 7518 section 6, RFC 8037 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Ec { crv: &'static str, x: Vec<u8>, y: Vec<u8> },
    Ed25519 { x: Vec<u8> },
}

impl Certificate {
    /// Takes apart what was shown, the client's own certificate first; `None` for what is no certificate.
    pub fn parse(shown: Vec<Vec<u8>>) -> Option<Self> {
        let mut shown = shown.into_iter();
        let der = shown.next()?;
        let (rest, parsed) = X509Certificate::from_der(&der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let names = parsed.subject_alternative_name().ok()?;
        let names = names.iter().flat_map(|extension| &extension.value.general_names);
        let alternatives = names.filter_map(alternative).collect();
        let subject = DistinguishedName::of(parsed.subject());
        let key = key_of(parsed.public_key());
        let validity = parsed.validity();
        let (not_before, not_after) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        let chain = shown.collect();
        Some(Self { chain, subject, alternatives, key, not_before, not_after, der })
    }

    /// The certificate itself, in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The others that came with it, in DER: whoever wants to believe them has to verify them.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// What a token is bound to: `x5t#S256` (RFC 8705 section 3.1).
    pub fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.der))
    }

    /// Whether `now` is in its period of validity.
    pub fn is_current(&self, now: DateTime<Utc>) -> bool {
        (self.not_before..=self.not_after).contains(&now.timestamp())
    }

    /// Whether it has the name that was registered (RFC 8705 section 2.1.2).
    pub fn has_name(&self, registered: &RegisteredName<'_>) -> bool {
        match registered {
            RegisteredName::SubjectDn(text) => DistinguishedName::parse(text).is_some_and(|dn| dn == self.subject),
            // RFC 4343: the case of a DNS name says nothing. A wildcard is a name of its own here, not a pattern.
            RegisteredName::Dns(dns) => self
                .alternatives
                .iter()
                .any(|own| matches!(own, Alternative::Dns(own) if own.eq_ignore_ascii_case(dns))),
            RegisteredName::Uri(uri) => {
                self.alternatives.iter().any(|own| matches!(own, Alternative::Uri(own) if own == uri))
            }
            RegisteredName::Ip(ip) => {
                let ip: Option<IpAddr> = ip.parse().ok();
                self.alternatives.iter().any(|own| matches!(own, Alternative::Ip(own) if Some(*own) == ip))
            }
            RegisteredName::Email(email) => self
                .alternatives
                .iter()
                .any(|own| matches!(own, Alternative::Email(own) if is_same_mailbox(own, email))),
        }
    }

    /// Whether a key of a JWK Set is this certificate's: by the certificate itself where the key has one (`x5c`, RFC 8705
    /// section 2.2.2), else by its numbers.
    pub fn is_of(&self, jwk: &Value) -> bool {
        if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
            return false;
        }
        match jwk.get("x5c") {
            Some(x5c) => {
                let first = x5c.get(0).and_then(Value::as_str);
                first.and_then(|text| STANDARD.decode(text).ok()).is_some_and(|der| der == self.der)
            }
            None => self.key.as_ref().is_some_and(|key| key.is(jwk)),
        }
    }
}

impl Key {
    fn is(&self, jwk: &Value) -> bool {
        let says = |name: &str, expected: &str| jwk.get(name).and_then(Value::as_str) == Some(expected);
        let has = |name: &str, expected: &[u8]| {
            let text = jwk.get(name).and_then(Value::as_str);
            text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).is_some_and(|bytes| bytes == expected)
        };
        match self {
            Self::Rsa { n, e } => says("kty", "RSA") && has("n", n) && has("e", e),
            Self::Ec { crv, x, y } => says("kty", "EC") && says("crv", crv) && has("x", x) && has("y", y),
            Self::Ed25519 { x } => says("kty", "OKP") && says("crv", "Ed25519") && has("x", x),
        }
    }
}

fn alternative(name: &GeneralName<'_>) -> Option<Alternative> {
    match name {
        GeneralName::DNSName(dns) => Some(Alternative::Dns((*dns).to_owned())),
        GeneralName::URI(uri) => Some(Alternative::Uri((*uri).to_owned())),
        GeneralName::RFC822Name(email) => Some(Alternative::Email((*email).to_owned())),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let ip = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            ip.ok().map(Alternative::Ip)
        }
        _ => None,
    }
}

/// RFC 5321 section 2.4: only the domain's case says nothing.
fn is_same_mailbox(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((one, one_domain)), Some((other, other_domain))) => {
            one == other && one_domain.eq_ignore_ascii_case(other_domain)
        }
        _ => false,
    }
}

fn key_of(info: &SubjectPublicKeyInfo<'_>) -> Option<Key> {
    const ED25519: &str = "1.3.101.112";
    if info.algorithm.algorithm.to_id_string() == ED25519 {
        return Some(Key::Ed25519 { x: info.subject_public_key.data.to_vec() });
    }
    match info.parsed().ok()? {
        PublicKey::RSA(key) => Some(Key::Rsa { n: unsigned(key.modulus), e: unsigned(key.exponent) }),
        PublicKey::EC(point) => {
            let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
            let (crv, length) = match curve.as_str() {
                "1.2.840.10045.3.1.7" => ("P-256", 32),
                "1.3.132.0.34" => ("P-384", 48),
                "1.3.132.0.35" => ("P-521", 66),
                _ => return None,
            };
            // SEC 1 section 2.3.3: the mark of an uncompressed point.
            let numbers = point.data().strip_prefix(&[4])?;
            let (x, y) = numbers.split_at_checked(length)?;
            (y.len() == length).then(|| Key::Ec { crv, x: x.to_vec(), y: y.to_vec() })
        }
        _ => None,
    }
}

/// A DER integer without the zeros before it, as a JWK writes it.
fn unsigned(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

#[cfg(test)]
mod tests;
