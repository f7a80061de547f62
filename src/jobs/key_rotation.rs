//! The automatic life cycle of signing keys: does what the timeline says is due.
//!
//! The successor of a key whose private half is elsewhere cannot be made here: it is asked for in the log, in good time.
//!
//! What tokens live for is remembered meanwhile: a key is needed for as long as the longest lifetime that was given while it signed.
//!
//! One instance at a time does it, and only the state that it read can be replaced, so that even two leaders do no harm.

use chrono::{DateTime, Utc};

use super::{JobError, Progress};
use crate::app::App;
use crate::keys::change::{ChangeError, Due};
use crate::keys::open;
use crate::keys::store::KeyStoreError;

/// Makes, activates and retires the keys whose time has come.
pub(super) async fn run_once(app: &App, now: DateTime<Utc>) -> Result<Progress, JobError> {
    let config = &app.config;
    // Also where somebody else rotates: their rotation has to know how long our tokens live.
    open::record_lifetimes(&config.tokens, &app.postgres, now).await?;
    if !config.keys.rotation.automatic || app.keys.find_obstacle().await.is_some() {
        return Ok(Progress::Done);
    }
    let policy = open::policy(&config.keys, &config.tokens, &app.postgres).await?;
    app.keys.ask_the_operator(&policy, now);
    // As this instance knows the keys: usually nothing is due, and then nobody needs to lead.
    if !app.keys.status(&policy, now).timeline.iter().any(|step| step.is_automatic() && step.is_due(now)) {
        return Ok(Progress::Done);
    }
    match app.postgres.lead_key_rotation(app.keys.run_due(&policy, now)).await? {
        Some(Ok(Due { done, withheld })) => {
            for step in done {
                let (alg, purpose) = (step.alg.as_str(), step.purpose.as_str());
                tracing::info!(action = step.action, kid = step.kid, alg, purpose, "a signing key was rotated");
            }
            if !withheld.is_empty() {
                let told: Vec<_> = withheld.iter().map(ToString::to_string).collect();
                return Err(told.join("; ").into());
            }
        }
        // Somebody else is at it.
        None | Some(Err(ChangeError::Store(KeyStoreError::Conflict))) => {}
        Some(Err(error)) => return Err(error.into()),
    }
    Ok(Progress::Done)
}
