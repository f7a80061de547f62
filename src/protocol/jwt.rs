//! The compact form of a signed JSON Web Token (RFC 7515, RFC 7519): taken apart here, believed only after `keys` or a
//! client's registered key has verified it.
//!
//! Strict on purpose, because two readers that disagree about a token are an attack: base64url without padding and with
//! one spelling only, no repeated members at any depth (RFC 7519 section 4), no `crit` (RFC 7515 section 4.1.11: we
//! understand no extension), no `none` (RFC 8725 section 3.2), a limit on size.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

pub use super::strict_json::parse_object;
use crate::model::signing_alg::SigningAlg;

/// The longest token that is looked at.
pub const MAX_LENGTH: usize = 16 * 1024;

/// What a JWT says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtHeader {
    /// The signature algorithm (RFC 7515 section 4.1.1).
    pub alg: String,
    /// Which key (section 4.1.4).
    pub kid: Option<String>,
    /// What kind of token (section 4.1.9).
    pub typ: Option<String>,
    /// The key itself (section 4.1.3): whoever wrote the token put it there, so that it says nothing of who that is.
    pub jwk: Option<Value>,
}

/// A JWT that was taken apart; nothing in it may be believed yet.
pub struct UnverifiedJwt<'a> {
    /// The header.
    pub header: JwtHeader,
    /// The claims, as somebody wrote them.
    pub claims: Map<String, Value>,
    /// What the signature is over (RFC 7515 section 5.2).
    pub signing_input: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
}

/// A JWT whose signature is good and whose `typ` is one of those asked for. Times, issuer and audience are for the caller.
#[derive(Clone, PartialEq)]
pub struct VerifiedClaims {
    /// The claims.
    pub claims: Map<String, Value>,
    /// Which of the expected types it is, as the caller wrote it.
    pub typ: String,
}

/// Why a text is not a JWT that we would look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// More than [`MAX_LENGTH`].
    #[error("the token is too long")]
    TooLong,
    /// Not three parts of base64url, of which the first two are JSON objects without repeated members.
    #[error("the token is malformed")]
    Malformed,
    /// It needs an extension to be understood.
    #[error("the token has critical header parameters")]
    Critical,
    /// It is not signed.
    #[error("the token is not signed")]
    Unsigned,
}

/// A claim that should be a time is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADate;

impl<'a> UnverifiedJwt<'a> {
    /// Takes `text` apart.
    pub fn parse(text: &'a str) -> Result<Self, JwtError> {
        if text.len() > MAX_LENGTH {
            return Err(JwtError::TooLong);
        }
        let (signing_input, signature) = text.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, claims) = signing_input.split_once('.').ok_or(JwtError::Malformed)?;
        let header = parse_header(header)?;
        let claims = decode_object(claims)?;
        let signature = decode(signature)?;
        if signature.is_empty() || header.alg.eq_ignore_ascii_case("none") {
            return Err(JwtError::Unsigned);
        }
        Ok(Self { header, claims, signing_input, signature })
    }
}

impl JwtHeader {
    /// Whether the token says that it is of type `expected`.
    pub fn is_typ(&self, expected: &str) -> bool {
        self.typ.as_deref().is_some_and(|typ| is_same_type(typ, expected))
    }
}

/// Whether two `typ` values name the same media type: they ignore case, and `application/` may be left away before a name
/// that has no other slash (RFC 7515 section 4.1.9).
pub fn is_same_type(one: &str, other: &str) -> bool {
    short_type(one).eq_ignore_ascii_case(short_type(other))
}

fn short_type(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => rest,
        _ => typ,
    }
}

/// The `at_hash` and `c_hash` of a token or code in an ID token signed with `alg`: the left half of its hash (OpenID
/// Connect Core sections 3.1.3.6 and 3.3.2.11). Ed25519 hashes with SHA-512 inside, so that is the one taken for it.
pub fn at_hash(alg: SigningAlg, token: &str) -> String {
    let algorithm = match alg {
        SigningAlg::ES256 | SigningAlg::RS256 | SigningAlg::PS256 => &digest::SHA256,
        SigningAlg::EdDSA => &digest::SHA512,
    };
    let hash = digest::digest(algorithm, token.as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

/// A time in seconds (RFC 7519 section 2, NumericDate); one that is there has to be one. Fractions of a second do not count.
pub fn numeric_date(claims: &Map<String, Value>, name: &str) -> Result<Option<DateTime<Utc>>, NotADate> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    // Far beyond any time that is meant, and far inside of what can be counted.
    let seconds = value.as_f64().filter(|seconds| seconds.abs() < 1e11).ok_or(NotADate)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is below 1e11")]
    let seconds = seconds.trunc() as i64;
    DateTime::from_timestamp(seconds, 0).map(Some).ok_or(NotADate)
}

fn parse_header(text: &str) -> Result<JwtHeader, JwtError> {
    let mut members = decode_object(text)?;
    if members.contains_key("crit") {
        return Err(JwtError::Critical);
    }
    let jwk = members.remove("jwk");
    let mut take = |name| match members.remove(name) {
        Some(Value::String(text)) => Ok(Some(text)),
        None => Ok(None),
        Some(_) => Err(JwtError::Malformed),
    };
    Ok(JwtHeader { alg: take("alg")?.ok_or(JwtError::Malformed)?, kid: take("kid")?, typ: take("typ")?, jwk })
}

fn decode_object(text: &str) -> Result<Map<String, Value>, JwtError> {
    parse_object(&decode(text)?).ok_or(JwtError::Malformed)
}

fn decode(text: &str) -> Result<Vec<u8>, JwtError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Malformed)
}

#[cfg(test)]
mod tests;
