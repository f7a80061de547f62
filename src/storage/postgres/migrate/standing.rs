//! How the schema stands: whether this program can work with it, and which migrations it has and lacks.

use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use secrecy::SecretString;

use super::error::MigrateError;
use super::session::{Meta, Session};
use super::{Migration, SCHEMA_VERSION};
use crate::storage::StoreError;
use crate::storage::postgres::Postgres;
use crate::storage::postgres::pool::Statement;
use crate::storage::postgres::schema::schema_meta;

/// Whether this version of the program can work with the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaStanding {
    /// It can.
    Ready,
    /// It can, although the schema belongs to a later program.
    Newer {
        /// The version that is there.
        found: i32,
    },
    /// The schema is older than needed, or not there at all: run `ostiary-migrate`.
    NeedsMigration {
        /// The version that is there.
        found: Option<i32>,
    },
    /// The schema belongs to a later program and no longer fits this one: run that program instead.
    TooNew {
        /// The version that is there.
        found: i32,
        /// The oldest version that it fits.
        compatible_from: i32,
    },
}

impl SchemaStanding {
    /// What keeps this program from working with the schema, and the mend.
    pub fn obstacle(self) -> Option<(String, &'static str)> {
        match self {
            Self::Ready | Self::Newer { .. } => None,
            Self::NeedsMigration { found: Some(version) } => {
                Some((format!("the schema has version {version}, which is too old"), "run `ostiary-migrate`"))
            }
            Self::NeedsMigration { found: None } => Some(("the database is empty".to_owned(), "run `ostiary-migrate`")),
            Self::TooNew { found, compatible_from } => Some((
                format!(
                    "the schema has version {found}, which serves programs that know version {compatible_from}; this one \
                     knows {SCHEMA_VERSION}"
                ),
                "run the version of ostiary that migrated it, or a later one",
            )),
        }
    }
}

/// The migrations, in order, and what follows from them.
#[derive(Clone, Debug)]
pub struct Status {
    /// The names of those that the database has.
    pub applied: Vec<&'static str>,
    /// Those that it lacks.
    pub pending: Vec<Migration>,
    /// The versions that a later program applied, which have no name here.
    pub unknown: Vec<String>,
    /// Whether this program can work with the schema.
    pub standing: SchemaStanding,
    /// Who migrates now.
    pub holder: Option<String>,
}

/// Which of `migrations` the database has and lacks. Changes nothing and waits for nobody.
pub async fn status(url: &SecretString, migrations: &[Migration]) -> Result<Status, MigrateError> {
    let session = Session::open(url).await?;
    let status = Status::read(&session, migrations).await?;
    Ok(Status { holder: session.holder().await?, ..status })
}

impl Status {
    pub(super) async fn read(session: &Session, migrations: &[Migration]) -> Result<Self, MigrateError> {
        let mut unknown = session.applied().await?;
        let (applied, pending): (Vec<Migration>, Vec<Migration>) =
            migrations.iter().partition(|migration| unknown.iter().any(|key| key == migration.key()));
        unknown.retain(|key| !applied.iter().any(|migration| migration.key() == key));
        let known = migrations.last().map_or(0, |migration| migration.version);
        let standing = standing(session.meta().await?, known);
        let applied = applied.iter().map(|migration| migration.name).collect();
        Ok(Self { applied, pending, unknown, standing, holder: None })
    }

    /// Whether what is pending comes after everything that is there.
    pub(super) fn check_order(&self) -> Result<(), MigrateError> {
        let Some(missing) = self.pending.as_slice().first() else { return Ok(()) };
        if !self.unknown.is_empty() {
            return Err(MigrateError::Newer(self.unknown.clone()));
        }
        match self.applied.as_slice().last() {
            Some(above) if *above > missing.name => {
                Err(MigrateError::Hole { missing: missing.name, above: (*above).to_owned() })
            }
            _ => Ok(()),
        }
    }
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
    Ok(standing(versions.map(|(version, compatible_from)| Meta { version, compatible_from }), SCHEMA_VERSION))
}

fn standing(meta: Option<Meta>, known: i32) -> SchemaStanding {
    match meta {
        None => SchemaStanding::NeedsMigration { found: None },
        Some(Meta { version, .. }) if version < known => SchemaStanding::NeedsMigration { found: Some(version) },
        Some(Meta { version, compatible_from }) if compatible_from > known => {
            SchemaStanding::TooNew { found: version, compatible_from }
        }
        Some(Meta { version, .. }) if version > known => SchemaStanding::Newer { found: version },
        Some(_) => SchemaStanding::Ready,
    }
}

#[derive(QueryableByName)]
struct HoldsRow {
    #[diesel(sql_type = Bool)]
    holds: bool,
}

#[cfg(test)]
mod tests {
    use super::super::MIGRATIONS;
    use super::*;

    #[test]
    fn a_schema_serves_the_program_before_it_and_says_when_it_no_longer_does() {
        let standing = |version, compatible_from| standing(Some(Meta { version, compatible_from }), SCHEMA_VERSION);
        assert_eq!(super::standing(None, SCHEMA_VERSION), SchemaStanding::NeedsMigration { found: None });
        let (older, newer) = (SCHEMA_VERSION - 1, SCHEMA_VERSION + 1);
        assert_eq!(standing(older, older), SchemaStanding::NeedsMigration { found: Some(older) });
        assert_eq!(standing(SCHEMA_VERSION, 1), SchemaStanding::Ready);
        assert_eq!(standing(newer, SCHEMA_VERSION), SchemaStanding::Newer { found: newer });
        assert_eq!(standing(newer, newer), SchemaStanding::TooNew { found: newer, compatible_from: newer });
    }

    #[test]
    fn the_version_is_that_of_the_last_migration() {
        assert_eq!(MIGRATIONS.last().map(|migration| migration.version), Some(SCHEMA_VERSION));
        for pair in MIGRATIONS.windows(2) {
            assert!(pair[0].version < pair[1].version && pair[0].name < pair[1].name, "{pair:?}");
        }
    }
}
