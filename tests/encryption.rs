//! Answers that are encrypted to their client (OpenID Connect Core sections 2 and 5.3.2, JARM section 2.2, RFC 9701).

use ostiary::config::OutboundPurpose;
use ostiary::model::client::{ClientAuthMethod, ClientSettings};
use ostiary::model::encryption_alg::{ContentEncryption, EncryptionAlg};
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};

use crate::harness::{Answer, Authorization, ClientKey, DecryptionKey, Receiver, TestApp, TestClient, jwt};

const NO_KEY: &str = "the client has no key that its answer could be encrypted to";

/// A client with that key, and no other, whose `change` says what is encrypted.
async fn client_with(app: &TestApp, key: &DecryptionKey, change: impl FnOnce(&mut ClientSettings)) -> TestClient {
    app.web_client_with(|settings| {
        settings.jwks = Some(key.jwks());
        change(settings);
    })
    .await
}

/// The claims of the JWT that a JWE holds, signed by the server.
async fn nested(app: &TestApp, key: &DecryptionKey, token: &str) -> Value {
    let opened = key.open(token);
    // RFC 7519 section 5.2: a JWT within says so.
    assert_eq!(opened.header["cty"], "JWT");
    jwt::verify(app, &opened.content).await.claims
}

#[test]
fn the_side_of_the_client_reads_the_example_of_rfc_7520_section_5_5() {
    let key =
        DecryptionKey::p256("meriadoc.brandybuck@buckland.example", "r_kHyZ-a06rmxM3yESK84r1otSg-aQcVStkRhA-iCM8");
    assert_eq!(key.jwk()["x"], "Ze2loSV3wrroKUN_4zhwGhCqo3Xhu1td4QjeQ5wIVR0");
    let token = "eyJhbGciOiJFQ0RILUVTIiwia2lkIjoibWVyaWFkb2MuYnJhbmR5YnVja0BidWNrbGFuZC5leGFtcGxlIiwiZXBrIjp7Imt0eSI6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoibVBVS1RfYkFXR0hJaGcwVHBqanFWc1AxclhXUXVfdndWT0hIdE5rZFlvQSIsInkiOiI4QlFBc0ltR2VBUzQ2ZnlXdzVNaFlmR1RUMElqQnBGdzJTUzM0RHY0SXJzIn0sImVuYyI6IkExMjhDQkMtSFMyNTYifQ..yc9N8v5sYyv3iGQT926IUg.BoDlwPnTypYq-ivjmQvAYJLb5Q6l-F3LIgQomlz87yW4OPKbWE1zSTEFjDfhU9IPIOSA9Bml4m7iDFwA-1ZXvHteLDtw4R1XRGMEsDIqAYtskTTmzmzNa-_q4F_evAPUmwlO-ZG45Mnq4uhM1fm_D9rBtWolqZSF3xGNNkpOMQKF1Cl8i8wjzRli7-IXgyirlKQsbhhqRzkv8IcY6aHl24j03C-AR2le1r7URUhArM79BY8soZU0lzwI-sD5PZ3l4NDCCei9XkoIAfsXJWmySPoeRb2Ni5UZL4mYpvKDiwmyzGd65KqVw7MsFfI_K767G9C9Azp73gKZD0DyUn1mn0WW5LmyX_yJ-3AROq8p1WZBfG-ZyJ6195_JGG2m9Csg.WCCkNa-x4BeB9hIDIfFuhg";
    let content = key.open(token).content;
    assert!(content.starts_with("You can trust us to stick with you through thick and thin"), "{content}");
    let flipped = format!("{}A", &token[..token.len() - 1]);
    assert!(key.try_open(&flipped).is_none(), "the tag counts");
}

#[tokio::test]
async fn id_tokens_are_signed_and_then_encrypted_with_every_algorithm() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for alg in EncryptionAlg::ALL {
        let key = DecryptionKey::generate(alg.as_str());
        for enc in ContentEncryption::ALL {
            let client = client_with(&app, &key, |settings| {
                settings.id_token_encrypted_response_alg = Some(alg);
                settings.id_token_encrypted_response_enc = Some(enc);
                settings.id_token_signed_response_alg = SigningAlg::ES256;
            });
            let client = client.await;
            let tokens = app.tokens(&client, &alice, "openid").await;
            let header = key.open(tokens.id()).header;
            assert_eq!((&header["alg"], &header["enc"]), (&json!(alg.as_str()), &json!(enc.as_str())));
            let claims = nested(&app, &key, tokens.id()).await;
            assert_eq!((&claims["aud"], &claims["sub"]), (&json!(client.id), &json!(alice.sub())));
            // The access token is not for the client to read.
            assert_eq!(tokens.access().split('.').count(), 3);
        }
    }
}

#[tokio::test]
async fn the_default_enc_is_a128cbc_hs256_and_refreshed_id_tokens_are_encrypted_too() {
    let app = TestApp::start().await;
    let (alice, key) = (app.alice().await, DecryptionKey::generate("ECDH-ES"));
    let client = client_with(&app, &key, |settings| {
        settings.id_token_encrypted_response_alg = Some(EncryptionAlg::EcdhEs);
    });
    let client = client.await;
    let first = app.tokens(&client, &alice, "openid offline_access").await;
    assert_eq!(key.open(first.id()).header["enc"], "A128CBC-HS256");
    let second = app.refreshed(&client, first.refresh()).await;
    assert_eq!(nested(&app, &key, second.id()).await["sub"], alice.sub());
    // Within the grace the token before still works, like any other client's.
    let again = app.refreshed(&client, first.refresh()).await;
    assert_eq!(again.refresh(), second.refresh());
    assert_eq!(nested(&app, &key, again.id()).await["sub"], alice.sub());
}

#[tokio::test]
async fn the_signed_id_token_within_is_a_hint_and_the_encrypted_one_is_none() {
    let app = TestApp::start().await;
    let (alice, key) = (app.alice().await, DecryptionKey::generate("ECDH-ES"));
    let client = client_with(&app, &key, |settings| {
        settings.id_token_encrypted_response_alg = Some(EncryptionAlg::EcdhEs);
    });
    let client = client.await;
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    let hint = key.open(tokens.id()).content;
    let request = Authorization::of(&client).with("prompt", "none").with("id_token_hint", &hint);
    browser.open(&request.path()).await.returned_code(&client.redirect_uri);
    let page = browser.open(&request.with("id_token_hint", tokens.id()).path()).await;
    assert_eq!(page.returned_error(&client.redirect_uri)["error"], "invalid_request");
}

#[tokio::test]
async fn userinfo_is_encrypted_signed_or_not() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for signed in [None, Some(SigningAlg::PS256)] {
        let key = DecryptionKey::generate("RSA-OAEP-256");
        let client = client_with(&app, &key, |settings| {
            settings.userinfo_signed_response_alg = signed;
            settings.userinfo_encrypted_response_alg = Some(EncryptionAlg::RsaOaep256);
            settings.userinfo_encrypted_response_enc = Some(ContentEncryption::A256Gcm);
        });
        let client = client.await;
        let tokens = app.tokens(&client, &alice, "openid email").await;
        let answer = app.userinfo(tokens.access()).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/jwt")));
        answer.assert_not_stored();
        let claims = match signed {
            Some(_) => {
                let claims = nested(&app, &key, &answer.body).await;
                assert_eq!((&claims["iss"], &claims["aud"]), (&json!(app.issuer()), &json!(client.id)));
                claims
            }
            None => {
                let opened = key.open(&answer.body);
                assert_eq!(opened.header.get("cty"), None);
                serde_json::from_str(&opened.content).unwrap()
            }
        };
        assert_eq!((&claims["sub"], &claims["email"]), (&json!(alice.sub()), &json!("alice@people.example")));
    }
}

fn encrypted_responses(settings: &mut ClientSettings) {
    settings.authorization_encrypted_response_alg = Some(EncryptionAlg::EcdhEsA256Kw);
    settings.authorization_encrypted_response_enc = Some(ContentEncryption::A256CbcHs512);
}

#[tokio::test]
async fn authorization_responses_that_are_jwts_are_encrypted_errors_too() {
    let app = TestApp::start().await;
    let (alice, key) = (app.alice().await, DecryptionKey::generate("ECDH-ES+A256KW"));
    let client = client_with(&app, &key, encrypted_responses).await;
    let request = Authorization::of(&client).with("response_mode", "jwt");
    let mut browser = app.browser();
    let page = browser.authorize(&request, &alice).await;
    let answer = page.returned_to(&client.redirect_uri);
    assert_eq!(answer.keys().collect::<Vec<_>>(), ["response"], "nothing beside it");
    let claims = nested(&app, &key, &answer["response"]).await;
    assert_eq!((&claims["aud"], &claims["state"]), (&json!(client.id), &json!(request.value("state"))));
    let code = claims["code"].as_str().unwrap();
    assert_eq!(app.token(&client, &app.redemption(&request, code)).await.status, 200);
    let refused = app.browser().open(&request.clone().with("prompt", "none").path()).await;
    let claims = nested(&app, &key, &refused.returned_to(&client.redirect_uri)["response"]).await;
    assert_eq!(claims["error"], "login_required");
    // Whoever does not ask for a JWT gets the parameters as ever.
    let plain = Authorization::of(&client);
    browser.open(&plain.path()).await.returned_code(&client.redirect_uri);
}

async fn introspect(app: &TestApp, caller: &TestClient, token: &str, accept: Option<&str>) -> Answer {
    let call = app.post("/introspect");
    let call = accept.into_iter().fold(call, |call, accept| call.header("accept", accept));
    caller.sign(call, &[("token", token)]).send().await
}

#[tokio::test]
async fn encrypted_introspection_answers_are_had_in_no_other_way() {
    let app = TestApp::start().await;
    let (alice, key) = (app.alice().await, DecryptionKey::generate("ECDH-ES"));
    let client = client_with(&app, &key, |settings| {
        settings.introspection_encrypted_response_alg = Some(EncryptionAlg::EcdhEs);
        settings.introspection_encrypted_response_enc = Some(ContentEncryption::A128Gcm);
    });
    let client = client.await;
    let tokens = app.tokens(&client, &alice, "openid").await;
    let media_type = "application/token-introspection+jwt";
    for accept in [None, Some("*/*"), Some(media_type)] {
        let answer = introspect(&app, &client, tokens.access(), accept).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)));
        let opened = key.open(&answer.body);
        assert_eq!(opened.header["typ"], "token-introspection+jwt");
        let claims = nested(&app, &key, &answer.body).await;
        assert_eq!((&claims["aud"], &claims["token_introspection"]["active"]), (&json!(client.id), &json!(true)));
    }
    // RFC 9701 section 8.2.
    let plain = introspect(&app, &client, tokens.access(), Some("application/json")).await;
    plain.assert_error(406, "invalid_request", "the client registered that its answers are JWTs: it must accept those");
    let inactive = introspect(&app, &client, "x", None).await;
    assert_eq!(nested(&app, &key, &inactive.body).await["token_introspection"], json!({"active": false}));
}

#[tokio::test]
async fn a_key_that_is_missing_burns_neither_code_nor_refresh_token() {
    let app = TestApp::start().await;
    let (alice, key) = (app.alice().await, DecryptionKey::generate("ECDH-ES"));
    let client = client_with(&app, &key, |settings| {
        settings.id_token_encrypted_response_alg = Some(EncryptionAlg::EcdhEs);
    });
    let client = client.await;
    let request = Authorization::of(&client).with("scope", "openid offline_access");
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let redemption = app.redemption(&request, &code);
    let signing = ClientKey::generate("ES256").jwks();
    // No key at all, one that signs, one of another kind.
    for jwks in [None, Some(signing), Some(DecryptionKey::generate("RSA-OAEP").jwks())] {
        app.change_client(&client, |client| client.settings.jwks = jwks).await;
        app.token(&client, &redemption).await.assert_error(400, "invalid_request", NO_KEY);
    }
    app.change_client(&client, |client| client.settings.jwks = Some(key.jwks())).await;
    let tokens = app.token(&client, &redemption).await.json();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    app.change_client(&client, |client| client.settings.jwks = None).await;
    app.token(&client, &refresh).await.assert_error(400, "invalid_request", NO_KEY);
    app.pass_seconds(60);
    app.change_client(&client, |client| client.settings.jwks = Some(key.jwks())).await;
    let refreshed = app.token(&client, &refresh).await.json();
    assert_eq!(nested(&app, &key, refreshed["id_token"].as_str().unwrap()).await["sub"], alice.sub());
}

#[tokio::test]
async fn a_key_that_is_missing_burns_no_pushed_request() {
    let app = TestApp::start().await;
    let (alice, key) = (app.alice().await, DecryptionKey::generate("ECDH-ES"));
    let client = client_with(&app, &key, encrypted_responses).await;
    let mut browser = app.browser();
    browser.authorize(&Authorization::of(&client), &alice).await;
    let request = Authorization::of(&client).with("response_mode", "jwt");
    let pushed = app.pushed(&client, &request).await;
    app.change_client(&client, |client| client.settings.jwks = None).await;
    let page = browser.open(&pushed.path()).await;
    page.assert_error("/authorize", 400, "invalid_request", NO_KEY);
    app.change_client(&client, |client| client.settings.jwks = Some(key.jwks())).await;
    let page = browser.open(&pushed.path()).await;
    let claims = nested(&app, &key, &page.returned_to(&client.redirect_uri)["response"]).await;
    assert!(claims["code"].is_string());
}

#[tokio::test]
async fn what_is_told_to_the_client_alone_is_not_told_at_all_without_a_key() {
    let app = TestApp::start().await;
    let (alice, key) = (app.alice().await, DecryptionKey::generate("ECDH-ES"));
    let client = client_with(&app, &key, |settings| {
        settings.userinfo_encrypted_response_alg = Some(EncryptionAlg::EcdhEs);
        settings.introspection_encrypted_response_alg = Some(EncryptionAlg::EcdhEs);
    });
    let client = client.await;
    let tokens = app.tokens(&client, &alice, "openid").await;
    app.change_client(&client, |client| client.settings.jwks = None).await;
    app.userinfo(tokens.access()).await.assert_error(400, "invalid_request", NO_KEY);
    introspect(&app, &client, tokens.access(), None).await.assert_error(400, "invalid_request", NO_KEY);
}

#[tokio::test]
async fn a_machine_that_gets_no_id_token_needs_no_key_for_it() {
    let app = TestApp::start().await;
    let machine = app.machine_client_with(|settings| {
        settings.id_token_encrypted_response_alg = Some(EncryptionAlg::EcdhEs);
    });
    let machine = machine.await;
    assert_eq!(app.token(&machine, &[("grant_type", "client_credentials")]).await.status, 200);
}

#[tokio::test]
async fn keys_at_an_address_are_fetched_and_an_outage_burns_nothing() {
    let mut receiver = Receiver::start().await;
    let exception = receiver.exception_for(OutboundPurpose::ClientKeys);
    let app = TestApp::with_config(|config| config.outbound.allow.push(exception)).await;
    let alice = app.alice().await;
    let (first, second) = (DecryptionKey::generate("RSA-OAEP-256"), DecryptionKey::generate("RSA-OAEP-256"));
    let uri = receiver.url("/keys");
    let client = app.web_client_with(|settings| {
        settings.jwks_uri = Some(uri);
        settings.id_token_encrypted_response_alg = Some(EncryptionAlg::RsaOaep256);
    });
    let client = client.await;
    let request = Authorization::of(&client);
    let code = app.code(&mut app.browser(), &request, &alice).await;
    receiver.answer_with(&[500]);
    let unavailable = app.token(&client, &app.redemption(&request, &code)).await;
    let description = "the keys of the client cannot be fetched, try again shortly";
    unavailable.assert_error(503, "temporarily_unavailable", description);
    assert_eq!(unavailable.header("retry-after"), Some("5"));
    receiver.serve("/keys", &first.jwks());
    app.pass_seconds(30);
    let tokens = app.token(&client, &app.redemption(&request, &code)).await.json();
    nested(&app, &first, tokens["id_token"].as_str().unwrap()).await;
    assert_eq!((receiver.next().await.path, receiver.next().await.path), ("/keys".into(), "/keys".into()));
    // It is believed for an hour, and looked at anew after that.
    receiver.serve("/keys", &second.jwks());
    nested(&app, &first, app.tokens(&client, &alice, "openid").await.id()).await;
    receiver.assert_nothing_more();
    app.pass_seconds(3600);
    nested(&app, &second, app.tokens(&client, &alice, "openid").await.id()).await;
}

#[tokio::test]
async fn a_registration_that_cannot_be_kept_is_refused() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let (rsa, ec) = (DecryptionKey::generate("RSA-OAEP"), DecryptionKey::generate("ECDH-ES"));
    let signing = ClientKey::generate("RS256");
    let register = async |settings: Value| {
        let mut body = json!({"redirect_uris": ["https://app.example/callback"]});
        body.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        admin.post("/admin/clients", &body).await
    };
    for kind in ["id_token", "userinfo", "authorization", "introspection"] {
        let (alg, enc) = (format!("{kind}_encrypted_response_alg"), format!("{kind}_encrypted_response_enc"));
        for (settings, pointer) in [
            // OpenID Connect Registration section 2: an enc needs an alg.
            (json!({"jwks": rsa.jwks(), &enc: "A256GCM"}), &enc),
            (json!({&alg: "RSA-OAEP-256"}), &alg),
            (json!({&alg: "RSA-OAEP-256", "jwks": ec.jwks()}), &alg),
            (json!({&alg: "RSA-OAEP-256", "jwks": signing.jwks()}), &alg),
            (json!({&alg: "RSA1_5", "jwks": rsa.jwks()}), &alg),
            (json!({&alg: "dir", "jwks": rsa.jwks()}), &alg),
            (json!({&alg: "PBES2-HS256+A128KW", "jwks": rsa.jwks()}), &alg),
            (json!({&alg: "ECDH-ES", &enc: "A192GCM", "jwks": ec.jwks()}), &enc),
        ] {
            let problem = register(settings.clone()).await.problem(422, "invalid-body");
            assert_eq!(problem["errors"][0]["pointer"], format!("/{pointer}"), "{settings} {problem}");
        }
        let made = register(json!({&alg: "ECDH-ES", "jwks": ec.jwks()})).await.document(201);
        assert_eq!((&made[&alg], &made[&enc]), (&json!("ECDH-ES"), &Value::Null));
    }
}

#[tokio::test]
async fn a_key_to_encrypt_to_is_no_key_to_sign_with() {
    let app = TestApp::start().await;
    let signing = ClientKey::generate("ES256");
    let mut as_enc = signing.bare_jwk();
    as_enc["use"] = json!("enc");
    as_enc["kid"] = json!(signing.kid);
    let client = app.signing_client_with(signing, |settings| {
        settings.token_endpoint_auth_method = ClientAuthMethod::PrivateKeyJwt;
        settings.jwks = Some(json!({"keys": [as_enc]}));
    });
    let client = client.await;
    let answer = app.token(&client, &[("grant_type", "client_credentials")]).await;
    answer.assert_error(400, "invalid_client", "client authentication failed");
}
