//! `/admin/keys`: signing keys, where they are in their life, and what happens next.
//!
//! The conditions of the life cycle hold here as for `ostiary-keyctl`: a key does not sign before every copy of the key set
//! has it, and is not retired while something that it signed may be valid. `force` passes over them, for emergencies.

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::caller::Caller;
use super::endpoint::{Doc, Endpoints};
use super::json::{self, FromObject, Json};
use super::path::Path;
use crate::app::App;
use crate::http::problem::{Problem, ProblemType, Violation};
use crate::keys::change::ChangeError;
use crate::keys::lifecycle::{Action, Insistence, Refusal, RotationPolicy, Step};
use crate::keys::open;
use crate::keys::store::KeyStoreError;
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::{KeyEntry, KeyPurpose, KeyState};

const KEYS: &str = "/admin/keys";
const KEY: &str = "/admin/keys/{kid}";
const ACTIVATE: &str = "/admin/keys/{kid}/activate";
const RETIRE: &str = "/admin/keys/{kid}/retire";

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let (read, full) = (AdminArea::Keys.read(), AdminArea::Keys.full());
    let doc = |summary, says| Doc::new(summary).says(says);
    endpoints
        .get(
            KEYS,
            read,
            get,
            doc("Show the keys and what happens next", "Every key, retired ones too, and the timeline to the end of the next rotation.")
                .answers::<KeysDocument>(),
        )
        .post(
            KEYS,
            full,
            post,
            doc("Prepublish keys", "Each is listed at once and signs after the prepublish window. Without a choice: one for each kind in use that has none waiting.")
                .body::<Prepublication>()
                .example(r#"{"keys": [{"alg": "ES256", "purpose": "tokens"}]}"#)
                .answers::<Prepublished>()
                .refuses(&[409]),
        )
        .get(KEY, read, get_one, doc("Show a key", "Its state and its times.").answers::<KeyDocument>())
        .post(
            ACTIVATE,
            full,
            post_activate,
            doc("Let a prepublished key sign", "The one that signed goes into its grace. Refused while copies of the key set may lack the key.")
                .body::<Emphasis>()
                .example("{}")
                .answers::<KeyDocument>()
                .refuses(&[409]),
        )
        .post(
            RETIRE,
            full,
            post_retire,
            doc("Retire a key", "It is not listed any more, and its private half is destroyed. Refused while something that it signed may be valid.")
                .body::<Emphasis>()
                .example("{}")
                .answers::<KeyDocument>()
                .refuses(&[409]),
        )
}

/// The keys and what happens next.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Keys")]
pub(in crate::admin) struct KeysDocument {
    /// Every key, in the order in which they were made.
    pub(in crate::admin) keys: Vec<KeyDocument>,
    /// What the automatic life cycle does, and when; in the past if it is due.
    pub(in crate::admin) timeline: Vec<StepDocument>,
}

/// A key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Key")]
pub(in crate::admin) struct KeyDocument {
    /// Its identifier: the thumbprint of its public half (RFC 7638).
    pub(in crate::admin) kid: String,
    /// The algorithm that it is used with.
    pub(in crate::admin) alg: SigningAlg,
    /// What it signs.
    pub(in crate::admin) purpose: KeyPurpose,
    /// What it is for now.
    pub(in crate::admin) state: KeyState,
    /// Whether the private half is kept elsewhere.
    pub(in crate::admin) external: bool,
    /// When it was made.
    pub(in crate::admin) created_at: DateTime<Utc>,
    /// When it was listed.
    pub(in crate::admin) published_at: DateTime<Utc>,
    /// When it began to sign.
    pub(in crate::admin) activated_at: Option<DateTime<Utc>>,
    /// When another took its place.
    pub(in crate::admin) superseded_at: Option<DateTime<Utc>>,
    /// When it can be retired.
    pub(in crate::admin) retire_at: Option<DateTime<Utc>>,
    /// When it was retired.
    pub(in crate::admin) retired_at: Option<DateTime<Utc>>,
    /// Why it was retired before its time.
    pub(in crate::admin) revoke_reason: Option<String>,
}

/// One thing that will happen.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyStep")]
pub(in crate::admin) struct StepDocument {
    /// When.
    pub(in crate::admin) at: DateTime<Utc>,
    /// The algorithm.
    pub(in crate::admin) alg: SigningAlg,
    /// The purpose.
    pub(in crate::admin) purpose: KeyPurpose,
    /// `publish`, `activate` or `retire`; `register`: the successor of an external key has to be registered by then.
    pub(in crate::admin) action: &'static str,
    /// The key; absent while it is still to be made.
    pub(in crate::admin) kid: Option<String>,
}

/// Which keys to make.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Prepublication {
    /// Their kinds; none: one for each kind in use that has none waiting.
    #[schemars(length(max = 12))]
    keys: Vec<KindInput>,
}

/// The kind of a key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct KindInput {
    /// The algorithm.
    alg: SigningAlg,
    /// The purpose; absent: `tokens`.
    #[serde(default)]
    purpose: KeyPurpose,
}

/// The keys that were made.
#[derive(Serialize, JsonSchema)]
struct Prepublished {
    /// Each of them.
    keys: Vec<KeyDocument>,
}

/// How much it is wanted.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Emphasis {
    /// Whether the conditions of the life cycle are passed over: tokens may then not verify for a while, or ever again.
    force: bool,
}

impl FromObject for Prepublication {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        json::read(Value::Object(object))
    }
}

impl FromObject for Emphasis {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        json::read(Value::Object(object))
    }
}

impl Emphasis {
    fn insistence(&self) -> Insistence {
        if self.force { Insistence::Force } else { Insistence::Never }
    }
}

impl KeyDocument {
    fn new(key: &KeyEntry) -> Self {
        Self {
            kid: key.kid.clone(),
            alg: key.alg,
            purpose: key.purpose,
            state: key.state,
            external: key.external.is_some(),
            created_at: key.created_at,
            published_at: key.published_at,
            activated_at: key.activated_at,
            superseded_at: key.superseded_at,
            retire_at: key.retire_at,
            retired_at: key.retired_at,
            revoke_reason: key.revoke_reason.clone(),
        }
    }
}

impl StepDocument {
    fn new(step: Step) -> Self {
        let (action, kid) = match step.action {
            Action::Publish => ("publish", None),
            Action::Activate { kid } => ("activate", kid),
            Action::Retire { kid } => ("retire", Some(kid)),
            Action::Register { kid } => ("register", Some(kid)),
        };
        Self { at: step.at, alg: step.alg, purpose: step.purpose, action, kid }
    }
}

async fn get(State(app): State<App>) -> Result<Response, Problem> {
    Ok(JsonAnswer(status(&app, app.clock.now()).await?).into_response())
}

async fn get_one(State(app): State<App>, Path(kid): Path<String>) -> Result<Response, Problem> {
    shown(&app, &kid)
}

async fn post(State(app): State<App>, caller: Caller, Json(wanted): Json<Prepublication>) -> Result<Response, Problem> {
    let kinds: Vec<_> = wanted.keys.iter().map(|kind| (kind.alg, kind.purpose)).collect();
    let keys = prepublish(&app, &caller, &kinds, app.clock.now()).await?;
    Ok(JsonAnswer(Prepublished { keys }).into_response())
}

async fn post_activate(
    State(app): State<App>,
    caller: Caller,
    Path(kid): Path<String>,
    Json(emphasis): Json<Emphasis>,
) -> Result<Response, Problem> {
    activate(&app, &caller, &kid, emphasis.insistence(), app.clock.now()).await?;
    shown(&app, &kid)
}

async fn post_retire(
    State(app): State<App>,
    caller: Caller,
    Path(kid): Path<String>,
    Json(emphasis): Json<Emphasis>,
) -> Result<Response, Problem> {
    retire(&app, &caller, &kid, emphasis.insistence(), app.clock.now()).await?;
    shown(&app, &kid)
}

/// Makes keys that are listed and do not sign yet. Without a choice: one for each kind in use that has none waiting.
pub(in crate::admin) async fn prepublish(
    app: &App,
    caller: &Caller,
    kinds: &[(SigningAlg, KeyPurpose)],
    now: DateTime<Utc>,
) -> Result<Vec<KeyDocument>, Problem> {
    let made = app.keys.prepublish(kinds, now).await.map_err(refused)?;
    for key in &made {
        record(app, caller, (AuditEventKind::KeyPrepublished, &key.kid), now).await?;
    }
    Ok(made.iter().map(KeyDocument::new).collect())
}

/// Lets a prepublished key sign.
pub(in crate::admin) async fn activate(
    app: &App,
    caller: &Caller,
    kid: &str,
    insistence: Insistence,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let policy = policy(app).await?;
    app.keys.activate(kid, &policy, insistence, now).await.map_err(refused)?;
    record(app, caller, (AuditEventKind::KeyActivated, kid), now).await
}

/// Retires a key.
pub(in crate::admin) async fn retire(
    app: &App,
    caller: &Caller,
    kid: &str,
    insistence: Insistence,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    app.keys.retire(kid, insistence, now).await.map_err(refused)?;
    record(app, caller, (AuditEventKind::KeyRetired, kid), now).await
}

/// A key, as far as this instance knows.
pub(in crate::admin) fn find(app: &App, kid: &str) -> Result<KeyDocument, Problem> {
    let keyset = app.keys.current();
    keyset.ring().find(kid).map(KeyDocument::new).ok_or_else(Problem::not_found)
}

/// The keys and what happens next, as far as this instance knows.
pub(in crate::admin) async fn status(app: &App, now: DateTime<Utc>) -> Result<KeysDocument, Problem> {
    let status = app.keys.status(&policy(app).await?, now);
    Ok(KeysDocument {
        keys: status.keys.iter().map(KeyDocument::new).collect(),
        timeline: status.timeline.into_iter().map(StepDocument::new).collect(),
    })
}

fn shown(app: &App, kid: &str) -> Result<Response, Problem> {
    Ok(JsonAnswer(find(app, kid)?).into_response())
}

/// The windows of the life cycle.
pub(in crate::admin) async fn policy(app: &App) -> Result<RotationPolicy, Problem> {
    Ok(open::policy(&app.config.keys, &app.config.tokens, &app.postgres).await?)
}

/// Keys may be in a directory, so this follows the change and is no part of it.
async fn record(
    app: &App,
    caller: &Caller,
    (kind, kid): (AuditEventKind, &str),
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let record = caller.record(AuditEvent::new(kind).to_object(kid), now);
    Ok(app.postgres.insert_audit_record(&record).await?)
}

/// What the life cycle does not allow is told to the caller, what the store cannot do to the operator.
fn refused(error: ChangeError) -> Problem {
    match error {
        ChangeError::Refused(Refusal::UnknownKey { .. }) => Problem::not_found(),
        ChangeError::Refused(refusal) => Problem::new(ProblemType::Conflict).with_detail(refusal.to_string()),
        ChangeError::Store(error @ KeyStoreError::Conflict) => {
            Problem::new(ProblemType::Conflict).with_detail(error.to_string())
        }
        ChangeError::Store(error @ KeyStoreError::Unavailable(_)) => {
            Problem::new(ProblemType::Unavailable).with_source(error)
        }
        ChangeError::Store(error) => Problem::new(ProblemType::Internal).with_source(error),
    }
}
