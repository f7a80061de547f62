//! The row of a family and what it says.

use chrono::{DateTime, Utc};
use diesel::prelude::QueryableByName;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::model::client::GrantType;
use crate::model::family::{Grant, TokenFamily};
use crate::model::id::{ClientId, FamilyId, ResourceUri, Sid, SubjectId};
use crate::model::session::Authentication;
use crate::storage::StoreError;
use crate::storage::postgres::person::PersonRow;

/// The columns of [`GrantRow`], for statements that call the table `f`.
macro_rules! grant_columns {
    () => {
        "f.grant_type, f.client_id, f.client_generation, f.subject, f.generation, f.sid, f.scopes, f.resources, f.authorization_details, f.claims, f.acr, f.amr, \
         f.auth_time"
    };
}

/// The columns of [`FamilyRow`] apart from `is_alive`.
macro_rules! family_columns {
    () => {
        concat!(
            "f.id, f.seq, f.idle_expires_at, f.expires_at, f.revoked_at, ",
            $crate::storage::postgres::family::row::grant_columns!()
        )
    };
}

/// What a family `f` depends on: its subject `s`, its client `c`, its session `e`.
macro_rules! family_joins {
    () => {
        "LEFT JOIN subject s ON s.id = f.subject LEFT JOIN client c ON c.client_id = f.client_id \
         LEFT JOIN session e ON e.sid = f.sid"
    };
}

/// Whether a family joined with what it depends on still stands at a time.
macro_rules! family_stands {
    ($now:literal) => {
        concat!(
            "(f.revoked_at IS NULL AND f.expires_at > ",
            $now,
            " AND coalesce(s.status = 'active' AND s.generation = f.generation AND c.enabled \
                AND c.generation = f.client_generation, false) ",
            "AND ('offline_access' = ANY (f.scopes) OR coalesce(e.ended_at IS NULL AND e.expires_at > ",
            $now,
            ", false)))"
        )
    };
}

pub(super) use {family_columns, family_joins, family_stands, grant_columns};

#[derive(QueryableByName)]
pub(super) struct GrantRow {
    #[diesel(sql_type = Text)]
    grant_type: String,
    #[diesel(sql_type = Text)]
    client_id: String,
    #[diesel(sql_type = BigInt)]
    client_generation: i64,
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = BigInt)]
    generation: i64,
    #[diesel(sql_type = SqlUuid)]
    sid: Uuid,
    #[diesel(sql_type = Array<Text>)]
    scopes: Vec<String>,
    #[diesel(sql_type = Array<Text>)]
    resources: Vec<String>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    authorization_details: Option<serde_json::Value>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    claims: Option<serde_json::Value>,
    #[diesel(sql_type = Text)]
    acr: String,
    #[diesel(sql_type = Array<Text>)]
    amr: Vec<String>,
    #[diesel(sql_type = Timestamptz)]
    auth_time: DateTime<Utc>,
}

#[derive(QueryableByName)]
pub(super) struct FamilyRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Integer)]
    seq: i32,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    idle_expires_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    revoked_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Bool)]
    is_alive: bool,
    #[diesel(embed)]
    grant: GrantRow,
}

#[derive(QueryableByName)]
pub(super) struct FamilyPersonRow {
    #[diesel(embed)]
    family: FamilyRow,
    #[diesel(sql_type = Nullable<Text>)]
    person_username: Option<String>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    person_claims: Option<serde_json::Value>,
    #[diesel(sql_type = Nullable<Bool>)]
    person_is_administrator: Option<bool>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    person_updated_at: Option<DateTime<Utc>>,
}

impl GrantRow {
    pub(super) fn into_grant(self) -> Result<Grant, StoreError> {
        let grant_type = GrantType::from_name(&self.grant_type)
            .ok_or_else(|| StoreError::corrupt("a token family began with an unknown grant"))?;
        Ok(Grant {
            grant_type,
            client_id: ClientId::new(self.client_id),
            client_generation: self.client_generation,
            subject: SubjectId::new(self.subject),
            generation: self.generation,
            sid: Sid(self.sid),
            scopes: self.scopes,
            resources: self.resources.into_iter().map(ResourceUri::new).collect(),
            authorization_details: match self.authorization_details {
                Some(details) => serde_json::from_value(details).map_err(StoreError::corrupt)?,
                None => Vec::new(),
            },
            claims: self.claims,
            authentication: Authentication { auth_time: self.auth_time, amr: self.amr, acr: self.acr },
        })
    }
}

impl FamilyRow {
    pub(super) fn into_family(self) -> Result<TokenFamily, StoreError> {
        Ok(TokenFamily {
            id: FamilyId(self.id),
            grant: self.grant.into_grant()?,
            seq: self.seq,
            idle_expires_at: self.idle_expires_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            is_alive: self.is_alive,
        })
    }
}

impl FamilyPersonRow {
    pub(super) fn into_values(self) -> Result<(TokenFamily, Option<PersonRow>), StoreError> {
        let person =
            match (self.person_username, self.person_claims, self.person_is_administrator, self.person_updated_at) {
                (Some(username), Some(claims), Some(is_administrator), Some(updated_at)) => {
                    Some(PersonRow::new(username, claims, is_administrator, updated_at)?)
                }
                _ => None,
            };
        Ok((self.family.into_family()?, person))
    }
}
