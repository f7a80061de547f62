//! OpenID Connect Client-Initiated Backchannel Authentication: `/backchannel_authentication`, the pages `/account/requests`, polling
//! at `/token`, and word to the client.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use ostiary::config::OutboundPurpose;
use ostiary::model::client::{
    ClientAuthMethod, ClientSettings, ConsentPolicy, GrantType, SubjectType, TokenDeliveryMode,
};
use ostiary::model::id::ClientId;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Authorization, Browser, ClientKey, Cluster, Database, MAIL_API, PHOTOS_API, Page, Receiver, TestApp,
    TestClient, TestPerson, Tokens, Valkey, eventually,
};

const PATH: &str = "/backchannel_authentication";
const PAGE: &str = "/account/requests";
const GRANT: &str = "urn:openid:params:grant-type:ciba";
const TOKEN: &str = "8d67dc78-7faa-4d41-aabd-67707b374255";
const PENDING: (&str, &str) = ("authorization_pending", "the user has not decided yet");
const SLOW_DOWN: (&str, &str) = ("slow_down", "the client asks too often: it must wait 5 seconds longer from now on");
const EXPIRED: (&str, &str) = ("expired_token", "the auth_req_id has expired");
const REFUSED: (&str, &str) = ("access_denied", "the user refused the request");
const INVALID: (&str, &str) = ("invalid_grant", "the auth_req_id is not valid");
const USED: (&str, &str) = ("invalid_grant", "the code was used before");
const NOBODY: (&str, &str) = ("unknown_user_id", "nobody here is meant by the hint");
const ASKED: [(&str, &str); 2] = [("scope", "openid offline_access photos.read"), ("login_hint", "alice")];

/// A client that asks, and its request.
struct Request {
    client: TestClient,
    body: Value,
}

impl Request {
    async fn begin(app: &TestApp, client: &TestClient) -> Self {
        Self::begin_with(app, client, &ASKED).await
    }

    async fn begin_with(app: &TestApp, client: &TestClient, form: &[(&str, &str)]) -> Self {
        let answer = app.call_as(client, PATH, form).await;
        answer.assert_not_stored();
        assert_eq!(answer.status, 200, "{answer:?}");
        Self { client: client.clone(), body: answer.json() }
    }

    fn id(&self) -> &str {
        self.body["auth_req_id"].as_str().expect("an auth_req_id")
    }

    fn form(&self) -> [(&'static str, &str); 2] {
        [("grant_type", GRANT), ("auth_req_id", self.id())]
    }

    async fn poll(&self, app: &TestApp) -> Answer {
        app.token(&self.client, &self.form()).await
    }

    async fn tokens(&self, app: &TestApp) -> Tokens {
        let answer = self.poll(app).await;
        answer.assert_not_stored();
        assert_eq!(answer.status, 200, "{answer:?}");
        Tokens { body: answer.json() }
    }
}

#[track_caller]
fn told(answer: &Answer, (code, description): (&str, &str)) {
    answer.assert_error(400, code, description);
}

fn of_a_call_centre(settings: &mut ClientSettings) {
    settings.grant_types = vec![GrantType::Ciba, GrantType::RefreshToken];
    settings.backchannel_token_delivery_mode = Some(TokenDeliveryMode::Poll);
    settings.redirect_uris.clear();
    settings.post_logout_redirect_uris.clear();
    settings.consent = ConsentPolicy::Remembered;
}

async fn call_centre(app: &TestApp) -> TestClient {
    app.web_client_with(of_a_call_centre).await
}

/// A browser in which that person is signed in.
async fn signed_in(app: &TestApp, person: &TestPerson) -> Browser {
    let mut browser = app.browser();
    let page = browser.open("/login").await;
    let page = browser.log_in(&page, person).await;
    assert_eq!(page.url.path(), "/account/consents", "{page:?}");
    browser
}

/// The question about the oldest request.
async fn look(browser: &mut Browser) -> Page {
    let page = browser.open(PAGE).await;
    page.assert_page_headers();
    browser.submit(&page, "look-1", &[]).await
}

async fn approve(browser: &mut Browser) {
    let question = look(browser).await;
    assert_eq!(question.url.path(), "/consent", "{question:?}");
    let done = browser.submit(&question, "consent-allow", &[]).await;
    assert!(done.has("request-done") && done.url.path() == "/account/requests/done", "{done:?}");
    done.assert_page_headers();
}

/// A request that its person has allowed, and the browser they did it in.
async fn approved(app: &TestApp) -> (Request, TestPerson, Browser) {
    let (client, alice) = (call_centre(app).await, app.alice().await);
    let mut browser = signed_in(app, &alice).await;
    let request = Request::begin(app, &client).await;
    approve(&mut browser).await;
    (request, alice, browser)
}

#[tokio::test]
async fn section_7_3_a_client_is_told_a_name_for_its_request() {
    let app = TestApp::start().await;
    app.alice().await;
    let request = Request::begin(&app, &call_centre(&app).await).await;
    let names: BTreeSet<&str> = request.body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["auth_req_id", "expires_in", "interval"].into());
    assert_eq!((&request.body["expires_in"], &request.body["interval"]), (&json!(300), &json!(5)));
    // Section 7.3: of these characters, and with 160 bits of entropy where possible.
    assert!(request.id().len() >= 43);
    assert!(request.id().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
    let other = Request::begin(&app, &request.client).await;
    assert_ne!(request.id(), other.id());
}

#[tokio::test]
async fn section_7_1_requested_expiry_is_what_the_request_lives_for_up_to_the_longest() {
    let app = TestApp::start().await;
    app.alice().await;
    let client = call_centre(&app).await;
    for (asked, given) in [("60", 60), ("900", 900), ("86400", 900), ("99999999999999999999", 900)] {
        let form = [ASKED.as_slice(), &[("requested_expiry", asked)]].concat();
        let request = Request::begin_with(&app, &client, &form).await;
        assert_eq!(request.body["expires_in"], given, "{asked}");
    }
    let form = [ASKED.as_slice(), &[("requested_expiry", "60")]].concat();
    let request = Request::begin_with(&app, &client, &form).await;
    app.pass_seconds(59);
    told(&request.poll(&app).await, PENDING);
    app.pass_seconds(1);
    told(&request.poll(&app).await, EXPIRED);
}

#[tokio::test]
async fn a_person_allows_and_the_client_gets_tokens_like_any_client() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let signing = app.signing_web_client_with(ClientKey::generate("PS256"), of_a_call_centre).await;
    let mut browser = signed_in(&app, &alice).await;
    let session = app.now().timestamp();
    for client in [call_centre(&app).await, signing] {
        app.pass_seconds(2);
        let form = [ASKED.as_slice(), &[("binding_message", "W4-SCT"), ("resource", PHOTOS_API)]].concat();
        let request = Request::begin_with(&app, &client, &form).await;
        told(&request.poll(&app).await, PENDING);
        let list = browser.open(PAGE).await;
        for said in ["Photo Album", "W4-SCT", "See your photos", "ends in 5 minutes"] {
            assert!(list.visible_text().contains(said), "{said} is in {}", list.visible_text());
        }
        let question = look(&mut browser).await;
        question.assert_page_headers();
        assert_eq!(question.text("binding-message"), "W4-SCT");
        for said in ["Photo Album", "Alice Adams", "See your photos", "This request was made elsewhere"] {
            assert!(question.visible_text().contains(said), "{said} is in {}", question.visible_text());
        }
        app.pass_seconds(5);
        told(&request.poll(&app).await, PENDING);
        let done = browser.submit(&question, "consent-allow", &[]).await;
        assert!(done.has("request-done"), "{done:?}");
        let tokens = request.tokens(&app).await;
        assert_eq!(tokens.body["token_type"], "Bearer");
        assert_eq!(tokens.body["scope"], "openid offline_access photos.read");
        let claims = tokens.id_claims(&app).await;
        assert_eq!((&claims["sub"], &claims["aud"]), (&json!(alice.sub()), &json!(client.id)));
        assert_eq!((&claims["acr"], &claims["amr"]), (&json!("urn:ostiary:acr:pwd"), &json!(["pwd"])));
        assert_eq!(claims["auth_time"], session);
        assert!(claims["at_hash"].is_string());
        // Section 10.3.1: only where tokens are pushed.
        assert_eq!(claims.get("urn:openid:params:jwt:claim:auth_req_id"), None);
        assert_eq!(tokens.access_claims(&app).await["aud"], PHOTOS_API);
        app.assert_family_stands(&client, &tokens).await;
        // The page may be loaded again, and nothing waits any more.
        assert!(browser.open(done.url.as_str()).await.has("request-done"));
        assert!(browser.open(PAGE).await.has("no-requests"));
    }
}

#[tokio::test]
async fn without_the_refresh_grant_there_is_no_refresh_token_and_what_was_not_granted_is_not_given() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = app
        .web_client_with(|settings| {
            of_a_call_centre(settings);
            settings.grant_types = vec![GrantType::Ciba];
        })
        .await;
    let form = [ASKED.as_slice(), &[("resource", PHOTOS_API)]].concat();
    let request = Request::begin_with(&app, &client, &form).await;
    approve(&mut signed_in(&app, &alice).await).await;
    let form = [request.form().as_slice(), &[("resource", MAIL_API)]].concat();
    told(&app.token(&client, &form).await, ("invalid_target", "a resource was asked for that was not granted"));
    // That used nothing up.
    let tokens = request.tokens(&app).await;
    assert_eq!(tokens.body.get("refresh_token"), None);
    assert_eq!(tokens.body["scope"], "openid photos.read");
}

#[tokio::test]
async fn section_13_what_is_wrong_with_a_request_is_said_at_once() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = call_centre(&app).await;
    let both = app.web_client().await;
    let foreign = app.tokens(&both, &alice, "openid").await;
    let one = "there must be exactly one of login_hint and id_token_hint";
    let unsigned = "signed backchannel authentication requests are not supported";
    let no_token = "login_hint_token is not supported: send login_hint or id_token_hint";
    let no_message = "the binding_message must be one line of 1 to 128 characters that can be seen";
    let no_time = "requested_expiry must be a positive number of seconds";
    let long = "x".repeat(129);
    let (openid, hint) = (("scope", "openid"), ("login_hint", "alice"));
    let cases = [
        (vec![hint], "invalid_scope", "no known scope was asked for"),
        (vec![hint, ("scope", "photos.read")], "invalid_scope", "the scope openid must be asked for"),
        (
            vec![hint, ("scope", "openid admin:clients")],
            "invalid_scope",
            "a scope was asked for that this client may not have",
        ),
        (
            vec![hint, openid, ("resource", "https://unknown.example/")],
            "invalid_target",
            "the resource is unknown, or not for this client",
        ),
        (vec![openid], "invalid_request", one),
        (vec![openid, hint, ("id_token_hint", foreign.id())], "invalid_request", one),
        (vec![openid, ("login_hint_token", "x")], "invalid_request", no_token),
        (vec![openid, hint, ("login_hint_token", "x")], "invalid_request", no_token),
        (
            vec![openid, ("id_token_hint", foreign.id())],
            "invalid_request",
            "the id_token_hint is not an ID token of this client",
        ),
        (
            vec![openid, ("id_token_hint", "x")],
            "invalid_request",
            "the id_token_hint is not an ID token of this client",
        ),
        (vec![openid, ("login_hint", "nobody")], NOBODY.0, NOBODY.1),
        (vec![openid, hint, ("binding_message", &long)], "invalid_binding_message", no_message),
        (vec![openid, hint, ("binding_message", "a\u{202e}b")], "invalid_binding_message", no_message),
        (vec![openid, hint, ("requested_expiry", "0")], "invalid_request", no_time),
        (vec![openid, hint, ("requested_expiry", "soon")], "invalid_request", no_time),
        (vec![openid, hint, ("request", "a.b.c")], "invalid_request", unsigned),
        (vec![openid, hint, ("request_uri", "https://a.example/")], "invalid_request", unsigned),
        (vec![openid, openid, hint], "invalid_request", "repeated parameter"),
    ];
    for (form, code, description) in cases {
        app.call_as(&client, PATH, &form).await.assert_error(400, code, description);
    }
    let failed = "client authentication failed";
    app.call_as(&client.with_secret("wrong"), PATH, &ASKED).await.assert_basic_error(failed);
    let unproven = [ASKED.as_slice(), &[("client_id", client.id.as_str())]].concat();
    app.post_form(PATH, &unproven).await.assert_error(400, "invalid_client", failed);
    let may_not = ("unauthorized_client", "the client may not use backchannel authentication");
    told(&app.call_as(&both, PATH, &ASKED).await, may_not);
    // Nothing waits.
    assert!(signed_in(&app, &alice).await.open(PAGE).await.has("no-requests"));
}

#[tokio::test]
async fn section_7_1_a_client_that_cannot_authenticate_may_not_ask() {
    let app = TestApp::start().await;
    app.alice().await;
    let client = app.public_client_with(of_a_call_centre).await;
    let may_not = ("unauthorized_client", "the client may not use backchannel authentication");
    told(&app.call_as(&client, PATH, &ASKED).await, may_not);
    let signing = app
        .signing_web_client_with(ClientKey::generate("ES256"), |settings| {
            of_a_call_centre(settings);
            settings.token_endpoint_auth_method = ClientAuthMethod::PrivateKeyJwt;
            settings.require_signed_request_object = true;
        })
        .await;
    let must_sign = "the client has to sign its requests, which is not supported here";
    told(&app.call_as(&signing, PATH, &ASKED).await, ("unauthorized_client", must_sign));
}

#[tokio::test]
async fn a_person_is_meant_by_their_name_or_by_an_id_token() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let both = |settings: &mut ClientSettings| {
        settings.grant_types = vec![GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::Ciba];
        settings.backchannel_token_delivery_mode = Some(TokenDeliveryMode::Poll);
    };
    let public = app.web_client_with(both).await;
    let pairwise = app
        .web_client_with(|settings| {
            both(settings);
            settings.subject_type = SubjectType::Pairwise;
        })
        .await;
    let mut browser = signed_in(&app, &alice).await;
    for client in [public, pairwise] {
        let before = app.tokens(&client, &alice, "openid").await;
        let hints = [("login_hint", " ALICE "), ("id_token_hint", before.id())];
        for hint in hints {
            app.pass_seconds(2);
            let request = Request::begin_with(&app, &client, &[("scope", "openid"), hint]).await;
            approve(&mut browser).await;
            let claims = request.tokens(&app).await.id_claims(&app).await;
            assert_eq!(claims["sub"], before.id_claims(&app).await["sub"], "what the client calls them");
        }
    }
    // Whoever is disabled is nobody.
    app.app.postgres.disable_subject(&alice.subject, app.now()).await.unwrap();
    told(&app.call_as(&call_centre(&app).await, PATH, &ASKED).await, NOBODY);
}

#[tokio::test]
async fn section_13_who_looks_for_people_by_asking_is_slowed_down() {
    let app = TestApp::with_config(|config| config.backchannel_authentication.unknown_hints_per_client = 3).await;
    app.alice().await;
    let client = call_centre(&app).await;
    // Hints at somebody do not count.
    for _ in 0..5 {
        Request::begin(&app, &client).await;
    }
    for _ in 0..3 {
        told(&app.call_as(&client, PATH, &[("scope", "openid"), ("login_hint", "nobody")]).await, NOBODY);
    }
    let refused = app.call_as(&client, PATH, &ASKED).await;
    refused.assert_error(429, "temporarily_unavailable", "too many hints of the client meant nobody");
    assert!(refused.header("retry-after").is_some());
    // Other clients are not concerned.
    Request::begin(&app, &call_centre(&app).await).await;
    app.pass(TimeDelta::minutes(31));
    Request::begin(&app, &client).await;
}

#[tokio::test]
async fn one_client_cannot_ask_a_person_again_and_again() {
    let app = TestApp::with_config(|config| config.backchannel_authentication.requests_per_person = 2).await;
    let (alice, client) = (app.alice().await, call_centre(&app).await);
    app.bob().await;
    let mut browser = signed_in(&app, &alice).await;
    for _ in 0..2 {
        let request = Request::begin(&app, &client).await;
        let page = browser.open(PAGE).await;
        assert!(browser.submit(&page, "refuse-1", &[]).await.has("requests-remark"));
        told(&request.poll(&app).await, REFUSED);
    }
    let refused = app.call_as(&client, PATH, &ASKED).await;
    refused.assert_error(429, "temporarily_unavailable", "the client sent this person too many requests");
    Request::begin_with(&app, &client, &[("scope", "openid"), ("login_hint", "bob")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_requests_at_once_ten_wait_for_a_person() {
    let app = TestApp::with_config(|config| {
        config.backchannel_authentication.requests_per_person = 1000;
        // A hint counts until somebody is found.
        config.backchannel_authentication.unknown_hints_per_client = 1000;
    })
    .await;
    let (alice, client) = (app.alice().await, call_centre(&app).await);
    let app = Arc::new(app);
    let calls = (0..64).map(|_| {
        let (app, client) = (app.clone(), client.clone());
        tokio::spawn(async move { app.call_as(&client, PATH, &ASKED).await })
    });
    let answers: Vec<Answer> = join_all(calls).await.into_iter().map(|answer| answer.expect("no panic")).collect();
    let (taken, refused): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(taken.len(), 10);
    for answer in refused {
        answer.assert_error(429, "temporarily_unavailable", "too many requests wait for this person");
    }
    let mut browser = signed_in(&app, &alice).await;
    let page = browser.open(PAGE).await;
    assert!(page.has("look-10") && !page.has("look-11"), "{page:?}");
    // One that is decided makes room, and so does one whose time is over.
    browser.submit(&page, "refuse-1", &[]).await;
    app.pass_seconds(2);
    Request::begin(&app, &client).await;
    app.pass_seconds(300);
    assert!(browser.open(PAGE).await.has("no-requests"));
    Request::begin(&app, &client).await;
}

#[tokio::test]
async fn section_11_a_client_that_asks_too_soon_waits_five_seconds_longer_each_time() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let alice = app.alice().await;
    let request = Request::begin(&app, &call_centre(&app).await).await;
    told(&request.poll(&app).await, PENDING);
    app.pass_seconds(4);
    told(&request.poll(&other).await, PENDING);
    app.pass_seconds(3);
    told(&request.poll(&other).await, SLOW_DOWN);
    app.pass_seconds(8);
    told(&request.poll(&app).await, SLOW_DOWN);
    app.pass_seconds(14);
    told(&request.poll(&other).await, PENDING);
    // Whoever was slow is served as soon as the person has decided.
    approve(&mut signed_in(&app, &alice).await).await;
    request.tokens(&app).await;
}

#[tokio::test]
async fn section_11_access_denied_after_one_click() {
    let app = TestApp::start().await;
    let (client, alice) = (call_centre(&app).await, app.alice().await);
    let mut browser = signed_in(&app, &alice).await;
    // On the list.
    let request = Request::begin(&app, &client).await;
    let page = browser.open(PAGE).await;
    let page = browser.submit(&page, "refuse-1", &[]).await;
    assert!(page.text("requests-remark").contains("was refused") && page.has("no-requests"), "{page:?}");
    told(&request.poll(&app).await, REFUSED);
    told(&request.poll(&app).await, REFUSED);
    // And where it is looked at.
    app.pass_seconds(2);
    let request = Request::begin(&app, &client).await;
    let question = look(&mut browser).await;
    let end = browser.submit(&question, "consent-deny", &[]).await;
    assert!(end.has("request-refused"), "{end:?}");
    told(&request.poll(&app).await, REFUSED);
}

#[tokio::test]
async fn section_11_expired_token_when_the_time_is_over() {
    let app = TestApp::start().await;
    let (request, _, mut browser) = approved(&app).await;
    app.pass_seconds(299);
    let waiting = Request::begin(&app, &request.client).await;
    let question = look(&mut browser).await;
    app.pass_seconds(1);
    told(&request.poll(&app).await, EXPIRED);
    // The person was too slow.
    app.pass_seconds(299);
    let page = browser.submit(&question, "consent-allow", &[]).await;
    assert!(page.has("request-over"), "{page:?}");
    told(&waiting.poll(&app).await, EXPIRED);
    assert!(browser.open(PAGE).await.has("no-requests"));
    // Nor when nothing is known of it any more.
    app.pass(TimeDelta::hours(1));
    told(&waiting.poll(&app).await, EXPIRED);
}

#[tokio::test]
async fn section_11_invalid_grant_for_another_client_and_nothing_is_used_up() {
    let app = TestApp::start().await;
    let (request, ..) = approved(&app).await;
    let thief = call_centre(&app).await;
    told(&app.token(&thief, &request.form()).await, INVALID);
    for wrong in crate::token_code::forgeries(request.id()).iter().take(40) {
        told(&app.token(&request.client, &[("grant_type", GRANT), ("auth_req_id", wrong)]).await, INVALID);
    }
    let missing = app.token(&request.client, &[("grant_type", GRANT)]).await;
    missing.assert_error(400, "invalid_request", "the parameter auth_req_id is missing");
    let other = app.web_client().await;
    let refused = app.token(&other, &request.form()).await;
    refused.assert_error(400, "unauthorized_client", "the client may not use this grant_type");
    request.tokens(&app).await;
}

#[tokio::test]
async fn a_code_and_an_auth_req_id_are_not_the_same() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let both = app
        .web_client_with(|settings| {
            settings.grant_types = vec![GrantType::AuthorizationCode, GrantType::Ciba, GrantType::DeviceCode];
            settings.backchannel_token_delivery_mode = Some(TokenDeliveryMode::Poll);
        })
        .await;
    let authorization = Authorization::of(&both);
    let mut browser = signed_in(&app, &alice).await;
    let code = app.code(&mut browser, &authorization, &alice).await;
    told(&app.token(&both, &[("grant_type", GRANT), ("auth_req_id", &code)]).await, INVALID);
    let request = Request::begin(&app, &both).await;
    approve(&mut browser).await;
    let as_code = app.token(&both, &app.redemption(&authorization, request.id())).await;
    as_code.assert_error(400, "invalid_grant", "the code is not valid");
    let device = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let as_device = app.token(&both, &[device, ("device_code", request.id())]).await;
    as_device.assert_error(400, "invalid_grant", "the device code is not valid");
    request.tokens(&app).await;
}

#[tokio::test]
async fn a_replayed_auth_req_id_revokes_what_it_gave() {
    let app = TestApp::start().await;
    let (request, ..) = approved(&app).await;
    let tokens = request.tokens(&app).await;
    told(&request.poll(&app).await, USED);
    app.assert_family_is_over(&request.client, &tokens).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_polls_at_once_over_two_instances_one_wins_and_the_family_is_revoked() {
    let app = TestApp::start().await;
    let (request, ..) = approved(&app).await;
    let apps = [Arc::new(app.second_instance().await), Arc::new(app)];
    let request = Arc::new(request);
    let polls = (0..64).map(|index| {
        let (app, request) = (apps[index % 2].clone(), request.clone());
        tokio::spawn(async move { request.poll(&app).await })
    });
    let answers: Vec<Answer> = join_all(polls).await.into_iter().map(|answer| answer.expect("no panic")).collect();
    let (won, lost): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "one winner");
    lost.into_iter().for_each(|answer| told(answer, USED));
    apps[0].assert_family_is_over(&request.client, &Tokens { body: won[0].json() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_decisions_at_once_on_two_instances_one_counts() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let (client, alice) = (call_centre(&app).await, app.alice().await);
    let (mut one, mut two) = (signed_in(&app, &alice).await, signed_in(&app, &alice).await);
    two.use_instance(&other.base);
    for _ in 0..8 {
        app.pass_seconds(2);
        let request = Request::begin(&app, &client).await;
        let question = look(&mut one).await;
        let list = two.open(PAGE).await;
        let (allowed, refused) =
            tokio::join!(one.submit(&question, "consent-allow", &[]), two.submit(&list, "refuse-1", &[]));
        let answer = request.poll(&app).await;
        if answer.status == 200 {
            assert!(allowed.has("request-done"), "{allowed:?}");
            assert!(refused.text("requests-remark").contains("not there any more"), "{refused:?}");
        } else {
            told(&answer, REFUSED);
            assert!(allowed.has("request-over"), "{allowed:?}");
            assert!(refused.text("requests-remark").contains("was refused"), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn nobody_but_the_person_sees_or_decides_it() {
    let app = TestApp::start().await;
    let (client, alice, bob) = (call_centre(&app).await, app.alice().await, app.bob().await);
    let request = Request::begin(&app, &client).await;
    let (mut hers, mut his) = (signed_in(&app, &alice).await, signed_in(&app, &bob).await);
    assert!(his.open(PAGE).await.has("no-requests"));
    let list = hers.open(PAGE).await;
    let id = list.form("look-1").value("id").to_owned();
    // With the identifier he gets no further.
    app.pass_seconds(2);
    Request::begin_with(&app, &client, &[("scope", "openid"), ("login_hint", "bob")]).await;
    for button in ["look-1", "refuse-1"] {
        let own = his.open(PAGE).await;
        let mut form = own.form(button);
        form.set("id", &id);
        let page = his.send_form(&own, form).await;
        assert!(page.text("requests-remark").contains("not there any more"), "{page:?}");
    }
    told(&request.poll(&app).await, PENDING);
    // Somebody else who signs in where she looked at it is asked for her.
    let question = look(&mut hers).await;
    let switch = hers.click(&question, "consent-switch").await;
    let page = hers.log_in(&switch, &bob).await;
    assert_eq!(page.url.path(), "/login", "{page:?}");
    app.pass_seconds(5);
    told(&request.poll(&app).await, PENDING);
    // Nobody at all is sent to the sign-in, and from there back to the list.
    let mut browser = app.browser();
    let page = browser.open(PAGE).await;
    assert_eq!(page.url.path(), "/login");
    let list = browser.log_in(&page, &alice).await;
    assert!(list.url.path() == PAGE && list.has("look-1"), "{list:?}");
}

#[tokio::test]
async fn a_decision_is_taken_from_a_form_of_ours_alone() {
    let app = TestApp::start().await;
    let (client, alice) = (call_centre(&app).await, app.alice().await);
    let request = Request::begin(&app, &client).await;
    let mut browser = signed_in(&app, &alice).await;
    let list = browser.open(PAGE).await;
    let id = list.form("refuse-1").value("id").to_owned();
    let forged = "the form did not come from this page, open it again";
    let page = browser.post_from_elsewhere(PAGE, &[("id", &id), ("action", "refuse")]).await;
    page.assert_error(PAGE, 403, "access_denied", forged);
    let mut form = list.form("refuse-1");
    form.set("csrf", "AAAA");
    browser.send_form(&list, form).await.assert_error(PAGE, 403, "access_denied", forged);
    told(&request.poll(&app).await, PENDING);
    assert!(app.browser().open("/account/requests/done").await.has("error-page"));
}

#[tokio::test]
async fn a_sign_in_that_is_too_old_is_repeated_before_the_question() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = app
        .web_client_with(|settings| {
            of_a_call_centre(settings);
            settings.default_max_age = Some(60);
        })
        .await;
    let mut browser = signed_in(&app, &alice).await;
    app.pass_seconds(61);
    let form = [ASKED.as_slice(), &[("acr_values", "urn:none urn:ostiary:acr:pwd")]].concat();
    let request = Request::begin_with(&app, &client, &form).await;
    let page = look(&mut browser).await;
    assert_eq!(page.url.path(), "/login", "{page:?}");
    let question = browser.log_in(&page, &alice).await;
    assert!(browser.submit(&question, "consent-allow", &[]).await.has("request-done"));
    let claims = request.tokens(&app).await.id_claims(&app).await;
    assert_eq!((&claims["auth_time"], &claims["acr"]), (&json!(app.now().timestamp()), &json!("urn:ostiary:acr:pwd")));
}

#[tokio::test]
async fn a_person_is_asked_whatever_they_allowed_before_and_whoever_the_client_is() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let mut browser = signed_in(&app, &alice).await;
    for policy in [ConsentPolicy::Remembered, ConsentPolicy::FirstParty] {
        let client = app
            .web_client_with(|settings| {
                of_a_call_centre(settings);
                settings.consent = policy;
            })
            .await;
        for _ in 0..2 {
            app.pass_seconds(6);
            let request = Request::begin(&app, &client).await;
            approve(&mut browser).await;
            request.tokens(&app).await;
        }
    }
}

#[tokio::test]
async fn what_ends_between_the_answer_and_the_question_ends_the_request() {
    let app = TestApp::start().await;
    let store = &app.app.postgres;
    let (request, alice, mut browser) = approved(&app).await;
    store.delete_consent(&alice.subject, &ClientId::new(&request.client.id), app.now()).await.unwrap();
    told(&request.poll(&app).await, ("invalid_grant", "the code has been revoked"));
    app.pass_seconds(2);
    let request = Request::begin(&app, &request.client).await;
    approve(&mut browser).await;
    let page = browser.open("/logout").await;
    assert!(browser.submit(&page, "logout-confirm", &[]).await.has("logged-out"));
    told(&request.poll(&app).await, ("invalid_grant", "the sign-in that gave the code has ended"));
}

#[tokio::test]
async fn a_proof_binds_the_tokens_and_one_at_the_beginning_binds_the_auth_req_id() {
    let app = TestApp::start().await;
    let (client, alice) = (call_centre(&app).await, app.alice().await);
    let (key, other) = (ClientKey::generate("ES256"), ClientKey::generate("ES256"));
    let proof = |key: &ClientKey| key.proof(&app, "POST", "/token", json!({}));
    let beginning = key.proof(&app, "POST", PATH, json!({}));
    let body = client.sign(app.post(PATH).header("dpop", &beginning), &ASKED).send().await.json();
    let request = Request { client: client.clone(), body };
    approve(&mut signed_in(&app, &alice).await).await;
    let unproven = "the auth_req_id is bound to a key: a DPoP proof is required";
    told(&request.poll(&app).await, ("invalid_dpop_proof", unproven));
    let stolen = app.proven_token(&client, &request.form(), &proof(&other)).await;
    told(&stolen, ("invalid_grant", "the auth_req_id is bound to another key than that of the DPoP proof"));
    let tokens = Tokens { body: app.proven_token(&client, &request.form(), &proof(&key)).await.json() };
    assert_eq!(tokens.access_claims(&app).await["cnf"], json!({"jkt": key.thumbprint()}));
}

/// A client that is told, a server that may tell it, and where it hears.
async fn pinged() -> (TestApp, Receiver, TestClient) {
    let receiver = Receiver::start().await;
    let exception = receiver.exception_for(OutboundPurpose::BackchannelNotification);
    let app = TestApp::with_config(|config| config.outbound.allow.push(exception)).await;
    let uri = receiver.url("/ciba");
    let client = app
        .web_client_with(|settings| {
            of_a_call_centre(settings);
            settings.backchannel_token_delivery_mode = Some(TokenDeliveryMode::Ping);
            settings.backchannel_client_notification_endpoint = Some(uri);
        })
        .await;
    (app, receiver, client)
}

const PINGED: [(&str, &str); 3] = [("scope", "openid"), ("login_hint", "alice"), ("client_notification_token", TOKEN)];

#[tokio::test]
async fn section_10_2_a_client_is_told_that_the_person_decided_and_of_nothing_else() {
    let (app, mut receiver, client) = pinged().await;
    let alice = app.alice().await;
    let mut browser = signed_in(&app, &alice).await;
    for button in ["consent-allow", "consent-deny"] {
        app.pass_seconds(6);
        let request = Request::begin_with(&app, &client, &PINGED).await;
        // It may ask before.
        told(&request.poll(&app).await, PENDING);
        receiver.assert_nothing_more();
        let question = look(&mut browser).await;
        browser.submit(&question, button, &[]).await;
        let received = receiver.next().await;
        assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/ciba"));
        assert_eq!(received.authorization, Some(format!("Bearer {TOKEN}")));
        assert_eq!(received.content_type, "application/json");
        let body: Value = serde_json::from_str(&received.body).unwrap();
        assert_eq!(body, json!({"auth_req_id": request.id()}));
        match button {
            "consent-allow" => drop(request.tokens(&app).await),
            _ => told(&request.poll(&app).await, REFUSED),
        }
    }
    app.everything_is_delivered().await;
    receiver.assert_nothing_more();
}

#[tokio::test]
async fn section_10_2_word_is_sent_again_and_redirects_are_not_followed() {
    let (app, mut receiver, client) = pinged().await;
    let alice = app.alice().await;
    receiver.answer_with(&[503]);
    let request = Request::begin_with(&app, &client, &PINGED).await;
    approve(&mut signed_in(&app, &alice).await).await;
    receiver.next().await;
    app.delivery(|delivery| delivery.last_error.as_deref() == Some("the client answered 503")).await;
    receiver.redirect("/ciba", &receiver.url("/elsewhere"));
    app.pass_seconds(11);
    assert_eq!(receiver.next().await.path, "/ciba");
    app.delivery(|delivery| delivery.last_error.as_deref() == Some("the client answered 303")).await;
    receiver.assert_nothing_more();
    // Afterwards it is of no use to anybody.
    app.pass_seconds(300);
    app.delivery(|delivery| delivery.is_done).await;
    receiver.assert_nothing_more();
    told(&request.poll(&app).await, EXPIRED);
}

#[tokio::test]
async fn what_a_client_is_told_with_is_not_readable_in_the_stores() {
    let (app, receiver, client) = pinged().await;
    let alice = app.alice().await;
    receiver.answer_with(&[503]);
    let request = Request::begin_with(&app, &client, &PINGED).await;
    approve(&mut signed_in(&app, &alice).await).await;
    app.delivery(|delivery| delivery.last_error.is_some()).await;
    let (postgres, connection) = tokio_postgres::connect(&app.database_url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let rows = postgres.query("SELECT row_to_json(o)::text FROM outbox o", &[]).await.unwrap();
    let row: String = rows[0].get(0);
    assert!(row.contains("backchannel_notification") && !row.contains(TOKEN) && !row.contains(request.id()), "{row}");
}

#[tokio::test]
async fn section_7_1_the_mode_ping_needs_a_token_that_is_one() {
    let (app, _receiver, client) = pinged().await;
    app.alice().await;
    let missing = "the parameter client_notification_token is missing, which the mode ping needs";
    told(&app.call_as(&client, PATH, &ASKED).await, ("invalid_request", missing));
    let long = "a".repeat(1025);
    for (token, why) in [
        ("two words of a token that is long", "the client_notification_token is not a bearer token"),
        ("short", "the client_notification_token must have 22 to 1024 characters"),
        (&long, "the client_notification_token must have 22 to 1024 characters"),
    ] {
        let form = [ASKED.as_slice(), &[("client_notification_token", token)]].concat();
        told(&app.call_as(&client, PATH, &form).await, ("invalid_request", why));
    }
}

#[tokio::test]
async fn the_operators_service_hears_of_each_request() {
    let mut receiver = Receiver::start().await;
    let (exception, uri) =
        (receiver.exception_for(OutboundPurpose::BackchannelAnnouncement), receiver.url("/announce"));
    let app = TestApp::with_config(|config| {
        config.outbound.allow.push(exception);
        config.backchannel_authentication.announce_uri = Some(uri);
        config.backchannel_authentication.announce_token = Some("s3cret-of-the-service".into());
    })
    .await;
    let (alice, client) = (app.alice().await, call_centre(&app).await);
    let form = [ASKED.as_slice(), &[("binding_message", "W4-SCT")]].concat();
    let request = Request::begin_with(&app, &client, &form).await;
    let received = receiver.next().await;
    assert_eq!(received.authorization.as_deref(), Some("Bearer s3cret-of-the-service"));
    let body: Value = serde_json::from_str(&received.body).unwrap();
    let expected = json!({
        "sub": alice.sub(),
        "username": "alice",
        "client_id": client.id,
        "client_name": {"en": "Photo Album"},
        "binding_message": "W4-SCT",
        "expires_at": app.now().timestamp() + 300,
        "uri": format!("{}/account/requests", app.issuer()),
    });
    assert_eq!(body, expected, "and nothing to decide with");
    told(&request.poll(&app).await, PENDING);
}

#[tokio::test]
async fn the_api_and_the_metadata_know_the_grant() {
    let app = TestApp::start().await;
    let metadata = app.get("/.well-known/openid-configuration").send().await.json();
    assert_eq!(metadata["backchannel_authentication_endpoint"], format!("{}{PATH}", app.issuer()));
    assert_eq!(metadata["backchannel_token_delivery_modes_supported"], json!(["poll", "ping"]));
    assert_eq!(metadata["backchannel_user_code_parameter_supported"], false);
    assert_eq!(metadata.get("backchannel_authentication_request_signing_alg_values_supported"), None);
    let admin = app.admin(&["admin:clients"]).await;
    let client = |mode: Value, endpoint: Value| {
        json!({
            "grant_types": [GRANT, "refresh_token"], "scopes": ["openid"], "backchannel_token_delivery_mode": mode,
            "backchannel_client_notification_endpoint": endpoint,
        })
    };
    let address = json!("https://shop.example/ciba");
    let made = admin.post("/admin/clients", &client(json!("ping"), address.clone())).await.document(201);
    assert_eq!(made["backchannel_token_delivery_mode"], "ping");
    assert_eq!(made["backchannel_client_notification_endpoint"], address);
    for wrong in [
        client(Value::Null, Value::Null),
        client(json!("push"), address),
        client(json!("ping"), Value::Null),
        client(json!("ping"), json!("http://shop.example/ciba")),
    ] {
        let refused = admin.post("/admin/clients", &wrong).await;
        assert!((400..500).contains(&refused.status), "{wrong}: {refused:?}");
    }
}

#[tokio::test]
async fn section_4_a_client_that_registers_itself_says_how_it_learns_of_decisions() {
    let app = TestApp::with_config(|config| {
        config.registration.mode = ostiary::config::RegistrationMode::Open;
        config.registration.grant_types.push(GrantType::Ciba);
    })
    .await;
    let metadata = json!({
        "grant_types": [GRANT], "scope": "openid", "response_types": [], "backchannel_token_delivery_mode": "ping",
        "backchannel_client_notification_endpoint": "https://shop.example/ciba",
    });
    let made = app.post("/register").json(&metadata).send().await.document(201);
    for name in ["backchannel_token_delivery_mode", "backchannel_client_notification_endpoint"] {
        assert_eq!(made[name], metadata[name], "{name}");
    }
    let push = json!({"grant_types": [GRANT], "response_types": [], "backchannel_token_delivery_mode": "push"});
    let refused = app.post("/register").json(&push).send().await.document(400);
    assert_eq!(refused["error"], "invalid_client_metadata");
}

#[tokio::test]
async fn a_frontend_of_ones_own_is_told_that_the_request_was_made_elsewhere() {
    let app = TestApp::start().await;
    let (client, alice) = (call_centre(&app).await, app.alice().await);
    let form = [ASKED.as_slice(), &[("binding_message", "W4-SCT")]].concat();
    Request::begin_with(&app, &client, &form).await;
    let mut browser = signed_in(&app, &alice).await;
    let question = look(&mut browser).await;
    let path = format!("/authorize/consent?{}", question.url.query().unwrap());
    let issuer = app.issuer().to_owned();
    let step = browser.fetch(&issuer, http::Method::GET, &path, None).await.json();
    assert_eq!(step["next"], "consent", "{step}");
    let told = &step["question"];
    assert_eq!((&told["is_backchannel"], &told["binding_message"]), (&json!(true), &json!("W4-SCT")));
    assert_eq!(told.get("is_device"), None);
}

#[tokio::test]
async fn pressing_a_button_twice_ends_well() {
    let app = TestApp::start().await;
    let (client, alice) = (call_centre(&app).await, app.alice().await);
    let request = Request::begin(&app, &client).await;
    let mut browser = signed_in(&app, &alice).await;
    let question = look(&mut browser).await;
    for button in ["consent-allow", "consent-allow", "consent-deny"] {
        let page = browser.submit(&question, button, &[]).await;
        assert!(page.has("request-done"), "the first press counts: {page:?}");
    }
    request.tokens(&app).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgres_an_approved_request_waits_and_is_served_afterwards() {
    let mut cluster = Cluster::start().await;
    let app = TestApp::on(Database::of_cluster(&cluster).await, |_| {}).await;
    let (request, ..) = approved(&app).await;
    cluster.kill().await;
    request.poll(&app).await.assert_unavailable();
    app.call_as(&request.client, PATH, &ASKED).await.assert_unavailable();
    cluster.start_again().await;
    let served = || async {
        let answer = request.poll(&app).await;
        (answer.status == 200).then_some(answer)
    };
    let tokens = Tokens { body: eventually("the client is served", served).await.json() };
    app.assert_family_stands(&request.client, &tokens).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_valkey_no_request_is_judged_and_none_begins() {
    let mut valkey = Valkey::start().await;
    let app = TestApp::with_config(|config| config.state.valkey_url = Some(valkey.url().into())).await;
    let (request, _, mut browser) = approved(&app).await;
    let waiting = Request::begin(&app, &request.client).await;
    let list = browser.open(PAGE).await;
    valkey.kill();
    for answer in [request.poll(&app).await, waiting.poll(&app).await] {
        answer.assert_unavailable();
    }
    app.call_as(&request.client, PATH, &ASKED).await.assert_unavailable();
    browser.submit(&list, "look-1", &[]).await.assert_unavailable(PAGE);
    valkey.start_again().await;
    let ready = || async { (app.get("/ready").send().await.status == 200).then_some(()) };
    eventually("the server is ready", ready).await;
    // The store was emptied: whoever waited begins anew.
    told(&request.poll(&app).await, EXPIRED);
}
