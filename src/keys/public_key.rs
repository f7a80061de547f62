//! Public keys whose private half is elsewhere: read from a JSON Web Key and checked (RFC 7517, RFC 7518 section 6, RFC 8037).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use rsa::BoxedUint;
use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::pkcs8::EncodePublicKey;
use serde_json::{Map, Value};

use super::jwk::PublicJwk;
use super::private_key::{MAX_RSA_BITS, MIN_RSA_BITS};
use super::signer::Verifier;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::client_metadata::PRIVATE_MEMBERS;

const NO_OBJECT: &str = "is not a JSON object";

/// A public key that verifies with one algorithm.
pub struct PublicKey {
    jwk: PublicJwk,
    alg: SigningAlg,
    material: Material,
}

enum Material {
    P256(p256::PublicKey),
    Rsa(rsa::RsaPublicKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

impl PublicKey {
    /// The key for `alg` in a JSON Web Key, or what is wrong with that.
    pub fn from_jwk(alg: SigningAlg, jwk: &Value) -> Result<Self, &'static str> {
        let members = jwk.as_object().ok_or(NO_OBJECT)?;
        if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err("holds a private key: only the public members may leave the place where it is kept");
        }
        let says = |name: &str, expected: &str| members.get(name).is_none_or(|value| value == expected);
        if !says("alg", alg.as_str()) || !says("use", "sig") {
            return Err("is for another algorithm or another use");
        }
        match alg {
            SigningAlg::ES256 => p256_key(members),
            SigningAlg::RS256 | SigningAlg::PS256 => rsa_key(members),
            SigningAlg::EdDSA => ed25519_key(members),
        }
        .map(|(jwk, material)| Self { jwk, alg, material })
    }

    /// The key with the members that make it what it is, and no others.
    pub fn jwk(&self) -> &PublicJwk {
        &self.jwk
    }

    /// The key as PEM (RFC 7468 section 13).
    pub fn pem(&self) -> Option<String> {
        match &self.material {
            Material::P256(key) => key.to_public_key_pem(LineEnding::LF).ok(),
            Material::Rsa(key) => key.to_public_key_pem(LineEnding::LF).ok(),
            Material::Ed25519(key) => key.to_public_key_pem(LineEnding::LF).ok(),
        }
    }

    /// Whether it made `signature` over `message`.
    pub fn is_valid(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifier().is_some_and(|verifier| verifier.is_valid(message, signature))
    }

    pub(super) fn verifier(&self) -> Option<Verifier> {
        match &self.material {
            Material::P256(key) => Verifier::of_public(self.alg, &key.to_sec1_bytes()),
            Material::Rsa(key) => Verifier::of_public(self.alg, key.to_pkcs1_der().ok()?.as_bytes()),
            Material::Ed25519(key) => Verifier::of_public(self.alg, key.as_bytes()),
        }
    }
}

/// The key on P-256 in a JSON Web Key, whatever it is for.
pub(super) fn read_p256(jwk: &Value) -> Result<PublicJwk, &'static str> {
    p256_key(jwk.as_object().ok_or(NO_OBJECT)?).map(|(jwk, _)| jwk)
}

/// The RSA key in a JSON Web Key, whatever it is for.
pub(super) fn read_rsa(jwk: &Value) -> Result<PublicJwk, &'static str> {
    rsa_key(jwk.as_object().ok_or(NO_OBJECT)?).map(|(jwk, _)| jwk)
}

type Read = Result<(PublicJwk, Material), &'static str>;

fn p256_key(members: &Map<String, Value>) -> Read {
    let other = "is not a key on the curve P-256";
    require(members, "kty", "EC", other)?;
    require(members, "crv", "P-256", other)?;
    let (x, y) = (bytes(members, "x")?, bytes(members, "y")?);
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    if x.len() != 32 || y.len() != 32 {
        return Err(other);
    }
    let key = p256::PublicKey::from_sec1_bytes(&point).map_err(|_| other)?;
    Ok((PublicJwk::p256(&x, &y), Material::P256(key)))
}

fn rsa_key(members: &Map<String, Value>) -> Read {
    require(members, "kty", "RSA", "is not an RSA key")?;
    let (n, e) = (bytes(members, "n")?, bytes(members, "e")?);
    // RFC 7518 section 6.3.1.1: no leading zeros, or one key would have two thumbprints.
    if n.first() == Some(&0) || e.first() == Some(&0) {
        return Err("has leading zeros in its numbers");
    }
    let (modulus, exponent) = (BoxedUint::from_be_slice_vartime(&n), BoxedUint::from_be_slice_vartime(&e));
    // RFC 7518 sections 3.3 and 3.5.
    let bits = usize::try_from(modulus.bits_vartime()).unwrap_or(usize::MAX);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        return Err("is an RSA key of less than 2048 or more than 8192 bits");
    }
    let key = rsa::RsaPublicKey::new_with_max_size(modulus, exponent, MAX_RSA_BITS)
        .map_err(|_| "is an RSA key with a modulus or an exponent that is none")?;
    Ok((PublicJwk::rsa(&n, &e), Material::Rsa(key)))
}

fn ed25519_key(members: &Map<String, Value>) -> Read {
    let other = "is not an Ed25519 key";
    require(members, "kty", "OKP", other)?;
    require(members, "crv", "Ed25519", other)?;
    let x = <[u8; 32]>::try_from(bytes(members, "x")?).map_err(|_| other)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(&x).map_err(|_| other)?;
    // RFC 8032 section 8.7 leaves them to us: with such a key everybody can sign.
    if key.is_weak() {
        return Err(other);
    }
    Ok((PublicJwk::ed25519(&x), Material::Ed25519(key)))
}

fn require(
    members: &Map<String, Value>,
    name: &str,
    expected: &str,
    otherwise: &'static str,
) -> Result<(), &'static str> {
    if members.get(name).is_some_and(|value| value == expected) { Ok(()) } else { Err(otherwise) }
}

/// The engine refuses what it would not write itself: padding, other alphabets, bits that are left over.
fn bytes(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, &'static str> {
    let text = members.get(name).and_then(Value::as_str).ok_or("lacks a member that its kind of key has")?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "has a member that is not base64url without padding")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keys::private_key::{PrivateKey, RsaBits};
    use crate::keys::signer::Signer;

    #[test]
    fn a_public_key_verifies_what_its_private_half_signed() {
        for alg in SigningAlg::ALL {
            let private = PrivateKey::generate(alg, RsaBits::default()).unwrap();
            let jwk = private.public_jwk().unwrap();
            let public = PublicKey::from_jwk(alg, &serde_json::to_value(jwk.published("kid", alg)).unwrap()).unwrap();
            assert_eq!((public.jwk(), public.pem()), (&jwk, private.public_pem()));
            let signature = Signer::new(alg, &private).unwrap().sign(b"message").unwrap();
            let verifier = public.verifier().unwrap();
            assert!(verifier.is_valid(b"message", &signature) && !verifier.is_valid(b"another", &signature));
        }
    }

    #[test]
    fn what_is_not_a_public_key_for_the_algorithm_is_refused_with_the_reason() {
        let key = |alg| {
            let private = PrivateKey::generate(alg, RsaBits::default()).unwrap();
            serde_json::to_value(private.public_jwk().unwrap()).unwrap()
        };
        let refused = |alg, mut jwk: Value, change: Value| {
            jwk.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            PublicKey::from_jwk(alg, &jwk).err().unwrap_or_else(|| panic!("{jwk}"))
        };
        let (ec, ed, rsa) = (key(SigningAlg::ES256), key(SigningAlg::EdDSA), key(SigningAlg::RS256));
        for private in PRIVATE_MEMBERS {
            assert!(refused(SigningAlg::ES256, ec.clone(), json!({ private: "AA" })).contains("private"));
        }
        let es256 = |change| refused(SigningAlg::ES256, ec.clone(), change);
        assert!(es256(json!({ "alg": "RS256" })).contains("another algorithm"));
        assert!(es256(json!({ "use": "enc" })).contains("another use"));
        assert!(es256(json!({ "crv": "P-384" })).contains("P-256"));
        // Not a point of the curve, and one coordinate too short.
        assert!(es256(json!({ "x": URL_SAFE_NO_PAD.encode([7; 32]) })).contains("P-256"));
        assert!(es256(json!({ "x": URL_SAFE_NO_PAD.encode([7; 31]) })).contains("P-256"));
        assert!(es256(json!({ "x": "AAA=" })).contains("base64url"));
        assert!(es256(json!({ "x": null })).contains("lacks"));
        assert!(refused(SigningAlg::RS256, ec.clone(), json!({})).contains("RSA"));
        assert!(refused(SigningAlg::ES256, ed.clone(), json!({})).contains("P-256"));
        // The neutral element: every signature would be good.
        let neutral = [[1].as_slice(), &[0; 31]].concat();
        assert!(refused(SigningAlg::EdDSA, ed, json!({ "x": URL_SAFE_NO_PAD.encode(neutral) })).contains("Ed25519"));
        let rs256 = |change| refused(SigningAlg::RS256, rsa.clone(), change);
        assert!(rs256(json!({ "n": URL_SAFE_NO_PAD.encode([0xff; 128]) })).contains("2048"));
        assert!(rs256(json!({ "n": URL_SAFE_NO_PAD.encode([0xff; 1025]) })).contains("8192"));
        assert!(rs256(json!({ "e": "AQ" })).contains("exponent"));
        assert!(rs256(json!({ "e": "AAEAAQ" })).contains("leading zeros"));
        assert!(PublicKey::from_jwk(SigningAlg::ES256, &json!("key")).is_err());
    }
}
