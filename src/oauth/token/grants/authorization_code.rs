//! The authorization code grant (RFC 6749 section 4.1.3, RFC 7636 section 4.6).
//!
//! Everything is verified before anything is consumed: a request that fails a check neither uses the code up nor revokes
//! anything. A code that was used already is the exception: presented again in full, it revokes what it gave.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq;

use super::resources;
use crate::app::App;
use crate::flow::authorization_details;
use crate::flow::code::{CodeRecord, find_code};
use crate::flow::issue::{self, Issuance};
use crate::flow::reach::AskedFor;
use crate::keys::token::PlainCode;
use crate::model::audit::{AuditEventKind, Origin};
use crate::model::client::Client;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::pkce;

/// Verifies a code and what must come with it. `jkt` is the thumbprint of the key that the client proved to have.
pub async fn decide(
    app: &App,
    client: Arc<Client>,
    (form, origin): (&Form, &Origin),
    jkt: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Issuance, OAuthError> {
    let code = presented(app, form)?;
    let verifier = form.one("code_verifier")?;
    let Some(record) = find_code(app, code.id(), now).await? else {
        // Genuine, but its time is over: if it was redeemed once, this is a replay.
        let challenge = verifier.map(pkce::challenge_of);
        if app.postgres.revoke_replayed_code(code.id(), &client.id, &code.hash(), challenge.as_deref(), now).await? {
            issue::note_reuse(app, &client, (AuditEventKind::CodeReused, code.id()), origin, now);
        }
        return Err(invalid());
    };
    let is_genuine = bool::from(record.hash.ct_eq(&code.hash()));
    if !is_genuine || record.expires_at <= now || record.grant.client_id != client.id {
        return Err(invalid());
    }
    check_redirect_uri(&record, form)?;
    pkce::verify(record.code_challenge.as_deref(), verifier)?;
    check_key(&record, jkt)?;
    let resources = resources(app, &client, form, now).await?;
    // RFC 8707 section 2.2: a subset of what was granted. Where none was asked for, none was shown to the person: the grant is
    // for the default audience and nothing else, here as at every refresh.
    if !resources.iter().all(|resource| record.grant.resources.contains(resource)) {
        return Err(OAuthError::invalid_target("a resource was asked for that was not granted"));
    }
    let details = authorization_details::named(form)?;
    authorization_details::check_granted(&details, &record.grant.authorization_details)?;
    let asked = AskedFor { scopes: Vec::new(), resources, details };
    Ok(Issuance::Redemption { client, id: code.id(), record: Box::new(record), asked })
}

/// The code, if it is one of ours: a bad tag costs no look-up.
pub(super) fn presented(app: &App, form: &Form) -> Result<PlainCode, OAuthError> {
    let presented = form.required("code", "the parameter code is missing")?;
    PlainCode::parse(&app.master_keys, presented).ok_or_else(invalid)
}

fn invalid() -> OAuthError {
    OAuthError::invalid_grant("the code is not valid")
}

/// RFC 9449 section 10: whoever redeems a code has the key that the authorization request named.
fn check_key(record: &CodeRecord, jkt: Option<&str>) -> Result<(), OAuthError> {
    match (record.dpop_jkt.as_deref(), jkt) {
        (Some(_), None) => Err(OAuthError::invalid_dpop_proof("the code is bound to a key: a DPoP proof is required")),
        (Some(bound), Some(jkt)) if bound != jkt => {
            Err(OAuthError::invalid_grant("the code is bound to another key than that of the DPoP proof"))
        }
        _ => Ok(()),
    }
}

/// RFC 6749 section 4.1.3 asks for it again if the authorization request had it; OAuth 2.1 section 4.1.3 does not, because
/// PKCE binds the code better. What is sent must be right in any case.
fn check_redirect_uri(record: &CodeRecord, form: &Form) -> Result<(), OAuthError> {
    match form.one("redirect_uri")? {
        Some(presented) if presented == record.redirect_uri => Ok(()),
        None if record.is_redirect_uri_implied || record.code_challenge.is_some() => Ok(()),
        _ => Err(OAuthError::invalid_grant("the redirect_uri is not the one that the code was sent to")),
    }
}
