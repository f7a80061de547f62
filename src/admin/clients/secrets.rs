//! `/admin/clients/{client_id}/secrets`: a new secret, while the old one goes on for a while.

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{check_covers, find, new_secret};
use crate::admin::caller::Caller;
use crate::admin::endpoint::{Doc, Endpoints};
use crate::admin::idempotency::{Answer, Created, IdempotencyKey};
use crate::admin::json::{self, Creation, FromObject};
use crate::admin::path::Path;
use crate::admin::precondition::{Expected, changed};
use crate::app::App;
use crate::http::problem::{Problem, ProblemType, Violation};
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::client::ClientAuthMethod;
use crate::model::id::ClientId;
use crate::storage::postgres::client_record::{Change, SecretRotation};

const SECRETS: &str = "/admin/clients/{client_id}/secrets";
const SECRET: &str = "/admin/clients/{client_id}/secrets/{secret_id}";

/// How long the old secret goes on, if the caller does not say.
pub(in crate::admin) const DEFAULT_OVERLAP: u32 = 24 * 60 * 60;

/// The longest overlap: a year.
const MAX_OVERLAP: u32 = 365 * 24 * 60 * 60;

/// How often a change that did not ask for a certain state is tried, while others change the client.
const TRIES: usize = 5;

/// No row has it.
const NO_REVISION: i64 = 0;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let full = AdminArea::Clients.full();
    endpoints
        .post(
            SECRETS,
            full,
            post,
            Doc::new("Give a client a new secret")
                .says("Told once. The newest of those that it has goes on for a while, so that nothing stands still.")
                .body::<Rotation>()
                .example(r#"{"overlap_seconds": 3600}"#)
                .creates::<NewSecret>()
                .refuses(&[409]),
        )
        .delete(SECRET, full, delete_one, Doc::new("Take a secret away at once").says("Also the last one."))
}

/// How to change over.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::admin) struct Rotation {
    /// Seconds for which the old secret goes on; 0: it ends at once.
    #[schemars(range(max = MAX_OVERLAP))]
    overlap_seconds: u32,
}

/// A new secret.
#[derive(Serialize, JsonSchema)]
struct NewSecret {
    /// Its identifier.
    id: Uuid,
    /// The secret, told once.
    client_secret: String,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { overlap_seconds: DEFAULT_OVERLAP }
    }
}

impl FromObject for Rotation {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        let rotation: Self = json::read(Value::Object(object))?;
        Self::new(rotation.overlap_seconds)
    }
}

impl Rotation {
    /// The old secret goes on for so many seconds.
    pub(in crate::admin) fn new(overlap_seconds: u32) -> Result<Self, Vec<Violation>> {
        if overlap_seconds > MAX_OVERLAP {
            return Err(vec![Violation::new("/overlap_seconds", format!("it may be {MAX_OVERLAP} at most"))]);
        }
        Ok(Self { overlap_seconds })
    }
}

async fn post(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ClientId>,
    Creation { body, key }: Creation<Rotation>,
) -> Result<Created, Problem> {
    rotate(&app, &caller, &id, (Expected::Any, body, key), app.clock.now()).await
}

async fn delete_one(
    State(app): State<App>,
    caller: Caller,
    Path((id, secret)): Path<(ClientId, Uuid)>,
) -> Result<StatusCode, Problem> {
    delete(&app, &caller, (&id, secret), Expected::Any, app.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a client a new secret: the answer is a [`NewSecret`].
pub(in crate::admin) async fn rotate(
    app: &App,
    caller: &Caller,
    id: &ClientId,
    (expected, rotation, key): (Expected, Rotation, Option<IdempotencyKey>),
    now: DateTime<Utc>,
) -> Result<Created, Problem> {
    let (client_secret, secret) = new_secret(&app.master_keys, id)?;
    let answer = Answer::new(app, caller, key, &NewSecret { id: secret.id, client_secret }, now)?;
    let overlap_until = now + TimeDelta::seconds(rotation.overlap_seconds.into());
    let event = AuditEvent::new(AuditEventKind::ClientSecretRotated).to_client(id).to_object(secret.id);
    let store = caller.recording(app, event, now);
    for _ in 0..TRIES {
        let record = find(app, id).await?;
        check_covers(app, caller, &record.settings)?;
        if record.settings.token_endpoint_auth_method == ClientAuthMethod::None {
            return Err(Problem::new(ProblemType::Conflict).with_detail("a public client has no secrets"));
        }
        let revision = judged(expected, record.revision);
        let outcome = store.rotate_client_secret((id, revision), &secret, overlap_until, answer.kept(), now);
        match outcome.await? {
            SecretRotation::Settled(creation) => {
                app.registry.forget();
                return answer.settle(app, creation);
            }
            SecretRotation::Stale if expected == Expected::Any => {}
            SecretRotation::Stale => return Err(Problem::new(ProblemType::PreconditionFailed)),
            SecretRotation::Absent => return Err(Problem::not_found()),
        }
    }
    Err(restless())
}

/// Takes a secret away at once.
pub(in crate::admin) async fn delete(
    app: &App,
    caller: &Caller,
    (id, secret): (&ClientId, Uuid),
    expected: Expected,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let event = AuditEvent::new(AuditEventKind::ClientSecretDeleted).to_client(id).to_object(secret);
    let store = caller.recording(app, event, now);
    for _ in 0..TRIES {
        let record = find(app, id).await?;
        check_covers(app, caller, &record.settings)?;
        let revision = judged(expected, record.revision);
        let outcome = store.delete_client_secret((id, revision), secret, now).await?;
        app.registry.forget();
        if outcome != Change::Stale || expected != Expected::Any {
            return changed(outcome);
        }
    }
    Err(restless())
}

/// The revision that the statement demands: the one whose rights were judged, and none if the caller meant another. So
/// nobody touches the secrets of a client that gained rights a moment ago.
fn judged(expected: Expected, found: i64) -> i64 {
    expected.check(found).unwrap_or(NO_REVISION)
}

fn restless() -> Problem {
    Problem::new(ProblemType::Conflict).with_detail("it is being changed again and again: try later")
}
