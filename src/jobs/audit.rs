//! Seals over what was recorded, and the end of its time.

use chrono::{DateTime, Utc};

use super::Progress;
use crate::app::App;
use crate::flow::audit_seal;
use crate::storage::StoreError;

/// Seals what was recorded since the last time.
pub(super) async fn seal(app: &App, now: DateTime<Utc>) -> Result<Progress, StoreError> {
    let sealed = audit_seal::seal(app, now).await?;
    Ok(if sealed < usize::from(audit_seal::MOST_RECORDS) { Progress::Done } else { Progress::More })
}

/// Deletes the records of one seal whose time is over.
pub(super) async fn empty(app: &App, now: DateTime<Utc>) -> Result<Progress, StoreError> {
    Ok(if audit_seal::empty(app, now).await? { Progress::More } else { Progress::Done })
}
