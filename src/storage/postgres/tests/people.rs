//! The people of the local backend, and the subjects that stand for them.

use uuid::Uuid;

use super::{Setting, TestDatabase, noon, person};
use crate::model::id::{ExchangeId, FamilyId, SubjectId};
use crate::model::lineage::Lineage;
use crate::storage::postgres::family::redeem::Redemption;
use crate::storage::postgres::installation::InstallationKind;
use crate::storage::postgres::person::username_key;

#[tokio::test]
async fn somebody_registered_is_found_by_name_and_by_subject() {
    let db = TestDatabase::migrated().await;
    let subject = db.postgres.insert_person(&person(" Ada "), noon()).await.unwrap().expect("a free name");
    let tail = subject.as_str().strip_prefix(SubjectId::PREFIX).expect("the prefix of subjects");
    assert_eq!(tail.len(), 22);
    assert!(tail.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));

    let credentials = db.postgres.find_credentials(&username_key("ADA")).await.unwrap().expect("credentials");
    assert_eq!((credentials.subject, credentials.generation), (subject.clone(), 0));
    assert_eq!(credentials.phc, "$argon2id$one");
    let found = db.postgres.find_person(&subject).await.unwrap().expect("a person");
    assert_eq!((found.username.as_str(), found.is_administrator, found.updated_at), ("Ada", false, noon()));
    assert_eq!(found.claims.get("name").and_then(|name| name.as_str()), Some("Ada Lovelace"));

    assert_eq!(db.postgres.insert_person(&person("aDa"), noon()).await.unwrap(), None);
    assert_eq!(db.count("SELECT count(*) FROM subject").await, 1);
    assert!(db.postgres.find_credentials("a\0").await.unwrap().is_none());
    assert!(db.postgres.find_credentials("bob").await.unwrap().is_none());
    assert_eq!(db.postgres.find_person(&SubjectId::new("u.nobody")).await.unwrap(), None);
}

#[tokio::test]
async fn a_rehash_does_not_undo_a_password_change() {
    let db = TestDatabase::migrated().await;
    let subject = db.postgres.insert_person(&person("ada"), noon()).await.unwrap().unwrap();
    assert!(db.postgres.update_password(&subject, "$argon2id$two", noon()).await.unwrap());
    assert!(!db.postgres.rehash_password(&subject, "$argon2id$one", "$argon2id$one-stronger").await.unwrap());
    assert!(db.postgres.rehash_password(&subject, "$argon2id$two", "$argon2id$two-stronger").await.unwrap());
    assert_eq!(db.postgres.find_credentials("ada").await.unwrap().unwrap().phc, "$argon2id$two-stronger");
    assert!(!db.postgres.update_password(&SubjectId::new("u.nobody"), "$", noon()).await.unwrap());
}

#[tokio::test]
async fn a_disabled_subject_is_nobody_until_it_is_enabled() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let standing = async || {
        postgres.find_standing(setting.session.sid, &setting.client.id, noon()).await.unwrap().unwrap().is_alive
    };
    assert!(standing().await);
    assert!(postgres.disable_subject(&setting.subject, noon()).await.unwrap());
    assert!(postgres.find_credentials("ada").await.unwrap().is_none());
    assert_eq!(postgres.find_person(&setting.subject).await.unwrap(), None);
    assert!(!standing().await);
    assert!(postgres.enable_subject(&setting.subject, noon()).await.unwrap());
    assert_eq!(postgres.find_credentials("ada").await.unwrap().unwrap().generation, 1);
    assert!(!standing().await);
    let nobody = SubjectId::new("u.nobody");
    assert!(!postgres.disable_subject(&nobody, noon()).await.unwrap());
    assert!(!postgres.enable_subject(&nobody, noon()).await.unwrap());
    assert!(!postgres.sign_out_everywhere(&nobody, noon()).await.unwrap());
}

#[tokio::test]
async fn a_family_comes_with_the_local_person_it_is_about() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let grant = setting.grant(&["openid"]);
    let redemption = Redemption {
        id: FamilyId(Uuid::new_v4()),
        exchange_id: ExchangeId(Uuid::new_v4()),
        grant: &grant,
        code_generation: None,
        code_hash: [0; 32],
        code_challenge: None,
        refresh: None,
        bound_jkt: None,
        bound_x5t: None,
        expires_at: noon() + chrono::TimeDelta::hours(1),
    };
    postgres.redeem_code(&redemption, noon()).await.unwrap();
    let (family, person) =
        postgres.find_family_with_person(redemption.id, &Lineage::of("jti"), noon()).await.unwrap().unwrap();
    assert!(family.is_alive);
    assert_eq!(person, postgres.find_person(&setting.subject).await.unwrap());
    postgres.insert_revoked_token("other", noon() + chrono::TimeDelta::hours(1)).await.unwrap();
    let revoked =
        postgres.find_family_with_person(redemption.id, &Lineage::of("other"), noon()).await.unwrap().unwrap();
    assert!(!revoked.0.is_alive);
    assert!(!postgres.find_family(redemption.id, Some(&Lineage::of("other")), noon()).await.unwrap().unwrap().is_alive);
    assert!(postgres.find_family(redemption.id, None, noon()).await.unwrap().unwrap().is_alive);
    setting.db.execute("UPDATE subject SET backend = 'remote', backend_ref = 'not a uuid'").await;
    let (family, person) =
        postgres.find_family_with_person(redemption.id, &Lineage::of("jti"), noon()).await.unwrap().unwrap();
    assert_eq!((family.is_alive, person), (true, None));
    let unknown = FamilyId(Uuid::new_v4());
    assert_eq!(postgres.find_family_with_person(unknown, &Lineage::of("jti"), noon()).await.unwrap(), None);
}

#[tokio::test]
async fn the_first_to_claim_a_database_keeps_it() {
    let db = TestDatabase::migrated().await;
    let claim = async |kind| db.postgres.claim_installation(kind, noon()).await.unwrap();
    assert_eq!(claim(InstallationKind::Dev).await, InstallationKind::Dev);
    assert_eq!(claim(InstallationKind::Production).await, InstallationKind::Dev);
}
