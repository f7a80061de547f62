//! `/userinfo` (OpenID Connect Core section 5.3, RFC 6750).

use ostiary::model::client::AccessTokenFormat;
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Map, Value, json};

use crate::harness::{Authorization, MAIL_API, TestApp, every_claim, jwt};

const INVALID: &str = "the access token is invalid, expired or revoked";

/// What a scope must release of [`every_claim`].
fn claims_of(app: &TestApp, scope: &str) -> Map<String, Value> {
    let names: &[&str] = match scope {
        "profile" => &[
            "name",
            "given_name",
            "family_name",
            "middle_name",
            "nickname",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
        ],
        "email" => &["email", "email_verified"],
        "phone" => &["phone_number", "phone_number_verified"],
        "address" => &["address"],
        _ => &[],
    };
    let mut claims: Map<String, Value> =
        every_claim().into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect();
    if scope == "profile" {
        claims.insert("preferred_username".into(), "alice".into());
        claims.insert("updated_at".into(), app.now().timestamp().into());
    }
    claims
}

#[tokio::test]
async fn get_with_header_post_with_header_and_post_with_form_answer_the_same() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid email").await;
    let expected = json!({ "sub": alice.sub(), "email": "alice@people.example", "email_verified": true });
    let token = tokens.access();
    let lower_case = format!("bearer {token}");
    for call in [
        app.get("/userinfo").bearer(token),
        app.post("/userinfo").bearer(token),
        app.post("/userinfo").form(&[("access_token", token)]),
        app.get("/userinfo").header("authorization", &lower_case),
        app.post("/userinfo").bearer(token).body("application/json", "{}"),
    ] {
        let answer = call.send().await;
        answer.assert_not_stored();
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn each_scope_releases_exactly_its_claims() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    for scope in ["profile", "email", "phone", "address"] {
        let tokens = app.tokens(&client, &alice, &format!("openid {scope}")).await;
        let mut expected = claims_of(&app, scope);
        expected.insert("sub".into(), alice.sub().into());
        assert_eq!(app.userinfo(tokens.access()).await.json(), Value::Object(expected), "{scope}");
    }
    let tokens = app.tokens(&client, &alice, "openid").await;
    assert_eq!(app.userinfo(tokens.access()).await.json(), json!({ "sub": alice.sub() }));
}

#[tokio::test]
async fn claims_have_the_right_types_and_no_nulls_or_empty_texts() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let Value::Object(claims) = json!({
        "name": "Carol", "nickname": "", "website": null, "birthdate": "0000-12-24",
        "address": { "country": "DE", "region": "", "locality": null }, "email_verified": false,
        "sub": "u.forged", "iss": "https://evil.example", "custom": "not asked for",
    }) else {
        unreachable!()
    };
    let carol = app.person("carol", claims).await;
    let tokens = app.tokens(&client, &carol, "openid profile email address phone").await;
    let expected = json!({
        "sub": carol.sub(),
        "name": "Carol",
        "preferred_username": "carol",
        "birthdate": "0000-12-24",
        "updated_at": app.now().timestamp(),
        "address": { "country": "DE" },
        "email_verified": false,
    });
    assert_eq!(app.userinfo(tokens.access()).await.json(), expected);
}

#[tokio::test]
async fn the_claims_parameter_is_honoured_at_userinfo_and_in_the_id_token() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let claims = json!({
        "userinfo": { "name": { "essential": true }, "email": { "value": "someone@else.example" }, "unheard_of": null },
        "id_token": { "nickname": null, "auth_time": { "essential": true }, "email": { "values": ["alice@people.example"] } },
    });
    let request = Authorization::of(&client).with("claims", &claims.to_string());
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    let userinfo = app.userinfo(tokens.access()).await.json();
    assert_eq!(userinfo, json!({ "sub": alice.sub(), "name": "Alice Adams" }));
    let id_token = tokens.id_claims(&app).await;
    assert_eq!(id_token["nickname"], "Al");
    assert_eq!(id_token["email"], "alice@people.example");
    assert_eq!(id_token.get("name"), None, "that was asked for elsewhere");
    // A refresh keeps what was asked for.
    let second = app.refreshed(&client, tokens.refresh()).await;
    assert_eq!(second.id_claims(&app).await["nickname"], "Al");
    assert_eq!(app.userinfo(second.access()).await.json(), userinfo);
}

#[tokio::test]
async fn claims_locales_adds_what_is_known_in_the_language_wanted_most() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let Value::Object(claims) = json!({
        "name": "Hanako Yamada", "name#ja": "\u{5c71}\u{7530}\u{82b1}\u{5b50}", "name#de": "Hanako aus Berlin",
        "given_name": "Hanako", "email": "hanako@people.example",
    }) else {
        unreachable!()
    };
    let hanako = app.person("hanako", claims).await;
    let asked = json!({ "id_token": { "name": null }, "locales": ["de"] }).to_string();
    let plain = json!({
        "sub": hanako.sub(), "name": "Hanako Yamada", "given_name": "Hanako", "preferred_username": "hanako",
        "updated_at": app.now().timestamp(),
    });
    for (locales, added) in
        [("fr ja-Hani-JP de", Some("name#ja")), ("de-AT ja", Some("name#de")), ("se", None), ("", None)]
    {
        let request = Authorization::of(&client).with("scope", "openid profile").with("claims", &asked);
        let request = request.with("claims_locales", locales);
        let tokens = app.tokens_in(&mut app.browser(), &client, &request, &hanako).await;
        let userinfo = app.userinfo(tokens.access()).await.json();
        let mut expected = plain.clone();
        if let Some(added) = added {
            expected[added] = userinfo[added].clone();
        }
        assert_eq!(userinfo, expected, "{locales}");
        let id_token = tokens.id_claims(&app).await;
        let names: Vec<_> = id_token.as_object().unwrap().keys().filter(|name| name.starts_with("name")).collect();
        let expected: Vec<_> = ["name"].into_iter().chain(added).collect();
        assert_eq!(names, expected, "{locales}");
        // It is a part of the grant.
        let second = app.refreshed(&client, tokens.refresh()).await;
        assert_eq!(app.userinfo(second.access()).await.json(), userinfo, "{locales}");
    }
}

#[tokio::test]
async fn sub_is_the_one_of_the_id_token() {
    let app = TestApp::start().await;
    let (client, other, alice) = (app.web_client().await, app.public_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let elsewhere = app.tokens(&other, &alice, "openid").await;
    let sub = tokens.id_claims(&app).await["sub"].clone();
    assert_eq!(app.userinfo(tokens.access()).await.json()["sub"], sub);
    assert_eq!(elsewhere.id_claims(&app).await["sub"], sub, "subjects are public");
}

#[tokio::test]
async fn a_client_may_have_its_answers_signed() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for alg in [SigningAlg::RS256, SigningAlg::PS256, SigningAlg::ES256, SigningAlg::EdDSA] {
        let client = app.web_client_with(|settings| settings.userinfo_signed_response_alg = Some(alg)).await;
        let tokens = app.tokens(&client, &alice, "openid email").await;
        let answer = app.userinfo(tokens.access()).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/jwt")));
        answer.assert_not_stored();
        let signed = jwt::verify(&app, &answer.body).await;
        assert_eq!(signed.header["alg"], alg.as_str());
        let expected = json!({
            "iss": app.issuer(),
            "aud": client.id,
            "iat": app.now().timestamp(),
            "sub": alice.sub(),
            "email": "alice@people.example",
            "email_verified": true,
        });
        assert_eq!(signed.claims, expected, "no nonce, no more");
        // Signed as a JWT, it must not pass for an ID token or an access token.
        let request = Authorization::of(&client).with("id_token_hint", &answer.body);
        let page = app.browser().open(&request.path()).await;
        assert_eq!(page.returned_error(&client.redirect_uri)["error"], "invalid_request");
        app.userinfo(&answer.body).await.assert_bearer_error(401, "invalid_token", INVALID);
    }
}

#[tokio::test]
async fn without_a_token_there_is_only_a_challenge() {
    let app = TestApp::start().await;
    for call in [
        app.get("/userinfo"),
        app.post("/userinfo"),
        app.post("/userinfo").form(&[("access_token", "")]),
        app.get("/userinfo").header("authorization", "Basic eDp5"),
    ] {
        let answer = call.send().await;
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"ostiary\", DPoP realm=\"ostiary\", algs=\"PS256 ES256 EdDSA\"")
        );
        assert_eq!(answer.body, "", "who sent no token learns no error code");
        answer.assert_not_stored();
    }
}

#[tokio::test]
async fn a_token_sent_twice_or_in_the_query_is_invalid_request() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let token = tokens.access();
    let answer = app.post("/userinfo").bearer(token).form(&[("access_token", token)]).send().await;
    answer.assert_bearer_error(400, "invalid_request", "the access token was sent in two ways");
    let answer = app.get(&format!("/userinfo?access_token={token}")).send().await;
    answer.assert_bearer_error(400, "invalid_request", "an access token in the query is not accepted");
    let answer = app.get("/userinfo").bearer(token).bearer(token).send().await;
    answer.assert_bearer_error(400, "invalid_request", "more than one Authorization header");
    let answer = app.post("/userinfo").form(&[("access_token", token), ("access_token", token)]).send().await;
    answer.assert_bearer_error(400, "invalid_request", "repeated parameter");
}

#[tokio::test]
async fn what_is_no_valid_access_token_is_invalid_token() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let genuine = jwt::read(tokens.access());
    let bob = app.bob().await;
    for forged in [
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        tokens.id().to_owned(),
        tokens.refresh().to_owned(),
        jwt::unsigned(&genuine),
        jwt::signed_by_another_key(&genuine),
        jwt::with_claim(tokens.access(), "sub", json!(bob.sub())),
        format!("{}A", tokens.access()),
        format!("{}.", tokens.access()),
    ] {
        app.userinfo(&forged).await.assert_bearer_error(401, "invalid_token", INVALID);
    }
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    let answer = app.get("/userinfo").header("authorization", "Bearer a b").send().await;
    answer.assert_bearer_error(401, "invalid_token", "the access token is malformed");
}

#[tokio::test]
async fn an_expired_token_is_invalid_token() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let client = app.web_client_with(|settings| settings.access_token_format = format).await;
        let tokens = app.tokens(&client, &alice, "openid").await;
        app.pass_seconds(599);
        assert_eq!(app.userinfo(tokens.access()).await.status, 200);
        app.pass_seconds(1);
        app.userinfo(tokens.access()).await.assert_bearer_error(401, "invalid_token", INVALID);
    }
}

#[tokio::test]
async fn a_clock_that_is_a_minute_behind_elsewhere_is_still_within_tolerance() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    // An instance whose clock is a minute behind: the token begins 30 seconds early, and 30 more are tolerated.
    app.pass_seconds(-60);
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    app.pass_seconds(-1);
    app.userinfo(tokens.access()).await.assert_bearer_error(401, "invalid_token", INVALID);
}

#[tokio::test]
async fn without_the_scope_openid_it_is_insufficient_scope() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "profile").await;
    let answer = app.userinfo(tokens.access()).await;
    answer.assert_bearer_error(403, "insufficient_scope", "the access token does not have the scope openid");
}

#[tokio::test]
async fn a_token_for_a_resource_with_the_scope_openid_may_ask_userinfo() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client).with("scope", "openid mail.read").with("resource", MAIL_API);
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!(app.userinfo(tokens.access()).await.json(), json!({ "sub": alice.sub() }));
}

#[tokio::test]
async fn revocation_logout_and_a_disabled_account_count_at_once() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let revoked = app.tokens(&client, &alice, "openid").await;
    app.revoke(&client, revoked.refresh()).await;
    app.userinfo(revoked.access()).await.assert_bearer_error(401, "invalid_token", INVALID);
    let mut browser = app.browser();
    let ended = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    browser.open(&format!("/logout?id_token_hint={}", ended.id())).await;
    app.userinfo(ended.access()).await.assert_bearer_error(401, "invalid_token", INVALID);
    let last = app.tokens(&client, &alice, "openid").await;
    app.app.postgres.disable_subject(&alice.subject, app.now()).await.unwrap();
    app.userinfo(last.access()).await.assert_bearer_error(401, "invalid_token", INVALID);
}

#[tokio::test]
async fn browser_clients_of_configured_origins_may_read_the_answer() {
    let app =
        TestApp::with_config(|config| config.server.cors_allowed_origins = vec!["https://spa.example".into()]).await;
    let preflight = |origin: &'static str| {
        let call = app.request(http::Method::OPTIONS, "/userinfo").header("origin", origin);
        let call = call.header("access-control-request-method", "GET");
        call.header("access-control-request-headers", "authorization").send()
    };
    let allowed = preflight("https://spa.example").await;
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://spa.example"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization,content-type,dpop"));
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    assert_eq!(preflight("https://evil.example").await.header("access-control-allow-origin"), None);
    let answer = app.get("/userinfo").header("origin", "https://spa.example").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://spa.example"));
    assert_eq!(answer.header("access-control-expose-headers"), Some("www-authenticate,retry-after,dpop-nonce"));
}
