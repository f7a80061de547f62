//! What the database says of deliveries: the durable trace of effects that happen after an answer.

use std::time::Duration;

use ostiary::jobs::Job;
use tokio_postgres::NoTls;

use super::app::TestApp;
use super::deadline::eventually;

/// The one row of the outbox.
#[derive(Debug)]
pub struct Delivery {
    pub attempts: i32,
    pub last_error: Option<String>,
    pub is_done: bool,
}

impl TestApp {
    /// Waits until the outbox's only row is as `wanted`; the job that brings it there runs in the background.
    pub async fn delivery(&self, wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        let (client, connection) =
            tokio_postgres::connect(&self.database_url(), NoTls).await.expect("Postgres answers");
        tokio::spawn(connection);
        let select = "SELECT attempts::int4, last_error, done_at IS NOT NULL FROM outbox";
        let mut last = None;
        for _ in 0..1000 {
            let rows = client.query(select, &[]).await.expect("the outbox is read");
            let [row] = &rows[..] else { panic!("one row: {rows:?}") };
            let delivery = Delivery { attempts: row.get(0), last_error: row.get(1), is_done: row.get(2) };
            if wanted(&delivery) {
                return delivery;
            }
            last = Some(delivery);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the delivery stays {last:?}");
    }

    /// Waits until nothing is left to deliver: what was going to arrive somewhere has arrived.
    pub async fn everything_is_delivered(&self) {
        let (client, connection) =
            tokio_postgres::connect(&self.database_url(), NoTls).await.expect("Postgres answers");
        tokio::spawn(connection);
        let select = "SELECT count(*) FROM outbox WHERE done_at IS NULL";
        eventually("everything is delivered", || async {
            let left: i64 = client.query_one(select, &[]).await.expect("the outbox is read").get(0);
            (left == 0).then_some(())
        })
        .await;
    }

    /// Changes the database behind the server's back.
    pub async fn execute(&self, sql: &str) {
        let (client, connection) =
            tokio_postgres::connect(&self.database_url(), NoTls).await.expect("Postgres answers");
        tokio::spawn(connection);
        client.batch_execute(sql).await.expect(sql);
    }

    /// One run of the job, to its end.
    pub async fn run_outbox(&self) {
        Job::Outbox.run_once(&self.app, self.now()).await.expect("the job runs");
    }
}
