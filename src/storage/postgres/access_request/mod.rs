//! The clients that people ask for: asked, decided once, and the credentials handed over once.

// Approving and refusing.
mod decide;

use chrono::{DateTime, Utc};
use diesel::prelude::QueryableByName;
use diesel::sql_types::{BigInt, Binary, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use self::decide::{Decision, DecisionOutcome};
use super::Postgres;
use super::pool::Statement;
use crate::model::client::ClientSettings;
use crate::model::id::{ClientId, SubjectId};
use crate::storage::StoreError;

/// How a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccessRequestStatus {
    /// Nobody has decided yet.
    Open,
    /// The client is registered, its credentials wait for the person.
    Approved,
    /// There will be no such client.
    Refused,
    /// The person has the credentials.
    Delivered,
}

impl AccessRequestStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Open, Self::Approved, Self::Refused, Self::Delivered];

    /// The word in the row.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Delivered => "delivered",
        }
    }
}

/// A request as its row stands.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessRequest {
    /// Its identifier.
    pub id: Uuid,
    /// Who asks.
    pub subject: SubjectId,
    /// The client that they ask for; once it is approved, the client that they got.
    pub settings: ClientSettings,
    /// What for.
    pub reason: String,
    /// How it stands.
    pub status: AccessRequestStatus,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<DateTime<Utc>>,
    /// What they said.
    pub note: Option<String>,
    /// The client that came of it.
    pub client_id: Option<ClientId>,
    /// When the person fetched the credentials.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Raised by every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Credentials on their way to the person, and gone from the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The client.
    pub client_id: ClientId,
    /// Its secret, sealed; absent for a client that has none.
    pub sealed_secret: Option<Vec<u8>>,
}

const INSERT: &str = "
    INSERT INTO access_request (id, subject, settings, reason, status, created_at)
    SELECT $1, $2, $3, $4, 'open', $5
    WHERE (SELECT count(*) FROM access_request WHERE subject = $2 AND status = 'open') < $6";

const LOCK_SUBJECT: &str = "
    SELECT true AS is_there FROM subject WHERE id = $1 AND status = 'active' AND deleted_at IS NULL FOR NO KEY UPDATE";

const FIND: &str = "
    SELECT id, subject, settings, reason, status, decided_by, decided_at, note, client_id, delivered_at, revision, created_at
    FROM access_request WHERE id = $1";

const LIST: &str = "
    SELECT id, subject, settings, reason, status, decided_by, decided_at, note, client_id, delivered_at, revision, created_at
    FROM access_request
    WHERE ($1 IS NULL OR status = $1) AND ($2 IS NULL OR subject = $2)
        AND ($3 IS NULL OR (created_at, id) < ($3, $4))
    ORDER BY created_at DESC, id DESC LIMIT $5";

const WITHDRAW: &str = "DELETE FROM access_request WHERE id = $1 AND subject = $2 AND status = 'open'";

/// What is returned is the row as it was before: the second of two that come at once waits, and finds nothing to deliver.
const DELIVER: &str = "
    WITH held AS (
        SELECT id, client_id, sealed_secret FROM access_request
        WHERE id = $1 AND subject = $2 AND status = 'approved' FOR UPDATE
    )
    UPDATE access_request a SET status = 'delivered', delivered_at = $3, sealed_secret = NULL
    FROM held WHERE a.id = held.id
    RETURNING held.client_id, held.sealed_secret";

#[derive(QueryableByName)]
struct RequestRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = Jsonb)]
    settings: Value,
    #[diesel(sql_type = Text)]
    reason: String,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Nullable<Text>)]
    decided_by: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    decided_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    note: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    client_id: Option<String>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    delivered_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
}

#[derive(QueryableByName)]
struct ThereRow {
    #[diesel(sql_type = Bool)]
    is_there: bool,
}

#[derive(QueryableByName)]
struct DeliveryRow {
    #[diesel(sql_type = Nullable<Text>)]
    client_id: Option<String>,
    #[diesel(sql_type = Nullable<Binary>)]
    sealed_secret: Option<Vec<u8>>,
}

/// Where a page of a list begins.
pub type Place = (DateTime<Utc>, Uuid);

impl Postgres {
    /// Asks for a client. `false`: the person has `most` open requests already, or may not sign in.
    pub async fn insert_access_request(
        &self,
        (id, subject): (Uuid, &SubjectId),
        settings: &ClientSettings,
        reason: &str,
        most: i64,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let settings = &serde_json::to_value(settings).map_err(StoreError::corrupt)?;
        self.run(async |conn| {
            conn.transaction(async |conn| {
                // Of two at once, the second counts the first.
                let lock = Statement::new(LOCK_SUBJECT).bind::<Text, _>(subject.as_str());
                if !is_there(lock, conn).await? {
                    return QueryResult::Ok(false);
                }
                let insert = Statement::new(INSERT)
                    .bind::<SqlUuid, _>(id)
                    .bind::<Text, _>(subject.as_str())
                    .bind::<Jsonb, _>(settings)
                    .bind::<Text, _>(reason)
                    .bind::<Timestamptz, _>(now)
                    .bind::<BigInt, _>(most);
                Ok(insert.execute(conn).await? > 0)
            })
            .await
        })
        .await
    }

    /// The request with that identifier.
    pub async fn find_access_request(&self, id: Uuid) -> Result<Option<AccessRequest>, StoreError> {
        let find = Statement::new(FIND).bind::<SqlUuid, _>(id);
        let row = self.run(async |conn| find.get_result::<RequestRow>(conn).await.optional()).await?;
        row.map(RequestRow::into_request).transpose()
    }

    /// Up to `limit` requests, newest first, beginning behind `after`; with `status` those that stand so, with `subject`
    /// those of that person.
    pub async fn list_access_requests(
        &self,
        (status, subject): (Option<AccessRequestStatus>, Option<&SubjectId>),
        after: Option<Place>,
        limit: i64,
    ) -> Result<Vec<AccessRequest>, StoreError> {
        let (at, id) = after.unzip();
        let list = Statement::new(LIST)
            .bind::<Nullable<Text>, _>(status.map(AccessRequestStatus::as_str))
            .bind::<Nullable<Text>, _>(subject.map(SubjectId::as_str))
            .bind::<Nullable<Timestamptz>, _>(at)
            .bind::<Nullable<SqlUuid>, _>(id)
            .bind::<BigInt, _>(limit);
        let rows = self.run(async |conn| list.load::<RequestRow>(conn).await).await?;
        rows.into_iter().map(RequestRow::into_request).collect()
    }

    /// Takes a request back. `false`: it is not theirs, or was decided.
    pub async fn withdraw_access_request(&self, id: Uuid, subject: &SubjectId) -> Result<bool, StoreError> {
        let withdraw = Statement::new(WITHDRAW).bind::<SqlUuid, _>(id).bind::<Text, _>(subject.as_str());
        Ok(self.run(async |conn| withdraw.execute(conn).await).await? > 0)
    }

    /// Hands the credentials over, once. `None`: there is nothing to hand over, to this person.
    pub async fn deliver_access_request(
        &self,
        id: Uuid,
        subject: &SubjectId,
        now: DateTime<Utc>,
    ) -> Result<Option<Delivery>, StoreError> {
        let deliver = Statement::new(DELIVER)
            .bind::<SqlUuid, _>(id)
            .bind::<Text, _>(subject.as_str())
            .bind::<Timestamptz, _>(now);
        let row = self.run(async |conn| deliver.get_result::<DeliveryRow>(conn).await.optional()).await?;
        let delivery = |row: DeliveryRow| {
            let client_id = row.client_id.ok_or_else(|| StoreError::corrupt("an approved request has no client"))?;
            Ok(Delivery { client_id: ClientId::new(client_id), sealed_secret: row.sealed_secret })
        };
        row.map(delivery).transpose()
    }
}

async fn is_there(statement: Statement<'_>, conn: &mut AsyncPgConnection) -> QueryResult<bool> {
    Ok(statement.get_result::<ThereRow>(conn).await.optional()?.is_some_and(|row| row.is_there))
}

impl RequestRow {
    fn into_request(self) -> Result<AccessRequest, StoreError> {
        let status = AccessRequestStatus::ALL.into_iter().find(|status| status.as_str() == self.status);
        Ok(AccessRequest {
            id: self.id,
            subject: SubjectId::new(self.subject),
            settings: serde_json::from_value(self.settings).map_err(StoreError::corrupt)?,
            reason: self.reason,
            status: status.ok_or_else(|| StoreError::corrupt("an access request has an unknown status"))?,
            decided_by: self.decided_by,
            decided_at: self.decided_at,
            note: self.note,
            client_id: self.client_id.map(ClientId::new),
            delivered_at: self.delivered_at,
            revision: self.revision,
            created_at: self.created_at,
        })
    }
}
