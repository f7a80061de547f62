//! Work started by the clock rather than by a request.
//!
//! Every instance runs every job: what two do at once is divided by row locks or done twice without harm. Only the rotation
//! of keys has a leader, because making keys twice would be a waste. A job that fails says so once, and once more when it works again.

// Seals over what was recorded.
mod audit;
// Sessions whose time is over, and rows that no decision needs any more.
mod expiry;
// The life of signing keys.
mod key_rotation;
// Effects that follow a commit.
pub mod outbox;

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::keys::fetches::MOST_KNOWN;
use crate::keys::lifecycle::RotationPolicy;
use crate::keys::store::KeyStoreError;
use crate::storage::StoreError;

/// Something that is done again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Looks whether clients, scopes or resources were changed elsewhere.
    PolicyPoll,
    /// Takes up changed signing keys.
    KeyReload,
    /// Goes on with the life of signing keys.
    KeyRotation,
    /// Writes down who fetched the key set.
    JwksFetches,
    /// Tells clients what they have to hear.
    Outbox,
    /// Ends the sessions whose time is over.
    SessionExpiry,
    /// Deletes rows that no decision needs any more.
    Deletion,
    /// Removes clients that nobody registered by hand and nobody uses.
    ClientReaping,
    /// Writes down what was noted of sign-ins and tokens.
    AuditWriting,
    /// Seals what was recorded.
    AuditSealing,
    /// Deletes records whose time is over.
    AuditRetention,
}

/// Whether a run left something for the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is left to do now.
    Done,
    /// There may be more: the next run follows at once.
    More,
}

/// Why a run failed.
pub type JobError = Box<dyn Error + Send + Sync>;

impl Job {
    /// Every job.
    pub const ALL: [Self; 11] = [
        Self::PolicyPoll,
        Self::KeyReload,
        Self::KeyRotation,
        Self::JwksFetches,
        Self::Outbox,
        Self::SessionExpiry,
        Self::Deletion,
        Self::ClientReaping,
        Self::AuditWriting,
        Self::AuditSealing,
        Self::AuditRetention,
    ];

    fn period(self, app: &App) -> Duration {
        let seconds = match self {
            Self::PolicyPoll | Self::KeyReload | Self::AuditWriting => 1,
            Self::KeyRotation => {
                // Short windows, as a trial has them, want a closer look.
                let fits = RotationPolicy::cache_lifetime(app.config.keys.rotation.prepublish).num_seconds();
                fits.unsigned_abs().min(60)
            }
            Self::JwksFetches => 60,
            Self::Outbox => return app.outbox_period,
            Self::SessionExpiry => 10,
            Self::Deletion => 600,
            Self::ClientReaping | Self::AuditRetention => 3600,
            // Until then a record can be taken away without a trace.
            Self::AuditSealing => 2,
        };
        Duration::from_secs(seconds)
    }

    /// Does it once: a bounded amount of work, so that a shutdown need not wait.
    pub async fn run_once(self, app: &App, now: DateTime<Utc>) -> Result<Progress, JobError> {
        match self {
            Self::PolicyPoll => {
                app.registry.poll(now).await?;
                // Read before anyone asks: discovery goes on telling it when the database is down.
                app.registry.catalog(now).await?;
                Ok(Progress::Done)
            }
            Self::KeyReload => reload_keys(app).await,
            Self::KeyRotation => key_rotation::run_once(app, now).await,
            Self::JwksFetches => Ok(write_fetches(app).await?),
            Self::Outbox => Ok(outbox::run_once(app, now).await?),
            Self::SessionExpiry => Ok(expiry::end_sessions(app, now).await?),
            Self::Deletion => Ok(expiry::delete_rows(app, now).await?),
            Self::ClientReaping => Ok(expiry::reap_clients(app, now).await?),
            Self::AuditWriting => Ok(audit::write(app).await?),
            Self::AuditSealing => Ok(audit::seal(app, now).await?),
            Self::AuditRetention => Ok(audit::empty(app, now).await?),
        }
    }

    async fn pause(self, app: &App) {
        let period = tokio::time::sleep(self.period(app));
        match self {
            Self::Outbox => {
                tokio::select! {
                    () = period => {}
                    () = app.outbox_bell.notified() => {}
                }
            }
            Self::PolicyPoll
            | Self::KeyReload
            | Self::KeyRotation
            | Self::JwksFetches
            | Self::SessionExpiry
            | Self::Deletion
            | Self::ClientReaping
            | Self::AuditWriting
            | Self::AuditSealing
            | Self::AuditRetention => period.await,
        }
    }
}

/// Runs every job until `shutdown` is ready and the runs under way have ended.
pub async fn spawn(app: App, shutdown: impl Future<Output = ()> + Send + 'static) {
    let (stop, stopped) = watch::channel(false);
    let mut jobs: JoinSet<()> = Job::ALL.into_iter().map(|job| repeat(job, app.clone(), stopped.clone())).collect();
    shutdown.await;
    stop.send_replace(true);
    while jobs.join_next().await.is_some() {}
    // What the last requests did.
    while matches!(run_guarded(Job::AuditWriting, &app).await, Ok(Progress::More)) {}
}

async fn repeat(job: Job, app: App, mut stopped: watch::Receiver<bool>) {
    let mut is_failing = false;
    while !*stopped.borrow() {
        let progress = run_guarded(job, &app).await;
        match &progress {
            Ok(_) if is_failing => tracing::info!(?job, "the job works again"),
            Err(error) if !is_failing => tracing::warn!(?job, error = %chain(error.as_ref()), "the job fails"),
            Ok(_) | Err(_) => {}
        }
        is_failing = progress.is_err();
        if matches!(progress, Ok(Progress::More)) {
            continue;
        }
        tokio::select! {
            // An error means that nobody is left to say stop.
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = job.pause(&app) => {}
        }
    }
}

/// One run on a task of its own, so that a panic ends the run and not the job.
async fn run_guarded(job: Job, app: &App) -> Result<Progress, JobError> {
    let app = app.clone();
    let run = tokio::spawn(async move { job.run_once(&app, app.clock.now()).await });
    run.await.unwrap_or_else(|error| Err(error.into()))
}

/// What is wrong with the keys is told once, by `Keys`, and the keys before stay in use, so it is not a failure of the job;
/// an outage is.
async fn reload_keys(app: &App) -> Result<Progress, JobError> {
    match app.keys.reload_if_changed().await {
        Ok(true) => tracing::info!("the signing keys were changed: the new ones are in use"),
        Ok(false) => {}
        Err(error @ KeyStoreError::Unavailable(_)) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(error = %chain(&error), "the signing keys cannot be used here as they are stored: what is held goes on, but for what was ended")
        }
    }
    Ok(Progress::Done)
}

/// One statement, however many there are, and at the beginning one that asks whose names are known.
async fn write_fetches(app: &App) -> Result<Progress, StoreError> {
    let fetches = app.keys.fetches();
    if !fetches.has_known() {
        fetches.remember_known(app.postgres.list_named_fetchers(MOST_KNOWN).await?);
    }
    let taken = fetches.take();
    if taken.is_empty() {
        return Ok(Progress::Done);
    }
    match app.postgres.record_jwks_fetches(&taken).await {
        Ok(names) => {
            fetches.remember_known(names);
            Ok(Progress::Done)
        }
        Err(error) => {
            fetches.put_back(taken);
            Err(error)
        }
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests;
