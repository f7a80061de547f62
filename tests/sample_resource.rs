//! `/resource` and `/userinfo` as resources for tokens that are bound to a key (RFC 9449 section 7), and the admin API.

use http::Method;
use ostiary::config::NoncePolicy;
use serde_json::{Value, json};

use crate::harness::proof::{ath, bad_proofs, changed, good_proofs};
use crate::harness::{Answer, Authorization, ClientKey, PHOTOS_API, TestApp, TestClient, TestPerson, Tokens};

const PATHS: [&str; 2] = ["/resource", "/userinfo"];
const ALGS: &str = "algs=\"PS256 ES256 EdDSA\"";
const USED: &str = "the DPoP proof was used before";

async fn start() -> TestApp {
    TestApp::with_config(|config| config.oidc.sample_resource = true).await
}

/// A person's token that is bound to `key`.
async fn bound_token(app: &TestApp, client: &TestClient, person: &TestPerson, key: &ClientKey) -> String {
    let request = Authorization::of(client);
    let code = app.code(&mut app.browser(), &request, person).await;
    let proof = key.proof(app, "POST", "/token", json!({}));
    let answer = app.proven_token(client, &app.redemption(&request, &code), &proof).await;
    Tokens { body: answer.json() }.access().to_owned()
}

#[track_caller]
fn assert_refused(answer: &Answer, code: &str, description: &str) {
    let challenge = format!("DPoP realm=\"ostiary\", error=\"{code}\", error_description=\"{description}\", {ALGS}");
    answer.assert_challenge(401, code, description, &challenge);
}

#[tokio::test]
async fn a_bearer_token_is_told_what_it_says() {
    let app = start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid email").await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let call = app.get("/resource").header("authorization", &format!("{scheme} {}", tokens.access()));
        let answer = call.send().await;
        answer.assert_not_stored();
        assert!(answer.header("date").is_some());
        assert_eq!(answer.header("x-fapi-interaction-id"), None);
        let expected = json!({"sub": alice.sub(), "client_id": client.id, "scope": "openid email"});
        assert_eq!(answer.json(), expected);
    }
    app.revoke(&client, tokens.access()).await;
    let description = "the access token is invalid, expired or revoked";
    app.get("/resource").bearer(tokens.access()).send().await.assert_bearer_error(401, "invalid_token", description);
    app.post("/resource").bearer(tokens.access()).send().await.assert_method_not_allowed(&["GET", "HEAD"]);
}

#[tokio::test]
async fn the_interaction_id_is_given_back_if_it_is_a_uuid() {
    let app = start().await;
    let tokens = app.tokens(&app.web_client().await, &app.alice().await, "openid").await;
    let call = |id: &str| app.get("/resource").bearer(tokens.access()).header("x-fapi-interaction-id", id).send();
    let id = "C770AEF3-6784-41F7-8E0E-FF5F97BDDB3A";
    assert_eq!(call(id).await.header("x-fapi-interaction-id"), Some(id));
    for other in ["", "1", "{c770aef3-6784-41f7-8e0e-ff5f97bddb3a}", "c770aef3678441f78e0eff5f97bddb3a"] {
        let answer = call(other).await;
        assert_eq!((answer.status, answer.header("x-fapi-interaction-id")), (200, None), "{other}");
    }
}

#[tokio::test]
async fn a_token_in_the_query_or_for_another_resource_or_none_is_refused() {
    let app = start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid").await;
    let path = format!("/resource?access_token={}", tokens.access());
    let answer = app.get(&path).send().await;
    answer.assert_bearer_error(400, "invalid_request", "an access token in the query is not accepted");
    let request = Authorization::of(&client).with("scope", "openid photos.read").and("resource", PHOTOS_API);
    let foreign = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    let answer = app.get("/resource").bearer(foreign.access()).send().await;
    answer.assert_bearer_error(401, "invalid_token", "the access token is for another resource");
    let answer = app.get("/resource").send().await;
    let challenge = format!("Bearer realm=\"ostiary\", DPoP realm=\"ostiary\", {ALGS}");
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(challenge.as_str())));
}

#[tokio::test]
async fn without_the_setting_there_is_no_such_resource() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/resource").send().await.status, 404);
}

#[tokio::test]
async fn rfc_9449_section_7_a_bound_token_is_good_with_its_key() {
    let app = start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    for alg in ["PS256", "ES256", "EdDSA"] {
        let key = ClientKey::generate(alg);
        let token = bound_token(&app, &client, &alice, &key).await;
        for path in PATHS {
            let answer = app.get_with_key(path, &token, &key).await;
            assert_eq!(answer.json()["sub"], alice.sub());
            assert_eq!(answer.header("dpop-nonce"), None);
        }
        let proof = key.proof(&app, "POST", "/userinfo", json!({"ath": ath(&token)}));
        assert_eq!(app.post("/userinfo").dpop(&token, &proof).send().await.json()["sub"], alice.sub());
        for scheme in ["dpop", "DPOP"] {
            let proof = key.proof(&app, "GET", "/resource", json!({"ath": ath(&token)}));
            let call = app.get("/resource").header("authorization", &format!("{scheme} {token}"));
            assert_eq!(call.header("dpop", &proof).send().await.status, 200);
        }
        let proof = key.proof(&app, "GET", "/resource", json!({"ath": ath(&token)}));
        let host = app.base.trim_start_matches("http://");
        let request = format!(
            "GET /resource HTTP/1.1\r\nHost: {host}\r\nAUTHORIZATION: DPoP {token}\r\nDPOP: {proof}\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(app.raw(request.as_bytes()).await.status, 200, "names of headers have no case");
    }
}

#[tokio::test]
async fn rfc_9449_section_4_3_each_rule_refuses_at_a_resource() {
    let app = start().await;
    let (client, alice, key) = (app.web_client().await, app.alice().await, ClientKey::generate("ES256"));
    let token = bound_token(&app, &client, &alice, &key).await;
    let base = json!({"ath": ath(&token)});
    for path in PATHS {
        for (bad, description) in bad_proofs(&app, &key, ("GET", path), &base) {
            let answer = app.get(path).dpop(&token, &bad).send().await;
            assert_refused(&answer, "invalid_dpop_proof", description);
        }
        let wrong = "the ath of the DPoP proof is not the hash of the access token";
        for wrong_ath in [json!(null), ath("another"), json!(token)] {
            let bad = key.proof(&app, "GET", path, changed(base.clone(), json!({ "ath": wrong_ath })));
            assert_refused(&app.get(path).dpop(&token, &bad).send().await, "invalid_dpop_proof", wrong);
        }
        let good = || key.proof(&app, "GET", path, base.clone());
        let answer = app.get(path).dpop(&token, &good()).header("dpop", &good()).send().await;
        assert_refused(&answer, "invalid_dpop_proof", "more than one DPoP proof");
        let answer = app.get(path).header("authorization", &format!("DPoP {token}")).send().await;
        assert_refused(&answer, "invalid_dpop_proof", "a DPoP proof is required");
        let other = ClientKey::generate("ES256");
        let answer = app.get_with_key(path, &token, &other).await;
        assert_refused(&answer, "invalid_token", "the access token is bound to another key");
        assert_eq!(app.get(path).dpop(&token, &good()).send().await.status, 200, "a correct proof at the end");
    }
}

#[tokio::test]
async fn unusual_proofs_are_accepted_at_a_resource() {
    let app = start().await;
    let (client, alice, key) = (app.web_client().await, app.alice().await, ClientKey::generate("EdDSA"));
    let token = bound_token(&app, &client, &alice, &key).await;
    app.pass_seconds(11);
    for path in PATHS {
        for good in good_proofs(&app, &key, ("GET", path), &json!({"ath": ath(&token)})) {
            assert_eq!(app.get(path).dpop(&token, &good).send().await.status, 200, "{good}");
        }
    }
}

#[tokio::test]
async fn rfc_9449_section_7_2_a_bound_token_is_no_bearer_token_and_the_other_way_round() {
    let app = start().await;
    let (client, alice, key) = (app.web_client().await, app.alice().await, ClientKey::generate("ES256"));
    let bound = bound_token(&app, &client, &alice, &key).await;
    let plain = app.tokens(&client, &alice, "openid").await;
    for path in PATHS {
        let description = "the access token is bound to a key: send it with a DPoP proof";
        let challenge = format!(
            "Bearer realm=\"ostiary\", error=\"invalid_token\", error_description=\"{description}\", DPoP realm=\"ostiary\", {ALGS}"
        );
        let proof = key.proof(&app, "GET", path, json!({"ath": ath(&bound)}));
        for call in [app.get(path), app.get(path).header("dpop", &proof)] {
            let answer = call.bearer(&bound).send().await;
            answer.assert_challenge(401, "invalid_token", description, &challenge);
        }
        let answer = app.get_with_key(path, plain.access(), &key).await;
        assert_refused(&answer, "invalid_token", "the access token is not bound to a key");
        assert_refused(
            &app.get_with_key(path, "x", &key).await,
            "invalid_token",
            "the access token is invalid, expired or revoked",
        );
    }
    let answer = app.post("/userinfo").form(&[("access_token", &bound)]).send().await;
    assert_eq!(answer.status, 401, "{answer:?}");
}

#[tokio::test]
async fn a_proof_is_used_once_at_a_resource_too() {
    let app = start().await;
    let other = app.second_instance().await;
    let (client, alice, key) = (app.web_client().await, app.alice().await, ClientKey::generate("ES256"));
    let token = bound_token(&app, &client, &alice, &key).await;
    let named = |path: &str| key.proof(&app, "GET", path, json!({"ath": ath(&token), "jti": "one"}));
    for path in PATHS {
        // RFC 9449 section 11.1: a name is used up for its address.
        let proof = named(path);
        assert_eq!(app.get(path).dpop(&token, &proof).send().await.status, 200);
        for app in [&app, &other] {
            assert_refused(&app.get(path).dpop(&token, &proof).send().await, "invalid_dpop_proof", USED);
        }
    }
    let proof = key.proof(&app, "GET", "/userinfo", json!({"ath": ath(&token)}));
    let racers = (0..64).map(|n| if n % 2 == 0 { &app } else { &other }.get("/userinfo").dpop(&token, &proof).send());
    let answers = futures_util::future::join_all(racers).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_refused(answer, "invalid_dpop_proof", USED);
    }
}

#[tokio::test]
async fn what_lacks_a_scope_or_was_revoked_is_told_so_under_its_own_scheme() {
    let app = start().await;
    let (client, key) = (app.machine_client().await, ClientKey::generate("ES256"));
    let proof = key.proof(&app, "POST", "/token", json!({}));
    let answer = app.proven_token(&client, &[("grant_type", "client_credentials")], &proof).await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(app.get_with_key("/resource", &token, &key).await.json()["sub"], client.id);
    let description = "the access token was not given by a person";
    let challenge = format!(
        "DPoP realm=\"ostiary\", error=\"insufficient_scope\", error_description=\"{description}\", {ALGS}, scope=\"openid\""
    );
    let answer = app.get_with_key("/userinfo", &token, &key).await;
    answer.assert_challenge(403, "insufficient_scope", description, &challenge);
    assert_eq!(app.revoke(&client, &token).await.status, 200);
    let over = "the access token is invalid, expired or revoked";
    assert_refused(&app.get_with_key("/resource", &token, &key).await, "invalid_token", over);
}

#[tokio::test]
async fn rfc_9449_section_9_a_resource_gives_nonces_too() {
    let app = TestApp::with_config(|config| {
        config.dpop.nonces = NoncePolicy::Required;
        config.oidc.sample_resource = true;
    })
    .await;
    app.pass_seconds(300 - app.now().timestamp() % 300);
    let (client, key) = (app.machine_client().await, ClientKey::generate("ES256"));
    let form = [("grant_type", "client_credentials")];
    let answer = app.proven_token(&client, &form, &key.proof(&app, "POST", "/token", json!({}))).await;
    let nonce = answer.header("dpop-nonce").unwrap().to_owned();
    let proof = key.proof(&app, "POST", "/token", json!({ "nonce": nonce }));
    let token = app.proven_token(&client, &form, &proof).await.json()["access_token"].as_str().unwrap().to_owned();
    let call = |nonce: Value| {
        let proof = key.proof(&app, "GET", "/resource", json!({"ath": ath(&token), "nonce": nonce}));
        app.get("/resource").dpop(&token, &proof).send()
    };
    let answer = call(json!(null)).await;
    assert_refused(&answer, "use_dpop_nonce", "the DPoP proof must have the nonce of the header DPoP-Nonce");
    assert_eq!(answer.header("dpop-nonce"), Some(nonce.as_str()));
    let answer = call(json!(nonce)).await;
    assert_eq!((answer.status, answer.header("dpop-nonce")), (200, None));
    app.pass_seconds(300);
    let answer = call(json!(nonce)).await;
    assert!(answer.status == 200 && answer.header("dpop-nonce").is_some_and(|next| next != nonce), "{answer:?}");
}

#[tokio::test]
async fn the_admin_api_takes_a_bound_token_with_its_key_alone() {
    let app = start().await;
    let client = app.admin_client(&["admin:clients:read"]).await;
    let (key, other) = (ClientKey::generate("ES256"), ClientKey::generate("ES256"));
    let resource = app.admin_resource();
    let form = [("grant_type", "client_credentials"), ("resource", &resource), ("scope", "admin:clients:read")];
    let answer = app.proven_token(&client, &form, &key.proof(&app, "POST", "/token", json!({}))).await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let path = "/admin/clients";
    assert_eq!(app.get_with_key(path, &token, &key).await.status, 200);
    let answer = app.get(path).bearer(&token).send().await;
    let challenge =
        format!("Bearer realm=\"ostiary-admin\", error=\"invalid_token\", DPoP realm=\"ostiary-admin\", {ALGS}");
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(challenge.as_str())));
    let answer = app.get_with_key(path, &token, &other).await;
    let description = "the access token is bound to another key";
    let challenge =
        format!("DPoP realm=\"ostiary-admin\", error=\"invalid_token\", error_description=\"{description}\", {ALGS}");
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(challenge.as_str())));
    // The address is that of the thing itself, and the method that of the call.
    let proof = key.proof(&app, "GET", path, json!({"ath": ath(&token)}));
    for (method, path) in [(Method::POST, path), (Method::GET, "/admin/clients/x")] {
        assert_eq!(app.request(method, path).dpop(&token, &proof).send().await.status, 401);
    }
    let call = || app.get(path).dpop(&token, &proof).send();
    assert_eq!((call().await.status, call().await.status), (200, 401), "a proof is used once");
}
