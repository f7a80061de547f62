//! Seals over the records of what was done: whatever is changed or taken away afterwards is found.

use chrono::TimeDelta;
use ostiary::flow::audit_seal::{Flaw, Verification, verify};
use ostiary::jobs::{Job, Progress};
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::harness::program::{Ended, OSTIARY, Workplace};
use crate::harness::{TestApp, eventually, key_directory, master_key};

struct Records {
    app: TestApp,
    workplace: Workplace,
}

impl Records {
    async fn start() -> Self {
        let (app, workplace) =
            (TestApp::with_config(|config| config.audit.retention = TimeDelta::days(30)).await, Workplace::new());
        let keys = key_directory().to_str().unwrap();
        let settings = json!({
            "keys": {"directory": keys, "master_key": master_key()}, "database": {"url": app.database_url()},
        });
        workplace.write("settings.yaml", &settings.to_string());
        Self { app, workplace }
    }

    /// So many records under one seal.
    async fn sealed(&self, names: &[&str]) {
        let admin = self.app.admin_of_everything().await;
        for name in names {
            let scope = json!({"name": name, "description": {"en": "Something"}});
            admin.post("/admin/scopes", &scope).await.document(201);
        }
        self.seal().await;
    }

    /// Until nothing waits: the server's own job may be at it.
    async fn seal(&self) {
        loop {
            Job::AuditSealing.run_once(&self.app.app, self.app.now()).await.unwrap();
            if self.verify().await.waiting == 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn verify(&self) -> Verification {
        verify(&self.app.app, None).await.unwrap()
    }

    async fn execute(&self, sql: &str) {
        let (client, connection) = tokio_postgres::connect(&self.app.database_url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        let all: Vec<&str> =
            ["audit", "--config", "settings.yaml"].into_iter().chain(arguments.iter().copied()).collect();
        self.workplace.run(OSTIARY, &all, &[("ISSUER", self.app.issuer())]).await
    }

    /// What `verify` says with that exit code.
    async fn report(&self, arguments: &[&str], code: i32) -> Value {
        let all: Vec<&str> = ["verify", "--json"].into_iter().chain(arguments.iter().copied()).collect();
        let ended = self.run(&all).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        serde_json::from_str(&ended.stdout).unwrap()
    }
}

#[tokio::test]
async fn what_was_altered_or_deleted_by_hand_is_found() {
    let records = Records::start().await;
    for names in [&["a.one", "a.two"][..], &["b.one", "b.two", "b.three"], &["c.one"]] {
        records.sealed(names).await;
    }
    let seals = records.verify().await.seals;
    assert!(seals >= 3, "{seals}");
    assert_eq!(records.verify().await.flaws, []);
    // The seal of the second batch, in whichever the server's own job put it.
    let middle = "(SELECT seal FROM audit_event WHERE object = 'b.two')";
    let last = "(SELECT max(number) FROM audit_seal)";
    let cases = [
        ("altered", "UPDATE audit_event SET subject = 'somebody' WHERE object = 'b.two'".to_owned()),
        (
            "altered to say nothing",
            "UPDATE audit_event SET actor = NULL, actor_kind = 'server' WHERE object = 'b.two'".to_owned(),
        ),
        (
            "at another time",
            "UPDATE audit_event SET happened_at = happened_at - interval '1 day' WHERE object = 'b.two'".to_owned(),
        ),
        ("deleted", "DELETE FROM audit_event WHERE object = 'b.two'".to_owned()),
        (
            "added",
            format!(
                "INSERT INTO audit_event (event, outcome, actor_kind, object, happened_at, seal)
                 VALUES ('scope.removed', 'success', 'server', 'x', now(), {middle})"
            ),
        ),
        ("moved to another seal", format!("UPDATE audit_event SET seal = {last} WHERE object = 'b.two'")),
        (
            "deleted with its seal",
            format!("DELETE FROM audit_seal WHERE number = {middle}; DELETE FROM audit_event WHERE seal = {middle}"),
        ),
        (
            "said to be over",
            format!(
            "UPDATE audit_seal SET emptied_at = now(), emptied_key_id = 1, emptied_mac = mac WHERE number = {middle};
             DELETE FROM audit_event WHERE seal = {middle}"
        ),
        ),
        (
            "said to be over under a key that nobody has",
            format!(
            "UPDATE audit_seal SET emptied_at = now(), emptied_key_id = 99, emptied_mac = mac WHERE number = {middle};
             DELETE FROM audit_event WHERE seal = {middle}"
        ),
        ),
        ("the seal made again", format!("UPDATE audit_seal SET digest = sha256('anything') WHERE number = {last}")),
        (
            "the last seal under a key that nobody has",
            format!("UPDATE audit_seal SET key_id = 99 WHERE number = {last}"),
        ),
        ("a seal that was never made", "UPDATE audit_event SET seal = 1000 WHERE object = 'b.two'".to_owned()),
        (
            "the first seal deleted",
            "DELETE FROM audit_event WHERE seal = 1; DELETE FROM audit_seal WHERE number = 1".to_owned(),
        ),
    ];
    let copy = "CREATE TABLE events_before AS TABLE audit_event; CREATE TABLE seals_before AS TABLE audit_seal";
    records.execute(copy).await;
    for (what, sql) in cases {
        records.execute(&sql).await;
        let found = records.verify().await;
        assert!(!found.flaws.is_empty(), "{what}: {found:?}");
        let report = records.report(&[], 1).await;
        assert_eq!(report["is_intact"], false, "{what}: {report}");
        let back = "TRUNCATE audit_event, audit_seal; INSERT INTO audit_seal TABLE seals_before;
            INSERT INTO audit_event OVERRIDING SYSTEM VALUE TABLE events_before";
        records.execute(back).await;
        assert_eq!(records.verify().await.flaws, [], "after {what}");
    }
}

#[tokio::test]
async fn a_cut_off_end_is_found_by_whoever_wrote_a_seal_down() {
    let records = Records::start().await;
    records.sealed(&["a.one"]).await;
    let early = records.report(&[], 0).await["head"].as_str().unwrap().to_owned();
    records.sealed(&["b.one"]).await;
    let head = records.report(&["--expect", &early], 0).await["head"].as_str().unwrap().to_owned();
    assert_ne!(head, early);
    records.report(&["--expect", &head], 0).await;
    let last = head.split(':').next().unwrap();
    records
        .execute(&format!("DELETE FROM audit_event WHERE seal = {last}; DELETE FROM audit_seal WHERE number = {last}"))
        .await;
    assert_eq!(records.report(&["--expect", &early], 0).await["flaws"], json!([]));
    let report = records.report(&["--expect", &head], 1).await;
    assert_eq!(report["flaws"].as_array().unwrap().len(), 1, "{report}");
    let ended = records.run(&["verify", "--expect", "nothing"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_seal_at_once_make_one_chain() {
    let records = Records::start().await;
    let other = records.app.second_instance().await;
    let admin = records.app.admin_of_everything().await;
    for n in 0..20 {
        let scope = json!({"name": format!("n.{n}"), "description": {"en": "Something"}});
        admin.post("/admin/scopes", &scope).await.document(201);
        let (here, there) = tokio::join!(
            Job::AuditSealing.run_once(&records.app.app, records.app.now()),
            Job::AuditSealing.run_once(&other.app, other.now()),
        );
        here.unwrap();
        there.unwrap();
    }
    records.seal().await;
    let found = records.verify().await;
    assert_eq!(found.flaws, []);
    assert!(found.records >= 20 && found.seals >= 2, "{found:?}");
    assert_eq!(found, verify(&other.app, None).await.unwrap());
}

#[tokio::test]
async fn a_record_that_comes_late_is_in_a_later_seal() {
    let records = Records::start().await;
    let (mut client, connection) = tokio_postgres::connect(&records.app.database_url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let late = client.transaction().await.unwrap();
    let insert = "INSERT INTO audit_event (event, outcome, actor_kind, object, happened_at)
        VALUES ('scope.removed', 'success', 'server', 'late', now())";
    late.batch_execute(insert).await.unwrap();
    records.sealed(&["early"]).await;
    let before = records.verify().await;
    late.commit().await.unwrap();
    records.seal().await;
    let after = records.verify().await;
    assert_eq!((after.records, after.seals), (before.records + 1, before.seals + 1));
    assert_eq!(after.flaws, []);
    let export = records.run(&["export"]).await.stdout;
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seal_of = |object: &str| lines.iter().find(|line| line["object"] == object).unwrap()["seal"].as_i64().unwrap();
    assert!(seal_of("late") > seal_of("early"), "{export}");
}

#[tokio::test]
async fn records_whose_time_is_over_go_and_the_chain_stays_whole() {
    let records = Records::start().await;
    records.sealed(&["a.one", "a.two"]).await;
    let old = records.verify().await.records;
    records.app.pass(TimeDelta::days(20));
    records.sealed(&["b.one"]).await;
    assert_eq!(Job::AuditRetention.run_once(&records.app.app, records.app.now()).await.unwrap(), Progress::Done);
    assert_eq!(records.verify().await.emptied, 0);
    records.app.pass(TimeDelta::days(11));
    eventually("the old records are gone", async || {
        while Job::AuditRetention.run_once(&records.app.app, records.app.now()).await.unwrap() == Progress::More {}
        (records.verify().await.emptied > 0).then_some(())
    })
    .await;
    let found = records.verify().await;
    assert_eq!(found.flaws, []);
    assert!(found.records >= 1 && found.emptied >= 1 && found.seals > found.emptied, "{old} {found:?}");
    let export = records.run(&["export"]).await.stdout;
    assert!(export.contains("b.one") && !export.contains("a.one"), "{export}");
    let report = records.report(&[], 0).await;
    assert_eq!(report["emptied_seals"], found.emptied);
}

#[tokio::test]
async fn a_seal_of_a_newer_master_key_covers_those_of_the_one_before() {
    let records = Records::start().await;
    records.sealed(&["a.one"]).await;
    let both = format!("2:{} {}", "A".repeat(43), master_key());
    let newer = records.app.second_instance_with(|config| config.keys.master_key = Some(both.clone().into())).await;
    let admin = records.app.admin_of_everything().await;
    eventually("the newer instance sealed something", async || {
        let scope = json!({"name": format!("n.{}", ostiary::random::id()), "description": {"en": "Something"}});
        admin.post("/admin/scopes", &scope).await.document(201);
        Job::AuditSealing.run_once(&newer.app, newer.now()).await.unwrap();
        // The head is of a key that is not here.
        (!records.verify().await.flaws.is_empty()).then_some(())
    })
    .await;
    let found = records.verify().await;
    assert!(matches!(found.flaws[..], [Flaw::Forged { .. }]) && found.unknown_key >= 1, "{found:?}");
    assert_eq!(verify(&newer.app, None).await.unwrap().flaws, []);
}

#[tokio::test]
async fn tail_and_export_tell_who_did_what() {
    let records = Records::start().await;
    records.sealed(&["mail.one", "mail.two"]).await;
    let ended = records.run(&["tail", "-n", "1"]).await;
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(0), 1), "{ended:?}");
    assert!(ended.stdout.contains("scope.registered") && ended.stdout.contains("object mail.two"), "{ended:?}");
    let ended = records.run(&["tail", "--json"]).await;
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let objects: Vec<&str> = lines.iter().filter_map(|line| line["object"].as_str()).collect();
    assert!(objects.ends_with(&["mail.one", "mail.two"]), "{objects:?}");

    let ended = records.run(&["export", "--output", "records.jsonl"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    let text = std::fs::read_to_string(records.workplace.path("records.jsonl")).unwrap();
    let line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let listed = records
        .app
        .admin_of_everything()
        .await
        .get("/admin/audit-events?event=scope.registered&limit=1")
        .await
        .document(200);
    for member in ["id", "event", "object", "ip", "request_id"] {
        assert_eq!(line[member], listed["items"][0][member], "{member}");
    }
    assert_eq!(line["outcome"], "success");
    let ended = records.run(&["export", "--until", "2020-01-01T00:00:00Z"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    let ended = records.run(&["export", "--output", "records.jsonl"]).await;
    assert_eq!(ended.code, Some(1), "an export that is there is not written over: {ended:?}");
}
