//! What is recorded of tokens. Nothing waits for it: `jobs::audit` writes it down.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::app::App;
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord, Origin};
use crate::model::client::{Client, GrantType};
use crate::model::id::FamilyId;

/// Notes that `client` got tokens, with what else is to be known of them.
pub(super) fn note_tokens(app: &App, client: &Client, event: AuditEvent, origin: &Origin, now: DateTime<Utc>) {
    if app.config.audit.tokens {
        note(app, client, event, origin, now);
    }
}

fn note(app: &App, client: &Client, event: AuditEvent, origin: &Origin, now: DateTime<Utc>) {
    let (event, actor) = (event.to_client(&client.id), Actor::Client(client.id.clone()));
    app.audit.note(AuditRecord { event, actor, origin: origin.clone(), happened_at: now });
}

/// Notes that a code or a refresh token was used a second time, and so took everything with it that came of the same sign-in.
pub fn note_reuse(
    app: &App,
    client: &Client,
    (kind, id): (AuditEventKind, FamilyId),
    origin: &Origin,
    now: DateTime<Utc>,
) {
    note(app, client, AuditEvent::new(kind).to_object(id), origin, now);
}

/// What is to be known of tokens besides for whom they are.
pub(super) fn detail(grant_type: GrantType, scope: &str) -> Value {
    json!({ "grant_type": grant_type.as_str(), "scope": scope })
}
