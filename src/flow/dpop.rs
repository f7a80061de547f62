//! Proofs of possession (RFC 9449): which key a request proves that its sender has, and the nonces that proofs must have where
//! the server wants that.
//!
//! A proof is used once. [`verify_optional`] says which key it is by and leaves its mark to be set, so that [`burn`] sets it
//! together with that of a client assertion.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde_json::Value;

use super::client;
use super::replay::{self, Burnt, Mark};
use crate::app::App;
use crate::config::NoncePolicy;
use crate::keys::master_key::Purpose;
use crate::keys::public_key::PublicKey;
use crate::model::lifetimes::{CLOCK_TOLERANCE, PROOF_LIFETIME};
use crate::protocol::dpop::{HEADER, PresentedProof, ProofClaims, ProvenRequest};
use crate::protocol::error::OAuthError;

/// A proof that is genuine and for the request that it came with. Whether it was used before is yet to be asked.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The thumbprint of the key that made it.
    pub jkt: String,
    /// What has to be burnt for it to count.
    pub mark: Mark,
    /// The nonce for the next proof, where the one of this is about to end.
    pub next_nonce: Option<String>,
}

/// The proof of a POST to an endpoint of this server, if it has one. `endpoint_path` is that of the endpoint.
pub fn verify_optional(
    app: &App,
    endpoint_path: &str,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<Option<Proof>, OAuthError> {
    let (url, alias) = (app.url(endpoint_path), app.config.mtls.alias(endpoint_path));
    let request = ProvenRequest { method: "POST", url: &url, alias: alias.as_deref(), access_token: None };
    verify(app, &request, headers, now)
}

/// The proof of any request, if it has one.
pub fn verify(
    app: &App,
    request: &ProvenRequest<'_>,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Result<Option<Proof>, OAuthError> {
    let headers = headers.get_all(HEADER).iter().map(http::HeaderValue::as_bytes);
    let Some(presented) = PresentedProof::collect(headers)? else { return Ok(None) };
    let key = PublicKey::from_jwk(presented.alg, &presented.jwk)
        .map_err(|_| OAuthError::invalid_dpop_proof("the jwk of the DPoP proof is not a public key for its alg"))?;
    if !key.is_valid(presented.jwt.signing_input.as_bytes(), &presented.jwt.signature) {
        return Err(OAuthError::invalid_dpop_proof("the signature of the DPoP proof is wrong"));
    }
    // Also of a proof that is refused for it.
    if let Some(issued_at) = presented.jwt.claims.get("iat").and_then(Value::as_f64) {
        app.metrics.clients.note_clock("dpop_proof", issued_at, now);
    }
    let claims = presented.check(request, now)?;
    let next_nonce = match app.config.dpop.nonces {
        NoncePolicy::Off => None,
        NoncePolicy::Required => next_nonce(app, claims.nonce.as_deref(), now)?,
    };
    let jkt = key.jwk().thumbprint();
    Ok(Some(Proof { mark: mark(&jkt, &claims), jkt, next_nonce }))
}

/// RFC 9449 section 11.1: a `jti` is remembered for the address that the proof is for.
fn mark(jkt: &str, claims: &ProofClaims) -> Mark {
    // Longer than we accept it: an instance whose clock is behind ours accepts it for longer.
    let until = claims.issued_at + PROOF_LIFETIME + CLOCK_TOLERANCE;
    Mark::new(&["dpop proof", jkt, &claims.htu, &claims.jti], claims.issued_at, until)
}

/// Sets the marks of what a request brings that is used once: its client assertion, its proof, or both, in one round trip.
pub async fn burn(
    app: &App,
    assertion: Option<Mark>,
    proof: Option<&Proof>,
    now: DateTime<Utc>,
) -> Result<(), OAuthError> {
    let assertions = usize::from(assertion.is_some());
    let marks: Vec<Mark> = assertion.into_iter().chain(proof.map(|proof| proof.mark.clone())).collect();
    match replay::burn(app.state.as_ref(), &marks, now).await? {
        Burnt::Now => Ok(()),
        burnt @ (Burnt::Before(index) | Burnt::Unknown(index)) if index < assertions => {
            client::refuse_repeated_assertion(burnt)
        }
        Burnt::Before(_) => Err(OAuthError::invalid_dpop_proof("the DPoP proof was used before")),
        Burnt::Unknown(_) => Err(OAuthError::invalid_dpop_proof(
            "the DPoP proof is older than what this server remembers, make a new one",
        )),
    }
}

/// Section 8: whether the nonce of a proof is one of ours that is still good; and the next, if it is about to end.
///
/// Nobody keeps nonces: one is the MAC of the span of time in which it is given out, and is good until the next span is over.
fn next_nonce(app: &App, nonce: Option<&str>, now: DateTime<Utc>) -> Result<Option<String>, OAuthError> {
    let current = span(app, now);
    let presented = nonce.and_then(|nonce| URL_SAFE_NO_PAD.decode(nonce).ok()).unwrap_or_default();
    let is_of = |span: i64| app.master_keys.verify_mac(Purpose::DpopNonce, &span.to_be_bytes(), &presented);
    // An instance whose clock is ahead of ours may have begun the next span.
    if is_of(current) || is_of(span(app, now + CLOCK_TOLERANCE)) {
        return Ok(None);
    }
    let fresh = URL_SAFE_NO_PAD.encode(app.master_keys.mac(Purpose::DpopNonce, &current.to_be_bytes()));
    if is_of(current - 1) {
        return Ok(Some(fresh));
    }
    let what = match nonce {
        None => "the DPoP proof must have the nonce of the header DPoP-Nonce",
        Some(_) => "the nonce of the DPoP proof has ended, use the one of the header DPoP-Nonce",
    };
    Err(OAuthError::use_dpop_nonce(what).with_dpop_nonce(&fresh))
}

fn span(app: &App, at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(app.config.dpop.nonce_lifetime.num_seconds().max(1))
}
