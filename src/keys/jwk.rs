//! The public half of a key as a JSON Web Key (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::model::key_alg::KeyAlg;

/// The members that make a public key what it is, already in base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kty")]
pub enum PublicJwk {
    /// An elliptic curve key on P-256 (RFC 7518 section 6.2.1).
    #[serde(rename = "EC")]
    P256 {
        /// Always `P-256`.
        crv: &'static str,
        /// The x coordinate, 32 bytes.
        x: String,
        /// The y coordinate, 32 bytes.
        y: String,
    },
    /// An RSA key (RFC 7518 section 6.3.1).
    #[serde(rename = "RSA")]
    Rsa {
        /// The exponent.
        e: String,
        /// The modulus.
        n: String,
    },
    /// An Ed25519 key (RFC 8037 section 2).
    #[serde(rename = "OKP")]
    Ed25519 {
        /// Always `Ed25519`.
        crv: &'static str,
        /// The public key, 32 bytes.
        x: String,
    },
}

/// A key as the key set lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublishedJwk {
    /// The key itself.
    #[serde(flatten)]
    pub key: PublicJwk,
    /// Its identifier.
    pub kid: String,
    /// The one algorithm that it is used with.
    pub alg: &'static str,
    /// `sig` or `enc` (RFC 7517 section 4.2).
    #[serde(rename = "use")]
    pub usage: &'static str,
}

impl PublicJwk {
    /// A point on P-256.
    pub fn p256(x: &[u8], y: &[u8]) -> Self {
        Self::P256 { crv: "P-256", x: encode(x), y: encode(y) }
    }

    /// An RSA modulus and exponent, big endian without leading zeros.
    pub fn rsa(n: &[u8], e: &[u8]) -> Self {
        Self::Rsa { e: encode(e), n: encode(n) }
    }

    /// An Ed25519 public key.
    pub fn ed25519(x: &[u8]) -> Self {
        Self::Ed25519 { crv: "Ed25519", x: encode(x) }
    }

    /// The SHA-256 thumbprint (RFC 7638 section 3, for OKP RFC 8037 section 2): the required members in the order of their
    /// names, without white space. All values are base64url or fixed names, so nothing needs escaping.
    pub fn thumbprint(&self) -> String {
        let canonical = match self {
            Self::P256 { crv, x, y } => format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Self::Rsa { e, n } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            Self::Ed25519 { crv, x } => format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#),
        };
        encode(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    }

    /// The key as the key set lists it.
    pub fn published(&self, kid: &str, alg: impl Into<KeyAlg>) -> PublishedJwk {
        let alg = alg.into();
        PublishedJwk { key: self.clone(), kid: kid.to_owned(), alg: alg.as_str(), usage: alg.usage() }
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7638_section_3_1_thumbprint() {
        let key = PublicJwk::Rsa {
            e: "AQAB".into(),
            n: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw".into(),
        };
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn rfc_8037_appendix_a_3_thumbprint() {
        let key = PublicJwk::Ed25519 { crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into() };
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_published_key_has_no_private_member() {
        let json = serde_json::to_value(PublicJwk::p256(&[1; 32], &[2; 32]).published("k", KeyAlg::ES256)).unwrap();
        let names: Vec<_> = json
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    }
}
