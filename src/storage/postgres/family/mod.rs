//! Token families: one row per redeemed code, which is the truth for every token that came of it.

// Families as an administrator sees them.
pub mod record;
// Redeeming an authorization code.
pub mod redeem;
// Rotating a refresh token.
pub mod rotate;

// The row and what it says.
mod row;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::Postgres;
use super::person::PersonRow;
use super::pool::Statement;
use super::schema::{revoked_token, token_family};
use crate::model::family::TokenFamily;
use crate::model::id::{ClientId, FamilyId};
use crate::storage::StoreError;
use row::{FamilyPersonRow, FamilyRow, family_columns, family_joins, family_stands};

/// Whether no word was given against the one token that is asked about.
macro_rules! token_stands {
    () => {
        "NOT EXISTS (SELECT 1 FROM revoked_token r WHERE r.jti = $3)"
    };
}

const FIND: &str = concat!(
    "SELECT ",
    family_columns!(),
    ", ",
    family_stands!("$2"),
    " AND ",
    token_stands!(),
    " AS is_alive FROM token_family f ",
    family_joins!(),
    " WHERE f.id = $1"
);

const FIND_WITH_PERSON: &str = concat!(
    "SELECT ",
    family_columns!(),
    ", ",
    family_stands!("$2"),
    " AND ",
    token_stands!(),
    " AS is_alive, p.username AS person_username, p.claims AS person_claims, \
      p.is_administrator AS person_is_administrator, p.updated_at AS person_updated_at FROM token_family f ",
    family_joins!(),
    " LEFT JOIN person p ON p.id = CASE s.backend WHEN 'local' THEN s.backend_ref::uuid END",
    " WHERE f.id = $1"
);

/// A code replayed when its record is gone: proven by its hash and the verifier, so that nobody who merely saw a code
/// can end the family.
const REVOKE_REPLAYED: &str = "
    UPDATE token_family SET revoked_at = $5, revoke_reason = 'code_replay'
    WHERE id = $1 AND client_id = $2 AND code_hash = $3 AND code_challenge IS NOT DISTINCT FROM $4
        AND revoked_at IS NULL";

const IS_TOKEN_STANDING: &str = "
    SELECT EXISTS (SELECT 1 FROM client WHERE client_id = $2 AND generation = $3)
        AND NOT EXISTS (SELECT 1 FROM revoked_token WHERE jti = $1) AS stands";

#[derive(QueryableByName)]
struct StandsRow {
    #[diesel(sql_type = Bool)]
    stands: bool,
}

impl Postgres {
    /// A family, and whether it and the one token of it with that `jti` still stand. A refresh token has no `jti`.
    pub async fn find_family(
        &self,
        id: FamilyId,
        jti: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Option<TokenFamily>, StoreError> {
        let statement =
            Statement::new(FIND).bind::<SqlUuid, _>(id.0).bind::<Timestamptz, _>(now).bind::<Nullable<Text>, _>(jti);
        let row = self.run(async |conn| statement.get_result::<FamilyRow>(conn).await.optional()).await?;
        row.map(FamilyRow::into_family).transpose()
    }

    /// A family, whether it and the one token of it with that `jti` still stand, and the local person it is about, if
    /// there is one.
    pub async fn find_family_with_person(
        &self,
        id: FamilyId,
        jti: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(TokenFamily, Option<PersonRow>)>, StoreError> {
        let statement =
            Statement::new(FIND_WITH_PERSON).bind::<SqlUuid, _>(id.0).bind::<Timestamptz, _>(now).bind::<Text, _>(jti);
        let row = self.run(async |conn| statement.get_result::<FamilyPersonRow>(conn).await.optional()).await?;
        row.map(FamilyPersonRow::into_values).transpose()
    }

    /// Ends a family of that client. `false`: there is none, or it was ended before.
    pub async fn revoke_family(
        &self,
        id: FamilyId,
        client_id: &ClientId,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let standing = token_family::table
            .find(id.0)
            .filter(token_family::client_id.eq(client_id.as_str()))
            .filter(token_family::revoked_at.is_null());
        let revoked = self
            .change(async |conn| {
                diesel::update(standing)
                    .set((token_family::revoked_at.eq(now), token_family::revoke_reason.eq(reason)))
                    .execute(conn)
                    .await
            })
            .await?;
        Ok(revoked > 0)
    }

    /// Ends the family of a code that was presented again after its record was gone. `code_challenge` is the one that the
    /// presented verifier makes; `None` if none was presented. `false`: it is not that code, or was ended before.
    pub async fn revoke_replayed_code(
        &self,
        id: FamilyId,
        client_id: &ClientId,
        code_hash: &[u8; 32],
        code_challenge: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let statement = Statement::new(REVOKE_REPLAYED)
            .bind::<SqlUuid, _>(id.0)
            .bind::<Text, _>(client_id.as_str())
            .bind::<Binary, _>(code_hash.as_slice())
            .bind::<Nullable<Text>, _>(code_challenge)
            .bind::<Timestamptz, _>(now);
        Ok(self.run(async |conn| statement.execute(conn).await).await? > 0)
    }

    /// Ends one token; kept until it would have expired anyway.
    pub async fn insert_revoked_token(&self, jti: &str, expires_at: DateTime<Utc>) -> Result<(), StoreError> {
        self.run(async |conn| {
            diesel::insert_into(revoked_token::table)
                .values((revoked_token::jti.eq(jti), revoked_token::expires_at.eq(expires_at)))
                .on_conflict_do_nothing()
                .execute(conn)
                .await
        })
        .await?;
        Ok(())
    }

    /// Whether a token without a family was neither ended by itself nor with everything else of that generation of its
    /// client.
    pub async fn is_token_standing(
        &self,
        jti: &str,
        client_id: &ClientId,
        client_generation: i64,
    ) -> Result<bool, StoreError> {
        let statement = Statement::new(IS_TOKEN_STANDING)
            .bind::<Text, _>(jti)
            .bind::<Text, _>(client_id.as_str())
            .bind::<BigInt, _>(client_generation);
        let row: StandsRow = self.run(async |conn| statement.get_result(conn).await).await?;
        Ok(row.stands)
    }
}
