//! Fresh databases: each a clone of a template that is migrated and given its catalog once per process.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use ostiary::config::DatabaseConfig;
use ostiary::storage::postgres::{Postgres, PostgresOptions};
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::NoTls;
use url::Url;

use super::catalog;
use super::cluster::Cluster;
use super::failure::tell_at_once;
use super::program;

const VARIABLE: &str = "OSTIARY_TEST_DATABASE_URL";

/// A database that is dropped with its handle.
pub struct Database {
    name: String,
    url: String,
    is_shared: bool,
}

enum Job {
    Create(String, Contents, oneshot::Sender<Result<(), String>>),
    Drop(String),
}

enum Contents {
    Catalog,
    Nothing,
}

/// One thread with a runtime and a connection of its own, because those of a test end with it.
static ADMIN: LazyLock<mpsc::UnboundedSender<Job>> = LazyLock::new(|| {
    let (sender, jobs) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(administrate(jobs));
    });
    sender
});

impl Database {
    /// Migrated, with the catalog.
    pub async fn create() -> Self {
        Self::create_with(Contents::Catalog).await
    }

    /// Not even migrated.
    pub async fn create_empty() -> Self {
        Self::create_with(Contents::Nothing).await
    }

    /// The only one of a cluster that a test has for itself, migrated, with the catalog.
    pub async fn of_cluster(cluster: &Cluster) -> Self {
        let url = cluster.url();
        fill(&url).await;
        // The name also keeps apart what different servers keep in one Valkey.
        Self { name: format!("cluster_{}", ostiary::random::id()), url, is_shared: false }
    }

    async fn create_with(contents: Contents) -> Self {
        tell_at_once();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ostiary_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (done, created) = oneshot::channel();
        ADMIN.send(Job::Create(name.clone(), contents, done)).expect("the thread runs");
        match created.await {
            Ok(Ok(())) => Self { url: url_of(&name), name, is_shared: true },
            Ok(Err(error)) => panic!("the database could not be made: {error}"),
            Err(_) => panic!("the template could not be made; is {VARIABLE} the URL of a Postgres superuser?"),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> SecretString {
        self.url.clone().into()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.is_shared {
            ADMIN.send(Job::Drop(std::mem::take(&mut self.name))).ok();
        }
    }
}

fn url_of(database: &str) -> String {
    let url = std::env::var(VARIABLE).unwrap_or_else(|_| panic!("{VARIABLE} is not set; scripts/test sets it"));
    let mut url = Url::parse(&url).expect("a URL");
    url.set_path(&format!("/{database}"));
    url.into()
}

async fn administrate(mut jobs: mpsc::UnboundedReceiver<Job>) {
    let (client, connection) = tokio_postgres::connect(&url_of("postgres"), NoTls).await.expect("Postgres answers");
    tokio::spawn(connection);
    let template = format!("ostiary_test_{}_template", std::process::id());
    client.batch_execute(&format!("CREATE DATABASE {template}")).await.expect("the template is made");
    fill(&url_of(&template)).await;
    let others = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{template}'");
    client.batch_execute(&others).await.expect("the template is free");
    while let Some(job) = jobs.recv().await {
        match job {
            Job::Create(name, contents, done) => {
                let from = match contents {
                    Contents::Catalog => &template,
                    Contents::Nothing => "template0",
                };
                let made = client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {from}")).await;
                done.send(made.map_err(|error| format!("{error:?}"))).ok();
            }
            Job::Drop(name) => {
                client.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.ok();
            }
        }
    }
}

async fn fill(url: &str) {
    let mut migrate = tokio::process::Command::new(program::migrate());
    let ended = migrate.env("DATABASE_URL", url).output().await.expect("it is started");
    assert!(ended.status.success(), "the migrations run: {ended:?}");
    let url: SecretString = url.into();
    let DatabaseConfig { acquire_timeout, statement_timeout, .. } = DatabaseConfig::default();
    let options = PostgresOptions { url, pool_size: 1, acquire_timeout, statement_timeout };
    let postgres = Postgres::connect(&options).expect("the database is reached");
    catalog::insert(&postgres).await;
}
