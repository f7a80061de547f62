//! Requests that are made in one place and decided in another: by devices (RFC 8628), and by clients whose person is elsewhere
//! (OpenID Connect CIBA).
//!
//! 1. [`keep`] keeps the request under the identifier of the code that whoever waits was given.
//! 2. [`Record::into_request`] makes it an attempt like any other, in the browser of the person.
//! 3. [`approve`] or [`refuse`] writes the decision by one compare-and-set: the first one counts.
//! 4. Whoever waits asks again and again. What was approved is the record of a code, and is redeemed as one, by the same statement.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::authorization_request::AuthorizationRequest;
use super::backchannel_authentication::{self, Backchannel};
use super::code::{CodeRecord, CodeSecret};
use super::{device_code, subject};
use crate::app::App;
use crate::model::authorization_details::AuthorizationDetail;
use crate::model::client::{Client, GrantType};
use crate::model::id::{ClientId, FamilyId, ResourceUri};
use crate::model::session::Session;
use crate::protocol::display::Display;
use crate::protocol::prompt::Prompt;
use crate::protocol::response_mode::ResponseMode;
use crate::storage::StoreError;
use crate::storage::state::{self, Expected, Kind, StateKey};

/// How long a record is kept after its time, so that whoever comes late hears that it is over.
pub const KEPT: TimeDelta = TimeDelta::minutes(30);

/// How much longer whoever asked too soon must wait each time (RFC 8628 section 3.5, OpenID Connect CIBA section 11).
const SLOWER: TimeDelta = TimeDelta::seconds(5);

/// How much sooner than told one may ask: clocks and networks are never exact.
const EARLY: TimeDelta = TimeDelta::seconds(1);

/// What is counted about whoever waits is counted in one period, their whole life.
const LIFE: i64 = 0;

/// Who waits for a decision, by the family that their code will begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// A device.
    Device(FamilyId),
    /// A client whose person is elsewhere.
    Backchannel(FamilyId),
}

/// What is asked for, after every check.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The scopes, in the order asked.
    pub scopes: Vec<String>,
    /// Where they are to be used (RFC 8707).
    pub resources: Vec<ResourceUri>,
    /// What is asked for in particular (RFC 9396).
    pub authorization_details: Vec<AuthorizationDetail>,
    /// The thumbprint of the key that was proved: then the code is bound to it.
    pub dpop_jkt: Option<String>,
}

/// What the state store keeps of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Whose it is.
    pub client_id: ClientId,
    /// The scopes, in the order asked.
    pub scopes: Vec<String>,
    /// Where they are to be used.
    pub resources: Vec<ResourceUri>,
    /// What is asked for in particular. Absent from the records of a version that did not know.
    #[serde(default)]
    pub authorization_details: Vec<AuthorizationDetail>,
    /// The thumbprint of the key that the code is bound to.
    pub dpop_jkt: Option<String>,
    /// SHA-256 of the code's secret.
    pub hash: [u8; 32],
    /// When the code ends.
    pub expires_at: DateTime<Utc>,
    /// What the person said.
    pub decision: Decision,
    /// What a client said of the person whom it means. Absent from the records of devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backchannel: Option<Backchannel>,
}

/// What a person said.
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
        /// What the code stands for now.
        record: Box<CodeRecord>,
    },
}

/// What became of a request in an attempt.
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

impl Waiter {
    /// The family that the code will begin.
    pub fn id(self) -> FamilyId {
        match self {
            Self::Device(id) | Self::Backchannel(id) => id,
        }
    }

    /// The grant that the code is of.
    pub fn grant_type(self) -> GrantType {
        match self {
            Self::Device(_) => GrantType::DeviceCode,
            Self::Backchannel(_) => GrantType::Ciba,
        }
    }

    /// Where the person hears what became of it.
    pub fn done(self) -> &'static str {
        match self {
            Self::Device(_) => device_code::DONE,
            Self::Backchannel(_) => backchannel_authentication::DONE,
        }
    }

    fn interval(self, app: &App) -> TimeDelta {
        match self {
            Self::Device(_) => app.config.device_authorization.interval,
            Self::Backchannel(_) => app.config.backchannel_authentication.interval,
        }
    }

    fn key(self) -> StateKey {
        StateKey::new(self.kind(), self.id())
    }

    fn key_of(self, what: &str) -> StateKey {
        StateKey::new(self.kind(), format_args!("{}:{what}", self.id()))
    }

    fn kind(self) -> Kind {
        match self {
            Self::Device(_) => Kind::DeviceCode,
            Self::Backchannel(_) => Kind::Backchannel,
        }
    }
}

impl Record {
    /// What waits for a decision from now on.
    pub fn new(
        client: &Client,
        asked: Asked,
        (hash, expires_at): ([u8; 32], DateTime<Utc>),
        backchannel: Option<Backchannel>,
    ) -> Self {
        let Asked { scopes, resources, authorization_details, dpop_jkt } = asked;
        let (client_id, decision) = (client.id.clone(), Decision::Waiting);
        Self { client_id, scopes, resources, authorization_details, dpop_jkt, hash, expires_at, decision, backchannel }
    }

    /// Whether a person can still decide.
    pub fn is_waiting(&self, now: DateTime<Utc>) -> bool {
        self.decision == Decision::Waiting && self.expires_at > now
    }

    /// The request as an attempt has it. A person is always asked, whatever they allowed before and whoever the client is:
    /// nothing but their answer says that it is theirs (RFC 8628 section 5.4, OpenID Connect CIBA section 8).
    pub fn into_request(self, app: &App, client: &Client, waiter: Waiter) -> Result<AuthorizationRequest, StoreError> {
        let (device, backchannel) = match waiter {
            Waiter::Device(id) => (Some(id), None),
            Waiter::Backchannel(id) => (None, Some(id)),
        };
        let said = self.backchannel;
        let meant = said.as_ref().map(|said| subject::seen_by(app, client, &said.subject)).transpose()?;
        let (acr_values, binding_message) = match said {
            Some(said) => (said.acr_values, said.binding_message),
            None => (Vec::new(), None),
        };
        let defaults = &client.settings;
        Ok(AuthorizationRequest {
            client_id: self.client_id,
            redirect_uri: app.url(waiter.done()),
            is_redirect_uri_implied: true,
            response_mode: ResponseMode::default(),
            state: None,
            nonce: None,
            scopes: self.scopes,
            resources: self.resources,
            authorization_details: self.authorization_details,
            prompts: vec![Prompt::Consent],
            max_age: defaults.default_max_age,
            login_hint: None,
            required_subject: meant,
            acr_values: if acr_values.is_empty() { defaults.default_acr_values.clone() } else { acr_values },
            display: Display::default(),
            ui_locales: Vec::new(),
            claims: None,
            code_challenge: None,
            pushed_as: None,
            dpop_jkt: self.dpop_jkt,
            device,
            backchannel,
            binding_message,
        })
    }
}

/// Keeps a request, for a while longer than its time.
pub async fn keep(app: &App, waiter: Waiter, record: &Record, now: DateTime<Utc>) -> Result<(), StoreError> {
    state::put_json(app.state.as_ref(), &waiter.key(), record, record.expires_at + KEPT, now).await
}

/// The record of a request. It is read, not taken, like that of a code.
pub async fn find(app: &App, waiter: Waiter, now: DateTime<Utc>) -> Result<Option<Record>, StoreError> {
    state::get_json(app.state.as_ref(), &waiter.key(), now).await
}

/// The record of a request that a person can still decide, with its client, if that may still be answered.
pub async fn find_waiting(
    app: &App,
    waiter: Waiter,
    now: DateTime<Utc>,
) -> Result<Option<(Record, Arc<Client>)>, StoreError> {
    let Some(record) = find(app, waiter, now).await?.filter(|record| record.is_waiting(now)) else { return Ok(None) };
    let client = app.registry.find_client(&record.client_id, now).await?;
    let able = client.filter(|client| client.enabled && client.has_grant(waiter.grant_type()));
    Ok(able.map(|client| (record, client)))
}

/// Notes that the person allowed it, unless something was decided before: then [`outcome`] says so.
pub async fn approve(
    app: &App,
    waiter: Waiter,
    attempt: &str,
    (request, client): (&AuthorizationRequest, &Client),
    (session, code_generation): (&Session, i64),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    if let Some((stored, waiting)) = read_waiting(app, waiter, now).await? {
        let (grant_type, hash, expires_at) = (waiter.grant_type(), waiting.hash, waiting.expires_at);
        let secret = CodeSecret { grant_type, hash, expires_at };
        let record = CodeRecord::of(app, request, client, (session, code_generation), secret)?;
        let decision = Decision::Approved { attempt: attempt.to_owned(), record: Box::new(record) };
        decide(app, waiter, &stored, Record { decision, ..waiting }, now).await?;
    }
    tell(app, waiter, attempt, now).await
}

/// Notes that the person refused it, unless something was decided before.
pub async fn refuse(app: &App, waiter: Waiter, attempt: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    if let Some((stored, waiting)) = read_waiting(app, waiter, now).await? {
        let decision = Decision::Refused { attempt: attempt.to_owned() };
        decide(app, waiter, &stored, Record { decision, ..waiting }, now).await?;
    }
    tell(app, waiter, attempt, now).await
}

/// What became of a request, as `attempt` may know it.
pub async fn outcome(app: &App, waiter: Waiter, attempt: &str, now: DateTime<Utc>) -> Result<Outcome, StoreError> {
    Ok(find(app, waiter, now).await?.map_or(Outcome::Over, |record| record.outcome(attempt, now)))
}

impl Record {
    fn outcome(&self, attempt: &str, now: DateTime<Utc>) -> Outcome {
        match &self.decision {
            Decision::Waiting if self.expires_at > now => Outcome::Waiting,
            Decision::Approved { attempt: by, .. } if by == attempt => Outcome::Approved,
            Decision::Refused { attempt: by } if by == attempt => Outcome::Refused,
            Decision::Waiting | Decision::Approved { .. } | Decision::Refused { .. } => Outcome::Over,
        }
    }
}

/// Whoever decided tells the client, if it wants to hear of it. Again if it is pressed again: what went wrong before is made good.
async fn tell(app: &App, waiter: Waiter, attempt: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    let Waiter::Backchannel(id) = waiter else { return Ok(()) };
    match find(app, waiter, now).await? {
        Some(record) if matches!(record.outcome(attempt, now), Outcome::Approved | Outcome::Refused) => {
            backchannel_authentication::decided(app, id, &record, now).await
        }
        _ => Ok(()),
    }
}

async fn read_waiting(app: &App, waiter: Waiter, now: DateTime<Utc>) -> Result<Option<(Vec<u8>, Record)>, StoreError> {
    let Some(stored) = app.state.get(&waiter.key(), now).await? else { return Ok(None) };
    let record: Record = serde_json::from_slice(&stored).map_err(StoreError::corrupt)?;
    Ok(record.is_waiting(now).then_some((stored, record)))
}

/// The one verb of a decision: whoever comes second changes nothing.
async fn decide(
    app: &App,
    waiter: Waiter,
    stored: &[u8],
    decided: Record,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let bytes = serde_json::to_vec(&decided).map_err(StoreError::corrupt)?;
    let until = decided.expires_at + KEPT;
    app.state.replace_if(&waiter.key(), Expected::Equals(stored), &bytes, until, now).await?;
    Ok(())
}

/// Counts a question of whoever waits while nobody has decided. `false`: it came too soon, and from now on they have to wait
/// longer.
pub async fn keeps_pace(
    app: &App,
    waiter: Waiter,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let (state, mark, slower) = (app.state.as_ref(), waiter.key_of("asked"), waiter.key_of("slower"));
    let until = expires_at + KEPT;
    let wait = |times: i64| {
        let times = i32::try_from(times.clamp(0, 1000)).unwrap_or_default();
        waiter.interval(app) + SLOWER * times - EARLY
    };
    let times = state.add(&slower, 0, LIFE, until, now).await?.current;
    if state.put_if_absent(&mark, b"1", now + wait(times), now).await? {
        return Ok(true);
    }
    let times = state.add(&slower, 1, LIFE, until, now).await?.current;
    state.put(&mark, b"1", now + wait(times), now).await?;
    Ok(false)
}
