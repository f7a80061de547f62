//! `ostiary-migrate`: brings the database's schema up to date, one step back, or says how it stands.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow, bail};
use clap::{Parser, Subcommand};
use ostiary::storage::postgres::migrate;
use secrecy::SecretString;

/// Brings the schema of Ostiary's database up to date.
///
/// The database is taken from --database-url, else from DATABASE_URL, else from the file that DATABASE_URL_FILE names.
/// Prefer one of the last two: other users of the machine can read command lines.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// postgres://user:password@host/database
    #[arg(long, global = true)]
    database_url: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Default, Subcommand)]
enum Command {
    /// Apply every migration that the database lacks (the default). Two that run at once do no harm.
    #[default]
    Up,
    /// Say which migrations the database has and lacks.
    Status,
    /// Take the last migration back, with the data that only it has room for.
    Down,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ostiary-migrate: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let url = database_url(arguments.database_url, environment("DATABASE_URL"), environment("DATABASE_URL_FILE"))?;
    match arguments.command.unwrap_or_default() {
        Command::Up => {
            let applied = migrate::run(&url).await.context(
                "the schema could not be brought up to date. Is Postgres running and the database there, and may this \
                 user create tables in it?",
            )?;
            for name in &applied {
                println!("applied {name}");
            }
            println!("the schema is up to date (version {})", migrate::SCHEMA_VERSION);
        }
        Command::Status => {
            let migrations = migrate::list(&url)
                .await
                .context("the database could not be asked. Is Postgres running and the database there?")?;
            for name in &migrations.applied {
                println!("applied {name}");
            }
            for name in &migrations.pending {
                println!("pending {name}");
            }
            if migrations.pending.is_empty() {
                println!("the schema is up to date (version {})", migrate::SCHEMA_VERSION);
            } else {
                println!("run `ostiary-migrate` to apply what is pending");
            }
        }
        Command::Down => {
            let reverted = migrate::revert_last(&url).await.context(
                "the last migration could not be taken back. Was it applied by a newer version? Then use that one",
            )?;
            match reverted {
                Some(version) => println!("took back {version}"),
                None => println!("there is no migration to take back"),
            }
        }
    }
    Ok(())
}

fn database_url(argument: Option<String>, url: Option<String>, file: Option<String>) -> anyhow::Result<SecretString> {
    match (argument.or(url), file) {
        (Some(url), _) => Ok(SecretString::from(url)),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(Path::new(&file))
                .map_err(|error| anyhow!("DATABASE_URL_FILE names {file}, which cannot be read: {error}"))?;
            if text.trim().is_empty() {
                bail!("DATABASE_URL_FILE names {file}, which is empty: write the database URL into it");
            }
            Ok(SecretString::from(text.trim().to_owned()))
        }
        (None, None) => bail!(
            "no database was named: set DATABASE_URL to something like postgres://user:password@host/database, or \
             DATABASE_URL_FILE to a file that holds it"
        ),
    }
}
