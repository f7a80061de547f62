//! What a request costs the stores, counted by the stores themselves.

use ostiary::config::Config;
use tokio_postgres::{Client, NoTls};

use super::app::TestApp;
use super::cluster::Cluster;
use super::database::Database;
use super::valkey::{Counter, Valkey};

/// How often something is measured: what the jobs do once a second cannot meet all of them.
const TIMES: usize = 6;

/// A Postgres and a Valkey that only one server uses, and that count.
pub struct Meter {
    cluster: Cluster,
    valkey: Valkey,
    observer: Client,
    counter: Counter,
}

/// What one request cost.
#[derive(Clone, Debug)]
pub struct Cost {
    /// How many commands Valkey got, a script being one.
    pub commands: usize,
    /// What Postgres executed.
    pub statements: Vec<String>,
    /// How many transactions wrote something.
    pub commits: i64,
}

impl Meter {
    pub async fn start() -> Self {
        let (cluster, valkey) = (Cluster::start().await, Valkey::start().await);
        let (observer, connection) = tokio_postgres::connect(&cluster.url(), NoTls).await.expect("a connection");
        tokio::spawn(connection);
        // Nobody else may write: every transaction that does takes the next number.
        for sql in ["ALTER SYSTEM SET autovacuum = off", "ALTER SYSTEM SET log_statement = 'all'"] {
            observer.batch_execute(sql).await.expect("a setting");
        }
        observer.batch_execute("SELECT pg_reload_conf(); SET log_statement = 'none'").await.expect("settings");
        let counter = valkey.counter().await;
        Self { cluster, valkey, observer, counter }
    }

    /// A server on these stores.
    pub async fn server(&self, change: impl FnOnce(&mut Config)) -> TestApp {
        TestApp::on(Database::of_cluster(&self.cluster).await, |config| {
            config.state.valkey_url = Some(self.valkey.url().into());
            change(config);
        })
        .await
    }

    /// The least that `request` costs, when everything that can be known beforehand is.
    pub async fn cost(&mut self, mut request: impl AsyncFnMut()) -> Cost {
        let mut costs = Vec::new();
        for _ in 0..TIMES {
            costs.push(self.cost_of_one(&mut request).await);
        }
        let least = |of: fn(&Cost) -> usize| costs.iter().min_by_key(|cost| of(cost)).expect("some").clone();
        Cost {
            commands: costs.iter().map(|cost| cost.commands).min().expect("some"),
            statements: least(|cost| cost.statements.len()).statements,
            commits: costs.iter().map(|cost| cost.commits).min().expect("some"),
        }
    }

    async fn cost_of_one(&mut self, request: &mut impl AsyncFnMut()) -> Cost {
        let (written, logged) = (self.written().await, self.cluster.log().len());
        self.counter.commands().await;
        request().await;
        let commands = self.counter.commands().await;
        let log = self.cluster.log();
        Cost { commands, statements: statements(&log[logged..]), commits: self.written().await - written }
    }

    /// The number of the next transaction that writes.
    async fn written(&self) -> i64 {
        let sql = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";
        self.observer.query_one(sql, &[]).await.expect("an answer").get(0)
    }
}

/// The statements in a part of the log; each takes a line, and further lines begin with a tab.
fn statements(log: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in log.lines() {
        if let Some(more) = line.strip_prefix('\t') {
            if let Some(last) = found.last_mut() {
                last.push(' ');
                last.push_str(more.trim());
            }
        } else if let Some((_, sql)) = line.split_once("LOG:  ").filter(|(_, rest)| is_statement(rest)) {
            found.push(sql.to_owned());
        }
    }
    found
}

fn is_statement(entry: &str) -> bool {
    entry.starts_with("execute ") || entry.starts_with("statement: ")
}
