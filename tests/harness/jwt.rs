//! JWTs as a relying party sees them: verified with the published keys, or forged.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::app::TestApp;

/// A JWT whose signature was verified.
#[derive(Clone, Debug)]
pub struct Jwt {
    pub header: Value,
    pub claims: Value,
}

/// Verifies `token` with the server's published keys.
pub async fn verify(app: &TestApp, token: &str) -> Jwt {
    let jwks = serde_json::from_str(&app.get("/jwks.json").send().await.body).expect("the keys are JSON");
    verify_with(&jwks, token)
}

/// Verifies `token` with a key set that was fetched before.
pub fn verify_with(jwks: &Value, token: &str) -> Jwt {
    let jwt = read(token);
    let keys = jwks["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["kid"] == jwt.header["kid"]).expect("the key is published");
    assert_eq!(key["alg"], jwt.header["alg"], "the key is for this algorithm");
    let (input, signature) = token.rsplit_once('.').expect("a signature");
    verify_signature(key, input.as_bytes(), &decode(signature));
    jwt
}

/// What a token says, whoever made it.
pub fn read(token: &str) -> Jwt {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, _] = parts[..] else { panic!("three parts: {token}") };
    let json = |part| serde_json::from_slice(&decode(part)).expect("JSON");
    Jwt { header: json(header), claims: json(claims) }
}

fn verify_signature(key: &Value, input: &[u8], signature: &[u8]) {
    let member = |name: &str| decode(key[name].as_str().expect("a member of the key"));
    let verified = match key["alg"].as_str().expect("an algorithm") {
        "ES256" => {
            let point = [vec![4], member("x"), member("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(input, signature)
        }
        "EdDSA" => UnparsedPublicKey::new(&ED25519, member("x")).verify(input, signature),
        alg => {
            let parameters = if alg == "PS256" { &RSA_PSS_2048_8192_SHA256 } else { &RSA_PKCS1_2048_8192_SHA256 };
            assert!(matches!(alg, "RS256" | "PS256"), "{alg}");
            RsaPublicKeyComponents { n: member("n"), e: member("e") }.verify(parameters, input, signature)
        }
    };
    verified.expect("the signature is good");
}

/// The same claims signed by somebody else, under the same header.
pub fn signed_by_another_key(jwt: &Jwt) -> String {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let input = signing_input(&jwt.header, &jwt.claims);
    let signature = key.sign(&SystemRandom::new(), input.as_bytes()).expect("a signature");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

/// The same claims signed with an RSA key that is not ours, under the key id given.
pub fn signed_by_a_foreign_rsa_key(jwt: &Jwt, kid: Option<&str>) -> String {
    static FOREIGN: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"));
    let mut header = serde_json::json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    let input = signing_input(&header, &jwt.claims);
    let mut signature = vec![0; FOREIGN.public_modulus_len()];
    FOREIGN.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature).expect("a signature");
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The same claims under a MAC (`alg` is `HS256`).
pub fn authenticated_with(jwt: &Jwt, secret: &[u8]) -> String {
    let mut header = jwt.header.clone();
    header["alg"] = "HS256".into();
    let input = signing_input(&header, &jwt.claims);
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.as_ref()))
}

/// The same claims without a signature (`alg` is `none`).
pub fn unsigned(jwt: &Jwt) -> String {
    let mut header = jwt.header.clone();
    header["alg"] = "none".into();
    format!("{}.", signing_input(&header, &jwt.claims))
}

/// The token with one claim changed and its old signature.
pub fn with_claim(token: &str, name: &str, value: Value) -> String {
    let mut jwt = read(token);
    jwt.claims[name] = value;
    let (_, signature) = token.rsplit_once('.').expect("a signature");
    format!("{}.{signature}", signing_input(&jwt.header, &jwt.claims))
}

fn signing_input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("base64url")
}
