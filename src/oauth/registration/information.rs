//! What a client is told of its registration (RFC 7591 section 3.2.1, RFC 7592 section 3).

use axum::Json;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::app::App;
use crate::http::headers;
use crate::model::client::{ClientSecret, ClientSettings};
use crate::model::id::ClientId;
use crate::oauth::paths;
use crate::protocol::error::OAuthError;
use crate::protocol::registration;
use crate::random;

/// The registration of a client as it is in force. It has no `Debug`: it holds secrets.
pub(super) struct Information<'a> {
    /// Its identifier.
    pub(super) id: &'a ClientId,
    /// What is registered.
    pub(super) settings: &'a ClientSettings,
    /// Its secret, if it was just made: only a MAC of it is kept.
    pub(super) secret: Option<String>,
    /// Its registration access token.
    pub(super) token: String,
    /// When it was registered.
    pub(super) issued_at: DateTime<Utc>,
}

impl Information<'_> {
    /// The answer, which nobody may keep.
    pub(super) fn send(self, app: &App) -> Result<Response, OAuthError> {
        let mut members = registration::metadata(self.settings)?;
        let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
        add("client_id", self.id.as_str().into());
        add("client_id_issued_at", self.issued_at.timestamp().into());
        if let Some(secret) = self.secret {
            add("client_secret", secret.into());
            // It never expires.
            add("client_secret_expires_at", 0.into());
        }
        add("registration_access_token", self.token.into());
        add("registration_client_uri", format!("{}/{}", app.url(paths::REGISTER), self.id).into());
        Ok((headers::no_store(), Json(Value::Object(members))).into_response())
    }
}

/// A secret for a client that needs one, and what is kept of it.
pub(super) fn new_secret(
    app: &App,
    id: &ClientId,
    settings: &ClientSettings,
) -> Result<Option<(String, ClientSecret)>, OAuthError> {
    if !settings.token_endpoint_auth_method.has_secret() {
        return Ok(None);
    }
    let (keys, secret) = (&app.master_keys, random::token());
    let key_id = keys.current();
    let mac = keys.client_secret_mac(key_id, id, &secret);
    let mac = mac.ok_or_else(|| OAuthError::server_error("the server could not complete the request"))?;
    let kept = ClientSecret { id: Uuid::from_bytes(random::bytes()), mac, key_id, expires_at: None };
    Ok(Some((secret, kept)))
}
