//! Signed request objects (RFC 9101, OpenID Connect Core section 6, FAPI 2.0 Message Signing section 5.3).

use std::time::Duration;

use futures_util::future::join_all;
use ostiary::config::{OutboundException, OutboundPurpose};
use ostiary::model::client::ClientSettings;
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Answer, Authorization, ClientKey, Receiver, TestApp, TestClient, encode, jwt};

/// A client that is held to FAPI 2.0 Message Signing.
async fn strict_client(app: &TestApp, alg: &'static str) -> TestClient {
    app.signing_web_client_with(ClientKey::generate(alg), |settings| {
        settings.require_signed_request_object = true;
    })
    .await
}

async fn push(app: &TestApp, client: &TestClient, object: &str) -> Answer {
    app.call_as(client, "/par", &[("request", object)]).await
}

async fn refused(app: &TestApp, client: &TestClient, object: &str, description: &str) {
    push(app, client, object).await.assert_error(400, "invalid_request_object", description);
}

fn front_channel(client: &TestClient, more: &[(&str, &str)]) -> String {
    format!("/authorize?{}", encode(&[&[("client_id", client.id.as_str())], more].concat()))
}

#[tokio::test]
async fn a_signed_request_is_pushed_with_each_algorithm() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
        let client = strict_client(&app, alg).await;
        let request = Authorization::of(&client);
        let answer = push(&app, &client, &client.request_object(&request, json!({}))).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let request = request.pushed_as(body["request_uri"].as_str().unwrap());
        let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
        assert_eq!(tokens.id_claims(&app).await["nonce"], request.value("nonce"));
    }
}

#[tokio::test]
async fn a_signed_request_comes_through_the_browser_too() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = strict_client(&app, "ES256").await;
    let request = Authorization::of(&client);
    let object = client.request_object(&request, json!({}));
    let mut browser = app.browser();
    let page = browser.open(&front_channel(&client, &[("request", &object)])).await;
    let answer = browser.log_in(&page, &alice).await.returned_to(&client.redirect_uri);
    assert_eq!(answer["state"], request.value("state"));
    assert_eq!(app.token(&client, &app.redemption(&request, &answer["code"])).await.status, 200);
}

#[tokio::test]
async fn rfc_9101_section_6_3_only_what_is_inside_counts() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = strict_client(&app, "ES256").await;
    let request = Authorization::of(&client).without("state").without("nonce");
    let object = client.request_object(&request, json!({}));
    let outside = [("request", object.as_str()), ("state", "outside"), ("nonce", "outside"), ("scope", "openid email")];
    let answer = app.call_as(&client, "/par", &outside).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let pushed = request.pushed_as(body["request_uri"].as_str().unwrap());
    for path in [pushed.path(), front_channel(&client, &outside)] {
        let mut browser = app.browser();
        let page = browser.open(&path).await;
        let answer = browser.log_in(&page, &alice).await.returned_to(&client.redirect_uri);
        assert_eq!(answer.keys().collect::<Vec<_>>(), ["code", "iss"]);
        let tokens = app.token(&client, &app.redemption(&request, &answer["code"])).await.json();
        assert_eq!(tokens["scope"], "openid");
        assert_eq!(jwt::read(tokens["id_token"].as_str().unwrap()).claims.get("nonce"), None);
    }
}

#[tokio::test]
async fn numbers_objects_and_lists_inside_are_what_they_would_be_as_parameters() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = strict_client(&app, "ES256").await;
    let request = Authorization::of(&client).with("scope", "openid photos.read");
    let change = json!({
        "max_age": 100, "claims": {"id_token": {"email": null}}, "resource": [crate::harness::PHOTOS_API],
    });
    let object = client.request_object(&request, change);
    let mut browser = app.browser();
    let page = browser.open(&front_channel(&client, &[("request", &object)])).await;
    let code = browser.log_in(&page, &alice).await.returned_code(&client.redirect_uri);
    let tokens = app.token(&client, &app.redemption(&request, &code)).await.json();
    assert_eq!(jwt::read(tokens["access_token"].as_str().unwrap()).claims["aud"], crate::harness::PHOTOS_API);
    assert!(jwt::read(tokens["id_token"].as_str().unwrap()).claims.get("email").is_some());
}

#[tokio::test]
async fn fapi_2_message_signing_each_negative_case_is_invalid_request_object() {
    let app = TestApp::start().await;
    let client = strict_client(&app, "PS256").await;
    let request = Authorization::of(&client);
    let now = app.now().timestamp();
    for (change, description) in [
        (json!({"exp": null}), "the request object has no exp"),
        (json!({"nbf": null}), "the request object has no nbf"),
        (json!({"exp": now - 60, "nbf": now - 120}), "the request object has expired"),
        (json!({"aud": "https://another.example"}), "the aud of the request object is not this server"),
        (json!({"aud": null}), "the aud of the request object is not this server"),
        (json!({"iss": "another"}), "the iss of the request object is not the client"),
        (json!({"exp": now + 3700}), "the request object lives longer than 60 minutes"),
        (json!({"nbf": now - 3700}), "the nbf of the request object is more than 60 minutes ago"),
        (json!({"nbf": now + 61}), "the request object is of the future"),
        (json!({"request_uri": "urn:x"}), "a request object must not contain request or request_uri"),
        (json!({"request": "a.b.c"}), "a request object must not contain request or request_uri"),
        (json!({"client_id": "another"}), "the client_id of the request object is another one"),
        (json!({"sub": client.id}), "the sub of the request object must not be the client"),
        (json!({"state": "a\u{0}b"}), "the request object contains U+0000"),
    ] {
        refused(&app, &client, &client.request_object(&request, change), description).await;
    }
    let other = strict_client(&app, "PS256").await;
    let no_key = "no key of the client made the signature of the request object";
    let claims = client.request_object_claims(&request, json!({}));
    refused(&app, &client, &other.key.as_ref().unwrap().sign(&claims), no_key).await;
    let good = client.request_object(&request, json!({}));
    refused(&app, &client, &jwt::with_claim(&good, "scope", json!("openid email")), no_key).await;
    let unsigned = "the request object is malformed or not signed";
    refused(&app, &client, &jwt::unsigned(&jwt::read(&good)), unsigned).await;
    refused(&app, &client, "x", unsigned).await;
    let typed = client.key.as_ref().unwrap().sign_under(&json!({"alg": "PS256", "typ": "at+jwt"}), &claims);
    refused(&app, &client, &typed, "the typ of the request object is another one").await;
    let missing = client.request_object(&request, json!({"redirect_uri": null}));
    push(&app, &client, &missing).await.assert_error(400, "invalid_request", "the parameter redirect_uri is missing");
    let foreign = client.request_object(&request, json!({"redirect_uri": "https://evil.example/"}));
    let answer = push(&app, &client, &foreign).await;
    answer.assert_error(400, "invalid_request", "the redirect_uri is not registered for this client");
}

#[tokio::test]
async fn fapi_2_message_signing_each_tolerated_case_is_accepted() {
    let app = TestApp::start().await;
    let client = strict_client(&app, "PS256").await;
    let request = Authorization::of(&client);
    let now = app.now().timestamp();
    for change in [
        json!({"aud": ["https://another.example", app.issuer()]}),
        json!({"nbf": now + 8}),
        json!({"iat": now, "jti": "x"}),
        json!({"exp": now + 3600}),
    ] {
        assert_eq!(push(&app, &client, &client.request_object(&request, change.clone())).await.status, 201, "{change}");
    }
    let (key, claims) = (client.key.as_ref().unwrap(), client.request_object_claims(&request, json!({})));
    for header in [
        json!({"alg": "PS256"}),
        json!({"alg": "PS256", "typ": "oauth-authz-req+jwt"}),
        json!({"alg": "PS256", "typ": "OAuth-Authz-Req+JWT"}),
    ] {
        assert_eq!(push(&app, &client, &key.sign_under(&header, &claims)).await.status, 201, "{header}");
    }
}

#[tokio::test]
async fn rfc_9101_section_10_5_unsigned_parameters_are_refused_where_signed_ones_are_required() {
    let app = TestApp::start().await;
    let client = strict_client(&app, "ES256").await;
    let request = Authorization::of(&client);
    let description = "the authorization request must be a signed request object";
    let pushed = app.call_as(&client, "/par", &request.parameters()).await;
    pushed.assert_error(400, "invalid_request", description);
    let answer = app.browser().open(&request.path()).await.returned_to(&client.redirect_uri);
    assert_eq!((answer["error"].as_str(), answer["error_description"].as_str()), ("invalid_request", description));
}

#[tokio::test]
async fn a_client_keeps_to_its_algorithm() {
    let app = TestApp::start().await;
    let client = strict_client(&app, "ES256").await;
    let ps256 = |client: &mut ostiary::model::client::Client| {
        client.settings.request_object_signing_alg = Some(SigningAlg::PS256);
    };
    app.change_client(&client, ps256).await;
    let object = client.request_object(&Authorization::of(&client), json!({}));
    let description = "the request object is signed with an algorithm that the client may not use";
    refused(&app, &client, &object, description).await;
}

#[tokio::test]
async fn an_error_in_an_object_is_told_where_the_redirect_uri_outside_of_it_leads() {
    let app = TestApp::start().await;
    let client = app.signing_web_client_with(ClientKey::generate("ES256"), |settings| {
        settings.require_signed_request_object = true;
        settings.redirect_uris.push("https://web.example/other".into());
    });
    let client = client.await;
    let request = Authorization::of(&client);
    let expired = client.request_object(&request, json!({"exp": 1, "nbf": 0}));
    let page = app.browser().open(&front_channel(&client, &[("request", &expired)])).await;
    page.assert_error("/authorize", 400, "invalid_request_object", "the request object has expired");
    let outside = [("request", expired.as_str()), ("redirect_uri", &client.redirect_uri), ("state", "s")];
    let answer = app.browser().open(&front_channel(&client, &outside)).await.returned_to(&client.redirect_uri);
    assert_eq!((answer["error"].as_str(), answer["state"].as_str()), ("invalid_request_object", "s"));
    // Of a genuine one, what is inside.
    let object = client.request_object(&request, json!({"response_type": "token"}));
    let answer = app.browser().open(&front_channel(&client, &[("request", &object)])).await;
    let answer = answer.returned_to(&client.redirect_uri);
    assert_eq!(
        (answer["error"].as_str(), answer["state"].as_str()),
        ("unsupported_response_type", request.value("state"))
    );
}

#[tokio::test]
async fn a_client_without_the_profile_may_leave_out_when_and_for_whom() {
    let app = TestApp::start().await;
    let client = app.signing_web_client(ClientKey::generate("RS256")).await;
    let bare = json!({"iss": null, "aud": null, "exp": null, "nbf": null, "client_id": null});
    let object = client.request_object(&Authorization::of(&client), bare);
    assert_eq!(push(&app, &client, &object).await.status, 201);
}

#[tokio::test]
async fn a_request_object_at_an_address_is_fetched_if_the_operator_and_the_registration_allow_it() {
    let mut receiver = Receiver::start().await;
    let exception = receiver.exception_for(OutboundPurpose::RequestObject);
    let app = TestApp::with_config(|config| {
        config.oidc.request_uri = true;
        config.outbound.allow.push(exception);
    })
    .await;
    let alice = app.alice().await;
    let uri = receiver.url("/request.jwt#hash");
    let registered = |settings: &mut ClientSettings| settings.request_uris = vec![uri.clone()];
    let client = app.signing_web_client_with(ClientKey::generate("RS256"), registered).await;
    let request = Authorization::of(&client);
    receiver.serve_text("/request.jwt", &client.request_object(&request, json!({})));
    let mut browser = app.browser();
    let page = browser.open(&front_channel(&client, &[("request_uri", &uri)])).await;
    assert_eq!(receiver.next().await.path, "/request.jwt");
    browser.log_in(&page, &alice).await.returned_code(&client.redirect_uri);
    let refused = async |uri: &str, code: &str| {
        let path = front_channel(&client, &[("request_uri", uri), ("redirect_uri", &client.redirect_uri)]);
        let answer = app.browser().open(&path).await.returned_to(&client.redirect_uri);
        assert_eq!(answer["error"], code, "{uri}");
    };
    refused(&receiver.url("/request.jwt"), "invalid_request_uri").await;
    receiver.answer_with(&[404]);
    refused(&uri, "invalid_request_uri").await;
    receiver.serve_text("/request.jwt", "no object");
    refused(&uri, "invalid_request_object").await;
    let metadata: Value =
        serde_json::from_str(&app.get("/.well-known/openid-configuration").send().await.body).unwrap();
    assert_eq!(metadata["request_uri_parameter_supported"], true);
    // Elsewhere nothing is fetched at all.
    let plain = TestApp::start().await;
    let client = plain.signing_web_client_with(ClientKey::generate("RS256"), registered).await;
    let path = front_channel(&client, &[("request_uri", &uri), ("redirect_uri", &client.redirect_uri)]);
    let answer = plain.browser().open(&path).await.returned_to(&client.redirect_uri);
    assert_eq!(answer["error"], "request_uri_not_supported");
}

/// A client whose request object is at an address, and the answer to whoever comes with it.
async fn by_reference(app: &TestApp, receiver: &Receiver) -> (TestClient, String) {
    let uri = receiver.url("/request.jwt");
    let client = app.signing_web_client_with(ClientKey::generate("ES256"), |settings| {
        settings.request_uris = vec![uri.clone()];
        settings.redirect_uris.push("https://web.example/other".into());
    });
    let client = client.await;
    receiver.serve_text("/request.jwt", &client.request_object(&Authorization::of(&client), json!({})));
    let path = front_channel(&client, &[("request_uri", &uri), ("redirect_uri", &client.redirect_uri)]);
    (client, path)
}

#[tokio::test]
async fn request_objects_are_fetched_so_often_for_a_network_and_no_more() {
    for (per_network, per_client, allowed) in [(2, 6000, 2), (3, 6000, 3), (3, 1, 2)] {
        let mut receiver = Receiver::start().await;
        let exception = receiver.exception_for(OutboundPurpose::RequestObject);
        let app = TestApp::with_config(|config| {
            config.oidc.request_uri = true;
            config.outbound.allow.push(exception);
            config.throttle.request_objects_per_network = per_network;
            config.throttle.request_objects_per_client = per_client;
        });
        let app = app.await;
        let (client, path) = by_reference(&app, &receiver).await;
        for _ in 0..allowed {
            app.browser().open(&path).await.assert_login();
            receiver.next().await;
        }
        let answer = app.browser().open(&path).await.returned_to(&client.redirect_uri);
        assert_eq!(answer["error"], "temporarily_unavailable", "{per_network} {per_client}");
        receiver.assert_nothing_more();
        // Where only the person can be told, it is a status too.
        let page = app.browser().open(path.split("&redirect_uri").next().unwrap()).await;
        assert_eq!(page.answer.status, 429, "{page:?}");
        assert!(page.answer.header("retry-after").is_some(), "{page:?}");
        app.pass(chrono::TimeDelta::hours(1));
        // The object has expired meanwhile, and is asked for.
        let answer = app.browser().open(&path).await.returned_to(&client.redirect_uri);
        assert_eq!(answer["error"], "invalid_request_object");
    }
}

#[tokio::test]
async fn many_who_come_at_once_with_one_request_uri_cause_one_fetch() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let app = TestApp::with_config(|config| {
        config.oidc.request_uri = true;
        config.outbound.allow.push(OutboundException {
            purpose: OutboundPurpose::RequestObject,
            host: "127.0.0.1".to_owned(),
            port,
            network: "127.0.0.0/8".parse().unwrap(),
            allow_http: true,
        });
    });
    let app = app.await;
    let uri = format!("http://127.0.0.1:{port}/request.jwt");
    let client = app.signing_web_client_with(ClientKey::generate("ES256"), |settings| {
        settings.request_uris = vec![uri.clone()];
    });
    let client = client.await;
    let object = client.request_object(&Authorization::of(&client), json!({}));
    let path = front_channel(&client, &[("request_uri", &uri), ("redirect_uri", &client.redirect_uri)]);
    // The first is answered when a second one calls, or when none did for a while.
    let serve = async {
        let (first, _) = listener.accept().await.unwrap();
        let second = tokio::time::timeout(Duration::from_secs(2), listener.accept()).await;
        assert!(second.is_err(), "a second fetch was begun");
        let mut first = first;
        assert!(first.read(&mut [0; 4096]).await.unwrap() > 0);
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/jwt\r\nContent-Length: {}\r\n\r\n", object.len());
        first.write_all(format!("{head}{object}").as_bytes()).await.unwrap();
        first.shutdown().await.unwrap();
    };
    let come = join_all((0..8).map(|_| async { app.browser().open(&path).await }));
    let (pages, ()) = tokio::join!(come, serve);
    for page in pages {
        page.assert_login();
    }
}
