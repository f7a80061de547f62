//! Clocks that are thirty seconds apart: the server's and the database's, those of two servers, that of a resource server.

use chrono::TimeDelta;
use ostiary::jobs::Job;
use ostiary::model::client::ConsentPolicy;

use crate::harness::{Authorization, TestApp, Tokens, Valkey, jwt};

const SKEWS: [i64; 2] = [30, -30];

#[tokio::test]
async fn a_server_whose_clock_is_thirty_seconds_off_from_the_database_works() {
    for skew in SKEWS {
        let app = TestApp::start().await;
        // Postgres has the time of this machine.
        app.pass_seconds(skew);
        let (client, alice) = (app.web_client().await, app.alice().await);
        let mut browser = app.browser();
        let request = Authorization::of(&client).with("scope", "openid offline_access").with("max_age", "5");
        let tokens = app.tokens_in(&mut browser, &client, &request, &alice).await;
        for job in Job::ALL {
            job.run_once(&app.app, app.now()).await.unwrap();
        }
        assert_eq!(app.introspect(&client, tokens.access()).await.json()["active"], true);
        let tokens = app.assert_family_stands(&client, &tokens).await;
        // A session is still there, and it ends when it is asked to.
        browser.open(&Authorization::of(&client).path()).await.returned_code(&client.redirect_uri);
        let page = browser.open(&format!("/logout?id_token_hint={}", tokens.id())).await;
        assert!(page.has("logged-out"), "{page:?}");
        browser.open(&Authorization::of(&client).path()).await.assert_login();
        app.assert_family_stands(&client, &tokens).await;
    }
}

#[tokio::test]
async fn a_resource_server_whose_clock_is_thirty_seconds_behind_accepts_a_fresh_token() {
    let app = TestApp::start().await;
    let (client, machine, alice) = (app.web_client().await, app.machine_client().await, app.alice().await);
    let form = [("grant_type", "client_credentials"), ("scope", "mail.read")];
    let own = Tokens { body: app.token(&machine, &form).await.json() };
    let tokens = app.tokens(&client, &alice, "openid").await;
    for token in [own.access(), tokens.access()] {
        let claims = jwt::read(token).claims;
        let its_now = app.now().timestamp() - 30;
        assert!(claims["nbf"].as_i64().unwrap() <= its_now, "no leeway is needed: {claims}");
        assert!(claims["exp"].as_i64().unwrap() > its_now);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_whose_clocks_are_thirty_seconds_apart_continue_what_the_other_began() {
    for skew in SKEWS {
        let valkey = Valkey::start().await;
        let one = TestApp::with_config(|config| config.state.valkey_url = Some(valkey.url().into())).await;
        let other = one.other_process(TimeDelta::seconds(skew)).await;
        let client = one.web_client_with(|settings| settings.consent = ConsentPolicy::Remembered).await;
        let alice = one.alice().await;
        let mut browser = one.browser();
        let request = Authorization::of(&client).with("scope", "openid offline_access");
        let login = browser.open(&request.path()).await;
        browser.use_instance(&other.base);
        let consent = browser.log_in(&login, &alice).await;
        browser.use_instance(&one.base);
        let mut answer = browser.submit(&consent, "consent-allow", &[]).await.returned_to(&client.redirect_uri);
        let code = answer.remove("code").unwrap();
        let tokens = Tokens { body: other.token(&client, &other.redemption(&request, &code)).await.json() };
        let tokens = one.assert_family_stands(&client, &tokens).await;
        let tokens = other.assert_family_stands(&client, &tokens).await;
        assert_eq!(one.introspect(&client, tokens.access()).await.json()["active"], true);
    }
}
