//! DPoP (RFC 9449) at the token endpoint: proofs, what they bind, and nonces.

use ostiary::config::NoncePolicy;
use ostiary::model::client::{AccessTokenFormat, ClientAuthMethod};
use serde_json::{Value, json};

use crate::harness::proof::{bad_proofs, good_proofs};
use crate::harness::{ASSERTION_TYPE, Answer, Authorization, ClientKey, TestApp, TestClient, TestPerson, Tokens, jwt};

const MACHINE: [(&str, &str); 1] = [("grant_type", "client_credentials")];
const USED: &str = "the DPoP proof was used before";
const REQUIRED: &str = "the tokens of the client are bound to a key: a DPoP proof is required";
const OTHER_KEY: &str = "the refresh token is bound to another key or certificate";

fn token_of(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn proof(app: &TestApp, key: &ClientKey) -> String {
    key.proof(app, "POST", "/token", json!({}))
}

async fn refresh(app: &TestApp, client: &TestClient, token: &str, key: &ClientKey) -> Answer {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    app.proven_token(client, &form, &proof(app, key)).await
}

/// Tokens of a person that are bound to `key`.
async fn bound_tokens(app: &TestApp, client: &TestClient, person: &TestPerson, key: &ClientKey) -> Tokens {
    let request = Authorization::of(client);
    let code = app.code(&mut app.browser(), &request, person).await;
    Tokens { body: app.proven_token(client, &app.redemption(&request, &code), &proof(app, key)).await.json() }
}

#[tokio::test]
async fn rfc_9449_section_5_a_proof_binds_the_access_token_to_its_key() {
    let app = TestApp::start().await;
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let client = app.machine_client_with(|settings| settings.access_token_format = format).await;
        for alg in ["PS256", "ES256", "EdDSA"] {
            let key = ClientKey::generate(alg);
            let answer = app.proven_token(&client, &MACHINE, &proof(&app, &key)).await;
            answer.assert_not_stored();
            assert_eq!(answer.header("dpop-nonce"), None);
            assert_eq!(answer.json()["token_type"], "DPoP");
            let token = token_of(&answer);
            if format == AccessTokenFormat::Jwt {
                assert_eq!(jwt::verify(&app, &token).await.claims["cnf"], json!({"jkt": key.thumbprint()}));
            }
            // RFC 9449 section 6.2.
            let told = app.introspect(&client, &token).await.json();
            assert_eq!((&told["token_type"], &told["cnf"]), (&json!("DPoP"), &json!({"jkt": key.thumbprint()})));
        }
        let answer = app.token(&client, &MACHINE).await;
        assert_eq!(answer.json()["token_type"], "Bearer");
        let told = app.introspect(&client, &token_of(&answer)).await.json();
        assert_eq!((&told["token_type"], told.get("cnf")), (&json!("Bearer"), None));
    }
}

#[tokio::test]
async fn rfc_9449_section_5_2_a_client_that_registered_it_gets_bound_tokens_alone() {
    let app = TestApp::start().await;
    let (client, key) =
        (app.web_client_with(|s| s.dpop_bound_access_tokens = true).await, ClientKey::generate("ES256"));
    let request = Authorization::of(&client);
    let code = app.code(&mut app.browser(), &request, &app.alice().await).await;
    let form = app.redemption(&request, &code);
    app.token(&client, &form).await.assert_error(400, "invalid_dpop_proof", REQUIRED);
    // The code was not used up.
    let tokens = Tokens { body: app.proven_token(&client, &form, &proof(&app, &key)).await.json() };
    assert_eq!(tokens.body["token_type"], "DPoP");
    app.refresh(&client, tokens.refresh()).await.assert_error(400, "invalid_dpop_proof", REQUIRED);
    assert_eq!(refresh(&app, &client, tokens.refresh(), &key).await.json()["token_type"], "DPoP");
}

#[tokio::test]
async fn rfc_9449_section_4_3_each_rule_refuses_at_the_token_endpoint() {
    let app = TestApp::start().await;
    let (client, key) = (app.machine_client().await, ClientKey::generate("ES256"));
    for (bad, description) in bad_proofs(&app, &key, ("POST", "/token"), &json!({})) {
        let answer = app.proven_token(&client, &MACHINE, &bad).await;
        answer.assert_error(400, "invalid_dpop_proof", description);
    }
    let call = client.sign(app.post("/token"), &MACHINE).header("dpop", &proof(&app, &key));
    let answer = call.header("dpop", &proof(&app, &key)).send().await;
    answer.assert_error(400, "invalid_dpop_proof", "more than one DPoP proof");
    assert_eq!(app.proven_token(&client, &MACHINE, &proof(&app, &key)).await.status, 200);
}

#[tokio::test]
async fn unusual_proofs_are_accepted_at_the_token_endpoint() {
    let app = TestApp::start().await;
    let (client, key) = (app.machine_client().await, ClientKey::generate("PS256"));
    app.pass_seconds(11);
    for good in good_proofs(&app, &key, ("POST", "/token"), &json!({})) {
        assert_eq!(app.proven_token(&client, &MACHINE, &good).await.json()["token_type"], "DPoP", "{good}");
    }
}

#[tokio::test]
async fn rfc_9449_section_11_1_a_proof_is_used_once_at_any_instance() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let (client, key) = (app.machine_client().await, ClientKey::generate("ES256"));
    let used = key.proof(&app, "POST", "/token", json!({"jti": "one"}));
    assert_eq!(app.proven_token(&client, &MACHINE, &used).await.status, 200);
    for app in [&app, &other] {
        app.proven_token(&client, &MACHINE, &used).await.assert_error(400, "invalid_dpop_proof", USED);
    }
    // For as long as it could be accepted.
    app.pass_seconds(59);
    app.proven_token(&client, &MACHINE, &used).await.assert_error(400, "invalid_dpop_proof", USED);
    app.pass_seconds(1);
    let answer = app.proven_token(&client, &MACHINE, &used).await;
    answer.assert_error(400, "invalid_dpop_proof", "the DPoP proof is too old");
    // The name is the key's own: another one may use it too.
    let neighbour = ClientKey::generate("ES256").proof(&app, "POST", "/token", json!({"jti": "one"}));
    assert_eq!(app.proven_token(&client, &MACHINE, &neighbour).await.status, 200);
}

#[tokio::test]
async fn sixty_four_uses_of_one_proof_have_one_winner() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let (client, key) = (app.machine_client().await, ClientKey::generate("ES256"));
    let proof = proof(&app, &key);
    let racers = (0..64).map(|n| if n % 2 == 0 { &app } else { &other }.proven_token(&client, &MACHINE, &proof));
    let answers = futures_util::future::join_all(racers).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 63));
    for answer in lost {
        answer.assert_error(400, "invalid_dpop_proof", USED);
    }
}

#[tokio::test]
async fn of_an_assertion_and_a_proof_the_one_that_was_used_is_named() {
    let app = TestApp::start().await;
    let (client, key) = (app.signing_client(ClientKey::generate("ES256")).await, ClientKey::generate("ES256"));
    let call = |assertion: &str, proof: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion),
        ];
        app.post("/token").form(&form).header("dpop", proof).send()
    };
    let (used_assertion, used_proof) = (client.assertion(json!({})), proof(&app, &key));
    assert_eq!(call(&used_assertion, &used_proof).await.status, 200);
    let assertion_used = "the client assertion was used before";
    call(&used_assertion, &proof(&app, &key)).await.assert_error(400, "invalid_client", assertion_used);
    call(&client.assertion(json!({})), &used_proof).await.assert_error(400, "invalid_dpop_proof", USED);
    call(&used_assertion, &used_proof).await.assert_error(400, "invalid_client", assertion_used);
    // A bad proof uses no assertion up.
    let assertion = client.assertion(json!({}));
    assert_eq!(call(&assertion, "malformed").await.status, 400);
    assert_eq!(call(&assertion, &proof(&app, &key)).await.status, 200);
}

#[tokio::test]
async fn a_proof_that_was_made_before_the_state_store_began_is_not_believed() {
    let app = TestApp::start().await;
    let (client, key) = (app.machine_client().await, ClientKey::generate("ES256"));
    let before = key.proof(&app, "POST", "/token", json!({"iat": app.now().timestamp() - 1}));
    let description = "the DPoP proof is older than what this server remembers, make a new one";
    app.proven_token(&client, &MACHINE, &before).await.assert_error(400, "invalid_dpop_proof", description);
}

#[tokio::test]
async fn rfc_9449_section_10_a_code_is_redeemed_with_the_key_of_its_request_alone() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let (key, other) = (ClientKey::generate("ES256"), ClientKey::generate("ES256"));
    let request = Authorization::of(&client).with("dpop_jkt", &key.thumbprint());
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let form = app.redemption(&request, &code);
    let answer = app.token(&client, &form).await;
    answer.assert_error(400, "invalid_dpop_proof", "the code is bound to a key: a DPoP proof is required");
    let answer = app.proven_token(&client, &form, &proof(&app, &other)).await;
    answer.assert_error(400, "invalid_grant", "the code is bound to another key than that of the DPoP proof");
    // Nothing of that used the code up.
    let tokens = Tokens { body: app.proven_token(&client, &form, &proof(&app, &key)).await.json() };
    assert_eq!(tokens.access_claims(&app).await["cnf"]["jkt"], key.thumbprint());
}

#[tokio::test]
async fn rfc_9449_section_10_a_dpop_jkt_that_is_no_thumbprint_is_refused() {
    let app = TestApp::start().await;
    let client = app.web_client().await;
    for wrong in
        ["", "x", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I="]
    {
        let request = Authorization::of(&client).with("dpop_jkt", wrong);
        let page = app.browser().open(&request.path()).await;
        if wrong.is_empty() {
            // RFC 6749 section 3.1: a parameter without a value is none.
            assert!(!page.has_left, "{page:?}");
        } else {
            assert_eq!(page.returned_error(&client.redirect_uri)["error"], "invalid_request", "{wrong}");
        }
    }
}

#[tokio::test]
async fn rfc_9449_section_5_the_refresh_token_of_a_public_client_is_bound_to_its_key() {
    let app = TestApp::start().await;
    let (client, key, other) = (app.public_client().await, ClientKey::generate("ES256"), ClientKey::generate("EdDSA"));
    let first = bound_tokens(&app, &client, &app.alice().await, &key).await;
    app.refresh(&client, first.refresh()).await.assert_error(400, "invalid_grant", OTHER_KEY);
    refresh(&app, &client, first.refresh(), &other).await.assert_error(400, "invalid_grant", OTHER_KEY);
    let second = Tokens { body: refresh(&app, &client, first.refresh(), &key).await.json() };
    assert_eq!(second.body["token_type"], "DPoP");
    assert_eq!(second.access_claims(&app).await["cnf"]["jkt"], key.thumbprint());
    // A retry gets the same, with the same key alone.
    app.pass_seconds(5);
    refresh(&app, &client, first.refresh(), &other).await.assert_error(400, "invalid_grant", OTHER_KEY);
    let again = Tokens { body: refresh(&app, &client, first.refresh(), &key).await.json() };
    assert_eq!(again.refresh(), second.refresh());
    assert_eq!(again.access_claims(&app).await, second.access_claims(&app).await);
    // Whoever lacks the key cannot end the family with an old token; whoever has it can.
    app.pass_seconds(60);
    refresh(&app, &client, first.refresh(), &other).await.assert_error(400, "invalid_grant", OTHER_KEY);
    let third = Tokens { body: refresh(&app, &client, second.refresh(), &key).await.json() };
    let used = "the refresh token was used before";
    refresh(&app, &client, first.refresh(), &key).await.assert_error(400, "invalid_grant", used);
    let over = "the refresh token is not valid";
    refresh(&app, &client, third.refresh(), &key).await.assert_error(400, "invalid_grant", over);
}

#[tokio::test]
async fn a_public_client_that_begins_to_prove_is_held_to_its_key_from_then_on() {
    let app = TestApp::start().await;
    let (client, key) = (app.public_client().await, ClientKey::generate("ES256"));
    let first = app.tokens(&client, &app.alice().await, "openid").await;
    let second = Tokens { body: refresh(&app, &client, first.refresh(), &key).await.json() };
    for token in [&first, &second] {
        app.refresh(&client, token.refresh()).await.assert_error(400, "invalid_grant", OTHER_KEY);
    }
    assert_eq!(refresh(&app, &client, second.refresh(), &key).await.status, 200);
}

#[tokio::test]
async fn the_refresh_token_of_a_confidential_client_is_not_bound_and_takes_a_new_key() {
    let app = TestApp::start().await;
    let clients = [app.web_client().await, {
        let key = ClientKey::generate("ES256");
        let jwks = key.jwks();
        let client = app.web_client_with(|settings| {
            settings.token_endpoint_auth_method = ClientAuthMethod::PrivateKeyJwt;
            settings.jwks = Some(jwks);
        });
        client.await.with_key(key)
    }];
    let alice = app.alice().await;
    for client in clients {
        let first = bound_tokens(&app, &client, &alice, &ClientKey::generate("ES256")).await;
        let new = ClientKey::generate("ES256");
        let second = Tokens { body: refresh(&app, &client, first.refresh(), &new).await.json() };
        assert_eq!(second.access_claims(&app).await["cnf"]["jkt"], new.thumbprint());
        let third = app.refreshed(&client, second.refresh()).await;
        assert_eq!(third.body["token_type"], "Bearer");
    }
}

#[tokio::test]
async fn rfc_9449_section_8_a_proof_needs_a_nonce_where_the_server_says_so() {
    let app = TestApp::with_config(|config| config.dpop.nonces = NoncePolicy::Required).await;
    let other = app.second_instance().await;
    let (client, key) = (app.machine_client().await, ClientKey::generate("ES256"));
    // On the beginning of a span.
    app.pass_seconds(300 - app.now().timestamp() % 300);
    let with = |nonce: Value| key.proof(&app, "POST", "/token", json!({ "nonce": nonce }));
    let answer = app.proven_token(&client, &MACHINE, &with(json!(null))).await;
    let missing = "the DPoP proof must have the nonce of the header DPoP-Nonce";
    answer.assert_error(400, "use_dpop_nonce", missing);
    let nonce = answer.header("dpop-nonce").unwrap().to_owned();
    assert!(nonce.len() >= 22);
    let ended = "the nonce of the DPoP proof has ended, use the one of the header DPoP-Nonce";
    for wrong in ["", "x", &"A".repeat(43)] {
        let answer = app.proven_token(&client, &MACHINE, &with(json!(wrong))).await;
        answer.assert_error(400, "use_dpop_nonce", ended);
        assert_eq!(answer.header("dpop-nonce"), Some(nonce.as_str()));
    }
    for app in [&app, &other] {
        let answer = app.proven_token(&client, &MACHINE, &with(json!(nonce))).await;
        assert_eq!((answer.status, answer.header("dpop-nonce")), (200, None));
    }
    // Good for one more span, in which the next one is told.
    app.pass_seconds(300);
    let answer = app.proven_token(&client, &MACHINE, &with(json!(nonce))).await;
    let next = answer.header("dpop-nonce").unwrap().to_owned();
    assert_eq!(answer.status, 200);
    assert_ne!(next, nonce);
    app.pass_seconds(300);
    let answer = app.proven_token(&client, &MACHINE, &with(json!(nonce))).await;
    answer.assert_error(400, "use_dpop_nonce", ended);
    assert_eq!(app.proven_token(&client, &MACHINE, &with(json!(next))).await.status, 200);
    // Who proves nothing needs none, and a proof of an earlier time is none with any nonce.
    assert_eq!(app.token(&client, &MACHINE).await.json()["token_type"], "Bearer");
}

#[tokio::test]
async fn scripts_of_allowed_origins_may_send_proofs_and_read_nonces() {
    let app =
        TestApp::with_config(|config| config.server.cors_allowed_origins = vec!["https://app.example".into()]).await;
    let preflight = app
        .request(http::Method::OPTIONS, "/token")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "dpop")
        .send()
        .await;
    assert_eq!(preflight.header("access-control-allow-headers"), Some("authorization,content-type,dpop"));
    let answer = app.post("/token").header("origin", "https://app.example").form(&MACHINE).send().await;
    assert_eq!(answer.header("access-control-expose-headers"), Some("www-authenticate,retry-after,dpop-nonce"));
}

#[tokio::test]
async fn what_was_not_made_here_uses_up_no_proof_of_a_public_client() {
    let app = TestApp::start().await;
    let (client, alice, key) = (app.public_client().await, app.alice().await, ClientKey::generate("ES256"));
    let once = proof(&app, &key);
    for (form, code) in [
        ([("grant_type", "authorization_code"), ("code", "made.up")], "invalid_grant"),
        ([("grant_type", "refresh_token"), ("refresh_token", "made.up")], "invalid_grant"),
        ([("grant_type", "password"), ("username", "alice")], "unsupported_grant_type"),
        ([("grant_type", "client_credentials"), ("scope", "openid")], "unauthorized_client"),
    ] {
        assert_eq!(app.proven_token(&client, &form, &once).await.document(400)["error"], code);
    }
    let request = Authorization::of(&client);
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let form = app.redemption(&request, &code);
    assert_eq!(app.proven_token(&client, &form, &once).await.json()["token_type"], "DPoP");
    app.proven_token(&client, &form, &once).await.assert_error(400, "invalid_dpop_proof", USED);
}
