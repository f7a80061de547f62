//! Whether the database belongs to the development mode, so that neither mode ever touches the other's data.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::Postgres;
use super::schema::installation;
use crate::storage::StoreError;

/// Whose data it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallationKind {
    /// `ostiary dev` made it.
    Dev,
    /// An operator made it.
    Production,
}

impl InstallationKind {
    /// The word stored in the row.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Production => "production",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Dev, Self::Production].into_iter().find(|kind| kind.as_str() == name)
    }
}

impl Postgres {
    /// Marks the database as `kind` if it is not marked yet, and says what it is now.
    pub async fn claim_installation(
        &self,
        kind: InstallationKind,
        now: DateTime<Utc>,
    ) -> Result<InstallationKind, StoreError> {
        let stored: String = self
            .run(async |conn| {
                conn.transaction(async |conn| {
                    diesel::insert_into(installation::table)
                        .values((installation::kind.eq(kind.as_str()), installation::created_at.eq(now)))
                        .on_conflict_do_nothing()
                        .execute(conn)
                        .await?;
                    installation::table.select(installation::kind).first(conn).await
                })
                .await
            })
            .await?;
        InstallationKind::from_name(&stored).ok_or_else(|| StoreError::corrupt("the installation is of no known kind"))
    }
}
