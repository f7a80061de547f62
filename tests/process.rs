//! The real programs: what keeps `ostiary` from starting, how it starts, drains, and takes up rotated keys.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::sys::signal::Signal;
use ostiary::clock::Clock;
use ostiary::config::DatabaseConfig;
use ostiary::keys::master_key::MasterKeys;
use ostiary::model::client::{Client, ClientSecret, ClientSettings, GrantType};
use ostiary::model::id::ClientId;
use ostiary::random;
use ostiary::storage::postgres::installation::InstallationKind;
use ostiary::storage::postgres::{Postgres, PostgresOptions};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConnection, StreamOwned};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::NoTls;

use crate::harness::program::{self, Ended, KEYCTL, OSTIARY, Program, Workplace};
use crate::harness::{
    Database, Valkey, basic, ends_at, eventually, free_port, http_client, jwt, server_certificate, tls_client, until,
};

/// Nothing that this finds may be in any report.
const SECRET: &str = "hunter2-hunter2";

/// Asserts that the program refused with one report, which names each key with a mend and no secret.
#[track_caller]
fn assert_refused(ended: &Ended, findings: &[(&str, &str)]) {
    let Ended { code, stdout, stderr, .. } = ended;
    assert_eq!(*code, Some(1), "{ended:?}");
    assert_eq!(stdout, "", "{ended:?}");
    let plural = if findings.len() == 1 { "error" } else { "errors" };
    let head = format!("ostiary: the configuration has {} {plural}\n", findings.len());
    // The log may have begun; the report is the end, and there is one.
    let (_, report) = stderr.split_once(&head).unwrap_or_else(|| panic!("{head}{stderr}"));
    assert!(report.lines().all(|line| line.starts_with("  ")), "{stderr}");
    assert_eq!(stderr.matches("\n      mend: ").count(), findings.len(), "each with its mend: {stderr}");
    for (key, words) in findings {
        let line = stderr.lines().find(|line| line.starts_with(&format!("  {key}")) && line.contains(words));
        assert!(line.is_some(), "{key}: {words}\n{stderr}");
    }
    assert!(!stderr.contains(SECRET), "no secret: {stderr}");
}

/// An installation with keys and settings, before its server runs.
struct Installation {
    workplace: Workplace,
    database: Database,
    port: u16,
}

/// A client that acts for itself.
struct Machine {
    authorization: String,
}

const FORM: &str = "grant_type=client_credentials";

impl Machine {
    /// The head of a token request, which waits for the server to ask for `FORM`.
    fn head(&self, port: u16) -> String {
        format!(
            "POST /token HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {}\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n\r\n",
            self.authorization,
            FORM.len()
        )
    }
}

impl Installation {
    /// Keys are there, the database is empty.
    async fn new() -> Self {
        let (workplace, database) = (Workplace::new(), Database::create_empty().await);
        let (keys, master_key) = (workplace.path("keys"), workplace.path("master.key"));
        let made = workplace.run(KEYCTL, &["generate", "--dir", text(&keys)], &[]).await;
        assert_eq!(made.code, Some(0), "{made:?}");
        assert!(made.stdout.contains("RS256") && made.stdout.contains("ES256"), "{made:?}");
        let made = workplace.run(KEYCTL, &["master-key", "--file", text(&master_key)], &[]).await;
        assert_eq!(made.code, Some(0), "{made:?}");
        let settings =
            json!({ "keys": { "directory": keys, "master_key_file": master_key }, "database": { "pool_size": 4 } });
        workplace.write("settings.yaml", &settings.to_string());
        // Secrets come from files, as containers are given them.
        workplace.write("database-url", &format!("{}\n", database.url().expose_secret()));
        Self { workplace, database, port: free_port() }
    }

    async fn migrate(&self) -> Ended {
        let url = self.workplace.path("database-url");
        self.workplace.run(&program::migrate(), &[], &[("DATABASE_URL_FILE", text(&url))]).await
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn start(&self, more: &[(&str, &str)]) -> Program {
        let (bind, url) = (format!("127.0.0.1:{}", self.port), self.workplace.path("database-url"));
        let issuer = self.base();
        let mut environment = vec![("BIND", bind.as_str()), ("ISSUER", &issuer), ("DATABASE_URL_FILE", text(&url))];
        environment.push(("DRAIN_DELAY", "0"));
        environment.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        environment.extend(more);
        self.workplace.start(OSTIARY, &["--config", "settings.yaml"], &environment)
    }

    /// What a container's health check runs.
    async fn health(&self) -> Ended {
        let (bind, issuer) = (format!("127.0.0.1:{}", self.port), self.base());
        let url = self.workplace.path("database-url");
        let environment = [("BIND", bind.as_str()), ("ISSUER", &issuer), ("DATABASE_URL_FILE", text(&url))];
        self.workplace.run(OSTIARY, &["health", "--config", "settings.yaml"], &environment).await
    }

    async fn refused(&self, more: &[(&str, &str)], findings: &[(&str, &str)]) {
        assert_refused(&self.start(more).ended().await, findings);
    }

    async fn is_ready(&self, server: &mut Program) {
        eventually("the server is ready", || {
            assert!(!server.has_ended(), "the server ended: {}", server.stderr());
            async { (self.get("/ready").await?.0 == 200).then_some(()) }
        })
        .await;
    }

    async fn get(&self, path: &str) -> Option<(u16, Value)> {
        let answer = http_client().get(format!("{}{path}", self.base())).send().await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&body).ok()?))
    }

    fn postgres(&self) -> Postgres {
        let DatabaseConfig { acquire_timeout, statement_timeout, .. } = DatabaseConfig::default();
        let url = self.database.url();
        Postgres::connect(&PostgresOptions { url, pool_size: 1, acquire_timeout, statement_timeout }).unwrap()
    }

    /// Registers a client with the master key of the installation.
    async fn machine(&self) -> Machine {
        let (id, secret) = (ClientId::new("machine"), random::token());
        let master_keys = MasterKeys::load(&self.workplace.path("master.key")).unwrap();
        let key_id = master_keys.current();
        let mac = master_keys.client_secret_mac(key_id, &id, &secret).unwrap();
        let settings = ClientSettings { grant_types: vec![GrantType::ClientCredentials], ..ClientSettings::default() };
        let secrets = vec![ClientSecret { id: uuid::Uuid::new_v4(), mac, key_id, expires_at: None }];
        let client = Client { id, enabled: true, settings, secrets, generation: 0, registered_through: None };
        self.postgres().insert_client(&client, Clock::system().now()).await.unwrap();
        Machine { authorization: basic("machine", &secret) }
    }

    async fn token(&self, machine: &Machine) -> String {
        let request = http_client().post(format!("{}/token", self.base()));
        let request = request.header("authorization", &machine.authorization);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(FORM);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

fn kids(jwks: &Value) -> Vec<&str> {
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn everything_that_is_wrong_is_reported_at_once() {
    let workplace = Workplace::new();
    workplace.write(".env", &format!("export DATABASE_URL=postgres://o:{SECRET}@localhost/o\nNOT_OURS=1\n"));
    workplace.write(
        ".env.yaml",
        "server: {issuer: 'http://id.example.com', colour: red}\nkeys: {directory: absent, master_key_file: absent.key}\n\
         walls: {}\ntokens: {authorization_code: 1h}\n",
    );
    let (database, valkey) = (
        format!("postgres://ostiary:{SECRET}@127.0.0.1:{}/ostiary", free_port()),
        format!("redis://:{SECRET}@127.0.0.1:{}/0", free_port()),
    );
    let environment = [("DATABASE_URL", database.as_str()), ("VALKEY_URL", &valkey), ("DATABASE_POOL_SIZE", "many")];
    let findings = [
        (".env:", "a `.env` file is not read"),
        ("server.colour:", "is not a setting"),
        ("walls:", "is not a section"),
        ("DATABASE_POOL_SIZE (database.pool_size):", "invalid"),
        ("server.issuer:", "is public and not https"),
        ("tokens.authorization_code:", "is out of range"),
        ("database.url:", "refused"),
        ("state.valkey_url:", "Valkey does not answer"),
        ("keys.directory:", "does not exist"),
        ("keys.master_key_file:", "does not exist"),
    ];
    let ended = workplace.run(OSTIARY, &[], &environment).await;
    assert_refused(&ended, &findings);
    for mend in ["mv .env .env.yaml", "DATABASE_URL becomes database.url", "ostiary-keyctl generate", "start Postgres"]
    {
        assert!(ended.stderr.contains(mend), "{mend}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("NOT_OURS"), "what is not ours is not repeated: {}", ended.stderr);
    // The settings alone can be checked where nothing else is there yet.
    let checked = workplace.run(OSTIARY, &["config", "check"], &environment).await;
    assert_refused(&checked, &findings[..6]);
}

#[tokio::test]
async fn services_and_keys_that_cannot_be_used_are_reported_at_once() {
    let installation = Installation::new().await;
    assert_eq!(installation.migrate().await.code, Some(0));
    let postgres = installation.postgres();
    postgres.claim_installation(InstallationKind::Dev, Clock::system().now()).await.unwrap();
    let keys = installation.workplace.path("keys");
    for entry in fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|extension| extension == "pem") {
            fs::set_permissions(&entry, fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
    let master_key = installation.workplace.path("master.key");
    fs::set_permissions(&master_key, fs::Permissions::from_mode(0o640)).unwrap();
    let valkey = format!("redis://:{SECRET}@127.0.0.1:{}/0", free_port());
    let ended = installation.start(&[("VALKEY_URL", valkey.as_str())]).ended().await;
    let findings = [
        ("database.url:", "the database is a dev one"),
        ("state.valkey_url:", "Valkey does not answer"),
        ("keys.directory:", "may be used by others than its owner (its mode is 0644)"),
        ("keys.directory:", "(its mode is 0644)"),
        ("keys.master_key_file:", "may be used by others than its owner (its mode is 0640)"),
    ];
    assert_refused(&ended, &findings);
    assert!(ended.stderr.contains(&format!("chmod 0600 {}", master_key.display())), "{}", ended.stderr);
    let contents = fs::read_to_string(&master_key).unwrap();
    assert!(!ended.stderr.contains(contents.trim()), "no secret");
    let validated = installation.workplace.run(KEYCTL, &["validate", "--dir", text(&keys)], &[]).await;
    assert_eq!(validated.code, Some(3), "{validated:?}");
    assert!(validated.stdout.contains("chmod 0600"), "{validated:?}");
}

#[tokio::test]
async fn an_installation_is_made_step_by_step_and_serves() {
    let valkey = Valkey::start().await;
    let valkey_url = valkey.url();
    let with_valkey = [("VALKEY_URL", valkey_url.as_str())];
    let installation = Installation::new().await;
    installation.refused(&with_valkey, &[("database.url:", "the database is empty")]).await;
    let migrated = installation.migrate().await;
    assert_eq!(migrated.code, Some(0), "{migrated:?}");
    assert!(migrated.stdout.contains("the schema is up to date"), "{migrated:?}");

    let mut server = installation.start(&with_valkey);
    installation.is_ready(&mut server).await;
    assert_eq!(installation.get("/health").await, Some((200, json!({ "status": "ok" }))));
    let all_is_well = json!({ "status": "ready", "postgres": "ok", "state": "ok", "keys": "ok" });
    assert_eq!(installation.get("/ready").await, Some((200, all_is_well)));
    let (_, discovery) = installation.get("/.well-known/openid-configuration").await.unwrap();
    assert_eq!(discovery["issuer"], installation.base());

    // The same port again: what is wrong is said there too.
    let second = installation.start(&with_valkey).ended().await;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains("server.bind") && second.stderr.contains("mend: "), "{second:?}");

    assert_eq!(installation.health().await.code, Some(0));
    let machine = installation.machine().await;
    rotation_is_picked_up(&installation, &machine).await;
    drains(&installation, &machine, server).await;
    let ended = installation.health().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("nothing listens on"), "{ended:?}");

    // And it starts again on what is there, as JSON lines this time.
    let mut server = installation.start(&[("LOG_FORMAT", "json")]);
    installation.is_ready(&mut server).await;
    server.signal(Signal::SIGINT);
    let ended = server.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in ended.stderr.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("JSON: {line}"));
    }
}

/// A clock that was wrong for a day would otherwise be noticed when the key should have been renewed and was not.
#[tokio::test]
async fn keys_that_a_wrong_clock_made_are_told_of_in_the_log() {
    let installation = Installation::new().await;
    assert_eq!(installation.migrate().await.code, Some(0));
    let file = installation.workplace.path("keys").join("keyset.json");
    let mut keyset: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let key = &mut keyset["keys"][0];
    for time in ["created_at", "published_at", "activated_at"] {
        assert!(key[time].is_string(), "{key}");
        key[time] = json!("2099-01-01T00:00:00Z");
    }
    let kid = key["kid"].as_str().unwrap().to_owned();
    fs::write(&file, keyset.to_string()).unwrap();
    let mut server = installation.start(&[]);
    installation.is_ready(&mut server).await;
    until("the key is named", || server.stderr().contains("a signing key is not renewed")).await;
    let log = server.stderr();
    let warning = log.lines().find(|line| line.contains("a signing key is not renewed")).unwrap();
    assert!(warning.contains(&kid) && warning.contains("times of the future"), "{warning}");
    assert!(warning.contains("correct the times in the key directory"), "{warning}");
}

#[tokio::test]
async fn a_schema_of_a_later_version_serves_for_as_long_as_it_says_so() {
    let installation = Installation::new().await;
    assert_eq!(installation.migrate().await.code, Some(0));
    let (client, connection) =
        tokio_postgres::connect(installation.database.url().expose_secret(), NoTls).await.expect("Postgres answers");
    tokio::spawn(connection);
    client.batch_execute("UPDATE schema_meta SET version = 1000").await.unwrap();
    let mut server = installation.start(&[]);
    installation.is_ready(&mut server).await;
    assert!(server.stderr().contains("the schema belongs to a later version of ostiary"), "{}", server.stderr());
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().await.code, Some(0));
    client.batch_execute("UPDATE schema_meta SET compatible_from = 999").await.unwrap();
    let words = "the schema has version 1000, which serves programs that know version 999; this one knows ";
    let ended = installation.start(&[]).ended().await;
    assert_refused(&ended, &[("database.url:", words)]);
    assert!(ended.stderr.contains("mend: run the version of ostiary that migrated it, or a later one\n"), "{ended:?}");
    client.batch_execute("UPDATE schema_meta SET version = 0, compatible_from = 0").await.unwrap();
    let ended = installation.start(&[]).ended().await;
    assert_refused(&ended, &[("database.url:", "the schema has version 0, which is too old")]);
    assert!(ended.stderr.contains("mend: run `ostiary-migrate`\n"), "{ended:?}");
}

#[tokio::test]
async fn the_lines_of_a_request_carry_the_id_of_its_answer() {
    let installation = Installation::new().await;
    assert_eq!(installation.migrate().await.code, Some(0));
    for format in ["human", "json"] {
        let mut server = installation.start(&[("LOG_FORMAT", format), ("LOG_FILTER", "debug")]);
        installation.is_ready(&mut server).await;
        let mut ids = Vec::new();
        for _ in 0..2 {
            let request = http_client().post(format!("{}/token", installation.base()));
            let request = request.header("authorization", basic("nobody", "wrong"));
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            // A client's own word for it could forge lines.
            let request = request.header("x-request-id", "00000000-forged").body(FORM);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401);
            ids.push(answer.headers()["x-request-id"].to_str().unwrap().to_owned());
        }
        assert_ne!(ids[0], ids[1]);
        server.signal(Signal::SIGTERM);
        let log = server.ended().await.stderr;
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("/token")).collect();
        for id in &ids {
            // Why it was refused, and that it was answered.
            let own = lines.iter().filter(|line| line.contains(id.as_str()));
            assert!(own.count() >= 2, "{id} is in lines of {log}");
        }
        for line in lines {
            assert!(ids.iter().any(|id| line.contains(id.as_str())), "a request's line without its id: {line}");
            if format == "json" {
                let line: Value = serde_json::from_str(line).unwrap();
                assert!(ids.contains(&line["span"]["id"].as_str().unwrap().to_owned()), "{line}");
            }
        }
        assert!(!log.contains("forged"), "{log}");
    }
}

async fn rotation_is_picked_up(installation: &Installation, machine: &Machine) {
    let keys = installation.workplace.path("keys");
    let (_, before) = installation.get("/jwks.json").await.unwrap();
    let token = installation.token(machine).await;
    assert!(kids(&before).contains(&jwt::read(&token).header["kid"].as_str().unwrap()));
    let rotated =
        installation.workplace.run(KEYCTL, &["rotate", "--dir", text(&keys), "--alg", "ES256", "--force"], &[]).await;
    assert_eq!(rotated.code, Some(0), "{rotated:?}");
    let after = eventually("the new key is published", || async {
        installation.get("/jwks.json").await.map(|(_, jwks)| jwks).filter(|jwks| kids(jwks).len() > kids(&before).len())
    })
    .await;
    let kept = kids(&before).into_iter().all(|kid| kids(&after).contains(&kid));
    assert!(kept, "what the old key signed is still verified: {after}");
    let fresh = installation.token(machine).await;
    let kid = jwt::read(&fresh).header["kid"].as_str().unwrap().to_owned();
    assert!(kids(&after).contains(&kid.as_str()) && !kids(&before).contains(&kid.as_str()), "the new key signs");
}

/// SIGTERM: a request whose body is still on its way is answered, nobody new is let in, and the exit is a success.
async fn drains(installation: &Installation, machine: &Machine, mut server: Program) {
    let mut stream = TcpStream::connect(("127.0.0.1", installation.port)).await.unwrap();
    stream.write_all(machine.head(installation.port).as_bytes()).await.unwrap();
    // The server asks for the body: it is in the middle of the request now.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");

    server.signal(Signal::SIGTERM);
    eventually("nobody new is let in", || async {
        TcpStream::connect(("127.0.0.1", installation.port)).await.is_err().then_some(())
    })
    .await;
    assert!(!server.has_ended(), "it waits for the request");
    stream.write_all(FORM.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("access_token"), "{answer}");
    let ended = server.ended().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_reported_at_once() {
    let installation = Installation::new().await;
    assert_eq!(installation.migrate().await.code, Some(0));
    let workplace = &installation.workplace;
    server_certificate(workplace.path("").as_path());
    let (certificate, key) = (workplace.path("tls.pem"), workplace.path("tls.key"));
    let (bind, empty) = (format!("127.0.0.1:{}", free_port()), workplace.write("empty.pem", ""));
    let absent = workplace.path("absent.pem");
    let environment = [
        ("TLS_BIND", bind.as_str()),
        ("TLS_CERTIFICATE_FILE", text(&absent)),
        ("TLS_PRIVATE_KEY_FILE", text(&key)),
        ("CLIENT_CA_FILE", text(&empty)),
    ];
    let findings = [("mtls.client_ca_file:", "cannot be used"), ("tls.certificate_file:", "cannot be read")];
    installation.refused(&environment, &findings).await;
    let refused = async |certificate: &str, key: &str, finding| {
        let files = [("TLS_CERTIFICATE_FILE", certificate), ("TLS_PRIVATE_KEY_FILE", key)];
        installation.refused(&[&environment[..1], &files].concat(), &[finding]).await;
    };
    refused(text(&certificate), text(&certificate), ("tls.private_key_file:", "cannot be read")).await;
    refused(text(&empty), text(&key), ("tls.certificate_file:", "has no certificate")).await;
    let other = tempfile::tempdir().unwrap();
    server_certificate(other.path());
    let other_key = other.path().join("tls.key");
    refused(text(&certificate), text(&other_key), ("tls.certificate_file:", "is not for the key")).await;
    let mut ended = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    ends_at(&mut ended, Clock::system().now() - chrono::TimeDelta::seconds(1));
    let signing_key = KeyPair::from_pem(&fs::read_to_string(&key).unwrap()).unwrap();
    let ended = workplace.write("ended.pem", &ended.self_signed(&signing_key).unwrap().pem());
    refused(text(&ended), text(&key), ("tls.certificate_file:", "out of its time")).await;
}

#[tokio::test]
async fn connections_over_tls_are_drained_like_others() {
    let installation = Installation::new().await;
    assert_eq!(installation.migrate().await.code, Some(0));
    let workplace = &installation.workplace;
    // Nothing ends by itself while this test runs.
    let mut settings: Value =
        serde_json::from_str(&fs::read_to_string(workplace.path("settings.yaml")).unwrap()).unwrap();
    settings["server"] = json!({ "header_read_timeout": "10m", "idle_timeout": "10m" });
    workplace.write("settings.yaml", &settings.to_string());
    let certificate = server_certificate(workplace.path("").as_path());
    let tls_port = free_port();
    let bind = format!("127.0.0.1:{tls_port}");
    let mut server = installation.start(&[
        ("MTLS_BIND", bind.as_str()),
        ("TLS_CERTIFICATE_FILE", text(&workplace.path("tls.pem"))),
        ("TLS_PRIVATE_KEY_FILE", text(&workplace.path("tls.key"))),
        ("DRAIN_TIMEOUT", "10m"),
    ]);
    installation.is_ready(&mut server).await;
    let machine = installation.machine().await;
    let connect = || {
        let socket = std::net::TcpStream::connect(("127.0.0.1", tls_port)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    };
    let over_tls = || {
        let tls = tls_client(&certificate, None, &rustls::version::TLS13);
        let mut connection = ClientConnection::new(tls, "localhost".try_into().unwrap()).unwrap();
        let mut socket = connect();
        connection.complete_io(&mut socket).unwrap();
        StreamOwned::new(connection, socket)
    };
    let (mut silent, mut idle, mut stream) = (connect(), over_tls(), over_tls());
    std::io::Write::write_all(&mut idle, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let mut byte = [0; 1];
        std::io::Read::read_exact(&mut idle, &mut byte).unwrap();
        answer.extend(byte);
    }
    std::io::Write::write_all(&mut stream, machine.head(tls_port).as_bytes()).unwrap();
    let mut asked = [0; 25];
    std::io::Read::read_exact(&mut stream, &mut asked).unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");

    server.signal(Signal::SIGTERM);
    eventually("nobody new is let in", || async {
        TcpStream::connect(("127.0.0.1", tls_port)).await.is_err().then_some(())
    })
    .await;
    // Who has not got as far as a request is let go, and who asks nothing any more is told so.
    assert_eq!(std::io::Read::read(&mut silent, &mut [0; 1]).unwrap(), 0);
    assert_eq!(std::io::Read::read(&mut idle, &mut [0; 1]).unwrap(), 0);
    drop((silent, idle));
    assert!(!server.has_ended(), "it waits for the request");
    std::io::Write::write_all(&mut stream, FORM.as_bytes()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("access_token"), "{answer}");
    drop(stream);
    let ended = server.ended().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
}

#[tokio::test]
async fn a_balancer_is_told_before_anybody_is_turned_away() {
    let installation = Installation::new().await;
    assert_eq!(installation.migrate().await.code, Some(0));
    // Far longer than this test takes: what is seen is the delay.
    let mut server = installation.start(&[("DRAIN_DELAY", "10m"), ("DRAIN_TIMEOUT", "11m")]);
    installation.is_ready(&mut server).await;
    server.signal(Signal::SIGTERM);
    let draining = json!({ "status": "draining", "postgres": "ok", "state": "ok", "keys": "ok" });
    eventually("/ready says so", || async {
        let (status, body) = installation.get("/ready").await.expect("connections are accepted");
        (status == 503).then(|| assert_eq!(body, draining))
    })
    .await;
    let machine = installation.machine().await;
    installation.token(&machine).await;
    // A second signal is for those who cannot wait.
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().await.code, Some(130));
}
