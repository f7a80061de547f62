//! The device authorization grant (RFC 8628 section 3.4).
//!
//! A device polls until the person has decided. What they approved is redeemed like an authorization code: verified in full
//! before anything is used up, by one statement, and presented again it revokes what it gave.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq;

use super::resources;
use crate::app::App;
use crate::flow::authorization_details;
use crate::flow::code::CodeRecord;
use crate::flow::device_code::{self, Decision, DeviceRecord};
use crate::flow::issue::Issuance;
use crate::flow::reach::AskedFor;
use crate::keys::token::PlainCode;
use crate::model::client::Client;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// Says how the device stands (section 3.5). `jkt` is the thumbprint of the key that the client proved to have.
pub async fn decide(
    app: &App,
    client: Arc<Client>,
    form: &Form,
    jkt: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Issuance, OAuthError> {
    let code = presented(app, form)?;
    let Some(record) = device_code::find(app, code.id(), now).await? else {
        return Err(expired(app, &client, &code, now).await);
    };
    if record.client_id != client.id || !bool::from(record.hash.ct_eq(&code.hash())) {
        return Err(invalid());
    }
    let DeviceRecord { decision, expires_at, dpop_jkt, .. } = record;
    if expires_at <= now {
        return Err(expired(app, &client, &code, now).await);
    }
    check_key(dpop_jkt.as_deref(), jkt)?;
    match decision {
        Decision::Waiting => Err(if device_code::keeps_pace(app, code.id(), expires_at, now).await? {
            OAuthError::authorization_pending("the user has not decided yet")
        } else {
            OAuthError::slow_down("the device asks too often: it must wait 5 seconds longer from now on")
        }),
        // RFC 6749 section 5.2: at this endpoint it is a 400.
        Decision::Refused { .. } => Err(OAuthError::access_denied("the user refused the request").with_status(400)),
        Decision::Approved { record, .. } => redemption(app, client, (form, &code), record, now).await,
    }
}

/// The code, if it is one of ours.
pub(super) fn presented(app: &App, form: &Form) -> Result<PlainCode, OAuthError> {
    let presented = form.required("device_code", "the parameter device_code is missing")?;
    PlainCode::parse_for_device(&app.master_keys, presented).ok_or_else(invalid)
}

fn invalid() -> OAuthError {
    OAuthError::invalid_grant("the device code is not valid")
}

async fn redemption(
    app: &App,
    client: Arc<Client>,
    (form, code): (&Form, &PlainCode),
    record: Box<CodeRecord>,
    now: DateTime<Utc>,
) -> Result<Issuance, OAuthError> {
    let resources = resources(app, &client, form, now).await?;
    // RFC 8707 section 2.2: a subset of what was granted.
    if !resources.iter().all(|resource| record.grant.resources.contains(resource)) {
        return Err(OAuthError::invalid_target("a resource was asked for that was not granted"));
    }
    let details = authorization_details::named(form)?;
    authorization_details::check_granted(&details, &record.grant.authorization_details)?;
    let asked = AskedFor { scopes: Vec::new(), resources, details };
    Ok(Issuance::Redemption { client, id: code.id(), record, asked })
}

/// The code is genuine, but its time is over: if it was redeemed once, this is a replay.
async fn expired(app: &App, client: &Client, code: &PlainCode, now: DateTime<Utc>) -> OAuthError {
    match app.postgres.revoke_replayed_code(code.id(), &client.id, &code.hash(), None, now).await {
        Ok(_) => OAuthError::expired_token("the device code has expired"),
        Err(error) => error.into(),
    }
}

/// A proof of the device authorization request binds the code to its key, as that of a pushed request does.
fn check_key(bound: Option<&str>, jkt: Option<&str>) -> Result<(), OAuthError> {
    match (bound, jkt) {
        (Some(_), None) => {
            Err(OAuthError::invalid_dpop_proof("the device code is bound to a key: a DPoP proof is required"))
        }
        (Some(bound), Some(jkt)) if bound != jkt => {
            Err(OAuthError::invalid_grant("the device code is bound to another key than that of the DPoP proof"))
        }
        _ => Ok(()),
    }
}
