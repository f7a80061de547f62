//! The refresh token grant (RFC 6749 section 6, RFC 9700 section 4.14.2).
//!
//! What is checked here costs no look-up; all the rest is the WHERE of the one statement that rotates.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::resources;
use crate::app::App;
use crate::flow::authorization_details;
use crate::flow::issue::Issuance;
use crate::flow::reach::AskedFor;
use crate::keys::token::PlainRefreshToken;
use crate::model::client::Client;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::scope;

/// Verifies that the token is one of ours and reads what is asked for.
pub async fn decide(app: &App, client: Arc<Client>, form: &Form, now: DateTime<Utc>) -> Result<Issuance, OAuthError> {
    let presented = presented(app, form)?;
    let scopes = form.one("scope")?.map(scope::parse).transpose()?.unwrap_or_default();
    let resources = resources(app, &client, form, now).await?;
    let asked = AskedFor { scopes, resources, details: authorization_details::named(form)? };
    Ok(Issuance::Rotation { client, presented, asked })
}

/// The token, if it is one of ours.
pub(super) fn presented(app: &App, form: &Form) -> Result<PlainRefreshToken, OAuthError> {
    let presented = form.required("refresh_token", "the parameter refresh_token is missing")?;
    PlainRefreshToken::parse(&app.master_keys, presented)
        .ok_or_else(|| OAuthError::invalid_grant("the refresh token is not valid"))
}
