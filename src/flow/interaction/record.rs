//! The record of an attempt in the state store: read by id, changed by compare-and-set.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Interaction, REPEAT_WINDOW, Steps};
use crate::app::App;
use crate::protocol::error::OAuthError;
use crate::storage::StoreError;
use crate::storage::state::{self, Expected, Kind, StateKey};

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
    state::get_json(app.state.as_ref(), &key(id), now).await
}

/// Applies `step` by compare-and-set, again on what another writer left if one came between.
pub(super) async fn change(
    app: &App,
    mut interaction: Interaction,
    now: DateTime<Utc>,
    step: impl Fn(&mut Interaction),
) -> Result<Interaction, StoreError> {
    for _ in 0..ATTEMPTS {
        let before = serde_json::to_vec(&interaction).map_err(StoreError::corrupt)?;
        let mut changed = interaction.clone();
        step(&mut changed);
        let after = serde_json::to_vec(&changed).map_err(StoreError::corrupt)?;
        let key = key(&interaction.id);
        let until = kept_until(app, &changed);
        if app.state.replace_if(&key, Expected::Equals(&before), &after, until, now).await? {
            return Ok(changed);
        }
        interaction = match read(app, &interaction.id, now).await? {
            Some(current) => current,
            None => return Err(StoreError::unavailable("the interaction was lost")),
        };
    }
    Err(StoreError::unavailable("the interaction is written by too many at once"))
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
