//! Ends that come by themselves.

use chrono::{DateTime, Utc};

use super::Progress;
use crate::app::App;
use crate::storage::StoreError;

/// The sessions ended in one transaction.
const SESSIONS: u16 = 100;

/// The rows of a table deleted at once.
const ROWS: u16 = 1000;

/// Ends the sessions whose time is over; their clients hear of it through the outbox.
pub(super) async fn end_sessions(app: &App, now: DateTime<Utc>) -> Result<Progress, StoreError> {
    let ended = app.postgres.expire_sessions(SESSIONS.into(), now).await?;
    if ended > 0 {
        app.outbox_bell.notify_one();
    }
    Ok(progress(ended, SESSIONS))
}

/// Deletes rows that no decision needs any more.
pub(super) async fn delete_rows(app: &App, now: DateTime<Utc>) -> Result<Progress, StoreError> {
    Ok(progress(app.postgres.delete_expired(ROWS.into(), now).await?, ROWS))
}

fn progress(done: usize, limit: u16) -> Progress {
    if done < usize::from(limit) { Progress::Done } else { Progress::More }
}
