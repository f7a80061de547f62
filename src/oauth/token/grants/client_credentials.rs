//! The client credentials grant (RFC 6749 section 4.4): a client acts for itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::resources;
use crate::app::App;
use crate::flow::issue::Issuance;
use crate::flow::reach::AskedFor;
use crate::flow::{audience, authorization_details};
use crate::model::client::Client;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::scope;

/// Checks what the client asks for. Without a scope and authorization details it gets all scopes that it registered.
pub async fn decide(app: &App, client: Arc<Client>, form: &Form, now: DateTime<Utc>) -> Result<Issuance, OAuthError> {
    // RFC 6749 section 4.4: confidential clients only.
    if client.is_public() {
        return Err(OAuthError::unauthorized_client("a public client may not use this grant_type"));
    }
    let resources = resources(app, &client, form, now).await?;
    let details = authorization_details::requested(app, &client, form, now).await?;
    let registered = &client.settings.scopes;
    let asked = form.one("scope")?.map(scope::parse).transpose()?.filter(|scopes| !scopes.is_empty());
    let has_asked = asked.is_some();
    let scopes: Vec<String> = match asked {
        Some(asked) => asked,
        // Whoever asks for something in particular does not ask for everything.
        None if !details.is_empty() => Vec::new(),
        None => registered.iter().filter(|scope| !audience::is_identity_scope(scope)).cloned().collect(),
    };
    // There is no person whose identity could be told, or who could be offline.
    if scopes.iter().any(|scope| audience::is_identity_scope(scope) || !registered.contains(scope)) {
        return Err(OAuthError::invalid_scope("a scope was asked for that this client may not have"));
    }
    let scopes = audience::scopes_at(app, &scopes, &resources, now).await?;
    if has_asked && scopes.is_empty() {
        return Err(OAuthError::invalid_scope("no scope that was asked for means anything at the resource"));
    }
    let has_details = !details.is_empty();
    let details = authorization_details::at(app, details, &resources, now).await?;
    if has_details && details.is_empty() {
        return Err(OAuthError::invalid_authorization_details(
            "none of the authorization_details means anything at the resource",
        ));
    }
    Ok(Issuance::Machine { client, granted: AskedFor { scopes, resources, details } })
}
