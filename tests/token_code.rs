//! `/token` with `grant_type=authorization_code`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::clock::Clock;
use ostiary::keys::private_key::RsaBits;
use ostiary::keys::store::directory;
use ostiary::model::client::{AccessTokenFormat, GrantType};
use ostiary::model::lifetimes::ClientLifetimes;
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};

use crate::harness::{Authorization, MAIL_API, PHOTOS_API, TestApp, TestClient, TestPerson, Tokens, jwt};

/// A request, and the code that it led to.
async fn code(app: &TestApp, client: &TestClient, person: &TestPerson) -> (Authorization, String) {
    let request = Authorization::of(client);
    let code = app.code(&mut app.browser(), &request, person).await;
    (request, code)
}

/// Asserts that a request fails, and that the code is still good afterwards: a failed check uses nothing up.
async fn refused_and_unused(app: &TestApp, client: &TestClient, person: &TestPerson, change: (&str, &str), why: &str) {
    let (request, code) = code(app, client, person).await;
    let right = app.redemption(&request, &code);
    let (name, value) = change;
    let mut wrong: Vec<(&str, &str)> = right.iter().copied().filter(|(sent, _)| *sent != name).collect();
    wrong.push((name, value));
    app.token(client, &wrong).await.assert_error(400, "invalid_grant", why);
    let tokens = Tokens { body: app.token(client, &right).await.json() };
    app.assert_family_stands(client, &tokens).await;
}

#[tokio::test]
async fn success_is_exactly_this() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client).with("scope", "openid profile photos.read");
    let code = app.code(&mut app.browser(), &request, &alice).await;
    app.pass_seconds(3);
    let answer = app.token(&client, &app.redemption(&request, &code)).await;
    answer.assert_not_stored();
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    let body = answer.json();
    let mut members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["access_token", "expires_in", "id_token", "refresh_token", "scope", "token_type"]);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 600);
    assert_eq!(body["scope"], "openid profile photos.read");
    let refresh_token = body["refresh_token"].as_str().unwrap();
    assert!(refresh_token.len() * 6 >= 128 && !refresh_token.contains('.'), "{refresh_token}");
}

#[tokio::test]
async fn the_id_token_says_exactly_this() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    // Every scope that has claims: none of them may appear (OpenID Connect Core section 5.4).
    let request = Authorization::of(&client).with("scope", "openid profile email address phone");
    let signed_in_at = app.now().timestamp();
    let code = app.code(&mut app.browser(), &request, &alice).await;
    app.pass_seconds(3);
    let tokens = Tokens { body: app.token(&client, &app.redemption(&request, &code)).await.json() };
    let id_token = jwt::verify(&app, tokens.id()).await;
    assert_eq!(id_token.header["alg"], "RS256");
    assert_eq!(id_token.header["typ"], "JWT");
    let mut claims = id_token.claims;
    let at_hash = claims["at_hash"].take();
    let sid = claims["sid"].take();
    let now = app.now().timestamp();
    assert_eq!(
        claims,
        json!({
            "iss": app.issuer(),
            "sub": alice.sub(),
            "aud": client.id,
            "iat": now,
            "exp": now + 3600,
            "auth_time": signed_in_at,
            "nonce": request.value("nonce"),
            "acr": "urn:ostiary:acr:pwd",
            "amr": ["pwd"],
            "sid": null,
            "at_hash": null,
        })
    );
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, tokens.access().as_bytes());
    assert_eq!(at_hash, URL_SAFE_NO_PAD.encode(&digest.as_ref()[..16]));
    assert!(sid.as_str().is_some_and(|sid| sid.len() >= 22), "{sid}");
    assert!(alice.sub().starts_with("u.") && alice.sub().len() <= 255 && alice.sub().is_ascii());
}

#[tokio::test]
async fn the_access_token_says_exactly_this() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let signed_in_at = app.now().timestamp();
    let tokens = app.tokens(&client, &alice, "openid photos.read").await;
    let access_token = tokens.access_jwt(&app).await;
    assert_eq!(access_token.header["alg"], "ES256");
    assert_eq!(access_token.header["typ"], "at+jwt");
    let mut claims = access_token.claims;
    let jti = claims["jti"].take();
    let now = app.now().timestamp();
    assert_eq!(
        claims,
        json!({
            "iss": app.issuer(),
            "sub": alice.sub(),
            "aud": app.issuer(),
            "client_id": client.id,
            "scope": "openid photos.read",
            "jti": null,
            "iat": now,
            // A resource server whose clock is behind must not refuse it.
            "nbf": now - 30,
            "exp": now + 600,
            "auth_time": signed_in_at,
            "acr": "urn:ostiary:acr:pwd",
            "amr": ["pwd"],
        })
    );
    assert!(jti.as_str().is_some_and(|jti| jti.ends_with(".0")), "{jti}");
}

#[tokio::test]
async fn nonce_is_absent_if_none_was_sent() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client).without("nonce");
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!(tokens.id_claims(&app).await.get("nonce"), None);
}

#[tokio::test]
async fn the_client_chooses_the_algorithms() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for alg in SigningAlg::ALL {
        let client = app
            .web_client_with(|settings| {
                settings.id_token_signed_response_alg = alg;
                settings.access_token_signed_response_alg = alg;
            })
            .await;
        let tokens = app.tokens(&client, &alice, "openid").await;
        assert_eq!(jwt::verify(&app, tokens.id()).await.header["alg"], alg.as_str());
        assert_eq!(tokens.access_jwt(&app).await.header["alg"], alg.as_str());
        assert_eq!(app.userinfo(tokens.access()).await.json()["sub"], alice.sub());
        if alg == SigningAlg::EdDSA {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, tokens.access().as_bytes());
            let at_hash = URL_SAFE_NO_PAD.encode(&digest.as_ref()[..32]);
            assert_eq!(tokens.id_claims(&app).await["at_hash"], at_hash);
        }
    }
}

#[tokio::test]
async fn opaque_access_tokens_can_be_used_and_not_read() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.access_token_format = AccessTokenFormat::Opaque).await;
    let alice = app.alice().await;
    let tokens = app.tokens(&client, &alice, "openid").await;
    assert!(!tokens.access().contains('.'), "{}", tokens.access());
    let bytes = URL_SAFE_NO_PAD.decode(tokens.access()).expect("base64url");
    let sub = alice.sub().as_bytes();
    assert!(!bytes.windows(sub.len()).any(|window| window == sub), "the claims are sealed");
    assert_eq!(app.userinfo(tokens.access()).await.json()["sub"], alice.sub());
    assert_eq!(app.introspect(&client, tokens.access()).await.json()["sub"], alice.sub());
}

#[tokio::test]
async fn a_client_may_have_lifetimes_of_its_own() {
    let app = TestApp::start().await;
    let client = app
        .web_client_with(|settings| {
            settings.lifetimes = ClientLifetimes {
                access_token: Some(120),
                id_token: Some(240),
                authorization_code: Some(20),
                ..ClientLifetimes::default()
            };
        })
        .await;
    let alice = app.alice().await;
    let tokens = app.tokens(&client, &alice, "openid").await;
    let now = app.now().timestamp();
    assert_eq!(tokens.body["expires_in"], 120);
    assert_eq!(tokens.access_claims(&app).await["exp"], now + 120);
    assert_eq!(tokens.id_claims(&app).await["exp"], now + 240);
    let (request, code) = code(&app, &client, &alice).await;
    app.pass_seconds(20);
    let answer = app.token(&client, &app.redemption(&request, &code)).await;
    answer.assert_error(400, "invalid_grant", "the code is not valid");
}

#[tokio::test]
async fn a_code_lives_60_seconds_whatever_is_configured() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.lifetimes.authorization_code = Some(3600)).await;
    let alice = app.alice().await;
    let (request, good) = code(&app, &client, &alice).await;
    app.pass_seconds(59);
    assert_eq!(app.token(&client, &app.redemption(&request, &good)).await.status, 200);
    let (request, late) = code(&app, &client, &alice).await;
    app.pass_seconds(60);
    let answer = app.token(&client, &app.redemption(&request, &late)).await;
    answer.assert_error(400, "invalid_grant", "the code is not valid");
}

#[tokio::test]
async fn code_reuse_at_once_is_invalid_grant_and_revokes_what_the_first_use_gave() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (request, code) = code(&app, &client, &alice).await;
    let form = app.redemption(&request, &code);
    let tokens = Tokens { body: app.token(&client, &form).await.json() };
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    assert_eq!(app.introspect(&client, tokens.access()).await.json()["active"], true);
    app.token(&client, &form).await.assert_error(400, "invalid_grant", "the code was used before");
    app.assert_family_is_over(&client, &tokens).await;
    // Again and again.
    app.token(&client, &form).await.assert_error(400, "invalid_grant", "the code was used before");
}

#[tokio::test]
async fn code_reuse_after_30_seconds_is_invalid_grant_and_revokes() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (request, code) = code(&app, &client, &alice).await;
    let form = app.redemption(&request, &code);
    let tokens = Tokens { body: app.token(&client, &form).await.json() };
    app.pass_seconds(30);
    app.token(&client, &form).await.assert_error(400, "invalid_grant", "the code was used before");
    app.assert_family_is_over(&client, &tokens).await;
}

#[tokio::test]
async fn code_reuse_after_the_record_is_gone_still_revokes() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (request, code) = code(&app, &client, &alice).await;
    let form = app.redemption(&request, &code);
    let tokens = Tokens { body: app.token(&client, &form).await.json() };
    app.pass_seconds(300);
    app.token(&client, &form).await.assert_error(400, "invalid_grant", "the code is not valid");
    app.assert_family_is_over(&client, &tokens).await;
}

#[tokio::test]
async fn code_reuse_revokes_refreshed_tokens_too() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (request, code) = code(&app, &client, &alice).await;
    let form = app.redemption(&request, &code);
    let first = Tokens { body: app.token(&client, &form).await.json() };
    let second = app.refreshed(&client, first.refresh()).await;
    app.token(&client, &form).await.assert_error(400, "invalid_grant", "the code was used before");
    app.assert_access_token_is_over(&client, first.access()).await;
    app.assert_family_is_over(&client, &second).await;
}

#[tokio::test]
async fn a_replay_that_fails_client_authentication_touches_nothing() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (request, code) = code(&app, &client, &alice).await;
    let form = app.redemption(&request, &code);
    let tokens = Tokens { body: app.token(&client, &form).await.json() };
    let impostor = client.with_secret("wrong");
    app.token(&impostor, &form).await.assert_basic_error("client authentication failed");
    app.assert_family_stands(&client, &tokens).await;
}

#[tokio::test]
async fn a_replay_by_another_client_or_without_the_verifier_touches_nothing() {
    let app = TestApp::start().await;
    let (client, thief, alice) = (app.web_client().await, app.public_client().await, app.alice().await);
    let (request, code) = code(&app, &client, &alice).await;
    let form = app.redemption(&request, &code);
    let tokens = Tokens { body: app.token(&client, &form).await.json() };
    app.token(&thief, &form).await.assert_error(400, "invalid_grant", "the code is not valid");
    let mut wrong = form;
    wrong[3] = ("code_verifier", "0123456789012345678901234567890123456789012");
    app.token(&client, &wrong).await.assert_error(400, "invalid_grant", "code_verifier does not match");
    app.pass_seconds(300);
    app.token(&client, &wrong).await.assert_error(400, "invalid_grant", "the code is not valid");
    app.assert_family_stands(&client, &tokens).await;
}

#[tokio::test]
async fn a_code_is_good_only_for_its_client() {
    let app = TestApp::start().await;
    let (client, other, alice) = (app.web_client().await, app.web_client().await, app.alice().await);
    let (request, code) = code(&app, &client, &alice).await;
    let form = app.redemption(&request, &code);
    app.token(&other, &form).await.assert_error(400, "invalid_grant", "the code is not valid");
    let tokens = Tokens { body: app.token(&client, &form).await.json() };
    app.assert_family_stands(&client, &tokens).await;
}

#[tokio::test]
async fn a_wrong_redirect_uri_is_refused_and_uses_nothing_up() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let why = "the redirect_uri is not the one that the code was sent to";
    refused_and_unused(&app, &client, &alice, ("redirect_uri", "https://evil.example/callback"), why).await;
    refused_and_unused(&app, &client, &alice, ("redirect_uri", "https://web.example/Callback"), why).await;
}

#[tokio::test]
async fn a_missing_or_wrong_verifier_is_refused_and_uses_nothing_up() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let wrong = "0123456789012345678901234567890123456789012";
    for (verifier, why) in [
        ("", "code_verifier is missing"),
        (wrong, "code_verifier does not match"),
        ("short", "code_verifier does not match"),
    ] {
        refused_and_unused(&app, &client, &alice, ("code_verifier", verifier), why).await;
    }
    let (request, code) = code(&app, &client, &alice).await;
    // The challenge itself is no proof: it went through the browser.
    let mut form = app.redemption(&request, &code);
    form[3].1 = request.value("code_challenge");
    app.token(&client, &form).await.assert_error(400, "invalid_grant", "code_verifier does not match");
}

#[tokio::test]
async fn a_verifier_without_a_challenge_is_refused() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.pkce_required = false).await;
    let alice = app.alice().await;
    let request = Authorization::of(&client).without_pkce();
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let answer = app.token(&client, &app.redemption(&request, &code)).await;
    answer.assert_error(400, "invalid_grant", "the authorization request had no code_challenge");
}

#[tokio::test]
async fn without_pkce_the_redirect_uri_must_be_repeated() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.pkce_required = false).await;
    let alice = app.alice().await;
    let request = Authorization::of(&client).without_pkce();
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let answer = app.token(&client, &[("grant_type", "authorization_code"), ("code", &code)]).await;
    let why = "the redirect_uri is not the one that the code was sent to";
    answer.assert_error(400, "invalid_grant", why);
}

#[tokio::test]
async fn what_is_no_code_of_ours_is_refused() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (request, code) = code(&app, &client, &alice).await;
    let tokens = app.tokens(&client, &alice, "openid").await;
    let forged = forgeries(&code);
    let others = ["x", "..", tokens.refresh(), tokens.access()].map(ToOwned::to_owned);
    for bad in forged.iter().chain(&others) {
        let answer = app.token(&client, &app.redemption(&request, bad)).await;
        answer.assert_error(400, "invalid_grant", "the code is not valid");
    }
    let good = Tokens { body: app.token(&client, &app.redemption(&request, &code)).await.json() };
    app.assert_family_stands(&client, &good).await;
    app.assert_family_stands(&client, &tokens).await;
}

/// The token with one bit of each byte changed in turn, cut, and prolonged.
pub fn forgeries(token: &str) -> Vec<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).expect("base64url");
    let flipped = (0..bytes.len()).map(|index| {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        URL_SAFE_NO_PAD.encode(changed)
    });
    let cut = URL_SAFE_NO_PAD.encode(&bytes[..bytes.len() - 1]);
    flipped.chain([cut, format!("{token}AAAA"), format!("{token}="), format!(" {token}")]).collect()
}

#[tokio::test]
async fn a_missing_code_or_grant_type_is_invalid_request() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let answer = app.token(&client, &[("grant_type", "authorization_code")]).await;
    answer.assert_error(400, "invalid_request", "the parameter code is missing");
    let answer = app.token(&client, &[("code", "x")]).await;
    answer.assert_error(400, "invalid_request", "the parameter grant_type is missing");
}

#[tokio::test]
async fn another_grant_type_is_unsupported() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    for grant_type in ["password", "implicit", "urn:ietf:params:oauth:grant-type:saml2-bearer", "Authorization_Code"] {
        let answer = app.token(&client, &[("grant_type", grant_type)]).await;
        answer.assert_error(400, "unsupported_grant_type", "the grant_type is not supported");
    }
}

const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[tokio::test]
async fn a_grant_type_that_the_client_did_not_register_is_unauthorized_client() {
    let app = TestApp::start().await;
    let (web, machine) = (app.web_client().await, app.machine_client().await);
    for (client, grant_type) in [
        (&web, "client_credentials"),
        (&machine, "authorization_code"),
        (&machine, "refresh_token"),
        (&web, DEVICE_CODE),
    ] {
        let answer = app.token(client, &[("grant_type", grant_type)]).await;
        answer.assert_error(400, "unauthorized_client", "the client may not use this grant_type");
    }
}

#[tokio::test]
async fn without_the_refresh_grant_there_is_no_refresh_token() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.grant_types = vec![GrantType::AuthorizationCode]).await;
    let alice = app.alice().await;
    let tokens = app.tokens(&client, &alice, "openid").await;
    assert_eq!(tokens.body.get("refresh_token"), None);
    assert_eq!(app.userinfo(tokens.access()).await.json()["sub"], alice.sub());
}

#[tokio::test]
async fn resources_may_be_narrowed_but_not_widened() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client)
        .with("scope", "openid photos.read mail.read")
        .with("resource", PHOTOS_API)
        .and("resource", MAIL_API);
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let mut form = app.redemption(&request, &code).to_vec();
    form.push(("resource", PHOTOS_API));
    let tokens = Tokens { body: app.token(&client, &form).await.json() };
    let claims = tokens.access_claims(&app).await;
    assert_eq!((claims["aud"].clone(), claims["scope"].clone()), (json!(PHOTOS_API), json!("openid photos.read")));

    let request = Authorization::of(&client).with("scope", "openid photos.read").with("resource", PHOTOS_API);
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let mut form = app.redemption(&request, &code).to_vec();
    form.push(("resource", MAIL_API));
    let answer = app.token(&client, &form).await;
    answer.assert_error(400, "invalid_target", "a resource was asked for that was not granted");
    form.pop();
    form.push(("resource", "https://unknown.example/"));
    let answer = app.token(&client, &form).await;
    answer.assert_error(400, "invalid_target", "the resource is unknown, or not for this client");
    form.pop();
    assert_eq!(app.token(&client, &form).await.status, 200, "nothing was used up");
}

#[tokio::test]
async fn a_code_dies_with_the_session_that_gave_it() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    let request = Authorization::of(&client);
    let code = app.code(&mut browser, &request, &alice).await;
    browser.open(&format!("/logout?id_token_hint={}", tokens.id())).await;
    let answer = app.token(&client, &app.redemption(&request, &code)).await;
    answer.assert_error(400, "invalid_grant", "the sign-in that gave the code has ended");
}

#[tokio::test]
async fn a_code_dies_with_the_account() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (request, code) = code(&app, &client, &alice).await;
    app.app.postgres.disable_subject(&alice.subject, app.now()).await.unwrap();
    let answer = app.token(&client, &app.redemption(&request, &code)).await;
    answer.assert_error(400, "invalid_grant", "the sign-in that gave the code has ended");
}

#[tokio::test]
async fn a_disabled_client_gets_nothing_even_where_another_instance_still_caches_it() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let (request, code) = code(&app, &client, &alice).await;
    // The other instance knows the client as enabled.
    assert_eq!(other.introspect(&client, tokens.access()).await.json()["active"], true);
    app.change_client(&client, |client| client.enabled = false).await;
    let form = app.redemption(&request, &code);
    app.token(&client, &form).await.assert_basic_error("client authentication failed");
    let answer = other.token(&client, &form).await;
    assert!(matches!(answer.status, 400 | 401), "{answer:?}");
    let refused: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(refused["error"] == "unauthorized_client" || refused["error"] == "invalid_client", "{refused}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_signed_uses_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    directory::generate_initial(&keys, &[], RsaBits::Two048, Clock::system().now()).unwrap();
    let app = TestApp::with_config(|config| config.keys.directory = keys).await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let sign_with = async |alg| {
        app.change_client(&client, |client| client.settings.access_token_signed_response_alg = alg).await;
    };
    let (request, code) = code(&app, &client, &alice).await;
    let form = app.redemption(&request, &code);
    let failed = "the server could not complete the request";
    sign_with(SigningAlg::EdDSA).await;
    app.token(&client, &form).await.assert_error(500, "server_error", failed);
    sign_with(SigningAlg::ES256).await;
    let tokens = Tokens { body: app.token(&client, &form).await.json() };
    sign_with(SigningAlg::EdDSA).await;
    app.refresh(&client, tokens.refresh()).await.assert_error(500, "server_error", failed);
    // Long after the grace of a rotation, had there been one.
    app.pass_seconds(60);
    sign_with(SigningAlg::ES256).await;
    app.assert_family_stands(&client, &tokens).await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_given_uses_nothing_up_and_a_replay_is_one_all_the_same() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (request, code) = code(&app, &client, &alice).await;
    let form = app.redemption(&request, &code);
    let allow = async |scopes: &[&str]| {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        app.change_client(&client, |client| client.settings.scopes = scopes).await;
    };
    let taken = "the client may not have the scope any more";
    allow(&["photos.read"]).await;
    app.token(&client, &form).await.assert_error(400, "invalid_scope", taken);
    allow(&["openid"]).await;
    let tokens = Tokens { body: app.token(&client, &form).await.json() };
    let tokens = app.assert_family_stands(&client, &tokens).await;
    allow(&["photos.read"]).await;
    app.token(&client, &form).await.assert_error(400, "invalid_scope", taken);
    allow(&["openid"]).await;
    app.assert_family_is_over(&client, &tokens).await;
}

#[tokio::test]
async fn a_code_stays_good_while_too_many_rsa_signatures_are_wanted() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.id_token_signed_response_alg = SigningAlg::RS256).await;
    let alice = app.alice().await;
    let (request, code) = code(&app, &client, &alice).await;
    let redemption = app.redemption(&request, &code);
    let queue = app.fill_rsa_queue();
    app.token(&client, &redemption).await.assert_busy();
    drop(queue);
    let tokens = Tokens { body: app.token(&client, &redemption).await.json() };

    let queue = app.fill_rsa_queue();
    app.refresh(&client, tokens.refresh()).await.assert_busy();
    drop(queue);
    // At once, and with the grace of a rotation long over if there had been one.
    app.pass_seconds(60);
    app.assert_family_stands(&client, &tokens).await;
}
