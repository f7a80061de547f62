//! Whether a sign-in still stands: its row says so, whatever the browser's own record says.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::model::id::ClientId;
use crate::model::session::SignedIn;
use crate::storage::StoreError;
use crate::storage::postgres::session::Standing;

/// The session as it stands towards a client; `None` once it is over or was idle for too long.
pub async fn find_standing(
    app: &App,
    signed_in: &SignedIn,
    client_id: &ClientId,
    now: DateTime<Utc>,
) -> Result<Option<Standing>, StoreError> {
    let standing = app.postgres.find_standing(signed_in.sid, client_id, now).await?;
    // The job that ends idle sessions comes a little later.
    let is_idle = |standing: &Standing| standing.session.seen_at + app.config.sessions.idle <= now;
    Ok(standing.filter(|standing| standing.is_alive && !is_idle(standing)))
}

/// Whether the person is still signed in, apart from any client.
pub async fn is_alive(app: &App, signed_in: &SignedIn, now: DateTime<Utc>) -> Result<bool, StoreError> {
    Ok(find_alive(app, signed_in, now).await?.is_some())
}

/// The same for a page of the person's own, which counts as a use of the session.
pub async fn is_used(app: &App, signed_in: &SignedIn, now: DateTime<Utc>) -> Result<bool, StoreError> {
    Ok(find_used(app, signed_in, now).await?.is_some())
}

/// The session behind a page of the person's own, which counts as a use of it; `None` if they are not signed in any more.
pub async fn find_used(app: &App, signed_in: &SignedIn, now: DateTime<Utc>) -> Result<Option<Standing>, StoreError> {
    let standing = find_alive(app, signed_in, now).await?;
    if let Some(standing) = &standing {
        app.postgres.touch_session(signed_in.sid, standing.session.seen_at, now).await?;
    }
    Ok(standing)
}

async fn find_alive(app: &App, signed_in: &SignedIn, now: DateTime<Utc>) -> Result<Option<Standing>, StoreError> {
    // The verb also looks for a consent; no client has an empty identifier, so it finds none.
    find_standing(app, signed_in, &ClientId::new(""), now).await
}
