//! Clients that sign an assertion with their own key (RFC 7523, OpenID Connect Core section 9).

use std::sync::Arc;

use ostiary::config::{OutboundException, OutboundPurpose};
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::harness::{ASSERTION_TYPE, Answer, ClientKey, Receiver, TestApp, TestClient, jwt};

const REFUSED: &str = "client authentication failed";

/// A token request with that assertion and nothing else that says who asks.
async fn present(app: &TestApp, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", assertion),
    ];
    app.post_form("/token", &form).await
}

async fn refused(app: &TestApp, assertion: &str, description: &str) {
    present(app, assertion).await.assert_error(400, "invalid_client", description);
}

#[tokio::test]
async fn rfc_7523_section_2_2_each_algorithm_authenticates_at_every_endpoint() {
    let app = TestApp::start().await;
    for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
        let client = app.signing_client(ClientKey::generate(alg)).await;
        let token =
            present(&app, &client.assertion(json!({}))).await.json()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(jwt::read(&token).claims["sub"], client.id);
        assert_eq!(app.introspect(&client, &token).await.json()["active"], true, "{alg}");
        assert_eq!(app.revoke(&client, &token).await.status, 200);
        assert_eq!(app.introspect(&client, &token).await.json(), json!({"active": false}));
    }
}

#[tokio::test]
async fn rfc_7521_section_4_2_client_id_is_not_needed_and_must_not_contradict() {
    let app = TestApp::start().await;
    let client = app.signing_client(ClientKey::generate("ES256")).await;
    let call = |id: &str| {
        let assertion = client.assertion(json!({}));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        app.post("/token").form(&form)
    };
    assert_eq!(call(&client.id).send().await.status, 200);
    let answer = call("another").send().await;
    answer.assert_error(400, "invalid_client", "client_id is not the authenticated client");
}

#[tokio::test]
async fn half_of_an_assertion_is_none() {
    let app = TestApp::start().await;
    let client = app.signing_client(ClientKey::generate("ES256")).await;
    let assertion = client.assertion(json!({}));
    let grant = ("grant_type", "client_credentials");
    let other = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    for form in [
        vec![grant, ("client_assertion", assertion.as_str())],
        vec![grant, ("client_assertion", &assertion), ("client_assertion_type", other)],
    ] {
        let answer = app.post_form("/token", &form).await;
        answer.assert_error(400, "invalid_client", "the client_assertion_type is missing or not supported");
    }
    let answer = app.post_form("/token", &[grant, ("client_assertion_type", ASSERTION_TYPE)]).await;
    answer.assert_error(400, "invalid_client", "the client_assertion is missing");
    for malformed in ["a.b.c", "x", &jwt::unsigned(&jwt::read(&assertion))] {
        refused(&app, malformed, "the client_assertion is malformed").await;
    }
}

#[tokio::test]
async fn rfc_7523_section_3_each_rule_refuses() {
    let app = TestApp::start().await;
    let client = app.signing_client(ClientKey::generate("ES256")).await;
    // An assertion that does not say when it was made may be as old as one can be.
    app.pass_seconds(331);
    let now = app.now().timestamp();
    for (change, description) in [
        (json!({"iss": "another"}), "the iss and the sub of the client assertion must be the client"),
        (json!({"iss": null}), "the iss and the sub of the client assertion must be the client"),
        (json!({"aud": null}), "the aud of the client assertion is not this server"),
        (json!({"aud": "https://another.example"}), "the aud of the client assertion is not this server"),
        (
            json!({"aud": [app.issuer(), "https://another.example"]}),
            "the aud of the client assertion is not this server",
        ),
        (json!({"exp": null}), "the client assertion has no exp"),
        (json!({"exp": now - 300}), "the client assertion has expired"),
        (json!({"exp": now + 3600}), "the client assertion lives longer than 5 minutes"),
        (json!({"iat": now + 61}), "the client assertion is of the future"),
        (json!({"nbf": now + 61}), "the client assertion is of the future"),
        (json!({"jti": null}), "the client assertion has no jti, or a very long one"),
    ] {
        refused(&app, &client.assertion(change.clone()), description).await;
    }
    refused(&app, &client.assertion(json!({"sub": null})), "the client_assertion is malformed").await;
    refused(&app, &client.assertion(json!({"sub": "another"})), REFUSED).await;
    // A refused assertion was not used.
    for change in [json!({"iat": now + 10, "nbf": now + 10}), json!({"iat": null})] {
        assert_eq!(present(&app, &client.assertion(change)).await.status, 200);
    }
}

#[tokio::test]
async fn the_audience_may_be_the_issuer_or_the_endpoint_that_is_called_or_the_token_endpoint() {
    let app = TestApp::start().await;
    let client = app.signing_client(ClientKey::generate("ES256")).await;
    let at = |path: &str| format!("{}{path}", app.issuer());
    let call = |path: &'static str, aud: Value| {
        let assertion = client.assertion(json!({ "aud": aud }));
        let form = [
            ("grant_type", "client_credentials"),
            ("token", "x"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        app.post(path).form(&form)
    };
    for (path, aud) in [
        ("/token", json!(app.issuer())),
        ("/token", json!(at("/token"))),
        ("/token", json!([app.issuer(), at("/token")])),
        ("/introspect", json!(at("/introspect"))),
        ("/introspect", json!(at("/token"))),
        ("/revoke", json!(at("/revoke"))),
    ] {
        assert_eq!(call(path, aud.clone()).send().await.status, 200, "{path} {aud}");
    }
    for (path, aud) in [("/token", at("/introspect")), ("/introspect", at("/revoke")), ("/token", at("/"))] {
        let answer = call(path, json!(aud)).send().await;
        answer.assert_client_refused(path, "the aud of the client assertion is not this server");
    }
}

#[tokio::test]
async fn an_assertion_that_the_clients_key_did_not_make_is_refused() {
    let app = TestApp::start().await;
    let client = app.signing_client(ClientKey::generate("RS256")).await;
    let other = app.signing_client(ClientKey::generate("RS256")).await;
    let claims = client.assertion_claims(json!({}));
    let (key, foreign) = (client.key.as_ref().unwrap(), other.key.as_ref().unwrap());
    let public = serde_json::to_vec(&key.bare_jwk()).unwrap();
    let genuine = jwt::Jwt { header: json!({"alg": "RS256", "kid": key.kid}), claims: claims.clone() };
    for forged in [
        // By another client's key, under its own name and under the client's.
        foreign.sign(&claims),
        foreign.sign_under(&json!({"alg": "RS256", "kid": key.kid}), &claims),
        // With a key that travels in the header (RFC 8725 section 3.10).
        foreign.sign_under(&json!({"alg": "RS256", "jwk": foreign.bare_jwk()}), &claims),
        foreign.sign_under(&json!({"alg": "RS256", "kid": key.kid, "jku": "https://evil.example/keys"}), &claims),
        // The public key as the secret of a MAC, and the right key under another algorithm's name.
        jwt::authenticated_with(&genuine, &public),
        key.sign_under(&json!({"alg": "PS256", "kid": key.kid}), &claims),
        key.sign_under(&json!({"alg": "ES256", "kid": key.kid}), &claims),
        key.sign_under(&json!({"alg": "RS256", "kid": "another"}), &claims),
        jwt::with_claim(&key.sign(&claims), "jti", json!("another")),
    ] {
        refused(&app, &forged, REFUSED).await;
    }
    let twice = claims.to_string().replacen('{', r#"{"sub":"another","#, 1);
    let header = json!({"alg": "RS256"}).to_string();
    refused(&app, &key.sign_text(&header, &twice), "the client_assertion is malformed").await;
    let critical = key.sign_under(&json!({"alg": "RS256", "crit": ["exp"], "exp": 1}), &claims);
    refused(&app, &critical, "the client_assertion is malformed").await;
    assert_eq!(present(&app, &key.sign(&claims)).await.status, 200, "none of them used it up");
}

#[tokio::test]
async fn a_client_keeps_to_its_method_and_to_its_algorithm() {
    let app = TestApp::start().await;
    let key = ClientKey::generate("ES256");
    let jwks = key.jwks();
    let by_secret = app.machine_client_with(|settings| settings.jwks = Some(jwks)).await.with_key(key);
    refused(&app, &by_secret.assertion(json!({})), REFUSED).await;
    let signing = app.signing_client(ClientKey::generate("ES256")).await;
    let form = [("grant_type", "client_credentials"), ("client_id", signing.id.as_str())];
    app.post_form("/token", &form).await.assert_error(400, "invalid_client", REFUSED);
    app.change_client(&signing, |client| {
        client.settings.token_endpoint_auth_signing_alg = Some(SigningAlg::PS256);
    })
    .await;
    refused(&app, &signing.assertion(json!({})), REFUSED).await;
    app.change_client(&signing, |client| client.enabled = false).await;
    refused(&app, &signing.assertion(json!({})), REFUSED).await;
}

#[tokio::test]
async fn rfc_7523_section_3_rule_7_an_assertion_is_used_once_at_any_endpoint_and_any_instance() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let client = app.signing_client(ClientKey::generate("ES256")).await;
    let assertion = client.assertion(json!({"exp": app.now().timestamp() + 300}));
    assert_eq!(present(&app, &assertion).await.status, 200);
    refused(&app, &assertion, "the client assertion was used before").await;
    refused(&other, &assertion, "the client assertion was used before").await;
    let form = [("token", "x"), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)];
    let answer = app.post_form("/introspect", &form).await;
    answer.assert_client_refused("/introspect", "the client assertion was used before");
    // For as long as it could be accepted.
    app.pass_seconds(329);
    refused(&app, &assertion, "the client assertion was used before").await;
    app.pass_seconds(1);
    refused(&app, &assertion, "the client assertion has expired").await;
    // The name is the client's own: another one may use it too.
    let neighbour = app.signing_client(ClientKey::generate("ES256")).await;
    for client in [&client, &neighbour] {
        assert_eq!(present(&app, &client.assertion(json!({"jti": "one"}))).await.status, 200);
    }
}

#[tokio::test]
async fn sixty_four_uses_of_one_assertion_have_one_winner() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let client = app.signing_client(ClientKey::generate("ES256")).await;
    let assertion = client.assertion(json!({}));
    let racers = (0..64).map(|n| present(if n % 2 == 0 { &app } else { &other }, &assertion));
    let answers = futures_util::future::join_all(racers).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 63));
    for answer in lost {
        answer.assert_error(400, "invalid_client", "the client assertion was used before");
    }
}

#[tokio::test]
async fn what_was_made_before_the_state_store_began_is_not_believed() {
    let app = TestApp::start().await;
    let client = app.signing_client(ClientKey::generate("ES256")).await;
    let before = client.assertion(json!({"iat": app.now().timestamp() - 1}));
    let description = "the client assertion is older than what this server remembers, make a new one";
    refused(&app, &before, description).await;
    assert_eq!(present(&app, &client.assertion(json!({}))).await.status, 200);
}

/// A client whose keys are at an address of its own.
async fn with_address(app: &TestApp, receiver: &Receiver, key: ClientKey) -> TestClient {
    receiver.serve("/keys", &key.jwks());
    let uri = receiver.url("/keys");
    app.signing_client_with(key, |settings| {
        settings.jwks = None;
        settings.jwks_uri = Some(uri);
    })
    .await
}

async fn fetching() -> (TestApp, Receiver) {
    let receiver = Receiver::start().await;
    let exception = receiver.exception_for(OutboundPurpose::ClientKeys);
    (TestApp::with_config(|config| config.outbound.allow.push(exception)).await, receiver)
}

#[tokio::test]
async fn keys_at_an_address_are_fetched_once_and_anew_when_they_were_rotated() {
    let (app, mut receiver) = fetching().await;
    let client = with_address(&app, &receiver, ClientKey::generate("ES256")).await;
    let calls = (0..8).map(|_| async { present(&app, &client.assertion(json!({}))).await.status });
    assert_eq!(futures_util::future::join_all(calls).await, [200; 8]);
    assert_eq!(receiver.next().await.path, "/keys");
    receiver.assert_nothing_more();
    let rotated = ClientKey::generate("PS256");
    receiver.serve("/keys", &json!({"keys": [client.key.as_ref().unwrap().jwk(), rotated.jwk()]}));
    let client = client.with_key(rotated);
    // At most every 30 seconds, so that made-up names make no load.
    refused(&app, &client.assertion(json!({})), REFUSED).await;
    app.pass_seconds(29);
    refused(&app, &client.assertion(json!({})), REFUSED).await;
    receiver.assert_nothing_more();
    app.pass_seconds(1);
    assert_eq!(present(&app, &client.assertion(json!({}))).await.status, 200);
    assert_eq!(receiver.next().await.path, "/keys");
    // A key that was withdrawn ends when the hour does.
    receiver.serve("/keys", &ClientKey::generate("ES256").jwks());
    app.pass_seconds(3599);
    assert_eq!(present(&app, &client.assertion(json!({}))).await.status, 200);
    app.pass_seconds(1);
    refused(&app, &client.assertion(json!({})), REFUSED).await;
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_anew_stay_good_for_a_day() {
    let (app, receiver) = fetching().await;
    let client = with_address(&app, &receiver, ClientKey::generate("ES256")).await;
    assert_eq!(present(&app, &client.assertion(json!({}))).await.status, 200);
    receiver.answer_with(&[500; 8]);
    app.pass_seconds(86_399);
    assert_eq!(present(&app, &client.assertion(json!({}))).await.status, 200);
    app.pass_seconds(1);
    unavailable(&app, &client.assertion(json!({}))).await;
}

/// Nobody can say that an assertion is wrong who cannot have the keys: the client would throw its own away.
async fn unavailable(app: &TestApp, assertion: &str) {
    let description = "the keys of the client cannot be fetched, try again shortly";
    let answer = present(app, assertion).await;
    answer.assert_error(503, "temporarily_unavailable", description);
    assert!(answer.header("retry-after").is_some());
}

/// Anybody may send an assertion with a made-up name of a key, which makes the server look again.
#[tokio::test]
async fn nobody_waits_for_a_fetch_who_has_a_key_that_is_known() {
    let key = ClientKey::generate("ES256");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let jwks = key.jwks().to_string();
    let called = Arc::new(Notify::new());
    let is_called = called.clone();
    // Answers once, and then never again.
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        let _ = first.read(&mut [0; 4096]).await;
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", jwks.len());
        first.write_all(format!("{head}{jwks}").as_bytes()).await.unwrap();
        drop(first);
        let _held = listener.accept().await.unwrap();
        is_called.notify_one();
        std::future::pending::<()>().await;
    });
    let app = TestApp::with_config(|config| {
        config.outbound.allow.push(OutboundException {
            purpose: OutboundPurpose::ClientKeys,
            host: "127.0.0.1".to_owned(),
            port: address.port(),
            network: "127.0.0.0/8".parse().unwrap(),
            allow_http: true,
        });
    })
    .await;
    let client = app
        .signing_client_with(key, |settings| {
            settings.jwks = None;
            settings.jwks_uri = Some(format!("http://{address}/keys"));
        })
        .await;
    assert_eq!(present(&app, &client.assertion(json!({}))).await.status, 200);
    app.pass_seconds(30);
    let stranger = client.with_key(ClientKey::generate("ES256"));
    let made_up = stranger.assertion(json!({}));
    // While the stranger's question is on its way.
    let meanwhile = async {
        called.notified().await;
        present(&app, &client.assertion(json!({}))).await.status
    };
    tokio::select! {
        answer = present(&app, &made_up) => panic!("the client is answered first: {answer:?}"),
        status = meanwhile => assert_eq!(status, 200),
    }
}

#[tokio::test]
async fn keys_that_are_none_or_inside_of_our_network_are_not_had() {
    let (app, receiver) = fetching().await;
    let client = with_address(&app, &receiver, ClientKey::generate("ES256")).await;
    receiver.serve("/keys", &json!(["no set"]));
    unavailable(&app, &client.assertion(json!({}))).await;
    let plain = TestApp::start().await;
    let inside = Receiver::start().await;
    let client = with_address(&plain, &inside, ClientKey::generate("ES256")).await;
    unavailable(&plain, &client.assertion(json!({}))).await;
    let mut inside = inside;
    inside.assert_nothing_more();
}
