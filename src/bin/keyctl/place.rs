//! Where the keys are, and the windows of their life.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use clap::CommandFactory;
use clap::error::ErrorKind;
use ostiary::clock::Clock;
use ostiary::config::{self, Config, KeyStoreKind, KeysConfig, Sources, TokensConfig};
use ostiary::keys::change::Rules;
use ostiary::keys::external::ExternalSigners;
use ostiary::keys::lifecycle::{Insistence, RotationPolicy};
use ostiary::keys::open;
use ostiary::keys::problem::Problem;
use ostiary::keys::store::directory::KeyDirectory;
use ostiary::keys::store::{Author, KeyStore, KeyStoreError};
use ostiary::storage::postgres::{Postgres, PostgresOptions, migrate};

use super::arguments::Arguments;

/// No token of the server's own lifetimes lives longer; what is assumed where nobody can be asked.
const LONGEST_LIFETIME: TimeDelta = TimeDelta::days(1);

/// The store and what is known around it.
pub struct Place {
    pub store: Arc<dyn KeyStore>,
    pub policy: RotationPolicy,
    /// Who signs with external keys.
    pub signers: ExternalSigners,
    /// Whether only a folder was named, so that nobody said which programs a server may start.
    pub has_no_settings: bool,
    /// What else the database can tell.
    pub postgres: Option<Postgres>,
}

impl Place {
    /// When a key may take the place of another; `force` passes the conditions of the life cycle over.
    pub fn rules(&self, force: bool) -> Rules<'_> {
        let insistence = if force { Insistence::Force } else { Insistence::Never };
        Rules { policy: &self.policy, insistence, signers: &self.signers }
    }

    /// The same, whose changes are recorded as made by whoever types the command.
    pub fn recording(self, now: DateTime<Utc>) -> Self {
        Self { store: self.store.recording(&Author::operator(now)), ..self }
    }

    pub async fn open(arguments: &Arguments, clock: &Clock) -> Result<Self, Vec<Problem>> {
        match (&arguments.dir, &arguments.config) {
            (Some(directory), _) => Ok(Self::of_directory(directory, clock)),
            (None, Some(file)) => Self::of_settings(file, clock).await,
            (None, None) => {
                let message = "it is not said where the keys are: add `--dir DIR` or `--config FILE`";
                Arguments::command().error(ErrorKind::MissingRequiredArgument, message).exit()
            }
        }
    }

    fn of_directory(directory: &Path, clock: &Clock) -> Self {
        let policy = open::policy_for(&KeysConfig::default(), &TokensConfig::default(), Some(LONGEST_LIFETIME));
        let signers = ExternalSigners::without_settings(clock);
        Self { store: Arc::new(KeyDirectory::new(directory)), policy, signers, has_no_settings: true, postgres: None }
    }

    async fn of_settings(file: &Path, clock: &Clock) -> Result<Self, Vec<Problem>> {
        let config = config::load(&Sources::from_process(Some(file.to_owned()))).map_err(|errors| {
            errors
                .0
                .iter()
                .map(|error| Problem::new(format!("{}: {}", error.key, error.problem), &error.mend))
                .collect::<Vec<_>>()
        })?;
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let postgres = connect(&config)?;
        let store = open::store(&config.keys, Some(&postgres)).ok_or_else(Vec::new)?;
        let signers = ExternalSigners::new(&config.keys.external, clock);
        let (policy, postgres) = match policy(&config, &postgres).await {
            Ok(policy) => (policy, Some(postgres)),
            // A directory can be worked on while the database is away, is not made yet, or belongs to a later version.
            Err(_) if config.keys.store == KeyStoreKind::Directory => {
                (open::policy_for(&config.keys, &config.tokens, Some(LONGEST_LIFETIME)), None)
            }
            Err(problems) => return Err(problems),
        };
        Ok(Self { store, policy, signers, has_no_settings: false, postgres })
    }
}

/// The windows, if this program can work with what is there.
async fn policy(config: &Config, postgres: &Postgres) -> Result<RotationPolicy, Vec<Problem>> {
    let problems = |error| KeyStoreError::from(error).problems();
    if let Some((what, mend)) = migrate::check(postgres).await.map_err(problems)?.obstacle() {
        return Err(vec![Problem::new(what, mend)]);
    }
    open::policy(&config.keys, &config.tokens, postgres).await.map_err(problems)
}

fn connect(config: &Config) -> Result<Postgres, Vec<Problem>> {
    let database = &config.database;
    let options = PostgresOptions {
        url: database.url.clone(),
        pool_size: 1,
        acquire_timeout: database.acquire_timeout,
        statement_timeout: database.statement_timeout,
    };
    Postgres::connect(&options).map_err(|error| KeyStoreError::from(error).problems())
}
