//! Initial access tokens (RFC 7591 section 3): whoever has one may register clients. Uses are counted where a client is
//! registered, in its transaction.

use chrono::{DateTime, Utc};
use diesel::prelude::{OptionalExtension, QueryableByName};
use diesel::sql_types::{BigInt, Binary, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Postgres;
use super::kept_answer::{Creation, KeptAnswer};
use super::pool::Statement;
use crate::model::registration::RegistrationPolicy;
use crate::storage::StoreError;

/// An initial access token as its row stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialAccessToken {
    /// Its identifier.
    pub id: Uuid,
    /// What it is for, in the words of whoever made it.
    pub note: String,
    /// What its clients may have.
    pub policy: RegistrationPolicy,
    /// How many clients were registered with it.
    pub uses: i32,
    /// How many may be; absent: any number.
    pub max_uses: Option<i32>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// When it was ended before.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

const INSERT: &str = "
    INSERT INTO initial_access_token (id, hash, note, policy, max_uses, expires_at, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";

const LIST: &str = "
    SELECT id, note, policy, uses, max_uses, expires_at, revoked_at, created_at FROM initial_access_token
    WHERE $1 IS NULL OR id > $1 ORDER BY id LIMIT $2";

const FIND_LIVE: &str = "
    SELECT id, note, policy, uses, max_uses, expires_at, revoked_at, created_at FROM initial_access_token
    WHERE hash = $1 AND revoked_at IS NULL AND expires_at > $2 AND (max_uses IS NULL OR uses < max_uses)";

const REVOKE: &str = "UPDATE initial_access_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";

const COUNT: &str = "SELECT count(*) AS count FROM initial_access_token WHERE id = $1";

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[derive(QueryableByName)]
struct TokenRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    note: String,
    #[diesel(sql_type = Jsonb)]
    policy: Value,
    #[diesel(sql_type = Integer)]
    uses: i32,
    #[diesel(sql_type = Nullable<Integer>)]
    max_uses: Option<i32>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    revoked_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
}

impl Postgres {
    /// Keeps a token of which `hash` is the hash, once for each key of `answer`.
    pub async fn insert_initial_access_token(
        &self,
        token: &InitialAccessToken,
        hash: [u8; 32],
        answer: Option<&KeptAnswer>,
    ) -> Result<Creation, StoreError> {
        let insert = Statement::new(INSERT)
            .bind::<SqlUuid, _>(token.id)
            .bind::<Binary, _>(hash.to_vec())
            .bind::<Text, _>(&token.note)
            .bind::<Jsonb, _>(json!(token.policy))
            .bind::<Nullable<Integer>, _>(token.max_uses)
            .bind::<Timestamptz, _>(token.expires_at)
            .bind::<Timestamptz, _>(token.created_at);
        self.register_entry(insert, answer, token.created_at).await
    }

    /// Up to `limit` tokens in the order of their identifiers, beginning behind `after`.
    pub async fn list_initial_access_tokens(
        &self,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<InitialAccessToken>, StoreError> {
        let list = Statement::new(LIST).bind::<Nullable<SqlUuid>, _>(after).bind::<BigInt, _>(limit);
        let rows: Vec<TokenRow> = self.run(async |conn| list.load(conn).await).await?;
        rows.into_iter().map(TokenRow::into_token).collect()
    }

    /// The token of that hash, if a client can be registered with it.
    pub async fn find_live_initial_access_token(
        &self,
        hash: [u8; 32],
        now: DateTime<Utc>,
    ) -> Result<Option<InitialAccessToken>, StoreError> {
        let find = Statement::new(FIND_LIVE).bind::<Binary, _>(hash.to_vec()).bind::<Timestamptz, _>(now);
        let row: Option<TokenRow> = self.run(async |conn| find.get_result(conn).await.optional()).await?;
        row.map(TokenRow::into_token).transpose()
    }

    /// Ends a token before its time; the clients that were registered with it stay. `false`: it was ended before.
    pub async fn revoke_initial_access_token(&self, id: Uuid, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let revoke = Statement::new(REVOKE).bind::<SqlUuid, _>(id).bind::<Timestamptz, _>(now);
        self.change(async |conn| revoke.execute(conn).await.map(|rows| rows > 0)).await
    }

    /// Whether there is a token of that identifier, ended or not.
    pub async fn has_initial_access_token(&self, id: Uuid) -> Result<bool, StoreError> {
        let find = Statement::new(COUNT).bind::<SqlUuid, _>(id);
        let row: CountRow = self.run(async |conn| find.get_result(conn).await).await?;
        Ok(row.count > 0)
    }
}

impl TokenRow {
    fn into_token(self) -> Result<InitialAccessToken, StoreError> {
        Ok(InitialAccessToken {
            id: self.id,
            note: self.note,
            policy: serde_json::from_value(self.policy).map_err(StoreError::corrupt)?,
            uses: self.uses,
            max_uses: self.max_uses,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            created_at: self.created_at,
        })
    }
}
