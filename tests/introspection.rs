//! `/introspect` (RFC 7662).

use ostiary::model::client::AccessTokenFormat;
use serde_json::json;

use crate::harness::{Authorization, MAIL_API, PHOTOS_API, TestApp, jwt};

#[tokio::test]
async fn an_active_access_token_tells_exactly_what_it_says() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let client = app.web_client_with(|settings| settings.access_token_format = format).await;
        let auth_time = app.now().timestamp();
        let tokens = app.tokens(&client, &alice, "openid photos.read").await;
        let answer = app.introspect(&client, tokens.access()).await;
        answer.assert_not_stored();
        let mut body = answer.json();
        let jti = body["jti"].take();
        assert!(jti.is_string());
        let now = app.now().timestamp();
        assert_eq!(
            body,
            json!({
                "active": true,
                "iss": app.issuer(),
                "sub": alice.sub(),
                "aud": app.issuer(),
                "client_id": client.id,
                "scope": "openid photos.read",
                "jti": null,
                "iat": now,
                "nbf": now - 30,
                "exp": now + 600,
                "auth_time": auth_time,
                "acr": "urn:ostiary:acr:pwd",
                "amr": ["pwd"],
                "token_type": "Bearer",
            })
        );
    }
}

#[tokio::test]
async fn the_username_is_told_where_userinfo_would_tell_it() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let with = app.tokens(&client, &alice, "openid profile photos.read").await;
    assert_eq!(app.introspect(&client, with.access()).await.json()["username"], "alice");
    assert_eq!(app.userinfo(with.access()).await.json()["preferred_username"], "alice");
    let without = app.tokens(&client, &alice, "openid email").await;
    assert_eq!(app.introspect(&client, without.access()).await.json().get("username"), None);
    assert_eq!(app.introspect(&client, with.refresh()).await.json().get("username"), None);
    app.revoke(&client, with.refresh()).await;
    app.introspect(&client, with.access()).await.assert_inactive();
    let machine = app.machine_client().await;
    let form = [("grant_type", "client_credentials"), ("scope", "photos.read")];
    let token = app.token(&machine, &form).await.json();
    let told = app.introspect(&machine, token["access_token"].as_str().unwrap()).await.json();
    assert_eq!(told.get("username"), None, "{told}");
}

#[tokio::test]
async fn an_active_refresh_token_tells_its_own_client_exactly_this() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid offline_access").await;
    let answer = app.introspect(&client, tokens.refresh()).await;
    answer.assert_not_stored();
    assert_eq!(
        answer.json(),
        json!({
            "active": true,
            "iss": app.issuer(),
            "sub": alice.sub(),
            "client_id": client.id,
            "scope": "openid offline_access",
            "exp": app.now().timestamp() + 30 * 86_400,
        })
    );
}

#[tokio::test]
async fn a_refresh_token_that_was_used_is_inactive() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid").await;
    let second = app.refreshed(&client, first.refresh()).await;
    app.introspect(&client, first.refresh()).await.assert_inactive();
    assert_eq!(app.introspect(&client, second.refresh()).await.json()["active"], true);
    // Asking is not using.
    app.assert_family_stands(&client, &second).await;
}

#[tokio::test]
async fn only_those_whom_a_token_concerns_are_told() {
    let app = TestApp::start().await;
    let (client, stranger, alice) = (app.web_client().await, app.web_client().await, app.alice().await);
    let (photos, mail) = (app.resource_server(PHOTOS_API).await, app.resource_server(MAIL_API).await);
    let request = Authorization::of(&client).with("scope", "openid photos.read").with("resource", PHOTOS_API);
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    for concerned in [&client, &photos] {
        let body = app.introspect(concerned, tokens.access()).await.json();
        assert_eq!((body["active"].clone(), body["aud"].clone()), (json!(true), json!(PHOTOS_API)));
    }
    for other in [&mail, &stranger] {
        app.introspect(other, tokens.access()).await.assert_inactive();
    }
    // A refresh token concerns nobody but its client.
    for other in [&photos, &mail, &stranger] {
        app.introspect(other, tokens.refresh()).await.assert_inactive();
    }
}

#[tokio::test]
async fn one_of_several_audiences_is_enough_and_is_told_nothing_of_the_others() {
    let app = TestApp::start().await;
    let (client, alice, mail) = (app.web_client().await, app.alice().await, app.resource_server(MAIL_API).await);
    let request = Authorization::of(&client).with("scope", "openid photos.read mail.read");
    let request = request.with("resource", PHOTOS_API).and("resource", MAIL_API);
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    let told = app.introspect(&mail, tokens.access()).await.json();
    assert_eq!((&told["active"], &told["aud"]), (&json!(true), &json!(MAIL_API)), "{told}");
    assert_eq!(told["scope"], "openid mail.read");
    assert!(!told.to_string().contains("photos"), "{told}");
    // Its own client knows them.
    let told = app.introspect(&client, tokens.access()).await.json();
    assert_eq!(
        (&told["aud"], &told["scope"]),
        (&json!([PHOTOS_API, MAIL_API]), &json!("openid photos.read mail.read"))
    );
    // One that is both serves both.
    let both = app.machine_client_with(|settings| {
        settings.serves =
            vec![serde_json::from_value(json!(PHOTOS_API)).unwrap(), serde_json::from_value(json!(MAIL_API)).unwrap()];
    });
    assert_eq!(app.introspect(&both.await, tokens.access()).await.json()["aud"], json!([PHOTOS_API, MAIL_API]));
}

#[tokio::test]
async fn what_is_not_a_live_token_of_ours_is_inactive_and_nothing_more() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let genuine = jwt::read(tokens.access());
    for other in [
        "x".to_owned(),
        "a.b.c".to_owned(),
        tokens.id().to_owned(),
        jwt::unsigned(&genuine),
        jwt::signed_by_another_key(&genuine),
        jwt::with_claim(tokens.access(), "exp", json!(9_999_999_999_i64)),
    ] {
        app.introspect(&client, &other).await.assert_inactive();
    }
    for forged in crate::token_code::forgeries(tokens.refresh()) {
        app.introspect(&client, &forged).await.assert_inactive();
    }
    app.pass_seconds(600);
    app.introspect(&client, tokens.access()).await.assert_inactive();
}

#[tokio::test]
async fn revoked_and_ended_tokens_are_inactive_at_once() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    assert_eq!(other.introspect(&client, tokens.access()).await.json()["active"], true);
    app.revoke(&client, tokens.refresh()).await;
    other.introspect(&client, tokens.access()).await.assert_inactive();
    other.introspect(&client, tokens.refresh()).await.assert_inactive();
}

#[tokio::test]
async fn a_disabled_clients_tokens_are_inactive_even_those_without_a_family() {
    let app = TestApp::start().await;
    let (client, photos, alice) = (app.web_client().await, app.resource_server(PHOTOS_API).await, app.alice().await);
    let machine = app.machine_client().await;
    let form = [("grant_type", "client_credentials"), ("resource", PHOTOS_API)];
    let machines = app.token(&machine, &form).await.json()["access_token"].as_str().unwrap().to_owned();
    let request = Authorization::of(&client).with("resource", PHOTOS_API);
    let persons = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    for (owner, token) in [(&machine, machines.as_str()), (&client, persons.access())] {
        assert_eq!(app.introspect(&photos, token).await.json()["active"], true);
        app.change_client(owner, |client| client.enabled = false).await;
        app.introspect(&photos, token).await.assert_inactive();
    }
}

#[tokio::test]
async fn a_hint_is_only_a_hint() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    for hint in ["refresh_token", "access_token", "urn:unheard-of"] {
        for token in [tokens.access(), tokens.refresh()] {
            let answer = app.call_as(&client, "/introspect", &[("token", token), ("token_type_hint", hint)]).await;
            assert_eq!(answer.json()["active"], true, "{hint}");
        }
    }
}

#[tokio::test]
async fn rfc_7662_section_2_3_the_caller_must_be_a_confidential_client_that_authenticates_or_gets_a_401() {
    let app = TestApp::start().await;
    let (client, public, alice) = (app.web_client().await, app.public_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let impostor = client.with_secret("wrong");
    let answer = app.introspect(&impostor, tokens.access()).await;
    answer.assert_basic_error("client authentication failed");
    let own = app.tokens(&public, &alice, "openid").await;
    let answer = app.introspect(&public, own.access()).await;
    answer.assert_basic_error("a public client may not introspect tokens");
    let answer = app.post("/introspect").bearer(tokens.access()).form(&[("token", tokens.access())]).send().await;
    answer.assert_basic_error("the client authentication method is not supported");
}

#[tokio::test]
async fn a_missing_or_repeated_token_is_invalid_request() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let answer = app.call_as(&client, "/introspect", &[]).await;
    answer.assert_error(400, "invalid_request", "the parameter token is missing");
    let answer = app.call_as(&client, "/introspect", &[("token", "a"), ("token", "b")]).await;
    answer.assert_error(400, "invalid_request", "repeated parameter");
}

#[tokio::test]
async fn a_refresh_token_tells_which_resources_it_is_good_for() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let both = [(vec![PHOTOS_API], json!(PHOTOS_API)), (vec![PHOTOS_API, MAIL_API], json!([PHOTOS_API, MAIL_API]))];
    for (resources, told) in both {
        let request = Authorization::of(&client);
        let request = resources.iter().fold(request, |request, resource| request.and("resource", resource));
        let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
        assert_eq!(app.introspect(&client, tokens.refresh()).await.json()["aud"], told);
        // A token for less takes nothing from what the next one may be for.
        let narrow = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh()), ("resource", resources[0])];
        let narrowed = app.token(&client, &narrow).await.json();
        let next = narrowed["refresh_token"].as_str().unwrap();
        assert_eq!(app.introspect(&client, next).await.json()["aud"], told);
    }
}

#[tokio::test]
async fn a_refresh_token_tells_the_earlier_of_its_limits_and_is_inactive_from_then_on() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| {
        settings.lifetimes.refresh_idle = Some(1000);
        settings.lifetimes.refresh_absolute = Some(1500);
    });
    let (client, alice) = (client.await, app.alice().await);
    let first = app.tokens(&client, &alice, "openid offline_access").await;
    let began = app.now().timestamp();
    assert_eq!(app.introspect(&client, first.refresh()).await.json()["exp"], began + 1000);
    app.pass_seconds(900);
    let second = app.refreshed(&client, first.refresh()).await;
    assert_eq!(app.introspect(&client, second.refresh()).await.json()["exp"], began + 1500);
    app.pass_seconds(599);
    assert_eq!(app.introspect(&client, second.refresh()).await.json()["active"], true);
    app.pass_seconds(1);
    app.introspect(&client, second.refresh()).await.assert_inactive();
}

#[tokio::test]
async fn a_forged_opaque_token_is_inactive() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.access_token_format = AccessTokenFormat::Opaque).await;
    let alice = app.alice().await;
    let tokens = app.tokens(&client, &alice, "openid").await;
    for forged in crate::token_code::forgeries(tokens.access()) {
        app.introspect(&client, &forged).await.assert_inactive();
    }
    assert_eq!(app.introspect(&client, tokens.access()).await.json()["active"], true);
}
