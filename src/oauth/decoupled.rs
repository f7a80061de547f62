//! What devices and clients whose person is elsewhere have in common when they begin.

use chrono::{DateTime, Utc};

use super::authorize;
use crate::app::App;
use crate::flow::client;
use crate::flow::decoupled::Asked;
use crate::flow::dpop::Proof;
use crate::flow::{audience, authorization_details};
use crate::model::client::Client;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::resource;

/// What is asked for, if the client may have it.
pub async fn asked(
    app: &App,
    client: &Client,
    form: &Form,
    proof: Option<&Proof>,
    now: DateTime<Utc>,
) -> Result<Asked, OAuthError> {
    let authorization_details = authorization_details::requested(app, client, form, now).await?;
    let scopes = authorize::scopes(app, client, form, !authorization_details.is_empty(), now).await?;
    let resources = resource::parse_all(form.all("resource"))?;
    audience::check(app, client, &resources, now).await?;
    Ok(Asked { scopes, resources, authorization_details, dpop_jkt: proof.map(|proof| proof.jkt.clone()) })
}

/// Refuses a client that has to sign its requests where there is no such thing as a signed one.
pub fn refuse_if_signed(app: &App, client: &Client, description: &'static str) -> Result<(), OAuthError> {
    let must_sign =
        client.settings.require_signed_request_object || client::profile(app, client).requires_signed_requests();
    if must_sign { Err(OAuthError::unauthorized_client(description)) } else { Ok(()) }
}
