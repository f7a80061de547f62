//! One authorization attempt: a validated request and the steps a person takes until it is answered.
//!
//! 1. [`next`] says what is missing: a sign-in, a choice of account, a consent, or nothing.
//! 2. A page asks for it; [`record_sign_in`], [`record_account`], [`allow`] write the step.
//! 3. [`finish`] closes the attempt and makes the answer.
//!
//! Each attempt has a record of its own, bound to the browser that began it and changed by compare-and-set: two tabs are
//! two attempts, and any instance continues what another began. A request that needs no page never gets a record.

// How an attempt ends.
mod answer;
// What an attempt still misses.
mod missing;
// Its record in the state store.
mod record;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::answer::{answer, deny, end, finish};
use self::missing::{consent_scopes, missing_sign_in, question, refused_page, requires_consent, wrong_person};
use self::record::{change, kept_until, key, read};
use super::authorization_request::AuthorizationRequest;
use super::decoupled::{self, Outcome};
use super::session::find_standing;
use super::throttle::{self, Network};
use crate::app::App;
use crate::identity::backend::Person;
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord, Origin};
use crate::model::authorization_details::{AuthorizationDetail, AuthorizationDetailsType};
use crate::model::catalog::{Resource, Scope};
use crate::model::client::Client;
use crate::model::id::{Sid, SubjectId};
use crate::model::session::{Session, SignedIn};
use crate::protocol::error::OAuthError;
use crate::protocol::prompt::Prompt;
use crate::random;
use crate::storage::StoreError;
use crate::storage::postgres::session::Standing;

/// How long after an attempt was answered the same browser gets another answer: a double click, not a return next day.
const REPEAT_WINDOW: TimeDelta = TimeDelta::seconds(60);

/// An authorization attempt as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// 256 random bits; not a secret on its own, because the record is bound to a browser.
    pub id: String,
    /// What was asked for.
    pub request: AuthorizationRequest,
    /// The browser it belongs to, as the hash of its cookie. A cross-site POST carries no cookie: then the first page that
    /// opens the attempt binds it.
    browser: Option<String>,
    expires_at: DateTime<Utc>,
    steps: Steps,
    finished_at: Option<DateTime<Utc>>,
    /// The record as it lies in the store: what a change is compared with.
    #[serde(skip)]
    stored: Vec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Steps {
    /// The session the person signed in to during this attempt, and when.
    signed_in: Option<(Sid, DateTime<Utc>)>,
    /// The account chosen during this attempt.
    account: Option<SubjectId>,
    /// Who allowed what is asked, during this attempt.
    consented: Option<SubjectId>,
    /// The number under which the person's codes were made then. A consent that is taken back raises it, and ends the step.
    /// Absent in a record of the version before: then the person is asked once more.
    #[serde(default)]
    consented_generation: Option<i64>,
}

/// What [`find`] found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// An attempt that waits for a step.
    Open(Box<Interaction>),
    /// It was answered already.
    Finished(Box<Interaction>),
    /// It waited too long: begin anew with its request.
    Expired(Box<AuthorizationRequest>),
    /// Unknown, or another browser's.
    Foreign,
}

/// What an attempt needs next.
#[derive(Clone, Debug)]
pub enum Next {
    /// A sign-in; of this very person, when another one would not do.
    Login {
        /// The subject that must sign in again.
        reauthenticate: Option<SubjectId>,
    },
    /// A choice between the account that is signed in and another one.
    SelectAccount(Box<Person>),
    /// A consent.
    Consent(Box<ConsentQuestion>),
    /// Nothing: it can be answered.
    Ready(Box<Permitted>),
}

/// Proof that every step was taken: what [`finish`] takes, so that no step can be skipped.
#[derive(Clone, Debug)]
pub struct Permitted {
    client: Arc<Client>,
    session: Session,
    /// The number that a code of the person is made under, as of the look at the session.
    code_generation: i64,
}

/// What the consent page asks.
#[derive(Clone, Debug)]
pub struct ConsentQuestion {
    /// Who asks.
    pub client: Arc<Client>,
    /// The host that vouches for who it is, if nobody else does: it is named by an address there.
    pub named_by: Option<String>,
    /// Whether it registered itself, so that what it is called and looks like is its own word.
    pub registered_itself: bool,
    /// Who is asked.
    pub person: Person,
    /// The scopes asked for that are registered, in the order asked, without `openid`.
    pub scopes: Vec<Scope>,
    /// Where they are used.
    pub resources: Vec<Resource>,
    /// What is asked for in particular, each with its type (RFC 9396).
    pub details: Vec<(AuthorizationDetail, AuthorizationDetailsType)>,
    /// Whether the client may go on when the person has signed out.
    pub is_offline: bool,
}

/// Begins an attempt, unless `network` began too many. Without `browser` the first page that opens it binds it.
pub async fn begin(
    app: &App,
    request: AuthorizationRequest,
    browser: Option<String>,
    network: &Network,
    now: DateTime<Utc>,
) -> Result<Interaction, OAuthError> {
    // Anyone may begin, signed in or not, and every beginning is a record.
    if let Some(wait) = throttle::count_beginning(app.state.as_ref(), &app.config.throttle, network, now).await? {
        let error = OAuthError::temporarily_unavailable("too many sign-ins were begun from this network");
        return Err(error.with_wait(wait));
    }
    let mut interaction = Interaction {
        id: random::token(),
        request,
        browser,
        expires_at: now + app.config.interactions.lifetime,
        steps: Steps::default(),
        finished_at: None,
        stored: Vec::new(),
    };
    interaction.stored = serde_json::to_vec(&interaction).map_err(StoreError::corrupt)?;
    app.state.put(&key(&interaction.id), &interaction.stored, kept_until(app, &interaction), now).await?;
    Ok(interaction)
}

/// The attempt with that id, if it belongs to `browser` (the hash of its cookie).
pub async fn find(app: &App, id: &str, browser: &str, now: DateTime<Utc>) -> Result<Found, StoreError> {
    let Some(mut interaction) = read(app, id, now).await? else {
        return Ok(Found::Foreign);
    };
    if interaction.browser.is_none() {
        interaction = change(app, interaction, now, |open| {
            open.browser.get_or_insert_with(|| browser.to_owned());
        })
        .await?;
    }
    Ok(if interaction.browser.as_deref() != Some(browser) {
        Found::Foreign
    } else if interaction.finished_at.is_some() {
        Found::Finished(Box::new(interaction))
    } else if interaction.expires_at <= now {
        Found::Expired(Box::new(interaction.request))
    } else {
        Found::Open(Box::new(interaction))
    })
}

/// Notes that the person signed in to `sid` during this attempt.
pub async fn record_sign_in(
    app: &App,
    interaction: Interaction,
    signed_in: &SignedIn,
    now: DateTime<Utc>,
) -> Result<Interaction, StoreError> {
    change(app, interaction, now, |open| {
        open.steps.signed_in = Some((signed_in.sid, signed_in.authentication.auth_time));
        // Whoever just typed a password has chosen the account.
        open.steps.account = Some(signed_in.subject.clone());
    })
    .await
}

/// Notes that the person goes on with the account that is signed in.
pub async fn record_account(
    app: &App,
    interaction: Interaction,
    subject: &SubjectId,
    now: DateTime<Utc>,
) -> Result<Interaction, StoreError> {
    change(app, interaction, now, |open| open.steps.account = Some(subject.clone())).await
}

/// Notes that the person allowed what is asked, and remembers it for the next time. Nothing happens if the session is over:
/// what the browser holds of it outlives a sign-out elsewhere, and nobody may consent with that.
pub async fn allow(
    app: &App,
    interaction: Interaction,
    signed_in: &SignedIn,
    origin: Origin,
    now: DateTime<Utc>,
) -> Result<Interaction, StoreError> {
    let request = &interaction.request;
    let Some(standing) = find_standing(app, signed_in, &request.client_id, now).await? else {
        return Ok(interaction);
    };
    // For whoever no longer waits nothing is allowed: what is remembered would be a consent that nobody gave.
    let is_over = match request.waiter() {
        Some(waiter) => decoupled::outcome(app, waiter, &interaction.id, now).await? != Outcome::Waiting,
        None => false,
    };
    // What is allowed in particular is asked for each time, and so is what it limits: remembered by itself, a scope would be more than
    // what the person was shown.
    if !is_over && request.authorization_details.is_empty() {
        let scopes = consent_scopes(request);
        let said_by = (&signed_in.subject, signed_in.sid);
        let postgres = &app.postgres;
        if !postgres.upsert_consent(said_by, &request.client_id, &scopes, &request.resources, now).await? {
            return Ok(interaction);
        }
    }
    let changed = change(app, interaction, now, |open| {
        open.steps.consented = Some(signed_in.subject.clone());
        open.steps.consented_generation = Some(standing.code_generation);
    })
    .await?;
    let request = &changed.request;
    let event =
        AuditEvent::new(AuditEventKind::ConsentGiven).to_client(&request.client_id).to_subject(&signed_in.subject);
    let event = event.with_detail(json!({ "scope": consent_scopes(request).join(" ") }));
    let actor = Actor::Person(signed_in.subject.clone());
    app.audit.note(AuditRecord { event, actor, origin, happened_at: now });
    Ok(changed)
}

/// What a request needs next, given who is signed in. `interaction` is absent while nothing was asked yet. A page that the
/// client did not want (`prompt=none`) is an error.
pub async fn next(
    app: &App,
    request: &AuthorizationRequest,
    interaction: Option<&Interaction>,
    signed_in: Option<&SignedIn>,
    now: DateTime<Utc>,
) -> Result<Next, OAuthError> {
    let next = missing(app, request, interaction, signed_in, now).await?;
    refused_page(request, &next).map_or(Ok(next), Err)
}

async fn missing(
    app: &App,
    request: &AuthorizationRequest,
    interaction: Option<&Interaction>,
    signed_in: Option<&SignedIn>,
    now: DateTime<Utc>,
) -> Result<Next, OAuthError> {
    let Some(client) = app.registry.find_client(&request.client_id, now).await? else {
        return Err(OAuthError::unauthorized_client("the client is not registered any more"));
    };
    if !client.enabled {
        return Err(OAuthError::unauthorized_client("the client is disabled"));
    }
    let steps = interaction.map(|interaction| interaction.steps.clone()).unwrap_or_default();
    let standing = match signed_in {
        Some(signed_in) => find_standing(app, signed_in, &request.client_id, now).await?,
        None => None,
    };
    let Some(standing) = standing else {
        return Ok(Next::Login { reauthenticate: request.required_subject.clone() });
    };
    if let Some(login) = wrong_person(app, request, &client, &standing.session)? {
        return Ok(login);
    }
    if let Some(login) = missing_sign_in(request, &steps, &standing.session, now) {
        return Ok(login);
    }
    let subject = &standing.session.subject;
    let asks_account = request.has_prompt(Prompt::SelectAccount) && steps.account.as_ref() != Some(subject);
    if !asks_account && !requires_consent(request, &client, &steps, &standing) {
        let Standing { session, code_generation, .. } = standing;
        return Ok(Next::Ready(Box::new(Permitted { client, session, code_generation })));
    }
    let Some(person) = app.identity.find_person(subject).await? else {
        return Ok(Next::Login { reauthenticate: None });
    };
    if asks_account {
        return Ok(Next::SelectAccount(Box::new(person)));
    }
    Ok(Next::Consent(Box::new(question(app, request, client, person, now).await?)))
}

impl Interaction {
    /// Whether it was answered so recently that a second submit is a double click.
    pub fn is_repeatable(&self, now: DateTime<Utc>) -> bool {
        self.finished_at.is_some_and(|at| now - at <= REPEAT_WINDOW)
    }
}
