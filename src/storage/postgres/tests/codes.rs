//! RFC 6749 section 4.1.2: a code works once, whoever races, and its replay ends what it made.

use chrono::TimeDelta;
use diesel_async::SimpleAsyncConnection;
use futures_util::future::join_all;
use uuid::Uuid;

use super::{Setting, noon};
use crate::model::family::Grant;
use crate::model::id::{ClientId, ExchangeId, FamilyId};
use crate::model::session::EndReason;
use crate::storage::StoreError;
use crate::storage::postgres::family::redeem::{NewRefresh, RedeemOutcome, Redemption};

fn redemption(id: FamilyId, grant: &Grant) -> Redemption<'_> {
    Redemption {
        id,
        exchange_id: ExchangeId(Uuid::new_v4()),
        grant,
        code_generation: None,
        code_hash: [7; 32],
        code_challenge: Some("challenge"),
        refresh: Some(NewRefresh { hash: [1; 32], idle_expires_at: noon() + TimeDelta::days(7) }),
        bound_jkt: None,
        bound_x5t: None,
        expires_at: noon() + TimeDelta::days(30),
    }
}

fn new_id() -> FamilyId {
    FamilyId(Uuid::new_v4())
}

async fn redeem(setting: &Setting, redemption: &Redemption<'_>) -> RedeemOutcome {
    setting.db.postgres.redeem_code(redemption, noon()).await.expect("an answer")
}

#[tokio::test]
async fn a_redeemed_code_is_a_family_that_says_what_was_granted() {
    let setting = Setting::new().await;
    let mut grant = setting.grant(&["openid", "email"]);
    grant.resources = vec![crate::model::id::ResourceUri::new("https://api.example")];
    let redemption = redemption(new_id(), &grant);
    assert_eq!(redeem(&setting, &redemption).await, RedeemOutcome::Won);
    let family = setting.db.postgres.find_family(redemption.id, None, noon()).await.unwrap().expect("a family");
    assert_eq!(family.grant, grant);
    assert_eq!((family.id, family.seq, family.revoked_at), (redemption.id, 0, None));
    assert_eq!(family.expires_at, redemption.expires_at);
    assert!(family.is_alive);
    let later = setting.db.postgres.find_family(redemption.id, None, redemption.expires_at).await.unwrap().unwrap();
    assert!(!later.is_alive);
}

#[tokio::test]
async fn the_same_exchange_may_be_repeated_and_another_is_a_replay() {
    let setting = Setting::new().await;
    let grant = setting.grant(&["openid"]);
    let first = redemption(new_id(), &grant);
    assert_eq!(redeem(&setting, &first).await, RedeemOutcome::Won);
    assert_eq!(redeem(&setting, &first).await, RedeemOutcome::Won);
    let second = redemption(first.id, &grant);
    assert_eq!(redeem(&setting, &second).await, RedeemOutcome::Replayed);
    let family = setting.db.postgres.find_family(first.id, None, noon()).await.unwrap().unwrap();
    assert_eq!((family.is_alive, family.revoked_at), (false, Some(noon())));
    // Its own tokens were revoked meanwhile, so the repetition must not hand them out any more.
    assert_eq!(redeem(&setting, &first).await, RedeemOutcome::Replayed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_exchanges_in_parallel_one_wins_and_the_family_is_revoked() {
    let setting = Setting::new().await;
    let grant = setting.grant(&["openid"]);
    let id = new_id();
    let racers: Vec<_> = (0..60).map(|_| redemption(id, &grant)).collect();
    let outcomes = join_all(racers.iter().map(|racer| redeem(&setting, racer))).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == RedeemOutcome::Won).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == RedeemOutcome::Replayed).count(), 59);
    let reason = setting
        .db
        .count("SELECT count(*) FROM token_family WHERE revoked_at IS NOT NULL AND revoke_reason = 'code_replay'")
        .await;
    assert_eq!(reason, 1);
}

#[tokio::test]
async fn what_ended_before_the_exchange_lets_no_family_begin() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let mut disabled = setting.client.clone();
    let grant = setting.grant(&["openid"]);
    let code = redemption(new_id(), &grant);

    disabled.enabled = false;
    postgres.update_client(&disabled, noon()).await.unwrap();
    assert_eq!(redeem(&setting, &code).await, RedeemOutcome::ClientDisabled);
    postgres.update_client(&setting.client, noon()).await.unwrap();

    let late = setting.session.expires_at;
    assert_eq!(postgres.redeem_code(&code, late).await.unwrap(), RedeemOutcome::SessionEnded);
    postgres.end_session(setting.session.sid, EndReason::Logout, noon()).await.unwrap();
    assert_eq!(redeem(&setting, &code).await, RedeemOutcome::SessionEnded);

    postgres.sign_out_everywhere(&setting.subject, noon()).await.unwrap();
    assert_eq!(redeem(&setting, &code).await, RedeemOutcome::SubjectGone);
    assert_eq!(setting.db.count("SELECT count(*) FROM token_family").await, 0);
}

#[tokio::test]
async fn a_session_of_somebody_else_does_not_carry_a_grant() {
    let setting = Setting::new().await;
    let other = setting.db.postgres.insert_person(&super::person("eve"), noon()).await.unwrap().unwrap();
    let mut grant = setting.grant(&["openid"]);
    grant.subject = other;
    assert_eq!(redeem(&setting, &redemption(new_id(), &grant)).await, RedeemOutcome::SessionEnded);
}

#[tokio::test]
async fn a_replay_after_logout_still_ends_an_offline_family() {
    let setting = Setting::new().await;
    let grant = setting.grant(&["openid", "offline_access"]);
    let first = redemption(new_id(), &grant);
    assert_eq!(redeem(&setting, &first).await, RedeemOutcome::Won);
    setting.db.postgres.end_session(setting.session.sid, EndReason::Logout, noon()).await.unwrap();
    assert!(setting.db.postgres.find_family(first.id, None, noon()).await.unwrap().unwrap().is_alive);
    assert_eq!(redeem(&setting, &redemption(first.id, &grant)).await, RedeemOutcome::Replayed);
    assert!(!setting.db.postgres.find_family(first.id, None, noon()).await.unwrap().unwrap().is_alive);
}

#[tokio::test]
async fn another_client_neither_gets_nor_ends_the_family() {
    let setting = Setting::new().await;
    let grant = setting.grant(&["openid"]);
    let first = redemption(new_id(), &grant);
    assert_eq!(redeem(&setting, &first).await, RedeemOutcome::Won);
    let thief = super::client("thief", |_| {});
    setting.db.postgres.insert_client(&thief, noon()).await.unwrap();
    let mut stolen = grant.clone();
    stolen.client_id = thief.id.clone();
    assert_eq!(redeem(&setting, &redemption(first.id, &stolen)).await, RedeemOutcome::Replayed);
    assert!(setting.db.postgres.find_family(first.id, None, noon()).await.unwrap().unwrap().is_alive);
    assert!(!setting.db.postgres.revoke_family(first.id, &thief.id, "revocation", noon()).await.unwrap());
    assert!(setting.db.postgres.revoke_family(first.id, &grant.client_id, "revocation", noon()).await.unwrap());
    assert!(!setting.db.postgres.revoke_family(first.id, &grant.client_id, "revocation", noon()).await.unwrap());
}

#[tokio::test]
async fn a_late_replay_ends_the_family_only_with_the_secret_and_the_verifier() {
    let setting = Setting::new().await;
    let grant = setting.grant(&["openid"]);
    let first = redemption(new_id(), &grant);
    assert_eq!(redeem(&setting, &first).await, RedeemOutcome::Won);
    let replay = async |client: &str, hash: [u8; 32], challenge: Option<&str>| {
        let client = ClientId::new(client);
        setting.db.postgres.revoke_replayed_code(first.id, &client, &hash, challenge, noon()).await.unwrap()
    };
    assert!(!replay("shop", [8; 32], Some("challenge")).await);
    assert!(!replay("shop", [7; 32], Some("other")).await);
    assert!(!replay("shop", [7; 32], None).await);
    assert!(!replay("thief", [7; 32], Some("challenge")).await);
    assert!(replay("shop", [7; 32], Some("challenge")).await);
    assert!(!replay("shop", [7; 32], Some("challenge")).await);
}

#[tokio::test]
async fn an_exchange_that_waits_for_a_logout_finds_the_session_ended() {
    let setting = Setting::new().await;
    let grant = setting.grant(&["openid"]);
    let code = redemption(new_id(), &grant);
    let mut logout = setting.db.connection().await;
    logout.batch_execute("BEGIN; UPDATE session SET ended_at = now(), end_reason = 'logout'").await.unwrap();
    let committing = async {
        setting.db.someone_waits().await;
        logout.batch_execute("COMMIT").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(redeem(&setting, &code), committing);
    assert_eq!(outcome, RedeemOutcome::SessionEnded);
    assert_eq!(setting.db.count("SELECT count(*) FROM token_family").await, 0);
}

#[tokio::test]
async fn a_logout_that_waits_for_an_exchange_sees_its_family() {
    let setting = Setting::new().await;
    let told = super::client("told", |settings| settings.backchannel_logout_uri = Some("https://told.example/".into()));
    setting.db.postgres.insert_client(&told, noon()).await.unwrap();
    let mut grant = setting.grant(&["openid"]);
    grant.client_id = told.id.clone();
    assert_eq!(redeem(&setting, &redemption(new_id(), &grant)).await, RedeemOutcome::Won);
    // The same family again, on its way in a transaction that holds the session's row as an exchange does.
    let mut exchange = setting.db.connection().await;
    let begin = "CREATE TABLE away AS TABLE token_family; DELETE FROM token_family;
        BEGIN; UPDATE session SET seen_at = now(); INSERT INTO token_family SELECT * FROM away";
    exchange.batch_execute(begin).await.unwrap();
    let committing = async {
        setting.db.someone_waits().await;
        exchange.batch_execute("COMMIT").await.unwrap();
    };
    let (ended, ()) =
        tokio::join!(setting.db.postgres.end_session(setting.session.sid, EndReason::Logout, noon()), committing);
    assert!(ended.unwrap());
    assert_eq!(setting.db.count("SELECT count(*) FROM outbox").await, 1);
}

#[tokio::test]
async fn an_exchange_that_waits_for_disabling_finds_the_subject_gone() {
    let setting = Setting::new().await;
    let grant = setting.grant(&["openid"]);
    let code = redemption(new_id(), &grant);
    let mut disabling = setting.db.connection().await;
    disabling.batch_execute("BEGIN; UPDATE subject SET generation = generation + 1").await.unwrap();
    let committing = async {
        setting.db.someone_waits().await;
        disabling.batch_execute("COMMIT").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(redeem(&setting, &code), committing);
    assert_eq!(outcome, RedeemOutcome::SubjectGone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_that_races_with_a_logout_loses_or_is_seen_by_it() {
    let setting = Setting::new().await;
    let told = super::client("told", |settings| settings.backchannel_logout_uri = Some("https://told.example/".into()));
    setting.db.postgres.insert_client(&told, noon()).await.unwrap();
    for round in 0..80 {
        let session = super::session(&setting.subject, 0);
        setting.db.postgres.insert_session(&session, noon()).await.unwrap();
        let mut grant = setting.grant(&["openid"]);
        (grant.client_id, grant.sid) = (told.id.clone(), session.sid);
        let code = redemption(new_id(), &grant);
        let logout = async {
            for _ in 0..round % 4 {
                tokio::task::yield_now().await;
            }
            setting.db.postgres.end_session(session.sid, EndReason::Logout, noon()).await.unwrap()
        };
        let (outcome, ended) = tokio::join!(redeem(&setting, &code), logout);
        assert!(ended);
        let sql = format!("SELECT count(*) FROM outbox WHERE payload ->> 'sid' = '{}'", session.sid);
        let announced = setting.db.count(&sql).await;
        match outcome {
            RedeemOutcome::Won => {
                assert_eq!(announced, 1, "a family that logout did not see");
                assert!(!setting.db.postgres.find_family(code.id, None, noon()).await.unwrap().unwrap().is_alive);
            }
            RedeemOutcome::SessionEnded => {
                assert_eq!(announced, 0);
                assert_eq!(setting.db.postgres.find_family(code.id, None, noon()).await.unwrap(), None);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_that_races_with_disabling_never_leaves_a_living_family() {
    let setting = Setting::new().await;
    for round in 0..40 {
        let name = format!("person{round}");
        let subject = setting.db.postgres.insert_person(&super::person(&name), noon()).await.unwrap().unwrap();
        let session = super::session(&subject, 0);
        setting.db.postgres.insert_session(&session, noon()).await.unwrap();
        let mut grant = setting.grant(&["openid", "offline_access"]);
        (grant.subject, grant.sid) = (subject.clone(), session.sid);
        let code = redemption(new_id(), &grant);
        let disabling = setting.db.postgres.disable_subject(&subject, noon());
        let (outcome, disabled) = tokio::join!(redeem(&setting, &code), disabling);
        assert!(disabled.unwrap());
        let family = setting.db.postgres.find_family(code.id, None, noon()).await.unwrap();
        match outcome {
            RedeemOutcome::Won => assert!(!family.unwrap().is_alive),
            RedeemOutcome::SubjectGone => assert_eq!(family, None),
            other => panic!("{other:?}"),
        }
    }
}

/// The row comes before the commit: tokens would go out for a family that is not there, and the code could be redeemed again.
#[tokio::test]
async fn a_code_whose_use_was_not_committed_is_not_redeemed() {
    let setting = Setting::new().await;
    let grant = setting.grant(&["openid"]);
    let redemption = redemption(new_id(), &grant);
    setting.db.let_commits_fail("token_family").await;
    let answer = setting.db.postgres.redeem_code(&redemption, noon()).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    setting.db.let_commits_succeed("token_family").await;
    assert_eq!(redeem(&setting, &redemption).await, RedeemOutcome::Won);
}
