//! The request object of an authorization request (RFC 9101), if it has one: by value, or by reference where the operator
//! allows that and the client registered the address.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use moka::future::Cache;
use tokio::sync::Semaphore;

use super::client::profile;
use super::throttle::{self, Network};
use crate::app::App;
use crate::config::OutboundPurpose;
use crate::fetch::Fetch;
use crate::model::client::Client;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::jwt::UnverifiedJwt;
use crate::protocol::request_object::{self, Rules};

/// So many are fetched at once, of different addresses.
const FETCHES: usize = 32;
const MOST: u64 = 32;

/// The parameters inside of the request object; `None` if there is no object. RFC 9101 section 6.3: then nothing outside of
/// it counts.
pub async fn open(
    app: &App,
    client: &Arc<Client>,
    form: &Form,
    network: &Network,
    now: DateTime<Utc>,
) -> Result<Option<Form>, OAuthError> {
    let profile = profile(app, client);
    let must_sign = client.settings.require_signed_request_object || profile.requires_signed_requests();
    let object = match (form.one("request")?, form.one("request_uri")?) {
        (None, None) => {
            return if must_sign {
                Err(OAuthError::invalid_request("the authorization request must be a signed request object"))
            } else {
                Ok(None)
            };
        }
        (Some(_), Some(_)) => {
            return Err(OAuthError::invalid_request("there must not be both request and request_uri"));
        }
        (Some(object), None) => object.to_owned(),
        (None, Some(uri)) => fetched(app, client, uri, network, now).await?,
    };
    let object = decrypted(app, object)?;
    let invalid = |description| OAuthError::invalid_request_object(description);
    let jwt = UnverifiedJwt::parse(&object).map_err(|_| invalid("the request object is malformed or not signed"))?;
    if !request_object::is_typed_right(&jwt.header) {
        return Err(invalid("the typ of the request object is another one"));
    }
    let alg =
        SigningAlg::from_name(&jwt.header.alg).filter(|alg| is_registered(client, *alg) && profile.allows_alg(*alg));
    let alg =
        alg.ok_or_else(|| invalid("the request object is signed with an algorithm that the client may not use"))?;
    if !app.client_keys.is_signed_by(&app.fetch, client, (&jwt, alg), now).await? {
        return Err(invalid("no key of the client made the signature of the request object"));
    }
    let rules = Rules { client_id: &client.id, issuer: app.issuer(), is_strict: must_sign, now };
    request_object::read(&jwt.claims, rules).map(Some)
}

/// RFC 9101 section 6.1: what was encrypted to us is signed within, and held to the same rules. Why something cannot be opened is
/// nobody's business: whoever were told could ask until they know what is inside.
fn decrypted(app: &App, object: String) -> Result<String, OAuthError> {
    const PARTS_OF_A_JWE: usize = 5;
    if object.split('.').count() != PARTS_OF_A_JWE {
        return Ok(object);
    }
    let refused = || OAuthError::invalid_request_object("the request object cannot be decrypted");
    app.keys.current().decrypt(&object).ok_or_else(refused)
}

fn is_registered(client: &Client, alg: SigningAlg) -> bool {
    client.settings.request_object_signing_alg.is_none_or(|registered| registered == alg)
}

/// OpenID Connect Core section 6.2. Only addresses that the client registered are called: anything else would let whoever
/// writes the request choose where this server goes. Nobody has to prove anything for it, so there are so many calls and no more.
async fn fetched(
    app: &App,
    client: &Client,
    uri: &str,
    network: &Network,
    now: DateTime<Utc>,
) -> Result<String, OAuthError> {
    if !app.config.oidc.request_uri {
        return Err(OAuthError::request_uri_not_supported("request_uri is not supported"));
    }
    if !client.settings.request_uris.iter().any(|registered| registered == uri) {
        return Err(OAuthError::invalid_request_uri("the request_uri is not registered for this client"));
    }
    let asked = (network, &client.id);
    let wait = throttle::count_request_object(app.state.as_ref(), &app.config.throttle, asked, now).await?;
    if let Some(wait) = wait {
        let what = "too many request objects were fetched for this network";
        return Err(OAuthError::temporarily_unavailable(what).with_wait(wait));
    }
    let object = app.request_objects.fetch(&app.fetch, uri).await?;
    Ok(object.trim().to_owned())
}

/// The fetches of request objects that are under way.
pub struct RequestObjects {
    /// By address. Nothing stays: what is there may be another one for the next request.
    running: Cache<String, Arc<str>>,
    permits: Semaphore,
}

impl Default for RequestObjects {
    fn default() -> Self {
        let running = Cache::builder().max_capacity(MOST).build();
        Self { running, permits: Semaphore::new(FETCHES) }
    }
}

impl RequestObjects {
    /// What is at an address. Whoever comes while it is fetched gets what that fetch finds.
    async fn fetch(&self, fetch: &Fetch, uri: &str) -> Result<Arc<str>, OAuthError> {
        let found = self.running.try_get_with_by_ref(uri, self.fetch_now(fetch, uri)).await;
        self.running.invalidate(uri).await;
        found.map_err(|error| OAuthError::clone(&error))
    }

    async fn fetch_now(&self, fetch: &Fetch, uri: &str) -> Result<Arc<str>, OAuthError> {
        let Ok(_permit) = self.permits.try_acquire() else {
            let what = "too many request objects are being fetched, try again shortly";
            return Err(OAuthError::temporarily_unavailable(what));
        };
        let unreadable = || OAuthError::invalid_request_uri("there is no request object at the request_uri");
        let accept = "application/oauth-authz-req+jwt, application/jwt";
        let (_, object) = fetch.get_bytes(OutboundPurpose::RequestObject, uri, accept).await.map_err(|error| {
            tracing::warn!(%error, "the request object of a client could not be fetched");
            unreadable()
        })?;
        std::str::from_utf8(&object).map(Arc::from).map_err(|_| unreadable())
    }
}
