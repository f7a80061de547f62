//! Effects that follow a commit: the rows that verbs wrote in their transactions, done here.
//!
//! A row is taken for a while, so that an instance that dies leaves it to another; a client may therefore hear the same
//! thing twice, each time in a token of its own. What fails is tried again with growing delays. The row keeps the state:
//! how often, why not, when done or given up.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::Progress;
use crate::app::App;
use crate::config::OutboundPurpose;
use crate::fetch::FetchError;
use crate::flow::backchannel_authentication::{self, AnnouncementRow, NotificationRow};
use crate::flow::logout;
use crate::model::client::TokenDeliveryMode;
use crate::model::id::{ClientId, Sid, SubjectId};
use crate::storage::StoreError;
use crate::storage::postgres::outbox::{OutboxKind, OutboxRow};

/// The rows taken, and worked on side by side.
const BATCH: u16 = 16;

/// How long a row is ours: far longer than one call may take.
const LEASE: TimeDelta = TimeDelta::seconds(60);

/// The delay after the first failure; each further one doubles it.
const FIRST_DELAY: TimeDelta = TimeDelta::seconds(10);

const LONGEST_DELAY: TimeDelta = TimeDelta::hours(1);

/// Then it is given up: after about three and a half hours.
const MOST_ATTEMPTS: i32 = 12;

/// The payload of `backchannel_logout`.
#[derive(Deserialize)]
struct LogoutNotice {
    client_id: ClientId,
    sid: Sid,
    subject: SubjectId,
}

/// Does what is due, up to one batch.
pub async fn run_once(app: &App, now: DateTime<Utc>) -> Result<Progress, StoreError> {
    let rows = app.postgres.take_outbox(BATCH.into(), LEASE, now).await?;
    let progress = if rows.len() < usize::from(BATCH) { Progress::Done } else { Progress::More };
    let settled = join_all(rows.into_iter().map(|row| settle(app, row, now))).await;
    settled.into_iter().collect::<Result<Vec<()>, StoreError>>()?;
    Ok(progress)
}

async fn settle(app: &App, row: OutboxRow, now: DateTime<Utc>) -> Result<(), StoreError> {
    let done = match row.kind {
        OutboxKind::BackchannelLogout => tell_logout(app, &row, now).await,
        OutboxKind::BackchannelNotification => tell_decision(app, &row, now).await,
        OutboxKind::BackchannelAnnouncement => announce(app, &row, now).await,
    };
    match done {
        Ok(()) => app.postgres.finish_outbox(row.id, now).await,
        Err(why) if row.attempts >= MOST_ATTEMPTS => {
            tracing::warn!(outbox_id = row.id, kind = row.kind.as_str(), why, "given up");
            app.postgres.fail_outbox(row.id, &why, now).await
        }
        Err(why) => app.postgres.retry_outbox(row.id, now + delay(row.attempts), &why).await,
    }
}

/// OpenID Connect Back-Channel Logout section 2.5. The reason of a failure is in our own words: nothing of the answer is kept.
async fn tell_logout(app: &App, row: &OutboxRow, now: DateTime<Utc>) -> Result<(), String> {
    let notice: LogoutNotice =
        LogoutNotice::deserialize(&row.payload).map_err(|_| "the row cannot be read".to_owned())?;
    let client = app.registry.find_client(&notice.client_id, now).await.map_err(|error| error.to_string())?;
    let Some(client) = client.filter(|client| client.enabled) else {
        return Ok(());
    };
    let Some(uri) = client.settings.backchannel_logout_uri.as_deref() else {
        return Ok(());
    };
    let token = logout::logout_token(app, &client, notice.sid, &notice.subject, now)
        .await
        .map_err(|error| error.to_string())?;
    let form = [("logout_token", token.as_str())];
    // Section 2.8: 200; some frameworks make a 204 of an answer without a body.
    heard(app.fetch.post_form(OutboundPurpose::BackchannelLogout, uri, &form).await)
}

/// OpenID Connect CIBA section 10.2. After its time nobody can fetch anything with the request, and nobody needs to hear of it.
async fn tell_decision(app: &App, row: &OutboxRow, now: DateTime<Utc>) -> Result<(), String> {
    let notice = NotificationRow::deserialize(&row.payload).map_err(|_| "the row cannot be read".to_owned())?;
    let client = app.registry.find_client(&notice.client_id, now).await.map_err(|error| error.to_string())?;
    let Some(client) = client.filter(|client| client.enabled && notice.expires_at > now) else {
        return Ok(());
    };
    let settings = &client.settings;
    let is_told = settings.backchannel_token_delivery_mode == Some(TokenDeliveryMode::Ping);
    let Some(uri) = settings.backchannel_client_notification_endpoint.as_deref().filter(|_| is_told) else {
        return Ok(());
    };
    let Some(notification) = backchannel_authentication::open(app, &notice) else {
        return Err("the row cannot be unsealed".to_owned());
    };
    let body = json!({ "auth_req_id": notification.auth_req_id });
    let token = Some(notification.client_notification_token.as_str());
    heard(app.fetch.post_json(OutboundPurpose::BackchannelNotification, uri, token, &body).await)
}

/// Says that a request waits, where the operator wants to hear of that.
async fn announce(app: &App, row: &OutboxRow, now: DateTime<Utc>) -> Result<(), String> {
    let notice = AnnouncementRow::deserialize(&row.payload).map_err(|_| "the row cannot be read".to_owned())?;
    let settings = &app.config.backchannel_authentication;
    let Some(uri) = settings.announce_uri.as_deref().filter(|_| notice.expires_at > now) else {
        return Ok(());
    };
    let client = app.registry.find_client(&notice.client_id, now).await.map_err(|error| error.to_string())?;
    let person = app.identity.find_person(&notice.subject).await.map_err(|error| error.to_string())?;
    let (Some(client), Some(person)) = (client, person) else { return Ok(()) };
    let body = backchannel_authentication::announcement(app, &client, &notice, &person.username);
    let token = settings.announce_token.as_ref().map(ExposeSecret::expose_secret);
    heard(app.fetch.post_json(OutboundPurpose::BackchannelAnnouncement, uri, token, &body).await)
}

fn heard(answer: Result<u16, FetchError>) -> Result<(), String> {
    match answer {
        Ok(200..=299) => Ok(()),
        Ok(status) => Err(format!("the client answered {status}")),
        Err(error) => Err(error.to_string()),
    }
}

fn delay(attempts: i32) -> TimeDelta {
    let doublings = attempts.saturating_sub(1).clamp(0, 16);
    (FIRST_DELAY * 2_i32.pow(doublings.unsigned_abs())).min(LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_an_hour() {
        let seconds: Vec<i64> = (0..13).map(|attempts| delay(attempts).num_seconds()).collect();
        assert_eq!(seconds, [10, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600]);
        assert_eq!(delay(i32::MAX), LONGEST_DELAY);
    }
}
