//! The device authorization grant (RFC 8628 section 3.4).

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
    invalid: "the device code is not valid",
    too_soon: "the device asks too often: it must wait 5 seconds longer from now on",
    expired: "the device code has expired",
    unproven: "the device code is bound to a key: a DPoP proof is required",
    other_key: "the device code is bound to another key than that of the DPoP proof",
};

/// Says how the device stands. `jkt` is the thumbprint of the key that the client proved to have.
pub async fn decide(
    app: &App,
    client: Arc<Client>,
    (form, origin): (&Form, &Origin),
    jkt: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Issuance, OAuthError> {
    let code = presented(app, form)?;
    decoupled::decide(app, client, (form, origin, jkt), (Waiter::Device(code.id()), code, &WORDS), now).await
}

/// The code, if it is one of ours.
pub(super) fn presented(app: &App, form: &Form) -> Result<PlainCode, OAuthError> {
    let presented = form.required("device_code", "the parameter device_code is missing")?;
    PlainCode::parse_for_device(&app.master_keys, presented).ok_or_else(|| OAuthError::invalid_grant(WORDS.invalid))
}
