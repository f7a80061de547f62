//! Effects are taken by one job at a time and not lost.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures_util::future::join_all;

use super::{TestDatabase, noon};
use crate::storage::postgres::outbox::OutboxKind;

const LEASE: TimeDelta = TimeDelta::minutes(1);

async fn filled(rows: usize) -> TestDatabase {
    let db = TestDatabase::migrated().await;
    db.execute(&format!(
        "INSERT INTO outbox (kind, payload, due_at, created_at)
         SELECT 'backchannel_logout', '{{}}', to_timestamp(1800000000), to_timestamp(1800000000)
         FROM generate_series(1, {rows})"
    ))
    .await;
    db
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_that_run_at_once_take_different_rows() {
    let db = filled(40).await;
    let taken = join_all((0..8).map(|_| db.postgres.take_outbox(7, LEASE, noon()))).await;
    let taken: Vec<i64> = taken.into_iter().flat_map(Result::unwrap).map(|row| row.id).collect();
    assert_eq!(taken.len(), taken.iter().collect::<BTreeSet<_>>().len());
}

#[tokio::test]
async fn a_row_comes_back_when_its_lease_is_over_or_it_is_due_again() {
    let db = filled(1).await;
    let take = async |now| db.postgres.take_outbox(9, LEASE, now).await.unwrap();
    assert!(take(noon() - TimeDelta::seconds(1)).await.is_empty());
    let first = take(noon()).await;
    assert_eq!((first.len(), first[0].attempts), (1, 1));
    assert!(take(noon()).await.is_empty());
    assert_eq!(take(noon() + LEASE).await[0].attempts, 2);
    let due = noon() + TimeDelta::minutes(5);
    db.postgres.retry_outbox(first[0].id, due, "the client answered 500").await.unwrap();
    assert!(take(due - TimeDelta::seconds(1)).await.is_empty());
    assert_eq!(take(due).await[0].attempts, 3);
}

#[tokio::test]
async fn what_is_settled_stays_settled() {
    let db = filled(2).await;
    let rows = db.postgres.take_outbox(9, LEASE, noon()).await.unwrap();
    db.postgres.finish_outbox(rows[0].id, noon()).await.unwrap();
    db.postgres.fail_outbox(rows[1].id, "the client answered 400", noon()).await.unwrap();
    for row in &rows {
        db.postgres.retry_outbox(row.id, noon(), "too late").await.unwrap();
    }
    assert!(db.postgres.take_outbox(9, LEASE, noon() + LEASE).await.unwrap().is_empty());
    assert_eq!(db.postgres.delete_expired(9, noon() + TimeDelta::days(2)).await.unwrap(), 1);
    assert_eq!(db.count("SELECT count(*) FROM outbox WHERE last_error = 'the client answered 400'").await, 1);
    assert_eq!(db.postgres.delete_expired(9, noon() + TimeDelta::days(31)).await.unwrap(), 1);
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_left_to_it_and_holds_up_nothing() {
    let db = filled(1).await;
    // Due before the one that this version knows.
    db.execute(
        "INSERT INTO outbox (kind, payload, due_at, created_at)
         SELECT 'from_the_future', '{}', '2020-01-01', '2020-01-01' FROM generate_series(1, 20)",
    )
    .await;
    let taken = db.postgres.take_outbox(9, LEASE, noon()).await.unwrap();
    assert_eq!(taken.iter().map(|row| row.kind).collect::<Vec<_>>(), [OutboxKind::BackchannelLogout]);
    for hours in 1..20 {
        db.postgres.take_outbox(9, LEASE, noon() + TimeDelta::hours(hours)).await.unwrap();
    }
    let untouched = "kind = 'from_the_future' AND attempts = 0 AND taken_until IS NULL AND failed_at IS NULL";
    assert_eq!(db.count(&format!("SELECT count(*) FROM outbox WHERE {untouched}")).await, 20);
}
