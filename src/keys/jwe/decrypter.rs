//! Opening what was encrypted to a key of ours.
//!
//! The library is shown nothing that was not judged before, because what it does by itself is too much and too little: it would
//! unpack whatever says that it is packed, does not look at `crit`, takes a GCM tag of any length, and decrypts in CBC mode before it
//! looks at the MAC, which it then compares byte by byte. So here the shape of the whole is checked first, `zip` is refused (a bomb
//! needs no key), lengths are exact, and the MAC comes first (RFC 7518 section 5.2.2.2).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::JoseError;
use josekit::jwe::enc::aescbc_hmac::AescbcHmacJweEncryption;
use josekit::jwe::{ECDH_ES, JweContentEncryption, JweContext, JweDecrypter};
use p256::pkcs8::EncodePrivateKey;
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::keys::private_key::{Material, PrivateKey};
use crate::model::encryption_alg::ContentEncryption;
use crate::model::key_alg::KeyAlg;
use crate::protocol::jwt::{is_same_type, parse_object};

/// The longest token that is looked at: the longest JWT, and what encrypting adds to it.
pub const MAX_LENGTH: usize = 24 * 1024;

/// A private key that opens what was encrypted to it with ECDH-ES.
pub struct Decrypter {
    decrypter: Box<dyn JweDecrypter>,
    context: JweContext,
}

/// A token as far as it can be read without a key.
pub struct UnopenedJwe<'a> {
    text: &'a str,
    /// Which key it is for (RFC 7516 section 4.1.6).
    pub kid: Option<String>,
}

impl<'a> UnopenedJwe<'a> {
    /// The compact form of a JWE (RFC 7516 section 7.1) that we could open; `None` for everything else.
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let parts: Vec<Vec<u8>> =
            text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part)).collect::<Result<_, _>>().ok()?;
        let [header, key, iv, _, tag] = parts.as_slice() else { return None };
        let header = parse_object(header)?;
        // RFC 7516 section 4.1.13: we understand no extension.
        if header.contains_key("crit") || header.contains_key("zip") {
            return None;
        }
        let text_of = |name: &str| header.get(name).and_then(Value::as_str);
        let enc = ContentEncryption::ALL.into_iter().find(|enc| text_of("enc") == Some(enc.as_str()))?;
        let is_ours = text_of("alg") == Some(KeyAlg::EcdhEs.as_str());
        // Section 4.1.12: what is inside is a JWT, if anything is said of it.
        let is_nested = header.get("cty").is_none_or(|cty| cty.as_str().is_some_and(|cty| is_same_type(cty, "JWT")));
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return None,
        };
        let has_lengths = key.is_empty() && (iv.len(), tag.len()) == lengths(enc);
        (is_ours && is_nested && has_lengths).then_some(Self { text, kid })
    }
}

/// The lengths of the initialization vector and of the tag (RFC 7518 sections 5.2 and 5.3).
fn lengths(enc: ContentEncryption) -> (usize, usize) {
    match enc {
        ContentEncryption::A128CbcHs256 => (16, 16),
        ContentEncryption::A256CbcHs512 => (16, 32),
        ContentEncryption::A128Gcm | ContentEncryption::A256Gcm => (12, 16),
    }
}

impl Decrypter {
    /// One with `key`; `None` if it is not one on P-256.
    pub(in crate::keys) fn new(key: &PrivateKey) -> Option<Self> {
        let Material::P256(key) = &key.0 else { return None };
        let der = key.to_pkcs8_der().ok()?;
        let mut context = JweContext::new();
        context.remove_compression("DEF");
        for unknown in ["A192CBC-HS384", "A192GCM"] {
            context.remove_content_encryption(unknown);
        }
        let macs = [
            (AescbcHmacJweEncryption::A128cbcHs256, hmac::HMAC_SHA256),
            (AescbcHmacJweEncryption::A256cbcHs512, hmac::HMAC_SHA512),
        ];
        for (cbc, mac) in macs {
            context.add_content_encryption(Box::new(MacFirst { cbc, mac }));
        }
        Some(Self { decrypter: Box::new(ECDH_ES.decrypter_from_der(der.as_bytes()).ok()?), context })
    }

    /// What `token` holds; `None` if it was not made for this key, or was changed.
    pub fn open(&self, token: &UnopenedJwe<'_>) -> Option<String> {
        let (content, _) = self.context.deserialize_compact(token.text, self.decrypter.as_ref()).ok()?;
        String::from_utf8(content).ok()
    }
}

/// AES in CBC mode, which is decrypted only if the MAC is right.
#[derive(Clone, Debug)]
struct MacFirst {
    cbc: AescbcHmacJweEncryption,
    mac: hmac::Algorithm,
}

impl MacFirst {
    fn is_genuine(&self, key: &[u8], (iv, message, aad): (&[u8], &[u8], &[u8]), tag: &[u8]) -> bool {
        let Some((mac_key, _)) = key.split_at_checked(self.cbc.key_len() / 2) else { return false };
        let Ok(bits) = u64::try_from(aad.len() * 8) else { return false };
        let mut context = hmac::Context::with_key(&hmac::Key::new(self.mac, mac_key));
        for part in [aad, iv, message, &bits.to_be_bytes()] {
            context.update(part);
        }
        let whole = context.sign();
        // Compared in full: a tag of another length is none.
        whole.as_ref().get(..mac_key.len()).is_some_and(|expected| bool::from(expected.ct_eq(tag)))
    }
}

impl JweContentEncryption for MacFirst {
    fn name(&self) -> &str {
        self.cbc.name()
    }

    fn key_len(&self) -> usize {
        self.cbc.key_len()
    }

    fn iv_len(&self) -> usize {
        self.cbc.iv_len()
    }

    fn encrypt(
        &self,
        key: &[u8],
        iv: Option<&[u8]>,
        message: &[u8],
        aad: &[u8],
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), JoseError> {
        self.cbc.encrypt(key, iv, message, aad)
    }

    fn decrypt(
        &self,
        key: &[u8],
        iv: Option<&[u8]>,
        encrypted_message: &[u8],
        aad: &[u8],
        tag: Option<&[u8]>,
    ) -> Result<Vec<u8>, JoseError> {
        let parts = (iv.unwrap_or_default(), encrypted_message, aad);
        if !self.is_genuine(key, parts, tag.unwrap_or_default()) {
            return Err(JoseError::InvalidSignature(std::io::Error::other("the tag is another one").into()));
        }
        self.cbc.decrypt(key, iv, encrypted_message, aad, tag)
    }

    fn box_clone(&self) -> Box<dyn JweContentEncryption> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
