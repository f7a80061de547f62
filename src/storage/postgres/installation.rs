//! Whether the database belongs to the development mode, so that neither mode ever touches the other's data; and the first
//! administrator and the salt of pairwise identifiers, each of which is made once.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Bytea;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::Postgres;
use super::catalog::bump_policy_in_tx;
use super::client_record::insert_client_in_tx;
use super::person::{NewPerson, insert_person_in_tx};
use super::pool::Statement;
use super::rollback::Rollback;
use super::schema::installation;
use crate::model::client::Client;
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

/// Not where clients have pairwise identifiers already: another salt would give everybody others.
const KEEP_PAIRWISE_SALT: &str = "
    UPDATE installation SET pairwise_salt = $1
    WHERE pairwise_salt IS NULL AND NOT EXISTS (SELECT FROM client WHERE settings ->> 'subject_type' = 'pairwise')";

/// What became of making the first administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// They were made, and the client.
    Made,
    /// It was done before.
    Before(DateTime<Utc>),
    /// There is an account of that name already.
    UsernameTaken,
    /// There is or was a client with that identifier.
    ClientTaken,
}

impl Postgres {
    /// When the first administrator was made.
    pub async fn find_bootstrapped_at(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at = installation::table.select(installation::bootstrapped_at);
        let at: Option<Option<DateTime<Utc>>> = self.run(async |conn| at.first(conn).await.optional()).await?;
        Ok(at.flatten())
    }

    /// Makes the first administrator and the first client, once for this installation. Of two at once the second waits for
    /// the row and finds it done.
    pub async fn begin_administration(
        &self,
        person: &NewPerson,
        client: &Client,
        now: DateTime<Utc>,
    ) -> Result<Begun, StoreError> {
        self.change(async |conn| {
            conn.transaction(async |conn| {
                let open = installation::table.filter(installation::bootstrapped_at.is_null());
                let is_first = diesel::update(open).set(installation::bootstrapped_at.eq(now)).execute(conn).await? > 0;
                if !is_first {
                    let at = installation::table.select(installation::bootstrapped_at);
                    let at: Option<DateTime<Utc>> = at.first(conn).await?;
                    return Ok(Begun::Before(at.unwrap_or(now)));
                }
                if insert_person_in_tx(conn, person, now).await?.is_none() {
                    return Err(Rollback::Because(Begun::UsernameTaken));
                }
                if !insert_client_in_tx(conn, client, now).await? {
                    return Err(Rollback::Because(Begun::ClientTaken));
                }
                bump_policy_in_tx(conn).await?;
                Ok(Begun::Made)
            })
            .await
            .or_else(Rollback::into_outcome)
        })
        .await
    }

    /// The sealed salt of pairwise identifiers.
    pub async fn find_pairwise_salt(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let salt = installation::table.select(installation::pairwise_salt);
        let salt: Option<Option<Vec<u8>>> = self.run(async |conn| salt.first(conn).await.optional()).await?;
        Ok(salt.flatten())
    }

    /// Keeps `sealed` as the salt of pairwise identifiers, and says which one is kept: of two instances at once both have the
    /// first one's. `None`: there is none, although clients have pairwise identifiers.
    pub async fn keep_pairwise_salt(&self, sealed: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let statement = Statement::new(KEEP_PAIRWISE_SALT).bind::<Bytea, _>(sealed);
        self.run(async |conn| statement.execute(conn).await).await?;
        self.find_pairwise_salt().await
    }

    /// Puts the salt under another seal, unless somebody did so before.
    pub async fn reseal_pairwise_salt(&self, before: &[u8], sealed: &[u8]) -> Result<(), StoreError> {
        let unchanged = installation::table.filter(installation::pairwise_salt.eq(before));
        self.run(async |conn| {
            diesel::update(unchanged).set(installation::pairwise_salt.eq(sealed)).execute(conn).await
        })
        .await?;
        Ok(())
    }

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
