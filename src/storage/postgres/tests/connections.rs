//! What becomes of a verb when the server, or the way to it, does not do its part.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use secrecy::SecretString;

use super::{TestDatabase, count};
use crate::storage::StoreError;
use crate::storage::postgres::{Postgres, PostgresOptions};

fn is_outage<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable(_)))
}

#[tokio::test]
async fn the_next_request_after_the_server_dropped_us_succeeds() {
    let db = TestDatabase::migrated().await;
    let pool = db.pool(|options| options.pool_size = 3);
    let (one, two, three) = tokio::join!(pool.ping(), pool.ping(), pool.ping());
    one.and(two).and(three).unwrap();
    db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..4 {
        pool.ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_verb_that_takes_too_long_is_an_outage_and_its_connection_is_given_up() {
    let db = TestDatabase::migrated().await;
    let pool: Postgres = db.pool(|options| {
        (options.pool_size, options.statement_timeout) = (1, Duration::from_millis(200));
    });
    let backend = "SELECT pg_backend_pid()::bigint AS count";
    let before = count(&pool, backend).await;
    let slow = pool.run(async |conn| conn.batch_execute("SELECT pg_sleep(5)").await).await;
    assert!(is_outage(&slow), "{slow:?}");
    assert_ne!(count(&pool, backend).await, before);
}

#[tokio::test]
async fn a_pool_without_a_free_connection_is_an_outage() {
    let db = TestDatabase::migrated().await;
    let pool = db.pool(|options| {
        (options.pool_size, options.acquire_timeout) = (1, Duration::from_millis(100));
    });
    let slow = pool.run(async |conn| conn.batch_execute("SELECT pg_sleep(0.5)").await);
    let waiting = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Who asks whether the server answers has a connection for that.
        pool.ping().await.unwrap();
        pool.run(async |conn| conn.batch_execute("SELECT 1").await).await
    };
    let (slow, waiting) = tokio::join!(slow, waiting);
    slow.unwrap();
    assert!(is_outage(&waiting), "{waiting:?}");
    pool.run(async |conn| conn.batch_execute("SELECT 1").await).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_outage() {
    let options = PostgresOptions {
        url: SecretString::from("postgres:///nothing?host=/nowhere&user=nobody&password=hunter2"),
        pool_size: 1,
        acquire_timeout: Duration::from_secs(1),
        statement_timeout: Duration::from_secs(1),
    };
    let postgres = Postgres::connect(&options).unwrap();
    let result = postgres.ping().await;
    assert!(is_outage(&result), "{result:?}");
    assert!(!format!("{result:?}{postgres:?}{options:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_transaction_given_up_half_way_is_rolled_back() {
    let db = TestDatabase::migrated().await;
    let pool = db.pool(|options| options.pool_size = 1);
    let work = pool.run(async |conn| {
        conn.batch_execute("BEGIN; UPDATE policy_version SET version = 99; SELECT pg_sleep(5)").await
    });
    tokio::time::timeout(Duration::from_millis(300), work).await.expect_err("given up");
    drop(pool);
    // Of this database alone: others sleep in theirs.
    db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND query LIKE '%pg_sleep(5)' AND pid <> pg_backend_pid()",
    )
    .await;
    assert_eq!(db.postgres.find_policy_version().await.unwrap(), 1);
}
