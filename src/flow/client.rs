//! Which client calls: what it presented, compared with what it registered.
//!
//! An assertion is used once. Where a request brings more that is used once (RFC 9449), all of it is marked together: there
//! [`verify`] says who calls and leaves the mark to be set, while [`authenticate`] sets it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::Value;

use super::replay::{self, Burnt, Mark};
use crate::app::App;
use crate::model::client::{Client, ClientAuthMethod};
use crate::model::id::ClientId;
use crate::model::lifetimes::CLOCK_TOLERANCE;
use crate::model::profile::Profile;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::client_auth::private_key_jwt::{self, AudienceRule};
use crate::protocol::client_auth::{self, Presented, Proven};
use crate::protocol::client_metadata::weak_algs;
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::jwt::UnverifiedJwt;
use crate::protocol::mtls::{Certificate, registered_names};
use crate::storage::StoreError;

/// What `client` is held to: what it registered, or what everybody is, whichever is stricter.
pub fn profile(app: &App, client: &Client) -> Profile {
    client.settings.profile.max(app.config.oidc.profile)
}

/// An answer to a client that is known; an error is counted as its.
pub fn counted<T>(app: &App, client_id: &ClientId, answer: Result<T, OAuthError>) -> Result<T, OAuthError> {
    answer.inspect_err(|error| app.metrics.clients.note_error(client_id.as_str(), error.code().as_str()))
}

/// The client that sent a request, verified (RFC 6749 section 2.3). `endpoints` are the paths whose URLs may be the audience of
/// its assertion: the one that was called, and the token endpoint. `certificate` is the one of the connection.
pub async fn authenticate(
    app: &App,
    endpoints: &[&str],
    (headers, certificate): (&HeaderMap, Option<&Certificate>),
    form: &Form,
    now: DateTime<Utc>,
) -> Result<Arc<Client>, OAuthError> {
    let (client, mark) = verify(app, endpoints, (headers, certificate), form, now).await?;
    if let Some(mark) = mark {
        let burnt = replay::burn(app.state.as_ref(), &[mark], now).await?;
        refuse_repeated_assertion(burnt)?;
    }
    Ok(client)
}

/// The client that sent a request, and the mark of its assertion, which has yet to be set.
pub async fn verify(
    app: &App,
    endpoints: &[&str],
    (headers, certificate): (&HeaderMap, Option<&Certificate>),
    form: &Form,
    now: DateTime<Utc>,
) -> Result<(Arc<Client>, Option<Mark>), OAuthError> {
    let authorization = headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    let presented = Presented::collect(authorization, form)?;
    let client = app.registry.find_client(&presented.client_id, now).await?;
    let assertion = presented.assertion().and_then(|assertion| UnverifiedJwt::parse(assertion).ok());
    let proven = Proven {
        by_assertion: match (&client, &assertion) {
            (Some(client), Some(assertion)) => is_signed(app, client, assertion, now).await?,
            _ => false,
        },
        by_certificate: match (&client, certificate) {
            (Some(client), Some(certificate)) => is_certified(app, client, certificate, now).await?,
            _ => false,
        },
    };
    let mac = |key_id: Option<u8>, client_id: &_, secret: &str| {
        app.master_keys.client_secret_mac(key_id.unwrap_or_else(|| app.master_keys.current()), client_id, secret)
    };
    if let Err(refusal) = client_auth::verify(&presented, client.as_deref(), proven, mac, now) {
        // Whether the secret was right cannot be said without the key that its MAC was made with. Told that it is wrong, the
        // client would throw it away.
        let Some(client) = client else { return Err(refusal) };
        return counted(
            app,
            &client.id,
            Err(if lacks_key(app, &client) {
                StoreError::corrupt("a client secret was made with a master key that this server does not have").into()
            } else {
                refusal
            }),
        );
    }
    // `verify` refuses an unknown client; the compiler does not know it.
    let client = client.ok_or_else(|| OAuthError::invalid_client("the client could not be authenticated"))?;
    keep_to_profile(app, &client, &presented)?;
    let mark = match assertion {
        Some(assertion) => Some(mark(app, endpoints, &client, &assertion, now)?),
        None => None,
    };
    Ok((client, mark))
}

/// Who was registered before everybody was held to a profile may not be good enough for it any more.
fn keep_to_profile(app: &App, client: &Client, presented: &Presented) -> Result<(), OAuthError> {
    let profile = profile(app, client);
    if !profile.is_fapi2() {
        return Ok(());
    }
    // FAPI 2.0 Security Profile section 5.3.2.1.
    if !client.settings.token_endpoint_auth_method.proves_key() {
        return Err(presented.refusal_because("the profile of the client needs one that signs or shows a certificate"));
    }
    // Section 5.4.1.
    if weak_algs(&client.settings, profile).next().is_some() {
        return Err(OAuthError::unauthorized_client(
            "the registration of the client names an algorithm that its profile does not allow",
        ));
    }
    Ok(())
}

/// What [`replay::burn`] says of an assertion's mark, as an answer to the client.
pub fn refuse_repeated_assertion(burnt: Burnt) -> Result<(), OAuthError> {
    match burnt {
        Burnt::Now => Ok(()),
        Burnt::Before(_) => Err(OAuthError::invalid_client("the client assertion was used before")),
        Burnt::Unknown(_) => Err(OAuthError::invalid_client(
            "the client assertion is older than what this server remembers, make a new one",
        )),
    }
}

/// Whether the assertion is by a key of the client's, with an algorithm that is good enough for it. Only for a client that
/// authenticates like this: nobody else's keys are fetched.
async fn is_signed(
    app: &App,
    client: &Arc<Client>,
    assertion: &UnverifiedJwt<'_>,
    now: DateTime<Utc>,
) -> Result<bool, OAuthError> {
    let settings = &client.settings;
    if settings.token_endpoint_auth_method != ClientAuthMethod::PrivateKeyJwt || !client.enabled {
        return Ok(false);
    }
    let Some(alg) = SigningAlg::from_name(&assertion.header.alg) else { return Ok(false) };
    let is_registered = settings.token_endpoint_auth_signing_alg.is_none_or(|registered| registered == alg);
    if !is_registered || !profile(app, client).allows_alg(alg) {
        return Ok(false);
    }
    app.client_keys.is_signed_by(&app.fetch, client, (assertion, alg), now).await
}

/// Whether the certificate of the connection is the one that the client registered: by a name that an authority vouches for,
/// or by its key (RFC 8705 section 2).
async fn is_certified(
    app: &App,
    client: &Arc<Client>,
    certificate: &Certificate,
    now: DateTime<Utc>,
) -> Result<bool, OAuthError> {
    if !client.enabled || !certificate.is_current(now) {
        return Ok(false);
    }
    Ok(match client.settings.token_endpoint_auth_method {
        ClientAuthMethod::TlsClientAuth => match registered_names(&client.settings).as_slice() {
            [name] => certificate.has_name(name) && app.client_authorities.has_issued(certificate, now),
            // None or several: a registration of another version, of which nobody can say what it means.
            _ => false,
        },
        ClientAuthMethod::SelfSignedTlsClientAuth => {
            app.client_keys.has_certificate(&app.fetch, client, certificate, now).await?
        }
        ClientAuthMethod::None
        | ClientAuthMethod::ClientSecretBasic
        | ClientAuthMethod::ClientSecretPost
        | ClientAuthMethod::PrivateKeyJwt => false,
    })
}

/// The thumbprint of the certificate that the client's access tokens are bound to, if it registered that they are (RFC 8705
/// section 3.4). How it authenticates has nothing to do with it.
pub fn certificate_to_bind(
    client: &Client,
    certificate: Option<&Certificate>,
    now: DateTime<Utc>,
) -> Result<Option<String>, OAuthError> {
    if !client.settings.tls_client_certificate_bound_access_tokens {
        return Ok(None);
    }
    let refused = || {
        OAuthError::invalid_request("the tokens of the client are bound to a certificate: a valid one must be shown")
    };
    certificate.filter(|shown| shown.is_current(now)).map(|shown| Some(shown.thumbprint())).ok_or_else(refused)
}

/// Judges what the assertion says; its mark.
fn mark(
    app: &App,
    endpoints: &[&str],
    client: &Client,
    assertion: &UnverifiedJwt<'_>,
    now: DateTime<Utc>,
) -> Result<Mark, OAuthError> {
    let issuer = app.issuer().to_owned();
    let audience = if profile(app, client).is_fapi2() {
        AudienceRule::IssuerAlone(issuer)
    } else {
        let aliases = endpoints.iter().filter_map(|path| app.config.mtls.alias(path));
        AudienceRule::AnyOf(endpoints.iter().map(|path| app.url(path)).chain(aliases).chain([issuer]).collect())
    };
    // Also of an assertion that is refused for it.
    if let Some(issued_at) = assertion.claims.get("iat").and_then(Value::as_f64) {
        app.metrics.clients.note_clock("client_assertion", issued_at, now);
    }
    let assertion = private_key_jwt::check(&assertion.claims, &client.id, &audience, now)?;
    let until = assertion.expires_at + CLOCK_TOLERANCE;
    Ok(Mark::new(&["client assertion", client.id.as_str(), &assertion.jti], assertion.issued_at, until))
}

fn lacks_key(app: &App, client: &Client) -> bool {
    client.secrets.iter().any(|secret| !app.master_keys.has(secret.key_id))
}
