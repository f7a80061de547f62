//! The CIBA grant (OpenID Connect CIBA section 10.1), in the modes poll and ping: a client that is told of the decision asks in the
//! same way, and may ask before.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::decoupled::{self, Words};
use crate::app::App;
use crate::flow::decoupled::Waiter;
use crate::flow::issue::Issuance;
use crate::keys::token::PlainCode;
use crate::model::audit::Origin;
use crate::model::client::Client;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

const WORDS: Words = Words {
    invalid: "the auth_req_id is not valid",
    too_soon: "the client asks too often: it must wait 5 seconds longer from now on",
    expired: "the auth_req_id has expired",
    unproven: "the auth_req_id is bound to a key: a DPoP proof is required",
    other_key: "the auth_req_id is bound to another key than that of the DPoP proof",
};

/// Says how the request stands (section 11). `jkt` is the thumbprint of the key that the client proved to have.
pub async fn decide(
    app: &App,
    client: Arc<Client>,
    (form, origin): (&Form, &Origin),
    jkt: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Issuance, OAuthError> {
    let presented = form.required("auth_req_id", "the parameter auth_req_id is missing")?;
    let code = PlainCode::parse_for_backchannel(&app.master_keys, presented)
        .ok_or_else(|| OAuthError::invalid_grant(WORDS.invalid))?;
    decoupled::decide(app, client, (form, origin, jkt), (Waiter::Backchannel(code.id()), code, &WORDS), now).await
}
