//! The migrations that this program brings along: `migrations/protocol` for everything that clients, sessions and tokens
//! need, `migrations/people` for the local people. Their versions are numbered together.

/// One step of the schema. Its `up` ends by writing its version into `schema_meta`, its `down` the version before.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// The version of the schema that it makes.
    pub version: i32,
    /// The name of its folder, which begins with the version.
    pub name: &'static str,
    /// What it does.
    pub up: &'static str,
    /// What takes it back.
    pub down: &'static str,
    /// Whether all of it happens or nothing. If not, each statement stands for itself and can be repeated.
    pub run_in_transaction: bool,
    /// Whether it takes away what programs used before, and so raises `compatible_from`.
    pub is_contract: bool,
}

impl Migration {
    /// What the database remembers it by.
    pub fn key(&self) -> &'static str {
        self.name.split('_').next().unwrap_or_default()
    }
}

// `LAST` and `EMBEDDED`, written by the build script.
include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// Every migration, in the order of the versions.
pub const MIGRATIONS: &[Migration] = EMBEDDED;

/// The schema that this version of the program was written for: that of the last migration.
pub const SCHEMA_VERSION: i32 = LAST;
