//! Keys rotate under load: two instances of the real program with short windows, the one that leads killed in the middle. Nobody who
//! verifies notices, not even with the oldest copy of the key set that they may use.

// Those who work meanwhile.
mod load;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use ostiary::clock::Clock;
use ostiary::keys::master_key::MasterKeys;
use ostiary::model::client::{Client, ClientSecret, ClientSettings, ConsentPolicy, GrantType};
use ostiary::model::id::ClientId;
use ostiary::model::signing_alg::SigningAlg;
use ostiary::random;
use ostiary::storage::postgres::{Postgres, PostgresOptions};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use self::load::{Instances, Registered, Signed, Work, Worker};
use crate::harness::program::{Ended, KEYCTL, MIGRATE, OSTIARY, Program, Workplace};
use crate::harness::{Database, TestPerson, basic, encode, eventually, free_port, http_client, jwt, until};

/// A key signs this long after it was listed; a quarter of it may a copy of the key set be used.
const PREPUBLISH: &str = "8s";
const PERIOD: &str = "16s";
const STALE: Duration = Duration::from_secs(2);
/// So short that a key can be retired while the test looks on.
const TOKEN_LIFETIME: Duration = Duration::from_secs(6);

/// Two instances on one database, with keys in the place that the settings name.
pub struct Pair {
    workplace: Workplace,
    database: Database,
    pub ports: [u16; 2],
    /// A client that acts for itself.
    machine: Registered,
    /// The same, whose tokens are signed with RSA.
    rsa_machine: Registered,
    /// A client that people use.
    web: Registered,
    person: TestPerson,
}

fn text(path: &Path) -> &str {
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
            "tokens": { "access_token": TOKEN_LIFETIME.as_secs(), "id_token": TOKEN_LIFETIME.as_secs() },
        });
        workplace.write("settings.yaml", &settings.to_string());
        for (command, file) in [("master-key", &master_key), ("kek", &kek)] {
            let made = workplace.run(KEYCTL, &[command, "--file", text(file)], &[]).await;
            assert_eq!(made.code, Some(0), "{made:?}");
        }
        let url = database.url().expose_secret().to_owned();
        let migrated = workplace.run(MIGRATE, &[], &[("DATABASE_URL", &url)]).await;
        assert_eq!(migrated.code, Some(0), "{migrated:?}");
        let postgres = connect(&database);
        let master_keys = MasterKeys::load(&master_key).unwrap();
        let for_itself =
            ClientSettings { grant_types: vec![GrantType::ClientCredentials], ..ClientSettings::default() };
        let with_rsa = ClientSettings { access_token_signed_response_alg: SigningAlg::RS256, ..for_itself.clone() };
        let for_people = ClientSettings {
            redirect_uris: vec!["https://web.example/callback".to_owned()],
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            scopes: ["openid", "offline_access"].map(str::to_owned).into(),
            consent: ConsentPolicy::FirstParty,
            ..ClientSettings::default()
        };
        let pair = Self {
            workplace,
            ports: [free_port(), free_port()],
            machine: register(&postgres, &master_keys, "machine", for_itself).await,
            rsa_machine: register(&postgres, &master_keys, "rsa-machine", with_rsa).await,
            web: register(&postgres, &master_keys, "web", for_people).await,
            person: TestPerson::insert(&postgres, ("alice", Default::default(), false), Clock::system().now()).await,
            database,
        };
        pair.keyctl(&["generate"], 0).await;
        pair
    }

    fn url(&self) -> String {
        self.database.url().expose_secret().to_owned()
    }

    pub async fn keyctl(&self, words: &[&str], code: i32) -> Value {
        let ended = self.run_keyctl(words).await;
        assert_eq!(ended.code, Some(code), "{words:?} {ended:?}");
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// What it says, however it ends.
    pub async fn keyctl_said(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.run_keyctl(words).await.stdout).unwrap()
    }

    async fn run_keyctl(&self, words: &[&str]) -> Ended {
        // In front: after `--`, which keeps a kid from looking like an option, there are none.
        let words = [&["--config", "settings.yaml", "--json"], words].concat();
        let issuer = format!("http://127.0.0.1:{}", self.ports[0]);
        self.workplace.run(KEYCTL, &words, &[("DATABASE_URL", &self.url()), ("ISSUER", &issuer)]).await
    }

    pub async fn start(&self, port: u16) -> Program {
        self.start_with("settings.yaml", port).await
    }

    async fn start_with(&self, settings: &str, port: u16) -> Program {
        let (bind, issuer) = (format!("127.0.0.1:{port}"), format!("http://127.0.0.1:{}", self.ports[0]));
        let url = self.url();
        let environment = [("BIND", bind.as_str()), ("ISSUER", issuer.as_str()), ("DATABASE_URL", url.as_str())];
        let mut program = self.workplace.start(OSTIARY, &["--config", settings], &environment);
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
            .header("authorization", &self.machine.authorization)
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

fn connect(database: &Database) -> Postgres {
    let options = PostgresOptions {
        url: database.url(),
        pool_size: 1,
        acquire_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(5),
    };
    Postgres::connect(&options).unwrap()
}

async fn register(postgres: &Postgres, master_keys: &MasterKeys, id: &str, settings: ClientSettings) -> Registered {
    let (secret, key_id) = (random::token(), master_keys.current());
    let mac = master_keys.client_secret_mac(key_id, &ClientId::new(id), &secret).unwrap();
    let secrets = vec![ClientSecret { id: uuid::Uuid::new_v4(), mac, key_id, expires_at: None }];
    let client =
        Client { id: ClientId::new(id), enabled: true, settings, secrets, generation: 0, registered_through: None };
    postgres.insert_client(&client, Clock::system().now()).await.unwrap();
    Registered { id: id.to_owned(), authorization: basic(id, &secret) }
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
    let mut running = vec![pair.start(pair.ports[0]).await, pair.start(pair.ports[1]).await];
    let mut ports = pair.ports.to_vec();
    let first = kids(&pair.jwks(ports[0]).await);
    assert_eq!(first.len(), 2, "one for each algorithm: {first:?}");
    let (instances, signed) = (Instances::new(pair.ports), Signed::default());
    let mut work = vec![
        Work::Machine(pair.machine.clone()),
        Work::Machine(pair.machine.clone()),
        Work::Machine(pair.rsa_machine.clone()),
        Work::Introspection(pair.machine.clone()),
        Work::Introspection(pair.rsa_machine.clone()),
    ];
    for turn in 0..3 {
        let tokens = pair.sign_in(&pair.web, pair.ports[turn % 2]).await;
        work.push(Work::Person(pair.web.clone(), tokens.refresh().to_owned()));
    }
    let at_work: Vec<_> =
        work.into_iter().map(|work| tokio::spawn(Worker::new(&instances, &signed).work(work))).collect();

    let begin = Instant::now();
    let is_failing = || at_work.iter().any(tokio::task::JoinHandle::is_finished);
    let mut killed = None;
    // Until the keys of the beginning, which signed, are not even listed any more, and those after them signed too.
    loop {
        assert!(begin.elapsed() < Duration::from_secs(180), "the keys do not rotate: {:?}", signed.lock().unwrap());
        if is_failing() {
            break;
        }
        // Whoever published the next keys was the leader: killed before they sign, without a chance to hand anything over.
        let leader = running.iter().position(|instance| instance.stderr().contains("a signing key was rotated"));
        if let (None, Some(leader)) = (killed, leader) {
            let (mut instance, port) = (running.remove(leader), ports.remove(leader));
            assert_eq!(signed.lock().unwrap().len(), 2, "the next keys do not sign yet");
            instances.will_kill(port);
            instance.signal(Signal::SIGKILL);
            instance.ended().await;
            killed = Some(port);
        }
        let is_listed = |kids: &[String]| first.iter().any(|kid| kids.contains(kid));
        if killed.is_some() && !is_listed(&kids(&pair.jwks(ports[0]).await)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    instances.stop();
    for worker in at_work {
        let answers = worker.await.expect("no request fails and every token is believed");
        assert!(answers > 50, "somebody did next to nothing: {answers}");
    }
    assert!(instances.failed_over() > 0, "the one that was killed had work");
    let signed = signed.lock().unwrap().clone();
    for alg in ["ES256", "RS256"] {
        let kids = signed.keys().filter(|(of, _)| of == alg).count();
        assert!(kids >= 3, "{alg}: one key before, one during and one after: {signed:?}");
    }
    let keys = pair.keyctl(&["list"], 0).await;
    let in_state = |state: &str| {
        let keys = keys["keys"].as_array().unwrap().iter().filter(|key| key["state"] == state);
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(in_state("active").len(), 2, "one for each algorithm: {keys}");
    assert!(first.iter().all(|kid| in_state("retired").contains(kid)), "{keys}");
    assert_eq!(pair.keyctl(&["validate"], 0).await["valid"], true);
}

fn kids(jwks: &Value) -> Vec<String> {
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
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
        assert!(!program.stderr().contains("cannot be used here"), "{}", program.stderr());
    }
}

/// The settings of the pair, with a key-encryption key in a file of its own, and nobody who rotates but by hand.
fn settings_with_kek(pair: &Pair, name: &str, kek: &Path) {
    let text = std::fs::read_to_string(pair.workplace.path("settings.yaml")).unwrap();
    let mut settings: Value = serde_json::from_str(&text).unwrap();
    settings["keys"]["kek_file"] = json!(kek);
    settings["keys"]["rotation"]["automatic"] = json!(false);
    pair.workplace.write(name, &settings.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_the_new_kek_goes_on_with_what_it_holds() {
    let pair = Pair::new("postgres").await;
    let [left, right] = pair.ports;
    let (kek, own) = (pair.workplace.path("kek"), pair.workplace.path("kek.right"));
    std::fs::copy(&kek, &own).unwrap();
    settings_with_kek(&pair, "left.yaml", &kek);
    settings_with_kek(&pair, "right.yaml", &own);
    let running = [pair.start_with("left.yaml", left).await, pair.start_with("right.yaml", right).await];
    let requests = AtomicU32::new(0);
    let load = async {
        loop {
            for port in [left, right] {
                let token = pair.token(port).await;
                jwt::verify_with(&pair.jwks(left).await, &token);
                jwt::verify_with(&pair.jwks(right).await, &token);
                requests.fetch_add(1, Ordering::SeqCst);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let kid_at = async |port: u16| jwt::read(&pair.token(port).await).header["kid"].as_str().unwrap().to_owned();
    let keys_at = async |port: u16| {
        let answer = http_client().get(format!("http://127.0.0.1:{port}/ready")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let ready: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        ready["keys"].as_str().unwrap().to_owned()
    };
    let change = async {
        let held = kid_at(right).await;
        let added = pair.workplace.run(KEYCTL, &["kek", "--file", text(&kek), "--add"], &[]).await;
        assert_eq!(added.code, Some(0), "{added:?}");
        pair.keyctl(&["rewrap"], 0).await;
        eventually("the other one says so", || async { (keys_at(right).await == "incomplete").then_some(()) }).await;
        assert_eq!((keys_at(left).await.as_str(), kid_at(right).await), ("ok", held));
        let so_far = requests.load(Ordering::SeqCst);
        until("it serves", || requests.load(Ordering::SeqCst) > so_far + 10).await;
        std::fs::copy(&kek, &own).unwrap();
        eventually("it takes the keys up", || async { (keys_at(right).await == "ok").then_some(()) }).await;
    };
    tokio::select! {
        () = load => {}
        () = change => {}
    }
    // A key that only the new one seals, and an instance that lacks it again.
    let old: Vec<_> = std::fs::read_to_string(&kek).unwrap().lines().map(str::to_owned).collect();
    let only_old: Vec<_> = old.iter().filter(|line| !line.starts_with("2:")).map(String::as_str).collect();
    std::fs::write(&own, only_old.join("\n")).unwrap();
    let held = kid_at(right).await;
    let next = pair.keyctl(&["rotate", "--alg", "ES256", "--force"], 0).await["rotated"][0]["kid"].clone();
    eventually("the new key signs", || async { (kid_at(left).await == next).then_some(()) }).await;
    eventually("the other one says so", || async { (keys_at(right).await == "incomplete").then_some(()) }).await;
    let token = pair.token(right).await;
    assert_eq!(jwt::verify_with(&pair.jwks(left).await, &token).header["kid"], held.as_str());
    std::fs::copy(&kek, &own).unwrap();
    eventually("it signs with it too", || async { (kid_at(right).await == next).then_some(()) }).await;
    assert!(running[1].stderr().contains("cannot be used here"), "{}", running[1].stderr());
    assert!(!running[0].stderr().contains("cannot be used here"), "{}", running[0].stderr());
}

#[tokio::test]
async fn what_a_revocation_breaks_is_told_before_it_is_done() {
    let pair = Pair::new("postgres").await;
    let [left, _] = pair.ports;
    let _running = pair.start(left).await;
    let token = pair.token(left).await;
    let kid = jwt::read(&token).header["kid"].as_str().unwrap().to_owned();
    let breaks = async || {
        let told = pair.keyctl(&["revoke", "--reason", "stolen", "--", &kid], 4).await;
        (told["breaks"]["families"].clone(), told["breaks"]["sessions"].clone())
    };
    assert_eq!(breaks().await, (json!(0), json!(0)), "a machine's tokens have no grant");
    let first = pair.sign_in(&pair.web, left).await;
    pair.sign_in(&pair.web, left).await;
    assert_eq!(breaks().await, (json!(2), json!(2)));
    // What ended holds nothing that could break.
    let revoked = http_client()
        .post(format!("http://127.0.0.1:{left}/revoke"))
        .header("authorization", &pair.web.authorization)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(encode(&[("token", first.refresh())]))
        .send()
        .await
        .unwrap();
    assert_eq!(revoked.status(), 200);
    assert_eq!(breaks().await, (json!(1), json!(1)));
    let done = pair.keyctl(&["revoke", "--reason", "stolen", "--yes", "--", &kid], 0).await;
    assert_eq!((&done["breaks"]["families"], &done["breaks"]["sessions"]), (&json!(1), &json!(1)), "{done}");
    assert!(done["successor"].is_string(), "{done}");
    eventually("the key is gone", || async { (!pair.jwks(left).await.to_string().contains(&kid)).then_some(()) }).await;
    assert_eq!(jwt::read(&pair.token(left).await).header["kid"], done["successor"]);
}

#[tokio::test]
async fn keys_are_left_alone_by_a_program_that_does_not_know_the_schema() {
    let (pair, directory) = (Pair::new("postgres").await, Pair::new("directory").await);
    // A later version that still serves this one, and one that does not.
    for (compatible_from, code) in [(1, 0), (999, 1)] {
        let sql = format!("UPDATE schema_meta SET version = 999, compatible_from = {compatible_from}");
        for place in [&pair, &directory] {
            let (client, connection) = tokio_postgres::connect(&place.url(), tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(&sql).await.unwrap();
        }
        for words in [&["list"][..], &["rotate", "--force"], &["validate"]] {
            let told = pair.keyctl(words, code).await;
            let problem = &told["problems"][0];
            let is_told = problem["what"].as_str().is_some_and(|what| what.contains("the schema has version 999"))
                && problem["mend"].as_str().is_some_and(|mend| mend.contains("run the version of ostiary"));
            assert_eq!(is_told, code == 1, "{words:?}: {told}");
        }
        // Keys in a folder have nothing to do with it.
        directory.keyctl(&["list"], 0).await;
    }
}
