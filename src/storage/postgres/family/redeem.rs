//! Redeeming an authorization code (RFC 6749 section 4.1.3): one statement, whose success is the family's row.
//!
//! 1. The subject is held with a share of its row, so that disabling it comes wholly before or wholly after.
//! 2. The session's row is touched, so that a logout comes before (and this loses) or after (and sees the family).
//! 3. The row is inserted under the code's own identifier. Another exchange that was there first makes this a replay,
//!    and the same statement revokes the family (RFC 6749 section 4.1.2).
//!
//! A client that nobody registered by hand may be removed when nobody uses it: its row is held with a share of its key, so that
//! this comes wholly before its first family or not at all. The rows of all others, which are used by many at once, are only read.
//!
//! The order of the locks, subject before session before client before family, is that of every other verb.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use crate::model::family::Grant;
use crate::model::id::{ExchangeId, FamilyId, ResourceUri};
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::pool::Statement;

/// The first refresh token of a family.
#[derive(Clone, Copy, Debug)]
pub struct NewRefresh {
    /// The hash of its secret.
    pub hash: [u8; 32],
    /// When it ends if nobody uses it.
    pub idle_expires_at: DateTime<Utc>,
}

/// A code to redeem. Everything else about it has been verified.
#[derive(Clone, Copy, Debug)]
pub struct Redemption<'a> {
    /// The code's identifier, which becomes the family's.
    pub id: FamilyId,
    /// Which attempt this is.
    pub exchange_id: ExchangeId,
    /// What the person granted.
    pub grant: &'a Grant,
    /// The number of the subject's codes that it was made under; absent: made by a version that knew none.
    pub code_generation: Option<i64>,
    /// The hash of the code's secret.
    pub code_hash: [u8; 32],
    /// The PKCE challenge, if there was one.
    pub code_challenge: Option<&'a str>,
    /// The refresh token, if there is to be one.
    pub refresh: Option<NewRefresh>,
    /// The thumbprint of the key that refresh tokens of the family are bound to (RFC 9449 section 5).
    pub bound_jkt: Option<&'a str>,
    /// The thumbprint of the certificate that they are bound to (RFC 8705 section 4).
    pub bound_x5t: Option<&'a str>,
    /// When the family ends.
    pub expires_at: DateTime<Utc>,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedeemOutcome {
    /// This exchange has the family: the tokens may go out.
    Won,
    /// Another exchange had it first. The family has been revoked.
    Replayed,
    /// The subject was disabled, or signed out everywhere, since the code was made.
    SubjectGone,
    /// The session ended.
    SessionEnded,
    /// The client was disabled.
    ClientDisabled,
    /// It has been revoked since it was made, with others of the client or of the subject.
    Revoked,
}

const REDEEM: &str = "
    WITH active AS (
        SELECT id FROM subject WHERE id = $5 AND status = 'active' AND generation = $6
            AND code_generation = coalesce($21, code_generation) FOR SHARE
    ), alive AS (
        UPDATE session e SET seen_at = greatest(e.seen_at, $19)
        FROM active
        WHERE e.sid = $7 AND e.subject = active.id AND e.generation = $6
            AND e.ended_at IS NULL AND e.expires_at > $19
        RETURNING e.sid
    ), held AS (
        SELECT 1 FROM client WHERE client_id = $4 AND registered_through IS NOT NULL FOR KEY SHARE
    )
    INSERT INTO token_family (
        id, exchange_id, grant_type, client_id, subject, generation, sid, scopes, resources, claims, acr, amr, auth_time,
        code_hash, code_challenge, cur_hash, idle_expires_at, expires_at, created_at, client_generation,
        bound_jkt, bound_x5t, authorization_details
    )
    SELECT $1, $2, $3, $4, $5, $6, alive.sid, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
        $22, $23, $24
    FROM alive JOIN client ON client.client_id = $4 AND client.enabled AND client.generation = $20
        AND (client.registered_through IS NULL OR EXISTS (SELECT 1 FROM held))
    ON CONFLICT (id) DO UPDATE
        SET revoked_at = coalesce(token_family.revoked_at, EXCLUDED.created_at), revoke_reason = 'code_replay'
        WHERE token_family.exchange_id <> EXCLUDED.exchange_id AND token_family.client_id = EXCLUDED.client_id
    RETURNING exchange_id = $2 AS won";

/// A replay is also one after the session ended or the client was disabled; then the statement above found nothing to
/// insert and so no conflict.
const REVOKE_REPLAYED: &str = "
    UPDATE token_family SET revoked_at = coalesce(revoked_at, $4), revoke_reason = 'code_replay'
    WHERE id = $1 AND exchange_id <> $2 AND client_id = $3";

const CLASSIFY: &str = "
    SELECT
        EXISTS (SELECT 1 FROM token_family WHERE id = $1) AS is_redeemed,
        EXISTS (SELECT 1 FROM token_family WHERE id = $1 AND exchange_id = $2 AND revoked_at IS NULL) AS is_ours,
        EXISTS (SELECT 1 FROM subject WHERE id = $3 AND status = 'active' AND generation = $4) AS is_subject_active,
        EXISTS (SELECT 1 FROM client WHERE client_id = $5 AND enabled) AS is_client_enabled,
        EXISTS (SELECT 1 FROM client WHERE client_id = $5 AND generation = $6)
            AND EXISTS (SELECT 1 FROM subject WHERE id = $3 AND code_generation = coalesce($7, code_generation))
            AS is_of_generation";

#[derive(QueryableByName)]
struct WonRow {
    #[diesel(sql_type = Bool)]
    won: bool,
}

#[derive(QueryableByName)]
struct ClassifyRow {
    #[diesel(sql_type = Bool)]
    is_redeemed: bool,
    #[diesel(sql_type = Bool)]
    is_ours: bool,
    #[diesel(sql_type = Bool)]
    is_subject_active: bool,
    #[diesel(sql_type = Bool)]
    is_client_enabled: bool,
    #[diesel(sql_type = Bool)]
    is_of_generation: bool,
}

impl Postgres {
    /// Redeems a code, once.
    pub async fn redeem_code(
        &self,
        redemption: &Redemption<'_>,
        now: DateTime<Utc>,
    ) -> Result<RedeemOutcome, StoreError> {
        self.run(async |conn| {
            let row = statement(redemption, now).get_result::<WonRow>(conn).await.optional()?;
            match row {
                Some(WonRow { won: true }) => Ok(RedeemOutcome::Won),
                Some(WonRow { won: false }) => Ok(RedeemOutcome::Replayed),
                None => classify(conn, redemption, now).await,
            }
        })
        .await
    }
}

fn statement<'a>(redemption: &Redemption<'a>, now: DateTime<Utc>) -> Statement<'a> {
    let grant = redemption.grant;
    let resources: Vec<&str> = grant.resources.iter().map(ResourceUri::as_str).collect();
    let details = (!grant.authorization_details.is_empty()).then(|| json!(grant.authorization_details));
    Statement::new(REDEEM)
        .bind::<SqlUuid, _>(redemption.id.0)
        .bind::<SqlUuid, _>(redemption.exchange_id.0)
        .bind::<Text, _>(grant.grant_type.as_str())
        .bind::<Text, _>(grant.client_id.as_str())
        .bind::<Text, _>(grant.subject.as_str())
        .bind::<BigInt, _>(grant.generation)
        .bind::<SqlUuid, _>(grant.sid.0)
        .bind::<Array<Text>, _>(grant.scopes.as_slice())
        .bind::<Array<Text>, _>(resources)
        .bind::<Nullable<Jsonb>, _>(grant.claims.as_ref())
        .bind::<Text, _>(grant.authentication.acr.as_str())
        .bind::<Array<Text>, _>(grant.authentication.amr.as_slice())
        .bind::<Timestamptz, _>(grant.authentication.auth_time)
        .bind::<Binary, _>(redemption.code_hash.to_vec())
        .bind::<Nullable<Text>, _>(redemption.code_challenge)
        .bind::<Nullable<Binary>, _>(redemption.refresh.map(|refresh| refresh.hash.to_vec()))
        .bind::<Nullable<Timestamptz>, _>(redemption.refresh.map(|refresh| refresh.idle_expires_at))
        .bind::<Timestamptz, _>(redemption.expires_at)
        .bind::<Timestamptz, _>(now)
        .bind::<BigInt, _>(grant.client_generation)
        .bind::<Nullable<BigInt>, _>(redemption.code_generation)
        .bind::<Nullable<Text>, _>(redemption.bound_jkt)
        .bind::<Nullable<Text>, _>(redemption.bound_x5t)
        .bind::<Nullable<Jsonb>, _>(details)
}

/// Why nothing was inserted or changed: the same attempt repeated, a replay without a conflict, or something that ended.
async fn classify(
    conn: &mut AsyncPgConnection,
    redemption: &Redemption<'_>,
    now: DateTime<Utc>,
) -> QueryResult<RedeemOutcome> {
    let grant = redemption.grant;
    let replayed = Statement::new(REVOKE_REPLAYED)
        .bind::<SqlUuid, _>(redemption.id.0)
        .bind::<SqlUuid, _>(redemption.exchange_id.0)
        .bind::<Text, _>(grant.client_id.as_str())
        .bind::<Timestamptz, _>(now)
        .execute(conn)
        .await?;
    if replayed > 0 {
        return Ok(RedeemOutcome::Replayed);
    }
    let row: ClassifyRow = Statement::new(CLASSIFY)
        .bind::<SqlUuid, _>(redemption.id.0)
        .bind::<SqlUuid, _>(redemption.exchange_id.0)
        .bind::<Text, _>(grant.subject.as_str())
        .bind::<BigInt, _>(grant.generation)
        .bind::<Text, _>(grant.client_id.as_str())
        .bind::<BigInt, _>(grant.client_generation)
        .bind::<Nullable<BigInt>, _>(redemption.code_generation)
        .get_result(conn)
        .await?;
    Ok(if row.is_ours {
        RedeemOutcome::Won
    } else if row.is_redeemed {
        RedeemOutcome::Replayed
    } else if !row.is_subject_active {
        RedeemOutcome::SubjectGone
    } else if !row.is_client_enabled {
        RedeemOutcome::ClientDisabled
    } else if !row.is_of_generation {
        RedeemOutcome::Revoked
    } else {
        RedeemOutcome::SessionEnded
    })
}
