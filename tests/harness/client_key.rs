//! A key of a client's own, and what it signs: assertions, proofs and request objects, right and wrong.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs1::{DecodeRsaPublicKey, EncodeRsaPrivateKey};
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};

/// A private key.
pub struct ClientKey {
    pub kid: String,
    pub alg: &'static str,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl ClientKey {
    /// A new key for `alg`.
    pub fn generate(alg: &'static str) -> Self {
        let pair = match alg {
            "ES256" => Pair::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key")),
            "EdDSA" => Pair::Ed25519(Ed25519KeyPair::generate().expect("a key")),
            "RS256" | "PS256" => Pair::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))),
            alg => panic!("{alg}"),
        };
        Self { kid: format!("key-{}", ostiary::random::id()), alg, pair }
    }

    /// An RSA key for PS256 that somebody else made, as a private JWK with all of its members.
    pub fn from_jwk(jwk: &Value) -> Self {
        let text = |member: &str| jwk[member].as_str().expect("a member");
        let number = |member: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text(member)).expect("base64url");
            rsa::BoxedUint::from_be_slice_vartime(&bytes)
        };
        let primes = vec![number("p"), number("q")];
        let key = rsa::RsaPrivateKey::from_components(number("n"), number("e"), number("d"), primes).expect("a key");
        let der = key.to_pkcs1_der().expect("DER");
        let pair = RsaKeyPair::from_der(der.as_bytes()).expect("a key");
        assert_eq!(text("alg"), "PS256");
        Self { kid: text("kid").to_owned(), alg: "PS256", pair: Pair::Rsa(Box::new(pair)) }
    }

    /// Its public half, with its name and its algorithm.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.bare_jwk();
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.alg);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Its public half, with the members that make it what it is.
    pub fn bare_jwk(&self) -> Value {
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Pair::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())}),
            Pair::Rsa(pair) => {
                let key = rsa::RsaPublicKey::from_pkcs1_der(pair.public_key().as_ref()).expect("a key");
                let number = |number: &rsa::BoxedUint| encode(&number.to_be_bytes_trimmed_vartime());
                json!({"kty": "RSA", "n": number(key.n()), "e": number(key.e())})
            }
        }
    }

    /// A set with this key alone.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// `claims` signed under the usual header.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_under(&json!({"alg": self.alg, "kid": self.kid, "typ": "JWT"}), claims)
    }

    /// `claims` signed under any header, with this key's own algorithm whatever that says.
    pub fn sign_under(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// The same with texts that need not even be JSON.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let input = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        format!("{input}.{}", encode(&self.signature(input.as_bytes())))
    }

    fn signature(&self, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&random, input).expect("a signature").as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(input).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding =
                    if self.alg == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, input, &mut signature).expect("a signature");
                signature
            }
        }
    }
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kid)
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
