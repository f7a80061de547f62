//! Clients that are named by an address (draft-ietf-oauth-client-id-metadata-document), as their documents were last found.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Text, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::model::client::ClientSettings;
use crate::model::id::ClientId;
use crate::model::registration::RegisteredThrough;
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::audit::Effect;
use crate::storage::postgres::pool::Statement;

/// What is known of the client with such an identifier.
#[derive(Clone, Debug, PartialEq)]
pub enum DocumentStanding {
    /// There is none.
    Absent,
    /// It came in another way, or an administrator disabled or deleted it: its document has no say.
    Settled,
    /// It came by its document.
    Stored(Box<StoredDocument>),
}

/// A document as it was last found.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDocument {
    /// The settings of the client.
    pub settings: ClientSettings,
    /// Its revision.
    pub revision: i64,
    /// Until when nobody has to look again.
    pub fresh_until: DateTime<Utc>,
}

/// A document that was just fetched.
#[derive(Clone, Copy, Debug)]
pub struct FetchedDocument<'a> {
    /// The settings of the client.
    pub settings: &'a ClientSettings,
    /// The revision that they take the place of; absent: there is no such client yet.
    pub expected: Option<i64>,
    /// Until when nobody has to look again.
    pub fresh_until: DateTime<Utc>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentOutcome {
    /// The client is as it says.
    Stored,
    /// Somebody else came first: another instance with the same document, or an administrator.
    Stale,
}

const FIND: &str = "
    SELECT c.registered_through, c.enabled AND c.deleted_at IS NULL AS is_open, c.settings, c.revision, d.fresh_until
    FROM client c LEFT JOIN client_metadata_document d ON d.client_id = c.client_id
    WHERE c.client_id = $1";

/// One statement, so that of two instances one has the client and the other finds it, and so that nobody comes back whom an
/// administrator disabled or deleted. A client that is new is announced to nobody: it was absent, which is not believed for long.
const UPSERT: &str = "
    WITH stored AS (
        INSERT INTO client (client_id, enabled, settings, registered_through, created_at, updated_at)
        VALUES ($1, true, $2, $3, $5, $5)
        ON CONFLICT (client_id) DO UPDATE SET settings = EXCLUDED.settings, updated_at = EXCLUDED.updated_at
            WHERE client.revision = $4 AND client.enabled AND client.deleted_at IS NULL
                AND client.registered_through = $3
        RETURNING client_id, revision
    ), announced AS (
        UPDATE policy_version SET version = version + 1 WHERE $4 IS NOT NULL AND EXISTS (SELECT 1 FROM stored)
    )
    INSERT INTO client_metadata_document AS d (client_id, client_revision, fetched_at, fresh_until, created_at)
    SELECT client_id, revision, $5, $6, $5 FROM stored
    ON CONFLICT (client_id) DO UPDATE SET fetched_at = EXCLUDED.fetched_at, fresh_until = EXCLUDED.fresh_until,
        client_revision = CASE WHEN d.client_revision = EXCLUDED.client_revision - 1
            THEN EXCLUDED.client_revision ELSE d.client_revision END";

const TOUCH: &str = "
    UPDATE client_metadata_document SET fetched_at = $2, fresh_until = greatest(fresh_until, $3) WHERE client_id = $1";

#[derive(QueryableByName)]
struct StandingRow {
    #[diesel(sql_type = Nullable<Text>)]
    registered_through: Option<String>,
    #[diesel(sql_type = Bool)]
    is_open: bool,
    #[diesel(sql_type = Jsonb)]
    settings: Value,
    #[diesel(sql_type = BigInt)]
    revision: i64,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    fresh_until: Option<DateTime<Utc>>,
}

impl Postgres {
    /// What is known of the client with that identifier.
    pub async fn find_client_document(&self, id: &ClientId) -> Result<DocumentStanding, StoreError> {
        let find = Statement::new(FIND).bind::<Text, _>(id.as_str());
        let row: Option<StandingRow> = self.run(async |conn| find.get_result(conn).await.optional()).await?;
        row.map_or(Ok(DocumentStanding::Absent), StandingRow::into_standing)
    }

    /// Makes the client as its document says.
    pub async fn upsert_document_client(
        &self,
        id: &ClientId,
        document: FetchedDocument<'_>,
        now: DateTime<Utc>,
    ) -> Result<DocumentOutcome, StoreError> {
        let settings = &serde_json::to_value(document.settings).map_err(StoreError::corrupt)?;
        let through = RegisteredThrough::ClientMetadataDocument.as_str();
        self.change(async |conn| {
            let upsert = Statement::new(UPSERT)
                .bind::<Text, _>(id.as_str())
                .bind::<Jsonb, _>(settings)
                .bind::<Text, _>(through)
                .bind::<Nullable<BigInt>, _>(document.expected)
                .bind::<Timestamptz, _>(now)
                .bind::<Timestamptz, _>(document.fresh_until);
            let stored = upsert.execute(conn).await?;
            Ok(if stored > 0 { DocumentOutcome::Stored } else { DocumentOutcome::Stale })
        })
        .await
    }

    /// Remembers that the document is as it was.
    pub async fn touch_client_document(
        &self,
        id: &ClientId,
        fresh_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let touch = Statement::new(TOUCH)
            .bind::<Text, _>(id.as_str())
            .bind::<Timestamptz, _>(now)
            .bind::<Timestamptz, _>(fresh_until);
        self.run(async |conn| touch.execute(conn).await).await.map(drop)
    }
}

impl StandingRow {
    fn into_standing(self) -> Result<DocumentStanding, StoreError> {
        let through = self.registered_through.as_deref().and_then(RegisteredThrough::from_name);
        match (through, self.fresh_until) {
            (Some(RegisteredThrough::ClientMetadataDocument), Some(fresh_until)) if self.is_open => {
                let settings = serde_json::from_value(self.settings).map_err(StoreError::corrupt)?;
                let stored = StoredDocument { settings, revision: self.revision, fresh_until };
                Ok(DocumentStanding::Stored(Box::new(stored)))
            }
            _ => Ok(DocumentStanding::Settled),
        }
    }
}

impl Effect for DocumentOutcome {
    fn is_effective(&self) -> bool {
        *self == Self::Stored
    }
}
