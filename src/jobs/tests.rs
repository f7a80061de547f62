use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use chrono::TimeDelta;

use super::*;
use crate::config::OutboundPurpose;
use crate::fetch::tests::{Peer, exception};
use crate::flow::sign_in::tests::TestApp;
use crate::storage::postgres::tests::{client, person, session};

const SID: &str = "0b5c3e0e-6a5e-4c5e-9a57-2f2f5a1d7c11";

/// A client that must hear of a logout, and answers with whatever status is set.
struct Shop {
    t: TestApp,
    peer: Peer,
    status: Arc<AtomicU16>,
}

impl Shop {
    async fn open() -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let answer = status.clone();
        let peer = Peer::start(move |_| {
            let status = answer.load(Ordering::SeqCst);
            format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 7\r\n\r\nhunter2").into_bytes()
        })
        .await;
        let admitted = exception(OutboundPurpose::BackchannelLogout, "127.0.0.1", peer.port, "127.0.0.0/8");
        let t = TestApp::start(|config| config.outbound.allow = vec![admitted]).await;
        let shop = client("shop", |settings| settings.backchannel_logout_uri = Some(peer.url("/logout")));
        t.db.postgres.insert_client(&shop, t.now()).await.unwrap();
        Job::PolicyPoll.run_once(&t.app, t.now()).await.unwrap();
        Self { t, peer, status }
    }

    async fn owe(&self, client_id: &str) {
        let payload = serde_json::json!({"client_id": client_id, "sid": SID, "subject": "u.ada"});
        let at = self.t.now().to_rfc3339();
        let row = format!(
            "INSERT INTO outbox (kind, payload, due_at, created_at)
             VALUES ('backchannel_logout', '{payload}', '{at}', '{at}')"
        );
        self.t.db.execute(&row).await;
    }

    async fn run(&self) -> Progress {
        Job::Outbox.run_once(&self.t.app, self.t.now()).await.unwrap()
    }

    async fn count(&self, condition: &str) -> i64 {
        self.t.db.count(&format!("SELECT count(*) FROM outbox WHERE {condition}")).await
    }
}

#[tokio::test]
async fn a_client_is_told_of_a_logout_once() {
    let shop = Shop::open().await;
    shop.owe("shop").await;
    assert_eq!(shop.run().await, Progress::Done);
    let request = shop.peer.last();
    assert!(request.starts_with("POST /logout HTTP/1.1\r\n"), "{request}");
    let token = request.split_once("\r\n\r\nlogout_token=").unwrap().1;
    let claims = shop.t.app.keys.current().verify_jwt(token, &["logout+jwt"]).expect("signed by us").claims;
    assert_eq!(claims["sid"], SID);
    assert_eq!(claims["sub"], "u.ada");
    assert_eq!(claims["aud"], "shop");
    assert_eq!(shop.count("done_at IS NOT NULL AND attempts = 1").await, 1);
    shop.run().await;
    assert_eq!(shop.peer.calls(), 1);
}

#[tokio::test]
async fn a_client_that_fails_is_told_again_later_and_given_up_at_last() {
    let shop = Shop::open().await;
    shop.status.store(503, Ordering::SeqCst);
    shop.owe("shop").await;
    shop.run().await;
    assert_eq!(shop.count("last_error = 'the client answered 503' AND done_at IS NULL").await, 1);
    shop.t.clock.advance(TimeDelta::seconds(9));
    shop.run().await;
    assert_eq!(shop.peer.calls(), 1, "not before its delay is over");
    shop.t.clock.advance(TimeDelta::seconds(1));
    shop.run().await;
    assert_eq!(shop.peer.calls(), 2);
    for _ in 2..20 {
        shop.t.clock.advance(TimeDelta::hours(1));
        Job::PolicyPoll.run_once(&shop.t.app, shop.t.now()).await.unwrap();
        shop.run().await;
    }
    assert_eq!(shop.peer.calls(), 12);
    assert_eq!(shop.count("failed_at IS NOT NULL AND attempts = 12").await, 1);
    assert_eq!(shop.count("last_error LIKE '%hunter2%'").await, 0);
}

#[tokio::test]
async fn a_client_that_recovers_is_told() {
    let shop = Shop::open().await;
    shop.status.store(302, Ordering::SeqCst);
    shop.owe("shop").await;
    shop.run().await;
    shop.status.store(204, Ordering::SeqCst);
    shop.t.clock.advance(TimeDelta::seconds(10));
    shop.run().await;
    assert_eq!(shop.count("done_at IS NOT NULL AND attempts = 2").await, 1);
}

#[tokio::test]
async fn a_client_that_is_gone_need_not_be_told() {
    let shop = Shop::open().await;
    shop.owe("nobody").await;
    shop.run().await;
    assert_eq!(shop.count("done_at IS NOT NULL").await, 1);
    assert_eq!(shop.peer.calls(), 0);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_tried_again() {
    let shop = Shop::open().await;
    let row = "INSERT INTO outbox (kind, payload, due_at, created_at)
               VALUES ('backchannel_logout', '{}', '2020-01-01', '2020-01-01')";
    shop.t.db.execute(row).await;
    shop.run().await;
    assert_eq!(shop.count("done_at IS NULL AND failed_at IS NULL AND attempts = 1 AND last_error <> ''").await, 1);
}

#[tokio::test]
async fn a_full_batch_says_that_there_may_be_more() {
    let shop = Shop::open().await;
    for _ in 0..17 {
        shop.owe("shop").await;
    }
    assert_eq!(shop.run().await, Progress::More);
    assert_eq!(shop.run().await, Progress::Done);
    assert_eq!(shop.peer.calls(), 17);
}

#[tokio::test]
async fn sessions_whose_time_is_over_are_ended() {
    let t = TestApp::start(|_| {}).await;
    let ada = t.db.postgres.insert_person(&person("ada"), t.now()).await.unwrap().unwrap();
    let over = session(&ada, 0);
    t.db.postgres.insert_session(&over, t.now()).await.unwrap();
    let ended = "SELECT count(*) FROM session WHERE end_reason = 'expired'";
    Job::SessionExpiry.run_once(&t.app, t.now()).await.unwrap();
    assert_eq!(t.db.count(ended).await, 0);
    t.clock.advance(over.expires_at - t.now());
    assert_eq!(Job::SessionExpiry.run_once(&t.app, t.now()).await.unwrap(), Progress::Done);
    assert_eq!(t.db.count(ended).await, 1);
    t.clock.advance(TimeDelta::days(2));
    Job::Deletion.run_once(&t.app, t.now()).await.unwrap();
    assert_eq!(t.db.count("SELECT count(*) FROM session").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_run_until_they_are_told_to_stop() {
    let shop = Shop::open().await;
    shop.owe("shop").await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let jobs = tokio::spawn(spawn(shop.t.app.clone(), async {
        stopped.await.ok();
    }));
    tokio::time::timeout(Duration::from_secs(10), async {
        while shop.count("done_at IS NOT NULL").await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.send(()).unwrap();
        jobs.await.unwrap();
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn every_job_fails_rather_than_panics_without_its_database() {
    let t = TestApp::start(|config| config.database.acquire_timeout = Duration::from_millis(200)).await;
    let TestApp { app, db, .. } = t;
    drop(db);
    for job in [Job::Outbox, Job::SessionExpiry, Job::Deletion] {
        assert!(run_guarded(job, &app).await.is_err(), "{job:?}");
    }
    assert!(run_guarded(Job::KeyReload, &app).await.is_ok());
}
