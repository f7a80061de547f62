//! The signatures of a token response, reserved before anything is used up: a code or a refresh token that was spent for an
//! answer that cannot be signed, or not encrypted, would make the client's next try a replay.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::encryption::Envelope;
use crate::app::App;
use crate::keys::keyset::{ReservedSignatures, SigningError};
use crate::model::client::{AccessTokenFormat, Client};
use crate::model::signing_alg::SigningAlg;
use crate::protocol::error::OAuthError;

/// What a token response needs that speaks of a person.
pub struct Reserved {
    /// Its signatures.
    pub signatures: ReservedSignatures,
    envelope: Option<Envelope>,
}

impl Reserved {
    /// Whether something of it may fail all the same. Then it is better made before anything is used up.
    pub fn may_fail(&self) -> bool {
        self.signatures.may_fail() || self.envelope.is_some()
    }

    /// An ID token with these claims, encrypted if the client wants that.
    pub async fn id_token(&mut self, alg: SigningAlg, claims: &(impl Serialize + Sync)) -> Result<String, OAuthError> {
        let jwt = self.signatures.sign_jwt(alg, "JWT", claims).await?;
        match &self.envelope {
            Some(envelope) => envelope.nest(&jwt, None),
            None => Ok(jwt),
        }
    }
}

/// Whether there will be an ID token is known later; its signature is given back if not.
pub async fn reserve_for_person(app: &App, client: &Arc<Client>, now: DateTime<Utc>) -> Result<Reserved, OAuthError> {
    let settings = &client.settings;
    let is_openid = settings.scopes.iter().any(|scope| scope == "openid");
    // Before the places: somebody else's server may be slow.
    let encryption = settings.id_token_encryption().filter(|_| is_openid);
    let envelope = Envelope::find(app, client, encryption, now).await?;
    let id_token = is_openid.then_some(settings.id_token_signed_response_alg);
    let algs: Vec<_> = access_token(client).into_iter().chain(id_token).collect();
    Ok(Reserved { signatures: app.keys.current().reserve(&algs)?, envelope })
}

/// That of an access token alone.
pub fn reserve_for_machine(app: &App, client: &Client) -> Result<ReservedSignatures, SigningError> {
    app.keys.current().reserve(access_token(client).as_slice())
}

fn access_token(client: &Client) -> Option<SigningAlg> {
    match client.settings.access_token_format {
        AccessTokenFormat::Jwt => Some(client.settings.access_token_signed_response_alg),
        AccessTokenFormat::Opaque => None,
    }
}
