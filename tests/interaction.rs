//! The record of an authorization attempt: who may make how many, how long it is kept, and who else may write it.

use chrono::TimeDelta;
use ostiary::model::client::{ClientSettings, ConsentPolicy};
use ostiary::model::id::{ClientId, SubjectId};
use ostiary::storage::state::{Kind, StateKey};
use serde_json::{Value, json};

use crate::harness::{Authorization, Page, TestApp};

const TOO_MANY: &str = "too many sign-ins were begun from this network";

fn asking(settings: &mut ClientSettings) {
    settings.consent = ConsentPolicy::Remembered;
}

fn attempt(page: &Page, button: &str) -> String {
    page.form(button).value("interaction").to_owned()
}

/// The record as it is stored.
async fn record(app: &TestApp, id: &str) -> Option<Value> {
    let bytes = app.app.state.get(&StateKey::new(Kind::Interaction, id), app.now()).await.unwrap()?;
    Some(serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn a_network_begins_only_so_many_attempts() {
    let app = TestApp::with_config(|config| config.throttle.beginnings_per_network = 3).await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let mut pages = Vec::new();
    for _ in 0..3 {
        pages.push(browser.open(&Authorization::of(&client).path()).await);
        pages.last().unwrap().assert_login();
    }
    let request = Authorization::of(&client);
    let refused = browser.open(&request.path()).await.returned_error(&client.redirect_uri);
    let expected = [("error", "temporarily_unavailable"), ("iss", app.issuer()), ("state", request.value("state"))];
    assert_eq!(refused, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let refused = app.browser().post_from_elsewhere("/authorize", &request.parameters()).await;
    assert_eq!(refused.returned_error(&client.redirect_uri)["error"], "temporarily_unavailable");
    // What was begun goes on, and whoever is signed in needs no page and begins nothing.
    browser.log_in(&pages[0], &alice).await.returned_code(&client.redirect_uri);
    for _ in 0..3 {
        browser.open(&Authorization::of(&client).path()).await.returned_code(&client.redirect_uri);
    }
    app.pass(TimeDelta::minutes(20));
    app.browser().open(&Authorization::of(&client).path()).await.assert_login();
}

#[tokio::test]
async fn a_page_that_cannot_begin_anew_says_when_it_can() {
    let app = TestApp::with_config(|config| {
        config.throttle.beginnings_per_network = 1;
        config.throttle.beginnings_window = TimeDelta::hours(2);
    })
    .await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let page = browser.open(&Authorization::of(&client).path()).await;
    app.pass(TimeDelta::minutes(31));
    let refused = browser.log_in(&page, &alice).await;
    refused.assert_error("/login", 429, "temporarily_unavailable", TOO_MANY);
    let wait: i64 = refused.answer.header("retry-after").expect("when to come again").parse().unwrap();
    assert!((60..=4 * 3600).contains(&wait), "{wait}");
}

#[tokio::test]
async fn an_attempt_in_which_nobody_took_a_step_is_soon_forgotten() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let mut browser = app.browser();
    let login = browser.open(&Authorization::of(&client).path()).await;
    let untouched = attempt(&login, "login-submit");
    let mut other = app.browser();
    let posted = other.post_from_elsewhere("/authorize", &Authorization::of(&client).parameters()).await;
    let bound = attempt(&posted, "login-submit");
    let login = other.open(&Authorization::of(&client).path()).await;
    let consent = other.log_in(&login, &alice).await;
    let touched = attempt(&consent, "consent-allow");
    app.pass(TimeDelta::minutes(59));
    for id in [&untouched, &bound, &touched] {
        assert!(record(&app, id).await.is_some(), "a page left open can begin anew");
    }
    app.pass(TimeDelta::minutes(1));
    for id in [&untouched, &bound] {
        assert_eq!(record(&app, id).await, None);
    }
    app.pass(TimeDelta::hours(22));
    assert!(record(&app, &touched).await.is_some());
    app.pass(TimeDelta::hours(2));
    assert_eq!(record(&app, &touched).await, None);
    // Whoever comes back to the page then is told to start again.
    let lost = browser.open(login.url.as_str()).await;
    let description = "the sign-in is unknown in this browser, start again at the application";
    lost.assert_error("/login", 400, "invalid_request", description);
}

#[tokio::test]
async fn a_newer_version_may_have_written_the_record_and_finds_again_what_it_wrote() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let mut browser = app.browser();
    // A number in the claims is one more thing that two versions may write differently.
    let claims = json!({"id_token": {"zoneinfo": {"value": 1.50}, "name": null}}).to_string();
    let request = Authorization::of(&client).with("claims", &claims);
    let login = browser.open(&request.path()).await;
    let id = attempt(&login, "login-submit");
    let mut newer = record(&app, &id).await.unwrap();
    newer["risk"] = json!({"score": 0.25});
    newer["steps"]["factor"] = json!(["otp", 1e3]);
    newer["request"]["display"] = json!("touch");
    let bytes = serde_json::to_vec_pretty(&newer).unwrap();
    let until = app.now() + TimeDelta::hours(1);
    app.app.state.put(&StateKey::new(Kind::Interaction, &id), &bytes, until, app.now()).await.unwrap();
    let consent = browser.log_in(&login, &alice).await;
    consent.assert_consent();
    let page = browser.submit(&consent, "consent-allow", &[]).await;
    page.returned_code(&client.redirect_uri);
    let stored = record(&app, &id).await.unwrap();
    assert_eq!(stored["steps"]["account"], alice.sub());
    assert_eq!(stored["steps"]["consented"], alice.sub());
    assert_eq!(stored["risk"], newer["risk"]);
    assert_eq!(stored["steps"]["factor"], newer["steps"]["factor"]);
    assert_eq!(stored["request"]["display"], newer["request"]["display"]);
}

#[tokio::test]
async fn an_answered_attempt_gives_no_other_code_once_its_consent_was_taken_back() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let mut browser = app.browser();
    let login = browser.open(&Authorization::of(&client).path()).await;
    let consent = browser.log_in(&login, &alice).await;
    let page = format!("{}?{}", consent.url.path(), consent.url.query().unwrap());
    browser.submit(&consent, "consent-allow", &[]).await.returned_code(&client.redirect_uri);
    // A double click ends well as long as nothing was taken back.
    browser.open(&page).await.returned_code(&client.redirect_uri);
    let (subject, id) = (SubjectId::new(alice.sub()), ClientId::new(client.id.as_str()));
    app.app.postgres.delete_consent(&subject, &id, app.now()).await.unwrap();
    browser.open(&page).await.assert_consent();
}
