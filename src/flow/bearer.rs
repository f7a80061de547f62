//! Who presents an access token, and whether it still stands: a signature alone says nothing of revocation, so the family
//! row is read every time.
//!
//! 1. [`PossessedToken::verify`]: it is ours, and whoever sent it has the key (RFC 9449 section 7) and showed the
//!    certificate (RFC 8705 section 3) that it is bound to.
//! 2. [`verify_person`], [`verify_standing`]: it was not revoked, and the proof of the key was not used before. Both are asked at
//!    once.

use chrono::{DateTime, Utc};
use futures_util::future::join;
use http::{HeaderMap, Method};

use super::access_token::AccessTokenClaims;
use super::dpop::{self, Proof};
use crate::app::App;
use crate::identity::backend::Person;
use crate::model::family::TokenFamily;
use crate::model::id::SubjectId;
use crate::protocol::bearer::{PresentedToken, TokenScheme};
use crate::protocol::dpop::ProvenRequest;
use crate::protocol::error::{Challenge, ErrorCode, OAuthError};
use crate::protocol::mtls::Certificate;
use crate::storage::StoreError;

/// A request to a protected resource.
#[derive(Clone, Copy)]
pub struct ResourceRequest<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The path of its address, below the issuer.
    pub path: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The certificate that was shown.
    pub certificate: Option<&'a Certificate>,
}

/// A token of ours in the hands of somebody who may use it, as long as it stands.
pub struct PossessedToken {
    /// What it says.
    pub claims: AccessTokenClaims,
    proof: Option<Proof>,
}

/// A person's token that stands.
pub struct Bearer {
    /// What it says.
    pub claims: AccessTokenClaims,
    /// What it comes from.
    pub family: TokenFamily,
    /// On whose behalf it is used.
    pub person: Person,
    /// The nonce for the next proof, if there is one to be told.
    pub next_nonce: Option<String>,
}

/// On whose behalf a token is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A person, by their own identifier, whatever the token calls them.
    Person(SubjectId),
    /// A client that acts for itself.
    Machine,
}

impl PossessedToken {
    /// Reads a token, and the proof of the key that it is bound to. A bound token is never a bearer token, nor the other way
    /// round: else whoever stole one could leave the proof away (RFC 9449 section 7.2).
    pub fn verify(
        app: &App,
        token: PresentedToken<'_>,
        request: &ResourceRequest<'_>,
        now: DateTime<Utc>,
    ) -> Result<Self, OAuthError> {
        let refused = |error: OAuthError| error.with_challenge(token.scheme().challenge());
        let claims = AccessTokenClaims::decode(app, token.as_str(), now).ok_or_else(|| refused(invalid()))?;
        if !claims.is_in_hands_of(request.certificate) {
            let error = OAuthError::invalid_token("the access token is bound to a certificate that was not shown");
            return Err(refused(error));
        }
        let bound = match (claims.jkt(), token.scheme()) {
            (None, TokenScheme::Bearer) => return Ok(Self { claims, proof: None }),
            (None, TokenScheme::Dpop) => {
                return Err(refused(OAuthError::invalid_token("the access token is not bound to a key")));
            }
            (Some(_), TokenScheme::Bearer) => {
                let error = OAuthError::invalid_token("the access token is bound to a key: send it with a DPoP proof");
                return Err(error.with_challenge(Challenge::BearerBound));
            }
            (Some(jkt), TokenScheme::Dpop) => jkt,
        };
        let (url, alias) = (app.url(request.path), app.config.mtls.alias(request.path));
        let access_token = Some(token.as_str());
        let proven =
            ProvenRequest { method: request.method.as_str(), url: &url, alias: alias.as_deref(), access_token };
        let proof = dpop::verify(app, &proven, request.headers, now).map_err(refused)?;
        let proof = proof.ok_or_else(|| refused(OAuthError::invalid_dpop_proof("a DPoP proof is required")))?;
        if proof.jkt != bound {
            return Err(refused(OAuthError::invalid_token("the access token is bound to another key")));
        }
        Ok(Self { claims, proof: Some(proof) })
    }

    /// The nonce for the next proof, if there is one to be told.
    pub fn next_nonce(&self) -> Option<&str> {
        self.proof.as_ref()?.next_nonce.as_deref()
    }

    async fn burn(&self, app: &App, now: DateTime<Utc>) -> Result<(), OAuthError> {
        dpop::burn(app, None, self.proof.as_ref(), now).await.map_err(|error| match error.code() {
            ErrorCode::InvalidDpopProof => error.with_challenge(Challenge::Dpop),
            _ => error,
        })
    }
}

fn invalid() -> OAuthError {
    OAuthError::invalid_token("the access token is invalid, expired or revoked")
}

/// The person behind an access token (RFC 6750 section 3.1 for the errors).
pub async fn verify_person(app: &App, token: PossessedToken, now: DateTime<Utc>) -> Result<Bearer, OAuthError> {
    let scheme = token.claims.scheme();
    // A machine's token is genuine but speaks for nobody.
    let family = token.claims.family().ok_or_else(|| {
        OAuthError::insufficient_scope("the access token was not given by a person")
            .with_challenge(scheme.challenge_for("openid"))
    })?;
    let dependencies = token.claims.dependencies();
    let find = app.identity.find_family_and_person(family, &dependencies, now);
    let (found, burnt) = join(find, token.burn(app, now)).await;
    burnt?;
    match found? {
        Some((family, Some(person))) if family.is_alive => {
            let next_nonce = token.proof.and_then(|proof| proof.next_nonce);
            Ok(Bearer { claims: token.claims, family, person, next_nonce })
        }
        _ => Err(invalid().with_challenge(scheme.challenge())),
    }
}

/// Anybody's access token, a machine's too.
pub async fn verify_standing(app: &App, token: &PossessedToken, now: DateTime<Utc>) -> Result<(), OAuthError> {
    let (principal, burnt) = join(find_principal(app, &token.claims, now), token.burn(app, now)).await;
    burnt?;
    if principal?.is_some() { Ok(()) } else { Err(invalid().with_challenge(token.claims.scheme().challenge())) }
}

/// On whose behalf an access token that we made is used. `None`: it was revoked, or ended with its family or with the client that
/// it is for.
pub async fn find_principal(
    app: &App,
    claims: &AccessTokenClaims,
    now: DateTime<Utc>,
) -> Result<Option<Principal>, StoreError> {
    let dependencies = claims.dependencies();
    match claims.family() {
        Some(family) => {
            let found = app.postgres.find_family(family, Some(&dependencies), now).await?;
            Ok(found.filter(|family| family.is_alive).map(|family| Principal::Person(family.grant.subject)))
        }
        None => Ok(app.postgres.is_token_standing(&dependencies, now).await?.then_some(Principal::Machine)),
    }
}
