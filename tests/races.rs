//! What happens at the same time, over two instances, ends as if one had come after the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;

use crate::harness::{Answer, Authorization, TestApp, TestClient, Tokens};

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
}

async fn two_instances() -> (Arc<TestApp>, Arc<TestApp>) {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    (Arc::new(app), Arc::new(other))
}

/// The same token request `n` times at once, every other one at the other instance.
async fn at_once(
    apps: (&Arc<TestApp>, &Arc<TestApp>),
    client: &TestClient,
    form: &[(&str, &str)],
    n: usize,
) -> Vec<Answer> {
    let form: Vec<(String, String)> = form.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let requests = (0..n).map(|index| {
        let app = if index % 2 == 0 { apps.0.clone() } else { apps.1.clone() };
        let (client, form) = (client.clone(), form.clone());
        tokio::spawn(async move {
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            app.token(&client, &form).await
        })
    });
    join_all(requests).await.into_iter().map(|answer| answer.expect("no panic")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_parallel_refreshes_over_two_instances_yield_one_successor() {
    let (app, other) = two_instances().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    app.pass_seconds(60);
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    let answers = at_once((&app, &other), &client, &form, 200).await;
    let bodies: Vec<Value> = answers.iter().map(Answer::json).collect();
    let successors: BTreeSet<&str> = bodies.iter().map(|body| body["refresh_token"].as_str().unwrap()).collect();
    assert_eq!(successors.len(), 1, "one successor");
    let first = Tokens { body: bodies[0].clone() };
    let claims = first.access_claims(&app).await;
    for body in &bodies {
        let tokens = Tokens { body: body.clone() };
        assert_eq!(
            crate::harness::jwt::read(tokens.access()).claims,
            claims,
            "the same access token in all but its signature"
        );
    }
    app.assert_family_stands(&client, &first).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_parallel_redemptions_of_one_code_one_wins_and_the_family_is_revoked() {
    let (app, other) = two_instances().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client);
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let answers = at_once((&app, &other), &client, &app.redemption(&request, &code), 40).await;
    let (won, lost): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "one winner");
    for answer in lost {
        answer.assert_error(400, "invalid_grant", "the code was used before");
    }
    let tokens = Tokens { body: won[0].json() };
    app.assert_family_is_over(&client, &tokens).await;
    other.assert_access_token_is_over(&client, tokens.access()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_races_with_revocation_leaves_nothing_alive() {
    let (app, other) = two_instances().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    for _ in 0..10 {
        let tokens = app.tokens(&client, &alice, "openid offline_access").await;
        let (refreshed, revoked) =
            tokio::join!(app.refresh(&client, tokens.refresh()), other.revoke(&client, tokens.refresh()));
        assert_eq!(revoked.status, 200);
        app.assert_access_token_is_over(&client, tokens.access()).await;
        if refreshed.status == 200 {
            app.assert_family_is_over(&client, &Tokens { body: refreshed.json() }).await;
        } else {
            refreshed.assert_error(400, "invalid_grant", "the refresh token is not valid");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redemption_that_races_with_logout_leaves_nothing_alive() {
    let (app, other) = two_instances().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    for _ in 0..10 {
        let mut browser = app.browser();
        let hint = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
        let request = Authorization::of(&client);
        let code = app.code(&mut browser, &request, &alice).await;
        let form = app.redemption(&request, &code);
        let path = format!("/logout?id_token_hint={}", hint.id());
        let (redeemed, page) = tokio::join!(other.token(&client, &form), browser.open(&path));
        assert!(page.has("logged-out"), "{page:?}");
        if redeemed.status == 200 {
            app.assert_family_is_over(&client, &Tokens { body: redeemed.json() }).await;
        } else {
            redeemed.assert_error(400, "invalid_grant", "the sign-in that gave the code has ended");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_races_with_disabling_the_account_leaves_nothing_alive() {
    let (app, other) = two_instances().await;
    let client = app.web_client().await;
    for index in 0..10 {
        let person = app.person(&format!("person{index}"), serde_json::Map::new()).await;
        let tokens = app.tokens(&client, &person, "openid offline_access").await;
        let (refreshed, disabled) = tokio::join!(
            other.refresh(&client, tokens.refresh()),
            app.app.postgres.disable_subject(&person.subject, app.now())
        );
        disabled.unwrap();
        app.assert_access_token_is_over(&client, tokens.access()).await;
        if refreshed.status == 200 {
            app.assert_family_is_over(&client, &Tokens { body: refreshed.json() }).await;
        } else {
            refreshed.assert_error(400, "invalid_grant", "the refresh token is not valid");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pressing_allow_at_the_same_moment_on_two_instances_ends_well() {
    let (app, other) = two_instances().await;
    let client =
        app.web_client_with(|settings| settings.consent = ostiary::model::client::ConsentPolicy::Remembered).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let request = Authorization::of(&client);
    let login = browser.open(&request.path()).await;
    let consent = browser.log_in(&login, &alice).await;
    let mut second = browser.clone();
    second.use_instance(&other.base);
    let (one, two) =
        tokio::join!(browser.submit(&consent, "consent-allow", &[]), second.submit(&consent, "consent-allow", &[]));
    for page in [one, two] {
        let code = page.returned_to(&client.redirect_uri).remove("code").expect("a code");
        assert_eq!(app.token(&client, &app.redemption(&request, &code)).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_tokens_in_parallel_with_genuine_ones_touch_nothing() {
    let (app, other) = two_instances().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    let forged = crate::token_code::forgeries(tokens.refresh());
    let attack = join_all(forged.iter().take(40).map(|token| other.refresh(&client, token)));
    let (refreshed, refused) = tokio::join!(app.refresh(&client, tokens.refresh()), attack);
    for answer in &refused {
        assert_eq!(body(answer)["error"], "invalid_grant");
    }
    app.assert_family_stands(&client, &Tokens { body: refreshed.json() }).await;
}
