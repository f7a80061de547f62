//! Seals over what was recorded, and the end of its time.

use chrono::{DateTime, Utc};

use super::Progress;
use crate::app::App;
use crate::flow::audit_seal;
use crate::storage::StoreError;

/// The most records that are written at once.
const MOST_WRITTEN: usize = 1000;

/// Writes down what was noted. What was written although the answer was lost is there twice: better than not at all.
pub(super) async fn write(app: &App) -> Result<Progress, StoreError> {
    let records = app.audit.take(MOST_WRITTEN);
    if records.is_empty() {
        return Ok(Progress::Done);
    }
    let count = records.len();
    if let Err(error) = app.postgres.insert_audit_records(&records).await {
        app.audit.put_back(records);
        return Err(error);
    }
    Ok(if count < MOST_WRITTEN { Progress::Done } else { Progress::More })
}

/// Seals what was recorded since the last time.
pub(super) async fn seal(app: &App, now: DateTime<Utc>) -> Result<Progress, StoreError> {
    let sealed = audit_seal::seal(app, now).await?;
    Ok(if sealed < usize::from(audit_seal::MOST_RECORDS) { Progress::Done } else { Progress::More })
}

/// Deletes the records of one seal whose time is over.
pub(super) async fn empty(app: &App, now: DateTime<Utc>) -> Result<Progress, StoreError> {
    Ok(if audit_seal::empty(app, now).await? { Progress::More } else { Progress::Done })
}
