//! The public keys of clients: those in their registration, or those at the address that it names (RFC 7591 section 2, `jwks`
//! and `jwks_uri`).
//!
//! Fetched keys are kept for an hour. A key name that is not among them fetches anew, so that a client can rotate its keys
//! whenever it likes, but at most once in thirty seconds, so that made-up names make no load. Whoever comes while a fetch is
//! under way waits for that one, unless what is known already answers the question. Keys that cannot be fetched anew stay good
//! for a day. Where there are none at all, nobody can say whether a signature is right: that is an outage, and no refusal.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, TimeDelta, Utc};
use moka::sync::Cache;
use tokio::sync::Mutex;

use crate::config::OutboundPurpose;
use crate::fetch::Fetch;
use crate::keys::jwe::Recipient;
use crate::keys::jwk_set::{JwkSet, Verdict};
use crate::model::client::Client;
use crate::model::encryption_alg::EncryptionAlg;
use crate::model::id::ClientId;
use crate::model::signing_alg::SigningAlg;
use crate::protocol::error::OAuthError;
use crate::protocol::jwt::UnverifiedJwt;
use crate::protocol::mtls::Certificate;

/// How long fetched keys are believed without looking again.
const FRESH_FOR: TimeDelta = TimeDelta::hours(1);

/// How long they are believed if looking again fails.
const STALE_FOR: TimeDelta = TimeDelta::days(1);

/// How often one address is called at most.
const FETCH_EVERY: TimeDelta = TimeDelta::seconds(30);

/// The most clients whose keys are remembered, and how long if nobody asks for them.
const MOST: u64 = 10_000;
const IDLE_FOR: Duration = Duration::from_secs(3600);

/// The keys of the clients that used them of late.
pub struct ClientKeys {
    /// As the client's record holds them, which goes when the record does.
    inline: Cache<ClientId, (Arc<Client>, Arc<JwkSet>)>,
    /// By address.
    fetched: Cache<String, Arc<Fetched>>,
}

/// Keys that cannot be fetched now, and were not for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys of the client cannot be fetched")]
pub struct UnknownKeys;

#[derive(Default)]
struct Fetched {
    /// What was fetched last, and when. Read without waiting for a fetch that is under way.
    known: ArcSwapOption<(Arc<JwkSet>, DateTime<Utc>)>,
    /// Held by the one who fetches; when that was last tried.
    fetching: Mutex<Option<DateTime<Utc>>>,
}

impl Fetched {
    /// What is known, and whether it is so old that it should be looked at again.
    fn known(&self, now: DateTime<Utc>) -> Option<(Arc<JwkSet>, bool)> {
        let known = self.known.load_full()?;
        let (keys, at) = &*known;
        (now - *at < STALE_FOR).then(|| (Arc::clone(keys), now - *at >= FRESH_FOR))
    }
}

impl Default for ClientKeys {
    fn default() -> Self {
        Self {
            inline: Cache::builder().max_capacity(MOST).time_to_idle(IDLE_FOR).build(),
            fetched: Cache::builder().max_capacity(MOST).time_to_idle(IDLE_FOR).build(),
        }
    }
}

impl ClientKeys {
    /// Whether a key that `client` registered made `jwt`, with `alg`.
    pub async fn is_signed_by(
        &self,
        fetch: &Fetch,
        client: &Arc<Client>,
        (jwt, alg): (&UnverifiedJwt<'_>, SigningAlg),
        now: DateTime<Utc>,
    ) -> Result<bool, OAuthError> {
        let verdict =
            |keys: &JwkSet| keys.verify(alg, jwt.header.kid.as_deref(), jwt.signing_input.as_bytes(), &jwt.signature);
        self.judge(fetch, client, verdict, now).await
    }

    /// Whether the certificate is for a key that `client` registered (RFC 8705 section 2.2).
    pub async fn has_certificate(
        &self,
        fetch: &Fetch,
        client: &Arc<Client>,
        certificate: &Certificate,
        now: DateTime<Utc>,
    ) -> Result<bool, OAuthError> {
        let is_there = |keys: &JwkSet| keys.published().iter().any(|jwk| certificate.is_of(jwk));
        let verdict = |keys: &JwkSet| if is_there(keys) { Verdict::Valid } else { Verdict::UnknownKey };
        self.judge(fetch, client, verdict, now).await
    }

    /// The key of `client` that is encrypted to with `alg`. One that is not there is looked for anew, like the name of a key that
    /// is not known.
    pub async fn find_recipient(
        &self,
        fetch: &Fetch,
        client: &Arc<Client>,
        alg: EncryptionAlg,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<Recipient>>, UnknownKeys> {
        if let Some(keys) = self.inline(client) {
            return Ok(keys.find_recipient(alg));
        }
        let Some(uri) = &client.settings.jwks_uri else { return Ok(None) };
        let is_outdated = |keys: &JwkSet| keys.find_recipient(alg).is_none();
        let keys = self.fetched(fetch, uri, is_outdated, now).await.ok_or(UnknownKeys)?;
        Ok(keys.find_recipient(alg))
    }

    async fn judge(
        &self,
        fetch: &Fetch,
        client: &Arc<Client>,
        verdict: impl Fn(&JwkSet) -> Verdict,
        now: DateTime<Utc>,
    ) -> Result<bool, OAuthError> {
        if let Some(keys) = self.inline(client) {
            return Ok(verdict(&keys) == Verdict::Valid);
        }
        let Some(uri) = &client.settings.jwks_uri else { return Ok(false) };
        // OpenID Connect Core section 10.1.1: a name that is not known yet says that the keys were rotated.
        let is_unknown = |keys: &JwkSet| verdict(keys) == Verdict::UnknownKey;
        let keys = self.fetched(fetch, uri, is_unknown, now).await;
        let keys = keys.ok_or_else(|| {
            OAuthError::temporarily_unavailable("the keys of the client cannot be fetched, try again shortly")
        })?;
        Ok(verdict(&keys) == Verdict::Valid)
    }

    fn inline(&self, client: &Arc<Client>) -> Option<Arc<JwkSet>> {
        let jwks = client.settings.jwks.as_ref()?;
        if let Some((known, keys)) = self.inline.get(&client.id)
            && Arc::ptr_eq(&known, client)
        {
            return Some(keys);
        }
        let keys = Arc::new(JwkSet::from_value(jwks).unwrap_or_default());
        self.inline.insert(client.id.clone(), (Arc::clone(client), Arc::clone(&keys)));
        Some(keys)
    }

    /// The keys at `uri`; fetched anew if they are old or `is_outdated`, unless that was tried a moment ago. Only who has no use
    /// for what is known waits for a fetch of somebody else.
    async fn fetched(
        &self,
        fetch: &Fetch,
        uri: &str,
        is_outdated: impl Fn(&JwkSet) -> bool,
        now: DateTime<Utc>,
    ) -> Option<Arc<JwkSet>> {
        let place = self.fetched.get_with_by_ref(uri, Arc::default);
        let mut tried_at = match place.known(now) {
            Some((keys, false)) if !is_outdated(&keys) => return Some(keys),
            Some((keys, true)) if !is_outdated(&keys) => match place.fetching.try_lock() {
                Ok(tried_at) => tried_at,
                Err(_) => return Some(keys),
            },
            _ => place.fetching.lock().await,
        };
        // Whoever held the lock may have fetched them.
        let wanted = place.known(now).is_none_or(|(keys, is_old)| is_old || is_outdated(&keys));
        if wanted && tried_at.is_none_or(|tried_at| now - tried_at >= FETCH_EVERY) {
            *tried_at = Some(now);
            if let Some(keys) = get(fetch, uri).await {
                place.known.store(Some(Arc::new((Arc::new(keys), now))));
            }
        }
        place.known(now).map(|(keys, _)| keys)
    }
}

async fn get(fetch: &Fetch, uri: &str) -> Option<JwkSet> {
    match fetch.get_bytes(OutboundPurpose::ClientKeys, uri, "application/jwk-set+json, application/json").await {
        Ok((_, document)) => {
            let keys = JwkSet::parse(&document);
            if keys.is_none() {
                tracing::warn!("what is at the jwks_uri of a client is no JWK Set");
            }
            keys
        }
        Err(error) => {
            tracing::warn!(%error, "the keys of a client could not be fetched");
            None
        }
    }
}
