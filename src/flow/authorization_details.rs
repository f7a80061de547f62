//! Authorization details (RFC 9396) that a client asks for, and what is left of those that it was granted.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::model::authorization_details::{AuthorizationDetail, type_of};
use crate::model::client::Client;
use crate::model::id::ResourceUri;
use crate::protocol::authorization_details as protocol;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::storage::StoreError;

/// What `form` asks for anew: well-formed, of known types, and of such that the client may use (sections 5 and 10).
pub async fn requested(
    app: &App,
    client: &Client,
    form: &Form,
    now: DateTime<Utc>,
) -> Result<Vec<AuthorizationDetail>, OAuthError> {
    let details = named(form)?;
    if !details.is_empty() {
        let catalog = app.registry.catalog(now).await?;
        let allowed = &client.settings.authorization_details_types;
        protocol::check(&details, allowed, &catalog.authorization_details_types)?;
    }
    Ok(details)
}

/// What `form` names of what was granted before (section 6.1): only well-formed.
pub fn named(form: &Form) -> Result<Vec<AuthorizationDetail>, OAuthError> {
    Ok(form.one("authorization_details")?.map(protocol::parse).transpose()?.unwrap_or_default())
}

/// Refuses what is not a part of what was granted.
pub fn check_granted(asked: &[AuthorizationDetail], granted: &[AuthorizationDetail]) -> Result<(), OAuthError> {
    if protocol::is_covered(asked, granted) {
        Ok(())
    } else {
        Err(OAuthError::invalid_authorization_details("authorization_details were asked for that were not granted"))
    }
}

/// The types that `client` may use today.
pub async fn allowed_types(app: &App, client: &Client, now: DateTime<Utc>) -> Result<Vec<String>, StoreError> {
    let registered = &client.settings.authorization_details_types;
    if registered.is_empty() {
        return Ok(Vec::new());
    }
    let catalog = app.registry.catalog(now).await?;
    let is_known = |name: &&String| catalog.find_authorization_details_type(name).is_some();
    Ok(registered.iter().filter(is_known).cloned().collect())
}

/// Those of the granted `details` that the client may still have: what was taken from it since ends with its next token.
pub async fn still_allowed(
    app: &App,
    client: &Client,
    details: &[AuthorizationDetail],
    now: DateTime<Utc>,
) -> Result<Vec<AuthorizationDetail>, OAuthError> {
    if details.is_empty() {
        return Ok(Vec::new());
    }
    let allowed = allowed_types(app, client, now).await?;
    let is_allowed = |detail: &&AuthorizationDetail| allowed.iter().any(|name| name == type_of(detail));
    Ok(details.iter().filter(is_allowed).cloned().collect())
}

/// Those that mean something at one of `resources`: no API is told what is for another one (section 9).
pub async fn at(
    app: &App,
    mut details: Vec<AuthorizationDetail>,
    resources: &[ResourceUri],
    now: DateTime<Utc>,
) -> Result<Vec<AuthorizationDetail>, StoreError> {
    if details.is_empty() || resources.is_empty() {
        return Ok(details);
    }
    let catalog = app.registry.catalog(now).await?;
    details.retain(|detail| {
        let known = catalog.find_authorization_details_type(type_of(detail));
        known.is_some_and(|known| protocol::means_something(detail, known, resources))
    });
    Ok(details)
}
