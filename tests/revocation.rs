//! `/revoke` (RFC 7009).

use ostiary::model::client::AccessTokenFormat;

use crate::harness::{Answer, TestApp, jwt};

#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{answer:?}");
    answer.assert_not_stored();
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_its_whole_family() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid").await;
    let second = app.refreshed(&client, first.refresh()).await;
    let other = app.tokens(&client, &alice, "openid").await;
    assert_done(&app.revoke(&client, second.refresh()).await);
    app.assert_access_token_is_over(&client, first.access()).await;
    app.assert_family_is_over(&client, &second).await;
    app.assert_family_stands(&client, &other).await;
}

#[tokio::test]
async fn revoking_a_refresh_token_that_was_used_ends_its_family_too() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid").await;
    let second = app.refreshed(&client, first.refresh()).await;
    assert_done(&app.revoke(&client, first.refresh()).await);
    app.assert_family_is_over(&client, &second).await;
}

#[tokio::test]
async fn revoking_an_access_token_ends_only_itself() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let client = app.web_client_with(|settings| settings.access_token_format = format).await;
        let first = app.tokens(&client, &alice, "openid").await;
        let second = app.refreshed(&client, first.refresh()).await;
        assert_done(&app.revoke(&client, first.access()).await);
        app.assert_access_token_is_over(&client, first.access()).await;
        app.assert_family_stands(&client, &second).await;
    }
}

#[tokio::test]
async fn a_machines_token_can_be_revoked() {
    let app = TestApp::start().await;
    let client = app.machine_client().await;
    let body = app.token(&client, &[("grant_type", "client_credentials")]).await.json();
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(app.introspect(&client, token).await.json()["active"], true);
    assert_done(&app.revoke(&client, token).await);
    app.introspect(&client, token).await.assert_inactive();
    assert_done(&app.revoke(&client, token).await);
}

#[tokio::test]
async fn a_public_client_can_revoke_its_own_tokens() {
    let app = TestApp::start().await;
    let (client, alice) = (app.public_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    assert_done(&app.revoke(&client, tokens.refresh()).await);
    assert_eq!(app.userinfo(tokens.access()).await.status, 401);
}

#[tokio::test]
async fn another_clients_tokens_are_not_touched() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let client = app.web_client_with(|settings| settings.access_token_format = format).await;
        let tokens = app.tokens(&client, &alice, "openid").await;
        // RFC 7009 section 2.1: the request is refused and the client is told.
        for other in [app.public_client().await, app.web_client().await] {
            for token in [tokens.refresh(), tokens.access()] {
                let answer = app.revoke(&other, token).await;
                answer.assert_error(400, "invalid_grant", "the token was issued to another client");
            }
        }
        app.assert_family_stands(&client, &tokens).await;
    }
}

#[tokio::test]
async fn what_one_instance_revokes_is_over_at_another_at_once() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let alice = app.alice().await;
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let client = app.web_client_with(|settings| settings.access_token_format = format).await;
        let tokens = app.tokens(&client, &alice, "openid").await;
        assert_eq!(other.userinfo(tokens.access()).await.status, 200);
        assert_done(&app.revoke(&client, tokens.access()).await);
        other.assert_access_token_is_over(&client, tokens.access()).await;
        let next = other.refreshed(&client, tokens.refresh()).await;
        assert_done(&app.revoke(&client, next.refresh()).await);
        other.assert_family_is_over(&client, &next).await;
    }
}

#[tokio::test]
async fn failed_client_authentication_touches_nothing() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let impostor = client.with_secret("wrong");
    for token in [tokens.refresh(), tokens.access()] {
        app.revoke(&impostor, token).await.assert_basic_error("client authentication failed");
    }
    app.assert_family_stands(&client, &tokens).await;
}

#[tokio::test]
async fn unknown_expired_and_forged_tokens_are_answered_like_revoked_ones() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let forged = jwt::signed_by_another_key(&jwt::read(tokens.access()));
    for token in ["x", "a.b.c", &forged, tokens.id()] {
        assert_done(&app.revoke(&client, token).await);
    }
    for forged in crate::token_code::forgeries(tokens.refresh()) {
        assert_done(&app.revoke(&client, &forged).await);
    }
    let next = app.assert_family_stands(&client, &tokens).await;
    app.pass_seconds(601);
    assert_done(&app.revoke(&client, next.access()).await);
    assert_done(&app.revoke(&client, next.refresh()).await);
    assert_done(&app.revoke(&client, next.refresh()).await);
}

#[tokio::test]
async fn a_wrong_hint_does_not_matter() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let client = app.web_client_with(|settings| settings.access_token_format = format).await;
        for hint in ["access_token", "refresh_token", "urn:unheard-of"] {
            let tokens = app.tokens(&client, &alice, "openid").await;
            let form = [("token", tokens.access()), ("token_type_hint", hint)];
            assert_done(&app.call_as(&client, "/revoke", &form).await);
            app.assert_access_token_is_over(&client, tokens.access()).await;
            let tokens = app.refreshed(&client, tokens.refresh()).await;
            let form = [("token", tokens.refresh()), ("token_type_hint", hint)];
            assert_done(&app.call_as(&client, "/revoke", &form).await);
            app.assert_family_is_over(&client, &tokens).await;
        }
    }
}

#[tokio::test]
async fn a_missing_token_is_invalid_request() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let answer = app.call_as(&client, "/revoke", &[]).await;
    answer.assert_error(400, "invalid_request", "the parameter token is missing");
}
