//! The grants: each reads its parameters, checks them, and answers what is to be issued. None of them signs or writes.

// RFC 6749 section 4.1.3.
pub mod authorization_code;
// OpenID Connect CIBA section 10.1.
pub mod ciba;
// RFC 6749 section 4.4.2.
pub mod client_credentials;
// What the two grants have in common in which a person decides elsewhere.
mod decoupled;
// RFC 8628 section 3.4.
pub mod device_code;
// RFC 6749 section 6.
pub mod refresh_token;
// RFC 8693 section 2.1.
pub mod token_exchange;

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::flow::audience;
use crate::model::client::{Client, GrantType};
use crate::model::id::ResourceUri;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::resource;

/// Refuses what was not made here, by its tag and without a look at any store.
pub fn check_genuine(app: &App, grant: GrantType, form: &Form) -> Result<(), OAuthError> {
    match grant {
        GrantType::AuthorizationCode => authorization_code::presented(app, form).map(drop),
        GrantType::RefreshToken => refresh_token::presented(app, form).map(drop),
        GrantType::DeviceCode => device_code::presented(app, form).map(drop),
        // For clients that authenticate.
        GrantType::ClientCredentials | GrantType::TokenExchange | GrantType::Ciba => Ok(()),
    }
}

/// The resources that a token request names (RFC 8707 section 2.2), known and allowed.
async fn resources(
    app: &App,
    client: &Client,
    form: &Form,
    now: DateTime<Utc>,
) -> Result<Vec<ResourceUri>, OAuthError> {
    let resources = resource::parse_all(form.all("resource"))?;
    audience::check(app, client, &resources, now).await?;
    Ok(resources)
}
