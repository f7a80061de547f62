//! Verifying an ID token as a client must (OpenID Connect Core section 3.1.3.7), with the keys that the issuer publishes.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::model::lifetimes::CLOCK_TOLERANCE;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::jwt::{UnverifiedJwt, at_hash};

/// The issuer's keys (RFC 7517 section 5).
#[derive(Deserialize)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kid: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// What the token must agree with.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    /// `None`: it came of a refresh, and may have none (section 12.2).
    pub(super) nonce: Option<&'a str>,
    pub(super) access_token: &'a str,
}

/// The claims of `token`, or what is wrong with it.
pub(super) fn verify(
    token: &str,
    keys: &KeySet,
    expected: &Expected<'_>,
    now: DateTime<Utc>,
) -> Result<Map<String, Value>, &'static str> {
    let jwt = UnverifiedJwt::parse(token).map_err(|_| "it is malformed")?;
    let alg = SigningAlg::from_name(&jwt.header.alg).ok_or("its algorithm is unknown")?;
    let kid = jwt.header.kid.as_deref().ok_or("it names no key")?;
    let key = keys.keys.iter().find(|key| key.kid.as_deref() == Some(kid)).ok_or("its key is not published")?;
    // RFC 8725 section 3.1: the key decides, not the token.
    if key.alg.as_deref() != Some(alg.as_str()) || !key.verifies(alg, jwt.signing_input, &jwt.signature) {
        return Err("its signature is wrong");
    }
    check(&jwt.claims, alg, expected, now).map(|()| jwt.claims)
}

fn check(
    claims: &Map<String, Value>,
    alg: SigningAlg,
    expected: &Expected<'_>,
    now: DateTime<Utc>,
) -> Result<(), &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    if text("iss") != Some(expected.issuer) {
        return Err("it is another issuer's");
    }
    let is_ours = match claims.get("aud") {
        Some(Value::String(audience)) => audience == expected.client_id,
        // Further audiences are nobody that this application trusts.
        Some(Value::Array(audiences)) => {
            !audiences.is_empty() && audiences.iter().all(|audience| audience.as_str() == Some(expected.client_id))
        }
        _ => false,
    };
    if !is_ours || text("azp").is_some_and(|party| party != expected.client_id) {
        return Err("it is for somebody else");
    }
    if time("exp").is_none_or(|exp| exp + CLOCK_TOLERANCE.num_seconds() <= now.timestamp()) {
        return Err("it has expired");
    }
    if time("iat").is_none_or(|iat| iat - CLOCK_TOLERANCE.num_seconds() > now.timestamp()) {
        return Err("it is from the future");
    }
    if expected.nonce.is_some_and(|nonce| text("nonce") != Some(nonce)) {
        return Err("its nonce is wrong");
    }
    if text("sub").is_none_or(str::is_empty) {
        return Err("it has no subject");
    }
    if text("at_hash").is_some_and(|hash| hash != at_hash(alg, expected.access_token)) {
        return Err("it belongs to another access token");
    }
    Ok(())
}

impl Key {
    fn verifies(&self, alg: SigningAlg, message: &str, signature: &[u8]) -> bool {
        self.check(alg, message.as_bytes(), signature).is_some()
    }

    fn check(&self, alg: SigningAlg, message: &[u8], signature: &[u8]) -> Option<()> {
        match alg {
            SigningAlg::RS256 | SigningAlg::PS256 => {
                let components = RsaPublicKeyComponents { n: decode(&self.n)?, e: decode(&self.e)? };
                let parameters = match alg {
                    SigningAlg::PS256 => &RSA_PSS_2048_8192_SHA256,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                };
                components.verify(parameters, message, signature).ok()
            }
            SigningAlg::ES256 => {
                // An uncompressed point (SEC 1 section 2.3.3).
                let point = [vec![4], decode(&self.x)?, decode(&self.y)?].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).ok()
            }
            SigningAlg::EdDSA => UnparsedPublicKey::new(&ED25519, decode(&self.x)?).verify(message, signature).ok(),
        }
    }
}

fn decode(member: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(member.as_ref()?).ok()
}

#[cfg(test)]
mod tests;
