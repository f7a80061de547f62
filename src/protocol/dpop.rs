//! Proofs of possession (RFC 9449): a JWT of one request, signed with the key that the client shows in it.
//!
//! [`PresentedProof::collect`] takes the header apart, whoever has the means verifies the signature, and
//! [`PresentedProof::check`] judges what a genuine proof says. Whether it was used before is for whoever has a store.

use std::borrow::Cow;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use url::Url;

use super::error::OAuthError;
use super::jwt::UnverifiedJwt;
use crate::model::lifetimes::{CLOCK_TOLERANCE, PROOF_LIFETIME};
use crate::model::signing_alg::SigningAlg;

/// The algorithms of proofs, in the order in which discovery lists them. Not RS256: FAPI 2.0 Security Profile section 5.4.1.
pub const ALGS: [SigningAlg; 3] = [SigningAlg::PS256, SigningAlg::ES256, SigningAlg::EdDSA];

/// The header that a proof travels in (section 4).
pub const HEADER: &str = "dpop";

/// Section 4.2.
const TYP: &str = "dpop+jwt";

/// The longest `jti`, in bytes.
const LONGEST_JTI: usize = 256;

/// A proof as it came: nothing in it may be believed yet.
pub struct PresentedProof<'a> {
    /// Its parts.
    pub jwt: UnverifiedJwt<'a>,
    /// The algorithm that it says.
    pub alg: SigningAlg,
    /// The key that it shows.
    pub jwk: Value,
}

/// The request that a proof has to be for.
#[derive(Clone, Copy, Debug)]
pub struct ProvenRequest<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its address, as clients write it.
    pub url: &'a str,
    /// Its address for clients that show a certificate (RFC 8705 section 5), if it has one.
    pub alias: Option<&'a str>,
    /// The access token that came with it, if it is one to a resource.
    pub access_token: Option<&'a str>,
}

/// What makes a proof the one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofClaims {
    /// Its identifier.
    pub jti: String,
    /// What it is for, in the one spelling that is compared.
    pub htu: String,
    /// When it was made.
    pub issued_at: DateTime<Utc>,
    /// The nonce that the server gave for it.
    pub nonce: Option<String>,
}

impl<'a> PresentedProof<'a> {
    /// Takes every `DPoP` header of a request, of which there may be one (section 4.3 rules 1 to 5).
    pub fn collect(headers: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Self>, OAuthError> {
        let mut headers = headers.into_iter();
        let Some(header) = headers.next() else { return Ok(None) };
        if headers.next().is_some() {
            return Err(OAuthError::invalid_dpop_proof("more than one DPoP proof"));
        }
        let text = str::from_utf8(header).ok().map(str::trim_ascii);
        let mut jwt = text
            .and_then(|text| UnverifiedJwt::parse(text).ok())
            .ok_or_else(|| OAuthError::invalid_dpop_proof("the DPoP proof is malformed"))?;
        if !jwt.header.is_typ(TYP) {
            return Err(OAuthError::invalid_dpop_proof("the typ of the DPoP proof must be dpop+jwt"));
        }
        let alg = SigningAlg::from_name(&jwt.header.alg)
            .filter(|alg| ALGS.contains(alg))
            .ok_or_else(|| OAuthError::invalid_dpop_proof("the alg of the DPoP proof is not supported"))?;
        let jwk = jwt.header.jwk.take();
        let jwk = jwk.ok_or_else(|| OAuthError::invalid_dpop_proof("the DPoP proof shows no key"))?;
        Ok(Some(Self { jwt, alg, jwk }))
    }

    /// Judges what a proof says whose signature was verified (section 4.3 rules 3 and 8 to 12).
    pub fn check(&self, request: &ProvenRequest<'_>, now: DateTime<Utc>) -> Result<ProofClaims, OAuthError> {
        let claims = &self.jwt.claims;
        let jti = text(claims, "jti").filter(|jti| !jti.is_empty() && jti.len() <= LONGEST_JTI);
        let jti = jti.ok_or_else(|| OAuthError::invalid_dpop_proof("the DPoP proof has no jti, or a very long one"))?;
        if text(claims, "htm") != Some(request.method) {
            return Err(OAuthError::invalid_dpop_proof("the htm of the DPoP proof is not the method of the request"));
        }
        let htu = text(claims, "htu").and_then(normalized).filter(|htu| {
            [Some(request.url), request.alias].into_iter().flatten().any(|url| normalized(url).as_ref() == Some(htu))
        });
        let htu = htu.ok_or_else(|| {
            OAuthError::invalid_dpop_proof("the htu of the DPoP proof is not the address of the request")
        })?;
        let issued_at = issued_at(claims, now)?;
        if let Some(token) = request.access_token
            && text(claims, "ath") != Some(ath(token).as_str())
        {
            return Err(OAuthError::invalid_dpop_proof(
                "the ath of the DPoP proof is not the hash of the access token",
            ));
        }
        let nonce = match claims.get("nonce") {
            None => None,
            Some(Value::String(nonce)) => Some(nonce.clone()),
            Some(_) => return Err(OAuthError::invalid_dpop_proof("the nonce of the DPoP proof is not a text")),
        };
        Ok(ProofClaims { jti: jti.to_owned(), htu, issued_at, nonce })
    }
}

/// Section 4.2: the hash of an access token in the proofs that come with it.
pub fn ath(access_token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, access_token.as_bytes()))
}

/// The `dpop_jkt` of an authorization request (section 10): the thumbprint of a key, one spelling only.
pub fn parse_jkt(text: &str) -> Result<&str, OAuthError> {
    let is_hash = URL_SAFE_NO_PAD.decode(text).is_ok_and(|hash| hash.len() == digest::SHA256_OUTPUT_LEN);
    if is_hash {
        Ok(text)
    } else {
        Err(OAuthError::invalid_request("dpop_jkt must be the SHA-256 thumbprint of a key, in base64url"))
    }
}

/// An address without query and fragment, so written that two spellings of the same are equal (section 4.3, RFC 3986 sections
/// 6.2.2 and 6.2.3). `None`: it is none of http or https, or one that readers may disagree about.
fn normalized(uri: &str) -> Option<String> {
    let uri = uri.split(['?', '#']).next().unwrap_or_default();
    // RFC 3986 section 2: no other characters are in a URI. Other readers pass over some of them, or take `\` for `/`.
    let is_plain = uri.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    let (_, rest) = uri.split_once("://")?;
    if !is_plain || rest.starts_with('/') {
        return None;
    }
    let url = Url::parse(&percent_normalized(uri)?).ok()?;
    let is_http = matches!(url.scheme(), "http" | "https");
    if !is_http || !url.username().is_empty() || url.password().is_some() || rest_has_userinfo(rest) {
        return None;
    }
    Some(format!("{}{}", url.origin().ascii_serialization(), url.path()))
}

fn rest_has_userinfo(rest: &str) -> bool {
    rest.split('/').next().unwrap_or_default().contains('@')
}

/// RFC 3986 sections 6.2.2.1 and 6.2.2.2: characters that need no encoding have none, and the digits of the others are upper
/// case. `None`: a `%` without its digits.
fn percent_normalized(uri: &str) -> Option<Cow<'_, str>> {
    if !uri.contains('%') {
        return Some(Cow::Borrowed(uri));
    }
    let mut parts = uri.split('%');
    let mut normal = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) =
            part.split_at_checked(2).filter(|(digits, _)| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            normal.push(char::from(byte));
        } else {
            normal.push('%');
            normal.push_str(&digits.to_ascii_uppercase());
        }
        normal.push_str(rest);
    }
    Some(Cow::Owned(normal))
}

/// Section 4.3 rule 11: made a short while ago.
fn issued_at(claims: &Map<String, Value>, now: DateTime<Utc>) -> Result<DateTime<Utc>, OAuthError> {
    let seconds = claims.get("iat").and_then(Value::as_f64).filter(|seconds| seconds.abs() < 1e12);
    // Only whole seconds count; the limit is far inside of what fits.
    #[expect(clippy::cast_possible_truncation, reason = "it is below 1e12")]
    let issued_at = seconds.and_then(|seconds| DateTime::from_timestamp(seconds.trunc() as i64, 0));
    let issued_at =
        issued_at.ok_or_else(|| OAuthError::invalid_dpop_proof("the DPoP proof has no iat, or a wrong one"))?;
    if issued_at > now + CLOCK_TOLERANCE {
        return Err(OAuthError::invalid_dpop_proof("the DPoP proof is of the future"));
    }
    if issued_at + PROOF_LIFETIME <= now {
        return Err(OAuthError::invalid_dpop_proof("the DPoP proof is too old"));
    }
    Ok(issued_at)
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests;
