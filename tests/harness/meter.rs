//! What a request costs the stores, counted by the stores themselves.

use ostiary::config::Config;
use tokio_postgres::{Client, NoTls};

use super::app::TestApp;
use super::cluster::Cluster;
use super::database::Database;
use super::valkey::{Questions, Valkey};

/// How often something is measured: what the jobs do once a second cannot meet all of them.
const TIMES: usize = 6;

/// A Postgres and a Valkey that only one server uses, and that count.
pub struct Meter {
    cluster: Cluster,
    valkey: Valkey,
    observer: Client,
    questions: Questions,
}

/// What one request cost.
#[derive(Clone, Debug)]
pub struct Cost {
    /// How often Valkey read something. What travels together may still be read in two pieces.
    pub reads: u64,
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
        let questions = valkey.connect().await;
        Self { cluster, valkey, observer, questions }
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
            reads: costs.iter().map(|cost| cost.reads).min().expect("some"),
            statements: least(|cost| cost.statements.len()).statements,
            commits: costs.iter().map(|cost| cost.commits).min().expect("some"),
        }
    }

    async fn cost_of_one(&mut self, request: &mut impl AsyncFnMut()) -> Cost {
        let (written, logged) = (self.written().await, self.cluster.log().len());
        let before = self.questions.reads().await;
        request().await;
        // The question before is in the first figure, this one in the second.
        let reads = self.questions.reads().await - before - 1;
        let log = self.cluster.log();
        Cost { reads, statements: statements(&log[logged..]), commits: self.written().await - written }
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
