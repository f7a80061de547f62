//! The public keys of somebody else: a JSON Web Key Set (RFC 7517 section 5), read once and asked for every signature and every
//! encryption.
//!
//! Keys that are for something else, of a kind that we do not know or broken are passed over (section 5 asks for it), so that
//! a client may publish keys for others too.

use std::sync::Arc;

use serde_json::Value;

use super::jwe::Recipient;
use super::public_key::PublicKey;
use super::signer::Verifier;
use crate::model::encryption_alg::EncryptionAlg;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::strict_json;

/// How many keys of a set are looked at.
const MOST: usize = 32;

/// Keys that verify signatures, or that are encrypted to.
#[derive(Default)]
pub struct JwkSet {
    keys: Vec<Key>,
    recipients: Vec<Arc<Recipient>>,
    published: Vec<Value>,
}

struct Key {
    kid: Option<String>,
    alg: SigningAlg,
    verifier: Verifier,
}

/// What a set says of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One of its keys made it.
    Valid,
    /// The key that is named, or each that it could be, did not make it.
    Invalid,
    /// There is no key of that name for that algorithm.
    UnknownKey,
}

impl JwkSet {
    /// The set in a JSON document; `None` if that is none at all.
    pub fn parse(document: &[u8]) -> Option<Self> {
        Self::from_value(&Value::Object(strict_json::parse_object(document)?))
    }

    /// The set in a JSON value; `None` if that is none at all.
    pub fn from_value(document: &Value) -> Option<Self> {
        let keys = document.get("keys")?.as_array()?;
        let published: Vec<Value> = keys.iter().take(MOST).cloned().collect();
        let of_key = |jwk| EncryptionAlg::ALL.into_iter().filter_map(move |alg| Recipient::from_jwk(alg, jwk));
        let recipients = published.iter().flat_map(of_key).map(Arc::new).collect();
        Some(Self { keys: published.iter().flat_map(keys_of).collect(), recipients, published })
    }

    /// The keys as they were published, also those that verify nothing.
    pub fn published(&self) -> &[Value] {
        &self.published
    }

    /// Whether `signature` over `message` is by the key of that name, or without a name by one of those for `alg`.
    pub fn verify(&self, alg: SigningAlg, kid: Option<&str>, message: &[u8], signature: &[u8]) -> Verdict {
        let is_meant = |key: &&Key| key.alg == alg && kid.is_none_or(|kid| key.kid.as_deref() == Some(kid));
        let mut meant = self.keys.iter().filter(is_meant).peekable();
        if meant.peek().is_none() {
            return Verdict::UnknownKey;
        }
        if meant.any(|key| key.verifier.is_valid(message, signature)) { Verdict::Valid } else { Verdict::Invalid }
    }

    /// The first key that is encrypted to with `alg`.
    pub fn find_recipient(&self, alg: EncryptionAlg) -> Option<Arc<Recipient>> {
        self.recipients.iter().find(|recipient| recipient.alg() == alg).cloned()
    }

    /// Whether it has no key that verifies anything.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// A key, once for each algorithm that it may be used with.
fn keys_of(jwk: &Value) -> Vec<Key> {
    let is_for_signatures =
        jwk.get("key_ops").and_then(Value::as_array).is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !is_for_signatures {
        return Vec::new();
    }
    let kid = jwk.get("kid").and_then(Value::as_str).map(ToOwned::to_owned);
    let verifier = |alg| PublicKey::from_jwk(alg, jwk).ok()?.verifier();
    let keys =
        SigningAlg::ALL.into_iter().filter_map(|alg| Some(Key { kid: kid.clone(), alg, verifier: verifier(alg)? }));
    keys.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keys::private_key::{PrivateKey, RsaBits};
    use crate::keys::signer::Signer;

    fn key(alg: SigningAlg) -> (Signer, Value) {
        let private = PrivateKey::generate(alg, RsaBits::default()).unwrap();
        (Signer::new(alg, &private).unwrap(), serde_json::to_value(private.public_jwk().unwrap()).unwrap())
    }

    fn with(mut jwk: Value, members: Value) -> Value {
        jwk.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        jwk
    }

    #[test]
    fn a_key_is_found_by_its_name_and_without_one_by_its_kind() {
        let ((signer, jwk), (other, other_jwk)) = (key(SigningAlg::ES256), key(SigningAlg::ES256));
        let set = json!({"keys": [with(jwk, json!({"kid": "a"})), with(other_jwk, json!({"kid": "b"}))]});
        let set = JwkSet::parse(set.to_string().as_bytes()).unwrap();
        let signature = signer.sign(b"message").unwrap();
        let verify = |kid, signature: &[u8]| set.verify(SigningAlg::ES256, kid, b"message", signature);
        assert_eq!(verify(Some("a"), &signature), Verdict::Valid);
        assert_eq!(verify(None, &signature), Verdict::Valid);
        assert_eq!(verify(None, &other.sign(b"message").unwrap()), Verdict::Valid);
        assert_eq!(verify(Some("b"), &signature), Verdict::Invalid);
        assert_eq!(verify(Some("c"), &signature), Verdict::UnknownKey);
        assert_eq!(set.verify(SigningAlg::RS256, None, b"message", &signature), Verdict::UnknownKey);
    }

    #[test]
    fn an_rsa_key_without_alg_is_for_both_algorithms_and_one_with_alg_for_that() {
        let (signer, jwk) = key(SigningAlg::PS256);
        let signature = signer.sign(b"message").unwrap();
        let verdict = |jwk: Value, alg| {
            JwkSet::from_value(&json!({"keys": [jwk]})).unwrap().verify(alg, None, b"message", &signature)
        };
        assert_eq!(verdict(jwk.clone(), SigningAlg::PS256), Verdict::Valid);
        assert_eq!(verdict(jwk.clone(), SigningAlg::RS256), Verdict::Invalid);
        assert_eq!(verdict(with(jwk, json!({"alg": "RS256"})), SigningAlg::PS256), Verdict::UnknownKey);
    }

    #[test]
    fn a_key_to_encrypt_to_is_found_by_its_algorithm_and_verifies_nothing() {
        let (_, jwk) = key(SigningAlg::ES256);
        let (_, signing) = key(SigningAlg::ES256);
        let jwk = with(jwk, json!({"use": "enc", "alg": "ECDH-ES"}));
        let set = JwkSet::from_value(&json!({"keys": [with(signing, json!({"use": "sig"})), jwk]})).unwrap();
        assert_eq!(set.keys.len(), 1);
        assert!(set.find_recipient(EncryptionAlg::EcdhEs).is_some());
        assert!(set.find_recipient(EncryptionAlg::EcdhEsA256Kw).is_none());
        assert!(set.find_recipient(EncryptionAlg::RsaOaep).is_none());
    }

    #[test]
    fn what_is_no_key_for_signatures_is_passed_over() {
        let (signer, jwk) = key(SigningAlg::EdDSA);
        let set = json!({"keys": [
            {"kty": "oct", "k": "AAAA"},
            {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"},
            "no object",
            with(jwk.clone(), json!({"use": "enc"})),
            with(jwk.clone(), json!({"key_ops": ["encrypt"]})),
            with(jwk.clone(), json!({"d": "AA"})),
            with(jwk, json!({"kid": "good", "key_ops": ["verify"]})),
        ]});
        let set = JwkSet::from_value(&set).unwrap();
        assert_eq!(set.keys.len(), 1);
        let signature = signer.sign(b"message").unwrap();
        assert_eq!(set.verify(SigningAlg::EdDSA, Some("good"), b"message", &signature), Verdict::Valid);
        assert!(JwkSet::from_value(&json!({"keys": []})).unwrap().is_empty());
        for none in ["[]", "{}", r#"{"keys": {}}"#, r#"{"keys": [], "keys": []}"#, "x"] {
            assert!(JwkSet::parse(none.as_bytes()).is_none(), "{none}");
        }
    }
}
