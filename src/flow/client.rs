//! Which client calls: what it presented, compared with what it registered.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::app::App;
use crate::model::client::Client;
use crate::protocol::client_auth::{self, Presented};
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::storage::StoreError;

/// The client that sent this request, verified (RFC 6749 section 2.3).
pub async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    form: &Form,
    now: DateTime<Utc>,
) -> Result<Arc<Client>, OAuthError> {
    let authorization = headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    let presented = Presented::collect(authorization, form)?;
    let client = app.registry.find_client(&presented.client_id, now).await?;
    let mac = |key_id: Option<u8>, client_id: &_, secret: &str| {
        app.master_keys.client_secret_mac(key_id.unwrap_or_else(|| app.master_keys.current()), client_id, secret)
    };
    if let Err(refusal) = client_auth::verify(&presented, client.as_deref(), mac, now) {
        // Whether the secret was right cannot be said without the key that its MAC was made with. Told that it is wrong, the
        // client would throw it away.
        return Err(if client.is_some_and(|client| lacks_key(app, &client)) {
            StoreError::corrupt("a client secret was made with a master key that this server does not have").into()
        } else {
            refusal
        });
    }
    // `verify` refuses an unknown client; the compiler does not know it.
    client.ok_or_else(|| OAuthError::invalid_client("the client could not be authenticated"))
}

fn lacks_key(app: &App, client: &Client) -> bool {
    client.secrets.iter().any(|secret| !app.master_keys.has(secret.key_id))
}
