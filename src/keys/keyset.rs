//! The keys that sign and verify now: one loaded, checked, immutable state of the key directory.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::directory;
use super::jwk::PublishedJwk;
use super::keyset_file::{KeyEntry, KeyState};
use super::problem::{KeysetError, Problem};
use super::rsa_pool::{Place, RsaPool};
use super::signer::{Signer, Verifier};
use super::verified_tokens::VerifiedTokens;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::error::OAuthError;
use crate::protocol::jwt::{self, UnverifiedJwt, VerifiedClaims};

/// Every key that is not retired.
pub struct Keyset {
    source: String,
    keys: Vec<Key>,
    jwks: Jwks,
    rsa: RsaPool,
    verified: VerifiedTokens,
}

/// Signatures that will not be refused for want of a key or of a place in the queue: for what is used up before it is signed.
/// Those that are not made are given back with this value.
pub struct ReservedSignatures {
    keyset: Arc<Keyset>,
    places: Vec<Place>,
}

/// The published key set (RFC 7517 section 5), ready to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwks {
    /// The JSON.
    pub body: Bytes,
    /// A strong entity tag (RFC 9110 section 8.8.3), quotes included.
    pub etag: String,
}

/// Why a token was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// No key is active for the algorithm.
    #[error("no key is active for {}: run `ostiary-keyctl generate --alg {}`", .0.as_str(), .0.as_str())]
    NoKey(SigningAlg),
    /// The claims cannot be written as JSON.
    #[error("the claims cannot be written as JSON")]
    Claims(#[from] serde_json::Error),
    /// Too many signatures are wanted at once.
    #[error("too many signatures are waiting to be made")]
    Busy,
    /// The cryptographic library refused.
    #[error("the cryptographic library refused to sign")]
    Refused,
}

/// A key that was read from its file and checked.
pub(super) struct Key {
    entry: KeyEntry,
    jwk: PublishedJwk,
    signer: Arc<Signer>,
    verifier: Verifier,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'a str,
    kid: &'a str,
}

#[derive(Serialize)]
struct JwksBody<'a> {
    keys: Vec<&'a PublishedJwk>,
}

impl Key {
    pub(super) fn new(entry: KeyEntry, jwk: PublishedJwk, signer: Signer, verifier: Verifier) -> Self {
        Self { entry, jwk, signer: Arc::new(signer), verifier }
    }
}

impl Keyset {
    /// Reads and checks the directory; every problem is reported at once.
    pub(super) fn load(directory: &Path, rsa: RsaPool) -> Result<Self, KeysetError> {
        let (source, file) = directory::read_keyset_file(directory)?;
        let keys = directory::load_keys(directory, &file)?;
        let jwks = Jwks::of(keys.iter().map(|key| &key.jwk)).map_err(|error| {
            let what = format!("the public keys cannot be written as JSON ({error})");
            KeysetError::one(directory, Problem::new(what, "report this as a defect"))
        })?;
        Ok(Self { source, keys, jwks, rsa, verified: VerifiedTokens::new() })
    }

    /// The text of `keyset.json` that this was loaded from.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The algorithms that a key is active for, in the order in which discovery lists them.
    pub fn algs(&self) -> Vec<SigningAlg> {
        SigningAlg::ALL.into_iter().filter(|alg| self.active(*alg).is_some()).collect()
    }

    /// Signs `claims` with the active key of `alg`; the header holds `alg`, `typ` and `kid`.
    pub async fn sign_jwt(
        &self,
        alg: SigningAlg,
        typ: &str,
        claims: &(impl Serialize + Sync),
    ) -> Result<String, SigningError> {
        let key = self.active(alg).ok_or(SigningError::NoKey(alg))?;
        let place = if key.signer.is_slow() { Some(self.rsa.reserve()?) } else { None };
        self.sign_with(key, place, typ, claims).await
    }

    /// Makes sure that one signature for each of `algs` will be made, by keys that are there now.
    pub fn reserve(self: Arc<Self>, algs: &[SigningAlg]) -> Result<ReservedSignatures, SigningError> {
        let mut places = Vec::new();
        for alg in algs {
            if self.active(*alg).ok_or(SigningError::NoKey(*alg))?.signer.is_slow() {
                places.push(self.rsa.reserve()?);
            }
        }
        Ok(ReservedSignatures { keyset: self, places })
    }

    /// `place` is there for a key that is slow, and for no other.
    async fn sign_with(
        &self,
        key: &Key,
        place: Option<Place>,
        typ: &str,
        claims: &(impl Serialize + Sync),
    ) -> Result<String, SigningError> {
        let header = serde_json::to_vec(&Header { alg: key.entry.alg.as_str(), typ, kid: &key.entry.kid })?;
        let claims = serde_json::to_vec(claims)?;
        let mut token = String::with_capacity((header.len() + claims.len()) * 4 / 3 + 384);
        URL_SAFE_NO_PAD.encode_string(header, &mut token);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature;
        if let Some(place) = place {
            (token, signature) = self.rsa.sign(place, Arc::clone(&key.signer), token).await?;
        } else {
            signature = key.signer.sign(token.as_bytes()).map_err(|_| SigningError::Refused)?;
        }
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The claims of a token that one of our keys signed and that is of one of the expected types.
    ///
    /// The key decides the algorithm, never the token (RFC 8725 section 3.1), and the type must be there (section 3.11), so
    /// that an ID token is not taken for an access token. Times, issuer and audience are for the caller.
    pub fn verify_jwt(&self, token: &str, expected_typ: &[&str]) -> Option<VerifiedClaims> {
        let jwt = UnverifiedJwt::parse(token).ok()?;
        let kid = jwt.header.kid.as_deref()?;
        let key = self.keys.iter().find(|key| key.entry.kid == kid)?;
        if jwt.header.alg != key.entry.alg.as_str() {
            return None;
        }
        let typ = expected_typ.iter().find(|expected| jwt.header.is_typ(expected))?;
        let is_valid = key.verifier.is_valid(jwt.signing_input.as_bytes(), &jwt.signature);
        is_valid.then(|| VerifiedClaims { claims: jwt.claims, typ: (*typ).to_owned() })
    }

    /// The same for a token that is presented again and again: until its `exp` the signature of the very same text is verified
    /// once. The times are for the caller all the same.
    pub fn verify_repeated_jwt(
        &self,
        token: &str,
        expected_typ: &str,
        now: DateTime<Utc>,
    ) -> Option<Arc<VerifiedClaims>> {
        let verified = self.verified.find_or_verify(token, now, || self.verify_jwt(token, &[expected_typ]))?;
        jwt::is_same_type(&verified.typ, expected_typ).then_some(verified)
    }

    /// The published key set.
    pub fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// The kid of the key that signs with `alg`.
    pub fn active_kid(&self, alg: SigningAlg) -> Option<&str> {
        self.active(alg).map(|key| key.entry.kid.as_str())
    }

    fn active(&self, alg: SigningAlg) -> Option<&Key> {
        self.keys.iter().find(|key| key.entry.alg == alg && key.entry.state == KeyState::Active)
    }
}

impl ReservedSignatures {
    /// Signs `claims` like [`Keyset::sign_jwt`], in a reserved place.
    pub async fn sign_jwt(
        &mut self,
        alg: SigningAlg,
        typ: &str,
        claims: &(impl Serialize + Sync),
    ) -> Result<String, SigningError> {
        let key = self.keyset.active(alg).ok_or(SigningError::NoKey(alg))?;
        let place = match self.places.pop() {
            Some(place) if key.signer.is_slow() => Some(place),
            None if key.signer.is_slow() => Some(self.keyset.rsa.reserve()?),
            unneeded => {
                self.places.extend(unneeded);
                None
            }
        };
        self.keyset.sign_with(key, place, typ, claims).await
    }
}

impl Jwks {
    fn of<'a>(keys: impl Iterator<Item = &'a PublishedJwk>) -> serde_json::Result<Self> {
        let body = serde_json::to_vec(&JwksBody { keys: keys.collect() })?;
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &body)));
        Ok(Self { body: body.into(), etag })
    }
}

impl From<SigningError> for OAuthError {
    fn from(error: SigningError) -> Self {
        match error {
            SigningError::Busy => Self::temporarily_unavailable("the server is busy, try again shortly"),
            SigningError::NoKey(_) | SigningError::Claims(_) | SigningError::Refused => {
                Self::server_error("the server could not complete the request")
            }
        }
        .with_source(error)
    }
}

#[cfg(test)]
mod tests;
