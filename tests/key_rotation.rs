//! Keys rotate under load: two instances of the real program with short windows, one killed in the middle. Nobody who
//! verifies notices, not even with the oldest copy of the key set that they may use.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use ostiary::clock::Clock;
use ostiary::keys::master_key::MasterKeys;
use ostiary::model::client::{Client, ClientSecret, ClientSettings, GrantType};
use ostiary::model::id::ClientId;
use ostiary::random;
use ostiary::storage::postgres::{Postgres, PostgresOptions};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::harness::program::{KEYCTL, MIGRATE, OSTIARY, Program, Workplace};
use crate::harness::{Database, basic, eventually, free_port, http_client, jwt};

/// A key signs this long after it was listed; a quarter of it may a copy of the key set be used.
const PREPUBLISH: &str = "8s";
const PERIOD: &str = "16s";
const STALE: Duration = Duration::from_secs(2);

/// Two instances on one database, with keys in the place that the settings name.
pub struct Pair {
    workplace: Workplace,
    database: Database,
    pub ports: [u16; 2],
    authorization: String,
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().expect("UTF-8")
}

impl Pair {
    pub async fn new(store: &str) -> Self {
        let (workplace, database) = (Workplace::new(), Database::create().await);
        let (master_key, kek) = (workplace.path("master.key"), workplace.path("kek"));
        let settings = json!({
            "database": { "pool_size": 4 },
            "keys": {
                "store": store,
                "directory": workplace.path("keys"),
                "master_key_file": master_key,
                "kek_file": kek,
                "rotation": { "period": PERIOD, "prepublish": PREPUBLISH },
                "external": { "programs": ["/bin/sh"] },
            },
            "server": { "drain_delay": 0 },
        });
        workplace.write("settings.yaml", &settings.to_string());
        let pair = Self { workplace, database, ports: [free_port(), free_port()], authorization: String::new() };
        for (command, file) in [("master-key", &master_key), ("kek", &kek)] {
            let made = pair.workplace.run(KEYCTL, &[command, "--file", text(file)], &[]).await;
            assert_eq!(made.code, Some(0), "{made:?}");
        }
        let migrated = pair.workplace.run(MIGRATE, &[], &[("DATABASE_URL", &pair.url())]).await;
        assert_eq!(migrated.code, Some(0), "{migrated:?}");
        pair.keyctl(&["generate"], 0).await;
        let authorization = pair.register(&MasterKeys::load(&master_key).unwrap()).await;
        Self { authorization, ..pair }
    }

    fn url(&self) -> String {
        self.database.url().expose_secret().to_owned()
    }

    /// A client that acts for itself.
    async fn register(&self, master_keys: &MasterKeys) -> String {
        let (id, secret, key_id) = (ClientId::new("machine"), random::token(), master_keys.current());
        let mac = master_keys.client_secret_mac(key_id, &id, &secret).unwrap();
        let settings = ClientSettings { grant_types: vec![GrantType::ClientCredentials], ..ClientSettings::default() };
        let secrets = vec![ClientSecret { id: uuid::Uuid::new_v4(), mac, key_id, expires_at: None }];
        let client = Client { id, enabled: true, settings, secrets, generation: 0 };
        let options = PostgresOptions {
            url: self.database.url(),
            pool_size: 1,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
        };
        let postgres = Postgres::connect(&options).unwrap();
        postgres.insert_client(&client, Clock::system().now()).await.unwrap();
        basic("machine", &secret)
    }

    pub async fn keyctl(&self, words: &[&str], code: i32) -> Value {
        // In front: after `--`, which keeps a kid from looking like an option, there are none.
        let words = [&["--config", "settings.yaml", "--json"], words].concat();
        let issuer = format!("http://127.0.0.1:{}", self.ports[0]);
        let ended = self.workplace.run(KEYCTL, &words, &[("DATABASE_URL", &self.url()), ("ISSUER", &issuer)]).await;
        assert_eq!(ended.code, Some(code), "{words:?} {ended:?}");
        serde_json::from_str(&ended.stdout).unwrap()
    }

    pub async fn start(&self, port: u16) -> Program {
        let (bind, issuer) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{}", self.ports[0]));
        let url = self.url();
        let environment = [("BIND", bind.as_str()), ("ISSUER", issuer.as_str()), ("DATABASE_URL", url.as_str())];
        let mut program = self.workplace.start(OSTIARY, &["--config", "settings.yaml"], &environment);
        eventually("the server is ready", || {
            assert!(!program.has_ended(), "the server ended: {}", program.stderr());
            async {
                (http_client().get(format!("http://{bind}/ready")).send().await.ok()?.status() == 200).then_some(())
            }
        })
        .await;
        program
    }

    pub async fn token(&self, port: u16) -> String {
        let answer = http_client()
            .post(format!("http://127.0.0.1:{port}/token"))
            .header("authorization", &self.authorization)
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials")
            .send()
            .await
            .expect("no request fails");
        let status = answer.status();
        let body = answer.text().await.expect("no answer is cut off");
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn jwks(&self, port: u16) -> Value {
        let answer = http_client().get(format!("http://127.0.0.1:{port}/jwks.json")).send().await.expect("the keys");
        let allowed = format!("public, max-age={}", STALE.as_secs());
        assert_eq!(answer.headers()["cache-control"], allowed.as_str());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }
}

/// One who verifies, and asks for the key set no sooner than he must.
struct Verifier {
    jwks: Value,
    fetched: Instant,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_load_fails_no_request_and_no_verification() {
    rotate_under_load("postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_one_of_keys_in_a_directory_that_instances_share() {
    rotate_under_load("directory").await;
}

async fn rotate_under_load(store: &str) {
    let pair = Pair::new(store).await;
    let [left, right] = pair.ports;
    let mut instances = [pair.start(left).await, pair.start(right).await];
    let begin = Instant::now();
    let mut verifier = Verifier { jwks: pair.jwks(left).await, fetched: Instant::now() };
    let mut tokens: Vec<String> = Vec::new();
    let mut signed: BTreeMap<String, u32> = BTreeMap::new();
    let mut is_killed = false;
    // Two rotations, and a request every 50 ms in turn.
    while signed.len() < 3 {
        assert!(begin.elapsed() < Duration::from_secs(150), "the keys do not rotate: {signed:?}");
        // Killed after the first rotation began, without a chance to hand anything over.
        if !is_killed && verifier.jwks["keys"].as_array().unwrap().len() > 2 {
            instances[0].signal(Signal::SIGKILL);
            instances[0].ended().await;
            is_killed = true;
        }
        if verifier.fetched.elapsed() >= STALE {
            verifier = Verifier { jwks: pair.jwks(right).await, fetched: Instant::now() };
        }
        let port = if is_killed || tokens.len().is_multiple_of(2) { right } else { left };
        let token = pair.token(port).await;
        let kid = jwt::verify_with(&verifier.jwks, &token).header["kid"].as_str().unwrap().to_owned();
        *signed.entry(kid).or_default() += 1;
        tokens.push(token);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(is_killed);
    // Everything that was ever issued is far from its end, and verifies with what is published now.
    let jwks = pair.jwks(right).await;
    for token in &tokens {
        jwt::verify_with(&jwks, token);
    }
    let keys = pair.keyctl(&["list"], 0).await;
    let active = keys["keys"].as_array().unwrap().iter().filter(|key| key["state"] == "active").count();
    assert_eq!(active, 2, "one for each algorithm: {keys}");
    assert_eq!(pair.keyctl(&["validate"], 0).await["valid"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kek_is_rotated_while_two_instances_run() {
    let pair = Pair::new("postgres").await;
    let [left, right] = pair.ports;
    let running = [pair.start(left).await, pair.start(right).await];
    let before = pair.token(left).await;
    let kek = pair.workplace.path("kek");
    let added = pair.workplace.run(KEYCTL, &["kek", "--file", text(&kek), "--add"], &[]).await;
    assert_eq!(added.code, Some(0), "{added:?}");
    assert_eq!(pair.keyctl(&["rewrap"], 0).await["rewrapped"], 2);
    pair.keyctl(&["rewrap"], 4).await;
    // The old one goes, and a key that only the new one knows is taken up by both.
    let all = std::fs::read_to_string(&kek).unwrap();
    let newest: Vec<_> = all.lines().filter(|line| !line.starts_with("1:")).collect();
    std::fs::write(&kek, newest.join("\n")).unwrap();
    let next = pair.keyctl(&["rotate", "--alg", "ES256", "--force"], 0).await["rotated"][0]["kid"].clone();
    for port in [left, right] {
        eventually("the new key signs", || async {
            (jwt::read(&pair.token(port).await).header["kid"] == next).then_some(())
        })
        .await;
        jwt::verify_with(&pair.jwks(port).await, &before);
    }
    for program in &running {
        assert!(!program.stderr().contains("cannot be used"), "{}", program.stderr());
    }
}

#[tokio::test]
async fn what_a_revocation_breaks_is_told_before_it_is_done() {
    let pair = Pair::new("postgres").await;
    let [left, _] = pair.ports;
    let _running = pair.start(left).await;
    let token = pair.token(left).await;
    let kid = jwt::read(&token).header["kid"].as_str().unwrap().to_owned();
    let told = pair.keyctl(&["revoke", "--reason", "stolen", "--", &kid], 4).await;
    assert_eq!((&told["breaks"]["families"], &told["breaks"]["sessions"]), (&json!(0), &json!(0)), "{told}");
    let done = pair.keyctl(&["revoke", "--reason", "stolen", "--yes", "--", &kid], 0).await;
    assert!(done["successor"].is_string(), "{done}");
    eventually("the key is gone", || async { (!pair.jwks(left).await.to_string().contains(&kid)).then_some(()) }).await;
    assert_eq!(jwt::read(&pair.token(left).await).header["kid"], done["successor"]);
}
