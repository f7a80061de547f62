//! `ostiary`: serve (without a command), `dev`, `bootstrap`, `plan`, `apply`, `audit`, `health`, `config`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use ostiary::app::App;
use ostiary::bootstrap::audit::{self, AuditCommand};
use ostiary::bootstrap::desired::{self, ApplyOptions, PlanOptions};
use ostiary::bootstrap::dev::{self, DevOptions, Guard};
use ostiary::bootstrap::first_administrator::{self, FirstAdministrator};
use ostiary::bootstrap::profile_check::ProfileCheck;
use ostiary::bootstrap::{build, probe, report, serve, shutdown};
use ostiary::clock::Clock;
use ostiary::config::{self, Config, Sources};
use ostiary::telemetry;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A self-hosted OAuth 2.1 and OpenID Connect authorization server.
///
/// Without a command it serves, with the settings of .env.yaml and the environment; `ostiary dev` needs neither.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    settings: SettingsFile,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct SettingsFile {
    /// The settings file, instead of .env.yaml.
    #[arg(long = "config", id = "settings", value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve.
    Serve(SettingsFile),
    /// Serve a demo for development, with a private Postgres in .ostiary/dev and nothing to set up.
    Dev(DevOptions),
    /// Make the first administrator and the first machine client, once.
    Bootstrap {
        #[command(flatten)]
        settings: SettingsFile,
        #[command(flatten)]
        options: FirstAdministrator,
    },
    /// Show what `apply` would change.
    Plan {
        #[command(flatten)]
        settings: SettingsFile,
        #[command(flatten)]
        options: PlanOptions,
    },
    /// Make clients, scopes and resources what a document says.
    Apply {
        #[command(flatten)]
        settings: SettingsFile,
        #[command(flatten)]
        options: ApplyOptions,
    },
    /// Look at the records of what was done.
    Audit {
        #[command(flatten)]
        settings: SettingsFile,
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Ask the server on this machine whether it is ready: 0 if it is, 1 if not.
    Health(SettingsFile),
    /// Look at the settings.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// What `dev` starts Postgres through.
    #[command(hide = true)]
    DevGuard(Guard),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Report everything that is wrong with the settings, and what breaks a profile.
    Check {
        #[command(flatten)]
        settings: SettingsFile,
        #[command(flatten)]
        options: ProfileCheck,
    },
    /// Print the settings as they are after defaults, file and environment, without secrets.
    Print(SettingsFile),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => serve_until_signal(cli.settings),
        Some(Command::Serve(settings)) => serve_until_signal(settings),
        Some(Command::Dev(options)) => dev::run(&options),
        Some(Command::Bootstrap { settings, options }) => {
            with_app(settings, async |app| first_administrator::begin(&app, &options).await.map(|()| ExitCode::SUCCESS))
        }
        Some(Command::Plan { settings, options }) => {
            with_app(settings, async |app| desired::plan(&app, &options).await)
        }
        Some(Command::Apply { settings, options }) => {
            with_app(settings, async |app| desired::apply(&app, &options).await)
        }
        Some(Command::Audit { settings, command }) => with_app(settings, async |app| audit::run(&app, &command).await),
        Some(Command::Health(settings)) => load(settings).and_then(|config| {
            Runtime::new()?.block_on(probe::probe(config.server.bind))?;
            Ok(ExitCode::SUCCESS)
        }),
        Some(Command::Config { command }) => show_config(command),
        Some(Command::DevGuard(guard)) => dev::run_guard(guard),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ostiary: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn load(settings: SettingsFile) -> anyhow::Result<Config> {
    Ok(config::load(&Sources::from_process(settings.file))?)
}

/// Does something once, with everything that the server would use.
fn with_app(
    settings: SettingsFile,
    work: impl AsyncFnOnce(App) -> anyhow::Result<ExitCode>,
) -> anyhow::Result<ExitCode> {
    let config = load(settings)?;
    Runtime::new()?.block_on(async { work(build(config, Clock::system()).await?).await })
}

fn show_config(command: ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check { settings, options } => return check(settings, &options),
        ConfigCommand::Print(settings) => print!("{}", load(settings)?.to_yaml()?),
    }
    Ok(ExitCode::SUCCESS)
}

fn check(settings: SettingsFile, options: &ProfileCheck) -> anyhow::Result<ExitCode> {
    let config = load(settings)?;
    let keeps = options.settings(&config)?;
    if keeps {
        println!("the configuration is valid");
    }
    let clients = if options.reads_clients() {
        let app = async { options.clients(&build(config, Clock::system()).await?).await };
        Runtime::new()?.block_on(app)?
    } else {
        ExitCode::SUCCESS
    };
    Ok(if keeps { clients } else { ExitCode::FAILURE })
}

fn serve_until_signal(settings: SettingsFile) -> anyhow::Result<ExitCode> {
    let config = match config::examine(&Sources::from_process(settings.file)) {
        (Some(config), errors) if errors.is_empty() => config,
        (config, errors) => bail!(Runtime::new()?.block_on(report(config, errors, Clock::system()))),
    };
    telemetry::start(&config.log).map_err(anyhow::Error::from_boxed)?;
    let runtime = Runtime::new()?;
    let ended = runtime.block_on(async {
        let bind = config.server.bind;
        let signal = shutdown::on_signal()?;
        let app = build(config, Clock::system()).await?;
        let listener = TcpListener::bind(bind).await.with_context(|| {
            format!("server.bind: {bind} cannot be listened on\n      mend: free it, or set another one (BIND)")
        })?;
        serve(app, listener, signal).await?;
        Ok(ExitCode::SUCCESS)
    });
    // Nobody can interrupt the system while it looks up the name of a store that is gone: waiting for that could outlast
    // `server.drain_timeout`. Everything that has to be finished is.
    runtime.shutdown_background();
    ended
}
