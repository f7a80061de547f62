//! Bringing the schema up to date, and whether it is.
//!
//! There are two sets, embedded in the program: `migrations/protocol` for everything that clients, sessions and tokens
//! need, `migrations/people` for the local people. Their versions are numbered together.

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::SecretString;

use super::Postgres;
use super::pool::{Statement, Target, failure};
use super::schema::schema_meta;
use crate::storage::StoreError;

const PROTOCOL: EmbeddedMigrations = embed_migrations!("migrations/protocol");
const PEOPLE: EmbeddedMigrations = embed_migrations!("migrations/people");

/// The schema that this version of the program was written for.
pub const SCHEMA_VERSION: i32 = 2;

/// The advisory lock that one migration at a time holds; the number means nothing.
const LOCK: i64 = 0x6f73_7469_6172_7900;

/// Whether this version of the program can work with the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaStanding {
    /// It can.
    Ready,
    /// The schema is older than needed, or not there at all: run `ostiary-migrate`.
    NeedsMigration {
        /// The version that is there.
        found: Option<i32>,
    },
    /// The schema belongs to a later program and no longer fits this one: run that program instead.
    TooNew {
        /// The oldest version that it fits.
        compatible_from: i32,
    },
}

/// The migrations of both sets, by version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Migrations {
    /// Those that the database has.
    pub applied: Vec<String>,
    /// Those that it lacks.
    pub pending: Vec<String>,
}

type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Applies what is missing, and says what that was. Of two that run at once the second waits and finds nothing to do.
pub async fn run(url: &SecretString) -> Result<Vec<String>, StoreError> {
    with_harness(url, |harness| {
        let names = pending(harness)?;
        harness.run_pending_migrations(BothSets)?;
        Ok(names)
    })
    .await
}

/// Takes the last migration back, and says which it was. `None`: there is nothing left to take back.
pub async fn revert_last(url: &SecretString) -> Result<Option<String>, StoreError> {
    with_harness(url, |harness| {
        if harness.applied_migrations()?.is_empty() {
            return Ok(None);
        }
        Ok(Some(harness.revert_last_migration(BothSets)?.to_string()))
    })
    .await
}

/// Which migrations the database has and lacks.
pub async fn list(url: &SecretString) -> Result<Migrations, StoreError> {
    with_harness(url, |harness| {
        let pending = pending(harness)?;
        let mut applied: Vec<String> = harness.applied_migrations()?.iter().map(ToString::to_string).collect();
        applied.sort_unstable();
        // Those of a later program have no name here, only a version.
        for migration in BothSets.migrations()? {
            let name = migration.name();
            if let Some(found) = applied.iter_mut().find(|version| **version == name.version().to_string()) {
                *found = name.to_string();
            }
        }
        Ok(Migrations { applied, pending })
    })
    .await
}

/// Whether this program and the schema fit.
pub async fn check(postgres: &Postgres) -> Result<SchemaStanding, StoreError> {
    let versions: Option<(i32, i32)> = postgres
        .run(async |conn| {
            // Asked first, because a missing table is an error like any other outage.
            let exists = Statement::new("SELECT to_regclass('schema_meta') IS NOT NULL AS holds");
            if !exists.get_result::<HoldsRow>(conn).await?.holds {
                return Ok(None);
            }
            schema_meta::table.select((schema_meta::version, schema_meta::compatible_from)).first(conn).await.optional()
        })
        .await?;
    Ok(standing(versions))
}

fn standing(versions: Option<(i32, i32)>) -> SchemaStanding {
    match versions {
        None => SchemaStanding::NeedsMigration { found: None },
        Some((version, _)) if version < SCHEMA_VERSION => SchemaStanding::NeedsMigration { found: Some(version) },
        Some((_, compatible_from)) if compatible_from > SCHEMA_VERSION => SchemaStanding::TooNew { compatible_from },
        Some(_) => SchemaStanding::Ready,
    }
}

#[derive(QueryableByName)]
struct HoldsRow {
    #[diesel(sql_type = Bool)]
    holds: bool,
}

struct BothSets;

impl MigrationSource<Pg> for BothSets {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<Pg>>>> {
        let mut all = MigrationSource::<Pg>::migrations(&PROTOCOL)?;
        all.extend(MigrationSource::<Pg>::migrations(&PEOPLE)?);
        Ok(all)
    }
}

fn pending(harness: &mut AsyncMigrationHarness<AsyncPgConnection>) -> Result<Vec<String>, BoxedError> {
    let pending = harness.pending_migrations(BothSets)?;
    Ok(pending.iter().map(|migration| migration.name().to_string()).collect())
}

/// Runs `work` on a connection of its own under the lock, which ends with the connection.
async fn with_harness<T, Work>(url: &SecretString, work: Work) -> Result<T, StoreError>
where
    T: Send + 'static,
    Work: FnOnce(&mut AsyncMigrationHarness<AsyncPgConnection>) -> Result<T, BoxedError> + Send + 'static,
{
    let mut conn = Target::parse(url)?.establish(None).await.map_err(StoreError::unavailable)?;
    let lock = Statement::new("SELECT pg_advisory_lock($1)").bind::<BigInt, _>(LOCK);
    lock.execute(&mut conn).await.map_err(failure)?;
    // On a thread of its own, because diesel's migrations block.
    tokio::task::spawn_blocking(move || work(&mut AsyncMigrationHarness::new(conn)))
        .await
        .map_err(StoreError::unavailable)?
        .map_err(StoreError::conflict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_serves_the_program_before_it_and_says_when_it_no_longer_does() {
        assert_eq!(standing(None), SchemaStanding::NeedsMigration { found: None });
        let older = SCHEMA_VERSION - 1;
        assert_eq!(standing(Some((older, older))), SchemaStanding::NeedsMigration { found: Some(older) });
        assert_eq!(standing(Some((SCHEMA_VERSION, 1))), SchemaStanding::Ready);
        assert_eq!(standing(Some((SCHEMA_VERSION + 1, SCHEMA_VERSION))), SchemaStanding::Ready);
        let newer = SCHEMA_VERSION + 1;
        assert_eq!(standing(Some((newer, newer))), SchemaStanding::TooNew { compatible_from: newer });
    }
}
