//! Migrations go up, down and up again; whatever stops one half-way, and whoever is in its way, the next run ends well.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;

use super::TestDatabase;
use crate::storage::postgres::migrate::{
    self, MIGRATIONS, MigrateError, MigrateOptions, Migration, Progress, SCHEMA_VERSION, SchemaStanding, Status, sql,
};

const VERSION: &str = "SELECT version::bigint AS count FROM schema_meta";

const FIRST: Migration = Migration {
    version: 1,
    name: "00000000000001_first",
    up: "CREATE TABLE schema_meta (version integer NOT NULL, compatible_from integer NOT NULL);
         CREATE TABLE thing (id integer NOT NULL);
         INSERT INTO schema_meta VALUES (1, 1)",
    down: "DROP TABLE thing; DROP TABLE schema_meta",
    run_in_transaction: true,
    is_contract: false,
};

const INDEX: Migration = Migration {
    version: 2,
    name: "00000000000002_index",
    up: "CREATE UNIQUE INDEX CONCURRENTLY thing_id ON thing (id);
         UPDATE schema_meta SET version = 2",
    down: "UPDATE schema_meta SET version = 1; DROP INDEX CONCURRENTLY IF EXISTS thing_id",
    run_in_transaction: false,
    is_contract: false,
};

const COLUMN: Migration = Migration {
    version: 3,
    name: "00000000000003_column",
    up: "CREATE TABLE other (id integer);
         ALTER TABLE thing ADD COLUMN note text;
         UPDATE schema_meta SET version = 3",
    down: "UPDATE schema_meta SET version = 2; ALTER TABLE thing DROP COLUMN note; DROP TABLE other",
    run_in_transaction: true,
    is_contract: false,
};

/// What an index has to be to serve.
const VALID: &str = "SELECT count(*) AS count FROM pg_index WHERE indexrelid = 'thing_id'::regclass AND indisvalid";

fn options(migrations: &'static [Migration]) -> MigrateOptions {
    MigrateOptions { migrations, wait: Duration::from_secs(20), lock_timeout: Duration::from_secs(10) }
}

async fn up(db: &TestDatabase, migrations: &'static [Migration]) -> (Result<Status, MigrateError>, Vec<Progress>) {
    up_with(db, &options(migrations)).await
}

async fn up_with(db: &TestDatabase, options: &MigrateOptions) -> (Result<Status, MigrateError>, Vec<Progress>) {
    let mut events = Vec::new();
    let result = migrate::up(&db.url, options, &mut |event| events.push(event)).await;
    (result, events)
}

async fn down(db: &TestDatabase, migrations: &'static [Migration]) -> Result<Status, MigrateError> {
    migrate::down(&db.url, 1, &options(migrations), &mut |_| true, &mut drop).await
}

#[tokio::test]
async fn each_goes_up_down_and_up_again_and_writes_its_version() {
    let db = TestDatabase::empty().await;
    let check = async || migrate::check(&db.postgres).await.unwrap();
    assert_eq!(check().await, SchemaStanding::NeedsMigration { found: None });
    let names: Vec<_> = MIGRATIONS.iter().map(|migration| migration.name).collect();
    assert_eq!(migrate::run(&db.url).await.unwrap(), names);
    assert_eq!(check().await, SchemaStanding::Ready);
    assert_eq!(db.count(VERSION).await, i64::from(SCHEMA_VERSION));
    assert!(migrate::run(&db.url).await.unwrap().is_empty());

    for pair in MIGRATIONS.windows(2).rev() {
        down(&db, MIGRATIONS).await.unwrap();
        let found = pair[0].version;
        assert_eq!(check().await, SchemaStanding::NeedsMigration { found: Some(found) }, "after {}", pair[1].name);
    }
    down(&db, MIGRATIONS).await.unwrap();
    assert_eq!(check().await, SchemaStanding::NeedsMigration { found: None });
    assert!(down(&db, MIGRATIONS).await.unwrap().applied.is_empty());
    let left = "SELECT count(*) FROM information_schema.tables \
                WHERE table_schema = 'public' AND table_name <> '__diesel_schema_migrations'";
    assert_eq!(db.count(left).await, 0);

    for last in 1..=MIGRATIONS.len() {
        up(&db, &MIGRATIONS[..last]).await.0.unwrap();
        assert_eq!(db.count(VERSION).await, i64::from(MIGRATIONS[last - 1].version));
    }
    assert_eq!(migrate::status(&db.url, MIGRATIONS).await.unwrap().applied, names);
    assert_eq!(check().await, SchemaStanding::Ready);
}

#[test]
fn every_migration_is_read_as_postgres_reads_it() {
    for migration in MIGRATIONS {
        for text in [migration.up, migration.down] {
            let found = sql::statements(text).unwrap();
            assert!(found.iter().all(|sql| sql.parsed.is_some()), "{}: {found:#?}", migration.name);
        }
    }
}

#[tokio::test]
async fn of_those_that_run_at_once_one_applies_what_is_missing() {
    let db = TestDatabase::empty().await;
    let (one, two, three) = tokio::join!(migrate::run(&db.url), migrate::run(&db.url), migrate::run(&db.url));
    let mut applied = [one.unwrap().len(), two.unwrap().len(), three.unwrap().len()];
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, MIGRATIONS.len()]);
}

#[tokio::test]
async fn one_that_waits_does_not_keep_an_index_from_being_built() {
    let db = TestDatabase::empty().await;
    up(&db, &[FIRST]).await.0.unwrap();
    let mut writer = db.connection().await;
    writer.batch_execute("BEGIN; INSERT INTO thing VALUES (1)").await.unwrap();
    let (told, mut waits) = tokio::sync::mpsc::unbounded_channel();
    let run = async || {
        let mut progress = |event| {
            if matches!(event, Progress::Waiting { .. }) {
                told.send(()).unwrap();
            }
        };
        migrate::up(&db.url, &options(&[FIRST, INDEX]), &mut progress).await.unwrap().applied.len()
    };
    let commit = async {
        // One builds and waits for the writer, the other one waits for it.
        waits.recv().await.unwrap();
        writer.batch_execute("COMMIT").await.unwrap();
    };
    assert_eq!(tokio::join!(run(), run(), commit), (2, 2, ()));
    assert_eq!(db.count(VALID).await, 1);
}

#[tokio::test]
async fn an_index_that_was_interrupted_is_built_again() {
    for is_terminated in [true, false] {
        let db = TestDatabase::empty().await;
        up(&db, &[FIRST]).await.0.unwrap();
        let mut writer = db.connection().await;
        writer.batch_execute("BEGIN; INSERT INTO thing VALUES (1)").await.unwrap();
        // The index exists by now, and waits for the writer.
        let interrupted = {
            let mut run = Box::pin(up(&db, &[FIRST, INDEX]));
            let result = tokio::select! {
                (result, _) = &mut run => panic!("it ended: {result:?}"),
                () = db.someone_waits() => {
                    if is_terminated {
                        db.execute(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                             WHERE datname = current_database() AND application_name = 'ostiary-migrate'",
                        )
                        .await;
                        Some(run.await.0)
                    } else {
                        // As if the process were killed: nobody is there any more when Postgres looks.
                        None
                    }
                }
            };
            result
        };
        assert_eq!(db.count(VALID).await, 0, "it was left half-built");
        match interrupted {
            Some(result) => {
                assert!(matches!(result, Err(MigrateError::Lost(Some("00000000000002_index")))), "{result:?}")
            }
            // Its lock ends although the writer is still there.
            None => while migrate::status(&db.url, MIGRATIONS).await.unwrap().holder.is_some() {},
        }
        writer.batch_execute("COMMIT").await.unwrap();
        let (result, events) = up(&db, &[FIRST, INDEX]).await;
        assert_eq!(result.unwrap().standing, SchemaStanding::Ready);
        assert!(events.contains(&Progress::Rebuilding { index: "thing_id".into() }), "{events:?}");
        assert_eq!((db.count(VALID).await, db.count(VERSION).await), (1, 2));
    }
}

#[tokio::test]
async fn an_index_that_was_built_but_not_recorded_is_kept() {
    let db = TestDatabase::empty().await;
    up(&db, &[FIRST]).await.0.unwrap();
    db.execute("CREATE UNIQUE INDEX thing_id ON thing (id)").await;
    let (result, events) = up(&db, &[FIRST, INDEX]).await;
    assert_eq!(result.unwrap().applied.len(), 2);
    assert!(!events.iter().any(|event| matches!(event, Progress::Rebuilding { .. })), "{events:?}");
    down(&db, &[FIRST, INDEX]).await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM pg_class WHERE relname = 'thing_id'").await, 0);
}

#[tokio::test]
async fn what_an_index_refuses_is_said_and_mended_by_the_next_run() {
    let db = TestDatabase::empty().await;
    up(&db, &[FIRST]).await.0.unwrap();
    db.execute("INSERT INTO thing VALUES (1), (1)").await;
    let refused = up(&db, &[FIRST, INDEX]).await.0.unwrap_err();
    assert!(matches!(refused, MigrateError::Refused { line: 1, is_undone: false, .. }), "{refused:?}");
    assert!(refused.to_string().contains("could not create unique index"), "{refused}");
    db.execute("DELETE FROM thing").await;
    up(&db, &[FIRST, INDEX]).await.0.unwrap();
    assert_eq!(db.count(VALID).await, 1);
}

#[tokio::test]
async fn a_table_in_use_is_left_to_its_users_and_tried_again() {
    let db = TestDatabase::empty().await;
    up(&db, &[FIRST, INDEX]).await.0.unwrap();
    let patience =
        |millis| MigrateOptions { lock_timeout: Duration::from_millis(millis), ..options(&[FIRST, INDEX, COLUMN]) };
    let mut reader = db.connection().await;
    reader.batch_execute("BEGIN; SELECT * FROM thing").await.unwrap();
    let (blocked, events) = up_with(&db, &patience(20)).await;
    let blocked = blocked.unwrap_err();
    assert!(matches!(blocked, MigrateError::Blocked { line: 2, attempts: 5, .. }), "{blocked:?}");
    let retries = events.iter().filter(|event| matches!(event, Progress::Retrying { .. })).count();
    assert_eq!((retries, db.count(VERSION).await), (4, 2));
    assert_eq!(db.count("SELECT count(*) FROM pg_class WHERE relname = 'other'").await, 0, "all or nothing");

    let patience = patience(200);
    let run = up_with(&db, &patience);
    let reader = async {
        db.someone_waits().await;
        // One that comes after the migration waits for it, and gets its turn before the reader ends.
        db.execute("SELECT * FROM thing").await;
        reader.batch_execute("COMMIT").await.unwrap();
    };
    let ((done, events), ()) = tokio::join!(run, reader);
    assert_eq!(done.unwrap().standing, SchemaStanding::Ready);
    assert!(events.iter().any(|event| matches!(event, Progress::Retrying { .. })), "{events:?}");
}

#[tokio::test]
async fn a_schema_from_a_later_version_is_told_apart_and_left_alone() {
    let db = TestDatabase::migrated().await;
    let later = SCHEMA_VERSION + 1;
    db.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99999999999999')").await;
    db.execute(&format!("UPDATE schema_meta SET version = {later}")).await;
    assert_eq!(migrate::check(&db.postgres).await.unwrap(), SchemaStanding::Newer { found: later });
    let status = up(&db, MIGRATIONS).await.0.unwrap();
    assert_eq!((status.standing, status.unknown.len()), (SchemaStanding::Newer { found: later }, 1));
    assert!(matches!(down(&db, MIGRATIONS).await, Err(MigrateError::Newer(_))));

    db.execute(&format!("UPDATE schema_meta SET compatible_from = {later}")).await;
    let too_new = SchemaStanding::TooNew { found: later, compatible_from: later };
    assert_eq!(migrate::check(&db.postgres).await.unwrap(), too_new);
    assert!(matches!(up(&db, MIGRATIONS).await.0, Err(MigrateError::TooNew { .. })));
    assert!(matches!(down(&db, MIGRATIONS).await, Err(MigrateError::Newer(_))));
}

#[tokio::test]
async fn nothing_is_applied_below_what_is_there() {
    let db = TestDatabase::empty().await;
    up(&db, &[FIRST]).await.0.unwrap();
    up(&db, &[FIRST, COLUMN]).await.0.unwrap();
    let hole = up(&db, &[FIRST, INDEX, COLUMN]).await.0.unwrap_err();
    assert!(matches!(hole, MigrateError::Hole { missing: "00000000000002_index", .. }), "{hole:?}");
    let unknown = up(&db, &[FIRST, INDEX]).await.0.unwrap_err();
    assert!(matches!(unknown, MigrateError::Newer(_)), "{unknown:?}");
}

#[tokio::test]
async fn data_that_goes_is_named_first() {
    let db = TestDatabase::empty().await;
    const ALL: &[Migration] = &[FIRST, INDEX, COLUMN];
    up(&db, ALL).await.0.unwrap();
    let mut asked = Vec::new();
    let mut agree = |losses: &[migrate::Loss]| {
        asked.push(losses.iter().map(|loss| format!("{}: {}", loss.what, loss.rows)).collect::<Vec<_>>());
        false
    };
    migrate::down(&db.url, 1, &options(ALL), &mut agree, &mut drop).await.unwrap();
    up(&db, ALL).await.0.unwrap();
    db.execute("INSERT INTO thing (id, note) SELECT i, 'x' FROM generate_series(1, 1500) AS i").await;
    let refused = migrate::down(&db.url, 3, &options(ALL), &mut agree, &mut drop).await;
    assert!(matches!(refused, Err(MigrateError::Unconfirmed)), "{refused:?}");
    assert_eq!(db.count(VERSION).await, 3);
    let expected = ["the column thing.note: 1001", "the table thing: 1001", "the table schema_meta: 1"];
    assert_eq!(asked, [expected], "and nobody is asked when nothing goes");
}
