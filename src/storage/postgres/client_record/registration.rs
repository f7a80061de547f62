//! Clients that register themselves and manage their registration (RFC 7591, RFC 7592).

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::{Change, expected_row, finish_in_tx, insert_client_in_tx, insert_secret_in_tx};
use crate::model::client::{Client, ClientSecret, ClientSettings};
use crate::model::id::ClientId;
use crate::model::registration::RegistrationPolicy;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::audit::Effect;
use crate::storage::postgres::pool::Statement;
use crate::storage::postgres::rollback::Rollback;
use crate::storage::postgres::schema::{client, client_secret};
use crate::storage::postgres::token_lifetime::record_lifetimes_in_tx;

/// A client that registers itself.
#[derive(Clone, Copy, Debug)]
pub struct NewRegistration<'a> {
    /// The client.
    pub client: &'a Client,
    /// The hash of its registration access token.
    pub token_hash: [u8; 32],
    /// The hash of the initial access token, of which this is one use; absent: everybody may register.
    pub initial_access_token: Option<[u8; 32]>,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationOutcome {
    /// It is registered.
    Registered,
    /// The initial access token was used up, ended or revoked.
    Spent,
    /// There was a client with that identifier.
    Taken,
}

/// The registration of a client, as its rows stand.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The hash of its registration access token.
    pub token_hash: [u8; 32],
    /// The revision of the client.
    pub revision: i64,
    /// Whether somebody else than the client itself has changed it.
    pub is_changed_by_hand: bool,
    /// Whether it may do anything at all.
    pub enabled: bool,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// What clients of its initial access token may have; absent: there was none.
    pub policy: Option<RegistrationPolicy>,
}

/// What takes the place of a registration (RFC 7592 section 2.2).
#[derive(Clone, Copy, Debug)]
pub struct Replacement<'a> {
    /// All of the settings.
    pub settings: &'a ClientSettings,
    /// The hash of the new registration access token.
    pub token_hash: [u8; 32],
    /// A secret, for a client that needs one and has none.
    pub secret: Option<&'a ClientSecret>,
}

const SPEND: &str = "
    UPDATE initial_access_token SET uses = uses + 1
    WHERE hash = $1 AND revoked_at IS NULL AND expires_at > $2 AND (max_uses IS NULL OR uses < max_uses)
    RETURNING id";

const INSERT: &str = "
    INSERT INTO client_registration (client_id, token_hash, initial_access_token, created_at) VALUES ($1, $2, $3, $4)";

const FIND: &str = "
    SELECT r.token_hash, c.revision, c.revision <> r.client_revision AS is_changed_by_hand, c.enabled, r.created_at, t.policy
    FROM client_registration r JOIN client c ON c.client_id = r.client_id
        LEFT JOIN initial_access_token t ON t.id = r.initial_access_token
    WHERE r.client_id = $1 AND c.deleted_at IS NULL";

/// A revision between the two was somebody else's.
const ROTATE: &str = "
    UPDATE client_registration SET token_hash = $2,
        client_revision = CASE WHEN client_revision = $3 - 1 THEN $3 ELSE client_revision END
    WHERE client_id = $1";

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

#[derive(QueryableByName)]
struct RegistrationRow {
    #[diesel(sql_type = Binary)]
    token_hash: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Bool)]
    is_changed_by_hand: bool,
    #[diesel(sql_type = Bool)]
    enabled: bool,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    policy: Option<Value>,
}

impl Postgres {
    /// Registers a client as it wants, and counts the use of its initial access token. No cache has to hear of it: nobody has
    /// asked for a client of that name before.
    pub async fn register_itself(
        &self,
        new: NewRegistration<'_>,
        now: DateTime<Utc>,
    ) -> Result<RegistrationOutcome, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let mut used = None;
                if let Some(hash) = new.initial_access_token {
                    let spend = Statement::new(SPEND).bind::<Binary, _>(hash.to_vec()).bind::<Timestamptz, _>(now);
                    let Some(row) = spend.get_result::<IdRow>(conn).await.optional()? else {
                        return Err(Rollback::Because(RegistrationOutcome::Spent));
                    };
                    used = Some(row.id);
                }
                if !insert_client_in_tx(conn, new.client, now).await? {
                    return Err(Rollback::Because(RegistrationOutcome::Taken));
                }
                let insert = Statement::new(INSERT)
                    .bind::<Text, _>(new.client.id.as_str())
                    .bind::<Binary, _>(new.token_hash.to_vec())
                    .bind::<Nullable<SqlUuid>, _>(used)
                    .bind::<Timestamptz, _>(now);
                insert.execute(conn).await?;
                Ok(RegistrationOutcome::Registered)
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }

    /// The registration of a client that registered itself, unless it was deleted.
    pub async fn find_registration(&self, id: &ClientId) -> Result<Option<Registration>, StoreError> {
        let find = Statement::new(FIND).bind::<Text, _>(id.as_str());
        let row: Option<RegistrationRow> = self.run(async |conn| find.get_result(conn).await.optional()).await?;
        row.map(RegistrationRow::into_registration).transpose()
    }

    /// Replaces a registration and its token, if the client is still in the state that was read with the token.
    pub async fn replace_registration(
        &self,
        id: &ClientId,
        expected: i64,
        new: Replacement<'_>,
        now: DateTime<Utc>,
    ) -> Result<Change, StoreError> {
        let settings = &serde_json::to_value(new.settings).map_err(StoreError::corrupt)?;
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let changed: Option<i64> = diesel::update(expected_row(id, expected))
                    .set((client::settings.eq(settings), client::updated_at.eq(now)))
                    .returning(client::revision)
                    .get_result(conn)
                    .await
                    .optional()?;
                if let Some(revision) = changed {
                    let rotate = Statement::new(ROTATE)
                        .bind::<Text, _>(id.as_str())
                        .bind::<Binary, _>(new.token_hash.to_vec())
                        .bind::<BigInt, _>(revision);
                    rotate.execute(conn).await?;
                    record_lifetimes_in_tx(conn, id, now).await?;
                    if !new.settings.token_endpoint_auth_method.has_secret() {
                        let own = client_secret::table.filter(client_secret::client_id.eq(id.as_str()));
                        diesel::delete(own).execute(conn).await?;
                    }
                    if let Some(secret) = new.secret {
                        insert_secret_in_tx(conn, id, secret, now).await?;
                    }
                }
                finish_in_tx(conn, id, changed).await
            })
            .await
        })
        .await
    }
}

impl RegistrationRow {
    fn into_registration(self) -> Result<Registration, StoreError> {
        let hash = self.token_hash.try_into();
        Ok(Registration {
            token_hash: hash
                .map_err(|_| StoreError::corrupt("the hash of a registration access token has another length"))?,
            revision: self.revision,
            is_changed_by_hand: self.is_changed_by_hand,
            enabled: self.enabled,
            created_at: self.created_at,
            policy: self.policy.map(serde_json::from_value).transpose().map_err(StoreError::corrupt)?,
        })
    }
}

impl Effect for RegistrationOutcome {
    fn is_effective(&self) -> bool {
        *self == Self::Registered
    }
}
