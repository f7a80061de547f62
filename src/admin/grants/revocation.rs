//! `/admin/tokens/revoke`: ending everything that was issued to a subject, a client, or one by the other.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::tokens::{REASON, revoke_family};
use crate::admin::PATH;
use crate::admin::caller::Caller;
use crate::admin::clients::document::admin_scopes;
use crate::admin::endpoint::{Doc, Endpoints};
use crate::admin::json::{self, FromObject};
use crate::app::App;
use crate::http::problem::{Problem, Violation};
use crate::model::admin_scope::AdminArea;
use crate::model::audit::{AuditEvent, AuditEventKind};
use crate::model::id::{ClientId, FamilyId, ResourceUri, SubjectId};

const REVOKE: &str = "/admin/tokens/revoke";

/// So many families are revoked in one transaction.
const BATCH: u16 = 500;

/// The endpoints of this file.
pub(super) fn endpoints(endpoints: Endpoints) -> Endpoints {
    endpoints.post(
        REVOKE,
        AdminArea::Grants.full(),
        revoke,
        Doc::new("Revoke many tokens at once")
            .says(
                "By `client` it ends every code, refresh token and access token of the client that was issued until now, the \
                 tokens that it got for itself included, however many they are. By `subject` it ends every token family of the \
                 person; the sessions go on. Every code of the person that waits to be redeemed ends too, also one for another \
                 client than `client_id`: whoever is signing in there begins again. If the answer is 503, some may have ended: \
                 call again.",
            )
            .body::<Revocation>()
            .example(r#"{"by": "subject_and_client", "subject": "u.AAAAAAAAAAAAAAAAAAAAAA", "client_id": "photo-album"}"#)
            .answers::<Revoked>()
            .refuses(&[404]),
    )
}

/// What to revoke.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::admin) enum Revocation {
    /// One token family.
    Family {
        /// Its identifier.
        family: FamilyId,
    },
    /// Every token family of a subject.
    Subject {
        /// Whose.
        subject: SubjectId,
    },
    /// Everything that was issued to a client.
    Client {
        /// To which.
        client_id: ClientId,
    },
    /// Every token family that a subject gave a client.
    SubjectAndClient {
        /// Whose.
        subject: SubjectId,
        /// To which.
        client_id: ClientId,
    },
}

/// What was revoked.
#[derive(Serialize, JsonSchema)]
pub(in crate::admin) struct Revoked {
    /// How many families. Absent for a client: they end without being counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::admin) families: Option<usize>,
}

impl FromObject for Revocation {
    fn from_object(object: Map<String, Value>) -> Result<Self, Vec<Violation>> {
        json::read(Value::Object(object))
    }
}

/// Revokes what `what` says.
pub(in crate::admin) async fn revoke_tokens(
    app: &App,
    caller: &Caller,
    what: Revocation,
    now: DateTime<Utc>,
) -> Result<Revoked, Problem> {
    let families = match what {
        Revocation::Family { family } => Some(revoke_family(app, caller, family, now).await?.into()),
        Revocation::Subject { subject } => Some(of_subject(app, caller, &subject, None, now).await?),
        Revocation::SubjectAndClient { subject, client_id } => {
            Some(of_subject(app, caller, &subject, Some(&client_id), now).await?)
        }
        Revocation::Client { client_id } => {
            of_client(app, caller, &client_id, now).await?;
            None
        }
    };
    Ok(Revoked { families })
}

async fn of_subject(
    app: &App,
    caller: &Caller,
    subject: &SubjectId,
    client_id: Option<&ClientId>,
    now: DateTime<Utc>,
) -> Result<usize, Problem> {
    caller.check_may_touch(app, subject).await?;
    let event = AuditEvent { client_id: client_id.cloned(), ..AuditEvent::new(AuditEventKind::TokensRevoked) };
    let recording = caller.recording(app, event.to_subject(subject), now);
    let first = recording.revoke_codes_and_families_of(subject, client_id, REASON, BATCH.into(), now).await?;
    let (mut revoked, mut batch) = (first.families, first.families);
    while batch >= usize::from(BATCH) {
        batch = app.postgres.revoke_families_of(subject, client_id, REASON, BATCH.into(), now).await?;
        revoked += batch;
    }
    Ok(revoked)
}

async fn of_client(app: &App, caller: &Caller, id: &ClientId, now: DateTime<Utc>) -> Result<(), Problem> {
    let record = app.postgres.find_client_record(id).await?.ok_or_else(Problem::not_found)?;
    caller.check_covers(&admin_scopes(&record.settings, &ResourceUri::new(app.url(PATH))))?;
    let event = AuditEvent::new(AuditEventKind::TokensRevoked).to_client(id);
    let is_revoked = caller.recording(app, event, now).revoke_client(id, now).await?;
    app.registry.forget();
    if is_revoked { Ok(()) } else { Err(Problem::not_found()) }
}

async fn revoke(
    State(app): State<App>,
    caller: Caller,
    json::Json(what): json::Json<Revocation>,
) -> Result<Json<Revoked>, Problem> {
    revoke_tokens(&app, &caller, what, app.clock.now()).await.map(Json)
}
