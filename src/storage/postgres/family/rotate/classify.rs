//! Why a refresh token was not rotated: the row, read after the update matched nothing.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{RotateOutcome, RotatedRow, Rotation, key_fits, leaves_resources, leaves_scopes, names};
use crate::storage::postgres::family::row::{family_joins, family_stands, grant_columns};
use crate::storage::postgres::pool::Statement;

const CLASSIFY: &str = concat!(
    "SELECT f.seq, f.rotated_at, f.salt, f.key_id, f.expires_at, ",
    grant_columns!(),
    ", f.client_id = $2 AS is_of_client, f.cur_hash = $3 AS is_current, f.prev_hash = $3 AS is_previous, \
        f.scopes @> $4 AS has_scopes, f.resources @> $5 AS has_resources, ",
    key_fits!("$7", "$10"),
    " AS has_key, ",
    leaves_scopes!("$4", "$8"),
    " AS leaves_scopes, ",
    leaves_resources!("$5", "$9"),
    " AS leaves_resources, ",
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
    has_key: bool,
    #[diesel(sql_type = Bool)]
    stands: bool,
}

/// What the row, read after the update matched nothing, says of a token.
pub(super) enum Finding {
    Settled(RotateOutcome),
    Previous(RotatedRow),
    Older,
    /// The update would match now: what it waited for changed in between.
    Current,
}

pub(super) async fn find(
    conn: &mut AsyncPgConnection,
    rotation: &Rotation<'_>,
    now: DateTime<Utc>,
) -> QueryResult<Finding> {
    let row = Statement::new(CLASSIFY)
        .bind::<SqlUuid, _>(rotation.id.0)
        .bind::<Text, _>(rotation.client_id.as_str())
        .bind::<Binary, _>(rotation.presented_hash.to_vec())
        .bind::<Array<Text>, _>(rotation.scopes)
        .bind::<Array<Text>, _>(names(rotation.resources))
        .bind::<Timestamptz, _>(now)
        .bind::<Nullable<Text>, _>(rotation.jkt)
        .bind::<Array<Text>, _>(rotation.allowed_scopes)
        .bind::<Array<Text>, _>(names(rotation.allowed_resources))
        .bind::<Nullable<Text>, _>(rotation.x5t)
        .get_result::<ClassifyRow>(conn)
        .await
        .optional()?;
    Ok(row.map_or(Finding::Settled(RotateOutcome::Ended), |row| row.judge(rotation, now)))
}

impl ClassifyRow {
    /// The order matters: another client, or whoever lacks the key or the certificate, learns nothing and revokes nothing; a dead family has
    /// nothing left to revoke; a replay is a replay whatever scopes it asks for.
    fn judge(self, rotation: &Rotation<'_>, now: DateTime<Utc>) -> Finding {
        if !self.is_of_client {
            return Finding::Settled(RotateOutcome::WrongClient);
        }
        if !self.has_key {
            return Finding::Settled(RotateOutcome::WrongKey);
        }
        if !self.stands {
            return Finding::Settled(RotateOutcome::Ended);
        }
        if rotation.seq > self.rotated.seq {
            return Finding::Settled(RotateOutcome::FromTheFuture);
        }
        let is_current = rotation.seq == self.rotated.seq && self.is_current == Some(true);
        let is_previous = rotation.seq.checked_add(1) == Some(self.rotated.seq) && self.is_previous == Some(true);
        let is_in_grace = rotation.grace > TimeDelta::zero()
            && self.rotated.rotated_at.is_some_and(|rotated_at| now < rotated_at + rotation.grace);
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
        if !self.leaves_scopes {
            return Finding::Settled(RotateOutcome::ScopeTaken);
        }
        if !self.leaves_resources {
            return Finding::Settled(RotateOutcome::ResourceTaken);
        }
        if is_previous { Finding::Previous(self.rotated) } else { Finding::Current }
    }
}
