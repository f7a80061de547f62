//! Applying what is missing.

use secrecy::SecretString;

use super::apply::{Direction, apply};
use super::error::MigrateError;
use super::session::Session;
use super::standing::{SchemaStanding, Status};
use super::{MigrateOptions, Progress};

/// Applies what is missing, and says how the schema stands then. Of two that run at once the second waits
/// and finds nothing to do. A later schema is left as it is, and is an error only if it does not serve this program.
pub async fn up(
    url: &SecretString,
    options: &MigrateOptions,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Status, MigrateError> {
    let session = Session::open(url).await?;
    session.lock(options, progress).await?;
    let result = apply_pending(&session, options, progress).await;
    session.unlock().await;
    result
}

async fn apply_pending(
    session: &Session,
    options: &MigrateOptions,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Status, MigrateError> {
    let before = Status::read(session, options.migrations).await?;
    if let SchemaStanding::TooNew { found, compatible_from } = before.standing {
        let known = options.migrations.last().map_or(0, |migration| migration.version);
        return Err(MigrateError::TooNew { found, compatible_from, known });
    }
    before.check_order()?;
    if before.pending.is_empty() {
        return Ok(before);
    }
    session.prepare().await?;
    for migration in &before.pending {
        apply(session, migration, Direction::Up, options, progress).await?;
    }
    Status::read(session, options.migrations).await
}
