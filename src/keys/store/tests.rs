//! What holds of every store.

use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::SecretString;
use tempfile::TempDir;

use super::directory::KeyDirectory;
use super::postgres::PostgresKeys;
use super::*;
use crate::clock::Clock;
use crate::keys::Keys;
use crate::keys::change::{self, ChangeError, Due, Kind, RotationOutcome};
use crate::keys::external::ExternalSigners;
use crate::keys::kek::{self, KekSource};
use crate::keys::lifecycle::Insistence;
use crate::keys::private_key::RsaBits;
use crate::keys::tests::{policy, private_folder, rules, signers, start};
use crate::model::audit::{Actor, AuditEventKind, AuditRecord};
use crate::model::key_alg::KeyAlg;
use crate::model::signing_alg::SigningAlg;
use crate::model::signing_key::{KeyPurpose, KeyState};
use crate::storage::postgres::Postgres;
use crate::storage::postgres::audit::AuditFilter;
use crate::storage::postgres::tests::TestDatabase;

const ED: Kind = (KeyAlg::EdDSA, KeyPurpose::Tokens);

/// A store and what it lives in.
struct Place {
    store: Arc<dyn KeyStore>,
    /// The folder of the keys, or of the key-encryption key.
    folder: TempDir,
    db: Option<TestDatabase>,
}

async fn places() -> [Place; 2] {
    let (directory, folder, db) = (private_folder(), private_folder(), TestDatabase::migrated().await);
    let file = folder.path().join("kek");
    kek::generate_file(&file).unwrap();
    let sealed = PostgresKeys::new(db.postgres.clone(), KekSource::File(file));
    let plain = KeyDirectory::new(&directory.path().join("keys"));
    let places = [
        Place { store: Arc::new(plain), folder: directory, db: None },
        Place { store: Arc::new(sealed), folder, db: Some(db) },
    ];
    for place in &places {
        change::generate(&*place.store, &[SigningAlg::EdDSA], RsaBits::default(), start()).await.unwrap();
    }
    places
}

async fn states(store: &dyn KeyStore) -> Vec<(KeyAlg, KeyState)> {
    store.read().await.unwrap().ring.keys().iter().map(|key| (key.alg, key.state)).collect()
}

async fn is_good(store: &dyn KeyStore) {
    assert_eq!(inspect(store).await, Inspection { problems: vec![], warnings: vec![] });
}

#[tokio::test]
async fn a_whole_life() {
    for Place { store, db, .. } in &places().await {
        let store = &**store;
        let again = change::generate(store, &[], RsaBits::default(), start()).await.unwrap_err();
        assert!(again.to_string().contains("there are keys already"), "{again}");

        let made = change::prepublish(store, &[ED], None, start()).await.unwrap().remove(0);
        let (policy, signers) = (policy(), signers());
        let never = rules(&policy, Insistence::Never, &signers);
        let early = change::rotate(store, &[ED], &never, None, start()).await.unwrap().remove(0);
        let signs_at = start() + policy.prepublish;
        assert_eq!((early.kid.as_str(), early.outcome), (made.kid.as_str(), RotationOutcome::Waiting { signs_at }));
        let done = change::rotate(store, &[ED], &never, None, signs_at).await.unwrap().remove(0);
        let RotationOutcome::Activated { superseded: Some(old), was_listed: true } = done.outcome else {
            panic!("{done:?}")
        };
        is_good(store).await;
        assert_eq!(change::run_due(store, &policy, &signers, signs_at).await.unwrap(), Due::default());
        let over = signs_at + policy.grace;
        let done = change::run_due(store, &policy, &signers, over).await.unwrap().done;
        assert_eq!((done.len(), done[0].action, done[0].kid.as_str()), (1, "retire", old.as_str()));
        let found = store.read_keys().await.unwrap();
        assert!(found.keys.iter().all(|(entry, _)| entry.kid != old), "the private key is gone");
        if let Some(db) = db {
            assert_eq!(
                db.count("SELECT count(*) FROM signing_key WHERE state = 'retired' AND sealed IS NULL").await,
                1
            );
        }
        is_good(store).await;
    }
}

#[tokio::test]
async fn the_automatic_life_cycle_renews_every_key() {
    for Place { store, .. } in &places().await {
        let store = &**store;
        let policy = policy();
        let publish_at = start() + policy.period - policy.prepublish;
        let a_second = TimeDelta::seconds(1);
        assert_eq!(change::run_due(store, &policy, &signers(), publish_at - a_second).await.unwrap(), Due::default());
        let actions = async |now| -> Vec<&str> {
            change::run_due(store, &policy, &signers(), now)
                .await
                .unwrap()
                .done
                .into_iter()
                .map(|done| done.action)
                .collect()
        };
        assert_eq!(actions(publish_at).await, ["publish"; 3]);
        assert!(actions(publish_at + policy.prepublish - a_second).await.is_empty());
        assert_eq!(actions(publish_at + policy.prepublish).await, ["activate"; 3]);
        assert_eq!(actions(start() + policy.period + policy.grace).await, ["retire"; 3]);
        let of = |wanted, states: &[(KeyAlg, KeyState)]| states.iter().filter(|(_, state)| *state == wanted).count();
        let states = states(store).await;
        assert_eq!((of(KeyState::Active, &states), of(KeyState::Retired, &states)), (3, 3));
        is_good(store).await;
    }
}

#[tokio::test]
async fn nobody_replaces_a_state_that_they_did_not_read() {
    for Place { store, .. } in &places().await {
        let read = store.read().await.unwrap();
        change::prepublish(&**store, &[ED], None, start()).await.unwrap();
        let now = store.read().await.unwrap();
        assert_ne!(now.revision, read.revision);
        assert_eq!(store.find_revision().await.unwrap(), now.revision);
        let late = Change { expected: read.revision, ring: read.ring, added: Vec::new() };
        assert!(matches!(store.replace(late).await, Err(KeyStoreError::Conflict)));
        assert_eq!(store.read().await.unwrap().revision, now.revision);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_who_change_at_once_each_succeeds_whole_or_is_refused() {
    for Place { store, .. } in places().await {
        let before = store.read().await.unwrap().ring.keys().len();
        let changers: Vec<_> = (0..8)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move {
                    let (policy, signers) = (policy(), signers());
                    change::rotate(&*store, &[ED], &rules(&policy, Insistence::Force, &signers), None, start()).await
                })
            })
            .collect();
        let mut succeeded = 0;
        for changer in changers {
            match changer.await.unwrap() {
                Ok(_) => succeeded += 1,
                Err(refused) => assert!(matches!(refused, ChangeError::Store(KeyStoreError::Conflict)), "{refused:?}"),
            }
        }
        assert!(succeeded >= 1);
        assert_eq!(store.read().await.unwrap().ring.keys().len(), before + succeeded);
        is_good(&*store).await;
    }
}

/// What was recorded, the oldest first.
async fn recorded(postgres: &Postgres) -> Vec<(AuditEventKind, String, Actor)> {
    let records = postgres.list_audit_records(AuditFilter::default(), None, 100).await.unwrap();
    let told = |AuditRecord { event, actor, .. }| (event.kind, event.object.unwrap(), actor);
    records.into_iter().rev().map(|stored| told(stored.record)).collect()
}

#[tokio::test]
async fn every_change_is_recorded_with_who_made_it() {
    use AuditEventKind::{KeyActivated, KeyPrepublished, KeyRetired, KeyRevoked};
    let [directory, sealed] = places().await;
    let postgres = sealed.db.as_ref().unwrap().postgres.clone();
    let other = TestDatabase::migrated().await;
    let plain = KeyDirectory::new(&directory.folder.path().join("keys")).recorded_in(&other.postgres);
    for (store, postgres) in [(sealed.store.clone(), &postgres), (Arc::new(plain), &other.postgres)] {
        assert_eq!(recorded(postgres).await, [], "nobody said who made the first keys");
        let first = store.read().await.unwrap().ring.active(ED.0, ED.1).unwrap().kid.clone();
        let (policy, signers) = (policy(), signers());
        let by_hand = store.recording(&Author::operator(start()));
        let made = change::prepublish(&*by_hand, &[ED], None, start()).await.unwrap().remove(0).kid;
        // What changes nothing, and what is refused, leaves nothing.
        let never = rules(&policy, Insistence::Never, &signers);
        change::rotate(&*by_hand, &[ED], &never, None, start()).await.unwrap();
        change::retire(&*by_hand, &first, Insistence::Force, start()).await.unwrap_err();
        let signs_at = start() + policy.prepublish;
        change::activate(&*by_hand, &made, &never, signs_at).await.unwrap();
        let over = signs_at + policy.grace;
        let by_itself = store.recording(&Author::server(over));
        change::run_due(&*by_itself, &policy, &signers, over).await.unwrap();
        let next = change::revoke(&*by_hand, &made, "stolen", None, over).await.unwrap().unwrap();
        let expected = [
            (KeyPrepublished, &made, Actor::Operator),
            (KeyActivated, &made, Actor::Operator),
            (KeyRetired, &first, Actor::Server),
            (KeyRevoked, &made, Actor::Operator),
            (KeyPrepublished, &next, Actor::Operator),
            (KeyActivated, &next, Actor::Operator),
        ];
        assert_eq!(recorded(postgres).await, expected.map(|(kind, kid, actor)| (kind, kid.clone(), actor)));
    }
}

#[tokio::test]
async fn a_change_in_postgres_that_cannot_be_recorded_is_not_made_and_one_of_a_directory_stands() {
    let [directory, sealed] = places().await;
    let db = sealed.db.as_ref().unwrap();
    let plain = KeyDirectory::new(&directory.folder.path().join("keys")).recorded_in(&db.postgres);
    db.execute("ALTER TABLE audit_event ADD CHECK (event <> 'key.prepublished')").await;
    let author = Author::operator(start());
    let before = sealed.store.read().await.unwrap().ring;
    change::prepublish(&*sealed.store.recording(&author), &[ED], None, start()).await.unwrap_err();
    assert!(sealed.store.read().await.unwrap().ring == before);
    let made = change::prepublish(&*plain.recording(&author), &[ED], None, start()).await.unwrap().remove(0);
    assert!(plain.read().await.unwrap().ring.find(&made.kid).is_some());
}

#[tokio::test]
async fn an_imported_key_signs_as_one_of_ours() {
    for Place { store, .. } in &places().await {
        let pem = PrivateKey::generate(SigningAlg::EdDSA, RsaBits::default()).unwrap().to_pem().unwrap();
        let kid = change::import(&**store, ED, &pem, start()).await.unwrap().kid;
        let wrong = change::import(&**store, (KeyAlg::ES256, KeyPurpose::Logout), &pem, start()).await.unwrap_err();
        assert!(wrong.to_string().contains("of the kind that its `alg` needs"), "{wrong}");
        change::activate(&**store, &kid, &rules(&policy(), Insistence::Force, &signers()), start()).await.unwrap();
        let twice = change::import(&**store, ED, &pem, start()).await.unwrap_err();
        assert!(twice.to_string().contains("is there already"), "{twice}");
        is_good(&**store).await;
    }
}

#[tokio::test]
async fn a_running_server_reads_what_a_new_kek_sealed_and_old_keks_are_kept_for_reading() {
    let [_, Place { store, folder, db }] = places().await;
    let file = folder.path().join("kek");
    let old = std::fs::read_to_string(&file).unwrap();
    let keys = Keys::open(store.clone(), ExternalSigners::without_settings(&Clock::system())).await.unwrap();
    let token = keys.current().sign_jwt(SigningAlg::ES256, "JWT", &serde_json::json!({})).await.unwrap();

    kek::add_to_file(&file).unwrap();
    let made = keys.prepublish(&[ED], &Author::operator(start())).await.unwrap().remove(0);
    assert!(keys.current().find_jwk(&made.kid).is_some(), "sealed with the new one, read at once");
    let warnings = inspect(&*store).await.warnings;
    assert_eq!(warnings.len(), 3);
    assert!(warnings.iter().all(|warning| warning.mend.contains("rewrap")), "{warnings:?}");

    assert_eq!(store.rewrap().await.unwrap(), Some(3));
    assert_eq!(store.rewrap().await.unwrap(), Some(0));
    is_good(&*store).await;
    let text = std::fs::read_to_string(&file).unwrap();
    let newest: Vec<_> = text.lines().filter(|line| !line.starts_with("1:")).collect();
    crate::keys::private_file::replace(&file, newest.join("\n").as_bytes()).unwrap();
    assert!(keys.reload_if_changed().await.unwrap());
    assert!(keys.current().verify_jwt(&token, &["JWT"]).is_some());
    is_good(&*store).await;

    // Whoever has only the old one is told which is missing, and keeps what it has.
    let behind = PostgresKeys::new(db.as_ref().unwrap().postgres.clone(), KekSource::Text(SecretString::from(old)));
    let problems = inspect(&behind).await.problems;
    assert_eq!(problems.len(), 4);
    assert!(
        problems.iter().all(|problem| problem.what.contains("sealed with the key-encryption key 2")),
        "{problems:?}"
    );
}

#[tokio::test]
async fn a_key_is_revoked_and_gone_without_any_key_encryption_key() {
    let [_, Place { store, folder, db: _db }] = places().await;
    let keys = Keys::open(store.clone(), signers()).await.unwrap();
    let made = keys.prepublish(&[ED], &Author::operator(start())).await.unwrap().remove(0);
    let old = keys.current().active_kid(SigningAlg::EdDSA).unwrap().to_owned();
    let token = keys.current().sign_jwt(SigningAlg::EdDSA, "JWT", &serde_json::json!({})).await.unwrap();
    let file = folder.path().join("kek");
    std::fs::rename(&file, folder.path().join("away")).unwrap();
    let next = change::revoke(&*store, &old, "stolen", None, start()).await.unwrap();
    assert_eq!(next.as_deref(), Some(made.kid.as_str()));
    let told = keys.reload_if_changed().await.unwrap_err().to_string();
    assert!(told.contains("kek") && keys.trouble().len() == 1, "once, not for each key: {told}");
    assert!(keys.current().verify_jwt(&token, &["JWT"]).is_none() && keys.current().find_jwk(&old).is_none());
    assert_eq!(keys.current().active_kid(SigningAlg::EdDSA), Some(made.kid.as_str()));
    std::fs::rename(folder.path().join("away"), &file).unwrap();
    assert!(keys.reload_if_changed().await.unwrap() && keys.trouble().is_empty());
}

#[tokio::test]
async fn nothing_of_a_private_key_lies_in_the_database_in_the_clear() {
    let [_, Place { store, db, folder: _folder }] = places().await;
    let db = db.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM signing_key WHERE octet_length(sealed) > 100").await, 3);
    let clear = "SELECT count(*) FROM signing_key WHERE position('PRIVATE KEY'::bytea IN sealed) > 0";
    assert_eq!(db.count(clear).await, 0);
    // A row that took another's sealed key opens nothing.
    db.execute(
        "UPDATE signing_key SET sealed = (SELECT sealed FROM signing_key WHERE alg = 'ES256') WHERE alg = 'EdDSA'",
    )
    .await;
    let problems = inspect(&*store).await.problems;
    assert!(problems.len() == 1 && problems[0].what.contains("cannot be opened"), "{problems:?}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named() {
    let [_, Place { store, db, folder: _folder }] = places().await;
    let db = db.unwrap();
    db.execute("UPDATE signing_key SET alg = 'XX' WHERE alg = 'EdDSA'").await;
    let problems = inspect(&*store).await.problems;
    assert!(problems[0].what.contains("unknown alg") && problems[0].mend.contains("signing_key"), "{problems:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_at_a_time_leads() {
    let db = TestDatabase::migrated().await;
    let small = db.pool(|options| options.pool_size = 1);
    let inner = small.clone();
    let led = small
        .lead_key_rotation(async {
            // The pool has one connection, and it is free.
            let version = inner.find_keyset_version().await.unwrap();
            let other = db.postgres.lead_key_rotation(async {}).await.unwrap();
            (version, other)
        })
        .await
        .unwrap();
    assert_eq!(led, Some((0, None)));
    assert_eq!(db.postgres.lead_key_rotation(async {}).await.unwrap(), Some(()));
}
