//! The signatures of a token response, reserved before anything is used up: a code or a refresh token that was spent for an
//! answer that cannot be signed would make the client's next try a replay.

use crate::app::App;
use crate::keys::keyset::{ReservedSignatures, SigningError};
use crate::model::client::{AccessTokenFormat, Client};
use crate::model::signing_alg::SigningAlg;

/// Those of a token response that speaks of a person. Whether there will be an ID token is known later; its signature is
/// given back if not.
pub fn reserve_for_person(app: &App, client: &Client) -> Result<ReservedSignatures, SigningError> {
    let is_openid = client.settings.scopes.iter().any(|scope| scope == "openid");
    let id_token = is_openid.then_some(client.settings.id_token_signed_response_alg);
    let algs: Vec<_> = access_token(client).into_iter().chain(id_token).collect();
    app.keys.current().reserve(&algs)
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
