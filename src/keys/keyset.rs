//! The keys that sign and verify now: one loaded, checked, immutable state of the key store.

// Keys that others encrypt to.
mod decryption;
// Keys, and what can be used when not all can.
mod key;

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;

use self::decryption::DecryptionKey;
use self::key::{Key, KeySigner, Loaded};
use super::external::{ExternalFailure, ExternalPlace, ExternalSigners};
use super::jwk::PublishedJwk;
use super::lifecycle::{KeyRing, REQUIRED_ALGS};
use super::problem::{KeysetError, Problem};
use super::rsa_pool::{RsaPlace, RsaPool};
use super::store::{KeyStore, KeyStoreError, Revision, StoredKeys};
use super::verified_tokens::VerifiedTokens;
use crate::clock::Clock;
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::KeyPurpose;
use crate::protocol::error::OAuthError;
use crate::protocol::jwt::{self, UnverifiedJwt, VerifiedClaims};

/// Every key that is not retired, as far as it can be used here.
pub struct Keyset {
    revision: Revision,
    ring: KeyRing,
    keys: Vec<Key>,
    decryption: Vec<DecryptionKey>,
    problems: Vec<Problem>,
    jwks: Jwks,
    rsa: RsaPool,
    verified: VerifiedTokens,
}

/// Signatures that will not be refused for want of a key or of a place in the queue: for what is used up before it is signed.
/// Those that are not made are given back with this value.
pub struct ReservedSignatures {
    keyset: Arc<Keyset>,
    places: Vec<(SigningAlg, Place)>,
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
    /// The settings do not name the program that has the active key.
    #[error("the program of the key {0} may not be started here: name it in keys.external.programs")]
    NoProgram(String),
    /// Too many signatures are wanted at once.
    #[error("too many signatures are waiting to be made")]
    Busy,
    /// The program that has the key gave no signature.
    #[error(transparent)]
    External(#[from] ExternalFailure),
    /// The cryptographic library refused.
    #[error("the cryptographic library refused to sign")]
    Refused,
}

/// What was reserved for one signature: a place in the queue of whoever makes it.
enum Place {
    Rsa(RsaPlace),
    External(ExternalPlace),
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
    /// A place for one signature; `None`: none is needed.
    fn reserve(&self, rsa: &RsaPool) -> Result<Option<Place>, SigningError> {
        match &self.signer {
            KeySigner::Local(signer) if signer.is_slow() => Ok(Some(Place::Rsa(rsa.reserve()?))),
            KeySigner::Local(_) => Ok(None),
            KeySigner::External(signer) => Ok(Some(Place::External(signer.reserve()?))),
            KeySigner::Nobody => Err(SigningError::NoProgram(self.entry.kid.clone())),
        }
    }
}

/// Everything that keeps a server from using what was read.
pub(super) fn check_keys(found: &StoredKeys) -> Vec<Problem> {
    Loaded::new(found, &ExternalSigners::without_settings(&Clock::system())).problems
}

impl Keyset {
    /// Reads and checks the store; every problem is reported at once. With keys that are `held` what is wrong is
    /// [`Self::problems`] instead, and as much is used as can be.
    pub(super) async fn load(
        store: &dyn KeyStore,
        rsa: RsaPool,
        external: &ExternalSigners,
        held: Option<&Self>,
    ) -> Result<Self, KeyStoreError> {
        let found = store.read_keys().await?;
        let revision = found.stored.revision.clone();
        let mut loaded = Loaded::new(&found, external);
        if !loaded.problems.is_empty() {
            let Some(held) = held else { return Err(KeysetError::new(&store.place(), loaded.problems).into()) };
            loaded.complete_with((&held.keys, &held.decryption), &held.ring);
        }
        let Loaded { ring, keys, decryption, problems, .. } = loaded;
        let listed = decryption.iter().filter(|key| key.is_listed()).map(|key| &key.jwk);
        let jwks = Jwks::of(keys.iter().map(|key| &key.jwk).chain(listed)).map_err(|error| {
            let what = format!("the public keys cannot be written as JSON ({error})");
            KeysetError::one(&store.place(), Problem::new(what, "report this as a defect"))
        })?;
        Ok(Self { revision, ring, keys, decryption, problems, jwks, rsa, verified: VerifiedTokens::new() })
    }

    /// What keeps the rest of the stored keys from being used here.
    pub(super) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether tokens are signed with every algorithm that a server has to have.
    pub fn has_required(&self) -> bool {
        REQUIRED_ALGS.iter().all(|alg| self.active(*alg, KeyPurpose::Tokens).is_some_and(Key::can_sign))
    }

    /// The state of the store that this was loaded from.
    pub(super) fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The metadata of every key, retired ones too.
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The published key of that identifier.
    pub fn find_jwk(&self, kid: &str) -> Option<&PublishedJwk> {
        self.keys.iter().find(|key| key.entry.kid == kid).map(|key| &key.jwk)
    }

    /// The algorithms that a key for tokens is active for, in the order in which discovery lists them.
    pub fn algs(&self) -> Vec<SigningAlg> {
        SigningAlg::ALL.into_iter().filter(|alg| self.active(*alg, KeyPurpose::Tokens).is_some()).collect()
    }

    /// Signs `claims` with the active key of `alg` for tokens; the header holds `alg`, `typ` and `kid`.
    pub async fn sign_jwt(
        &self,
        alg: SigningAlg,
        typ: &str,
        claims: &(impl Serialize + Sync),
    ) -> Result<String, SigningError> {
        self.sign_jwt_for(KeyPurpose::Tokens, alg, typ, claims).await
    }

    /// The same for another purpose. One that has no key of its own for `alg` uses the one for tokens.
    pub async fn sign_jwt_for(
        &self,
        purpose: KeyPurpose,
        alg: SigningAlg,
        typ: &str,
        claims: &(impl Serialize + Sync),
    ) -> Result<String, SigningError> {
        let key = self.active(alg, purpose).ok_or(SigningError::NoKey(alg))?;
        self.sign_with(key, key.reserve(&self.rsa)?, typ, claims).await
    }

    /// Makes sure that one signature for each of `algs` will be made, by keys that are there now.
    pub fn reserve(self: Arc<Self>, algs: &[SigningAlg]) -> Result<ReservedSignatures, SigningError> {
        let mut places = Vec::new();
        for alg in algs {
            let key = self.active(*alg, KeyPurpose::Tokens).ok_or(SigningError::NoKey(*alg))?;
            places.extend(key.reserve(&self.rsa)?.map(|place| (*alg, place)));
        }
        Ok(ReservedSignatures { keyset: self, places })
    }

    /// `place` is one that this key gave.
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
        match (&key.signer, place) {
            (KeySigner::Local(signer), None) => {
                signature = signer.sign(token.as_bytes()).map_err(|_| SigningError::Refused)?;
            }
            (KeySigner::Local(signer), Some(Place::Rsa(place))) => {
                (token, signature) = self.rsa.sign(place, Arc::clone(signer), token).await?;
            }
            (KeySigner::External(signer), Some(Place::External(place))) => {
                (token, signature) = Arc::clone(signer).sign(place, token).await?;
            }
            (KeySigner::Local(_), Some(Place::External(_)))
            | (KeySigner::External(_), None | Some(Place::Rsa(_)))
            | (KeySigner::Nobody, _) => return Err(SigningError::Refused),
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

    /// The kid of the key that signs tokens with `alg`.
    pub fn active_kid(&self, alg: SigningAlg) -> Option<&str> {
        self.active(alg, KeyPurpose::Tokens).map(|key| key.entry.kid.as_str())
    }

    fn active(&self, alg: SigningAlg, purpose: KeyPurpose) -> Option<&Key> {
        let is_active = |key: &&Key, purpose| key.entry.is_for(alg, purpose) && key.is_active();
        let own = self.keys.iter().find(|key| is_active(key, purpose));
        own.or_else(|| self.keys.iter().find(|key| is_active(key, KeyPurpose::Tokens)))
    }
}

impl ReservedSignatures {
    /// Whether one of them may fail although its place is sure, because a program outside of this one makes it. Then it is
    /// better made before anything is used up.
    pub fn may_fail(&self) -> bool {
        self.places.iter().any(|(_, place)| matches!(place, Place::External(_)))
    }

    /// Signs `claims` like [`Keyset::sign_jwt`], in a reserved place.
    pub async fn sign_jwt(
        &mut self,
        alg: SigningAlg,
        typ: &str,
        claims: &(impl Serialize + Sync),
    ) -> Result<String, SigningError> {
        let key = self.keyset.active(alg, KeyPurpose::Tokens).ok_or(SigningError::NoKey(alg))?;
        let place = match self.places.iter().position(|(reserved, _)| *reserved == alg) {
            Some(index) => Some(self.places.swap_remove(index).1),
            None => key.reserve(&self.keyset.rsa)?,
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
            SigningError::NoKey(_)
            | SigningError::NoProgram(_)
            | SigningError::Claims(_)
            | SigningError::External(_)
            | SigningError::Refused => Self::server_error("the server could not complete the request"),
        }
        .with_source(error)
    }
}

#[cfg(test)]
mod tests;
