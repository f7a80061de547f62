//! Migrations go up, down and up again, and two that run at once do no harm.

use super::TestDatabase;
use crate::storage::StoreError;
use crate::storage::postgres::migrate::{self, SchemaStanding};

#[tokio::test]
async fn up_down_and_up_again() {
    let db = TestDatabase::empty().await;
    let check = async || migrate::check(&db.postgres).await.unwrap();
    assert_eq!(check().await, SchemaStanding::NeedsMigration { found: None });
    let all = migrate::list(&db.url).await.unwrap();
    assert!(all.applied.is_empty());
    assert_eq!(migrate::run(&db.url).await.unwrap(), all.pending);
    assert_eq!(check().await, SchemaStanding::Ready);
    assert!(migrate::run(&db.url).await.unwrap().is_empty());

    assert!(migrate::revert_last(&db.url).await.unwrap().is_some());
    assert_eq!(check().await, SchemaStanding::NeedsMigration { found: Some(migrate::SCHEMA_VERSION - 1) });
    while migrate::revert_last(&db.url).await.unwrap().is_some() {}
    assert_eq!(check().await, SchemaStanding::NeedsMigration { found: None });
    let left = "SELECT count(*) FROM information_schema.tables \
                WHERE table_schema = 'public' AND table_name <> '__diesel_schema_migrations'";
    assert_eq!(db.count(left).await, 0);

    migrate::run(&db.url).await.unwrap();
    let list = migrate::list(&db.url).await.unwrap();
    assert_eq!((list.applied, list.pending.len()), (all.pending, 0));
    assert_eq!(check().await, SchemaStanding::Ready);
}

#[tokio::test]
async fn two_that_run_at_once_apply_each_migration_once() {
    let db = TestDatabase::empty().await;
    let (one, two, three) = tokio::join!(migrate::run(&db.url), migrate::run(&db.url), migrate::run(&db.url));
    let mut applied = [one.unwrap().len(), two.unwrap().len(), three.unwrap().len()];
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 2]);
}

#[tokio::test]
async fn a_schema_from_a_later_version_is_told_apart() {
    let db = TestDatabase::migrated().await;
    let later = migrate::SCHEMA_VERSION + 1;
    db.execute(&format!("UPDATE schema_meta SET version = {later}")).await;
    assert_eq!(migrate::check(&db.postgres).await.unwrap(), SchemaStanding::Ready);
    db.execute(&format!("UPDATE schema_meta SET compatible_from = {later}")).await;
    assert_eq!(migrate::check(&db.postgres).await.unwrap(), SchemaStanding::TooNew { compatible_from: later });
    db.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99999999999999')").await;
    let refused = migrate::revert_last(&db.url).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
}
