//! `ostiary dev`: the embedded default, for development on one machine.
//!
//! 1. `.ostiary/dev` is locked, the port is taken.
//! 2. A private Postgres cluster is made (once) and started, on the main thread; keys are made meanwhile.
//! 3. The schema is migrated and the demo seeded; the server listens on loopback only, under one name.
//! 4. It gets a token from itself over HTTP, prints what to do next and writes `demo.json`.
//!
//! However it ends, Postgres ends with it, and the next start takes up what it finds. If Postgres ends alone, it is started
//! again.

mod account;
mod binaries;
mod cluster;
mod demo;
mod folder;
mod given_file;
mod guard;
mod guidance;
mod people;
mod seed;
mod token;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::runtime::Runtime;

use self::cluster::Cluster;
use self::demo::Demo;
use self::folder::Folder;
pub use self::guard::{Guard, run as run_guard};
use super::{build, serve_all, shutdown};
use crate::clock::Clock;
use crate::config::{Config, Installation, KeysConfig, LogConfig};
use crate::keys::master_key::MasterKeys;
use crate::keys::private_key::RsaBits;
use crate::keys::store::directory::generate_initial;
use crate::model::signing_alg::SigningAlg;
use crate::storage::postgres::migrate;
use crate::telemetry;

/// The arguments of `ostiary dev`.
#[derive(Clone, Debug, clap::Args)]
pub struct DevOptions {
    /// Delete what earlier runs kept, and start over.
    #[arg(long)]
    reset: bool,
    /// The port on localhost.
    #[arg(long, default_value_t = 8000)]
    port: u16,
}

/// The variables that name stores of a real installation; each can also end in `_FILE`.
const FOREIGN_STORES: [&str; 2] = ["DATABASE_URL", "VALKEY_URL"];

/// Runs until a signal ends it. Must be called on the main thread: the kernel ends Postgres when the
/// thread that started it ends.
pub fn run(options: &DevOptions) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    refuse_foreign_stores()?;
    let folder = Folder::open(Path::new("."))?;
    let listeners = listen(options.port)?;
    if options.reset {
        cluster::end_leftover(&folder.data())?;
        folder.reset()?;
    }
    folder.make_place()?;
    let config = config(&folder, options.port);
    telemetry::start(&config.log).map_err(anyhow::Error::from_boxed)?;
    let clock = Clock::system();
    let keys = {
        let (keys, clock) = (config.keys.clone(), clock.clone());
        thread::spawn(move || make_keys(&keys, &clock))
    };
    let mut cluster = Cluster::start(&folder)?;
    match keys.join() {
        Ok(made) => made?,
        Err(_) => bail!("the keys could not be made"),
    }
    let mut config = config;
    config.database.url = cluster.url.clone();
    let runtime = Runtime::new()?;
    let served = runtime.block_on(serve(config, clock, &folder, listeners, &mut cluster, begun));
    // Connections close before the cluster goes.
    drop(runtime);
    drop(cluster);
    served?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(
    config: Config,
    clock: Clock,
    folder: &Folder,
    listeners: Vec<TcpListener>,
    cluster: &mut Cluster,
    begun: Instant,
) -> anyhow::Result<()> {
    let signal = shutdown::on_signal()?;
    migrate::run(&config.database.url).await.context("migrating the schema")?;
    let issuer = config.server.issuer.clone();
    let passwords = config.passwords.clone();
    let app = build(config, clock).await?;
    let demo_file = folder.path("demo.json");
    let (mut demo, is_new) = Demo::open(&demo_file, &issuer)?;
    seed::seed(&app, &demo, is_new, &passwords).await.context("seeding the demo")?;

    let listeners = listeners.into_iter().map(tokio::net::TcpListener::from_std).collect::<Result<Vec<_>, _>>()?;
    let server = tokio::spawn(serve_all(app, listeners, signal));
    demo.access_token = token::get(&issuer, &demo.clients.machine).await.context("getting a token from this server")?;
    demo.save(&demo_file)?;
    print!("{}", guidance::text(&demo, &demo_file, begun.elapsed()));
    for name in guidance::UNREAD.into_iter().filter(|name| Path::new(name).exists()) {
        println!("{name} is not read: `ostiary dev` has settings of its own, `ostiary` those of .env.yaml.\n");
    }
    tokio::select! {
        ended = server => ended?,
        given_up = cluster.keep_running(folder) => given_up.map(drop),
    }
}

/// A demo with printed passwords must not get at the data of a real installation.
fn refuse_foreign_stores() -> anyhow::Result<()> {
    for name in FOREIGN_STORES {
        for name in [name.to_owned(), format!("{name}_FILE")] {
            if std::env::var_os(&name).is_some_and(|value| !value.is_empty()) {
                bail!(
                    "{name} is set, and `ostiary dev` brings its own database with demo accounts\n  mend: `unset {name}`, \
                     or run `ostiary` to serve on that database"
                );
            }
        }
    }
    Ok(())
}

/// Loopback of both families: `localhost` may mean either.
fn listen(port: u16) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        match TcpListener::bind(SocketAddr::new(address, port)) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                listeners.push(listener);
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
                "port {port} is taken by another program\n  mend: stop that one, or choose another port: `ostiary dev \
                 --port {}`",
                port.checked_add(1).unwrap_or(8000)
            ),
            // A machine without IPv6.
            Err(_) if !listeners.is_empty() => {}
            Err(error) => return Err(error).with_context(|| format!("listening on {address} port {port}")),
        }
    }
    Ok(listeners)
}

fn config(folder: &Folder, port: u16) -> Config {
    let mut config = Config { installation: Installation::Dev, ..Config::default() };
    config.server.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    config.server.issuer = format!("http://localhost:{port}");
    // Nobody balances: Ctrl-C is to be quick.
    config.server.drain_delay = Duration::ZERO;
    config.keys = KeysConfig {
        directory: folder.path("keys"),
        master_key_file: folder.path("master.key"),
        ..KeysConfig::default()
    };
    // The lines of requests would push the guidance off the screen.
    config.log = LogConfig { filter: std::env::var("LOG_FILTER").unwrap_or_else(|_| "warn".into()), ..config.log };
    config
}

fn make_keys(keys: &KeysConfig, clock: &Clock) -> anyhow::Result<()> {
    if !keys.master_key_file.exists() {
        MasterKeys::generate_file(&keys.master_key_file)?;
    }
    if !keys.directory.join("keyset.json").exists() {
        generate_initial(&keys.directory, &SigningAlg::ALL, RsaBits::default(), clock.now())?;
    }
    Ok(())
}
