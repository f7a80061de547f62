//! Clients, scopes, resources, and what the process remembers of them.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use uuid::Uuid;

use super::{TestDatabase, client, noon};
use crate::model::catalog::{Localized, Resource, Scope};
use crate::model::client::ClientSecret;
use crate::model::id::{ClientId, ResourceUri};
use crate::storage::StoreError;
use crate::storage::postgres::client_record::{Change, SecretRotation};
use crate::storage::postgres::kept_answer::{Creation, KeptAnswer};
use crate::storage::registry::{Catalog, Registry};

fn secret(byte: u8) -> ClientSecret {
    ClientSecret { id: Uuid::new_v4(), mac: [byte; 32], key_id: 255, expires_at: Some(noon()) }
}

#[tokio::test]
async fn a_client_is_found_as_it_was_stored() {
    let db = TestDatabase::migrated().await;
    let mut shop = client("https://shop.example/id", |settings| settings.redirect_uris = vec!["app:/cb".into()]);
    shop.secrets = vec![secret(1)];
    db.postgres.insert_client(&shop, noon()).await.unwrap();
    assert_eq!(db.postgres.find_client(&shop.id).await.unwrap().as_ref(), Some(&shop));
    let again = db.postgres.insert_client(&shop, noon()).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");

    shop.enabled = false;
    shop.secrets.push(secret(2));
    assert!(db.postgres.update_client(&shop, noon() + TimeDelta::seconds(1)).await.unwrap());
    assert_eq!(db.postgres.find_client(&shop.id).await.unwrap().as_ref(), Some(&shop));
    assert!(!db.postgres.update_client(&client("nobody", |_| {}), noon()).await.unwrap());

    let newest = [secret(3)];
    assert!(db.postgres.replace_client_secrets(&shop.id, &newest, noon()).await.unwrap());
    assert_eq!(db.postgres.find_client(&shop.id).await.unwrap().unwrap().secrets, newest);
    let three = [secret(4), secret(5), secret(6)];
    let refused = db.postgres.replace_client_secrets(&shop.id, &three, noon()).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert!(!db.postgres.replace_client_secrets(&ClientId::new("nobody"), &[], noon()).await.unwrap());
}

#[tokio::test]
async fn secrets_change_only_in_the_state_that_was_judged() {
    let db = TestDatabase::migrated().await;
    let mut shop = client("shop", |_| {});
    shop.secrets = vec![secret(1)];
    db.postgres.insert_client(&shop, noon()).await.unwrap();
    let judged = db.postgres.find_client_record(&shop.id).await.unwrap().unwrap().revision;
    let answer = KeptAnswer {
        principal: "client:admin".into(),
        key: "once".into(),
        request_hash: [0; 32],
        sealed: vec![7],
        expires_at: noon() + TimeDelta::days(1),
    };
    let rotate = async |revision, byte, answer: Option<&KeptAnswer>| {
        db.postgres.rotate_client_secret((&shop.id, revision), &secret(byte), noon(), answer, noon()).await.unwrap()
    };
    // Meanwhile the client is given more than whoever judged it may touch.
    shop.settings.scopes = vec!["admin:users".into()];
    let changed = db.postgres.change_client(&shop.id, (true, &shop.settings), judged, noon()).await.unwrap();
    let Change::Changed(now) = changed else { panic!("{changed:?}") };
    assert_eq!(rotate(judged, 2, Some(&answer)).await, SecretRotation::Stale);
    let own = shop.secrets[0].id;
    let deleted = db.postgres.delete_client_secret((&shop.id, judged), own, noon()).await.unwrap();
    assert_eq!(deleted, Change::Stale);
    assert_eq!(db.postgres.find_client(&shop.id).await.unwrap().unwrap().secrets, shop.secrets);
    // A refusal is not kept, and what was answered once is answered again in whatever state.
    assert_eq!(rotate(now, 3, Some(&answer)).await, SecretRotation::Settled(Creation::Created));
    assert_eq!(rotate(judged, 4, Some(&answer)).await, SecretRotation::Settled(Creation::Repeated(vec![7])));
    let now = db.postgres.find_client_record(&shop.id).await.unwrap().unwrap().revision;
    let missing = db.postgres.delete_client_secret((&shop.id, now), Uuid::new_v4(), noon()).await.unwrap();
    assert_eq!(missing, Change::Absent);
    assert_eq!(db.postgres.find_client_record(&shop.id).await.unwrap().unwrap().revision, now, "nothing was done");
    shop.id = ClientId::new("nobody");
    let gone = db.postgres.rotate_client_secret((&shop.id, now), &shop.secrets[0], noon(), None, noon()).await;
    assert_eq!(gone.unwrap(), SecretRotation::Absent);
}

#[tokio::test]
async fn no_row_can_have_these_identifiers() {
    let db = TestDatabase::migrated().await;
    for id in ["", "a\0b", &"x".repeat(3000)] {
        assert_eq!(db.postgres.find_client(&ClientId::new(id)).await.unwrap(), None);
    }
    let person = db.postgres.insert_client(&client("u.AAAAAAAAAAAAAAAAAAAAAA", |_| {}), noon()).await;
    assert!(matches!(person, Err(StoreError::Conflict(_))), "{person:?}");
}

#[tokio::test]
async fn clients_are_listed_in_pages() {
    let db = TestDatabase::migrated().await;
    for id in ["a", "b", "c"] {
        let mut value = client(id, |_| {});
        value.secrets = vec![secret(1), secret(2)];
        db.postgres.insert_client(&value, noon()).await.unwrap();
    }
    let ids = |clients: &[crate::model::client::Client]| -> Vec<String> {
        clients.iter().map(|client| client.id.to_string()).collect()
    };
    let first = db.postgres.list_clients(None, 2).await.unwrap();
    assert_eq!(ids(&first), ["a", "b"]);
    assert!(first.iter().all(|client| client.secrets.len() == 2));
    let rest = db.postgres.list_clients(Some(&ClientId::new("b")), 2).await.unwrap();
    assert_eq!(ids(&rest), ["c"]);
}

fn api() -> Resource {
    let name = Localized::from([("en".to_owned(), "The API".to_owned())]);
    Resource { uri: ResourceUri::new("https://api.example"), name, scopes: vec!["read".into()], restricted: false }
}

#[tokio::test]
async fn every_change_of_policy_raises_its_version() {
    let db = TestDatabase::migrated().await;
    let mut last = db.postgres.find_policy_version().await.unwrap();
    let mut raised = async || {
        let version = db.postgres.find_policy_version().await.unwrap();
        std::mem::replace(&mut last, version) < version
    };
    let shop = client("shop", |_| {});
    db.postgres.insert_client(&shop, noon()).await.unwrap();
    assert!(raised().await);
    db.postgres.update_client(&shop, noon()).await.unwrap();
    assert!(raised().await);
    db.postgres.replace_client_secrets(&shop.id, &[secret(1)], noon()).await.unwrap();
    assert!(raised().await);
    let mut read = Scope { name: "read".into(), description: Localized::new(), published: true };
    db.postgres.upsert_scope(&read, noon()).await.unwrap();
    assert!(raised().await);
    read.published = false;
    db.postgres.upsert_scope(&read, noon()).await.unwrap();
    assert!(raised().await);
    assert!(db.postgres.list_scopes().await.unwrap().contains(&read));
    db.postgres.upsert_resource(&api(), noon()).await.unwrap();
    db.postgres.upsert_resource(&api(), noon()).await.unwrap();
    assert!(raised().await);
    assert_eq!(db.postgres.list_resources().await.unwrap(), [api()]);
    assert!(!raised().await);
}

#[tokio::test]
async fn the_registry_asks_once_and_again_after_a_change() {
    let db = TestDatabase::migrated().await;
    let mut shop = client("shop", |_| {});
    db.postgres.insert_client(&shop, noon()).await.unwrap();
    let registry = Registry::new(db.postgres.clone(), Catalog::default());
    let found = join_all((0..20).map(|_| registry.find_client(&shop.id, noon()))).await;
    let found: Vec<_> = found.into_iter().map(|result| result.unwrap().expect("a client")).collect();
    assert!(found.windows(2).all(|pair| Arc::ptr_eq(&pair[0], &pair[1])));
    assert_eq!(*found[0], shop);
    assert_eq!(registry.catalog(noon()).await.unwrap().resources, []);

    shop.enabled = false;
    db.postgres.update_client(&shop, noon()).await.unwrap();
    db.postgres.upsert_resource(&api(), noon()).await.unwrap();
    assert!(registry.find_client(&shop.id, noon()).await.unwrap().unwrap().enabled);
    registry.poll(noon()).await.unwrap();
    assert!(!registry.find_client(&shop.id, noon()).await.unwrap().unwrap().enabled);
    assert_eq!(registry.catalog(noon()).await.unwrap().resources, [api()]);
}

#[tokio::test]
async fn the_registry_does_not_believe_in_absence_for_long() {
    let db = TestDatabase::migrated().await;
    let registry = Registry::new(db.postgres.clone(), Catalog::default());
    let shop = client("shop", |_| {});
    assert_eq!(registry.find_client(&shop.id, noon()).await.unwrap(), None);
    db.postgres.insert_client(&shop, noon()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(registry.find_client(&shop.id, noon()).await.unwrap().is_some());
}

#[tokio::test]
async fn the_registry_uses_nothing_that_it_could_not_verify_for_thirty_seconds() {
    let db = TestDatabase::migrated().await;
    let shop = client("shop", |_| {});
    db.postgres.insert_client(&shop, noon()).await.unwrap();
    let registry = Registry::new(db.postgres.clone(), Catalog::default());
    registry.find_client(&shop.id, noon()).await.unwrap().expect("a client");
    db.execute("ALTER TABLE policy_version RENAME TO gone").await;
    assert!(registry.poll(noon()).await.is_err());
    assert!(registry.find_client(&shop.id, noon() + TimeDelta::seconds(29)).await.unwrap().is_some());
    let unverified = noon() + TimeDelta::seconds(30);
    for _ in 0..3 {
        let error = registry.find_client(&shop.id, unverified).await;
        assert!(matches!(error, Err(StoreError::Unavailable(_))), "{error:?}");
    }
    db.execute("ALTER TABLE gone RENAME TO policy_version").await;
    registry.poll(unverified).await.unwrap();
    assert!(registry.find_client(&shop.id, unverified).await.unwrap().is_some());
}
