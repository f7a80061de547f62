//! What the device authorization grant (RFC 8628 section 3.4) and the CIBA grant (OpenID Connect CIBA section 10.1) have in common.
//!
//! Whoever waits polls until the person has decided. What they approved is redeemed like an authorization code: verified in full
//! before anything is used up, by one statement, and presented again it revokes what it gave.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq;

use super::resources;
use crate::app::App;
use crate::flow::authorization_details;
use crate::flow::code::CodeRecord;
use crate::flow::decoupled::{self, Decision, Record, Waiter};
use crate::flow::issue::{self, Issuance};
use crate::flow::reach::AskedFor;
use crate::keys::token::PlainCode;
use crate::model::audit::{AuditEventKind, Origin};
use crate::model::client::Client;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;

/// How each grant says what is the matter.
pub struct Words {
    /// It is no code, or not of this client.
    pub invalid: &'static str,
    /// It came too soon.
    pub too_soon: &'static str,
    /// Its time is over.
    pub expired: &'static str,
    /// It is bound to a key, and there was no proof.
    pub unproven: &'static str,
    /// It is bound to another key.
    pub other_key: &'static str,
}

/// Says how the request stands (RFC 8628 section 3.5, OpenID Connect CIBA section 11). `jkt` is the thumbprint of the key that the
/// client proved to have.
pub async fn decide(
    app: &App,
    client: Arc<Client>,
    (form, origin, jkt): (&Form, &Origin, Option<&str>),
    (waiter, code, words): (Waiter, PlainCode, &Words),
    now: DateTime<Utc>,
) -> Result<Issuance, OAuthError> {
    let Some(record) = decoupled::find(app, waiter, now).await? else {
        return Err(expired(app, &client, (&code, words), origin, now).await);
    };
    if record.client_id != client.id || !bool::from(record.hash.ct_eq(&code.hash())) {
        return Err(OAuthError::invalid_grant(words.invalid));
    }
    let Record { decision, expires_at, dpop_jkt, .. } = record;
    if expires_at <= now {
        return Err(expired(app, &client, (&code, words), origin, now).await);
    }
    check_key(dpop_jkt.as_deref(), jkt, words)?;
    match decision {
        Decision::Waiting => Err(if decoupled::keeps_pace(app, waiter, expires_at, now).await? {
            OAuthError::authorization_pending("the user has not decided yet")
        } else {
            OAuthError::slow_down(words.too_soon)
        }),
        // RFC 6749 section 5.2: at this endpoint it is a 400.
        Decision::Refused { .. } => Err(OAuthError::access_denied("the user refused the request").with_status(400)),
        Decision::Approved { record, .. } => redemption(app, client, (form, &code), record, now).await,
    }
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
async fn expired(
    app: &App,
    client: &Client,
    (code, words): (&PlainCode, &Words),
    origin: &Origin,
    now: DateTime<Utc>,
) -> OAuthError {
    match app.postgres.revoke_replayed_code(code.id(), &client.id, &code.hash(), None, now).await {
        Ok(is_replay) => {
            if is_replay {
                issue::note_reuse(app, client, (AuditEventKind::CodeReused, code.id()), origin, now);
            }
            OAuthError::expired_token(words.expired)
        }
        Err(error) => error.into(),
    }
}

/// A proof of the first request binds the code to its key, as that of a pushed request does.
fn check_key(bound: Option<&str>, jkt: Option<&str>, words: &Words) -> Result<(), OAuthError> {
    match (bound, jkt) {
        (Some(_), None) => Err(OAuthError::invalid_dpop_proof(words.unproven)),
        (Some(bound), Some(jkt)) if bound != jkt => Err(OAuthError::invalid_grant(words.other_key)),
        _ => Ok(()),
    }
}
