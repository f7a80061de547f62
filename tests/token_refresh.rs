//! `/token` with `grant_type=refresh_token`.

use chrono::TimeDelta;
use ostiary::model::id::ResourceUri;
use ostiary::model::lifetimes::ClientLifetimes;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::harness::{Authorization, MAIL_API, PHOTOS_API, TestApp, TestClient, Tokens, encode, eventually, jwt};
use crate::token_code::forgeries;

const USED: &str = "the refresh token was used before";
const INVALID: &str = "the refresh token is not valid";

#[tokio::test]
async fn an_answer_that_cannot_be_given_uses_nothing_up() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for grace in [10, 0] {
        let client = app.web_client_with(|settings| {
            settings.lifetimes = ClientLifetimes { refresh_grace: Some(grace), ..ClientLifetimes::default() };
        });
        let client = client.await;
        let request = Authorization::of(&client).with("scope", "openid photos.read").with("resource", PHOTOS_API);
        let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
        let allow = async |scopes: &[&str], resources: &[&str]| {
            app.change_client(&client, |client| {
                client.settings.scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
                client.settings.resources = resources.iter().copied().map(ResourceUri::new).collect();
            })
            .await;
        };
        let narrow = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh()), ("scope", "openid")];
        let scope = "the client may not have the scope any more";
        allow(&["mail.read"], &[]).await;
        app.refresh(&client, tokens.refresh()).await.assert_error(400, "invalid_scope", scope);
        allow(&["photos.read"], &[]).await;
        app.token(&client, &narrow).await.assert_error(400, "invalid_scope", scope);
        allow(&["openid", "photos.read"], &[MAIL_API]).await;
        let resource = "the client may not have the resource any more";
        app.refresh(&client, tokens.refresh()).await.assert_error(400, "invalid_target", resource);
        // Long after the grace of a rotation, had there been one.
        app.pass_seconds(60);
        allow(&["openid", "photos.read"], &[]).await;
        let tokens = app.assert_family_stands(&client, &tokens).await;
        // What is a replay is one whatever may be had.
        app.pass_seconds(60);
        let used = app.refreshed(&client, tokens.refresh()).await;
        app.pass_seconds(60);
        allow(&["mail.read"], &[]).await;
        app.refresh(&client, tokens.refresh()).await.assert_error(400, "invalid_grant", USED);
        allow(&["openid", "photos.read"], &[]).await;
        app.assert_family_is_over(&client, &used).await;
    }
}

#[tokio::test]
async fn success_rotates_and_renews_everything() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid profile").await;
    app.pass_seconds(100);
    let answer = app.refresh(&client, first.refresh()).await;
    answer.assert_not_stored();
    let second = Tokens { body: answer.json() };
    let mut members: Vec<&str> = second.body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]);
    assert_eq!(second.body["token_type"], "Bearer");
    assert_eq!(second.body["expires_in"], 600);
    assert_eq!(second.body["scope"], "openid profile");
    assert_ne!(second.refresh(), first.refresh());
    assert!(second.refresh().len() * 6 >= 128);
    let claims = second.access_claims(&app).await;
    assert_eq!(claims["iat"], app.now().timestamp());
    assert_eq!(claims["exp"], app.now().timestamp() + 600);
    assert_ne!(claims["jti"], first.access_claims(&app).await["jti"]);
    // The access token from before lives on until its own end.
    assert_eq!(app.userinfo(first.access()).await.status, 200);
}

#[tokio::test]
async fn the_new_id_token_has_the_same_iss_sub_aud_and_auth_time_and_no_nonce() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid").await;
    app.pass_seconds(100);
    let second = app.refreshed(&client, first.refresh()).await;
    let (before, after) = (first.id_claims(&app).await, second.id_claims(&app).await);
    for claim in ["iss", "sub", "aud", "auth_time", "azp", "sid", "acr", "amr"] {
        assert_eq!(after.get(claim), before.get(claim), "{claim}");
    }
    assert_eq!(after["iat"], app.now().timestamp());
    assert_eq!(after.get("nonce"), None);
    assert_ne!(after["at_hash"], before["at_hash"]);
}

#[tokio::test]
async fn a_retry_within_ten_seconds_gets_the_same_successor_and_the_same_claims() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid").await;
    app.pass_seconds(60);
    let second = app.refreshed(&client, first.refresh()).await;
    app.pass_seconds(9);
    let again = app.refreshed(&client, first.refresh()).await;
    assert_eq!(again.refresh(), second.refresh());
    assert_eq!(again.access_claims(&app).await, second.access_claims(&app).await);
    // A retry does not prolong the window.
    app.pass_seconds(1);
    app.refresh(&client, first.refresh()).await.assert_error(400, "invalid_grant", USED);
    app.assert_family_is_over(&client, &second).await;
}

#[tokio::test]
async fn an_older_token_after_the_window_revokes_the_family() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid").await;
    let second = app.refreshed(&client, first.refresh()).await;
    app.pass_seconds(10);
    app.refresh(&client, first.refresh()).await.assert_error(400, "invalid_grant", USED);
    app.assert_access_token_is_over(&client, first.access()).await;
    app.assert_family_is_over(&client, &second).await;
}

#[tokio::test]
async fn a_token_two_generations_old_revokes_the_family_even_inside_the_window() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid").await;
    let second = app.refreshed(&client, first.refresh()).await;
    let third = app.refreshed(&client, second.refresh()).await;
    app.refresh(&client, first.refresh()).await.assert_error(400, "invalid_grant", USED);
    app.assert_family_is_over(&client, &third).await;
}

#[tokio::test]
async fn a_client_may_have_no_window_at_all() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.lifetimes.refresh_grace = Some(0)).await;
    let alice = app.alice().await;
    let first = app.tokens(&client, &alice, "openid").await;
    let second = app.refreshed(&client, first.refresh()).await;
    app.refresh(&client, first.refresh()).await.assert_error(400, "invalid_grant", USED);
    app.assert_family_is_over(&client, &second).await;
}

#[tokio::test]
async fn another_clients_token_is_invalid_grant_and_touches_nothing() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (other, public) = (app.web_client().await, app.public_client().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    for thief in [&other, &public] {
        app.refresh(thief, tokens.refresh()).await.assert_error(400, "invalid_grant", INVALID);
    }
    let next = app.assert_family_stands(&client, &tokens).await;
    // A used token in the wrong hands says nothing either: only its own client can replay it.
    app.pass_seconds(60);
    app.refresh(&other, tokens.refresh()).await.assert_error(400, "invalid_grant", INVALID);
    app.assert_family_stands(&client, &next).await;
}

#[tokio::test]
async fn failed_client_authentication_touches_nothing() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid").await;
    let second = app.refreshed(&client, first.refresh()).await;
    app.pass_seconds(60);
    let impostor = client.with_secret("wrong");
    for token in [first.refresh(), second.refresh()] {
        app.refresh(&impostor, token).await.assert_basic_error("client authentication failed");
    }
    app.assert_family_stands(&client, &second).await;
}

#[tokio::test]
async fn a_forged_token_touches_nothing() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    for forged in forgeries(tokens.refresh()) {
        app.refresh(&client, &forged).await.assert_error(400, "invalid_grant", INVALID);
    }
    for other in ["x", tokens.access(), tokens.id()] {
        app.refresh(&client, other).await.assert_error(400, "invalid_grant", INVALID);
    }
    app.assert_family_stands(&client, &tokens).await;
}

#[tokio::test]
async fn a_missing_token_is_invalid_request() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let answer = app.token(&client, &[("grant_type", "refresh_token")]).await;
    answer.assert_error(400, "invalid_request", "the parameter refresh_token is missing");
}

#[tokio::test]
async fn scopes_may_be_narrowed_for_one_token_but_not_widened() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid profile photos.read").await;
    let ask = |token: String, scope: &'static str| {
        let client = client.clone();
        let app = &app;
        async move {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", scope)];
            app.token(&client, &form).await
        }
    };
    let narrow = Tokens { body: ask(first.refresh().to_owned(), "photos.read").await.json() };
    assert_eq!(narrow.body["scope"], "photos.read");
    assert_eq!(narrow.access_claims(&app).await["scope"], "photos.read");
    assert_eq!(narrow.body.get("id_token"), None, "openid was left out");
    let answer = ask(narrow.refresh().to_owned(), "openid email").await;
    answer.assert_error(400, "invalid_scope", "a scope was asked for that was not granted");
    // RFC 6749 section 6: the refresh token itself keeps what was granted.
    let full = app.refreshed(&client, narrow.refresh()).await;
    assert_eq!(full.body["scope"], "openid profile photos.read");
}

#[tokio::test]
async fn resources_may_be_narrowed_for_one_token_but_not_widened() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client)
        .with("scope", "openid photos.read mail.read")
        .with("resource", PHOTOS_API)
        .and("resource", MAIL_API);
    let first = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    let form = |token: &str, resource: &str| {
        [("grant_type", "refresh_token"), ("refresh_token", token), ("resource", resource)]
            .map(|(name, value)| (name, value.to_owned()))
    };
    let send = |form: [(&'static str, String); 3]| {
        let (app, client) = (&app, &client);
        async move { app.token(client, &form.each_ref().map(|(name, value)| (*name, value.as_str()))).await }
    };
    let second = Tokens { body: send(form(first.refresh(), MAIL_API)).await.json() };
    let claims = second.access_claims(&app).await;
    assert_eq!((claims["aud"].clone(), claims["scope"].clone()), (json!(MAIL_API), json!("openid mail.read")));
    let answer = send(form(second.refresh(), "https://unknown.example/")).await;
    answer.assert_error(400, "invalid_target", "the resource is unknown, or not for this client");
    let third = app.refreshed(&client, second.refresh()).await;
    assert_eq!(third.access_claims(&app).await["aud"], json!([PHOTOS_API, MAIL_API]));

    let only = Authorization::of(&client).with("scope", "openid photos.read").with("resource", PHOTOS_API);
    let only = app.tokens_in(&mut app.browser(), &client, &only, &alice).await;
    let answer = send(form(only.refresh(), MAIL_API)).await;
    answer.assert_error(400, "invalid_target", "a resource was asked for that was not granted");
    app.assert_family_stands(&client, &only).await;
}

#[tokio::test]
async fn a_family_ends_when_it_is_not_used() {
    let app = TestApp::with_config(|config| config.sessions.lifetime = TimeDelta::days(400)).await;
    let client = app
        .web_client_with(|settings| {
            settings.lifetimes = ClientLifetimes { refresh_idle: Some(1000), ..ClientLifetimes::default() };
        })
        .await;
    let alice = app.alice().await;
    let first = app.tokens(&client, &alice, "openid offline_access").await;
    app.pass_seconds(999);
    let second = app.refreshed(&client, first.refresh()).await;
    app.pass_seconds(999);
    let third = app.refreshed(&client, second.refresh()).await;
    app.pass_seconds(1000);
    app.refresh(&client, third.refresh()).await.assert_error(400, "invalid_grant", INVALID);
    app.introspect(&client, third.refresh()).await.assert_inactive();
}

#[tokio::test]
async fn a_family_ends_at_its_absolute_limit_however_much_it_is_used() {
    let app = TestApp::start().await;
    let client = app
        .web_client_with(|settings| {
            settings.lifetimes = ClientLifetimes {
                refresh_idle: Some(1000),
                refresh_absolute: Some(1500),
                ..ClientLifetimes::default()
            };
        })
        .await;
    let alice = app.alice().await;
    let first = app.tokens(&client, &alice, "openid offline_access").await;
    let began = app.now().timestamp();
    app.pass_seconds(900);
    let second = app.refreshed(&client, first.refresh()).await;
    assert_eq!(second.access_claims(&app).await["exp"], began + 1500, "no token outlives its family");
    app.pass_seconds(599);
    let third = app.refreshed(&client, second.refresh()).await;
    assert_eq!(third.body["expires_in"], 1);
    app.pass_seconds(1);
    app.refresh(&client, third.refresh()).await.assert_error(400, "invalid_grant", INVALID);
    app.assert_access_token_is_over(&client, third.access()).await;
}

#[tokio::test]
async fn without_offline_access_a_family_dies_with_the_session() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let online = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    let request = Authorization::of(&client).with("scope", "openid offline_access");
    let offline = app.tokens_in(&mut browser, &client, &request, &alice).await;
    browser.open(&format!("/logout?id_token_hint={}", online.id())).await;
    app.assert_family_is_over(&client, &online).await;
    app.assert_family_stands(&client, &offline).await;
}

#[tokio::test]
async fn disabling_an_account_ends_every_family_at_once() {
    let app = TestApp::start().await;
    let (client, alice, bob) = (app.web_client().await, app.alice().await, app.bob().await);
    let online = app.tokens(&client, &alice, "openid").await;
    let offline = app.tokens(&client, &alice, "openid offline_access").await;
    let others = app.tokens(&client, &bob, "openid").await;
    app.app.postgres.disable_subject(&alice.subject, app.now()).await.unwrap();
    app.assert_family_is_over(&client, &online).await;
    app.assert_family_is_over(&client, &offline).await;
    app.assert_family_stands(&client, &others).await;
    // Enabling it again revives nothing.
    app.app.postgres.enable_subject(&alice.subject, app.now()).await.unwrap();
    app.assert_family_is_over(&client, &offline).await;
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_family_and_session() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let request = Authorization::of(&client).with("scope", "openid offline_access");
    let tokens = app.tokens_in(&mut browser, &client, &request, &alice).await;
    app.app.postgres.sign_out_everywhere(&alice.subject, app.now()).await.unwrap();
    app.assert_family_is_over(&client, &tokens).await;
    browser.open(&Authorization::of(&client).path()).await.assert_login();
}

#[tokio::test]
async fn a_client_that_lost_the_grant_may_not_refresh_any_more() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    app.change_client(&client, |client| client.settings.grant_types.truncate(1)).await;
    let answer = app.refresh(&client, tokens.refresh()).await;
    answer.assert_error(400, "unauthorized_client", "the client may not use this grant_type");
}

#[tokio::test]
async fn public_clients_rotate_too() {
    let app = TestApp::start().await;
    let (client, alice) = (app.public_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid").await;
    let second = app.refreshed(&client, first.refresh()).await;
    assert_ne!(second.refresh(), first.refresh());
    assert_eq!(jwt::read(second.id()).claims["aud"], client.id);
}

/// A rotation whose answer nobody read: the client went away once it had asked.
async fn rotated_unheard(app: &TestApp, client: &TestClient, refresh_token: &str) {
    let form = encode(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]);
    let request = format!(
        "POST /token HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        client.basic(),
        form.len(),
    );
    let mut stream = TcpStream::connect(app.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    // Looking at it uses nothing: once it is not the current one, its successor is committed.
    eventually("the token is rotated", || async {
        (app.introspect(client, refresh_token).await.json()["active"] == false).then_some(())
    })
    .await;
    drop(stream);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_had_again_within_the_grace_and_costs_the_family_after_it() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let request = Authorization::of(&client).with("scope", "openid offline_access");
    for seconds in [9, 11] {
        let tokens = app.tokens_in(&mut browser, &client, &request, &alice).await;
        let other = app.tokens_in(&mut browser, &client, &request, &alice).await;
        rotated_unheard(&app, &client, tokens.refresh()).await;
        app.pass_seconds(seconds);
        if seconds < 10 {
            let again = app.refreshed(&client, tokens.refresh()).await;
            app.assert_family_stands(&client, &again).await;
            continue;
        }
        // Nobody can tell an honest client from whoever stole the token: docs/decisions/0013.
        app.refresh(&client, tokens.refresh()).await.assert_error(400, "invalid_grant", USED);
        app.assert_family_is_over(&client, &tokens).await;
        app.assert_family_stands(&client, &other).await;
        // The person has only to come by: nothing is asked of who is still signed in.
        let anew = browser.open(&Authorization::of(&client).path()).await;
        anew.returned_code(&client.redirect_uri);
    }
}

#[tokio::test]
async fn a_token_from_the_future_is_refused_and_ends_nothing() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid").await;
    // What a failover to a replica that was behind does: an acknowledged rotation is gone.
    app.execute("CREATE TABLE behind AS SELECT * FROM token_family").await;
    let second = app.refreshed(&client, first.refresh()).await;
    app.execute("DELETE FROM token_family; INSERT INTO token_family SELECT * FROM behind").await;
    for _ in 0..2 {
        app.refresh(&client, second.refresh()).await.assert_error(400, "invalid_grant", INVALID);
    }
    app.introspect(&client, second.refresh()).await.assert_inactive();
    let again = app.refreshed(&client, first.refresh()).await;
    assert_ne!(again.refresh(), second.refresh(), "a rotation of its own");
    app.assert_family_stands(&client, &again).await;
}
