//! Encryption algorithms by their registered JOSE names (RFC 7518 sections 4.1 and 5.1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the key that encrypts a content reaches its recipient: to a public key, never by a shared secret. RSA1_5 is not among them
/// (RFC 8725 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EncryptionAlg {
    /// RSAES OAEP with SHA-256.
    #[serde(rename = "RSA-OAEP-256")]
    RsaOaep256,
    /// RSAES OAEP with the parameters of its RFC, SHA-1 among them. For clients that know nothing else: what OAEP asks of a hash,
    /// SHA-1 still gives.
    #[serde(rename = "RSA-OAEP")]
    RsaOaep,
    /// The agreed key itself, by ECDH with an ephemeral key.
    #[serde(rename = "ECDH-ES")]
    EcdhEs,
    /// A key wrapped by the agreed one with AES-128.
    #[serde(rename = "ECDH-ES+A128KW")]
    EcdhEsA128Kw,
    /// A key wrapped by the agreed one with AES-256.
    #[serde(rename = "ECDH-ES+A256KW")]
    EcdhEsA256Kw,
}

/// What the content itself is encrypted with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ContentEncryption {
    /// AES-128 in CBC mode with HMAC SHA-256. The default of OpenID Connect Registration section 2.
    #[default]
    #[serde(rename = "A128CBC-HS256")]
    A128CbcHs256,
    /// AES-256 in CBC mode with HMAC SHA-512.
    #[serde(rename = "A256CBC-HS512")]
    A256CbcHs512,
    /// AES-128 in Galois/Counter mode.
    #[serde(rename = "A128GCM")]
    A128Gcm,
    /// AES-256 in Galois/Counter mode.
    #[serde(rename = "A256GCM")]
    A256Gcm,
}

/// How something is encrypted to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// How its key reaches the client.
    pub alg: EncryptionAlg,
    /// What it is encrypted with.
    pub enc: ContentEncryption,
}

impl EncryptionAlg {
    /// Every algorithm, in the order in which discovery lists them.
    pub const ALL: [Self; 5] = [Self::RsaOaep256, Self::RsaOaep, Self::EcdhEs, Self::EcdhEsA128Kw, Self::EcdhEsA256Kw];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::RsaOaep => "RSA-OAEP",
            Self::EcdhEs => "ECDH-ES",
            Self::EcdhEsA128Kw => "ECDH-ES+A128KW",
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
        }
    }

    /// Whether the recipient has an RSA key; else it has one on P-256.
    pub fn is_rsa(self) -> bool {
        match self {
            Self::RsaOaep256 | Self::RsaOaep => true,
            Self::EcdhEs | Self::EcdhEsA128Kw | Self::EcdhEsA256Kw => false,
        }
    }
}

impl ContentEncryption {
    /// Every one, in the order in which discovery lists them.
    pub const ALL: [Self; 4] = [Self::A128CbcHs256, Self::A256CbcHs512, Self::A128Gcm, Self::A256Gcm];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A256CbcHs512 => "A256CBC-HS512",
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
        }
    }
}

impl Encryption {
    /// What was registered; `None`: nothing is encrypted.
    pub fn registered(alg: Option<EncryptionAlg>, enc: Option<ContentEncryption>) -> Option<Self> {
        alg.map(|alg| Self { alg, enc: enc.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_that_settings_use() {
        for alg in EncryptionAlg::ALL {
            assert_eq!(serde_json::to_value(alg).unwrap(), alg.as_str());
        }
        for enc in ContentEncryption::ALL {
            assert_eq!(serde_json::to_value(enc).unwrap(), enc.as_str());
        }
        for refused in ["RSA1_5", "dir", "A128KW", "A128GCMKW", "PBES2-HS256+A128KW", "RSA-OAEP-512", "ecdh-es"] {
            assert!(serde_json::from_value::<EncryptionAlg>(refused.into()).is_err(), "{refused}");
        }
    }

    #[test]
    fn without_an_enc_it_is_that_of_openid_connect() {
        let registered = Encryption::registered(Some(EncryptionAlg::EcdhEs), None).unwrap();
        assert_eq!(registered.enc, ContentEncryption::A128CbcHs256);
        assert_eq!(Encryption::registered(None, Some(ContentEncryption::A128Gcm)), None);
    }
}
