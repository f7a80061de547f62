//! What is encrypted to a client: its key is found before anything is used up, so that a key that is not there costs nothing.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::keys::jwe::Recipient;
use crate::model::client::Client;
use crate::model::encryption_alg::{ContentEncryption, Encryption};
use crate::protocol::error::OAuthError;

/// The `cty` of a JWT that has another one inside (RFC 7519 section 5.2).
const NESTED: &str = "JWT";

/// What an answer is put into for the eyes of its client alone.
pub struct Envelope {
    recipient: Arc<Recipient>,
    enc: ContentEncryption,
}

impl Envelope {
    /// The one that `client` registered; `None`: it registered none.
    pub async fn find(
        app: &App,
        client: &Arc<Client>,
        registered: Option<Encryption>,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, OAuthError> {
        let Some(Encryption { alg, enc }) = registered else { return Ok(None) };
        let found = app.client_keys.find_recipient(&app.fetch, client, alg, now).await.map_err(|error| {
            OAuthError::temporarily_unavailable("the keys of the client cannot be fetched, try again shortly")
                .with_source(error)
        })?;
        let missing = || OAuthError::invalid_request("the client has no key that its answer could be encrypted to");
        Ok(Some(Self { recipient: found.ok_or_else(missing)?, enc }))
    }

    /// A signed JWT within (RFC 7519 section 11.2: sign first, then encrypt), under a header with this `typ` if one is given.
    pub fn nest(&self, jwt: &str, typ: Option<&str>) -> Result<String, OAuthError> {
        self.encrypt(jwt.as_bytes(), (Some(NESTED), typ))
    }

    /// Claims that nobody signed.
    pub fn seal(&self, claims: &[u8]) -> Result<String, OAuthError> {
        self.encrypt(claims, (None, None))
    }

    fn encrypt(&self, content: &[u8], about: (Option<&str>, Option<&str>)) -> Result<String, OAuthError> {
        self.recipient
            .encrypt(self.enc, content, about)
            .map_err(|error| OAuthError::server_error("the server could not complete the request").with_source(error))
    }
}
