//! Ends that come by themselves.

use chrono::{DateTime, TimeDelta, Utc};

use super::Progress;
use crate::app::App;
use crate::storage::StoreError;
use crate::storage::postgres::client_record::Reaping;

/// The sessions looked at in one transaction.
const SESSIONS: u16 = 100;

/// The rows of a table deleted at once.
const ROWS: u16 = 1000;

/// The clients removed at once.
const CLIENTS: u16 = 200;

/// Ends the sessions whose time is over or that are not used; their clients hear of it through the outbox.
pub(super) async fn end_sessions(app: &App, now: DateTime<Utc>) -> Result<Progress, StoreError> {
    let review = app.postgres.expire_sessions(SESSIONS.into(), app.config.sessions.idle, now).await?;
    if review.ended > 0 {
        app.outbox_bell.notify_one();
    }
    Ok(progress(review.reviewed, SESSIONS))
}

/// Deletes rows that no decision needs any more.
pub(super) async fn delete_rows(app: &App, now: DateTime<Utc>) -> Result<Progress, StoreError> {
    let mut deleted = app.postgres.delete_expired(ROWS.into(), now).await?;
    if app.people.is_some() {
        deleted += app.postgres.delete_expired_tickets(ROWS.into(), now).await?;
    }
    Ok(progress(deleted, ROWS))
}

/// Removes clients that nobody registered by hand and nobody uses.
pub(super) async fn reap_clients(app: &App, now: DateTime<Utc>) -> Result<Progress, StoreError> {
    let config = &app.config.registration;
    let since = |after: TimeDelta| (after > TimeDelta::zero()).then(|| now - after);
    let (unused_since, idle_since) = (since(config.unused_after), since(config.idle_after));
    let reaped = app.postgres.reap_clients(Reaping { unused_since, idle_since, limit: CLIENTS.into() }, now).await?;
    if reaped > 0 {
        tracing::info!(count = reaped, "clients that nobody uses were removed");
        app.registry.forget();
    }
    Ok(progress(reaped, CLIENTS))
}

fn progress(done: usize, limit: u16) -> Progress {
    if done < usize::from(limit) { Progress::Done } else { Progress::More }
}
