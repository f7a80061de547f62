//! Signing and verifying with aws-lc-rs, each key parsed once (RFC 7518 section 3, RFC 8037 section 3.1).

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use rsa::pkcs8::EncodePrivateKey;

use super::private_key::{Material, PrivateKey};
use crate::model::signing_alg::SigningAlg;

/// A private key that signs with one algorithm.
pub(super) enum Signer {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa { pair: RsaKeyPair, encoding: &'static dyn RsaEncoding },
}

/// The public half, which verifies with the same algorithm.
pub(super) struct Verifier {
    key: ParsedPublicKey,
    #[cfg(test)]
    verifications: std::sync::atomic::AtomicUsize,
}

impl Signer {
    /// A signer with `key`; `None` if the key is not of the kind that `alg` needs.
    pub(super) fn new(alg: SigningAlg, key: &PrivateKey) -> Option<Self> {
        match (alg, &key.0) {
            (SigningAlg::ES256, Material::P256(key)) => {
                let der = key.to_pkcs8_der().ok()?;
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_bytes()).ok().map(Self::Ecdsa)
            }
            (SigningAlg::EdDSA, Material::Ed25519(key)) => {
                let public = key.verifying_key();
                Ed25519KeyPair::from_seed_and_public_key(key.as_bytes(), public.as_bytes()).ok().map(Self::Ed25519)
            }
            (SigningAlg::RS256, Material::Rsa(key)) => Self::rsa(key, &RSA_PKCS1_SHA256),
            (SigningAlg::PS256, Material::Rsa(key)) => Self::rsa(key, &RSA_PSS_SHA256),
            (SigningAlg::ES256 | SigningAlg::EdDSA | SigningAlg::RS256 | SigningAlg::PS256, _) => None,
        }
    }

    fn rsa(key: &rsa::RsaPrivateKey, encoding: &'static dyn RsaEncoding) -> Option<Self> {
        let der = key.to_pkcs8_der().ok()?;
        Some(Self::Rsa { pair: RsaKeyPair::from_pkcs8(der.as_bytes()).ok()?, encoding })
    }

    /// The public half.
    pub(super) fn verifier(&self, alg: SigningAlg) -> Option<Verifier> {
        let public = match self {
            Self::Ecdsa(pair) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
            Self::Rsa { pair, .. } => pair.public_key().as_ref(),
        };
        Verifier::of_public(alg, public)
    }

    /// RSA takes fifteen times as long as the others: it must not hold up the thread that serves requests.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self, Self::Rsa { .. })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        // The library has a generator of its own and ignores the one that it is given.
        let ignored = SystemRandom::new();
        match self {
            Self::Ecdsa(pair) => Ok(pair.sign(&ignored, message)?.as_ref().to_vec()),
            Self::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Self::Rsa { pair, encoding } => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &ignored, message, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

impl Verifier {
    /// One with the bytes of a public key: a point, an Ed25519 key, or a PKCS#1 `RSAPublicKey`.
    pub(super) fn of_public(alg: SigningAlg, public: &[u8]) -> Option<Self> {
        let parsed = match alg {
            SigningAlg::ES256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public),
            SigningAlg::EdDSA => ParsedPublicKey::new(&ED25519, public),
            SigningAlg::RS256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public),
            SigningAlg::PS256 => ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, public),
        };
        parsed.ok().map(Self::new)
    }

    fn new(key: ParsedPublicKey) -> Self {
        Self {
            key,
            #[cfg(test)]
            verifications: std::sync::atomic::AtomicUsize::new(0),
        }
    }

    pub(super) fn is_valid(&self, message: &[u8], signature: &[u8]) -> bool {
        #[cfg(test)]
        self.verifications.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.key.verify_sig(message, signature).is_ok()
    }

    /// How many signatures it looked at.
    #[cfg(test)]
    pub(super) fn verifications(&self) -> usize {
        self.verifications.load(std::sync::atomic::Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests;
