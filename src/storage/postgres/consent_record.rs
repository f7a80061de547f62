//! Consents as an administrator sees them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::Postgres;
use super::consent::Consent;
use super::schema::consent;
use crate::model::id::{ClientId, SubjectId};
use crate::storage::StoreError;

/// What somebody allowed a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentRecord {
    /// Who.
    pub subject: SubjectId,
    /// Which client.
    pub client_id: ClientId,
    /// What.
    pub consent: Consent,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The place of a consent in the list.
pub type ConsentKey = (SubjectId, ClientId);

/// Which consents to list.
#[derive(Clone, Copy, Debug)]
pub struct ConsentFilter<'a> {
    /// Only those of this subject.
    pub subject: Option<&'a SubjectId>,
    /// Only those for this client.
    pub client_id: Option<&'a ClientId>,
}

#[derive(Queryable)]
struct ConsentRow {
    subject: String,
    client_id: String,
    scopes: Vec<String>,
    resources: Vec<String>,
    granted_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

impl Postgres {
    /// Up to `limit` consents that have not expired, by subject and client, beginning behind `after`.
    pub async fn list_consent_records(
        &self,
        filter: ConsentFilter<'_>,
        after: Option<&ConsentKey>,
        limit: i64,
        now: DateTime<Utc>,
    ) -> Result<Vec<ConsentRecord>, StoreError> {
        let mut page = consent::table
            .filter(consent::expires_at.is_null().or(consent::expires_at.assume_not_null().gt(now)))
            .select((
                consent::subject,
                consent::client_id,
                consent::scopes,
                consent::resources,
                consent::granted_at,
                consent::expires_at,
            ))
            .order((consent::subject, consent::client_id))
            .limit(limit)
            .into_boxed();
        if let Some((subject, client_id)) = after {
            // The first condition is what an index can begin at.
            page = page.filter(consent::subject.ge(subject.as_str()));
            page = page.filter(consent::subject.gt(subject.as_str()).or(consent::client_id.gt(client_id.as_str())));
        }
        if let Some(subject) = filter.subject {
            page = page.filter(consent::subject.eq(subject.as_str()));
        }
        if let Some(client_id) = filter.client_id {
            page = page.filter(consent::client_id.eq(client_id.as_str()));
        }
        let rows: Vec<ConsentRow> = self.run(async |conn| page.load(conn).await).await?;
        let record = |row: ConsentRow| ConsentRecord {
            subject: SubjectId::new(row.subject),
            client_id: ClientId::new(row.client_id),
            consent: Consent::new(row.scopes, row.resources, row.granted_at),
            expires_at: row.expires_at,
        };
        Ok(rows.into_iter().map(record).collect())
    }
}
