//! `/par` (RFC 9126) and what becomes of a request that was pushed.

use chrono::TimeDelta;
use ostiary::model::client::ConsentPolicy;
use serde_json::{Value, json};

use crate::harness::{ASSERTION_TYPE, Answer, Authorization, ClientKey, TestApp, TestClient, Tokens, basic};

const REUSED: &str = "the request_uri was used before or has expired";

async fn push(app: &TestApp, client: &TestClient, request: &Authorization) -> Answer {
    app.call_as(client, "/par", &request.clone().without("client_id").parameters()).await
}

#[tokio::test]
async fn rfc_9126_section_2_2_the_answer_is_201_with_a_name_that_nobody_can_guess() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let answer = push(&app, &client, &Authorization::of(&client)).await;
    assert_eq!((answer.status, answer.header("content-type")), (201, Some("application/json")));
    answer.assert_not_stored();
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    assert_eq!(body["expires_in"], 60);
    let name = body["request_uri"].as_str().unwrap().strip_prefix("urn:ietf:params:oauth:request_uri:").unwrap();
    assert_eq!(name.len(), 43, "256 bits");
    let again = push(&app, &client, &Authorization::of(&client)).await;
    assert!(!again.body.contains(name));
}

#[tokio::test]
async fn a_pushed_request_ends_with_tokens_for_clients_of_every_kind() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    for client in
        [app.web_client().await, app.public_client().await, app.signing_web_client(ClientKey::generate("PS256")).await]
    {
        let request = app.pushed(&client, &Authorization::of(&client)).await;
        let page = app.browser().authorize(&request, &alice).await;
        let answer = page.returned_to(&client.redirect_uri);
        assert_eq!(answer.keys().collect::<Vec<_>>(), ["code", "iss", "state"]);
        assert_eq!(answer["state"], request.value("state"));
        let tokens = Tokens { body: app.token(&client, &app.redemption(&request, &answer["code"])).await.json() };
        assert_eq!(tokens.id_claims(&app).await["nonce"], request.value("nonce"));
    }
}

#[tokio::test]
async fn client_id_may_be_absent_when_the_assertion_names_the_client() {
    let app = TestApp::start().await;
    let client = app.signing_web_client(ClientKey::generate("PS256")).await;
    let request = Authorization::of(&client).without("client_id");
    let assertion = client.assertion(json!({}));
    let form =
        [request.parameters(), vec![("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)]]
            .concat();
    assert_eq!(app.post_form("/par", &form).await.status, 201);
    for aud in ["/par", "/token", ""] {
        let assertion = client.assertion(json!({"aud": format!("{}{aud}", app.issuer())}));
        let form = [&form[..form.len() - 1], &[("client_assertion", assertion.as_str())]].concat();
        assert_eq!(app.post_form("/par", &form).await.status, 201, "{aud}");
    }
}

#[tokio::test]
async fn rfc_9126_section_2_3_the_client_is_authenticated_as_at_the_token_endpoint() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let request = Authorization::of(&client);
    let failed = "client authentication failed";
    app.post_form("/par", &request.parameters()).await.assert_error(400, "invalid_client", failed);
    push(&app, &client.with_secret("wrong"), &request).await.assert_basic_error(failed);
    let other = app.web_client().await;
    let contradiction = "client_id is not the authenticated client";
    app.call_as(&other, "/par", &request.parameters()).await.assert_basic_error(contradiction);
    let header = basic(&client.id, client.secret());
    let answer = app.post("/par").header("authorization", &header).json(&json!({})).send().await;
    answer.assert_error(400, "invalid_request", "the content type must be application/x-www-form-urlencoded");
}

#[tokio::test]
async fn what_the_authorization_endpoint_refuses_is_refused_at_once() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| {
        settings.redirect_uris.push("https://web.example/other".into());
    });
    let client = client.await;
    let request = Authorization::of(&client);
    let no_pkce = "the parameter code_challenge is missing: PKCE is required";
    for (request, code, description) in [
        (request.clone().without_pkce(), "invalid_request", no_pkce),
        (
            request.clone().with("code_challenge_method", "plain"),
            "invalid_request",
            "code_challenge_method must be S256",
        ),
        (
            request.clone().with("request_uri", "urn:ietf:params:oauth:request_uri:x"),
            "invalid_request",
            "a pushed request must not have the parameter request_uri",
        ),
        (request.clone().without("redirect_uri"), "invalid_request", "the parameter redirect_uri is missing"),
        (
            request.clone().with("redirect_uri", "https://evil.example/"),
            "invalid_request",
            "the redirect_uri is not registered for this client",
        ),
        (request.clone().without("response_type"), "invalid_request", "the parameter response_type is missing"),
        (
            request.clone().with("response_type", "code id_token"),
            "unsupported_response_type",
            "the response_type must be code",
        ),
        (request.clone().with("response_type", "token"), "unsupported_response_type", "the response_type must be code"),
        (
            request.clone().with("scope", "openid admin:clients"),
            "invalid_scope",
            "a scope was asked for that this client may not have",
        ),
        (
            request.clone().with("resource", "https://unknown.example/"),
            "invalid_target",
            "the resource is unknown, or not for this client",
        ),
        (request.clone().and("state", "again"), "invalid_request", "repeated parameter"),
    ] {
        let answer = push(&app, &client, &request).await;
        answer.assert_error(400, code, description);
    }
    let machine =
        app.machine_client_with(|settings| settings.redirect_uris = vec!["https://web.example/".into()]).await;
    let answer = push(&app, &machine, &Authorization::of(&machine)).await;
    answer.assert_error(400, "unauthorized_client", "the client may not use the authorization code grant");
}

#[tokio::test]
async fn long_nonces_and_states_are_accepted() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = Authorization::of(&client).with("nonce", &"n".repeat(384)).with("state", &"s".repeat(1000));
    let request = app.pushed(&client, &request).await;
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!(tokens.id_claims(&app).await["nonce"], "n".repeat(384));
}

#[tokio::test]
async fn what_is_beside_the_request_uri_is_ignored() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = app.pushed(&client, &Authorization::of(&client).without("state")).await;
    let beside = "&state=x&scope=openid%20email&redirect_uri=https%3A%2F%2Fevil.example&response_type=token&nonce=x";
    let mut browser = app.browser();
    let page = browser.open(&format!("{}{beside}", request.path())).await;
    let page = browser.log_in(&page, &alice).await;
    let answer = page.returned_to(&client.redirect_uri);
    assert_eq!(answer.keys().collect::<Vec<_>>(), ["code", "iss"], "there was no state in the pushed request");
    let tokens = Tokens { body: app.token(&client, &app.redemption(&request, &answer["code"])).await.json() };
    assert_eq!(tokens.body["scope"], "openid");
}

#[tokio::test]
async fn a_request_uri_is_opened_twice_before_the_login_and_answered_once() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = app.pushed(&client, &Authorization::of(&client)).await;
    let mut browser = app.browser();
    browser.open(&request.path()).await.assert_login();
    let page = browser.open(&request.path()).await;
    let code = browser.log_in(&page, &alice).await.returned_code(&client.redirect_uri);
    assert_eq!(app.token(&client, &app.redemption(&request, &code)).await.status, 200);
    for mut browser in [browser, app.browser()] {
        let answer = browser.open(&request.path()).await.returned_to(&client.redirect_uri);
        assert_eq!((answer["error"].as_str(), answer["error_description"].as_str()), ("invalid_request_uri", REUSED));
        assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), (request.value("state"), app.issuer()));
    }
}

#[tokio::test]
async fn two_pages_of_one_request_uri_end_with_one_code_and_one_refusal() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = app.pushed(&client, &Authorization::of(&client)).await;
    let (mut one, mut two) = (app.browser(), app.browser());
    let (first, second) = (one.open(&request.path()).await, two.open(&request.path()).await);
    one.log_in(&first, &alice).await.returned_code(&client.redirect_uri);
    let answer = two.log_in(&second, &alice).await.returned_to(&client.redirect_uri);
    assert_eq!(answer["error"], "invalid_request_uri");
}

#[tokio::test]
async fn a_double_click_gets_its_answer_again() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Always).await;
    let request = app.pushed(&client, &Authorization::of(&client)).await;
    let mut browser = app.browser();
    let page = browser.open(&request.path()).await;
    let consent = browser.log_in(&page, &alice).await;
    for _ in 0..2 {
        browser.submit(&consent, "consent-allow", &[]).await.returned_code(&client.redirect_uri);
    }
}

#[tokio::test]
async fn a_denied_request_is_answered_too() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = app.web_client_with(|settings| settings.consent = ConsentPolicy::Always).await;
    let request = app.pushed(&client, &Authorization::of(&client)).await;
    let mut browser = app.browser();
    let page = browser.open(&request.path()).await;
    let consent = browser.log_in(&page, &alice).await;
    let denied = browser.submit(&consent, "consent-deny", &[]).await.returned_to(&client.redirect_uri);
    assert_eq!(denied["error"], "access_denied");
    let answer = browser.open(&request.path()).await.returned_to(&client.redirect_uri);
    assert_eq!(answer["error"], "invalid_request_uri");
}

#[tokio::test]
async fn sixty_four_uses_of_one_request_uri_over_two_instances_have_one_winner() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (browser, _) = app.signed_in(&alice).await;
    let request = app.pushed(&client, &Authorization::of(&client)).await;
    let racers = (0..64).map(|n| {
        let mut browser = browser.clone();
        if n % 2 == 1 {
            browser.use_instance(&other.base);
        }
        let path = request.path();
        async move { browser.open(&path).await }
    });
    let pages = futures_util::future::join_all(racers).await;
    let answers: Vec<_> = pages.iter().map(|page| page.returned_to(&client.redirect_uri)).collect();
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.contains_key("code"));
    assert_eq!((won.len(), lost.len()), (1, 63));
    assert!(lost.iter().all(|answer| answer["error"] == "invalid_request_uri"), "{lost:?}");
    assert_eq!(app.token(&client, &app.redemption(&request, &won[0]["code"])).await.status, 200);
}

#[tokio::test]
async fn a_request_uri_ends_exactly_when_it_was_said_to() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let request = app.pushed(&client, &Authorization::of(&client)).await;
    app.pass(TimeDelta::seconds(60) - TimeDelta::milliseconds(1));
    app.browser().open(&request.path()).await.assert_login();
    app.pass(TimeDelta::milliseconds(1));
    let answer = app.browser().open(&request.path()).await.returned_to(&client.redirect_uri);
    assert_eq!((answer["error"].as_str(), answer["error_description"].as_str()), ("invalid_request_uri", REUSED));
    // Much later nobody knows any more where it would have led.
    app.pass(TimeDelta::minutes(10));
    let page = app.browser().open(&request.path()).await;
    page.assert_error("/authorize", 400, "invalid_request_uri", "the request_uri is not one of this client");
}

#[tokio::test]
async fn a_person_may_take_longer_than_the_request_uri_lives() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let request = app.pushed(&client, &Authorization::of(&client)).await;
    let mut browser = app.browser();
    let page = browser.open(&request.path()).await;
    app.pass(TimeDelta::minutes(15));
    browser.log_in(&page, &alice).await.returned_code(&client.redirect_uri);
}

#[tokio::test]
async fn another_clients_request_uri_is_a_page() {
    let app = TestApp::start().await;
    let (client, other) = (app.web_client().await, app.web_client().await);
    let request = app.pushed(&client, &Authorization::of(&client)).await;
    let description = "the request_uri is not one of this client";
    let theirs = request.clone().with("client_id", &other.id);
    let page = app.browser().open(&theirs.path()).await;
    page.assert_error("/authorize", 400, "invalid_request_uri", description);
    let unknown = request.pushed_as(&format!("urn:ietf:params:oauth:request_uri:{}", "x".repeat(43)));
    let page = app.browser().open(&unknown.path()).await;
    page.assert_error("/authorize", 400, "invalid_request_uri", description);
    app.browser().open(&request.path()).await.assert_login();
}

#[tokio::test]
async fn a_request_uri_may_come_by_post() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    let request = app.pushed(&client, &Authorization::of(&client)).await;
    let uri = url::Url::parse(&format!("http://x{}", request.path())).unwrap();
    let fields: Vec<(String, String)> = uri.query_pairs().into_owned().collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    app.browser().post_from_elsewhere("/authorize", &fields).await.assert_login();
}

#[tokio::test]
async fn rfc_9449_section_10_1_a_proof_binds_the_code_to_its_key() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (key, other) = (ClientKey::generate("ES256"), ClientKey::generate("ES256"));
    let push = |request: Authorization, proof: &str| {
        client.sign(app.post("/par").header("dpop", proof), &request.without("client_id").parameters()).send()
    };
    let proof_for = |path: &str| key.proof(&app, "POST", path, json!({}));
    let request = Authorization::of(&client);
    let proof = proof_for("/par");
    for request in [request.clone(), request.clone().with("dpop_jkt", &key.thumbprint())] {
        let answer = push(request.clone(), &proof_for("/par")).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let request = request.pushed_as(body["request_uri"].as_str().unwrap());
        let code = app.code(&mut app.browser(), &request, &alice).await;
        let form = app.redemption(&request, &code);
        let wrong = app.proven_token(&client, &form, &other.proof(&app, "POST", "/token", json!({}))).await;
        assert!(wrong.status == 400 && wrong.body.contains("invalid_grant"), "{wrong:?}");
        let none = app.token(&client, &form).await;
        none.assert_error(400, "invalid_dpop_proof", "the code is bound to a key: a DPoP proof is required");
        assert_eq!(app.proven_token(&client, &form, &proof_for("/token")).await.json()["token_type"], "DPoP");
    }
    let description = "the DPoP proof is by another key than dpop_jkt names";
    let answer = push(request.clone().with("dpop_jkt", &other.thumbprint()), &proof_for("/par")).await;
    answer.assert_error(400, "invalid_dpop_proof", description);
    // It is used once, here or elsewhere, and for this address.
    assert_eq!(push(request.clone(), &proof).await.status, 201);
    push(request.clone(), &proof).await.assert_error(400, "invalid_dpop_proof", "the DPoP proof was used before");
    let elsewhere = push(request, &proof_for("/token")).await;
    assert!(elsewhere.status == 400 && elsewhere.body.contains("invalid_dpop_proof"), "{elsewhere:?}");
}

#[tokio::test]
async fn where_pushing_is_required_nothing_else_will_do() {
    let app = TestApp::start().await;
    let client = app.web_client_with(|settings| settings.require_pushed_authorization_requests = true).await;
    let request = Authorization::of(&client);
    let refused = |answer: std::collections::BTreeMap<String, String>| {
        assert_eq!(answer["error"], "invalid_request");
        assert_eq!(answer["error_description"], "the authorization request must be pushed");
        assert_eq!(answer["state"], request.value("state"));
    };
    refused(app.browser().open(&request.path()).await.returned_to(&client.redirect_uri));
    app.browser().open(&app.pushed(&client, &request).await.path()).await.assert_login();
    let strict = TestApp::with_config(|config| config.pushed_requests.required = true).await;
    let client = strict.web_client().await;
    let request = Authorization::of(&client);
    let answer = strict.browser().open(&request.path()).await.returned_to(&client.redirect_uri);
    assert_eq!(answer["error_description"], "the authorization request must be pushed");
    let metadata = strict.get("/.well-known/openid-configuration").send().await;
    let metadata: Value = serde_json::from_str(&metadata.body).unwrap();
    assert_eq!(metadata["require_pushed_authorization_requests"], true);
    strict.browser().open(&strict.pushed(&client, &request).await.path()).await.assert_login();
}

#[tokio::test]
async fn par_is_post_only() {
    let app = TestApp::start().await;
    for method in [http::Method::GET, http::Method::PUT, http::Method::DELETE] {
        app.request(method, "/par").send().await.assert_method_not_allowed(&["POST"]);
    }
}

#[tokio::test]
async fn what_anybody_can_push_is_limited_by_network() {
    let app = TestApp::with_config(|config| config.throttle.beginnings_per_network = 3).await;
    let (public, confidential) = (app.public_client().await, app.web_client().await);
    for _ in 0..3 {
        assert_eq!(push(&app, &public, &Authorization::of(&public)).await.status, 201);
    }
    let answer = push(&app, &public, &Authorization::of(&public)).await;
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(push(&app, &confidential, &Authorization::of(&confidential)).await.status, 201);
}
