//! The record of an attempt in the state store: read by id, changed by compare-and-set.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{Interaction, REPEAT_WINDOW, Steps};
use crate::app::App;
use crate::protocol::error::OAuthError;
use crate::storage::StoreError;
use crate::storage::state::{Expected, Kind, StateKey};

/// How long the record of an attempt in which somebody got a step further is kept after it expired, so that a page left open
/// can begin anew instead of failing. Anyone can make one without a step, so those go sooner.
const KEEP: TimeDelta = TimeDelta::days(1);

/// How often a step is tried against another writer of the same record.
const ATTEMPTS: usize = 4;

pub(super) fn key(id: &str) -> StateKey {
    StateKey::new(Kind::Interaction, id)
}

pub(super) fn kept_until(app: &App, interaction: &Interaction) -> DateTime<Utc> {
    let is_untouched = interaction.steps == Steps::default();
    interaction.expires_at + if is_untouched { app.config.interactions.kept_untouched } else { KEEP }
}

pub(super) async fn read(app: &App, id: &str, now: DateTime<Utc>) -> Result<Option<Interaction>, StoreError> {
    // Only what `begin` could have made is looked up.
    if id.len() != 43 || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Ok(None);
    }
    app.state.get(&key(id), now).await?.map(Interaction::decoded).transpose()
}

/// Applies `step` by compare-and-set, again on what another writer left if one came between.
pub(super) async fn change(
    app: &App,
    mut interaction: Interaction,
    now: DateTime<Utc>,
    step: impl Fn(&mut Interaction),
) -> Result<Interaction, StoreError> {
    for _ in 0..ATTEMPTS {
        let mut changed = interaction.clone();
        step(&mut changed);
        changed.stored = encoded_over(&interaction, &changed).map_err(StoreError::corrupt)?;
        // The bytes that were read, not what this version would write for them: another version may have written them.
        let (key, before) = (key(&interaction.id), Expected::Equals(&interaction.stored));
        if app.state.replace_if(&key, before, &changed.stored, kept_until(app, &changed), now).await? {
            return Ok(changed);
        }
        interaction = match read(app, &interaction.id, now).await? {
            Some(current) => current,
            None => return Err(StoreError::unavailable("the interaction was lost")),
        };
    }
    Err(StoreError::unavailable("the interaction is written by too many at once"))
}

impl Interaction {
    fn decoded(stored: Vec<u8>) -> Result<Self, StoreError> {
        let interaction: Self = serde_json::from_slice(&stored).map_err(StoreError::corrupt)?;
        Ok(Self { stored, ..interaction })
    }
}

/// The stored bytes of `before` with what is different in `changed`. Members that this version does not know stay: during a
/// rolling upgrade a newer one may have written them and will look for them.
fn encoded_over(before: &Interaction, changed: &Interaction) -> serde_json::Result<Vec<u8>> {
    let mut stored = serde_json::from_slice(&before.stored)?;
    write_changes(&mut stored, &serde_json::to_value(before)?, serde_json::to_value(changed)?);
    serde_json::to_vec(&stored)
}

fn write_changes(stored: &mut Value, before: &Value, after: Value) {
    match (stored, before, after) {
        (Value::Object(stored), Value::Object(before), Value::Object(after)) => {
            for (name, value) in after {
                let old = before.get(&name).unwrap_or(&Value::Null);
                if *old != value {
                    write_changes(stored.entry(name).or_insert(Value::Null), old, value);
                }
            }
        }
        (stored, _, after) => *stored = after,
    }
}

/// Closes the attempt; again only within [`REPEAT_WINDOW`].
pub(super) async fn close(app: &App, interaction: Interaction, now: DateTime<Utc>) -> Result<Interaction, OAuthError> {
    let closed = change(app, interaction, now, |open| {
        open.finished_at.get_or_insert(now);
    })
    .await?;
    match closed.finished_at {
        Some(at) if now - at <= REPEAT_WINDOW => Ok(closed),
        _ => Err(OAuthError::invalid_request("this sign-in was completed before")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_changed_is_written_and_what_is_unknown_stays() {
        let mut stored = json!({"id": "x", "new": 1.50, "steps": {"account": null, "factor": [1]}, "browser": "b"});
        let before = json!({"id": "x", "steps": {"account": null, "consented": null}, "browser": "b", "at": null});
        let after =
            json!({"id": "x", "steps": {"account": "u.ada", "consented": null}, "browser": "b", "at": {"n": 1}});
        write_changes(&mut stored, &before, after);
        let steps = json!({"account": "u.ada", "factor": [1]});
        assert_eq!(stored, json!({"id": "x", "new": 1.5, "steps": steps, "browser": "b", "at": {"n": 1}}));
    }
}
