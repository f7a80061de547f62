//! Sessions, their ends, who hears of them, and what is swept up after.

use chrono::TimeDelta;
use futures_util::future::join_all;
use uuid::Uuid;

use super::{Setting, client, noon, session};
use crate::model::audit::{Actor, AuditEvent, AuditEventKind, AuditRecord, Origin};
use crate::model::id::{ClientId, ExchangeId, FamilyId, ResourceUri, Sid};
use crate::model::lineage::Lineage;
use crate::model::session::EndReason;
use crate::storage::postgres::audit::AuditFilter;
use crate::storage::postgres::consent::Withdrawal;
use crate::storage::postgres::family::redeem::{RedeemOutcome, Redemption};
use crate::storage::postgres::outbox::OutboxKind;
use crate::storage::postgres::revocation::CodesAndFamilies;
use crate::storage::postgres::session_review::Review;

async fn exchange(setting: &Setting, client_id: &str, sid: Sid, lifetime: TimeDelta) -> FamilyId {
    let id = FamilyId(Uuid::new_v4());
    let mut grant = setting.grant(&["openid"]);
    (grant.client_id, grant.sid) = (ClientId::new(client_id), sid);
    let redemption = Redemption {
        id,
        exchange_id: ExchangeId(Uuid::new_v4()),
        grant: &grant,
        code_generation: None,
        code_hash: [0; 32],
        code_challenge: None,
        refresh: None,
        bound_jkt: None,
        bound_x5t: None,
        expires_at: noon() + lifetime,
    };
    assert_eq!(setting.db.postgres.redeem_code(&redemption, noon()).await.unwrap(), RedeemOutcome::Won);
    id
}

#[tokio::test]
async fn a_standing_says_what_an_authorization_request_needs() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let (sid, shop) = (setting.session.sid, &setting.client.id);
    let standing = postgres.find_standing(sid, shop, noon()).await.unwrap().expect("a session");
    assert_eq!((&standing.session, standing.is_alive, &standing.consent), (&setting.session, true, &None));

    let api = [ResourceUri::new("https://api.example")];
    let scopes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    postgres
        .upsert_consent((&setting.subject, setting.session.sid), shop, &scopes(&["openid", "email"]), &[], noon())
        .await
        .unwrap();
    let later = noon() + TimeDelta::seconds(1);
    postgres
        .upsert_consent((&setting.subject, setting.session.sid), shop, &scopes(&["email", "phone"]), &api, later)
        .await
        .unwrap();
    let consent = postgres.find_standing(sid, shop, noon()).await.unwrap().unwrap().consent.expect("a consent");
    assert_eq!(consent.scopes, ["openid", "email", "phone"]);
    assert_eq!((consent.resources.as_slice(), consent.granted_at), (api.as_slice(), later));
    assert_eq!(postgres.list_consents(&setting.subject, noon()).await.unwrap(), [(shop.clone(), consent)]);
    assert_eq!(postgres.find_standing(sid, &ClientId::new("other"), noon()).await.unwrap().unwrap().consent, None);

    setting.db.execute("UPDATE consent SET expires_at = '2027-01-15T08:00:01Z'").await;
    let expired = later + TimeDelta::seconds(1);
    assert_eq!(postgres.find_standing(sid, shop, expired).await.unwrap().unwrap().consent, None);
    assert_eq!(postgres.list_consents(&setting.subject, expired).await.unwrap(), []);
    postgres
        .upsert_consent((&setting.subject, setting.session.sid), shop, &scopes(&["phone"]), &[], expired)
        .await
        .unwrap();
    let fresh = postgres.find_standing(sid, shop, expired).await.unwrap().unwrap().consent.unwrap();
    assert_eq!((fresh.scopes, fresh.resources), (scopes(&["phone"]), Vec::new()));

    assert!(!postgres.find_standing(sid, shop, setting.session.expires_at).await.unwrap().unwrap().is_alive);
    assert_eq!(postgres.find_standing(Sid(Uuid::new_v4()), shop, noon()).await.unwrap(), None);
}

#[tokio::test]
async fn a_consent_is_written_only_while_its_session_stands() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let (sid, shop, scopes) = (setting.session.sid, &setting.client.id, ["openid".to_owned()]);
    let allow = async |sid, at| postgres.upsert_consent((&setting.subject, sid), shop, &scopes, &[], at).await.unwrap();
    assert!(!allow(Sid(Uuid::new_v4()), noon()).await);
    assert!(!allow(sid, setting.session.expires_at).await);
    setting.db.execute("UPDATE subject SET status = 'disabled'").await;
    assert!(!allow(sid, noon()).await);
    setting.db.execute("UPDATE subject SET status = 'active'").await;
    setting.db.execute("UPDATE session SET ended_at = '2027-01-15T08:00:00Z', end_reason = 'logout'").await;
    assert!(!allow(sid, noon()).await);
    assert_eq!(postgres.list_consents(&setting.subject, noon()).await.unwrap(), []);
    setting.db.execute("UPDATE session SET ended_at = NULL, end_reason = NULL").await;
    assert!(allow(sid, noon()).await);
    assert_eq!(postgres.list_consents(&setting.subject, noon()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn taking_a_consent_back_ends_the_tokens_that_came_of_it() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let family = exchange(&setting, "shop", setting.session.sid, TimeDelta::hours(1)).await;
    postgres
        .upsert_consent((&setting.subject, setting.session.sid), &setting.client.id, &["openid".into()], &[], noon())
        .await
        .unwrap();
    let withdrawn = postgres.delete_consent(&setting.subject, &setting.client.id, noon()).await.unwrap();
    assert_eq!(withdrawn, Withdrawal { is_deleted: true, families: 1, has_ended_codes: true });
    assert!(!postgres.find_family(family, None, noon()).await.unwrap().unwrap().is_alive);
    // Another took the consent back meanwhile: the codes end all the same, and that is recorded.
    let record = AuditRecord {
        event: AuditEvent::new(AuditEventKind::ConsentWithdrawn).to_subject(&setting.subject),
        actor: Actor::Operator,
        origin: Origin::default(),
        happened_at: noon(),
    };
    let recording = postgres.recording(record);
    let again = recording.delete_consent(&setting.subject, &setting.client.id, noon()).await.unwrap();
    assert_eq!(again, Withdrawal { is_deleted: false, families: 0, has_ended_codes: true });
    assert_eq!(postgres.list_audit_records(AuditFilter::default(), None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_end_of_a_session_leaves_word_for_the_clients_that_used_it() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let told = client("told", |settings| settings.backchannel_logout_uri = Some("https://told.example/".into()));
    postgres.insert_client(&told, noon()).await.unwrap();
    let unused = client("unused", |settings| settings.backchannel_logout_uri = Some("https://unused.example/".into()));
    postgres.insert_client(&unused, noon()).await.unwrap();
    let sid = setting.session.sid;
    for id in ["shop", "told", "told"] {
        exchange(&setting, id, sid, TimeDelta::hours(1)).await;
    }
    let involved = postgres.list_logout_clients(sid).await.unwrap();
    assert_eq!(involved.iter().map(|client| client.id.as_str()).collect::<Vec<_>>(), ["shop", "told"]);

    assert!(postgres.end_session(sid, EndReason::Logout, noon()).await.unwrap());
    assert!(!postgres.end_session(sid, EndReason::Logout, noon()).await.unwrap());
    let rows = postgres.take_outbox(10, TimeDelta::minutes(1), noon()).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].kind, OutboxKind::BackchannelLogout);
    let payload = serde_json::json!({"client_id": "told", "sid": sid, "subject": setting.subject});
    assert_eq!(rows[0].payload, payload);
    assert_eq!(setting.db.count("SELECT count(*) FROM session WHERE end_reason = 'logout'").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_that_run_at_once_share_the_expired_sessions() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let told = client("told", |settings| settings.backchannel_logout_uri = Some("https://told.example/".into()));
    postgres.insert_client(&told, noon()).await.unwrap();
    for _ in 0..30 {
        let session = session(&setting.subject, 0);
        postgres.insert_session(&session, noon()).await.unwrap();
        exchange(&setting, "told", session.sid, TimeDelta::hours(1)).await;
    }
    let idle = TimeDelta::hours(9);
    assert_eq!(postgres.expire_sessions(100, idle, noon()).await.unwrap(), Review { reviewed: 31, ended: 0 });
    assert_eq!(postgres.expire_sessions(100, idle, noon()).await.unwrap(), Review { reviewed: 0, ended: 0 });
    let over = setting.session.expires_at;
    let counts = join_all((0..8).map(|_| postgres.expire_sessions(10, idle, over))).await;
    let mut ended: usize = counts.into_iter().map(|review| review.unwrap().ended).sum();
    ended += postgres.expire_sessions(100, idle, over).await.unwrap().ended;
    assert_eq!(ended, 31);
    assert_eq!(setting.db.count("SELECT count(*) FROM outbox").await, 30);
}

#[tokio::test]
async fn a_session_that_is_not_used_ends_and_one_in_use_is_put_off() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let (idle, hour) = (TimeDelta::hours(2), TimeDelta::hours(1));
    let used = session(&setting.subject, 0);
    postgres.insert_session(&used, noon()).await.unwrap();
    let review = async |at| postgres.expire_sessions(100, idle, at).await.unwrap();
    assert_eq!(review(noon()).await, Review { reviewed: 2, ended: 0 });
    assert_eq!(review(noon() + hour).await, Review { reviewed: 0, ended: 0 });
    postgres.touch_session(used.sid, noon(), noon() + hour).await.unwrap();
    // A clock that is behind takes nothing back.
    postgres.touch_session(used.sid, noon(), noon() + hour / 2).await.unwrap();
    assert_eq!(review(noon() + idle - TimeDelta::seconds(1)).await, Review { reviewed: 0, ended: 0 });
    assert_eq!(review(noon() + idle).await, Review { reviewed: 2, ended: 1 });
    let unused = setting.session.sid;
    let ended = format!("SELECT count(*) FROM session WHERE end_reason = 'expired' AND sid = '{unused}'");
    assert_eq!(setting.db.count(&ended).await, 1);
    assert_eq!(review(noon() + idle + hour).await, Review { reviewed: 1, ended: 1 });
}

#[tokio::test]
async fn the_use_of_a_session_is_noted_once_a_minute_and_never_of_one_that_ended() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let (sid, second) = (setting.session.sid, TimeDelta::seconds(1));
    let seen = async || postgres.find_standing(sid, &setting.client.id, noon()).await.unwrap().unwrap().session.seen_at;
    postgres.touch_session(sid, noon(), noon() + second * 59).await.unwrap();
    assert_eq!(seen().await, noon());
    postgres.touch_session(sid, noon(), noon() + second * 60).await.unwrap();
    assert_eq!(seen().await, noon() + second * 60);
    postgres.end_session(sid, EndReason::Logout, noon()).await.unwrap();
    postgres.touch_session(sid, noon(), noon() + second * 120).await.unwrap();
    assert_eq!(seen().await, noon() + second * 60);
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_sessions_and_lets_new_ones_begin() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    assert!(postgres.sign_out_everywhere(&setting.subject, noon()).await.unwrap());
    assert_eq!(setting.db.count("SELECT count(*) FROM session WHERE end_reason = 'subject'").await, 1);
    let credentials = postgres.find_credentials("ada").await.unwrap().expect("still allowed in");
    assert_eq!((&credentials.subject, credentials.generation), (&setting.subject, 1));
    let fresh = session(&setting.subject, 1);
    postgres.insert_session(&fresh, noon()).await.unwrap();
    assert!(postgres.find_standing(fresh.sid, &setting.client.id, noon()).await.unwrap().unwrap().is_alive);
    // A sign-in that was on its way when everything ended.
    let stale = session(&setting.subject, 0);
    postgres.insert_session(&stale, noon()).await.unwrap();
    assert!(!postgres.find_standing(stale.sid, &setting.client.id, noon()).await.unwrap().unwrap().is_alive);
}

#[tokio::test]
async fn signing_in_again_renews_only_a_session_that_is_alive() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let mut renewed = setting.session.clone();
    let later = noon() + TimeDelta::hours(1);
    (renewed.authentication.auth_time, renewed.seen_at) = (later, later);
    renewed.expires_at = later + TimeDelta::hours(8);
    assert!(postgres.renew_session(&renewed, later).await.unwrap());
    let standing = postgres.find_standing(renewed.sid, &setting.client.id, later).await.unwrap().unwrap();
    assert_eq!((&standing.session, standing.is_alive), (&renewed, true));
    let mut foreign = renewed.clone();
    foreign.generation = 1;
    assert!(!postgres.renew_session(&foreign, later).await.unwrap());
    postgres.end_session(renewed.sid, EndReason::Logout, later).await.unwrap();
    assert!(!postgres.renew_session(&renewed, later).await.unwrap());
}

#[tokio::test]
async fn only_what_nothing_needs_any_more_is_deleted() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let sid = setting.session.sid;
    setting.db.execute("UPDATE session SET expires_at = '2099-01-01'").await;
    let old = exchange(&setting, "shop", sid, TimeDelta::minutes(5)).await;
    let last = exchange(&setting, "shop", sid, TimeDelta::minutes(6)).await;
    postgres.insert_revoked_token("jti", noon() + TimeDelta::minutes(5)).await.unwrap();
    postgres.insert_revoked_token("jti", noon() + TimeDelta::minutes(5)).await.unwrap();
    assert!(!postgres.is_token_standing(&Lineage::of("jti"), noon()).await.unwrap());

    assert_eq!(postgres.delete_expired(100, noon() + TimeDelta::hours(24)).await.unwrap(), 0);
    let two_days = noon() + TimeDelta::days(2);
    // The token and the older family; logout still needs the last one of the client.
    assert_eq!(postgres.delete_expired(100, two_days).await.unwrap(), 2);
    assert!(postgres.is_token_standing(&Lineage::of("jti"), noon()).await.unwrap());
    assert_eq!(postgres.find_family(old, None, noon()).await.unwrap(), None);
    assert!(postgres.find_family(last, None, noon()).await.unwrap().is_some());

    postgres.end_session(sid, EndReason::Logout, two_days).await.unwrap();
    assert_eq!(postgres.delete_expired(100, two_days).await.unwrap(), 1);
    assert_eq!(postgres.delete_expired(100, two_days + TimeDelta::days(1)).await.unwrap(), 1);
    assert_eq!(setting.db.count("SELECT count(*) FROM session").await, 0);
}

#[tokio::test]
async fn what_revokes_everything_of_a_subject_is_recorded_with_it_or_not_at_all() {
    let setting = Setting::new().await;
    let postgres = &setting.db.postgres;
    let family = exchange(&setting, "shop", setting.session.sid, TimeDelta::hours(1)).await;
    let record = AuditRecord {
        event: AuditEvent::new(AuditEventKind::TokensRevoked).to_subject(&setting.subject),
        actor: Actor::Operator,
        origin: Origin::default(),
        happened_at: noon(),
    };
    let recording = postgres.recording(record);
    let revoke = async || recording.revoke_codes_and_families_of(&setting.subject, None, "admin", 500, noon()).await;
    let records = async || postgres.list_audit_records(AuditFilter::default(), None, 10).await.unwrap().len();
    setting.db.execute("ALTER TABLE token_family ADD CONSTRAINT stuck CHECK (revoked_at IS NULL)").await;
    revoke().await.unwrap_err();
    assert_eq!(records().await, 0);
    setting.db.execute("ALTER TABLE token_family DROP CONSTRAINT stuck").await;
    assert_eq!(revoke().await.unwrap(), CodesAndFamilies { has_ended_codes: true, families: 1 });
    assert_eq!(records().await, 1);
    assert!(!postgres.find_family(family, None, noon()).await.unwrap().unwrap().is_alive);
}
