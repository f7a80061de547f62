//! `ostiary-migrate` as a pipeline runs it: what it says, how it exits, and that nothing that stops it half-way does harm.

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use ostiary::storage::postgres::migrate::{MIGRATIONS, SCHEMA_VERSION, sql};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use crate::harness::program::{Ended, MIGRATE, Program, Workplace};
use crate::harness::{Cluster, Database, eventually, free_port};

/// A database, and a folder to run the program in.
struct Pipeline {
    workplace: Workplace,
    url: String,
    _database: Option<Database>,
}

impl Pipeline {
    async fn new() -> Self {
        let database = Database::create_empty().await;
        let url = database.url().expose_secret().to_owned();
        Self { workplace: Workplace::new(), url, _database: Some(database) }
    }

    fn start(&self, arguments: &[&str]) -> Program {
        self.workplace.start(MIGRATE, arguments, &[("DATABASE_URL", &self.url)])
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).ended().await
    }

    async fn succeeds(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?} {ended:?}");
        ended
    }

    /// A failure: nothing but its mend is said, and nothing is called a result.
    async fn fails(&self, arguments: &[&str], words: &[&str]) -> Ended {
        let ended = self.run(arguments).await;
        assert_failed(&ended, words);
        ended
    }

    async fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let ended = self.run(&[arguments, &["--json"]].concat()).await;
        let json = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
        (ended.code, json)
    }

    /// Somebody else's connection.
    async fn other(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Takes the last migration back, and keeps it from being applied again: each ends by writing its version.
    async fn obstacle(&self) -> Client {
        self.succeeds(&["up"]).await;
        self.succeeds(&["down", "--yes"]).await;
        let other = self.other().await;
        other.batch_execute("BEGIN; LOCK TABLE schema_meta IN SHARE MODE").await.unwrap();
        other
    }

    /// The process of Postgres in which a migration waits.
    async fn backend_that_waits(&self) -> i32 {
        let client = self.other().await;
        let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'ostiary-migrate' \
                   AND datname = current_database() AND wait_event_type = 'Lock'";
        eventually("the migration waits", || async { client.query_opt(sql, &[]).await.unwrap().map(|row| row.get(0)) })
            .await
    }

    async fn is_up_to_date(&self) {
        let ended = self.succeeds(&["up"]).await;
        assert!(ended.stdout.ends_with(&up_to_date()), "{ended:?}");
        let (code, status) = self.json(&["status", "--exit-code"]).await;
        assert_eq!((code, &status["applied"], &status["pending"]), (Some(0), &json!(names()), &json!([])));
    }
}

#[track_caller]
fn assert_failed(ended: &Ended, words: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains("ostiary-migrate: ") && ended.stderr.contains("      mend: "), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
}

fn names() -> Vec<&'static str> {
    MIGRATIONS.iter().map(|migration| migration.name).collect()
}

fn last() -> &'static str {
    MIGRATIONS.last().unwrap().name
}

fn up_to_date() -> String {
    format!("the schema is up to date (version {SCHEMA_VERSION})\n")
}

fn lines(prefix: &str) -> String {
    names().iter().map(|name| format!("{prefix} {name}\n")).collect()
}

#[tokio::test]
async fn up_says_what_it_did_and_how_long_it_took() {
    let pipeline = Pipeline::new().await;
    let ended = pipeline.succeeds(&["up"]).await;
    assert_eq!(ended.stdout, lines("applied") + &up_to_date());
    assert_eq!(ended.stderr.lines().count(), MIGRATIONS.len(), "{ended:?}");
    for (line, name) in ended.stderr.lines().zip(names()) {
        assert!(line.starts_with(&format!("{name} ... done in ")) && line.ends_with(" s"), "{line}");
    }
    // Once more, and without a command, it is all there.
    for arguments in [&["up"][..], &[]] {
        let again = pipeline.succeeds(arguments).await;
        assert_eq!((again.stdout, again.stderr.as_str()), (up_to_date(), ""));
    }
}

#[tokio::test]
async fn status_answers_a_pipeline_by_its_exit_code() {
    let pipeline = Pipeline::new().await;
    let ended = pipeline.succeeds(&["status"]).await;
    assert_eq!(ended.stdout, lines("pending") + "run `ostiary-migrate up` to apply what is pending\n");
    assert_eq!(pipeline.run(&["status", "--exit-code"]).await.code, Some(2));
    let left = pipeline.other().await.query("SELECT FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap();
    assert!(left.is_empty(), "it looks and touches nothing");
    pipeline.succeeds(&["up"]).await;
    let ended = pipeline.succeeds(&["status", "--exit-code"]).await;
    assert_eq!((ended.stdout, ended.stderr.as_str()), (lines("applied") + &up_to_date(), ""));
    // A word that it does not know is not an answer.
    let wrong = pipeline.run(&["status", "--exitcode"]).await;
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(1), ""), "{wrong:?}");
    assert_eq!(pipeline.succeeds(&["--help"]).await.stderr, "");
}

#[tokio::test]
async fn every_command_answers_programs_in_json() {
    let pipeline = Pipeline::new().await;
    let (code, plan) = pipeline.json(&["plan", "--names"]).await;
    assert_eq!((code, plan), (Some(0), json!({ "pending": names() })));
    let (code, up) = pipeline.json(&["up"]).await;
    assert_eq!(code, Some(0));
    let applied = up["applied"].as_array().unwrap();
    assert!(applied.iter().all(|one| one["duration_ms"].is_u64()), "{up}");
    assert_eq!(applied.iter().map(|one| one["name"].as_str().unwrap()).collect::<Vec<_>>(), names());
    let ready = json!({ "standing": "ready", "version": SCHEMA_VERSION, "known_version": SCHEMA_VERSION,
                        "compatible_from": null });
    assert_eq!(up["schema"], ready);
    let expected = json!({ "applied": names(), "unknown": [], "pending": [], "at_work": null, "schema": ready });
    assert_eq!(pipeline.json(&["status"]).await, (Some(0), expected));
    let everything = MIGRATIONS.len().to_string();
    let (code, refused) = pipeline.json(&["down", &everything]).await;
    assert_eq!(code, Some(1));
    assert_eq!(refused["problems"][0]["mend"], "make a backup if the data matters, then repeat it with --yes");
    assert!(
        refused["would_be_lost"].as_array().unwrap().iter().any(|loss| loss["what"] == "the table scope"),
        "{refused}"
    );
    let (code, down) = pipeline.json(&["down", &everything, "--yes"]).await;
    assert_eq!((code, down["taken_back"].as_array().unwrap().len()), (Some(0), MIGRATIONS.len()));
    assert_eq!(down["schema"]["standing"], "needs_migration");
    let unreachable = format!("postgres://o:hunter2@127.0.0.1:{}/o", free_port());
    let ended = pipeline.workplace.run(MIGRATE, &["status", "--json", "--database-url", &unreachable], &[]).await;
    let answer: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(answer["problems"][0]["what"].as_str().unwrap().starts_with("the database cannot be reached"), "{answer}");
    assert!(ended.code == Some(1) && !format!("{ended:?}").contains("hunter2"), "{ended:?}");
}

#[tokio::test]
async fn plan_prints_the_sql_with_its_locks_and_changes_nothing() {
    let pipeline = Pipeline::new().await;
    let planned = pipeline.succeeds(&["plan"]).await.stdout;
    for migration in MIGRATIONS {
        assert!(planned.contains(&format!("-- {}: ", migration.name)), "{planned}");
    }
    assert!(planned.contains("-- ACCESS EXCLUSIVE on client, which is new\nCREATE TABLE client (\n"), "{planned}");
    assert_eq!(pipeline.succeeds(&["plan", "--names"]).await.stdout, lines("").replace(' ', ""));
    // What it prints is what `up` does: the same by hand makes the same tables.
    let by_hand = Pipeline::new().await;
    let other = by_hand.other().await;
    for sql in sql::statements(&planned).unwrap() {
        other.batch_execute(&sql.text).await.unwrap();
    }
    pipeline.succeeds(&["up"]).await;
    let columns = "SELECT string_agg(concat_ws(' ', table_name, column_name, data_type, column_default), ', ' \
                       ORDER BY table_name, ordinal_position) \
                   FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%'";
    let columns =
        async |place: &Pipeline| place.other().await.query_one(columns, &[]).await.unwrap().get::<_, String>(0);
    assert_eq!(columns(&pipeline).await, columns(&by_hand).await);

    assert_eq!(pipeline.succeeds(&["plan"]).await.stdout, "-- nothing is pending\n");
    pipeline.succeeds(&["down", "--yes"]).await;
    let (_, plan) = pipeline.json(&["plan"]).await;
    assert_eq!(plan["pending"].as_array().unwrap().len(), 1);
    let migration = &plan["pending"][0];
    assert_eq!(
        (migration["name"].as_str(), migration["version"].as_i64()),
        (Some(last()), Some(SCHEMA_VERSION.into()))
    );
    let statements = migration["statements"].as_array().unwrap().iter();
    let mut effects = statements.flat_map(|sql| sql["effects"].as_array().into_iter().flatten());
    assert!(effects.any(|effect| effect["table"] == "schema_meta" && effect["lock"] == "ROW EXCLUSIVE"), "{plan}");
}

#[tokio::test]
async fn of_pipelines_that_run_at_once_one_migrates_and_all_succeed() {
    let pipeline = Pipeline::new().await;
    let mut running: Vec<_> = (0..5).map(|_| pipeline.start(&["up"])).collect();
    let mut applied = String::new();
    for program in &mut running {
        let ended = program.ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        applied += ended.stdout.strip_suffix(&up_to_date()).unwrap_or_else(|| panic!("{ended:?}"));
    }
    assert_eq!(applied, lines("applied"), "each once, and by one of them");
}

#[tokio::test]
async fn one_that_waits_says_for_whom_and_gives_up_in_the_end() {
    let pipeline = Pipeline::new().await;
    let obstacle = pipeline.obstacle().await;
    let mut first = pipeline.start(&["up", "--lock-timeout", "1m"]);
    pipeline.backend_that_waits().await;
    let who = "another migration is at work (ostiary-migrate, process ";
    let ended = pipeline.fails(&["up", "--wait", "100ms"], &[who, "still at work after 100ms", "--wait"]).await;
    assert_eq!(ended.stderr.matches(who).count(), 1, "once, not again and again: {ended:?}");
    assert!(pipeline.succeeds(&["status"]).await.stdout.contains(who), "and status does not wait");
    let mut second = pipeline.start(&["up"]);
    eventually("the second one says so", || async { second.stderr().contains(who).then_some(()) }).await;
    obstacle.batch_execute("COMMIT").await.unwrap();
    assert_eq!(first.ended().await.stdout, format!("applied {}\n{}", last(), up_to_date()));
    let ended = second.ended().await;
    assert_eq!((ended.code, ended.stdout), (Some(0), up_to_date()));
}

#[tokio::test]
async fn a_program_that_is_killed_half_way_leaves_nothing_behind() {
    let pipeline = Pipeline::new().await;
    let obstacle = pipeline.obstacle().await;
    let mut killed = pipeline.start(&["up", "--lock-timeout", "1m"]);
    pipeline.backend_that_waits().await;
    killed.signal(Signal::SIGKILL);
    assert_eq!(killed.ended().await.signal, Some(9));
    // Postgres notices although the statement still waits, so that the next run does not wait for a dead one.
    eventually("its lock ends", || async {
        let (_, status) = pipeline.json(&["status"]).await;
        status["at_work"].is_null().then_some(())
    })
    .await;
    assert_eq!(pipeline.run(&["status", "--exit-code"]).await.code, Some(2));
    obstacle.batch_execute("COMMIT").await.unwrap();
    pipeline.is_up_to_date().await;
}

#[tokio::test]
async fn a_killed_postgres_is_said_and_the_next_run_ends_well() {
    let cluster = Cluster::start().await;
    let pipeline = Pipeline { workplace: Workplace::new(), url: cluster.url(), _database: None };
    for is_killed in [false, true] {
        let obstacle = pipeline.obstacle().await;
        let mut lost = pipeline.start(&["up", "--lock-timeout", "1m"]);
        let backend = pipeline.backend_that_waits().await;
        if is_killed {
            // All of Postgres starts again after that.
            nix::sys::signal::kill(Pid::from_raw(backend), Signal::SIGKILL).unwrap();
        } else {
            pipeline.other().await.execute("SELECT pg_terminate_backend($1)", &[&backend]).await.unwrap();
        }
        let during = format!("the connection to Postgres was lost during {}", last());
        assert_failed(&lost.ended().await, &[&during, "mend: run it again"]);
        drop(obstacle);
        eventually("Postgres answers", || async { tokio_postgres::connect(&pipeline.url, NoTls).await.ok().map(drop) })
            .await;
        pipeline.is_up_to_date().await;
    }
}

#[tokio::test]
async fn a_table_in_use_is_tried_again_and_then_explained() {
    let pipeline = Pipeline::new().await;
    let obstacle = pipeline.obstacle().await;
    let words = [
        "a table is in use; its users go first, trying again in 0.02 s",
        "each of 5 times",
        last(),
        "pg_stat_activity",
    ];
    let ended = pipeline.fails(&["up", "--lock-timeout", "20ms"], &words).await;
    assert_eq!(ended.stderr.matches("trying again").count(), 4, "{ended:?}");
    assert!(pipeline.run(&["up", "--lock-timeout", "0"]).await.stderr.contains("it cannot be 0"));
    assert_eq!(pipeline.run(&["status", "--exit-code"]).await.code, Some(2));
    obstacle.batch_execute("COMMIT").await.unwrap();
    pipeline.is_up_to_date().await;
}

#[tokio::test]
async fn what_postgres_refuses_is_said_with_its_place_and_undone() {
    let pipeline = Pipeline::new().await;
    let other = pipeline.other().await;
    other.batch_execute("CREATE TABLE consent ()").await.unwrap();
    let words = [
        names()[0],
        "line ",
        "relation \"consent\" already exists",
        "CREATE TABLE consent",
        "nothing of this migration",
    ];
    pipeline.fails(&["up"], &words).await;
    let tables = other.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap();
    assert_eq!(tables.len(), 2, "consent and the records");
    other.batch_execute("DROP TABLE consent").await.unwrap();
    pipeline.is_up_to_date().await;
    // One that may look but not make anything.
    let user = format!("reader_{}", std::process::id());
    let grant = format!("CREATE ROLE {user} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}");
    other.batch_execute(&grant).await.unwrap();
    let url = pipeline.url.replace("user=ostiary", &format!("user={user}"));
    let run = async |arguments: &[&str]| pipeline.workplace.run(MIGRATE, arguments, &[("DATABASE_URL", &url)]).await;
    assert_eq!(run(&["status", "--exit-code"]).await.code, Some(0));
    assert_eq!(run(&["up"]).await.code, Some(0), "nothing is to be done");
    assert_failed(&run(&["down", "--yes"]).await, &["permission denied"]);
    other.batch_execute(&format!("DROP OWNED BY {user}; DROP ROLE {user}")).await.unwrap();
}

#[tokio::test]
async fn a_schema_newer_than_the_program_is_left_alone_and_named() {
    let pipeline = Pipeline::new().await;
    pipeline.succeeds(&["up"]).await;
    let (later, other) = (SCHEMA_VERSION + 1, pipeline.other().await);
    other.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99999999999999')").await.unwrap();
    other.batch_execute(&format!("UPDATE schema_meta SET version = {later}")).await.unwrap();
    let newer = format!("the schema is newer than this program (version {later}, it knows {SCHEMA_VERSION})");
    let serves = format!("{newer} and still serves it; there is nothing to do\n");
    assert_eq!(pipeline.succeeds(&["up"]).await.stdout, serves);
    let status = pipeline.succeeds(&["status", "--exit-code"]).await.stdout;
    assert_eq!(status, format!("{}applied 99999999999999, by a later version\n{serves}", lines("applied")));
    pipeline
        .fails(&["down", "--yes"], &["a later version of the program migrated this database (it has 99999999999999)"])
        .await;

    other.batch_execute(&format!("UPDATE schema_meta SET compatible_from = {later}")).await.unwrap();
    let words = [&*format!("the schema has version {later}, which serves programs from {later} on"), "or a later one"];
    pipeline.fails(&["up"], &words).await;
    let (code, status) = pipeline.json(&["status", "--exit-code"]).await;
    assert_eq!((code, &status["schema"]["standing"]), (Some(1), &json!("too_new")));
    assert_eq!(status["unknown"], json!(["99999999999999"]));
    let text = pipeline.succeeds(&["status"]).await.stdout;
    assert!(text.contains(&format!("{newer} and no longer serves it: version {later} is needed")), "{text}");
    let count = other.query_one("SELECT count(*) FROM __diesel_schema_migrations", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), i64::try_from(MIGRATIONS.len()).unwrap() + 1, "all is as it was");
}

#[tokio::test]
async fn down_takes_back_what_it_is_told_and_asks_before_data_goes() {
    let pipeline = Pipeline::new().await;
    pipeline.succeeds(&["up"]).await;
    // Everything but the first: no row is in any of it.
    let steps = (MIGRATIONS.len() - 1).to_string();
    let ended = pipeline.run(&["down", &steps]).await;
    if ended.code != Some(0) {
        assert_failed(&ended, &["data would be lost, and nothing was changed", "--yes"]);
        pipeline.succeeds(&["down", &steps, "--yes"]).await;
    }
    let (_, status) = pipeline.json(&["status"]).await;
    assert_eq!(status["applied"], json!([names()[0]]));
    pipeline
        .fails(&["down"], &["data would be lost, and nothing was changed:\n", "  the table scope: 6 rows\n", "--yes"])
        .await;
    let ended = pipeline.succeeds(&["down", "--yes"]).await;
    assert!(ended.stdout.starts_with(&format!("took back {}\ngone:\n", names()[0])), "{ended:?}");
    assert!(ended.stdout.contains("  the table scope: 6 rows\n"), "{ended:?}");
    assert_eq!(pipeline.succeeds(&["down", "3"]).await.stdout, "there is no migration to take back\n");
    pipeline.is_up_to_date().await;
}

#[tokio::test]
async fn the_database_is_the_one_of_the_settings() {
    let pipeline = Pipeline::new().await;
    let Pipeline { workplace, url, .. } = &pipeline;
    // What else is wrong in the settings is not its business.
    let settings = json!({ "server": { "issuer": "http://id.example.com" }, "database": { "url": url } }).to_string();
    let file = workplace.write("database-url", &format!("{url}\n"));
    let file = file.to_str().unwrap();
    workplace.write("settings.yaml", &settings);
    let ended = workplace.run(MIGRATE, &["--config", "settings.yaml"], &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for environment in [("DATABASE_URL_FILE", file), ("DATABASE_URL", url.as_str())] {
        let ended = workplace.run(MIGRATE, &["status", "--exit-code"], &[environment]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let missing = workplace.run(MIGRATE, &["status"], &[]).await;
    assert_failed(&missing, &["database.url", "DATABASE_URL"]);
    let both = workplace.run(MIGRATE, &["status"], &[("DATABASE_URL_FILE", file), ("DATABASE_URL", url)]).await;
    assert_failed(&both, &["both DATABASE_URL and DATABASE_URL_FILE are set"]);
    let absent = workplace.run(MIGRATE, &["--config", "absent.yaml"], &[("DATABASE_URL", url)]).await;
    assert_failed(&absent, &["absent.yaml", "cannot be read"]);
    workplace.write(".env.yaml", &settings);
    assert_eq!(workplace.run(MIGRATE, &["status", "--exit-code"], &[]).await.code, Some(0));
    // TLS means what it means to the server.
    let strict = format!("{url}&sslmode=verify-full&sslrootcert=/nowhere/ca.pem");
    let ended = workplace.run(MIGRATE, &["status"], &[("DATABASE_URL", &strict)]).await;
    assert_failed(&ended, &["sslrootcert /nowhere/ca.pem holds no usable PEM certificate"]);
}
