//! `/admin/clients/{client_id}/secrets`: a new secret, while the old one goes on for a while.

use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{check_covers, find, new_secret};
use crate::admin::caller::Caller;
use crate::admin::endpoint::{Doc, Endpoints};
use crate::admin::idempotency::Answer;
use crate::admin::json::{self, Creation, FromObject};
use crate::admin::path::Path;
use crate::app::App;
use crate::http::problem::{Problem, ProblemType, Violation};
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::client::ClientAuthMethod;
use crate::model::id::ClientId;

const SECRETS: &str = "/admin/clients/{client_id}/secrets";
const SECRET: &str = "/admin/clients/{client_id}/secrets/{secret_id}";

/// How long the old secret goes on, if the caller does not say.
const DEFAULT_OVERLAP: u32 = 24 * 60 * 60;

/// The longest overlap: a year.
const MAX_OVERLAP: u32 = 365 * 24 * 60 * 60;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    let full = AdminArea::Clients.full();
    endpoints
        .post(
            SECRETS,
            full,
            rotate,
            Doc::new("Give a client a new secret")
                .says("Told once. The newest of those that it has goes on for a while, so that nothing stands still.")
                .body::<Rotation>()
                .example(r#"{"overlap_seconds": 3600}"#)
                .creates::<NewSecret>()
                .refuses(&[409]),
        )
        .delete(SECRET, full, delete, Doc::new("Take a secret away at once").says("Also the last one."))
}

/// How to change over.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Rotation {
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
        if rotation.overlap_seconds > MAX_OVERLAP {
            return Err(vec![Violation::new("/overlap_seconds", format!("it may be {MAX_OVERLAP} at most"))]);
        }
        Ok(rotation)
    }
}

async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ClientId>,
    Creation { body, key }: Creation<Rotation>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let record = find(&app, &id).await?;
    check_covers(&app, &caller, &record.settings)?;
    if record.settings.token_endpoint_auth_method == ClientAuthMethod::None {
        return Err(Problem::new(ProblemType::Conflict).with_detail("a public client has no secrets"));
    }
    let (client_secret, secret) = new_secret(&app.master_keys, &id)?;
    let answer = Answer::new(&app, &caller, key, &NewSecret { id: secret.id, client_secret }, now)?;
    let overlap_until = now + TimeDelta::seconds(body.overlap_seconds.into());
    let event = AuditEvent::new(AuditEventKind::ClientSecretRotated).to_client(&id).to_object(secret.id);
    let store = caller.recording(&app, event, now);
    let outcome = store.rotate_client_secret(&id, &secret, overlap_until, answer.kept(), now).await?;
    app.registry.forget();
    answer.respond(&app, outcome.ok_or_else(Problem::not_found)?)
}

async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path((id, secret)): Path<(ClientId, Uuid)>,
) -> Result<StatusCode, Problem> {
    let record = find(&app, &id).await?;
    check_covers(&app, &caller, &record.settings)?;
    let now = app.clock.now();
    let event = AuditEvent::new(AuditEventKind::ClientSecretDeleted).to_client(&id).to_object(secret);
    let is_deleted = caller.recording(&app, event, now).delete_client_secret(&id, secret, now).await?;
    app.registry.forget();
    if is_deleted { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
