//! The public keys of clients: those in their registration, or those at the address that it names (RFC 7591 section 2, `jwks`
//! and `jwks_uri`).
//!
//! Fetched keys are kept for an hour. A key name that is not among them fetches anew, so that a client can rotate its keys
//! whenever it likes, but at most once in thirty seconds, so that made-up names make no load. Whoever comes while a fetch is
//! under way waits for that one. Keys that cannot be fetched anew stay good for a day.

use std::sync::Arc;
use std::time::Duration;

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
    fetched: Cache<String, Arc<Mutex<Fetched>>>,
}

/// Keys that cannot be fetched now, and were not for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keys of the client cannot be fetched")]
pub struct UnknownKeys;

#[derive(Default)]
struct Fetched {
    keys: Option<(Arc<JwkSet>, DateTime<Utc>)>,
    tried_at: Option<DateTime<Utc>>,
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
    ) -> bool {
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
    ) -> bool {
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
    ) -> bool {
        if let Some(keys) = self.inline(client) {
            return verdict(&keys) == Verdict::Valid;
        }
        let Some(uri) = &client.settings.jwks_uri else { return false };
        match self.fetched(fetch, uri, |_| false, now).await.as_deref().map(&verdict) {
            Some(Verdict::Valid) => true,
            // OpenID Connect Core section 10.1.1: a name that is not known yet says that the keys were rotated.
            Some(Verdict::UnknownKey) => {
                let is_unknown = |keys: &JwkSet| verdict(keys) == Verdict::UnknownKey;
                let again = self.fetched(fetch, uri, is_unknown, now).await;
                again.is_some_and(|keys| verdict(&keys) == Verdict::Valid)
            }
            Some(Verdict::Invalid) | None => false,
        }
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

    /// The keys at `uri`; fetched anew if they are old or `is_outdated`, unless that was tried a moment ago.
    async fn fetched(
        &self,
        fetch: &Fetch,
        uri: &str,
        is_outdated: impl Fn(&JwkSet) -> bool,
        now: DateTime<Utc>,
    ) -> Option<Arc<JwkSet>> {
        let place = self.fetched.get_with_by_ref(uri, Arc::default);
        let mut fetched = place.lock().await;
        let wanted = fetched.keys.as_ref().is_none_or(|(keys, at)| now - *at >= FRESH_FOR || is_outdated(keys));
        let is_due = fetched.tried_at.is_none_or(|tried_at| now - tried_at >= FETCH_EVERY);
        if wanted && is_due {
            fetched.tried_at = Some(now);
            match fetch.get_bytes(OutboundPurpose::ClientKeys, uri, "application/jwk-set+json, application/json").await
            {
                Ok((_, document)) => match JwkSet::parse(&document) {
                    Some(keys) => fetched.keys = Some((Arc::new(keys), now)),
                    None => tracing::warn!("what is at the jwks_uri of a client is no JWK Set"),
                },
                Err(error) => tracing::warn!(%error, "the keys of a client could not be fetched"),
            }
        }
        fetched.keys.as_ref().filter(|(_, at)| now - *at < STALE_FOR).map(|(keys, _)| Arc::clone(keys))
    }
}
