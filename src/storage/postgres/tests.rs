//! The verbs against a real server: each test has a database of its own.

mod clients;
mod codes;
mod connections;
mod drift;
mod migrations;
mod outbox;
mod people;
mod refresh;
mod sessions;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::pool::Target;
use super::{Postgres, PostgresOptions, migrate};
use crate::model::client::{Client, ClientSettings, GrantType};
use crate::model::family::Grant;
use crate::model::id::{ClientId, Sid, SubjectId};
use crate::model::session::{Authentication, Session};
use crate::storage::postgres::person::NewPerson;

/// A database that lives as long as this value.
pub(crate) struct TestDatabase {
    pub(crate) postgres: Postgres,
    pub(crate) url: SecretString,
    server: SecretString,
    name: String,
}

#[derive(QueryableByName)]
struct CountRow {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The time at which every test begins.
pub(crate) fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a time")
}

impl TestDatabase {
    /// A migrated database.
    pub(crate) async fn migrated() -> Self {
        let database = Self::empty().await;
        migrate::run(&database.url).await.expect("migrated");
        database
    }

    /// A database without tables.
    pub(crate) async fn empty() -> Self {
        let server = std::env::var("OSTIARY_TEST_DATABASE_URL")
            .expect("OSTIARY_TEST_DATABASE_URL names no Postgres: run the tests with scripts/test");
        let server = SecretString::from(server);
        let name = format!("ostiary_unit_{}", Uuid::new_v4().simple());
        on_server(&server, &format!("CREATE DATABASE {name}")).await;
        let url = with_name(&server, &name);
        let postgres = Postgres::connect(&options(&url)).expect("connected");
        Self { postgres, url, server, name }
    }

    /// Another pool on the same database.
    pub(crate) fn pool(&self, change: impl FnOnce(&mut PostgresOptions)) -> Postgres {
        let mut options = options(&self.url);
        change(&mut options);
        Postgres::connect(&options).expect("connected")
    }

    /// A connection outside of every pool, to hold a transaction open.
    async fn connection(&self) -> AsyncPgConnection {
        Target::parse(&self.url).expect("a good URL").establish(None).await.expect("a connection")
    }

    /// Waits until some connection waits for a lock of another.
    async fn someone_waits(&self) {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN \
                       (SELECT pid FROM pg_stat_activity WHERE datname = current_database())";
        while self.count(waiting).await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.postgres.run(async |conn| conn.batch_execute(sql).await).await.expect(sql);
    }

    /// From now on every statement that changes a row of `table` gives its rows, and fails when it is committed.
    pub(crate) async fn let_commits_fail(&self, table: &str) {
        let sql = format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not committed'; END $$;
             CREATE CONSTRAINT TRIGGER refused AFTER INSERT OR UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION refuse()"
        );
        self.execute(&sql).await;
    }

    /// No more.
    pub(crate) async fn let_commits_succeed(&self, table: &str) {
        self.execute(&format!("DROP TRIGGER refused ON {table}; DROP FUNCTION refuse()")).await;
    }

    /// The one number that a query answers, which has to be called `count`.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        count(&self.postgres, sql).await
    }
}

/// The one number that a query on a pool answers.
async fn count(postgres: &Postgres, sql: &str) -> i64 {
    postgres.run(async |conn| diesel::sql_query(sql).get_result::<CountRow>(conn).await).await.expect(sql).count
}

fn options(url: &SecretString) -> PostgresOptions {
    PostgresOptions {
        url: url.clone(),
        pool_size: 16,
        acquire_timeout: Duration::from_secs(20),
        statement_timeout: Duration::from_secs(20),
    }
}

fn with_name(server: &SecretString, name: &str) -> SecretString {
    let url = server.expose_secret();
    let (base, query) = url.split_once('?').map_or((url, String::new()), |(base, query)| (base, format!("?{query}")));
    let (base, _) = base.rsplit_once('/').expect("postgres://.../database");
    SecretString::from(format!("{base}/{name}{query}"))
}

async fn on_server(server: &SecretString, sql: &str) {
    let mut conn = Target::parse(server).expect("a good URL").establish(None).await.expect("a running server");
    conn.batch_execute(sql).await.expect(sql);
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, sql) = (self.server.clone(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(on_server(&server, &sql));
        });
        drop(dropped.join());
    }
}

/// A client, a person and their session: what a grant needs.
pub(crate) struct Setting {
    pub(crate) db: TestDatabase,
    pub(crate) client: Client,
    pub(crate) subject: SubjectId,
    pub(crate) session: Session,
}

impl Setting {
    pub(crate) async fn new() -> Self {
        let db = TestDatabase::migrated().await;
        let client = client("shop", |_| {});
        db.postgres.insert_client(&client, noon()).await.expect("a client");
        let subject = db.postgres.insert_person(&person("ada"), noon()).await.expect("stored").expect("a free name");
        let session = session(&subject, 0);
        db.postgres.insert_session(&session, noon()).await.expect("a session");
        Self { db, client, subject, session }
    }

    pub(crate) fn grant(&self, scopes: &[&str]) -> Grant {
        Grant {
            grant_type: GrantType::AuthorizationCode,
            client_id: self.client.id.clone(),
            client_generation: 0,
            subject: self.subject.clone(),
            generation: 0,
            sid: self.session.sid,
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            resources: Vec::new(),
            authorization_details: Vec::new(),
            claims: Some(serde_json::json!({"userinfo": {"email": null}})),
            authentication: self.session.authentication.clone(),
        }
    }
}

pub(crate) fn client(id: &str, change: impl FnOnce(&mut ClientSettings)) -> Client {
    let mut settings = ClientSettings::default();
    change(&mut settings);
    Client {
        id: ClientId::new(id),
        enabled: true,
        settings,
        secrets: Vec::new(),
        generation: 0,
        registered_through: None,
    }
}

pub(crate) fn person(username: &str) -> NewPerson {
    let claims = serde_json::json!({"name": "Ada Lovelace"}).as_object().cloned().expect("an object");
    NewPerson { username: username.into(), claims, is_administrator: false, phc: "$argon2id$one".into() }
}

pub(crate) fn session(subject: &SubjectId, generation: i64) -> Session {
    Session {
        sid: Sid(Uuid::new_v4()),
        subject: subject.clone(),
        generation,
        authentication: Authentication { auth_time: noon(), amr: vec!["pwd".into()], acr: "urn:acr".into() },
        seen_at: noon(),
        expires_at: noon() + TimeDelta::hours(8),
        ended_at: None,
    }
}
