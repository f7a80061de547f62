//! Token families as an administrator sees them: what was granted and how it stands, never what tokens are checked against.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::row::{FamilyRow, family_columns, family_joins, family_stands};
use crate::model::family::TokenFamily;
use crate::model::id::{ClientId, FamilyId, Sid, SubjectId};
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::pool::Statement;
use crate::storage::postgres::schema::token_family;

/// A family and its history.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyRecord {
    /// The family.
    pub family: TokenFamily,
    /// When its code was redeemed.
    pub created_at: DateTime<Utc>,
    /// When its refresh token was last rotated.
    pub rotated_at: Option<DateTime<Utc>>,
    /// Why it was revoked.
    pub revoke_reason: Option<String>,
}

/// Which families to list.
#[derive(Clone, Copy, Debug)]
pub struct FamilyFilter<'a> {
    /// Only those of this subject.
    pub subject: Option<&'a SubjectId>,
    /// Only those of this client.
    pub client_id: Option<&'a ClientId>,
    /// Only those of this session.
    pub sid: Option<Sid>,
}

/// Identifiers begin with their time, so their order is that of the codes.
const FIND: &str = concat!(
    "SELECT ",
    family_columns!(),
    ", ",
    family_stands!("$2"),
    " AS is_alive, f.created_at, f.rotated_at, f.revoke_reason FROM token_family f ",
    family_joins!(),
    " WHERE f.id = ANY ($1) ORDER BY f.id DESC"
);

#[derive(QueryableByName)]
struct RecordRow {
    #[diesel(embed)]
    family: FamilyRow,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    rotated_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    revoke_reason: Option<String>,
}

impl Postgres {
    /// The family with that identifier.
    pub async fn find_family_record(
        &self,
        id: FamilyId,
        now: DateTime<Utc>,
    ) -> Result<Option<FamilyRecord>, StoreError> {
        let statement = Statement::new(FIND).bind::<Array<SqlUuid>, _>(vec![id.0]).bind::<Timestamptz, _>(now);
        let row = self.run(async |conn| statement.get_result::<RecordRow>(conn).await.optional()).await?;
        row.map(RecordRow::into_record).transpose()
    }

    /// Up to `limit` families, the newest first, beginning behind `after`.
    pub async fn list_family_records(
        &self,
        filter: FamilyFilter<'_>,
        after: Option<FamilyId>,
        limit: i64,
        now: DateTime<Utc>,
    ) -> Result<Vec<FamilyRecord>, StoreError> {
        let mut page =
            token_family::table.select(token_family::id).order(token_family::id.desc()).limit(limit).into_boxed();
        if let Some(after) = after {
            page = page.filter(token_family::id.lt(after.0));
        }
        if let Some(subject) = filter.subject {
            page = page.filter(token_family::subject.eq(subject.as_str()));
        }
        if let Some(client_id) = filter.client_id {
            page = page.filter(token_family::client_id.eq(client_id.as_str()));
        }
        if let Some(sid) = filter.sid {
            page = page.filter(token_family::sid.eq(sid.0));
        }
        let rows: Vec<RecordRow> = self
            .run(async |conn| {
                let ids: Vec<Uuid> = page.load(conn).await?;
                let rows = Statement::new(FIND).bind::<Array<SqlUuid>, _>(ids).bind::<Timestamptz, _>(now);
                rows.load(conn).await
            })
            .await?;
        rows.into_iter().map(RecordRow::into_record).collect()
    }
}

impl RecordRow {
    fn into_record(self) -> Result<FamilyRecord, StoreError> {
        Ok(FamilyRecord {
            family: self.family.into_family()?,
            created_at: self.created_at,
            rotated_at: self.rotated_at,
            revoke_reason: self.revoke_reason,
        })
    }
}
