//! Journeys: a person, a browser with tabs and a back button, several clients and several instances.

use ostiary::model::client::ConsentPolicy;

use crate::harness::{Authorization, TestApp, Tokens};

#[tokio::test]
async fn two_tabs_are_two_attempts_and_both_end_well() {
    let app = TestApp::start().await;
    let (one, two, alice) = (app.web_client().await, app.public_client().await, app.alice().await);
    let mut browser = app.browser();
    let (first, second) = (Authorization::of(&one), Authorization::of(&two));
    let first_tab = browser.open(&first.path()).await;
    let second_tab = browser.open(&second.path()).await;
    let answer = browser.log_in(&second_tab, &alice).await.returned_to(&two.redirect_uri);
    assert_eq!(answer["state"], second.value("state"));
    // The first tab still shows its form; the person has signed in meanwhile and signs in again, or just reloads.
    let answer = browser.log_in(&first_tab, &alice).await.returned_to(&one.redirect_uri);
    assert_eq!(answer["state"], first.value("state"));
    let third = Authorization::of(&one);
    let mut browser = app.browser();
    let third_tab = browser.open(&third.path()).await;
    let other_tab = browser.open(&Authorization::of(&two).path()).await;
    browser.log_in(&other_tab, &alice).await;
    let answer = browser.open(third_tab.url.as_str()).await.returned_to(&one.redirect_uri);
    assert_eq!(answer["state"], third.value("state"));
}

#[tokio::test]
async fn the_same_request_opened_twice_ends_well_twice() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let request = Authorization::of(&client);
    browser.open(&request.path()).await.assert_login();
    let page = browser.open(&request.path()).await;
    let first = browser.log_in(&page, &alice).await.returned_to(&client.redirect_uri);
    let second = browser.open(&request.path()).await.returned_to(&client.redirect_uri);
    assert_ne!(first["code"], second["code"]);
    for code in [&first["code"], &second["code"]] {
        assert_eq!(app.token(&client, &app.redemption(&request, code)).await.status, 200);
    }
}

#[tokio::test]
async fn the_back_button_after_signing_in_ends_well() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let request = Authorization::of(&client);
    let login = browser.open(&request.path()).await;
    let consent = browser.log_in(&login, &alice).await;
    consent.assert_consent();
    // Back to the login page, which is not stored and so is asked for again: it goes on to consent.
    browser.open(login.url.as_str()).await.assert_consent();
    // Or its form is sent again.
    let consent = browser.log_in(&login, &alice).await;
    consent.assert_consent();
    let answer = browser.submit(&consent, "consent-allow", &[]).await.returned_to(&client.redirect_uri);
    assert_eq!(answer["state"], request.value("state"));
}

#[tokio::test]
async fn the_back_button_after_the_answer_ends_well_at_once_and_is_explained_later() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let request = Authorization::of(&client);
    let login = browser.open(&request.path()).await;
    let first = browser.log_in(&login, &alice).await.returned_to(&client.redirect_uri);
    let again = browser.open(login.url.as_str()).await.returned_to(&client.redirect_uri);
    assert_eq!(again["state"], first["state"]);
    assert_ne!(again["code"], first["code"], "a code of its own: nothing is redeemed twice");
    app.pass_seconds(61);
    let page = browser.open(login.url.as_str()).await;
    page.assert_error("/login", 400, "invalid_request", "this sign-in was completed before");
}

#[tokio::test]
async fn pressing_allow_twice_gives_two_good_codes() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let request = Authorization::of(&client);
    let login = browser.open(&request.path()).await;
    let consent = browser.log_in(&login, &alice).await;
    let first = browser.submit(&consent, "consent-allow", &[]).await.returned_to(&client.redirect_uri);
    let second = browser.submit(&consent, "consent-allow", &[]).await.returned_to(&client.redirect_uri);
    let mut standing = Vec::new();
    for code in [&first["code"], &second["code"]] {
        standing.push(Tokens { body: app.token(&client, &app.redemption(&request, code)).await.json() });
    }
    for tokens in &standing {
        app.assert_family_stands(&client, tokens).await;
    }
}

#[tokio::test]
async fn pressing_deny_twice_is_access_denied_twice() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let login = browser.open(&Authorization::of(&client).path()).await;
    let consent = browser.log_in(&login, &alice).await;
    for _ in 0..2 {
        let page = browser.submit(&consent, "consent-deny", &[]).await;
        assert_eq!(page.returned_error(&client.redirect_uri)["error"], "access_denied");
    }
}

#[tokio::test]
async fn one_sign_in_serves_several_clients() {
    let app = TestApp::start().await;
    let (one, two, alice) = (app.web_client().await, app.public_client().await, app.alice().await);
    let mut browser = app.browser();
    let first = app.tokens_in(&mut browser, &one, &Authorization::of(&one), &alice).await;
    let page = browser.open(&Authorization::of(&two).path()).await;
    page.returned_code(&two.redirect_uri);
    let second = app.tokens_in(&mut browser, &two, &Authorization::of(&two), &alice).await;
    let (first, second) = (first.id_claims(&app).await, second.id_claims(&app).await);
    assert_eq!(first["sid"], second["sid"]);
    assert_eq!(first["auth_time"], second["auth_time"]);
}

#[tokio::test]
async fn any_instance_continues_what_another_began() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let request = Authorization::of(&client);
    let login = browser.open(&request.path()).await;
    browser.use_instance(&other.base);
    let consent = browser.log_in(&login, &alice).await;
    consent.assert_consent();
    browser.use_instance(&app.base);
    let mut answer = browser.submit(&consent, "consent-allow", &[]).await.returned_to(&client.redirect_uri);
    let code = answer.remove("code").unwrap();
    let tokens = Tokens { body: other.token(&client, &other.redemption(&request, &code)).await.json() };
    assert_eq!(app.userinfo(tokens.access()).await.json()["sub"], alice.sub());
    let tokens = app.refreshed(&client, tokens.refresh()).await;
    other.refreshed(&client, tokens.refresh()).await;
}

#[tokio::test]
async fn another_person_can_take_over_the_browser_at_consent() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let (alice, bob) = (app.alice().await, app.bob().await);
    let mut browser = app.browser();
    let request = Authorization::of(&client);
    let login = browser.open(&request.path()).await;
    let for_alice = browser.log_in(&login, &alice).await;
    for_alice.assert_consent();
    let login = browser.click(&for_alice, "consent-switch").await;
    let for_bob = browser.log_in(&login, &bob).await;
    for_bob.assert_consent();
    assert!(for_bob.visible_text().contains("Bob Brown"), "{}", for_bob.visible_text());
    // What alice was shown counts for nothing now.
    browser.submit(&for_alice, "consent-allow", &[]).await.assert_consent();
    let mut answer = browser.submit(&for_bob, "consent-allow", &[]).await.returned_to(&client.redirect_uri);
    let code = answer.remove("code").unwrap();
    let tokens = Tokens { body: app.token(&client, &app.redemption(&request, &code)).await.json() };
    assert_eq!(tokens.id_claims(&app).await["sub"], bob.sub());
}

/// Whoever ended it, and whatever the page showed: the person signs in again, and is asked again.
#[tokio::test]
async fn a_session_that_ended_meanwhile_consents_to_nothing() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
    let (alice, mut browser) = (app.alice().await, app.browser());
    let admin = app.admin(&["admin:sessions", "admin:grants"]).await;
    let request = Authorization::of(&client);
    let login = browser.open(&request.path()).await;
    let consent = browser.log_in(&login, &alice).await;
    consent.assert_consent();
    let ended = admin.delete(&format!("/admin/sessions?subject={}", alice.sub())).await.document(200);
    assert_eq!(ended["ended"], 1, "{ended}");
    let login = browser.submit(&consent, "consent-allow", &[]).await;
    login.assert_login();
    let consents = admin.get(&format!("/admin/consents?subject={}", alice.sub())).await.document(200);
    assert_eq!(consents["items"], serde_json::json!([]));
    let again = browser.log_in(&login, &alice).await;
    again.assert_consent();
    browser.submit(&again, "consent-allow", &[]).await.returned_code(&client.redirect_uri);
}

#[tokio::test]
async fn signing_in_as_somebody_else_ends_the_session_before() {
    let app = TestApp::start().await;
    let (client, alice, bob) = (app.web_client().await, app.alice().await, app.bob().await);
    let mut browser = app.browser();
    let hers = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    let login = browser.open(&Authorization::of(&client).with("prompt", "login").path()).await;
    browser.log_in(&login, &bob).await.returned_code(&client.redirect_uri);
    app.assert_family_is_over(&client, &hers).await;
}

#[tokio::test]
async fn signing_in_without_an_attempt_leads_to_ones_account() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let login = browser.open("/account/consents").await;
    login.assert_shown("/login", &["username", "password", "login-submit"]);
    let typed = [("username", alice.username.as_str()), ("password", crate::harness::PASSWORD)];
    let page = browser.submit(&login, "login-submit", &typed).await;
    page.assert_shown("/account/consents", &["no-consents"]);
}

#[tokio::test]
async fn a_client_that_is_gone_meanwhile_ends_in_an_error() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let login = browser.open(&Authorization::of(&client).path()).await;
    app.change_client(&client, |client| client.enabled = false).await;
    let page = browser.log_in(&login, &alice).await;
    assert_eq!(page.returned_error(&client.redirect_uri)["error"], "unauthorized_client");
}
