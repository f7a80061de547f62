//! Private keys as material: generated, written as PKCS#8 PEM (RFC 5958), read back, and their public half.
//!
//! The crates here own the material; [`super::signer`] does the signing. The `rsa` crate never signs for the network: its
//! timing is not constant (RUSTSEC-2023-0071).

use std::convert::Infallible;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use rand::{TryCryptoRng, TryRng};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use rsa::traits::PublicKeyParts;
use zeroize::Zeroizing;

use super::jwk::PublicJwk;
use crate::model::key_alg::KeyAlg;
use crate::random;

pub(super) const MIN_RSA_BITS: usize = 2048;
pub(super) const MAX_RSA_BITS: usize = 8192;

/// The size of a new RSA key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RsaBits {
    /// 2048 bits: the least that RFC 7518 section 3.3 allows, and the fastest to sign with.
    #[default]
    Two048,
    /// 3072 bits.
    Three072,
    /// 4096 bits.
    Four096,
}

/// A private key. Never shown: it has neither `Debug` nor `Serialize`.
pub struct PrivateKey(pub(super) Material);

/// What it is made of.
pub(super) enum Material {
    P256(p256::SecretKey),
    Rsa(Box<rsa::RsaPrivateKey>),
    Ed25519(ed25519_dalek::SigningKey),
}

/// Why a PEM text is not a key that can be used with the algorithm it is listed for, and how to mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnusableKey {
    pub(super) what: &'static str,
    pub(super) mend: &'static str,
}

impl RsaBits {
    /// The number of bits.
    pub fn get(self) -> usize {
        match self {
            Self::Two048 => 2048,
            Self::Three072 => 3072,
            Self::Four096 => 4096,
        }
    }
}

impl PrivateKey {
    /// A fresh key for `alg`; `None` if the library could not make one.
    pub(super) fn generate(alg: impl Into<KeyAlg>, rsa_bits: RsaBits) -> Option<Self> {
        match alg.into() {
            KeyAlg::ES256 | KeyAlg::EcdhEs => {
                Some(Self(Material::P256(p256::SecretKey::generate_from_rng(&mut Generator))))
            }
            KeyAlg::RS256 | KeyAlg::PS256 => rsa::RsaPrivateKey::new(&mut Generator, rsa_bits.get())
                .ok()
                .map(|key| Self(Material::Rsa(Box::new(key)))),
            KeyAlg::EdDSA => Some(Self(Material::Ed25519(ed25519_dalek::SigningKey::generate(&mut Generator)))),
        }
    }

    /// The key for `alg` in a PKCS#8 PEM text.
    pub(super) fn from_pem(alg: impl Into<KeyAlg>, pem: &str) -> Result<Self, UnusableKey> {
        if !pem.contains("-----BEGIN PRIVATE KEY-----") {
            return Err(UnusableKey {
                what: "is not an unencrypted PKCS#8 private key in PEM",
                mend: "convert it with `openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW`, or put the right file back",
            });
        }
        let wrong_kind = UnusableKey {
            what: "does not hold a key of the kind that its `alg` needs, or is damaged",
            mend: "put the right file back from your copy, or end the key with `ostiary-keyctl revoke`",
        };
        let key = match alg.into() {
            KeyAlg::ES256 | KeyAlg::EcdhEs => p256::SecretKey::from_pkcs8_pem(pem).ok().map(Material::P256),
            KeyAlg::RS256 | KeyAlg::PS256 => {
                rsa::RsaPrivateKey::from_pkcs8_pem(pem).ok().map(|key| Material::Rsa(Box::new(key)))
            }
            KeyAlg::EdDSA => ed25519_dalek::SigningKey::from_pkcs8_pem(pem).ok().map(Material::Ed25519),
        }
        .ok_or(wrong_kind)?;
        match &key {
            // RFC 7518 sections 3.3 and 3.5.
            Material::Rsa(rsa) if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&(rsa.size() * 8)) => Err(UnusableKey {
                what: "holds an RSA key of less than 2048 or more than 8192 bits",
                mend: "use a larger key; one that is listed already is ended with `ostiary-keyctl revoke`",
            }),
            _ => Ok(Self(key)),
        }
    }

    /// The key as PKCS#8 PEM.
    pub(super) fn to_pem(&self) -> Option<Zeroizing<String>> {
        match &self.0 {
            Material::P256(key) => key.to_pkcs8_pem(LineEnding::LF).ok(),
            Material::Rsa(key) => key.to_pkcs8_pem(LineEnding::LF).ok(),
            Material::Ed25519(key) => key.to_pkcs8_pem(LineEnding::LF).ok(),
        }
    }

    /// The size to give its successor; the default for keys of other kinds.
    pub(super) fn rsa_bits(&self) -> RsaBits {
        match &self.0 {
            Material::Rsa(key) if key.size() * 8 > 3072 => RsaBits::Four096,
            Material::Rsa(key) if key.size() * 8 > 2048 => RsaBits::Three072,
            Material::Rsa(_) | Material::P256(_) | Material::Ed25519(_) => RsaBits::default(),
        }
    }

    /// Its public half as PEM (RFC 7468 section 13).
    pub fn public_pem(&self) -> Option<String> {
        match &self.0 {
            Material::P256(key) => key.public_key().to_public_key_pem(LineEnding::LF).ok(),
            Material::Rsa(key) => key.to_public_key().to_public_key_pem(LineEnding::LF).ok(),
            Material::Ed25519(key) => key.verifying_key().to_public_key_pem(LineEnding::LF).ok(),
        }
    }

    /// Its public half.
    pub fn public_jwk(&self) -> Option<PublicJwk> {
        match &self.0 {
            Material::P256(key) => {
                let point = key.public_key().to_sec1_point(false);
                Some(PublicJwk::p256(point.x()?, point.y()?))
            }
            Material::Rsa(key) => Some(PublicJwk::rsa(&key.n_bytes(), &key.e_bytes())),
            Material::Ed25519(key) => Some(PublicJwk::ed25519(key.verifying_key().as_bytes())),
        }
    }
}

/// Lets the key crates draw from the one source of secrets.
pub(super) struct Generator;

impl TryRng for Generator {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_ne_bytes(random::bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_ne_bytes(random::bytes()))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            let bytes = Zeroizing::new(random::bytes::<32>());
            chunk.iter_mut().zip(bytes.iter()).for_each(|(to, from)| *to = *from);
        }
        Ok(())
    }
}

impl TryCryptoRng for Generator {}

#[cfg(test)]
mod tests;
