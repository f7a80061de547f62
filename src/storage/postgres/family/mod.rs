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
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::Postgres;
use super::person::PersonRow;
use super::pool::Statement;
use super::schema::{revoked_token, token_family};
use crate::model::family::TokenFamily;
use crate::model::id::{ClientId, FamilyId};
use crate::model::lineage::Lineage;
use crate::storage::StoreError;
use row::{FamilyPersonRow, FamilyRow, family_columns, family_joins, family_stands};

/// Whether all that a token depends on stands at a time: tokens that were not revoked, clients as they were, families. For an
/// ordinary token that is the token alone.
macro_rules! lineage_stands {
    ($now:literal, $tokens:literal, $clients:literal, $generations:literal, $families:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM revoked_token r WHERE r.jti = ANY (",
            $tokens,
            ")) AND NOT EXISTS (SELECT 1 FROM unnest(",
            $clients,
            ", ",
            $generations,
            ") AS v (client_id, generation) WHERE NOT EXISTS (SELECT 1 FROM client k WHERE k.client_id = v.client_id \
                AND k.enabled AND k.generation = v.generation)) \
              AND NOT EXISTS (SELECT 1 FROM unnest(",
            $families,
            ") AS w (id) WHERE NOT EXISTS (SELECT 1 FROM token_family f ",
            family_joins!(),
            " WHERE f.id = w.id AND ",
            family_stands!($now),
            "))"
        )
    };
}

const FIND: &str = concat!(
    "SELECT ",
    family_columns!(),
    ", ",
    family_stands!("$2"),
    " AND ",
    lineage_stands!("$2", "$3", "$4", "$5", "$6"),
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
    lineage_stands!("$2", "$3", "$4", "$5", "$6"),
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

const IS_TOKEN_STANDING: &str = concat!("SELECT ", lineage_stands!("$1", "$2", "$3", "$4", "$5"), " AS stands");

#[derive(QueryableByName)]
struct StandsRow {
    #[diesel(sql_type = Bool)]
    stands: bool,
}

impl Postgres {
    /// A family, and whether it and all that a token of it depends on still stand. A refresh token depends on the family alone.
    pub async fn find_family(
        &self,
        id: FamilyId,
        token: Option<&Lineage>,
        now: DateTime<Utc>,
    ) -> Result<Option<TokenFamily>, StoreError> {
        let statement = Statement::new(FIND).bind::<SqlUuid, _>(id.0).bind::<Timestamptz, _>(now);
        let statement = bind_lineage(statement, token.unwrap_or(&Lineage::default()), Some(id));
        let row = self.run(async |conn| statement.get_result::<FamilyRow>(conn).await.optional()).await?;
        row.map(FamilyRow::into_family).transpose()
    }

    /// A family, whether it and all that a token of it depends on still stand, and the local person it is about, if there is
    /// one.
    pub async fn find_family_with_person(
        &self,
        id: FamilyId,
        token: &Lineage,
        now: DateTime<Utc>,
    ) -> Result<Option<(TokenFamily, Option<PersonRow>)>, StoreError> {
        let statement = Statement::new(FIND_WITH_PERSON).bind::<SqlUuid, _>(id.0).bind::<Timestamptz, _>(now);
        let statement = bind_lineage(statement, token, Some(id));
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

    /// Whether all that a token without a family depends on stands: it was neither ended by itself nor with everything else of
    /// that generation of its client, and the client is enabled.
    pub async fn is_token_standing(&self, token: &Lineage, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let statement = Statement::new(IS_TOKEN_STANDING).bind::<Timestamptz, _>(now);
        let statement = bind_lineage(statement, token, None);
        let row: StandsRow = self.run(async |conn| statement.get_result(conn).await).await?;
        Ok(row.stands)
    }
}

/// The parameters of `lineage_stands!` after the time. The family that is looked for anyway is not looked for twice.
fn bind_lineage<'a>(statement: Statement<'a>, lineage: &Lineage, found: Option<FamilyId>) -> Statement<'a> {
    let (clients, generations): (Vec<String>, Vec<i64>) =
        lineage.clients.iter().map(|(id, generation)| (id.to_string(), *generation)).unzip();
    let families: Vec<Uuid> = lineage.families().filter(|id| Some(*id) != found).map(|id| id.0).collect();
    statement
        .bind::<Array<Text>, _>(lineage.tokens.clone())
        .bind::<Array<Text>, _>(clients)
        .bind::<Array<BigInt>, _>(generations)
        .bind::<Array<SqlUuid>, _>(families)
}
