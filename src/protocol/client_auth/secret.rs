//! Client secrets: `client_secret_basic` and `client_secret_post` (RFC 6749 section 2.3.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{AuthorizationHeader, ClientId, Credential, OAuthError, Presented};
use crate::model::client::{Client, ClientSecret};
use crate::protocol::form;

/// How many secrets of a client live at once; so many MACs are made for any client, known or not.
const LIVE_SECRETS: usize = 2;

/// Reads HTTP Basic. `in_body` is the `client_id` of the body, which may repeat the one of the header but not contradict it.
pub(super) fn from_header(header: &AuthorizationHeader<'_>, in_body: Option<&str>) -> Result<Presented, OAuthError> {
    let Some(credentials) = header.credentials("Basic") else {
        return Err(OAuthError::invalid_client("the client authentication method is not supported"));
    };
    let (client_id, secret) = decode(credentials).ok_or_else(|| OAuthError::invalid_client("malformed credentials"))?;
    if in_body.is_some_and(|in_body| in_body != client_id) {
        return Err(OAuthError::invalid_client("client_id is not the authenticated client"));
    }
    Ok(Presented { client_id: ClientId::new(client_id), credential: Credential::Basic(secret) })
}

/// Base64 of the identifier, `:` and the secret, each form-encoded before they were joined, so that both may contain a `:`.
fn decode(credentials: &str) -> Option<(String, SecretString)> {
    let joined = Zeroizing::new(STANDARD.decode(credentials).ok()?);
    let mut halves = joined.splitn(2, |byte| *byte == b':');
    let client_id = form::decode(halves.next()?)?;
    let secret = form::decode(halves.next()?)?;
    (!client_id.is_empty()).then(|| (client_id, secret.into()))
}

/// Whether the secret is one of the client's that has not expired.
pub(super) fn verify(
    client_id: &ClientId,
    presented: &SecretString,
    client: Option<&Client>,
    mac: impl Fn(Option<u8>, &ClientId, &str) -> Option<[u8; 32]>,
    now: DateTime<Utc>,
) -> bool {
    let is_live = |secret: &&ClientSecret| secret.expires_at.is_none_or(|expires_at| now < expires_at);
    let secrets = client.map_or(&[][..], |client| &client.secrets).iter().filter(is_live);
    // Places without a secret are filled with work that cannot succeed.
    let places = secrets.map(Some).chain([None; LIVE_SECRETS]).take(LIVE_SECRETS);
    let matches = places.fold(Choice::from(0), |matches, secret| {
        let made = mac(secret.map(|secret| secret.key_id), client_id, presented.expose_secret());
        let kept = secret.map_or([0; 32], |secret| secret.mac);
        let is_possible = Choice::from(u8::from(secret.is_some() && made.is_some()));
        matches | (made.unwrap_or_default().ct_eq(&kept) & is_possible)
    });
    matches.into()
}
