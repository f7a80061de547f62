//! An adversary who has a client of its own, a key of its own and everything that ever crossed a browser, and tries each attack of
//! RFC 9700, RFC 8725 and the security considerations of the drafts that we implement. After every attack it is shown that what was
//! attacked still works for whom it is meant: a server that refuses everything would pass nothing here.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::model::client::{ClientSettings, GrantType};
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};

use crate::harness::proof::{ath, changed};
use crate::harness::{
    ASSERTION_TYPE, Answer, Authorization, ClientKey, Receiver, TestApp, TestClient, TestPerson, Tokens, jwt,
};

const INVALID_GRANT: &str = "invalid_grant";

/// A server, and the client that is attacked.
struct Scene {
    app: TestApp,
    victim: TestClient,
    alice: TestPerson,
}

/// Where a JWT by a client's key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Assertion,
    RequestObject,
    Proof,
}

const PLACES: [Place; 3] = [Place::Assertion, Place::RequestObject, Place::Proof];

fn for_machines_too(settings: &mut ClientSettings) {
    settings.grant_types.push(GrantType::ClientCredentials);
    settings.scopes.push("photos.read".into());
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let victim = app.signing_web_client_with(ClientKey::generate("ES256"), for_machines_too).await;
        let alice = app.alice().await;
        Self { app, victim, alice }
    }

    fn key(&self) -> &ClientKey {
        self.victim.key.as_deref().unwrap()
    }

    /// What the victim would send there.
    fn good(&self, place: Place) -> String {
        match place {
            Place::Assertion => self.victim.assertion(json!({})),
            Place::RequestObject => self.victim.request_object(&Authorization::of(&self.victim), json!({})),
            Place::Proof => self.key().proof(&self.app, "POST", "/token", json!({})),
        }
    }

    async fn send(&self, place: Place, forged: &str) -> Answer {
        let good = self.good(Place::Assertion);
        let assertion = if place == Place::Assertion { forged } else { &good };
        let credentials = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
        let grant = [("grant_type", "client_credentials"), ("scope", "photos.read")];
        match place {
            Place::Assertion => self.app.post("/token").form(&[&grant[..], &credentials].concat()).send().await,
            Place::RequestObject => {
                self.app.post_form("/par", &[&[("request", forged)][..], &credentials].concat()).await
            }
            Place::Proof => {
                let call = self.app.post("/token").form(&[&grant[..], &credentials].concat());
                call.header("dpop", forged).send().await
            }
        }
    }

    async fn assert_refused(&self, place: Place, forged: &str, attack: &str) {
        let answer = self.send(place, forged).await;
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let code = body["error"].as_str().unwrap_or_default();
        let expected = match place {
            Place::Assertion => "invalid_client",
            Place::RequestObject => "invalid_request_object",
            Place::Proof => "invalid_dpop_proof",
        };
        // An assertion that cannot even be read names nobody.
        let is_expected = code == expected || (place == Place::Assertion && code == "invalid_request");
        assert!(is_expected && [400, 401].contains(&answer.status), "{attack} at {place:?}: {answer:?}");
    }

    async fn assert_accepted(&self, place: Place) {
        let answer = self.send(place, &self.good(place)).await;
        assert!([200, 201].contains(&answer.status), "{place:?}: {answer:?}");
    }

    async fn code(&self, client: &TestClient) -> (Authorization, String) {
        let request = Authorization::of(client);
        let code = self.app.code(&mut self.app.browser(), &request, &self.alice).await;
        (request, code)
    }
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test]
async fn alg_none_is_nowhere_a_signature() {
    let scene = Scene::new().await;
    for place in PLACES {
        let good = jwt::read(&scene.good(place));
        for alg in ["none", "None", "NONE", "nOnE", ""] {
            let header = changed(good.header.clone(), json!({ "alg": alg })).to_string();
            let input = format!("{}.{}", encoded(&header), encoded(&good.claims.to_string()));
            for signature in ["", "AA"] {
                scene.assert_refused(place, &format!("{input}.{signature}"), "alg none").await;
            }
            scene.assert_refused(place, &input, "no signature at all").await;
        }
        scene.assert_accepted(place).await;
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret_for_hmac() {
    let scene = Scene::new().await;
    let jwk = scene.key().bare_jwk();
    let point = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let (x, y) = (point("x"), point("y"));
    let secrets = [
        jwk.to_string().into_bytes(),
        scene.key().jwk().to_string().into_bytes(),
        [&x[..], &y].concat(),
        [&[4], &x[..], &y].concat(),
        x,
        Vec::from(*b" "),
    ];
    for place in PLACES {
        let mut good = jwt::read(&scene.good(place));
        good.header["alg"] = json!("HS256");
        for secret in &secrets {
            scene.assert_refused(place, &jwt::authenticated_with(&good, secret), "HMAC with a public key").await;
        }
        scene.assert_accepted(place).await;
    }
    // Nor are those of the server.
    let tokens = scene.app.tokens(&scene.victim, &scene.alice, "openid").await;
    let keys = scene.app.get("/jwks.json").send().await.json();
    for key in keys["keys"].as_array().unwrap() {
        let mut token = jwt::read(tokens.access());
        token.header["alg"] = json!("HS256");
        token.header["kid"] = key["kid"].clone();
        let forged = jwt::authenticated_with(&token, key.to_string().as_bytes());
        assert_eq!(scene.app.userinfo(&forged).await.status, 401);
    }
    assert_eq!(scene.app.userinfo(tokens.access()).await.status, 200);
}

#[tokio::test]
async fn an_algorithm_is_not_exchanged_for_another_of_the_same_key() {
    let app = TestApp::start().await;
    let key = ClientKey::generate("PS256");
    let client = app.signing_client(key).await;
    let claims = client.assertion_claims(json!({}));
    let key = client.key.as_deref().unwrap();
    for alg in ["RS256", "PS384", "ES256", "EdDSA", "ps256", "HS256"] {
        let forged = key.sign_under(&json!({"alg": alg, "kid": key.kid, "typ": "JWT"}), &claims);
        let form = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &forged)];
        let answer = app.post_form("/token", &[&[("grant_type", "client_credentials")], &form[..]].concat()).await;
        answer.assert_error(400, "invalid_client", "client authentication failed");
    }
    assert_eq!(app.token(&client, &[("grant_type", "client_credentials")]).await.status, 200);
}

/// RFC 7515 sections 4.1.2 to 4.1.8: what a header says of its own key is hearsay, and no address in it is ever called.
#[tokio::test]
async fn a_key_that_a_jwt_brings_along_is_not_believed() {
    let mut receiver = Receiver::start().await;
    let app = TestApp::with_config(|config| config.outbound.allow = vec![receiver.exception()]).await;
    let victim = app.signing_web_client_with(ClientKey::generate("ES256"), for_machines_too).await;
    let scene = Scene { alice: app.alice().await, app, victim };
    let own = ClientKey::generate("ES256");
    receiver.serve("/keys", &own.jwks());
    let address = receiver.url("/keys");
    for place in [Place::Assertion, Place::RequestObject] {
        let good = jwt::read(&scene.good(place));
        for (attack, more) in [
            ("jwk", json!({"jwk": own.bare_jwk()})),
            ("jwk with the kid of the victim", json!({"jwk": own.jwk(), "kid": scene.key().kid})),
            ("jku", json!({"jku": address, "kid": own.kid})),
            ("x5u", json!({ "x5u": address })),
            ("x5c", json!({"x5c": ["MIIB"]})),
        ] {
            let header = changed(good.header.clone(), more);
            scene.assert_refused(place, &own.sign_under(&header, &good.claims), attack).await;
        }
        scene.assert_accepted(place).await;
    }
    let access = scene.app.tokens(&scene.victim, &scene.alice, "openid").await;
    let token = jwt::read(access.access());
    for more in [json!({"jwk": own.bare_jwk()}), json!({"jku": address, "kid": own.kid}), json!({ "x5u": address })] {
        let forged = own.sign_under(&changed(token.header.clone(), more), &token.claims);
        assert_eq!(scene.app.userinfo(&forged).await.status, 401);
    }
    receiver.assert_nothing_more();
}

#[tokio::test]
async fn the_name_of_a_key_finds_nothing_but_that_key() {
    let scene = Scene::new().await;
    let (own, adversary) = (ClientKey::generate("ES256"), ClientKey::generate("ES256"));
    let adversary = scene.app.signing_client(adversary).await;
    let foreign = adversary.key.as_deref().unwrap();
    let server = scene.app.get("/jwks.json").send().await.json()["keys"][0]["kid"].clone();
    for place in [Place::Assertion, Place::RequestObject] {
        let good = jwt::read(&scene.good(place));
        for kid in [
            json!(foreign.kid),
            server.clone(),
            json!("../../../../dev/null"),
            json!("' OR 1=1 --"),
            json!("\u{0}"),
            json!(scene.key().kid.to_uppercase()),
            json!(""),
            json!("k".repeat(4096)),
            json!(null),
        ] {
            let header = changed(good.header.clone(), json!({ "kid": kid }));
            for key in [&own, foreign] {
                scene.assert_refused(place, &key.sign_under(&header, &good.claims), "a foreign key").await;
            }
        }
        for kid in [json!(1), json!(["a"]), json!({}), json!(true)] {
            let mut header = good.header.clone();
            header["kid"] = kid;
            scene.assert_refused(place, &scene.key().sign_under(&header, &good.claims), "a kid that is no text").await;
        }
        scene.assert_accepted(place).await;
    }
}

#[tokio::test]
async fn a_member_that_is_there_twice_has_no_meaning() {
    let scene = Scene::new().await;
    for place in PLACES {
        let good = jwt::read(&scene.good(place));
        let (header, claims) = (good.header.to_string(), good.claims.to_string());
        let twice = |text: &str, member: &str| format!("{{{member},{}", &text[1..]);
        let alg = scene.key().sign_text(&twice(&header, "\"alg\":\"none\""), &claims);
        scene.assert_refused(place, &alg, "alg twice in the header").await;
        // The last one of the same value: no reader could tell it from the first, and still nobody writes it by accident.
        for name in good.claims.as_object().unwrap().keys() {
            let member = format!("{}:{}", json!(name), good.claims[name]);
            let forged = scene.key().sign_text(&header, &twice(&claims, &member));
            scene.assert_refused(place, &forged, &format!("{name} twice")).await;
        }
        scene.assert_accepted(place).await;
    }
}

#[tokio::test]
async fn what_a_client_signed_for_one_purpose_is_good_for_no_other() {
    let scene = Scene::new().await;
    for place in PLACES {
        for other in PLACES.into_iter().filter(|other| *other != place) {
            scene.assert_refused(place, &scene.good(other), &format!("{other:?}")).await;
        }
    }
    // Nor what it got from the server: an ID token has the client as its audience.
    let tokens = scene.app.tokens(&scene.victim, &scene.alice, "openid").await;
    for place in PLACES {
        for token in [tokens.id(), tokens.access()] {
            scene.assert_refused(place, token, "a token of the server").await;
        }
        scene.assert_accepted(place).await;
    }
}

#[tokio::test]
async fn what_the_server_signed_for_one_purpose_is_good_for_no_other() {
    let app = TestApp::start().await;
    let client = app
        .web_client_with(|settings| {
            settings.userinfo_signed_response_alg = Some(SigningAlg::RS256);
            settings.authorization_signed_response_alg = SigningAlg::RS256;
        })
        .await;
    let alice = app.alice().await;
    let tokens = app.tokens(&client, &alice, "openid").await;
    let userinfo = app.userinfo(tokens.access()).await.body;
    let request = Authorization::of(&client).with("response_mode", "jwt");
    let response =
        app.browser().authorize(&request, &alice).await.returned_to(&client.redirect_uri)["response"].clone();
    for (what, token) in [("an ID token", tokens.id()), ("a userinfo answer", &userinfo), ("a response", &response)] {
        let answer = app.userinfo(token).await;
        assert_eq!(answer.status, 401, "{what} as an access token");
        app.introspect(&client, token).await.assert_inactive();
        let answer = app.refresh(&client, token).await;
        answer.assert_error(400, INVALID_GRANT, "the refresh token is not valid");
    }
    for (what, token) in
        [("an access token", tokens.access()), ("a userinfo answer", &userinfo), ("a response", &response)]
    {
        let request = Authorization::of(&client).with("prompt", "none").with("id_token_hint", token);
        let error = app.browser().open(&request.path()).await.returned_error(&client.redirect_uri);
        assert_eq!(error["error"], "invalid_request", "{what} as an ID token");
    }
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    let code = tokens.refresh();
    let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", client.redirect_uri.as_str())];
    app.token(&client, &form).await.assert_error(400, INVALID_GRANT, "the code is not valid");
    app.assert_family_stands(&client, &tokens).await;
}

/// RFC 9700 section 4.5: the adversary puts a code that it stole, or got itself, into somebody else's flow.
#[tokio::test]
async fn a_code_is_neither_cut_from_one_flow_nor_pasted_into_another() {
    let scene = Scene::new().await;
    let (app, victim) = (&scene.app, &scene.victim);
    let (adversary, public) = (app.web_client().await, app.public_client().await);
    let (request, code) = scene.code(victim).await;
    let (own_request, own_code) = scene.code(&adversary).await;
    let (second, second_code) = scene.code(victim).await;
    // The code of the victim at the adversary's own client, and the other way round.
    for (client, request, code) in
        [(&adversary, &request, &code), (&public, &request, &code), (victim, &own_request, &own_code)]
    {
        let answer = app.token(client, &app.redemption(request, code)).await;
        answer.assert_error(400, INVALID_GRANT, "the code is not valid");
    }
    // The code of one session of the client in another: the verifiers differ.
    for (request, code) in [(&request, &second_code), (&second, &code)] {
        let answer = app.token(victim, &app.redemption(request, code)).await;
        answer.assert_error(400, INVALID_GRANT, "code_verifier does not match");
    }
    for (client, request, code) in
        [(victim, &request, &code), (victim, &second, &second_code), (&adversary, &own_request, &own_code)]
    {
        assert_eq!(app.token(client, &app.redemption(request, code)).await.status, 200);
    }
}

/// RFC 9700 section 4.4, RFC 9207.
#[tokio::test]
async fn a_client_of_two_servers_can_tell_whose_answer_it_has() {
    let (honest, evil) = (TestApp::start().await, TestApp::start().await);
    let (alice, mallory) = (honest.alice().await, evil.alice().await);
    let client = honest.web_client().await;
    let settings = ClientSettings {
        redirect_uris: vec![client.redirect_uri.clone()],
        scopes: vec!["openid".into()],
        ..ClientSettings::default()
    };
    let same = evil.insert_client_with_secret(&client.id, settings, client.secret.clone()).await;
    let request = Authorization::of(&client);
    let answer = honest.browser().authorize(&request, &alice).await.returned_to(&client.redirect_uri);
    assert_eq!(answer["iss"], honest.issuer());
    assert_ne!(honest.issuer(), evil.issuer());
    // Sent to the wrong server all the same, the code of one is nothing to the other, and is not used up.
    let form = honest.redemption(&request, &answer["code"]);
    evil.token(&same, &form).await.assert_error(400, INVALID_GRANT, "the code is not valid");
    let tokens = Tokens { body: honest.token(&client, &form).await.json() };
    assert_eq!(evil.userinfo(tokens.access()).await.status, 401);
    evil.introspect(&same, tokens.access()).await.assert_inactive();
    let error = evil.browser().open(&Authorization::of(&same).with("prompt", "none").path()).await;
    assert_eq!(error.returned_error(&client.redirect_uri)["iss"], evil.issuer(), "errors say it too");
    let own = evil.browser().authorize(&Authorization::of(&same), &mallory).await.returned_to(&client.redirect_uri);
    let form = honest.redemption(&request, &own["code"]);
    honest.token(&client, &form).await.assert_error(400, INVALID_GRANT, "the code is not valid");
}

#[tokio::test]
async fn a_client_that_pushes_is_not_brought_back_to_the_browser() {
    let app = TestApp::start().await;
    let client = app
        .signing_web_client_with(ClientKey::generate("PS256"), |settings| {
            settings.require_pushed_authorization_requests = true;
            settings.require_signed_request_object = true;
        })
        .await;
    let alice = app.alice().await;
    let request = Authorization::of(&client);
    let object = client.request_object(&request, json!({}));
    let with_object = request.clone().with("request", &object);
    for request in [&request, &with_object] {
        let error = app.browser().open(&request.path()).await.returned_error(&client.redirect_uri);
        assert_eq!(error["error"], "invalid_request");
    }
    let unsigned = app.call_as(&client, "/par", &request.clone().without("client_id").parameters()).await;
    assert_eq!(unsigned.status, 400, "{unsigned:?}");
    // What stands beside the request_uri weakens nothing.
    let answer = app.call_as(&client, "/par", &[("request", &object)]).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let pushed = request.pushed_as(body["request_uri"].as_str().unwrap());
    let path = format!(
        "{}&redirect_uri=https%3A%2F%2Fevil.example%2F&scope=openid+email&code_challenge=&state=evil",
        pushed.path()
    );
    let mut browser = app.browser();
    let page = browser.open(&path).await;
    let answer = browser.log_in(&page, &alice).await.returned_to(&client.redirect_uri);
    assert_eq!(answer["state"], request.value("state"));
    let tokens = app.token(&client, &app.redemption(&request, &answer["code"])).await.json();
    assert_eq!(tokens["scope"], "openid");
}

/// RFC 9700 sections 2.1.1 and 4.8.2.
#[tokio::test]
async fn pkce_is_not_talked_away() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let strict = app.web_client().await;
    let lax = app.web_client_with(|settings| settings.pkce_required = false).await;
    let error = app.browser().open(&Authorization::of(&strict).without_pkce().path()).await;
    assert_eq!(error.returned_error(&strict.redirect_uri)["error"], "invalid_request");
    for client in [&strict, &lax] {
        for (name, value) in
            [("code_challenge_method", "plain"), ("code_challenge", "short"), ("code_challenge_method", "")]
        {
            let request = Authorization::of(client).with(name, value);
            let error = app.browser().open(&request.path()).await.returned_error(&client.redirect_uri);
            assert_eq!(error["error"], "invalid_request", "{name}={value}");
        }
        let request = Authorization::of(client);
        let code = app.code(&mut app.browser(), &request, &alice).await;
        let [grant, code_part, redirect, verifier] = app.redemption(&request, &code);
        for form in [vec![grant, code_part, redirect], vec![grant, code_part, redirect, ("code_verifier", "")]] {
            assert_eq!(app.token(client, &form).await.status, 400, "the verifier is left out");
        }
        assert_eq!(app.token(client, &[grant, code_part, redirect, verifier]).await.status, 200);
    }
    // A request without a challenge, and a verifier at the end: somebody took the challenge out on the way.
    let request = Authorization::of(&lax).without_pkce();
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let answer = app.token(&lax, &app.redemption(&request, &code)).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.body.contains(INVALID_GRANT));
}

/// Whatever is used once was used once everywhere: at another instance, and after the clock moved as far as it is good for.
#[tokio::test]
async fn what_was_used_is_not_used_again_at_another_instance() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let other = app.second_instance().await;
    let (request, code) = scene.code(&scene.victim).await;
    let assertion = scene.good(Place::Assertion);
    let grant = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
    let redemption = app.redemption(&request, &code);
    let tokens = Tokens { body: app.post_form("/token", &[&redemption[..], &grant].concat()).await.json() };
    let answer = other.post_form("/token", &[&redemption[..], &grant].concat()).await;
    answer.assert_error(400, "invalid_client", "the client assertion was used before");
    app.assert_family_stands(&scene.victim, &tokens).await;
    let answer = other.token(&scene.victim, &redemption).await;
    answer.assert_error(400, INVALID_GRANT, "the code was used before");
    app.assert_access_token_is_over(&scene.victim, tokens.access()).await;
    let proof = scene.good(Place::Proof);
    let form = [("grant_type", "client_credentials"), ("scope", "photos.read")];
    assert_eq!(app.proven_token(&scene.victim, &form, &proof).await.status, 200);
    let answer = other.proven_token(&scene.victim, &form, &proof).await;
    answer.assert_error(400, "invalid_dpop_proof", "the DPoP proof was used before");
}

/// RFC 9449 section 7.2 and RFC 8705 section 3: whoever stole a bound token has nothing.
#[tokio::test]
async fn a_bound_token_does_not_become_a_bearer_token() {
    let scene = Scene::new().await;
    let app = &scene.app;
    let (request, code) = scene.code(&scene.victim).await;
    let proof = scene.good(Place::Proof);
    let tokens =
        Tokens { body: app.proven_token(&scene.victim, &app.redemption(&request, &code), &proof).await.json() };
    assert_eq!(app.userinfo(tokens.access()).await.status, 401);
    let thief = ClientKey::generate("ES256");
    assert_eq!(app.get_with_key("/userinfo", tokens.access(), &thief).await.status, 401);
    // With a proof of the victim's that was made for another token, method or address.
    for (method, path, token) in
        [("GET", "/userinfo", "another"), ("POST", "/userinfo", tokens.access()), ("GET", "/resource", tokens.access())]
    {
        let stolen = scene.key().proof(app, method, path, json!({"ath": ath(token)}));
        assert_eq!(app.get("/userinfo").dpop(tokens.access(), &stolen).send().await.status, 401);
    }
    let without_cnf = jwt::with_claim(tokens.access(), "cnf", json!(null));
    assert_eq!(app.userinfo(&without_cnf).await.status, 401);
    assert_eq!(app.get_with_key("/userinfo", tokens.access(), scene.key()).await.status, 200);
}

/// How much a text could hold if its characters were independent: the estimate of the certification suite (Shannon).
fn entropy_bits(text: &str) -> f64 {
    let length = text.len() as f64;
    let bits_of = |byte: u8| {
        let share = text.bytes().filter(|other| *other == byte).count() as f64 / length;
        -share.log2()
    };
    text.bytes().map(bits_of).sum()
}

/// RFC 6749 section 10.10, and what the certification suite asks of codes, refresh tokens and request URIs: over 96 bits each.
#[tokio::test]
async fn nothing_that_is_given_out_can_be_guessed_from_another_one() {
    let app = TestApp::start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let mut given: Vec<[String; 3]> = Vec::new();
    for _ in 0..8 {
        let request = Authorization::of(&client).with("scope", "openid offline_access");
        let pushed = app.pushed(&client, &request).await;
        let code = app.code(&mut browser, &request, &alice).await;
        let tokens = Tokens { body: app.token(&client, &app.redemption(&request, &code)).await.json() };
        given.push([
            code,
            tokens.refresh().to_owned(),
            pushed.path().rsplit("request_uri=").next().unwrap().to_owned(),
        ]);
    }
    for (index, kind) in ["code", "refresh token", "request_uri"].into_iter().enumerate() {
        let all: Vec<&str> = given.iter().map(|one| one[index].as_str()).collect();
        for (number, one) in all.iter().enumerate() {
            assert!(entropy_bits(one) > 96.0, "{kind}: {one}");
            for other in &all[..number] {
                // Not more in the same place than chance and the fixed parts allow: 32 of 256 random bits would be six characters.
                let same = one.bytes().zip(other.bytes()).filter(|(a, b)| a == b).count();
                assert!(one.len() - same >= 32, "{kind}: {one} and {other}");
            }
        }
    }
}
