//! Pushed authorization requests (RFC 9126): validated when the client sends them, kept for a minute under a name that nobody
//! can guess, and good for one answer.
//!
//! Opening the name uses nothing up, so that a page may be loaded twice; the answer does. Whether a request was answered is a
//! mark of its own, set once by whoever answers first, and it remembers which attempt that was: a double click in the same
//! attempt gets its answer again. The record outlives its time for a while, so that whoever comes late can be sent back to the
//! client with an error instead of being left with one.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join;
use serde::{Deserialize, Serialize};

use super::authorization_request::{AuthorizationRequest, ReturnAddress};
use crate::app::App;
use crate::model::id::ClientId;
use crate::random;
use crate::storage::StoreError;
use crate::storage::state::{self, Kind, StateKey};

/// What every `request_uri` of ours begins with (RFC 9126 section 2.2).
const URN: &str = "urn:ietf:params:oauth:request_uri:";

/// How long a record is kept after its time.
const KEPT: TimeDelta = TimeDelta::minutes(10);

/// How long it is remembered that a request was answered: longer than any attempt that it began.
const MARKED: TimeDelta = TimeDelta::days(1);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    request: AuthorizationRequest,
    expires_at: DateTime<Utc>,
}

/// What is behind a `request_uri`.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// A request that waits for its answer.
    Open(Box<AuthorizationRequest>),
    /// It was answered, or its time is over.
    Over(ReturnAddress),
    /// It is another client's; where that one's answers go is not for this one.
    Foreign,
    /// Nothing.
    Unknown,
}

/// Keeps a request; its `request_uri`.
pub async fn push(app: &App, request: AuthorizationRequest, now: DateTime<Utc>) -> Result<String, StoreError> {
    let id = random::token();
    let expires_at = now + app.config.pushed_requests.lifetime;
    let request = AuthorizationRequest { pushed_as: Some(id.clone()), ..request };
    state::put_json(app.state.as_ref(), &key(&id), &Record { request, expires_at }, expires_at + KEPT, now).await?;
    Ok(format!("{URN}{id}"))
}

/// Whether `request_uri` is a name that this server gives.
pub fn is_pushed(request_uri: &str) -> bool {
    request_uri.starts_with(URN)
}

/// The request that `client_id` pushed under that name.
pub async fn find(app: &App, client_id: &ClientId, request_uri: &str, now: DateTime<Utc>) -> Result<Found, StoreError> {
    let id = request_uri.strip_prefix(URN).filter(|id| id.len() == 43 && id.bytes().all(is_of_token));
    let Some(id) = id else { return Ok(Found::Unknown) };
    let (record, mark) =
        try_join(state::get_json::<Record>(app.state.as_ref(), &key(id), now), app.state.get(&mark_of(id), now))
            .await?;
    Ok(match record {
        None => Found::Unknown,
        Some(record) if record.request.client_id != *client_id => Found::Foreign,
        // No leeway: the client was told how long it lasts.
        Some(record) if mark.is_some() || record.expires_at <= now => Found::Over(record.request.return_address()),
        Some(record) => Found::Open(Box::new(record.request)),
    })
}

/// Marks a pushed request as answered by `attempt`. `false`: another attempt answered it first. Any other request may be
/// answered as often as it is made.
pub async fn use_up(
    app: &App,
    request: &AuthorizationRequest,
    attempt: &str,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let Some(id) = &request.pushed_as else { return Ok(true) };
    let (state, key) = (app.state.as_ref(), mark_of(id));
    if state.put_if_absent(&key, attempt.as_bytes(), now + MARKED, now).await? {
        return Ok(true);
    }
    Ok(state.get(&key, now).await?.is_some_and(|by| by == attempt.as_bytes()))
}

fn key(id: &str) -> StateKey {
    StateKey::new(Kind::PushedRequest, id)
}

fn mark_of(id: &str) -> StateKey {
    StateKey::new(Kind::PushedRequest, format_args!("{id}:answered"))
}

/// What [`random::token`] is written with.
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
