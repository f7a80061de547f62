//! What a change of the keys is recorded as: worked out from the keys before and after it, so that no way to change them can be
//! forgotten.

use chrono::{DateTime, Utc};

use crate::keys::lifecycle::KeyRing;
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord, Origin};
use crate::model::signing_key::{KeyEntry, KeyState};

/// Who changes the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Who it is.
    pub actor: Actor,
    /// Where they are.
    pub origin: Origin,
    /// When.
    pub now: DateTime<Utc>,
}

impl Author {
    /// Whoever types a command beside the server.
    pub fn operator(now: DateTime<Utc>) -> Self {
        Self { actor: Actor::Operator, origin: Origin::default(), now }
    }

    /// The automatic life cycle.
    pub fn server(now: DateTime<Utc>) -> Self {
        Self { actor: Actor::Server, origin: Origin::default(), now }
    }

    /// A record of each key that is another one `after` the change. What goes into its grace is told by what takes its place.
    pub(super) fn records(&self, before: &KeyRing, after: &KeyRing) -> Vec<AuditRecord> {
        let events = after.keys().iter().flat_map(|key| {
            let known = before.find(&key.kid).map(|key| key.state);
            let kinds = kinds(known, key);
            kinds.into_iter().map(|kind| AuditEvent::new(kind).to_object(&key.kid))
        });
        let record = |event| AuditRecord {
            event,
            actor: self.actor.clone(),
            origin: self.origin.clone(),
            happened_at: self.now,
        };
        events.map(record).collect()
    }
}

fn kinds(before: Option<KeyState>, key: &KeyEntry) -> Vec<AuditEventKind> {
    if before == Some(key.state) {
        return Vec::new();
    }
    let made = before.is_none().then_some(AuditEventKind::KeyPrepublished);
    let moved = match key.state {
        KeyState::Prepublished | KeyState::Grace => None,
        KeyState::Active => Some(AuditEventKind::KeyActivated),
        KeyState::Retired if key.revoke_reason.is_some() => Some(AuditEventKind::KeyRevoked),
        KeyState::Retired => Some(AuditEventKind::KeyRetired),
    };
    made.into_iter().chain(moved).collect()
}
