//! Rotating a refresh token (RFC 9700 section 4.14.2): one heap-only update whose `WHERE` holds everything.
//!
//! The successor is not stored: it follows from the presented token and the row's `salt` and `key_id`. So everybody who
//! presents the same token, in parallel or again after a lost answer, gets the same successor on any node.

// Why one was not rotated.
mod classify;
// What is said to Postgres.
mod statements;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::{Value, json};

use self::classify::{Finding, find};
use self::statements::{PUT_OFF, REVOKE, ROTATE};
use super::row::GrantRow;
use crate::model::authorization_details::AuthorizationDetail;
use crate::model::family::Grant;
use crate::model::id::{ClientId, FamilyId, ResourceUri, Sid};
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::pool::{Statement, failure};
use crate::storage::postgres::session_review;

/// A refresh token that is presented. Its tag and its client have been verified.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// Its family.
    pub id: FamilyId,
    /// Its place in the family.
    pub seq: i32,
    /// The hash of its secret.
    pub hash: [u8; 32],
    /// Who presents it.
    pub client_id: &'a ClientId,
    /// The scopes asked for; empty: all that were granted.
    pub scopes: &'a [String],
    /// The resources asked for; empty: all that were granted.
    pub resources: &'a [ResourceUri],
    /// The scopes that the client may have today: one that is asked for has to be among them.
    pub allowed_scopes: &'a [String],
    /// The resources that it may ask for today, the same.
    pub allowed_resources: &'a [ResourceUri],
    /// The authorization details asked for; empty: all that were granted.
    pub details: &'a [AuthorizationDetail],
    /// The types of authorization details that it may have today, the same.
    pub allowed_types: &'a [String],
    /// The thumbprint of the key that was proven with the request.
    pub jkt: Option<&'a str>,
    /// The thumbprint of the certificate that was shown with it.
    pub x5t: Option<&'a str>,
    /// How long after a rotation the token before it still gets the same successor.
    pub grace: TimeDelta,
    /// When the family ends if nobody uses it from now on.
    pub idle_expires_at: DateTime<Utc>,
}

/// A refresh token to rotate, and what takes its place.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    /// The token.
    pub presented: Presented<'a>,
    /// Whether the successor is bound to that key and that certificate (RFC 9449 section 5, RFC 8705 section 4), as those of
    /// public clients are.
    pub binds_successor: bool,
    /// What the successor is made with, if this rotation wins.
    pub salt: [u8; 32],
    /// The version of the key that the successor is made with.
    pub key_id: u8,
    /// The hash of the successor's secret.
    pub successor_hash: [u8; 32],
}

/// The state that a successor and its access token are made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotated {
    /// What was granted.
    pub grant: Grant,
    /// The successor's place in the family.
    pub seq: i32,
    /// When the rotation happened: the `iat` of the access token.
    pub rotated_at: DateTime<Utc>,
    /// What the successor is made with.
    pub salt: [u8; 32],
    /// The version of the key that it is made with.
    pub key_id: u8,
    /// When the family ends.
    pub expires_at: DateTime<Utc>,
}

/// What a client that keeps its refresh token gets an access token from.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// What was granted.
    pub grant: Grant,
    /// When the family ends.
    pub expires_at: DateTime<Utc>,
}

/// What became of a refresh token.
#[derive(Clone, Debug, PartialEq)]
pub enum RotateOutcome {
    /// It was rotated now.
    Rotated(Rotated),
    /// It is good, and stays what it is.
    Kept(Kept),
    /// It was rotated a moment ago, and its successor is given again.
    Repeated(Rotated),
    /// It was rotated long ago: two parties hold tokens of this family. The family has been revoked.
    Replayed,
    /// A later token than the row knows: the database lost a write. Nothing was changed; somebody should look.
    FromTheFuture,
    /// Unknown, revoked or expired, or its subject, client or session is gone.
    Ended,
    /// It belongs to another client. Nothing was changed.
    WrongClient,
    /// It is bound to a key that was not proven, or to a certificate that was not shown. Nothing was changed.
    WrongKey,
    /// It does not cover the scopes. Nothing was changed.
    ScopeNotGranted,
    /// It does not cover the resources. Nothing was changed.
    ResourceNotGranted,
    /// It does not cover the authorization details. Nothing was changed.
    DetailsNotGranted,
    /// None of the authorization details may be had any more. Nothing was changed.
    DetailsTaken,
    /// None of the scopes may be had any more. Nothing was changed.
    ScopeTaken,
    /// None of the resources may be had any more. Nothing was changed.
    ResourceTaken,
}

#[derive(QueryableByName)]
struct RotatedRow {
    #[diesel(sql_type = Integer)]
    seq: i32,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    rotated_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Binary>)]
    salt: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    key_id: Option<i16>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
    #[diesel(embed)]
    grant: GrantRow,
}

/// A row that was rotated now.
#[derive(QueryableByName)]
struct WonRow {
    #[diesel(embed)]
    rotated: RotatedRow,
    /// When the session was last in use, if the family ends with it.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    session_seen_at: Option<DateTime<Utc>>,
}

impl Postgres {
    /// Rotates a refresh token, or gives again what its rotation gave.
    pub async fn rotate_refresh_token(
        &self,
        rotation: &Rotation<'_>,
        now: DateTime<Utc>,
    ) -> Result<RotateOutcome, StoreError> {
        self.run(async |conn| Ok(rotate(conn, rotation, now).await)).await?
    }

    /// Looks whether a refresh token is good, for a client that keeps its own (FAPI 2.0 Security Profile section 5.3.2.1): it
    /// is not rotated, and nothing is written but, once in a while, that it is in use.
    pub async fn keep_refresh_token(
        &self,
        presented: &Presented<'_>,
        now: DateTime<Utc>,
    ) -> Result<RotateOutcome, StoreError> {
        self.run(async |conn| Ok(keep(conn, presented, now).await)).await?
    }
}

async fn rotate(
    conn: &mut AsyncPgConnection,
    rotation: &Rotation<'_>,
    now: DateTime<Utc>,
) -> Result<RotateOutcome, StoreError> {
    // Twice only if the row changed between the two statements of the first round.
    for _ in 0..2 {
        let row = statement(rotation, now).get_result::<WonRow>(conn).await.optional().map_err(failure)?;
        if let Some(WonRow { rotated, session_seen_at }) = row {
            let rotated = rotated.into_rotated()?;
            // After the rotation and not in its statement: every verb locks the session before the family.
            note_session(conn, rotated.grant.sid, session_seen_at, now).await;
            return Ok(RotateOutcome::Rotated(rotated));
        }
        match find(conn, &rotation.presented, now).await.map_err(failure)? {
            Finding::Settled(outcome) => return Ok(outcome),
            Finding::Previous(row) => return Ok(RotateOutcome::Repeated(row.into_rotated()?)),
            Finding::Older => return revoke_replayed(conn, &rotation.presented, now).await,
            Finding::Current(_) => {}
        }
    }
    Err(StoreError::unavailable("a token family changed while its refresh token was rotated"))
}

async fn keep(
    conn: &mut AsyncPgConnection,
    presented: &Presented<'_>,
    now: DateTime<Utc>,
) -> Result<RotateOutcome, StoreError> {
    let current = match find(conn, presented, now).await.map_err(failure)? {
        Finding::Settled(outcome) => return Ok(outcome),
        Finding::Previous(row) => return Ok(RotateOutcome::Repeated(row.into_rotated()?)),
        Finding::Older => return revoke_replayed(conn, presented, now).await,
        Finding::Current(row) => *row,
    };
    let kept = Kept { grant: current.row.grant.into_grant()?, expires_at: current.row.expires_at };
    note_session(conn, kept.grant.sid, current.session_seen_at, now).await;
    let put_off_to = presented.idle_expires_at.min(kept.expires_at);
    // Where a token ends soon when it is not used, each use counts.
    let grain = session_review::GRAIN.min((presented.idle_expires_at - now) / 4);
    if current.idle_expires_at.is_some_and(|ends| ends + grain <= put_off_to) {
        let put_off = Statement::new(PUT_OFF)
            .bind::<SqlUuid, _>(presented.id.0)
            .bind::<Binary, _>(presented.hash.to_vec())
            .bind::<Timestamptz, _>(put_off_to);
        if let Err(error) = put_off.execute(conn).await {
            tracing::warn!(%error, "the use of a refresh token could not be noted");
        }
    }
    Ok(RotateOutcome::Kept(kept))
}

/// Notes the use of the session that a family ends with. What it was used for is done, so the token goes out also if this
/// fails; the next refresh makes up for it.
async fn note_session(
    conn: &mut AsyncPgConnection,
    sid: Sid,
    session_seen_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) {
    if session_seen_at.is_some_and(|seen_at| session_review::is_note_due(seen_at, now))
        && let Err(error) = session_review::touch(conn, sid, now).await
    {
        tracing::warn!(%error, "the use of a session could not be noted");
    }
}

async fn revoke_replayed(
    conn: &mut AsyncPgConnection,
    presented: &Presented<'_>,
    now: DateTime<Utc>,
) -> Result<RotateOutcome, StoreError> {
    let revoke = Statement::new(REVOKE)
        .bind::<SqlUuid, _>(presented.id.0)
        .bind::<Text, _>(presented.client_id.as_str())
        .bind::<Timestamptz, _>(now);
    revoke.execute(conn).await.map_err(failure)?;
    Ok(RotateOutcome::Replayed)
}

fn statement<'a>(rotation: &Rotation<'a>, now: DateTime<Utc>) -> Statement<'a> {
    let presented = &rotation.presented;
    Statement::new(ROTATE)
        .bind::<SqlUuid, _>(presented.id.0)
        .bind::<Integer, _>(presented.seq)
        .bind::<Binary, _>(presented.hash.to_vec())
        .bind::<Text, _>(presented.client_id.as_str())
        .bind::<Array<Text>, _>(presented.scopes)
        .bind::<Array<Text>, _>(names(presented.resources))
        .bind::<Binary, _>(rotation.successor_hash.to_vec())
        .bind::<Binary, _>(rotation.salt.to_vec())
        .bind::<SmallInt, _>(i16::from(rotation.key_id))
        .bind::<Timestamptz, _>(presented.idle_expires_at)
        .bind::<Timestamptz, _>(now)
        .bind::<Nullable<Text>, _>(presented.jkt)
        .bind::<Bool, _>(rotation.binds_successor)
        .bind::<Array<Text>, _>(presented.allowed_scopes)
        .bind::<Array<Text>, _>(names(presented.allowed_resources))
        .bind::<Nullable<Text>, _>(presented.x5t)
        .bind::<Nullable<Jsonb>, _>(asked(presented.details))
        .bind::<Array<Text>, _>(presented.allowed_types)
}

fn asked(details: &[AuthorizationDetail]) -> Option<Value> {
    (!details.is_empty()).then(|| json!(details))
}

fn names(resources: &[ResourceUri]) -> Vec<&str> {
    resources.iter().map(ResourceUri::as_str).collect()
}

impl RotatedRow {
    fn into_rotated(self) -> Result<Rotated, StoreError> {
        let (Some(rotated_at), Some(salt), Some(key_id)) = (self.rotated_at, self.salt, self.key_id) else {
            return Err(StoreError::corrupt("a rotated token family lacks the facts of its rotation"));
        };
        Ok(Rotated {
            grant: self.grant.into_grant()?,
            seq: self.seq,
            rotated_at,
            salt: salt.try_into().map_err(|_| StoreError::corrupt("a token family's salt has another length"))?,
            key_id: key_id.try_into().map_err(StoreError::corrupt)?,
            expires_at: self.expires_at,
        })
    }
}
