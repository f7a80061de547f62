//! What people allowed clients for later requests too.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Text, Timestamptz, Uuid};
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::Postgres;
use super::pool::Statement;
use super::revocation::revoke_codes_in_tx;
use super::schema::{consent, token_family};
use crate::model::id::{ClientId, ResourceUri, Sid, SubjectId};
use crate::storage::StoreError;

/// What a person allowed a client until further notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// The scopes.
    pub scopes: Vec<String>,
    /// The resources.
    pub resources: Vec<ResourceUri>,
    /// When the person last said so.
    pub granted_at: DateTime<Utc>,
}

/// What came of taking a consent back. Any of it is worth a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Whether there was a consent.
    pub is_deleted: bool,
    /// How many token families were revoked.
    pub families: usize,
    /// Whether the codes that waited were ended: the subject is known.
    pub has_ended_codes: bool,
}

#[derive(Queryable)]
struct ConsentRow {
    client_id: String,
    scopes: Vec<String>,
    resources: Vec<String>,
    granted_at: DateTime<Utc>,
}

/// What was there stays, unless its time was over. The locks make an end of the session that is under way come before or after,
/// and the subject is held first, as whoever ends all sessions of a person does.
const UPSERT: &str = "
    WITH active AS (
        SELECT id, generation FROM subject WHERE id = $1 AND status = 'active' FOR SHARE
    ), alive AS (
        SELECT e.subject FROM session e JOIN active ON e.subject = active.id AND e.generation = active.generation
        WHERE e.sid = $6 AND e.ended_at IS NULL AND e.expires_at > $5
        FOR SHARE OF e
    )
    INSERT INTO consent AS c (subject, client_id, scopes, resources, granted_at)
    SELECT subject, $2, $3, $4, $5 FROM alive
    ON CONFLICT (subject, client_id) DO UPDATE SET
        scopes = CASE WHEN c.expires_at <= $5 THEN EXCLUDED.scopes
            ELSE c.scopes || ARRAY(SELECT n FROM unnest(EXCLUDED.scopes) AS n WHERE n <> ALL (c.scopes)) END,
        resources = CASE WHEN c.expires_at <= $5 THEN EXCLUDED.resources
            ELSE c.resources || ARRAY(SELECT n FROM unnest(EXCLUDED.resources) AS n WHERE n <> ALL (c.resources)) END,
        granted_at = EXCLUDED.granted_at,
        expires_at = NULL";

impl Postgres {
    /// Adds scopes and resources to what a person allowed a client. False, and nothing is written, if the session in which they
    /// said so does not stand any more.
    pub async fn upsert_consent(
        &self,
        signed_in: (&SubjectId, Sid),
        client_id: &ClientId,
        scopes: &[String],
        resources: &[ResourceUri],
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (subject, sid) = signed_in;
        let resources: Vec<&str> = resources.iter().map(ResourceUri::as_str).collect();
        let statement = Statement::new(UPSERT)
            .bind::<Text, _>(subject.as_str())
            .bind::<Text, _>(client_id.as_str())
            .bind::<Array<Text>, _>(scopes)
            .bind::<Array<Text>, _>(resources)
            .bind::<Timestamptz, _>(now)
            .bind::<Uuid, _>(sid.0);
        Ok(self.run(async |conn| statement.execute(conn).await).await? > 0)
    }

    /// Takes back what a person allowed a client, and with it every token that came of it, and every code that waits.
    pub async fn delete_consent(
        &self,
        subject: &SubjectId,
        client_id: &ClientId,
        now: DateTime<Utc>,
    ) -> Result<Withdrawal, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                // First: an exchange of a code too holds the subject before it makes a family.
                let has_ended_codes = revoke_codes_in_tx(conn, subject, now).await?;
                let deleted = diesel::delete(consent::table.find((subject.as_str(), client_id.as_str())));
                let deleted = deleted.execute(conn).await?;
                let theirs = token_family::table
                    .filter(token_family::subject.eq(subject.as_str()))
                    .filter(token_family::client_id.eq(client_id.as_str()))
                    .filter(token_family::revoked_at.is_null());
                let families = diesel::update(theirs)
                    .set((token_family::revoked_at.eq(now), token_family::revoke_reason.eq("consent_withdrawn")))
                    .execute(conn)
                    .await?;
                Ok(Withdrawal { is_deleted: deleted > 0, families, has_ended_codes })
            })
            .await
        })
        .await
    }

    /// Everything that a person allowed and that has not expired, by client.
    pub async fn list_consents(
        &self,
        subject: &SubjectId,
        now: DateTime<Utc>,
    ) -> Result<Vec<(ClientId, Consent)>, StoreError> {
        let rows: Vec<ConsentRow> = self
            .run(async |conn| {
                consent::table
                    .filter(consent::subject.eq(subject.as_str()))
                    .filter(consent::expires_at.is_null().or(consent::expires_at.assume_not_null().gt(now)))
                    .order(consent::client_id)
                    .select((consent::client_id, consent::scopes, consent::resources, consent::granted_at))
                    .load(conn)
                    .await
            })
            .await?;
        let values = rows
            .into_iter()
            .map(|row| (ClientId::new(row.client_id), Consent::new(row.scopes, row.resources, row.granted_at)));
        Ok(values.collect())
    }
}

impl Consent {
    pub(super) fn new(scopes: Vec<String>, resources: Vec<String>, granted_at: DateTime<Utc>) -> Self {
        Self { scopes, resources: resources.into_iter().map(ResourceUri::new).collect(), granted_at }
    }
}
