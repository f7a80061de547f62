//! `ostiary-migrate`: brings the database's schema up to date, takes steps back, or says how it stands.
//!
//! Results go to standard output, for people or with `--json` as one JSON object; what goes on meanwhile, and what is wrong
//! with its mend, to standard error. Exits with 0 if all is well, 1 if something is wrong, also with the call, and 2 if
//! `status --exit-code` finds migrations pending.

#[path = "migrate/answer.rs"]
mod answer;
#[path = "migrate/database.rs"]
mod database;
#[path = "migrate/progress.rs"]
mod progress;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use ostiary::config::duration;
use ostiary::storage::postgres::migrate::{self, Loss, MIGRATIONS, MigrateError, MigrateOptions};

use answer::Answer;
use progress::Reporter;

/// Brings the schema of Ostiary's database up to date.
///
/// The database is that of the server's settings: DATABASE_URL, or the file that DATABASE_URL_FILE names, or database.url in
/// .env.yaml or the file of --config. Use an account that may create tables.
#[derive(Parser)]
#[command(name = "ostiary-migrate", version)]
struct Arguments {
    /// postgres://user:password@host/database. Other users of the machine can read command lines: prefer DATABASE_URL_FILE.
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// The server's settings file, instead of .env.yaml.
    #[arg(long = "config", global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Apply every migration that the database lacks (the default). Of several that run at once one does it.
    Up(Patience),
    /// Say which migrations the database has and lacks.
    Status {
        /// Exit with 2 if migrations are pending, with 1 if this version cannot work with the schema.
        #[arg(long)]
        exit_code: bool,
    },
    /// Print the SQL that `up` would run, with the locks that each statement takes. Changes nothing.
    Plan {
        /// Print only the names of the migrations.
        #[arg(long)]
        names: bool,
    },
    /// Take the last migrations back, with the data that only they have room for.
    Down {
        /// How many.
        #[arg(default_value_t = 1, value_name = "N")]
        count: usize,
        /// Agree that data goes.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        patience: Patience,
    },
}

#[derive(clap::Args)]
struct Patience {
    /// How long to wait for another ostiary-migrate to end.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    wait: Duration,
    /// How long a statement waits for a table. Whoever comes after it waits too, so keep it short.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_lock_timeout)]
    lock_timeout: Duration,
}

impl Patience {
    fn options(&self) -> MigrateOptions {
        MigrateOptions { migrations: MIGRATIONS, wait: self.wait, lock_timeout: self.lock_timeout }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Not 2, which says that migrations are pending.
        Err(error) => {
            error.print().ok();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let is_json = arguments.json;
    let mut reporter = Reporter::new();
    let answer = match run(arguments, &mut reporter).await {
        Ok(answer) => answer,
        Err(error) => Answer::failed(&error, reporter.done()),
    };
    reporter.end();
    if !answer.problem.is_empty() {
        eprintln!("ostiary-migrate: {}", answer.problem);
    }
    let text = if is_json { format!("{:#}\n", answer.json) } else { answer.text };
    let written = io::stdout().write_all(text.as_bytes());
    if written.is_ok() { ExitCode::from(answer.code) } else { ExitCode::FAILURE }
}

async fn run(arguments: Arguments, reporter: &mut Reporter) -> anyhow::Result<Answer> {
    let url = database::url(arguments.database_url, arguments.config)?;
    let MigrateOptions { wait, lock_timeout, .. } = MigrateOptions::default();
    Ok(match arguments.command.unwrap_or(Command::Up(Patience { wait, lock_timeout })) {
        Command::Up(patience) => {
            let status = migrate::up(&url, &patience.options(), &mut |event| reporter.report(event)).await?;
            answer::up(&status, reporter.done())
        }
        Command::Status { exit_code } => answer::status(&migrate::status(&url, MIGRATIONS).await?, exit_code),
        Command::Plan { names } => answer::plan(&migrate::plan(&url, MIGRATIONS).await?, names),
        Command::Down { count, yes, patience } => {
            let mut losses = Vec::new();
            let mut agree = |found: &[Loss]| {
                losses = found.to_vec();
                yes || confirm(found)
            };
            let report = &mut |event| reporter.report(event);
            let result = migrate::down(&url, count, &patience.options(), &mut agree, report).await;
            if matches!(result, Err(MigrateError::Unconfirmed)) {
                return Ok(answer::unconfirmed(&losses));
            }
            answer::down(&result?, reporter.done(), &losses)
        }
    })
}

/// Asks whoever sits in front of it. In a pipeline nobody does.
fn confirm(losses: &[Loss]) -> bool {
    if !io::stdin().is_terminal() {
        return false;
    }
    eprint!("This goes for good:\n{}Take it back all the same? [y/N] ", answer::losses(losses));
    let mut line = String::new();
    io::stdin().read_line(&mut line).is_ok() && matches!(line.trim(), "y" | "Y" | "yes")
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| "write a number with a unit, like 500ms, 10s, 5m".to_owned())
}

fn parse_lock_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("it cannot be 0, which Postgres takes for ever".to_owned()),
        timeout => Ok(timeout),
    }
}
