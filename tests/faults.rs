//! Postgres goes away in the middle of traffic and comes back: every test kills one of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use ostiary::config::Config;
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::harness::{Authorization, Cluster, Database, TestApp, TestClient, Tokens, eventually, until};

async fn server() -> (Cluster, TestApp) {
    server_with(|_| {}).await
}

async fn server_with(change: impl FnOnce(&mut Config)) -> (Cluster, TestApp) {
    let cluster = Cluster::start().await;
    let app = TestApp::on(Database::of_cluster(&cluster).await, change).await;
    (cluster, app)
}

/// A client that refreshes again and again, and what it saw.
#[derive(Default)]
struct Traffic {
    stop: AtomicBool,
    acknowledged: AtomicUsize,
    unavailable: AtomicUsize,
}

impl Traffic {
    fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    fn unavailable(&self) -> usize {
        self.unavailable.load(Ordering::SeqCst)
    }

    /// Keeps the last refresh token that was acknowledged, as any client does, and uses it until told to stop.
    async fn refresh(&self, app: &TestApp, client: &TestClient, mut tokens: Tokens) -> Tokens {
        while !self.stop.load(Ordering::SeqCst) {
            let answer = app.refresh(client, tokens.refresh()).await;
            if answer.status == 200 {
                tokens = Tokens { body: answer.json() };
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
            } else {
                answer.assert_unavailable();
                self.unavailable.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        tokens
    }

    /// Asks again and again whether a token is good, which it is.
    async fn look(&self, app: &TestApp, client: &TestClient, tokens: Tokens) -> Tokens {
        while !self.stop.load(Ordering::SeqCst) {
            for answer in [app.introspect(client, tokens.access()).await, app.userinfo(tokens.access()).await] {
                if answer.status == 200 {
                    assert_ne!(answer.json()["active"], false, "an outage ends no token");
                    self.acknowledged.fetch_add(1, Ordering::SeqCst);
                } else {
                    answer.assert_unavailable();
                    self.unavailable.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
        tokens
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_rotation_is_lost_when_postgres_is_killed_in_the_middle_of_traffic() {
    let (mut cluster, app) = server().await;
    let app = Arc::new(app);
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let mut clients = Vec::new();
    for index in 0..6 {
        let request = Authorization::of(&client).with("scope", "openid offline_access");
        let tokens = app.tokens_in(&mut browser, &client, &request, &alice).await;
        let (traffic, app, client) = (Arc::new(Traffic::default()), app.clone(), client.clone());
        let seen = traffic.clone();
        let running = tokio::spawn(async move {
            if index == 0 {
                traffic.look(&app, &client, tokens).await
            } else {
                traffic.refresh(&app, &client, tokens).await
            }
        });
        clients.push((seen, running));
    }
    let everyone = |count: fn(&Traffic) -> usize, more: usize| {
        let before: Vec<usize> = clients.iter().map(|(seen, _)| count(seen)).collect();
        let clients = &clients;
        move || {
            assert!(clients.iter().all(|(_, running)| !running.is_finished()), "a client stopped");
            clients.iter().zip(&before).all(|((seen, _), before)| count(seen) >= before + more)
        }
    };
    for is_killed in [true, false] {
        until("everyone is served", everyone(Traffic::acknowledged, 3)).await;
        if is_killed {
            cluster.kill().await;
        } else {
            cluster.stop_immediately().await;
        }
        until("everyone is told to come back", everyone(Traffic::unavailable, 2)).await;
        cluster.start_again().await;
        until("everyone is served again by the same server", everyone(Traffic::acknowledged, 3)).await;
    }
    for (seen, _) in &clients {
        seen.stop.store(true, Ordering::SeqCst);
    }
    for (_, running) in clients {
        let last = running.await.expect("no refusal but 503");
        // What the traffic says is all that is claimed: whoever is told to come back comes back.
        eventually("nobody is told to come back any more", async || {
            let answer = app.refresh(&client, last.refresh()).await;
            if answer.status == 503 {
                answer.assert_unavailable();
                return None;
            }
            answer.json();
            Some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_code_is_redeemed_twice_when_postgres_is_killed_in_the_middle_of_traffic() {
    assert_codes_are_redeemed_once(true).await;
}

/// Unlike after `kill -9`, what was not committed yet may have been told, and is not there afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_code_is_redeemed_twice_when_postgres_is_shut_down_at_once_in_the_middle_of_traffic() {
    assert_codes_are_redeemed_once(false).await;
}

async fn assert_codes_are_redeemed_once(is_killed: bool) {
    let (mut cluster, app) = server().await;
    let app = Arc::new(app);
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let mut codes = Vec::new();
    for _ in 0..16 {
        let request = Authorization::of(&client);
        let code = app.code(&mut browser, &request, &alice).await;
        codes.push((request, code));
    }
    let codes = Arc::new(codes);
    let redeemed: Arc<Vec<AtomicUsize>> = Arc::new(codes.iter().map(|_| AtomicUsize::new(0)).collect());
    let unavailable = Arc::new(AtomicUsize::new(0));
    // Two who present every code, each until it is answered for good.
    let presenters: Vec<_> = (0..2)
        .map(|_| {
            let (app, client, codes) = (app.clone(), client.clone(), codes.clone());
            let (redeemed, unavailable) = (redeemed.clone(), unavailable.clone());
            tokio::spawn(async move {
                for ((request, code), redeemed) in codes.iter().zip(redeemed.iter()) {
                    loop {
                        let answer = app.token(&client, &app.redemption(request, code)).await;
                        match answer.status {
                            200 => {
                                redeemed.fetch_add(1, Ordering::SeqCst);
                                break;
                            }
                            400 => {
                                answer.assert_error(400, "invalid_grant", "the code was used before");
                                break;
                            }
                            _ => answer.assert_unavailable(),
                        }
                        unavailable.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            })
        })
        .collect();
    let sum = || redeemed.iter().map(|redeemed| redeemed.load(Ordering::SeqCst)).sum::<usize>();
    until("some codes are redeemed", || sum() >= 3).await;
    if is_killed {
        cluster.kill().await;
    } else {
        cluster.stop_immediately().await;
    }
    until("both are told to come back", || unavailable.load(Ordering::SeqCst) >= 4).await;
    let before = sum();
    cluster.start_again().await;
    for presenter in join_all(presenters).await {
        presenter.expect("no refusal but 503, and the one of a used code");
    }
    assert!(sum() > before, "codes from before the outage are redeemed after it");
    for ((request, code), redeemed) in codes.iter().zip(redeemed.iter()) {
        assert!(redeemed.load(Ordering::SeqCst) <= 1, "a code is redeemed once");
        let again = app.token(&client, &app.redemption(request, code)).await;
        again.assert_error(400, "invalid_grant", "the code was used before");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgres_every_judgement_is_put_off_and_what_needs_none_goes_on() {
    let (mut cluster, app) = server().await;
    let (client, machine, alice) = (app.web_client().await, app.machine_client().await, app.alice().await);
    let (mut browser, mut stranger) = (app.browser(), app.browser());
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    let request = Authorization::of(&client);
    let code = app.code(&mut browser, &request, &alice).await;
    let login = stranger.open(&Authorization::of(&client).path()).await;
    let discovery = app.get("/.well-known/openid-configuration").send().await.json();
    let for_itself = [("grant_type", "client_credentials"), ("scope", "mail.read")];
    app.token(&machine, &for_itself).await.json();

    cluster.kill().await;
    app.refresh(&client, tokens.refresh()).await.assert_unavailable();
    app.token(&client, &app.redemption(&request, &code)).await.assert_unavailable();
    app.userinfo(tokens.access()).await.assert_unavailable();
    app.introspect(&client, tokens.access()).await.assert_unavailable();
    app.introspect(&client, tokens.refresh()).await.assert_unavailable();
    app.revoke(&client, tokens.refresh()).await.assert_unavailable();
    // Nor is anybody told that a client does not exist.
    app.token(&client.called("web-unknown"), &for_itself).await.assert_unavailable();
    stranger.log_in(&login, &alice).await.assert_unavailable("/login");
    let answer = browser.open(&Authorization::of(&client).path()).await.returned_error(&client.redirect_uri);
    assert_eq!(answer["error"], "temporarily_unavailable", "not a stranger who has to sign in");
    let ready = app.get("/ready").send().await;
    assert_eq!(ready.status, 503);
    let report: Value = serde_json::from_str(&ready.body).unwrap();
    assert_eq!(report, json!({ "status": "unavailable", "postgres": "unavailable", "state": "ok", "keys": "ok" }));
    assert_eq!(app.get("/health").send().await.status, 200, "a restart would not mend it");

    assert_eq!(app.get("/jwks.json").send().await.status, 200);
    assert_eq!(app.get("/.well-known/openid-configuration").send().await.json(), discovery);
    for seconds in [0, 29] {
        app.pass_seconds(seconds);
        app.token(&machine, &for_itself).await.json();
    }
    // A client that was disabled meanwhile would otherwise go on.
    app.pass_seconds(2);
    app.token(&machine, &for_itself).await.assert_unavailable();
    browser.open(&Authorization::of(&client).path()).await.assert_unavailable("/authorize");
    assert_eq!(app.get("/jwks.json").send().await.status, 200);
    assert_eq!(app.get("/.well-known/openid-configuration").send().await.json(), discovery);

    cluster.start_again().await;
    app.is_ready().await;
    app.token(&machine, &for_itself).await.json();
    let redeemed = Tokens { body: app.token(&client, &app.redemption(&request, &code)).await.json() };
    app.assert_family_stands(&client, &redeemed).await;
    app.assert_family_stands(&client, &tokens).await;
    stranger.log_in(&login, &alice).await.returned_code(&client.redirect_uri);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_accepts_and_never_answers_is_an_outage_too() {
    let timeout = Duration::from_millis(300);
    let (cluster, app) = server_with(|config| {
        config.database.acquire_timeout = timeout;
        config.database.statement_timeout = timeout;
        config.database.pool_size = 2;
    })
    .await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    cluster.freeze();
    let attempts = join_all((0..6).map(|_| app.refresh(&client, tokens.refresh())));
    let answers = tokio::time::timeout(Duration::from_secs(10), attempts).await.expect("nobody waits for long");
    cluster.thaw();
    for answer in answers {
        answer.assert_unavailable();
    }
    app.is_ready().await;
    app.assert_family_stands(&client, &tokens).await;
}

/// To take a busy instance out of service would leave its work to the others, until they are as busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_whose_connections_are_all_in_use_is_ready() {
    let app = Arc::new(TestApp::with_config(|config| config.database.pool_size = 1).await);
    let client = app.machine_client().await;
    let (mut holder, connection) = tokio_postgres::connect(&app.database_url(), NoTls).await.expect("Postgres answers");
    tokio::spawn(connection);
    let held = holder.transaction().await.unwrap();
    held.batch_execute("LOCK TABLE client IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let waiting = {
        let (app, client) = (app.clone(), client.clone());
        tokio::spawn(async move { app.token(&client, &[("grant_type", "client_credentials")]).await.status })
    };
    until("the only connection is in use", || app.app.postgres.pool_status().idle == 0).await;
    assert_eq!(app.get("/ready").send().await.status, 200);
    assert!(!waiting.is_finished(), "it still waits");
    held.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap(), 200);
}
