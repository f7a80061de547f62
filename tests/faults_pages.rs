//! The pages and what else a store's outage puts off or leaves alone: the rows of the failure matrix that `faults.rs` and
//! `faults_valkey.rs` do not show.

use ostiary::model::client::{ClientSettings, ConsentPolicy};

use crate::harness::{Authorization, Cluster, Database, PASSWORD, TestApp, Tokens, Valkey};

fn asking(settings: &mut ClientSettings) {
    settings.consent = ConsentPolicy::Remembered;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_valkey_answers_to_pages_are_put_off() {
    let valkey = Valkey::start().await;
    let app = TestApp::with_config(|config| config.state.valkey_url = Some(valkey.url().into())).await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let mut browser = app.browser();
    let login = browser.open(&Authorization::of(&client).path()).await;
    let consent = browser.log_in(&login, &alice).await;
    consent.assert_consent();
    let request = Authorization::of(&client).with("prompt", "select_account");
    let account = browser.open(&request.path()).await;
    account.assert_select_account();

    valkey.freeze();
    for (page, path, button) in [
        (&consent, "/consent", "consent-allow"),
        (&consent, "/consent", "consent-deny"),
        (&account, "/select-account", "account-continue"),
    ] {
        browser.submit(page, button, &[]).await.assert_unavailable(path);
        browser.open(page.url.as_str()).await.assert_unavailable(path);
    }
    for path in ["/account/consents", "/account/password"] {
        browser.open(path).await.assert_unavailable(path);
    }
    valkey.thaw();
    app.is_ready().await;
    // What was put off was not done, and the same forms can be sent again.
    let asked = browser.submit(&account, "account-continue", &[]).await;
    asked.assert_consent();
    browser.submit(&consent, "consent-allow", &[]).await.returned_code(&client.redirect_uri);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_valkey_tokens_can_be_revoked_and_a_used_code_is_not_judged() {
    let mut valkey = Valkey::start().await;
    let app = TestApp::with_config(|config| config.state.valkey_url = Some(valkey.url().into())).await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let request = Authorization::of(&client).with("scope", "openid offline_access");
    let code = app.code(&mut browser, &request, &alice).await;
    let redemption = app.redemption(&request, &code);
    let tokens = Tokens { body: app.token(&client, &redemption).await.json() };
    let [by_access, by_refresh] =
        [app.tokens(&client, &alice, "openid").await, app.tokens(&client, &alice, "openid").await];

    valkey.kill();
    // Whether it is a replay is not known: neither is it refused for good, nor does anything end.
    app.token(&client, &redemption).await.assert_unavailable();
    let tokens = app.assert_family_stands(&client, &tokens).await;
    for token in [by_access.access(), by_refresh.refresh()] {
        assert_eq!(app.revoke(&client, token).await.status, 200);
    }
    app.assert_access_token_is_over(&client, by_access.access()).await;
    app.assert_family_is_over(&client, &by_refresh).await;

    valkey.start_again().await;
    app.is_ready().await;
    // The record of the code is gone with the store; that it was used is not.
    app.token(&client, &redemption).await.assert_error(400, "invalid_grant", "the code is not valid");
    app.assert_family_is_over(&client, &tokens).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgres_answers_to_pages_are_put_off() {
    let mut cluster = Cluster::start().await;
    let app = TestApp::on(Database::of_cluster(&cluster).await, |_| {}).await;
    let (client, alice) = (app.web_client_with(asking).await, app.alice().await);
    let (known, mut browser) = (app.web_client_with(asking).await, app.browser());
    browser.authorize(&Authorization::of(&known), &alice).await;
    let consent = browser.open(&Authorization::of(&client).path()).await;
    consent.assert_consent();
    let consents = browser.open("/account/consents").await;
    let withdrawal = consents.form_of("form[action=\"/account/consents\"] button");
    let password = browser.open("/account/password").await;
    let change = [("current", PASSWORD), ("password", "four brown foxes jump"), ("repeat", "four brown foxes jump")];

    cluster.kill().await;
    browser.submit(&consent, "consent-allow", &[]).await.assert_unavailable("/consent");
    for path in ["/account/consents", "/account/password"] {
        browser.open(path).await.assert_unavailable(path);
    }
    browser.send_form(&consents, withdrawal.clone()).await.assert_unavailable("/account/consents");
    browser.submit(&password, "password-submit", &change).await.assert_unavailable("/account/password");

    cluster.start_again().await;
    app.is_ready().await;
    // The consent stands that was not taken back, and the one that was not given is asked for.
    browser.open(&Authorization::of(&known).path()).await.returned_code(&known.redirect_uri);
    browser.open(consent.url.as_str()).await.assert_consent();
    browser.submit(&consent, "consent-allow", &[]).await.returned_code(&client.redirect_uri);
    browser.send_form(&consents, withdrawal).await;
    browser.open(&Authorization::of(&known).path()).await.assert_consent();
    let done = browser.submit(&password, "password-submit", &change).await;
    done.assert_shown("/account/password", &["password-done"]);
}
