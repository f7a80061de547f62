//! Device codes (RFC 8628): a device asks, a person decides in a browser, the device fetches what they decided.
//!
//! 1. [`begin`] keeps the request under the identifier of the device code, and that identifier under the hash of the user code.
//! 2. [`find_waiting`] gives the request to whoever typed the user code; it becomes an attempt like any other.
//! 3. [`approve`] or [`refuse`] writes the decision by one compare-and-set: the first one counts.
//! 4. The device polls. What was approved is the record of a code, and is redeemed as one, by the same statement.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::authorization_request::AuthorizationRequest;
use super::code::{CodeRecord, CodeSecret, new_family_id};
use crate::app::App;
use crate::keys::master_key::Purpose;
use crate::keys::token::PlainCode;
use crate::model::authorization_details::AuthorizationDetail;
use crate::model::client::{Client, GrantType};
use crate::model::id::{ClientId, FamilyId, ResourceUri};
use crate::model::session::Session;
use crate::protocol::display::Display;
use crate::protocol::prompt::Prompt;
use crate::protocol::response_mode::ResponseMode;
use crate::protocol::user_code::UserCode;
use crate::random;
use crate::storage::StoreError;
use crate::storage::state::{self, Expected, Kind, StateKey};

/// Where a person types the code.
pub const PAGE: &str = "/device";

/// Where they hear what became of it.
pub const DONE: &str = "/device/done";

/// How long a record is kept after its time, so that whoever comes late hears that it is over.
const KEPT: TimeDelta = TimeDelta::minutes(30);

/// How much longer a device must wait each time it asked too soon (RFC 8628 section 3.5).
const SLOWER: TimeDelta = TimeDelta::seconds(5);

/// How much sooner than told a device may ask: its clock, the network and another instance's clock are never exact.
const EARLY: TimeDelta = TimeDelta::seconds(1);

/// What is counted about a device is counted in one period, its whole life.
const LIFE: i64 = 0;

/// How often a user code that is already in use is drawn again.
const DRAWS: usize = 8;

/// What a device asks for, after every check.
#[derive(Clone, Debug)]
pub struct DeviceRequest {
    /// The scopes, in the order asked.
    pub scopes: Vec<String>,
    /// Where they are to be used (RFC 8707).
    pub resources: Vec<ResourceUri>,
    /// What is asked for in particular (RFC 9396).
    pub authorization_details: Vec<AuthorizationDetail>,
    /// The thumbprint of the key that the device proved to have: then the code is bound to it.
    pub dpop_jkt: Option<String>,
}

/// What a device is told. Has no `Debug`: it holds a code.
pub struct Begun {
    /// For the device alone.
    pub device_code: String,
    /// For the person.
    pub user_code: UserCode,
}

/// What the state store keeps of a device code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceRecord {
    /// Whose device asks.
    pub client_id: ClientId,
    scopes: Vec<String>,
    resources: Vec<ResourceUri>,
    /// Absent from the records of a version that did not know.
    #[serde(default)]
    authorization_details: Vec<AuthorizationDetail>,
    /// The thumbprint of the key that the code is bound to.
    pub dpop_jkt: Option<String>,
    /// SHA-256 of the device code's secret.
    pub hash: [u8; 32],
    /// When the code ends.
    pub expires_at: DateTime<Utc>,
    /// What the person said.
    pub decision: Decision,
}

/// What a person said to a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Nothing yet.
    Waiting,
    /// No, in that attempt.
    Refused {
        /// The attempt.
        attempt: String,
    },
    /// Yes, in that attempt.
    Approved {
        /// The attempt.
        attempt: String,
        /// What the device code stands for now.
        record: Box<CodeRecord>,
    },
}

/// What became of a device in an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The person has not decided.
    Waiting,
    /// It was allowed here.
    Approved,
    /// It was refused here.
    Refused,
    /// Its time is over, or it was decided elsewhere.
    Over,
}

/// Keeps what a device asks for.
pub async fn begin(
    app: &App,
    client: &Client,
    request: DeviceRequest,
    now: DateTime<Utc>,
) -> Result<Begun, StoreError> {
    let id = FamilyId(new_family_id(now));
    let code = PlainCode::new_for_device(&app.master_keys, id);
    let expires_at = now + app.config.device_authorization.lifetime;
    let DeviceRequest { scopes, resources, authorization_details, dpop_jkt } = request;
    let (client_id, hash, decision) = (client.id.clone(), code.hash(), Decision::Waiting);
    let record =
        DeviceRecord { client_id, scopes, resources, authorization_details, dpop_jkt, hash, expires_at, decision };
    // The record first: a user code must lead to something.
    state::put_json(app.state.as_ref(), &key(id), &record, expires_at + KEPT, now).await?;
    let user_code = draw_user_code(app, id, expires_at, now).await?;
    Ok(Begun { device_code: code.encode(), user_code })
}

async fn draw_user_code(
    app: &App,
    id: FamilyId,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<UserCode, StoreError> {
    for _ in 0..DRAWS {
        let Some(code) = UserCode::from_random(&random::bytes::<32>()) else { continue };
        let key = user_key(&app.master_keys.mac(Purpose::UserCode, code.letters().as_bytes()));
        if state::put_json_if_absent(app.state.as_ref(), &key, &id, expires_at, now).await? {
            return Ok(code);
        }
    }
    Err(StoreError::unavailable("every user code that was drawn is in use"))
}

/// The record of a device code, for a while longer than its time. It is read, not taken, like that of a code.
pub async fn find(app: &App, id: FamilyId, now: DateTime<Utc>) -> Result<Option<DeviceRecord>, StoreError> {
    state::get_json(app.state.as_ref(), &key(id), now).await
}

/// The request of the device that shows `code`, while it waits for a person.
pub async fn find_waiting(
    app: &App,
    code: &UserCode,
    now: DateTime<Utc>,
) -> Result<Option<AuthorizationRequest>, StoreError> {
    let Some(id) = find_id(app, code, now).await? else { return Ok(None) };
    let record = find(app, id, now).await?;
    let waiting = record.filter(|record| record.decision == Decision::Waiting && record.expires_at > now);
    let Some(record) = waiting else { return Ok(None) };
    let client = app.registry.find_client(&record.client_id, now).await?;
    let able = client.filter(|client| client.enabled && client.has_grant(GrantType::DeviceCode));
    Ok(able.map(|client| record.request(app, &client, id)))
}

/// An instance that still, or already, has another current master key may have drawn the code.
async fn find_id(app: &App, code: &UserCode, now: DateTime<Utc>) -> Result<Option<FamilyId>, StoreError> {
    for mac in app.master_keys.macs(Purpose::UserCode, code.letters().as_bytes()) {
        if let Some(id) = state::get_json(app.state.as_ref(), &user_key(&mac), now).await? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

impl DeviceRecord {
    /// The request as an attempt has it. A person is always asked, whatever they allowed before and whoever the client is:
    /// nothing but their answer says that the device is theirs (RFC 8628 section 5.4).
    fn request(self, app: &App, client: &Client, id: FamilyId) -> AuthorizationRequest {
        AuthorizationRequest {
            client_id: self.client_id,
            redirect_uri: app.url(DONE),
            is_redirect_uri_implied: true,
            response_mode: ResponseMode::default(),
            state: None,
            nonce: None,
            scopes: self.scopes,
            resources: self.resources,
            authorization_details: self.authorization_details,
            prompts: vec![Prompt::Consent],
            max_age: client.settings.default_max_age,
            login_hint: None,
            required_subject: None,
            acr_values: client.settings.default_acr_values.clone(),
            display: Display::default(),
            ui_locales: Vec::new(),
            claims: None,
            code_challenge: None,
            pushed_as: None,
            dpop_jkt: self.dpop_jkt,
            device: Some(id),
        }
    }
}

/// Notes that the person allowed it, unless something was decided before: then [`outcome`] says so.
pub async fn approve(
    app: &App,
    id: FamilyId,
    attempt: &str,
    (request, client): (&AuthorizationRequest, &Client),
    (session, code_generation): (&Session, i64),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some((stored, waiting)) = read_waiting(app, id, now).await? else { return Ok(()) };
    let secret = CodeSecret { grant_type: GrantType::DeviceCode, hash: waiting.hash, expires_at: waiting.expires_at };
    let record = CodeRecord::of(app, request, client, (session, code_generation), secret)?;
    let decision = Decision::Approved { attempt: attempt.to_owned(), record: Box::new(record) };
    decide(app, id, &stored, DeviceRecord { decision, ..waiting }, now).await
}

/// Notes that the person refused it, unless something was decided before.
pub async fn refuse(app: &App, id: FamilyId, attempt: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let Some((stored, waiting)) = read_waiting(app, id, now).await? else { return Ok(()) };
    let decision = Decision::Refused { attempt: attempt.to_owned() };
    decide(app, id, &stored, DeviceRecord { decision, ..waiting }, now).await
}

/// What became of a device, as `attempt` may know it.
pub async fn outcome(app: &App, id: FamilyId, attempt: &str, now: DateTime<Utc>) -> Result<Outcome, StoreError> {
    Ok(match find(app, id, now).await? {
        Some(DeviceRecord { decision: Decision::Waiting, expires_at, .. }) if expires_at > now => Outcome::Waiting,
        Some(DeviceRecord { decision: Decision::Approved { attempt: by, .. }, .. }) if by == attempt => {
            Outcome::Approved
        }
        Some(DeviceRecord { decision: Decision::Refused { attempt: by }, .. }) if by == attempt => Outcome::Refused,
        _ => Outcome::Over,
    })
}

async fn read_waiting(
    app: &App,
    id: FamilyId,
    now: DateTime<Utc>,
) -> Result<Option<(Vec<u8>, DeviceRecord)>, StoreError> {
    let Some(stored) = app.state.get(&key(id), now).await? else { return Ok(None) };
    let record: DeviceRecord = serde_json::from_slice(&stored).map_err(StoreError::corrupt)?;
    let is_waiting = record.decision == Decision::Waiting && record.expires_at > now;
    Ok(is_waiting.then_some((stored, record)))
}

/// The one verb of a decision: whoever comes second changes nothing.
async fn decide(
    app: &App,
    id: FamilyId,
    stored: &[u8],
    decided: DeviceRecord,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(&decided).map_err(StoreError::corrupt)?;
    let until = decided.expires_at + KEPT;
    app.state.replace_if(&key(id), Expected::Equals(stored), &bytes, until, now).await?;
    Ok(())
}

/// Counts a question of a device whose person has not decided. `false`: it came too soon, and from now on the device has to
/// wait longer.
pub async fn keeps_pace(
    app: &App,
    id: FamilyId,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let (state, mark, slower) = (app.state.as_ref(), key_of(id, "asked"), key_of(id, "slower"));
    let until = expires_at + KEPT;
    let wait = |times: i64| {
        let times = i32::try_from(times.clamp(0, 1000)).unwrap_or_default();
        app.config.device_authorization.interval + SLOWER * times - EARLY
    };
    let times = state.add(&slower, 0, LIFE, until, now).await?.current;
    if state.put_if_absent(&mark, b"1", now + wait(times), now).await? {
        return Ok(true);
    }
    let times = state.add(&slower, 1, LIFE, until, now).await?.current;
    state.put(&mark, b"1", now + wait(times), now).await?;
    Ok(false)
}

fn key(id: FamilyId) -> StateKey {
    StateKey::new(Kind::DeviceCode, id)
}

fn key_of(id: FamilyId, what: &str) -> StateKey {
    StateKey::new(Kind::DeviceCode, format_args!("{id}:{what}"))
}

/// By a MAC of the user code, which is short enough to be found by its hash: whoever may read the store cannot type what is in it.
fn user_key(mac: &[u8]) -> StateKey {
    StateKey::new(Kind::DeviceCode, format_args!("user:{}", URL_SAFE_NO_PAD.encode(mac)))
}
