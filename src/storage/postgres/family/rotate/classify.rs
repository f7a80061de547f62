//! Why a refresh token was not rotated: the row, read after the update matched nothing.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::AsyncPgConnection;

use super::statements::{has_details, key_fits, leaves_details, leaves_resources, leaves_scopes};
use super::{Presented, RotateOutcome, RotatedRow, asked, names};
use crate::storage::postgres::family::row::{family_joins, family_stands, grant_columns};
use crate::storage::postgres::pool::Statement;

const CLASSIFY: &str = concat!(
    "SELECT f.seq, f.rotated_at, f.salt, f.key_id, f.expires_at, ",
    grant_columns!(),
    ", f.client_id = $2 AS is_of_client, f.cur_hash = $3 AS is_current, f.prev_hash = $3 AS is_previous, \
        f.scopes @> $4 AS has_scopes, f.resources @> $5 AS has_resources, ",
    key_fits!("$7", "$10"),
    " AS has_key, f.idle_expires_at, \
        CASE WHEN 'offline_access' <> ALL (f.scopes) THEN e.seen_at END AS session_seen_at, ",
    leaves_scopes!("$4", "$8"),
    " AS leaves_scopes, ",
    leaves_resources!("$5", "$9"),
    " AS leaves_resources, ",
    has_details!("$11"),
    " AS has_details, ",
    leaves_details!("$11", "$12"),
    " AS leaves_details, ",
    family_stands!("$6"),
    " AND coalesce(f.idle_expires_at > $6, false) AS stands \
     FROM token_family f ",
    family_joins!(),
    " WHERE f.id = $1"
);

#[derive(QueryableByName)]
struct ClassifyRow {
    #[diesel(embed)]
    rotated: RotatedRow,
    #[diesel(sql_type = Bool)]
    is_of_client: bool,
    #[diesel(sql_type = Nullable<Bool>)]
    is_current: Option<bool>,
    #[diesel(sql_type = Nullable<Bool>)]
    is_previous: Option<bool>,
    #[diesel(sql_type = Bool)]
    has_scopes: bool,
    #[diesel(sql_type = Bool)]
    has_resources: bool,
    #[diesel(sql_type = Bool)]
    leaves_scopes: bool,
    #[diesel(sql_type = Bool)]
    leaves_resources: bool,
    #[diesel(sql_type = Bool)]
    has_details: bool,
    #[diesel(sql_type = Bool)]
    leaves_details: bool,
    #[diesel(sql_type = Bool)]
    has_key: bool,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    idle_expires_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    session_seen_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Bool)]
    stands: bool,
}

/// The row of the token that is current.
pub(super) struct Current {
    pub(super) row: RotatedRow,
    pub(super) idle_expires_at: Option<DateTime<Utc>>,
    /// When the session was last in use, if the family ends with it.
    pub(super) session_seen_at: Option<DateTime<Utc>>,
}

/// What the row, read after the update matched nothing, says of a token.
pub(super) enum Finding {
    Settled(RotateOutcome),
    Previous(RotatedRow),
    Older,
    /// The token is good. An update that did not match would now: what it waited for changed in between.
    Current(Box<Current>),
}

pub(super) async fn find(
    conn: &mut AsyncPgConnection,
    presented: &Presented<'_>,
    now: DateTime<Utc>,
) -> QueryResult<Finding> {
    let row = Statement::new(CLASSIFY)
        .bind::<SqlUuid, _>(presented.id.0)
        .bind::<Text, _>(presented.client_id.as_str())
        .bind::<Binary, _>(presented.hash.to_vec())
        .bind::<Array<Text>, _>(presented.scopes)
        .bind::<Array<Text>, _>(names(presented.resources))
        .bind::<Timestamptz, _>(now)
        .bind::<Nullable<Text>, _>(presented.jkt)
        .bind::<Array<Text>, _>(presented.allowed_scopes)
        .bind::<Array<Text>, _>(names(presented.allowed_resources))
        .bind::<Nullable<Text>, _>(presented.x5t)
        .bind::<Nullable<Jsonb>, _>(asked(presented.details))
        .bind::<Array<Text>, _>(presented.allowed_types)
        .get_result::<ClassifyRow>(conn)
        .await
        .optional()?;
    Ok(row.map_or(Finding::Settled(RotateOutcome::Ended), |row| row.judge(presented, now)))
}

impl ClassifyRow {
    /// The order matters: another client, or whoever lacks the key or the certificate, learns nothing and revokes nothing; a dead family has
    /// nothing left to revoke; a replay is a replay whatever scopes it asks for.
    fn judge(self, presented: &Presented<'_>, now: DateTime<Utc>) -> Finding {
        if !self.is_of_client {
            return Finding::Settled(RotateOutcome::WrongClient);
        }
        if !self.has_key {
            return Finding::Settled(RotateOutcome::WrongKey);
        }
        if !self.stands {
            return Finding::Settled(RotateOutcome::Ended);
        }
        if presented.seq > self.rotated.seq {
            return Finding::Settled(RotateOutcome::FromTheFuture);
        }
        let is_current = presented.seq == self.rotated.seq && self.is_current == Some(true);
        let is_previous = presented.seq.checked_add(1) == Some(self.rotated.seq) && self.is_previous == Some(true);
        let is_in_grace = presented.grace > TimeDelta::zero()
            && self.rotated.rotated_at.is_some_and(|rotated_at| now < rotated_at + presented.grace);
        let is_usable = is_current || (is_previous && is_in_grace);
        if !is_usable {
            return Finding::Older;
        }
        if !self.has_scopes {
            return Finding::Settled(RotateOutcome::ScopeNotGranted);
        }
        if !self.has_resources {
            return Finding::Settled(RotateOutcome::ResourceNotGranted);
        }
        if !self.has_details {
            return Finding::Settled(RotateOutcome::DetailsNotGranted);
        }
        if !self.leaves_scopes {
            return Finding::Settled(RotateOutcome::ScopeTaken);
        }
        if !self.leaves_resources {
            return Finding::Settled(RotateOutcome::ResourceTaken);
        }
        if !self.leaves_details {
            return Finding::Settled(RotateOutcome::DetailsTaken);
        }
        if is_previous {
            return Finding::Previous(self.rotated);
        }
        let Self { rotated: row, idle_expires_at, session_seen_at, .. } = self;
        Finding::Current(Box::new(Current { row, idle_expires_at, session_seen_at }))
    }
}
