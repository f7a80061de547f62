//! Sign-ins against a real Postgres, with an App as `bootstrap` makes it.

use std::sync::OnceLock;

use chrono::TimeDelta;
use tempfile::TempDir;

use super::*;
use crate::bootstrap;
use crate::clock::{Clock, ManualClock};
use crate::config::Config;
use crate::identity::local::passwords::Passwords;
use crate::keys::master_key::MasterKeys;
use crate::keys::store::directory;
use crate::model::id::{ClientId, SubjectId};
use crate::storage::postgres::tests::{TestDatabase, client, noon, person};

/// A server without listeners, on a database of its own.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) db: TestDatabase,
    pub(crate) clock: ManualClock,
}

impl TestApp {
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let db = TestDatabase::migrated().await;
        let clock = ManualClock::starting_at(noon());
        let app = bootstrap::build(config(&db, change), Clock::manual(&clock)).await.unwrap();
        Self { app, db, clock }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    async fn register(&self, username: &str, password: &str) -> SubjectId {
        let passwords = Passwords::new(&self.app.config.passwords).unwrap();
        let phc = passwords.hash(&password.into()).await.unwrap().as_str().to_owned();
        let new = crate::storage::postgres::person::NewPerson { phc, ..person(username) };
        self.db.postgres.insert_person(&new, self.now()).await.unwrap().unwrap()
    }

    async fn try_as(&self, username: &str, password: &str, from: From<'_>) -> SignIn {
        let password = SecretString::from(password);
        let From { network, device, present } = from;
        let network = Network { name: network.to_owned(), site: None };
        let origin = Origin::default();
        let attempt = Attempt { username, password: &password, network: &network, device, origin: &origin, present };
        sign_in(&self.app, attempt, self.now()).await.unwrap()
    }

    async fn done_as(&self, username: &str, password: &str, from: From<'_>) -> Done {
        match self.try_as(username, password, from).await {
            SignIn::Done(done) => *done,
            other => panic!("{other:?}"),
        }
    }

    /// The session's row, and whether it is alive.
    async fn session(&self, sid: Sid) -> (Session, bool) {
        let standing = self.db.postgres.find_standing(sid, &ClientId::new("shop"), self.now()).await.unwrap().unwrap();
        (standing.session, standing.is_alive)
    }
}

/// Where an attempt comes from.
#[derive(Clone, Copy)]
struct From<'a> {
    network: &'a str,
    device: Option<&'a str>,
    present: Option<&'a SignedIn>,
}

const HOME: From<'_> = From { network: "192.0.2.1", device: None, present: None };

fn config(db: &TestDatabase, change: impl FnOnce(&mut Config)) -> Config {
    static KEYS: OnceLock<TempDir> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        directory::generate_initial(&folder.path().join("keys"), &[], Default::default(), noon()).unwrap();
        MasterKeys::generate_file(&folder.path().join("master.key")).unwrap();
        folder
    });
    let mut config = Config::default();
    config.server.issuer = "http://localhost:8000".to_owned();
    config.database.url = db.url.clone();
    config.keys.directory = keys.path().join("keys");
    config.keys.rotation.automatic = false;
    config.keys.master_key_file = keys.path().join("master.key");
    config.passwords.memory_kib = 64;
    config.passwords.iterations = 1;
    change(&mut config);
    config
}

#[tokio::test]
async fn the_right_password_begins_a_session() {
    let t = TestApp::start(|_| {}).await;
    let ada = t.register("Ada", "correct horse").await;
    for username in ["Ada", "ada", " ADA "] {
        let SignedIn { sid, subject, generation, authentication, expires_at } =
            t.done_as(username, "correct horse", HOME).await.signed_in;
        assert_eq!((&subject, generation), (&ada, 0));
        assert_eq!(authentication.auth_time, t.now());
        assert_eq!((authentication.acr.as_str(), authentication.amr.as_slice()), (ACR, &["pwd".to_owned()][..]));
        assert_eq!(expires_at, t.now() + t.app.config.sessions.lifetime);
        let (row, is_alive) = t.session(sid).await;
        assert!(is_alive);
        assert_eq!((row.subject, row.authentication), (ada.clone(), authentication));
    }
}

#[tokio::test]
async fn a_wrong_password_nobody_s_name_and_a_disabled_account_are_refused_alike() {
    let t = TestApp::start(|_| {}).await;
    t.register("ada", "correct horse").await;
    let eve = t.register("eve", "correct horse").await;
    t.db.postgres.disable_subject(&eve, t.now()).await.unwrap();
    for (username, password) in [
        ("ada", "wrong horse"),
        ("nobody", "correct horse"),
        ("eve", "correct horse"),
        ("", "correct horse"),
        ("ada", ""),
        ("ada\0", "correct horse"),
        (&"a".repeat(1000)[..], "correct horse"),
        ("ada", &"x".repeat(2000)[..]),
    ] {
        assert!(matches!(t.try_as(username, password, HOME).await, SignIn::Refused), "{username}");
    }
    assert_eq!(t.db.count("SELECT count(*) FROM session").await, 0);
}

#[tokio::test]
async fn signing_in_again_keeps_the_session_and_renews_its_proof() {
    let t = TestApp::start(|_| {}).await;
    t.register("ada", "correct horse").await;
    let first = t.done_as("ada", "correct horse", HOME).await.signed_in;
    t.clock.advance(TimeDelta::hours(1));
    let again = t.done_as("ada", "correct horse", From { present: Some(&first), ..HOME }).await.signed_in;
    assert_eq!(again.sid, first.sid);
    assert_eq!(again.authentication.auth_time, t.now());
    assert_eq!(again.expires_at, first.expires_at + TimeDelta::hours(1));
    let (row, is_alive) = t.session(first.sid).await;
    assert!(is_alive);
    assert_eq!(SignedIn::from(&row), again);
    assert_eq!(t.db.count("SELECT count(*) FROM session").await, 1);
}

#[tokio::test]
async fn another_person_in_the_same_browser_ends_the_session_that_was_there() {
    let t = TestApp::start(|_| {}).await;
    t.register("ada", "correct horse").await;
    t.register("bob", "battery staple").await;
    let ada = t.done_as("ada", "correct horse", HOME).await.signed_in;
    let bob = t.done_as("bob", "battery staple", From { present: Some(&ada), ..HOME }).await.signed_in;
    assert_ne!(ada.sid, bob.sid);
    assert!(!t.session(ada.sid).await.1);
    assert!(t.session(bob.sid).await.1);
    assert_eq!(t.db.count("SELECT count(*) FROM session WHERE end_reason = 'replaced'").await, 1);
}

#[tokio::test]
async fn a_session_that_is_over_is_not_revived() {
    let t = TestApp::start(|_| {}).await;
    let subject = t.register("ada", "correct horse").await;
    let ended = t.done_as("ada", "correct horse", HOME).await.signed_in;
    t.db.postgres.end_session(ended.sid, EndReason::Logout, t.now()).await.unwrap();
    let next = t.done_as("ada", "correct horse", From { present: Some(&ended), ..HOME }).await.signed_in;
    assert_ne!(next.sid, ended.sid);
    t.db.postgres.sign_out_everywhere(&subject, t.now()).await.unwrap();
    let last = t.done_as("ada", "correct horse", From { present: Some(&next), ..HOME }).await.signed_in;
    assert_ne!(last.sid, next.sid);
    assert_eq!(last.generation, 1);
    assert!(t.session(last.sid).await.1 && !t.session(next.sid).await.1 && !t.session(ended.sid).await.1);
}

#[tokio::test]
async fn a_guesser_is_slowed_and_the_person_s_own_browser_is_not() {
    let t = TestApp::start(|_| {}).await;
    t.register("ada", "correct horse").await;
    let cookie = t.done_as("ada", "correct horse", HOME).await.device_cookie.unwrap();
    for _ in 0..10 {
        assert!(matches!(t.try_as("ada", "guess", HOME).await, SignIn::Refused));
    }
    let SignIn::Throttled { retry_after } = t.try_as("ada", "correct horse", HOME).await else {
        panic!("not slowed");
    };
    assert!(retry_after > Duration::from_secs(60), "{retry_after:?}");
    t.done_as("ada", "correct horse", From { device: Some(&cookie), ..HOME }).await;
    t.done_as("ada", "correct horse", From { network: "192.0.2.2", ..HOME }).await;
    t.clock.advance(TimeDelta::from_std(retry_after).unwrap());
    t.done_as("ada", "correct horse", HOME).await;
}

#[tokio::test]
async fn another_s_device_cookie_is_no_help_with_this_account() {
    let t = TestApp::start(|_| {}).await;
    t.register("ada", "correct horse").await;
    t.register("mallory", "hunter2").await;
    let cookie = t.done_as("mallory", "hunter2", HOME).await.device_cookie.unwrap();
    let mallory = From { device: Some(&cookie), ..HOME };
    for _ in 0..10 {
        assert!(matches!(t.try_as("ada", "guess", mallory).await, SignIn::Refused));
    }
    assert!(matches!(t.try_as("ada", "guess", mallory).await, SignIn::Throttled { .. }));
}

#[tokio::test]
async fn a_hash_under_old_parameters_is_replaced_at_the_next_sign_in() {
    let t = TestApp::start(|_| {}).await;
    t.register("ada", "correct horse").await;
    let stronger = config(&t.db, |config| config.passwords.iterations = 3);
    let stronger = bootstrap::build(stronger, Clock::manual(&t.clock)).await.unwrap();
    let stronger = TestApp { app: stronger, ..t };
    assert!(matches!(stronger.try_as("ada", "wrong", HOME).await, SignIn::Refused));
    let count = "SELECT count(*) FROM person_password WHERE phc LIKE '$argon2id$v=19$m=64,t=3,p=1$%'";
    assert_eq!(stronger.db.count(count).await, 0);
    stronger.done_as("ada", "correct horse", HOME).await;
    assert_eq!(stronger.db.count(count).await, 1);
    stronger.done_as("ada", "correct horse", HOME).await;
}

#[tokio::test]
async fn clients_of_a_replaced_session_are_told() {
    let t = TestApp::start(|_| {}).await;
    let shop = client("shop", |settings| settings.backchannel_logout_uri = Some("https://shop.example/out".into()));
    t.db.postgres.insert_client(&shop, t.now()).await.unwrap();
    t.register("ada", "correct horse").await;
    t.register("bob", "battery staple").await;
    let ada = t.done_as("ada", "correct horse", HOME).await.signed_in;
    let family = format!(
        "INSERT INTO token_family (id, exchange_id, grant_type, client_id, subject, generation, sid, scopes, resources, acr,
            amr, auth_time, code_hash, created_at, expires_at)
         VALUES (gen_random_uuid(), gen_random_uuid(), 'authorization_code', 'shop', '{}', 0, '{}', '{{}}', '{{}}', '',
            '{{}}', now(), decode(repeat('00', 32), 'hex'), now(), now() + interval '1 day')",
        ada.subject, ada.sid
    );
    t.db.execute(&family).await;
    t.done_as("bob", "battery staple", From { present: Some(&ada), ..HOME }).await;
    assert_eq!(t.db.count("SELECT count(*) FROM outbox WHERE kind = 'backchannel_logout'").await, 1);
    // The job was rung for.
    tokio::time::timeout(Duration::from_secs(1), t.app.outbox_bell.notified()).await.unwrap();
}
