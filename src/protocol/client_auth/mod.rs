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
use super::jwt::UnverifiedJwt;
use crate::model::client::{Client, ClientAuthMethod};
use crate::model::id::ClientId;

// Public clients.
pub mod none;
// Assertions signed with the client's own key.
pub mod private_key_jwt;
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
    Assertion(String),
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
            return Self::from_assertion(form, client_id);
        }
        if let Some(header) = header {
            return secret::from_header(&header, client_id).map_err(|error| error.with_challenge(Challenge::Basic));
        }
        let client_id = client_id.ok_or_else(|| OAuthError::invalid_client("client authentication is required"))?;
        let credential = client_secret.map_or(Credential::None, |secret| Credential::Post(secret.into()));
        Ok(Self { client_id: ClientId::new(client_id), credential })
    }

    /// RFC 7521 section 4.2: `client_id` is not needed, but must not contradict the assertion.
    fn from_assertion(form: &Form, in_body: Option<&str>) -> Result<Self, OAuthError> {
        if form.one("client_assertion_type")? != Some(private_key_jwt::ASSERTION_TYPE) {
            return Err(OAuthError::invalid_client("the client_assertion_type is missing or not supported"));
        }
        let assertion = form.one("client_assertion")?;
        let assertion = assertion.ok_or_else(|| OAuthError::invalid_client("the client_assertion is missing"))?;
        let jwt = UnverifiedJwt::parse(assertion);
        let client_id = jwt.ok().and_then(|jwt| private_key_jwt::client_id(&jwt));
        let client_id = client_id.ok_or_else(|| OAuthError::invalid_client("the client_assertion is malformed"))?;
        if in_body.is_some_and(|in_body| in_body != client_id.as_str()) {
            return Err(OAuthError::invalid_client("client_id is not the authenticated client"));
        }
        Ok(Self { client_id, credential: Credential::Assertion(assertion.to_owned()) })
    }

    /// The assertion, if that is what was presented.
    pub fn assertion(&self) -> Option<&str> {
        match &self.credential {
            Credential::Assertion(assertion) => Some(assertion),
            Credential::None | Credential::Basic(_) | Credential::Post(_) => None,
        }
    }

    /// The method that was used by a client that registered this one. Whether a certificate is a client's way to say who it
    /// is, only its registration tells: others show one to have tokens bound to it (RFC 8705 sections 2 and 3).
    pub fn method(&self, registered: ClientAuthMethod) -> ClientAuthMethod {
        match self.credential {
            Credential::None if registered.has_certificate() => registered,
            Credential::None => ClientAuthMethod::None,
            Credential::Basic(_) => ClientAuthMethod::ClientSecretBasic,
            Credential::Post(_) => ClientAuthMethod::ClientSecretPost,
            Credential::Assertion(_) => ClientAuthMethod::PrivateKeyJwt,
        }
    }

    /// The one refusal. RFC 6749 section 5.2: with a challenge where the client used the `Authorization` header.
    pub fn refusal(&self) -> OAuthError {
        self.refusal_because("client authentication failed")
    }

    /// The same in other words, for a client that did authenticate: they tell nothing to anybody else.
    pub fn refusal_because(&self, description: &'static str) -> OAuthError {
        let challenge = match self.credential {
            Credential::Basic(_) => Challenge::Basic,
            Credential::None | Credential::Post(_) | Credential::Assertion(_) => Challenge::None,
        };
        OAuthError::invalid_client(description).with_challenge(challenge)
    }
}

/// What was proven by keys that the client has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// One of its registered keys made the assertion.
    pub by_assertion: bool,
    /// The certificate of the connection is the one that it registered.
    pub by_certificate: bool,
}

/// Compares what was presented with the registration; `client` is what was found under [`Presented::client_id`].
///
/// `proven` says what the client's own keys have proven, as far as they are what it authenticates with.
/// `mac` makes the MAC of a secret under the master key of that version, or under the current one for `None`; it answers
/// `None` for a version that is not there.
pub fn verify(
    presented: &Presented,
    client: Option<&Client>,
    proven: Proven,
    mac: impl Fn(Option<u8>, &ClientId, &str) -> Option<[u8; 32]>,
    now: DateTime<Utc>,
) -> Result<(), OAuthError> {
    let registered = client.map(|client| client.settings.token_endpoint_auth_method);
    let is_proven = match &presented.credential {
        Credential::None if registered.is_some_and(ClientAuthMethod::has_certificate) => proven.by_certificate,
        Credential::None => none::verify(client),
        Credential::Assertion(_) => proven.by_assertion,
        Credential::Basic(secret) | Credential::Post(secret) => {
            secret::verify(&presented.client_id, secret, client, mac, now)
        }
    };
    // A client keeps to the method it registered: else a secret could be tried where it is logged, or left out.
    let is_allowed = client.is_some_and(|client| client.enabled)
        && registered.is_some_and(|registered| presented.method(registered) == registered);
    if is_proven && is_allowed { Ok(()) } else { Err(presented.refusal()) }
}

#[cfg(test)]
mod tests;
