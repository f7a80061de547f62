//! Backchannel authentication requests (OpenID Connect CIBA): a client asks for a person who is elsewhere, and they decide on a page
//! of their own.
//!
//! 1. [`begin`] takes one of the few places that a person has for what waits for them, and keeps the request.
//! 2. [`list`] shows the person what waits, [`find`] and [`Waiting::into_request`] make an attempt of what they want to decide.
//! 3. A decision frees the place and leaves word for a client that wants to hear of it.
//!
//! The rest is as for anybody who waits: see [`decoupled`].

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::authorization_request::AuthorizationRequest;
use super::code::new_family_id;
use super::decoupled::{self, Asked, Record, Waiter};
use crate::app::App;
use crate::keys::master_key::Purpose;
use crate::keys::token::PlainCode;
use crate::model::client::Client;
use crate::model::id::{ClientId, FamilyId, SubjectId};
use crate::storage::StoreError;
use crate::storage::postgres::outbox::OutboxKind;
use crate::storage::state::{self, Expected, Kind, StateKey};

/// Where a person sees what waits for them.
pub const PAGE: &str = "/account/requests";

/// Where they hear what became of it.
pub const DONE: &str = "/account/requests/done";

/// The requests that may wait for one person at once, whoever sends them: more would be pressed away unread.
pub const MOST_WAITING: u8 = 10;

/// How long a place that was freed is still taken: the verb that frees it only if it is ours needs a time.
const FREED: TimeDelta = TimeDelta::seconds(1);

/// What a client says of the person whom it means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backchannel {
    /// Whom it means.
    pub subject: SubjectId,
    /// The authentication context classes asked for, in order of preference.
    pub acr_values: Vec<String>,
    /// What the person compares with what the client shows.
    pub binding_message: Option<String>,
    /// The place that the request takes of those of its person.
    place: u8,
    /// How the client is told of the decision, sealed: see [`Notification`].
    notification: Option<String>,
}

/// What a client asks of a person, after every check.
pub struct Call {
    /// Whom it means.
    pub subject: SubjectId,
    /// The authentication context classes asked for, in order of preference.
    pub acr_values: Vec<String>,
    /// What the person compares with what the client shows.
    pub binding_message: Option<String>,
    /// What the client recognises word of the decision by, if it wants that.
    pub client_notification_token: Option<String>,
    /// How long it waits.
    pub lifetime: TimeDelta,
}

/// What a client is told with. Has no `Debug`: it holds a code and a token.
#[derive(Serialize, Deserialize)]
pub struct Notification {
    /// What the client calls the request.
    pub auth_req_id: String,
    /// What the client recognises us by.
    pub client_notification_token: String,
}

/// The payload of `backchannel_notification`.
#[derive(Debug, Serialize, Deserialize)]
pub struct NotificationRow {
    /// Who is told.
    pub client_id: ClientId,
    /// Which request.
    pub id: FamilyId,
    /// The sealed [`Notification`].
    pub sealed: String,
    /// Afterwards it is of no more use.
    pub expires_at: DateTime<Utc>,
}

/// The payload of `backchannel_announcement`.
#[derive(Debug, Serialize, Deserialize)]
pub struct AnnouncementRow {
    /// Who asks.
    pub client_id: ClientId,
    /// Who is asked.
    pub subject: SubjectId,
    /// What they compare.
    pub binding_message: Option<String>,
    /// Afterwards it is of no more use.
    pub expires_at: DateTime<Utc>,
}

/// A request that waits for a person.
pub struct Waiting {
    /// The family that its code will begin.
    pub id: FamilyId,
    /// What is asked for.
    pub record: Record,
    /// Who asks.
    pub client: Arc<Client>,
}

/// Keeps what a client asks; the `auth_req_id`. `None`: too many wait for that person already.
pub async fn begin(
    app: &App,
    client: &Client,
    (asked, call): (Asked, Call),
    now: DateTime<Utc>,
) -> Result<Option<String>, StoreError> {
    let id = FamilyId(new_family_id(now));
    let code = PlainCode::new_for_backchannel(&app.master_keys, id);
    let (auth_req_id, expires_at) = (code.encode(), now + call.lifetime);
    let Some(place) = take_place(app, &call.subject, id, expires_at, now).await? else { return Ok(None) };
    let Call { subject, acr_values, binding_message, client_notification_token, .. } = call;
    let notification = match client_notification_token {
        Some(client_notification_token) => {
            let auth_req_id = auth_req_id.clone();
            Some(seal(app, id, &Notification { auth_req_id, client_notification_token })?)
        }
        None => None,
    };
    let said = Backchannel { subject, acr_values, binding_message, place, notification };
    let announcement = AnnouncementRow {
        client_id: client.id.clone(),
        subject: said.subject.clone(),
        binding_message: said.binding_message.clone(),
        expires_at,
    };
    let record = Record::new(client, asked, (code.hash(), expires_at), Some(said));
    decoupled::keep(app, Waiter::Backchannel(id), &record, now).await?;
    if app.config.backchannel_authentication.announce_uri.is_some() {
        leave_word(app, OutboxKind::BackchannelAnnouncement, &announcement, now).await?;
    }
    Ok(Some(auth_req_id))
}

/// What waits for that person, the oldest first.
pub async fn list(app: &App, subject: &SubjectId, now: DateTime<Utc>) -> Result<Vec<Waiting>, StoreError> {
    let state = app.state.as_ref();
    let keys: Vec<StateKey> = (0..MOST_WAITING).map(|place| place_key(subject, place)).collect();
    let ids = try_join_all(keys.iter().map(|key| state::get_json::<Option<FamilyId>>(state, key, now))).await?;
    let found = ids.into_iter().flatten().flatten().map(|id| find(app, id, subject, now));
    let mut waiting: Vec<Waiting> = try_join_all(found).await?.into_iter().flatten().collect();
    // Identifiers begin with their time.
    waiting.sort_by_key(|waiting| waiting.id.0);
    Ok(waiting)
}

/// The request with that identifier, while it waits for that very person.
pub async fn find(
    app: &App,
    id: FamilyId,
    subject: &SubjectId,
    now: DateTime<Utc>,
) -> Result<Option<Waiting>, StoreError> {
    let found = decoupled::find_waiting(app, Waiter::Backchannel(id), now).await?;
    let is_theirs = |record: &Record| record.backchannel.as_ref().is_some_and(|said| said.subject == *subject);
    let theirs = found.filter(|(record, _)| is_theirs(record));
    Ok(theirs.map(|(record, client)| Waiting { id, record, client }))
}

impl Waiting {
    /// The request as an attempt has it.
    pub fn into_request(self, app: &App) -> Result<AuthorizationRequest, StoreError> {
        self.record.into_request(app, &self.client, Waiter::Backchannel(self.id))
    }
}

/// Frees the place of a request that was decided, and leaves word for its client.
pub(super) async fn decided(app: &App, id: FamilyId, record: &Record, now: DateTime<Utc>) -> Result<(), StoreError> {
    let Some(said) = &record.backchannel else { return Ok(()) };
    let mine = serde_json::to_vec(&id).map_err(StoreError::corrupt)?;
    let nobodys = serde_json::to_vec(&None::<FamilyId>).map_err(StoreError::corrupt)?;
    let key = place_key(&said.subject, said.place);
    app.state.replace_if(&key, Expected::Equals(&mine), &nobodys, now + FREED, now).await?;
    let Some(sealed) = said.notification.clone() else { return Ok(()) };
    let row = NotificationRow { client_id: record.client_id.clone(), id, sealed, expires_at: record.expires_at };
    leave_word(app, OutboxKind::BackchannelNotification, &row, now).await
}

/// What a client is told with, as it was sealed.
pub fn open(app: &App, row: &NotificationRow) -> Option<Notification> {
    let sealed = URL_SAFE_NO_PAD.decode(&row.sealed).ok()?;
    let plain = app.master_keys.open(Purpose::BackchannelNotification, &aad(row.id), &sealed)?;
    serde_json::from_slice(&plain).ok()
}

fn seal(app: &App, id: FamilyId, notification: &Notification) -> Result<String, StoreError> {
    let plain = zeroize::Zeroizing::new(serde_json::to_vec(notification).map_err(StoreError::corrupt)?);
    let sealed = app.master_keys.seal(Purpose::BackchannelNotification, &aad(id), &plain);
    Ok(URL_SAFE_NO_PAD.encode(sealed.map_err(StoreError::corrupt)?))
}

fn aad(id: FamilyId) -> Vec<u8> {
    format!("backchannel notification of {id}").into_bytes()
}

async fn leave_word(
    app: &App,
    kind: OutboxKind,
    row: &(impl Serialize + Sync),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let payload = serde_json::to_value(row).map_err(StoreError::corrupt)?;
    app.postgres.insert_outbox(kind, &payload, now).await?;
    app.outbox_bell.notify_one();
    Ok(())
}

/// Each place is taken by one command, so that however many ask at once, no more than [`MOST_WAITING`] wait.
async fn take_place(
    app: &App,
    subject: &SubjectId,
    id: FamilyId,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<u8>, StoreError> {
    for place in 0..MOST_WAITING {
        if state::put_json_if_absent(app.state.as_ref(), &place_key(subject, place), &id, expires_at, now).await? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn place_key(subject: &SubjectId, place: u8) -> StateKey {
    StateKey::new(Kind::Backchannel, format_args!("person:{subject}:{place}"))
}

/// What the operator's service is told of a request. Nothing in it lets anybody decide.
pub fn announcement(app: &App, client: &Client, row: &AnnouncementRow, username: &str) -> serde_json::Value {
    json!({
        "sub": row.subject,
        "username": username,
        "client_id": row.client_id,
        "client_name": client.settings.client_name,
        "binding_message": row.binding_message,
        "expires_at": row.expires_at.timestamp(),
        "uri": app.url(PAGE),
    })
}
