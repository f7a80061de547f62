//! `/authorize`: `prompt`, `max_age` and `id_token_hint` (OpenID Connect Core sections 3.1.2.1 to 3.1.2.6).

use ostiary::model::client::ConsentPolicy;
use serde_json::json;

use crate::harness::{Authorization, Browser, Page, TestApp, TestClient, TestPerson, Tokens, jwt};

/// A browser in which `person` signed in to `client`, and the ID token that it got.
async fn signed_in(app: &TestApp, client: &TestClient, person: &TestPerson) -> (Browser, String) {
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, client, &Authorization::of(client), person).await;
    let id_token = tokens.id().to_owned();
    (browser, id_token)
}

/// The claims of the ID token that an answer leads to.
async fn id_claims(app: &TestApp, client: &TestClient, request: &Authorization, page: &Page) -> serde_json::Value {
    let code = page.returned_code(&client.redirect_uri);
    let tokens = app.token(client, &app.redemption(request, &code)).await.json();
    jwt::verify(app, tokens["id_token"].as_str().unwrap()).await.claims
}

#[track_caller]
fn assert_returned_error(app: &TestApp, request: &Authorization, page: &Page, code: &str) {
    let answer = page.returned_error(request.value("redirect_uri"));
    let expected = [("error", code), ("iss", app.issuer()), ("state", request.value("state"))];
    assert_eq!(answer, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn prompt_none_without_a_session_is_login_required() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let request = Authorization::of(&client).with("prompt", "none");
    let page = app.browser().open(&request.path()).await;
    assert_returned_error(&app, &request, &page, "login_required");
}

#[tokio::test]
async fn prompt_none_in_a_form_of_another_site_leaves_nothing_open() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client).with("prompt", "none");
    let begun = app.post_form("/authorize", &request.parameters()).await;
    let resume = begun.header("location").expect("a Location").to_owned();
    let mut browser = app.browser();
    for _ in 0..2 {
        // A second time is a double click.
        assert_returned_error(&app, &request, &browser.open(&resume).await, "login_required");
    }
    app.pass_seconds(61);
    browser.authorize(&Authorization::of(&client), &alice).await.returned_code(&client.redirect_uri);
    let page = browser.open(&resume).await;
    page.assert_error("/authorize/resume", 400, "invalid_request", "this sign-in was completed before");
}

#[tokio::test]
async fn prompt_none_with_a_session_succeeds_with_the_same_sub_and_auth_time() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (mut browser, first) = signed_in(&app, &client, &alice).await;
    let first = jwt::read(&first).claims;
    app.pass_seconds(5);
    let request = Authorization::of(&client).with("prompt", "none");
    let page = browser.open(&request.path()).await;
    let second = id_claims(&app, &client, &request, &page).await;
    assert_eq!(second["sub"], first["sub"]);
    assert_eq!(second["auth_time"], first["auth_time"]);
    assert_eq!(second["sid"], first["sid"]);
    assert_eq!(second["iat"], json!(first["iat"].as_i64().unwrap() + 5));
}

#[tokio::test]
async fn prompt_none_with_an_id_token_hint_succeeds_at_once() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (mut browser, hint) = signed_in(&app, &client, &alice).await;
    let request = Authorization::of(&client).with("prompt", "none").with("id_token_hint", &hint);
    let page = browser.open(&request.path()).await;
    assert_eq!(id_claims(&app, &client, &request, &page).await["sub"], alice.sub());
    // An expired hint still says who is meant.
    app.pass_seconds(3601);
    let page = browser.open(&request.path()).await;
    assert_eq!(id_claims(&app, &client, &request, &page).await["sub"], alice.sub());
}

#[tokio::test]
async fn prompt_none_with_the_hint_of_somebody_else_is_login_required() {
    let app = TestApp::start().await;
    let (client, alice, bob) = (app.web_client().await, app.alice().await, app.bob().await);
    let (_, hint) = signed_in(&app, &client, &alice).await;
    let (mut browser, _) = signed_in(&app, &client, &bob).await;
    let request = Authorization::of(&client).with("prompt", "none").with("id_token_hint", &hint);
    let page = browser.open(&request.path()).await;
    assert_returned_error(&app, &request, &page, "login_required");
    // With pages allowed, alice is asked to sign in, and bob signing in does not do.
    let request = Authorization::of(&client).with("id_token_hint", &hint);
    let login = browser.open(&request.path()).await;
    browser.log_in(&login, &bob).await.assert_login();
}

#[tokio::test]
async fn prompt_none_with_the_sub_of_somebody_else_is_login_required() {
    let app = TestApp::start().await;
    let (client, alice, bob) = (app.web_client().await, app.alice().await, app.bob().await);
    let (mut browser, _) = signed_in(&app, &client, &bob).await;
    let claims = json!({ "id_token": { "sub": { "value": alice.sub() } } }).to_string();
    let request = Authorization::of(&client).with("prompt", "none").with("claims", &claims);
    let page = browser.open(&request.path()).await;
    assert_returned_error(&app, &request, &page, "login_required");
}

#[tokio::test]
async fn prompt_none_without_consent_is_consent_required() {
    let app = TestApp::start().await;
    let (trusted, alice) = (app.web_client().await, app.alice().await);
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let (mut browser, _) = signed_in(&app, &trusted, &alice).await;
    let request = Authorization::of(&client).with("prompt", "none");
    let page = browser.open(&request.path()).await;
    assert_returned_error(&app, &request, &page, "consent_required");
    browser.authorize(&Authorization::of(&client), &alice).await;
    browser.open(&request.path()).await.returned_code(&client.redirect_uri);
}

#[tokio::test]
async fn prompt_none_stands_alone() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let request = Authorization::of(&client).with("prompt", "none login");
    let page = app.browser().open(&request.path()).await;
    assert_returned_error(&app, &request, &page, "invalid_request");
}

#[tokio::test]
async fn an_unknown_prompt_is_refused() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let request = Authorization::of(&client).with("prompt", "create");
    let page = app.browser().open(&request.path()).await;
    assert_returned_error(&app, &request, &page, "invalid_request");
}

#[tokio::test]
async fn prompt_login_shows_the_login_page_again_and_gives_a_later_auth_time() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (mut browser, first) = signed_in(&app, &client, &alice).await;
    let first = jwt::read(&first).claims;
    app.pass_seconds(2);
    let request = Authorization::of(&client).with("prompt", "login");
    let login = browser.open(&request.path()).await;
    let page = browser.log_in(&login, &alice).await;
    let second = id_claims(&app, &client, &request, &page).await;
    assert_eq!(second["sub"], first["sub"]);
    assert_eq!(second["auth_time"], json!(first["auth_time"].as_i64().unwrap() + 2));
}

#[tokio::test]
async fn prompt_login_is_not_satisfied_by_opening_the_page_again() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (mut browser, _) = signed_in(&app, &client, &alice).await;
    let request = Authorization::of(&client).with("prompt", "login");
    let login = browser.open(&request.path()).await;
    browser.open(login.url.as_str()).await.assert_login();
    let id = login.form("login-submit").value("interaction").to_owned();
    for path in ["/consent", "/select-account", "/authorize/resume"] {
        browser.open(&format!("{path}?interaction={id}")).await.assert_login();
    }
}

#[tokio::test]
async fn prompt_consent_asks_again() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for policy in [ConsentPolicy::Remembered, ConsentPolicy::FirstParty] {
        let client = app.web_client_with(|settings| settings.consent = policy).await;
        let (mut browser, _) = signed_in(&app, &client, &alice).await;
        let request = Authorization::of(&client).with("prompt", "consent").with("scope", "openid offline_access");
        let page = browser.open(&request.path()).await;
        page.assert_consent();
        browser.submit(&page, "consent-allow", &[]).await.returned_code(&client.redirect_uri);
    }
}

#[tokio::test]
async fn offline_access_with_prompt_consent_gives_a_refresh_token_that_works() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let request = Authorization::of(&client).with("scope", "openid offline_access").with("prompt", "consent");
    let login = browser.open(&request.path()).await;
    let consent = browser.log_in(&login, &alice).await;
    consent.assert_consent();
    let code = browser.submit(&consent, "consent-allow", &[]).await.returned_code(&client.redirect_uri);
    let tokens = Tokens { body: app.token(&client, &app.redemption(&request, &code)).await.json() };
    assert_eq!(tokens.body["scope"], "openid offline_access");
    let answer = app.refresh(&client, tokens.refresh()).await;
    answer.assert_not_stored();
    let again = Tokens { body: answer.json() };
    assert_eq!(again.body["token_type"], "Bearer");
    assert_eq!(again.id_claims(&app).await["sub"], alice.sub());
    // Offline: the person has gone, the next refresh works all the same.
    browser.open(&format!("/logout?id_token_hint={}", again.id())).await;
    app.assert_family_stands(&client, &again).await;
}

#[tokio::test]
async fn prompt_select_account_asks_which_one() {
    let app = TestApp::start().await;
    let (client, alice, bob) = (app.web_client().await, app.alice().await, app.bob().await);
    let (mut browser, _) = signed_in(&app, &client, &alice).await;
    let request = Authorization::of(&client).with("prompt", "select_account");
    let choice = browser.open(&request.path()).await;
    choice.assert_select_account();
    assert!(choice.visible_text().contains("Alice Adams"), "{}", choice.visible_text());
    let page = browser.submit(&choice, "account-continue", &[]).await;
    assert_eq!(id_claims(&app, &client, &request, &page).await["sub"], alice.sub());

    let request = Authorization::of(&client).with("prompt", "select_account");
    let choice = browser.open(&request.path()).await;
    let login = browser.submit(&choice, "account-another", &[]).await;
    let page = browser.log_in(&login, &bob).await;
    assert_eq!(id_claims(&app, &client, &request, &page).await["sub"], bob.sub());
}

#[tokio::test]
async fn prompt_select_account_and_cancel_is_access_denied() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (mut browser, _) = signed_in(&app, &client, &alice).await;
    let request = Authorization::of(&client).with("prompt", "select_account");
    let choice = browser.open(&request.path()).await;
    let page = browser.submit(&choice, "account-cancel", &[]).await;
    assert_returned_error(&app, &request, &page, "access_denied");
}

#[tokio::test]
async fn max_age_1_after_two_seconds_asks_again_and_gives_a_later_auth_time() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (mut browser, first) = signed_in(&app, &client, &alice).await;
    let first = jwt::read(&first).claims;
    app.pass_seconds(2);
    let request = Authorization::of(&client).with("max_age", "1");
    let login = browser.open(&request.path()).await;
    let page = browser.log_in(&login, &alice).await;
    let second = id_claims(&app, &client, &request, &page).await;
    assert_eq!(second["auth_time"], json!(first["auth_time"].as_i64().unwrap() + 2));
}

#[tokio::test]
async fn max_age_15000_asks_nothing_and_keeps_auth_time() {
    let app = TestApp::with_config(|config| config.sessions.idle = chrono::TimeDelta::hours(12)).await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (mut browser, first) = signed_in(&app, &client, &alice).await;
    let first = jwt::read(&first).claims;
    app.pass_seconds(15_000);
    let request = Authorization::of(&client).with("max_age", "15000");
    let page = browser.open(&request.path()).await;
    assert_eq!(id_claims(&app, &client, &request, &page).await["auth_time"], first["auth_time"]);
    app.pass_seconds(1);
    browser.open(&Authorization::of(&client).with("max_age", "15000").path()).await.assert_login();
}

#[tokio::test]
async fn max_age_0_means_prompt_login() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (mut browser, _) = signed_in(&app, &client, &alice).await;
    let request = Authorization::of(&client).with("max_age", "0");
    let login = browser.open(&request.path()).await;
    let page = browser.log_in(&login, &alice).await;
    page.returned_code(&client.redirect_uri);
}

#[tokio::test]
async fn max_age_with_prompt_none_and_an_old_sign_in_is_login_required() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (mut browser, _) = signed_in(&app, &client, &alice).await;
    app.pass_seconds(11);
    let request = Authorization::of(&client).with("max_age", "10").with("prompt", "none");
    let page = browser.open(&request.path()).await;
    assert_returned_error(&app, &request, &page, "login_required");
}

#[tokio::test]
async fn a_max_age_that_is_no_number_is_refused() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    for max_age in ["-1", "1.5", "soon", "+3"] {
        let request = Authorization::of(&client).with("max_age", max_age);
        let page = app.browser().open(&request.path()).await;
        assert_returned_error(&app, &request, &page, "invalid_request");
    }
}

#[tokio::test]
async fn the_default_max_age_of_a_client_counts_when_the_request_says_nothing() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.default_max_age = Some(60)).await;
    let alice = app.alice().await;
    let (mut browser, _) = signed_in(&app, &client, &alice).await;
    app.pass_seconds(60);
    browser.open(&Authorization::of(&client).path()).await.returned_code(&client.redirect_uri);
    app.pass_seconds(1);
    browser.open(&Authorization::of(&client).path()).await.assert_login();
    let longer = Authorization::of(&client).with("max_age", "600");
    browser.open(&longer.path()).await.returned_code(&client.redirect_uri);
}

#[tokio::test]
async fn a_hint_that_is_not_an_id_token_of_this_client_is_refused() {
    let app = TestApp::start().await;
    let (client, other, alice) = (app.web_client().await, app.public_client().await, app.alice().await);
    let (_, hint) = signed_in(&app, &other, &alice).await;
    let tokens = app.tokens(&client, &alice, "openid").await;
    let own = jwt::read(tokens.id());
    let (unsigned, forged) = (jwt::unsigned(&own), jwt::signed_by_another_key(&own));
    for hint in ["garbage", &hint, tokens.access(), &unsigned, &forged] {
        let request = Authorization::of(&client).with("id_token_hint", hint);
        let page = app.browser().open(&request.path()).await;
        assert_returned_error(&app, &request, &page, "invalid_request");
    }
}

#[tokio::test]
async fn a_session_ends_after_its_lifetime_and_after_its_idle_time() {
    let app = TestApp::with_config(|config| {
        config.sessions.lifetime = chrono::TimeDelta::hours(3);
        config.sessions.idle = chrono::TimeDelta::hours(1);
    })
    .await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let none = || Authorization::of(&client).with("prompt", "none");
    // Used every 59 minutes, it lives until its lifetime is over.
    let (mut browser, _) = signed_in(&app, &client, &alice).await;
    for _ in 0..3 {
        app.pass(chrono::TimeDelta::minutes(59));
        let request = none();
        let code = browser.open(&request.path()).await.returned_code(&client.redirect_uri);
        assert_eq!(app.token(&client, &app.redemption(&request, &code)).await.status, 200);
    }
    app.pass(chrono::TimeDelta::minutes(3));
    let request = none();
    assert_returned_error(&app, &request, &browser.open(&request.path()).await, "login_required");
    // Not used, it ends after an hour.
    let (mut browser, _) = signed_in(&app, &client, &alice).await;
    app.pass(chrono::TimeDelta::minutes(60));
    let request = none();
    assert_returned_error(&app, &request, &browser.open(&request.path()).await, "login_required");
}
