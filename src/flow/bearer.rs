//! Who presents an access token, and whether it still stands: a signature alone says nothing of revocation, so the family
//! row is read every time.

use chrono::{DateTime, Utc};

use super::access_token::AccessTokenClaims;
use crate::app::App;
use crate::identity::backend::Person;
use crate::model::family::TokenFamily;
use crate::model::id::ClientId;
use crate::protocol::error::{Challenge, OAuthError};
use crate::storage::StoreError;

/// A person's token that stands.
pub struct Bearer {
    /// What it says.
    pub claims: AccessTokenClaims,
    /// What it comes from.
    pub family: TokenFamily,
    /// On whose behalf it is used.
    pub person: Person,
}

/// The person behind an access token (RFC 6750 section 3.1 for the errors).
pub async fn verify_person(app: &App, token: &str, now: DateTime<Utc>) -> Result<Bearer, OAuthError> {
    let invalid = || {
        OAuthError::invalid_token("the access token is invalid, expired or revoked").with_challenge(Challenge::Bearer)
    };
    let claims = AccessTokenClaims::decode(app, token, now).ok_or_else(invalid)?;
    // A machine's token is genuine but speaks for nobody.
    let family = claims.family().ok_or_else(|| {
        OAuthError::insufficient_scope("the access token was not given by a person")
            .with_challenge(Challenge::BearerScope("openid"))
    })?;
    match app.identity.find_family_and_person(family, &claims.jti, now).await? {
        Some((family, Some(person))) if family.is_alive => Ok(Bearer { claims, family, person }),
        _ => Err(invalid()),
    }
}

/// Whether an access token that we made was neither revoked nor ended with its family, or with the client that it is for.
pub async fn is_standing(app: &App, claims: &AccessTokenClaims, now: DateTime<Utc>) -> Result<bool, StoreError> {
    match claims.family() {
        Some(family) => Ok(app.postgres.find_family(family, Some(&claims.jti), now).await?.is_some_and(|f| f.is_alive)),
        None => {
            let id = ClientId::new(claims.client_id.as_str());
            let is_enabled = app.registry.find_client(&id, now).await?.is_some_and(|client| client.enabled);
            Ok(is_enabled && app.postgres.is_token_standing(&claims.jti, &id, claims.client_generation()).await?)
        }
    }
}
