//! Who calls: client authentication (RFC 6749 section 2.3, OpenID Connect Core section 9), one file per method.
//!
//! 1. [`Presented::collect`] reads what was presented and demands exactly one mechanism.
//! 2. [`verify`] compares it with the registration. Unknown client, disabled client, wrong secret and wrong method are one
//!    answer, after the same work.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::authorization_header::AuthorizationHeader;
use super::error::{Challenge, OAuthError};
use super::form::Form;
use crate::model::client::{Client, ClientAuthMethod};
use crate::model::id::ClientId;

// Public clients.
pub mod none;
// Client secrets, in the header or in the body.
pub mod secret;

/// What a caller presented, not verified.
#[derive(Clone, Debug)]
pub struct Presented {
    /// Who it says it is.
    pub client_id: ClientId,
    credential: Credential,
}

#[derive(Clone, Debug)]
enum Credential {
    None,
    Basic(SecretString),
    Post(SecretString),
}

impl Presented {
    /// Reads every `Authorization` header and the body of a request.
    pub fn collect<'a>(authorization: impl IntoIterator<Item = &'a [u8]>, form: &Form) -> Result<Self, OAuthError> {
        let header = AuthorizationHeader::collect(authorization)?;
        let client_id = form.one("client_id")?;
        let client_secret = form.one("client_secret")?;
        let has_assertion = form.has("client_assertion") || form.has("client_assertion_type");
        let mechanisms = [header.is_some(), client_secret.is_some(), has_assertion];
        if mechanisms.into_iter().filter(|is_used| *is_used).count() > 1 {
            // RFC 6749 section 2.3: the client must not use more than one authentication method in each request.
            return Err(OAuthError::invalid_request("more than one client authentication method"));
        }
        if has_assertion {
            return Err(OAuthError::invalid_client("the client authentication method is not supported"));
        }
        if let Some(header) = header {
            return secret::from_header(&header, client_id).map_err(|error| error.with_challenge(Challenge::Basic));
        }
        let client_id = client_id.ok_or_else(|| OAuthError::invalid_client("client authentication is required"))?;
        let credential = client_secret.map_or(Credential::None, |secret| Credential::Post(secret.into()));
        Ok(Self { client_id: ClientId::new(client_id), credential })
    }

    /// The method that was used.
    pub fn method(&self) -> ClientAuthMethod {
        match self.credential {
            Credential::None => ClientAuthMethod::None,
            Credential::Basic(_) => ClientAuthMethod::ClientSecretBasic,
            Credential::Post(_) => ClientAuthMethod::ClientSecretPost,
        }
    }

    /// The one refusal. RFC 6749 section 5.2: with a challenge where the client used the `Authorization` header.
    fn refusal(&self) -> OAuthError {
        let challenge = match self.credential {
            Credential::Basic(_) => Challenge::Basic,
            Credential::None | Credential::Post(_) => Challenge::None,
        };
        OAuthError::invalid_client("client authentication failed").with_challenge(challenge)
    }
}

/// Compares what was presented with the registration; `client` is what was found under [`Presented::client_id`].
///
/// `mac` makes the MAC of a secret under the master key of that version, or under the current one for `None`; it answers
/// `None` for a version that is not there.
pub fn verify(
    presented: &Presented,
    client: Option<&Client>,
    mac: impl Fn(Option<u8>, &ClientId, &str) -> Option<[u8; 32]>,
    now: DateTime<Utc>,
) -> Result<(), OAuthError> {
    let is_proven = match &presented.credential {
        Credential::None => none::verify(client),
        Credential::Basic(secret) | Credential::Post(secret) => {
            secret::verify(&presented.client_id, secret, client, mac, now)
        }
    };
    // A client keeps to the method it registered: else a secret could be tried where it is logged, or left out.
    let is_allowed =
        client.is_some_and(|client| client.enabled && client.settings.token_endpoint_auth_method == presented.method());
    if is_proven && is_allowed { Ok(()) } else { Err(presented.refusal()) }
}

#[cfg(test)]
mod tests;
