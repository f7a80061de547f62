//! Clients that are named by an address: their documents, fetched when somebody begins with them
//! (draft-ietf-oauth-client-id-metadata-document).
//!
//! 1. Where a client is about to ask for something new, [`refresh`] looks whether its document was looked at lately. Whoever
//!    redeems or introspects what was given before is judged by what is stored.
//! 2. A document is fetched by one at a time, at most once in ten seconds, and for each network so many in a while. How long it
//!    is good its `Cache-Control` says, within bounds; nothing that failed is kept.
//! 3. What it says is held to the rules of a registration and stored as the client's row, where it lies for every instance.
//!
//! While a document cannot be had, what is stored is believed for a day. One that is gone, or has become wrong, is the word of
//! its owner: nothing begins with that client any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use moka::sync::Cache;
use tokio::sync::{Mutex, Semaphore};

use super::registration;
use super::throttle::{self, Network};
use crate::app::App;
use crate::config::OutboundPurpose;
use crate::fetch::{FetchError, Fetched};
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord, Origin};
use crate::model::client::{ClientSettings, SubjectType};
use crate::model::id::ClientId;
use crate::protocol::client_auth::Presented;
use crate::protocol::client_document::{self, DocumentUrl};
use crate::protocol::error::OAuthError;
use crate::protocol::form::Form;
use crate::protocol::registration::{Limits, refusal, settings};
use crate::storage::postgres::client_record::{DocumentOutcome, DocumentStanding, FetchedDocument, StoredDocument};

/// For how long a document is good that does not say it, and the bounds for one that does.
const FRESH_FOR: TimeDelta = TimeDelta::hours(1);
const FRESH_FOR_LEAST: TimeDelta = TimeDelta::minutes(1);
const FRESH_FOR_MOST: TimeDelta = TimeDelta::days(1);

/// For how long what is stored is believed after that, while the document cannot be had.
const STALE_FOR: TimeDelta = TimeDelta::days(1);

/// How often one address is called at most.
const FETCH_EVERY: TimeDelta = TimeDelta::seconds(10);

/// For how long it is believed that the client is somebody whose document has no say.
const SETTLED_FOR: TimeDelta = TimeDelta::minutes(1);

/// So many documents are fetched at once.
const FETCHES: usize = 32;

/// The most clients that are remembered, and how long if nobody asks for them.
const MOST: u64 = 10_000;
const IDLE_FOR: Duration = Duration::from_secs(3600);

/// When the documents of clients were last looked at.
pub struct ClientDocuments {
    places: Cache<ClientId, Arc<Place>>,
    fetches: Semaphore,
}

struct Place {
    /// Until when nobody has to look, in microseconds.
    settled_until: AtomicI64,
    /// Held by the one who looks; what went wrong when that was last tried.
    looking: Mutex<Option<(DateTime<Utc>, Failure)>>,
}

/// Why there is no document.
#[derive(Clone)]
enum Failure {
    /// It was not looked for, or cannot be had now.
    Unknown(OAuthError),
    /// It is not there, or it is none.
    Wrong(OAuthError),
}

impl Default for ClientDocuments {
    fn default() -> Self {
        let places = Cache::builder().max_capacity(MOST).time_to_idle(IDLE_FOR).build();
        Self { places, fetches: Semaphore::new(FETCHES) }
    }
}

impl Default for Place {
    fn default() -> Self {
        Self { settled_until: AtomicI64::new(i64::MIN), looking: Mutex::default() }
    }
}

impl Place {
    fn is_settled(&self, now: DateTime<Utc>) -> bool {
        now.timestamp_micros() < self.settled_until.load(Ordering::SeqCst)
    }

    fn settle(&self, until: DateTime<Utc>) {
        self.settled_until.store(until.timestamp_micros(), Ordering::SeqCst);
    }
}

/// Has the client that authenticates by `headers` and `form` as its document says, before it is looked for.
pub async fn refresh_caller(
    app: &App,
    (headers, form): (&HeaderMap, &Form),
    network: &Network,
    now: DateTime<Utc>,
) -> Result<(), OAuthError> {
    let authorization = headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    match Presented::collect(authorization, form) {
        Ok(presented) => refresh(app, &presented.client_id, network, now).await,
        // Whoever looks for the client says what is wrong with it.
        Err(_) => Ok(()),
    }
}

/// Has the client of that identifier as its document says, before it is looked for. An identifier that is no address is nobody's
/// business here.
pub async fn refresh(app: &App, id: &ClientId, network: &Network, now: DateTime<Utc>) -> Result<(), OAuthError> {
    let Some(url) = DocumentUrl::parse(id.as_str()) else { return Ok(()) };
    let place = app.client_documents.places.get_with_by_ref(id, Arc::default);
    if place.is_settled(now) {
        return Ok(());
    }
    let mut failed = place.looking.lock().await;
    // Whoever held the lock may have looked.
    if place.is_settled(now) {
        return Ok(());
    }
    let stored = match app.postgres.find_client_document(id).await? {
        DocumentStanding::Settled => {
            place.settle(now + SETTLED_FOR);
            return Ok(());
        }
        DocumentStanding::Absent if !app.config.client_documents.enabled => return Ok(()),
        DocumentStanding::Absent => None,
        DocumentStanding::Stored(stored) => Some(*stored),
    };
    check_allowed(app, &url)?;
    if let Some(stored) = stored.as_ref().filter(|stored| now < stored.fresh_until) {
        place.settle(stored.fresh_until);
        return Ok(());
    }
    let found = match failed.as_ref().filter(|(at, _)| now - *at < FETCH_EVERY) {
        Some((_, failure)) => Err(failure.clone()),
        None => match admit(app, network, now).await? {
            Some(refused) => Err(Failure::Unknown(refused)),
            None => {
                let found = fetch_and_store(app, id, &url, stored.as_ref(), now).await?;
                *failed = found.as_ref().err().map(|failure| (now, failure.clone()));
                found
            }
        },
    };
    match (found, stored) {
        (Ok(fresh_until), _) => place.settle(fresh_until),
        (Err(Failure::Unknown(_)), Some(stored)) if now < stored.fresh_until + STALE_FOR => {
            place.settle(now + FETCH_EVERY);
        }
        (Err(Failure::Unknown(error) | Failure::Wrong(error)), _) => return Err(error),
    }
    Ok(())
}

fn check_allowed(app: &App, url: &DocumentUrl) -> Result<(), OAuthError> {
    let config = &app.config.client_documents;
    if !config.enabled {
        return Err(OAuthError::invalid_client("clients that are named by an address are not taken here any more"));
    }
    if !config.allows_host(url.host()) {
        return Err(OAuthError::invalid_client("clients that are named by an address of that host are not taken here"));
    }
    Ok(())
}

/// Whether one more document may be fetched for this network; else what it is told.
async fn admit(app: &App, network: &Network, now: DateTime<Utc>) -> Result<Option<OAuthError>, OAuthError> {
    let limits = &app.config.client_documents;
    let wait = throttle::count_client_document(app.state.as_ref(), limits, network, now).await?;
    let refused = |wait| {
        let what = "too many documents of clients were fetched for this network";
        OAuthError::temporarily_unavailable(what).with_wait(wait)
    };
    Ok(wait.map(refused))
}

/// Until when the document that is there now is good; an error: the store failed.
async fn fetch_and_store(
    app: &App,
    id: &ClientId,
    url: &DocumentUrl,
    stored: Option<&StoredDocument>,
    now: DateTime<Utc>,
) -> Result<Result<DateTime<Utc>, Failure>, OAuthError> {
    let document = match fetch(app, url).await {
        Ok(document) => document,
        Err(failure) => return Ok(Err(failure)),
    };
    let settings = match read(app, url, &document.body, stored, now).await? {
        Ok(settings) => settings,
        Err(failure) => return Ok(Err(failure)),
    };
    let fresh_until = now + fresh_for(document.cache_control.as_deref());
    if stored.is_some_and(|stored| stored.settings == settings) {
        app.postgres.touch_client_document(id, fresh_until, now).await?;
        return Ok(Ok(fresh_until));
    }
    let kind = if stored.is_some() { AuditEventKind::ClientChanged } else { AuditEventKind::ClientRegistered };
    let event = AuditEvent::new(kind).to_client(id);
    let actor = Actor::Client(id.clone());
    let store = app.postgres.recording(AuditRecord { event, actor, origin: Origin::default(), happened_at: now });
    let expected = stored.map(|stored| stored.revision);
    let outcome =
        store.upsert_document_client(id, FetchedDocument { settings: &settings, expected, fresh_until }, now).await?;
    app.registry.forget_client(id).await;
    match outcome {
        DocumentOutcome::Stored if stored.is_some() => app.registry.forget(),
        // What another instance found a moment ago is as good.
        DocumentOutcome::Stored | DocumentOutcome::Stale => {}
    }
    Ok(Ok(fresh_until))
}

async fn fetch(app: &App, url: &DocumentUrl) -> Result<Fetched, Failure> {
    let unavailable = || {
        let what = "the document of the client cannot be fetched now, try again shortly";
        Failure::Unknown(OAuthError::temporarily_unavailable(what))
    };
    let wrong = |what| Failure::Wrong(OAuthError::invalid_client(what));
    let Ok(_permit) = app.client_documents.fetches.try_acquire() else { return Err(unavailable()) };
    let (purpose, accept) = (OutboundPurpose::ClientDocument, "application/json");
    let fetched = app.fetch.get_document(purpose, url.as_str(), accept, client_document::LONGEST).await;
    match fetched {
        Ok(document) if is_json(&document.media_type) => Ok(document),
        Ok(_) => Err(wrong("what is at the address that is the client_id is not JSON")),
        Err(error) => {
            tracing::info!(%error, "the document of a client could not be fetched");
            Err(match error {
                FetchError::Status(status @ 200..500) if status != 429 => {
                    wrong("there is no document at the address that is the client_id")
                }
                FetchError::TooLong => wrong("the document at the address that is the client_id is too long"),
                // One answer for all of them: names inside of our network are nobody's business.
                FetchError::Refused(_)
                | FetchError::Unresolved(_)
                | FetchError::Status(_)
                | FetchError::TimedOut
                | FetchError::Failed(_) => Failure::Unknown(OAuthError::invalid_client(
                    "the document at the address that is the client_id cannot be fetched",
                )),
            })
        }
    }
}

/// What the client is, by its document. What is not metadata stays as it was stored.
async fn read(
    app: &App,
    url: &DocumentUrl,
    document: &[u8],
    stored: Option<&StoredDocument>,
    now: DateTime<Utc>,
) -> Result<Result<ClientSettings, Failure>, OAuthError> {
    let unusable = |what: &str| {
        let error = OAuthError::invalid_client("the document at the address that is the client_id cannot be used");
        Failure::Wrong(
            error.with_detail(&format!("the document at the address that is the client_id cannot be used: {what}")),
        )
    };
    let metadata = match url.metadata(document) {
        Ok(metadata) => metadata,
        Err(what) => return Ok(Err(unusable(what))),
    };
    let scopes = registration::open_scopes(app, &app.config.client_documents.scopes, now).await?;
    let limits = Limits {
        grant_types: client_document::GRANTS.into(),
        methods: client_document::METHODS.into(),
        scopes,
        // A sector is proven when a client is registered, and nobody registers these.
        subject_types: vec![SubjectType::Public],
        profile: app.config.oidc.profile,
        // Whose it is, is said beside them.
        has_pages_elsewhere: true,
    };
    let base = stored.map_or_else(|| registration::base(app, true, &[]), |stored| stored.settings.clone());
    let settings = settings(&metadata, &base, &limits).and_then(|settings| {
        registration::check_keys(app, &settings)?;
        registration::check_addresses(app, &settings)?;
        let violations = client_document::violations(&settings);
        if violations.is_empty() { Ok(settings) } else { Err(refusal(&violations)) }
    });
    match settings {
        Ok(settings) => Ok(Ok(settings)),
        Err(error) if error.status() >= 500 => Err(error),
        Err(error) => Ok(Err(unusable(error.detail()))),
    }
}

/// Section 4: `application/json`, or something more particular.
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// RFC 9111 section 5.2.2.
fn fresh_for(cache_control: Option<&str>) -> TimeDelta {
    let mut fresh_for = FRESH_FOR;
    for directive in cache_control.unwrap_or_default().split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return FRESH_FOR_LEAST,
            "max-age" => {
                let seconds = value.trim().trim_matches('"').parse::<u32>().unwrap_or(0);
                fresh_for = TimeDelta::seconds(seconds.into());
            }
            _ => {}
        }
    }
    fresh_for.clamp(FRESH_FOR_LEAST, FRESH_FOR_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_4_4_how_long_a_document_is_good_is_said_within_bounds() {
        for (said, expected) in [
            (None, FRESH_FOR),
            (Some("public"), FRESH_FOR),
            (Some("public, max-age=7200"), TimeDelta::hours(2)),
            (Some("Max-Age=\"120\""), TimeDelta::minutes(2)),
            (Some("max-age=0"), FRESH_FOR_LEAST),
            (Some("max-age=never"), FRESH_FOR_LEAST),
            (Some("max-age=7200, no-cache"), FRESH_FOR_LEAST),
            (Some("no-store"), FRESH_FOR_LEAST),
            (Some("max-age=31536000"), FRESH_FOR_MOST),
        ] {
            assert_eq!(fresh_for(said), expected, "{said:?}");
        }
    }

    #[test]
    fn section_4_a_document_is_json_by_its_media_type() {
        for media_type in ["application/json", "Application/JSON; charset=utf-8", "application/client-metadata+json"] {
            assert!(is_json(media_type), "{media_type}");
        }
        for media_type in ["", "text/html", "text/json", "application/jsonp", "application/xml", "image/svg+json"] {
            assert!(!is_json(media_type), "{media_type}");
        }
    }
}
