//! Device authorization (RFC 8628): `/device_authorization`, the pages `/device`, and polling at `/token`.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::join_all;
use ostiary::config::{ClientCertificateHeader, ClientIpHeaderMode};
use ostiary::model::client::{ClientAuthMethod, ClientSettings, ConsentPolicy, GrantType};
use ostiary::model::id::ClientId;
use serde_json::{Value, json};

use crate::harness::{Answer, Authorization, Browser, ClientKey, MAIL_API, PHOTOS_API, Page, TestApp, TestClient};
use crate::harness::{Authority, Cluster, Database, TestPerson, Tokens, Valkey, byte_sequence, eventually};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const PENDING: (&str, &str) = ("authorization_pending", "the user has not decided yet");
const SLOW_DOWN: (&str, &str) = ("slow_down", "the device asks too often: it must wait 5 seconds longer from now on");
const EXPIRED: (&str, &str) = ("expired_token", "the device code has expired");
const REFUSED: (&str, &str) = ("access_denied", "the user refused the request");
const INVALID: (&str, &str) = ("invalid_grant", "the device code is not valid");
const USED: (&str, &str) = ("invalid_grant", "the code was used before");
const ENDED: (&str, &str) = ("invalid_grant", "the sign-in that gave the code has ended");

/// A device that has begun.
struct Device {
    client: TestClient,
    body: Value,
}

impl Device {
    async fn begin(app: &TestApp, client: &TestClient) -> Self {
        Self::begin_with(app, client, &[("scope", "openid offline_access photos.read")]).await
    }

    async fn begin_with(app: &TestApp, client: &TestClient, form: &[(&str, &str)]) -> Self {
        let answer = app.call_as(client, "/device_authorization", form).await;
        answer.assert_not_stored();
        Self { client: client.clone(), body: answer.json() }
    }

    fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.body))
    }

    fn form(&self) -> [(&'static str, &str); 2] {
        [("grant_type", GRANT), ("device_code", self.text("device_code"))]
    }

    async fn poll(&self, app: &TestApp) -> Answer {
        app.token(&self.client, &self.form()).await
    }

    async fn tokens(&self, app: &TestApp) -> Tokens {
        let answer = self.poll(app).await;
        answer.assert_not_stored();
        Tokens { body: answer.json() }
    }

    #[track_caller]
    fn told(answer: &Answer, (code, description): (&str, &str)) {
        answer.assert_error(400, code, description);
    }

    /// What a person does who types the code, up to the question.
    async fn connect(&self, browser: &mut Browser, person: &TestPerson) -> Page {
        let page = browser.open("/device").await;
        let page = browser.submit(&page, "device-submit", &[("user_code", self.text("user_code"))]).await;
        let page = if page.url.path() == "/login" { browser.log_in(&page, person).await } else { page };
        assert_eq!(page.url.path(), "/consent", "{page:?}");
        page
    }

    async fn approve(&self, browser: &mut Browser, person: &TestPerson) {
        let page = self.connect(browser, person).await;
        let page = browser.submit(&page, "consent-allow", &[]).await;
        assert!(page.has("device-done") && page.url.path() == "/device/done", "{page:?}");
        page.assert_page_headers();
    }
}

fn of_a_television(settings: &mut ClientSettings) {
    settings.grant_types = vec![GrantType::DeviceCode, GrantType::RefreshToken];
    settings.redirect_uris.clear();
    settings.post_logout_redirect_uris.clear();
    settings.consent = ConsentPolicy::Remembered;
}

async fn television(app: &TestApp) -> TestClient {
    app.web_client_with(of_a_television).await
}

/// A device that a person has allowed, and the browser they did it in.
async fn approved(app: &TestApp) -> (Device, TestPerson, Browser) {
    let (client, alice, mut browser) = (television(app).await, app.alice().await, app.browser());
    let device = Device::begin(app, &client).await;
    device.approve(&mut browser, &alice).await;
    (device, alice, browser)
}

#[tokio::test]
async fn rfc_8628_section_3_2_a_device_is_told_two_codes_and_where_to_send_the_person() {
    let app = TestApp::start().await;
    let device = Device::begin(&app, &television(&app).await).await;
    let names: BTreeSet<&str> = device.body.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["device_code", "expires_in", "interval", "user_code", "verification_uri", "verification_uri_complete"];
    assert_eq!(names, expected.into());
    assert_eq!((&device.body["expires_in"], &device.body["interval"]), (&json!(600), &json!(5)));
    let (code, uri) = (device.text("user_code"), format!("{}/device", app.issuer()));
    assert_eq!(device.text("verification_uri"), uri);
    assert_eq!(device.text("verification_uri_complete"), format!("{uri}?user_code={code}"));
    // Section 6.1: eight of twenty letters, none of which is taken for another or for a digit.
    let letters: Vec<char> = code.chars().filter(|c| *c != '-').collect();
    assert!(letters.len() == 8 && letters.iter().all(|c| "BCDFGHJKLMNPQRSTVWXZ".contains(*c)), "{code}");
    assert_eq!(code.find('-'), Some(4));
    assert!(device.text("device_code").len() >= 43, "nobody guesses it");
    let other = Device::begin(&app, &device.client).await;
    assert_ne!((other.text("user_code"), other.text("device_code")), (code, device.text("device_code")));
}

#[tokio::test]
async fn lifetime_and_interval_are_settings() {
    let app = TestApp::with_config(|config| {
        config.device_authorization.lifetime = TimeDelta::seconds(90);
        config.device_authorization.interval = TimeDelta::seconds(2);
    });
    let app = app.await;
    let device = Device::begin(&app, &television(&app).await).await;
    assert_eq!((&device.body["expires_in"], &device.body["interval"]), (&json!(90), &json!(2)));
    Device::told(&device.poll(&app).await, PENDING);
    app.pass_seconds(2);
    Device::told(&device.poll(&app).await, PENDING);
    app.pass_seconds(88);
    Device::told(&device.poll(&app).await, EXPIRED);
}

#[tokio::test]
async fn a_person_connects_a_device_and_it_gets_tokens_like_any_client() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let public = app.public_client_with(of_a_television).await;
    let signing = app.signing_web_client_with(ClientKey::generate("PS256"), of_a_television).await;
    for client in [television(&app).await, public, signing] {
        let device = Device::begin(&app, &client).await;
        Device::told(&device.poll(&app).await, PENDING);
        let mut browser = app.browser();
        let question = device.connect(&mut browser, &alice).await;
        question.assert_page_headers();
        let text = question.visible_text();
        for said in
            ["Photo Album", "Alice Adams", "See your photos", "another device", "Go on only if you have the device"]
        {
            assert!(text.contains(said), "{said} is in {text}");
        }
        app.pass_seconds(5);
        Device::told(&device.poll(&app).await, PENDING);
        let done = browser.submit(&question, "consent-allow", &[]).await;
        assert!(done.has("device-done"), "{done:?}");
        let tokens = device.tokens(&app).await;
        assert_eq!(tokens.body["token_type"], "Bearer");
        assert_eq!(tokens.body["scope"], "openid offline_access photos.read");
        assert_eq!(tokens.id_claims(&app).await["sub"], alice.sub());
        assert_eq!(tokens.id_claims(&app).await["aud"], client.id.as_str());
        assert_eq!(tokens.access_claims(&app).await["client_id"], client.id.as_str());
        app.assert_family_stands(&client, &tokens).await;
        // The page may be loaded again.
        assert!(browser.open(done.url.as_str()).await.has("device-done"));
    }
}

#[tokio::test]
async fn what_is_not_asked_for_is_not_given() {
    let app = TestApp::start().await;
    let (alice, mut browser) = (app.alice().await, app.browser());
    let client = app.web_client_with(|settings| {
        of_a_television(settings);
        settings.grant_types = vec![GrantType::DeviceCode];
    });
    let client = client.await;
    let form = [("scope", "photos.read offline_access"), ("resource", PHOTOS_API)];
    let device = Device::begin_with(&app, &client, &form).await;
    device.approve(&mut browser, &alice).await;
    let form = [device.form().as_slice(), &[("resource", MAIL_API)]].concat();
    let refused = app.token(&client, &form).await;
    refused.assert_error(400, "invalid_target", "a resource was asked for that was not granted");
    // That used nothing up.
    let tokens = device.tokens(&app).await;
    assert_eq!((tokens.body.get("id_token"), tokens.body.get("refresh_token")), (None, None));
    assert_eq!(tokens.body["scope"], "photos.read");
    assert_eq!(tokens.access_claims(&app).await["aud"], PHOTOS_API);
}

#[tokio::test]
async fn rfc_8628_section_3_1_what_is_wrong_with_a_request_is_said_at_once() {
    let app = TestApp::start().await;
    let client = television(&app).await;
    let path = "/device_authorization";
    let cases = [
        (vec![], "invalid_scope", "no known scope was asked for"),
        (vec![("scope", "admin:clients")], "invalid_scope", "a scope was asked for that this client may not have"),
        (
            vec![("scope", "openid"), ("resource", "https://unknown.example/")],
            "invalid_target",
            "the resource is unknown, or not for this client",
        ),
        (vec![("scope", "openid"), ("scope", "openid")], "invalid_request", "repeated parameter"),
    ];
    for (form, code, description) in cases {
        app.call_as(&client, path, &form).await.assert_error(400, code, description);
    }
    let failed = "client authentication failed";
    app.call_as(&client.with_secret("wrong"), path, &[("scope", "openid")]).await.assert_basic_error(failed);
    app.post_form(path, &[("client_id", &client.id), ("scope", "openid")]).await.assert_error(
        400,
        "invalid_client",
        failed,
    );
    let answer = app.post(path).header("authorization", &client.basic()).json(&json!({})).send().await;
    answer.assert_error(400, "invalid_request", "the content type must be application/x-www-form-urlencoded");
    // Only who registered the grant.
    let other = app.web_client().await;
    let may_not = "the client may not use the device authorization grant";
    app.call_as(&other, path, &[("scope", "openid")]).await.assert_error(400, "unauthorized_client", may_not);
    let device = Device::begin(&app, &client).await;
    let answer = app.token(&other, &device.form()).await;
    answer.assert_error(400, "unauthorized_client", "the client may not use this grant_type");
}

#[tokio::test]
async fn an_assertion_may_be_made_for_the_endpoint_and_is_used_once() {
    let app = TestApp::start().await;
    let client = app.signing_web_client_with(ClientKey::generate("PS256"), of_a_television).await;
    let kind = ("client_assertion_type", crate::harness::ASSERTION_TYPE);
    for aud in ["/device_authorization", "/token", ""] {
        let assertion = client.assertion(json!({"aud": format!("{}{aud}", app.issuer())}));
        let form = [("scope", "openid"), kind, ("client_assertion", assertion.as_str())];
        assert_eq!(app.post_form("/device_authorization", &form).await.status, 200, "{aud}");
        let again = app.post_form("/device_authorization", &form).await;
        again.assert_error(400, "invalid_client", "the client assertion was used before");
    }
}

#[tokio::test]
async fn a_public_client_cannot_fill_the_store_from_one_network() {
    let app = TestApp::with_config(|config| config.throttle.beginnings_per_network = 2).await;
    let client = app.public_client_with(of_a_television).await;
    for _ in 0..2 {
        Device::begin(&app, &client).await;
    }
    let refused = app.call_as(&client, "/device_authorization", &[("scope", "openid")]).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.header("retry-after").is_some());
    // Nor with what is used once: a proof that was refused for the limit is still good afterwards.
    let key = ClientKey::generate("ES256");
    let proof = key.proof(&app, "POST", "/device_authorization", json!({}));
    let call = || {
        let form = [("client_id", client.id.as_str()), ("scope", "openid")];
        app.post("/device_authorization").form(&form).header("dpop", &proof).send()
    };
    assert_eq!(call().await.status, 429);
    app.change_client(&client, |stored| {
        stored.settings.token_endpoint_auth_method = ClientAuthMethod::TlsClientAuth;
    })
    .await;
    assert_eq!(call().await.status, 400, "it is another client now");
    app.change_client(&client, |stored| stored.settings.token_endpoint_auth_method = ClientAuthMethod::None).await;
    let unlimited = app.second_instance_with(|config| config.throttle.beginnings_per_network = 100).await;
    let form = [("client_id", client.id.as_str()), ("scope", "openid")];
    let answer = unlimited.post("/device_authorization").form(&form).header("dpop", &proof).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn rfc_8628_section_3_5_a_device_that_asks_too_soon_waits_five_seconds_longer_each_time() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let device = Device::begin(&app, &television(&app).await).await;
    Device::told(&device.poll(&app).await, PENDING);
    // A second early is in time: clocks and networks are not exact.
    app.pass_seconds(4);
    Device::told(&device.poll(&other).await, PENDING);
    // 5 seconds, asked after 3: 10 from then on.
    app.pass_seconds(3);
    Device::told(&device.poll(&other).await, SLOW_DOWN);
    app.pass_seconds(8);
    Device::told(&device.poll(&app).await, SLOW_DOWN);
    // 15 now.
    app.pass_seconds(14);
    Device::told(&device.poll(&other).await, PENDING);
    app.pass_seconds(13);
    Device::told(&device.poll(&app).await, SLOW_DOWN);
    app.pass_seconds(20);
    Device::told(&device.poll(&app).await, PENDING);
    // Other devices are not slowed down.
    let second = Device::begin(&app, &device.client).await;
    Device::told(&second.poll(&app).await, PENDING);
    // Whoever was slow is served as soon as the person has decided.
    device.approve(&mut app.browser(), &app.alice().await).await;
    device.tokens(&app).await;
}

#[tokio::test]
async fn rfc_8628_section_3_5_access_denied_after_one_click() {
    let app = TestApp::start().await;
    let (client, alice, mut browser) = (television(&app).await, app.alice().await, app.browser());
    let device = Device::begin(&app, &client).await;
    let question = device.connect(&mut browser, &alice).await;
    let refused = browser.submit(&question, "consent-deny", &[]).await;
    assert!(refused.has("device-refused"), "{refused:?}");
    Device::told(&device.poll(&app).await, REFUSED);
    Device::told(&device.poll(&app).await, REFUSED);
    // Before the sign-in too.
    let device = Device::begin(&app, &client).await;
    let mut browser = app.browser();
    let page = browser.open("/device").await;
    let page = browser.submit(&page, "device-submit", &[("user_code", device.text("user_code"))]).await;
    let page = browser.submit(&page, "login-cancel", &[]).await;
    assert!(page.has("device-refused"), "{page:?}");
    Device::told(&device.poll(&app).await, REFUSED);
    // A code that was decided is nobody's any more.
    let page = browser.open("/device").await;
    let page = browser.submit(&page, "device-submit", &[("user_code", device.text("user_code"))]).await;
    assert!(page.has("device-submit") && page.text("device-error").contains("No device is waiting"), "{page:?}");
}

#[tokio::test]
async fn rfc_8628_section_3_5_expired_token_when_the_time_is_over() {
    let app = TestApp::start().await;
    let (device, alice, mut browser) = approved(&app).await;
    app.pass_seconds(599);
    let waiting = Device::begin(&app, &device.client).await;
    app.pass_seconds(1);
    Device::told(&device.poll(&app).await, EXPIRED);
    // The person was too slow.
    let question = waiting.connect(&mut browser, &alice).await;
    app.pass_seconds(599);
    let page = browser.submit(&question, "consent-allow", &[]).await;
    assert!(page.has("device-over"), "{page:?}");
    Device::told(&waiting.poll(&app).await, EXPIRED);
    let page = browser.open("/device").await;
    let page = browser.submit(&page, "device-submit", &[("user_code", waiting.text("user_code"))]).await;
    assert!(page.text("device-error").contains("No device is waiting"), "{page:?}");
    // Nor when nothing is known of it any more.
    app.pass(TimeDelta::hours(1));
    Device::told(&waiting.poll(&app).await, EXPIRED);
}

#[tokio::test]
async fn what_was_allowed_too_late_is_not_remembered() {
    let app = TestApp::start().await;
    let (alice, mut browser) = (app.alice().await, app.browser());
    let device = Device::begin(&app, &television(&app).await).await;
    let question = device.connect(&mut browser, &alice).await;
    app.pass_seconds(600);
    let page = browser.submit(&question, "consent-allow", &[]).await;
    assert!(page.has("device-over"), "{page:?}");
    let consents = browser.open("/account/consents").await;
    assert!(!consents.visible_text().contains("Photo Album"), "{consents:?}");
    // In time it is.
    let device = Device::begin(&app, &device.client).await;
    device.approve(&mut browser, &alice).await;
    let consents = browser.open("/account/consents").await;
    assert!(consents.visible_text().contains("Photo Album"), "{consents:?}");
}

#[tokio::test]
async fn a_code_is_good_for_its_client_and_its_grant_only() {
    let app = TestApp::start().await;
    let (device, alice, _) = approved(&app).await;
    let thief = television(&app).await;
    Device::told(&app.token(&thief, &device.form()).await, INVALID);
    for wrong in crate::token_code::forgeries(device.text("device_code")).iter().take(40) {
        let answer = app.token(&device.client, &[("grant_type", GRANT), ("device_code", wrong)]).await;
        Device::told(&answer, INVALID);
    }
    let missing = app.token(&device.client, &[("grant_type", GRANT)]).await;
    missing.assert_error(400, "invalid_request", "the parameter device_code is missing");
    let both = app
        .web_client_with(|settings| settings.grant_types = vec![GrantType::AuthorizationCode, GrantType::DeviceCode])
        .await;
    let request = Authorization::of(&both);
    let code = app.code(&mut app.browser(), &request, &alice).await;
    Device::told(&app.token(&both, &[("grant_type", GRANT), ("device_code", &code)]).await, INVALID);
    let other = Device::begin(&app, &both).await;
    other.approve(&mut app.browser(), &alice).await;
    let as_code = app.token(&both, &app.redemption(&request, other.text("device_code"))).await;
    as_code.assert_error(400, "invalid_grant", "the code is not valid");
    // None of that used anything up.
    assert_eq!(app.token(&both, &app.redemption(&request, &code)).await.status, 200);
    other.tokens(&app).await;
    device.tokens(&app).await;
}

#[tokio::test]
async fn a_replayed_device_code_revokes_what_it_gave() {
    let app = TestApp::start().await;
    let (device, ..) = approved(&app).await;
    let tokens = device.tokens(&app).await;
    Device::told(&device.poll(&app).await, USED);
    app.assert_family_is_over(&device.client, &tokens).await;
    // Also when its time is over, and when its record is gone.
    for wait in [TimeDelta::minutes(11), TimeDelta::hours(2)] {
        let device = Device::begin(&app, &device.client).await;
        let person = app.person(&format!("person{}", wait.num_minutes()), serde_json::Map::new()).await;
        device.approve(&mut app.browser(), &person).await;
        let tokens = device.tokens(&app).await;
        app.pass(wait);
        Device::told(
            &app.token(&television(&app).await, &device.form()).await,
            if wait.num_hours() > 0 { EXPIRED } else { INVALID },
        );
        let tokens = app.refreshed(&device.client, tokens.refresh()).await;
        Device::told(&device.poll(&app).await, EXPIRED);
        app.assert_family_is_over(&device.client, &tokens).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_polls_at_once_over_two_instances_one_wins_and_the_family_is_revoked() {
    let app = TestApp::start().await;
    let (device, ..) = approved(&app).await;
    let apps = [Arc::new(app.second_instance().await), Arc::new(app)];
    let device = Arc::new(device);
    let polls = (0..64).map(|index| {
        let (app, device) = (apps[index % 2].clone(), device.clone());
        tokio::spawn(async move { device.poll(&app).await })
    });
    let answers: Vec<Answer> = join_all(polls).await.into_iter().map(|answer| answer.expect("no panic")).collect();
    let (won, lost): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "one winner");
    lost.into_iter().for_each(|answer| Device::told(answer, USED));
    apps[0].assert_family_is_over(&device.client, &Tokens { body: won[0].json() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_questions_at_once_one_is_in_time() {
    let app = Arc::new(TestApp::start().await);
    let device = Arc::new(Device::begin(&app, &television(&app).await).await);
    let polls = (0..64).map(|_| {
        let (app, device) = (app.clone(), device.clone());
        tokio::spawn(async move { device.poll(&app).await })
    });
    let answers: Vec<Answer> = join_all(polls).await.into_iter().map(|answer| answer.expect("no panic")).collect();
    let pending = answers.iter().filter(|answer| answer.body.contains("authorization_pending")).count();
    let slower = answers.iter().filter(|answer| answer.body.contains("slow_down")).count();
    assert_eq!((pending, slower), (1, 63));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_people_who_decide_at_once_on_two_instances_one_decides() {
    let app = TestApp::start().await;
    let other = app.second_instance().await;
    let (client, alice, bob) = (television(&app).await, app.alice().await, app.bob().await);
    for _ in 0..8 {
        let device = Device::begin(&app, &client).await;
        let (mut one, mut two) = (app.browser(), app.browser());
        two.use_instance(&other.base);
        let questions = (device.connect(&mut one, &alice).await, device.connect(&mut two, &bob).await);
        let (allowed, refused) =
            tokio::join!(one.submit(&questions.0, "consent-allow", &[]), two.submit(&questions.1, "consent-deny", &[]));
        let answer = device.poll(&app).await;
        if answer.status == 200 {
            assert!(allowed.has("device-done") && refused.has("device-over"), "{allowed:?} {refused:?}");
            assert_eq!(Tokens { body: answer.json() }.id_claims(&app).await["sub"], alice.sub());
        } else {
            Device::told(&answer, REFUSED);
            assert!(allowed.has("device-over") && refused.has("device-refused"), "{allowed:?} {refused:?}");
        }
    }
}

#[tokio::test]
async fn pressing_allow_twice_ends_well() {
    let app = TestApp::start().await;
    let (client, alice, mut browser) = (television(&app).await, app.alice().await, app.browser());
    let device = Device::begin(&app, &client).await;
    let question = device.connect(&mut browser, &alice).await;
    for button in ["consent-allow", "consent-allow", "consent-deny"] {
        let page = browser.submit(&question, button, &[]).await;
        assert!(page.has("device-done"), "the first press counts: {page:?}");
    }
    device.tokens(&app).await;
}

#[tokio::test]
async fn what_ends_between_the_answer_and_the_question_ends_the_code() {
    let app = TestApp::start().await;
    let store = &app.app.postgres;
    // The person takes the consent back.
    let (device, alice, mut browser) = approved(&app).await;
    store.delete_consent(&alice.subject, &ClientId::new(&device.client.id), app.now()).await.unwrap();
    Device::told(&device.poll(&app).await, ("invalid_grant", "the code has been revoked"));
    // The client's tokens are all revoked.
    let device = Device::begin(&app, &device.client).await;
    device.approve(&mut browser, &alice).await;
    store.revoke_client(&ClientId::new(&device.client.id), app.now()).await.unwrap();
    Device::told(&device.poll(&app).await, ("invalid_grant", "the code has been revoked"));
    // The person signs out.
    app.app.registry.forget();
    let device = Device::begin(&app, &device.client).await;
    device.approve(&mut browser, &alice).await;
    let page = browser.open("/logout").await;
    assert!(browser.submit(&page, "logout-confirm", &[]).await.has("logged-out"));
    Device::told(&device.poll(&app).await, ENDED);
    // The account is disabled.
    let (device, bob) = (Device::begin(&app, &device.client).await, app.bob().await);
    device.approve(&mut app.browser(), &bob).await;
    store.disable_subject(&bob.subject, app.now()).await.unwrap();
    Device::told(&device.poll(&app).await, ENDED);
    // The client is disabled.
    let device = Device::begin(&app, &device.client).await;
    device.approve(&mut browser, &alice).await;
    app.change_client(&device.client, |client| client.enabled = false).await;
    device.poll(&app).await.assert_basic_error("client authentication failed");
}

#[tokio::test]
async fn a_proof_binds_the_tokens_and_one_at_the_beginning_binds_the_code() {
    let app = TestApp::start().await;
    let (client, alice) = (television(&app).await, app.alice().await);
    let (key, other) = (ClientKey::generate("ES256"), ClientKey::generate("ES256"));
    let proof = |key: &ClientKey| key.proof(&app, "POST", "/token", json!({}));
    let device = Device::begin(&app, &client).await;
    device.approve(&mut app.browser(), &alice).await;
    let tokens = Tokens { body: app.proven_token(&client, &device.form(), &proof(&key)).await.json() };
    assert_eq!(tokens.body["token_type"], "DPoP");
    assert_eq!(tokens.access_claims(&app).await["cnf"], json!({"jkt": key.thumbprint()}));
    let beginning = key.proof(&app, "POST", "/device_authorization", json!({}));
    let call = app.post("/device_authorization").header("dpop", &beginning);
    let body = client.sign(call, &[("scope", "openid")]).send().await.json();
    let device = Device { client: client.clone(), body };
    device.approve(&mut app.browser(), &alice).await;
    let unproven = "the device code is bound to a key: a DPoP proof is required";
    Device::told(&device.poll(&app).await, ("invalid_dpop_proof", unproven));
    let stolen = app.proven_token(&client, &device.form(), &proof(&other)).await;
    let wrong_key = "the device code is bound to another key than that of the DPoP proof";
    Device::told(&stolen, ("invalid_grant", wrong_key));
    assert_eq!(app.proven_token(&client, &device.form(), &proof(&key)).await.json()["token_type"], "DPoP");
    let again = client.sign(app.post("/device_authorization").header("dpop", &beginning), &[("scope", "openid")]);
    Device::told(&again.send().await, ("invalid_dpop_proof", "the DPoP proof was used before"));
}

#[tokio::test]
async fn a_person_is_asked_whatever_they_allowed_before_and_whoever_the_client_is() {
    let app = TestApp::start().await;
    let (alice, mut browser) = (app.alice().await, app.browser());
    for policy in [ConsentPolicy::Remembered, ConsentPolicy::FirstParty] {
        let client = app.web_client_with(|settings| {
            of_a_television(settings);
            settings.consent = policy;
        });
        let client = client.await;
        for _ in 0..2 {
            // The second time the person is signed in, and has allowed the same.
            let device = Device::begin(&app, &client).await;
            device.approve(&mut browser, &alice).await;
            device.tokens(&app).await;
        }
    }
}

#[tokio::test]
async fn rfc_8628_section_3_3_1_a_link_with_the_code_shows_it_and_asks() {
    let app = TestApp::start().await;
    let (client, alice, mut browser) = (television(&app).await, app.alice().await, app.browser());
    let device = Device::begin(&app, &client).await;
    let page = browser.open(device.text("verification_uri_complete")).await;
    page.assert_page_headers();
    assert_eq!(page.text("device-code"), device.text("user_code"));
    assert!(page.text("device-warning").contains("somebody sent you the code"), "{page:?}");
    Device::told(&device.poll(&app).await, PENDING);
    let page = browser.submit(&page, "device-submit", &[]).await;
    let question = browser.log_in(&page, &alice).await;
    assert!(browser.submit(&question, "consent-allow", &[]).await.has("device-done"));
    device.tokens(&app).await;
    // A link tells nobody whether there is such a code, and nothing that is not one gets onto the page.
    let nobodys = browser.open("/device?user_code=BBBB-BBBB").await;
    assert_eq!(nobodys.text("device-code"), "BBBB-BBBB");
    let markup = browser.open("/device?user_code=%3Cb%3Ex%3C/b%3E").await;
    assert!(markup.has("user-code") && !markup.answer.body.contains("<b>x"), "{markup:?}");
}

#[tokio::test]
async fn rfc_8628_section_6_1_a_code_is_read_however_it_is_typed() {
    let app = TestApp::start().await;
    let client = television(&app).await;
    let device = Device::begin(&app, &client).await;
    let code = device.text("user_code");
    let bare = code.replace('-', "");
    let spaced = bare.chars().flat_map(|c| [c.to_ascii_lowercase(), ' ']).collect::<String>();
    for typed in [code.to_lowercase(), bare.clone(), spaced, code.replace('-', "\u{2013}"), format!("  {code}\t")] {
        let mut browser = app.browser();
        let page = browser.open("/device").await;
        let page = browser.submit(&page, "device-submit", &[("user_code", &typed)]).await;
        assert_eq!(page.url.path(), "/login", "{typed:?}: {page:?}");
    }
    for wrong in ["", "x", "BCDF-GHJ0", &bare[..7]] {
        let mut browser = app.browser();
        let page = browser.open("/device").await;
        let page = browser.submit(&page, "device-submit", &[("user_code", wrong)]).await;
        assert!(page.text("device-error").contains("No device is waiting"), "{wrong:?}: {page:?}");
        assert_eq!(page.attribute("user-code", "value").as_deref(), Some(wrong), "what was typed is kept");
    }
}

#[tokio::test]
async fn rfc_8628_section_5_1_whoever_guesses_codes_is_slowed_down() {
    let app = TestApp::with_config(|config| {
        config.throttle.user_codes_per_network = 6;
        config.throttle.per_device = 3;
    });
    let app = app.await;
    let device = Device::begin(&app, &television(&app).await).await;
    let guess = async |browser: &mut Browser, code: &str| {
        let page = browser.open("/device").await;
        browser.submit(&page, "device-submit", &[("user_code", code)]).await
    };
    let (mut one, mut two) = (app.browser(), app.browser());
    // Right ones do not count.
    for _ in 0..5 {
        assert_eq!(guess(&mut one, device.text("user_code")).await.url.path(), "/login");
    }
    for browser in [&mut one, &mut two] {
        for _ in 0..3 {
            let page = guess(browser, "BBBB-BBBB").await;
            assert!(page.text("device-error").contains("No device is waiting"), "{page:?}");
        }
        let page = guess(browser, device.text("user_code")).await;
        assert!(page.text("device-error").contains("Too many attempts"), "by browser: {page:?}");
        assert_eq!(page.answer.status, 429);
        assert!(page.answer.header("retry-after").is_some());
    }
    // Another browser of the same network.
    let mut three = app.browser();
    let page = guess(&mut three, device.text("user_code")).await;
    assert!(page.text("device-error").contains("Too many attempts"), "by network: {page:?}");
    app.pass(TimeDelta::minutes(31));
    let device = Device::begin(&app, &device.client).await;
    assert_eq!(guess(&mut one, device.text("user_code")).await.url.path(), "/login");
}

#[tokio::test]
async fn while_codes_are_guessed_from_everywhere_each_network_has_fewer_tries() {
    let app = TestApp::with_config(|config| {
        config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
        config.server.client_ip_header_mode = ClientIpHeaderMode::XForwardedFor;
        config.throttle.user_codes = 8;
        config.throttle.user_codes_per_network = 4;
    })
    .await;
    let guess = async |network: u8| {
        let mut browser = app.browser();
        browser.claim("x-forwarded-for", &format!("192.0.2.{network}"));
        let page = browser.open("/device").await;
        let page = browser.submit(&page, "device-submit", &[("user_code", "BBBB-BBBB")]).await;
        !page.text("device-error").contains("Too many attempts")
    };
    for network in 1..=4 {
        assert!(guess(network).await && guess(network).await, "{network}");
    }
    // Eight were wrong; from now on it is fewer than four for each, and two in the end.
    for network in 5..=8 {
        assert!(guess(network).await && guess(network).await, "{network}");
    }
    assert!(guess(9).await && guess(9).await, "whoever did not fail has two tries");
    assert!(!guess(9).await, "and no more");
}

#[tokio::test]
async fn a_client_that_has_to_sign_its_requests_has_no_devices() {
    let app = TestApp::start().await;
    let client = app
        .signing_web_client_with(ClientKey::generate("ES256"), |settings| {
            of_a_television(settings);
            settings.token_endpoint_auth_method = ClientAuthMethod::PrivateKeyJwt;
            settings.require_signed_request_object = true;
        })
        .await;
    let answer = app.call_as(&client, "/device_authorization", &[("scope", "openid")]).await;
    let description = "the client has to sign its requests, which a device cannot";
    answer.assert_error(400, "unauthorized_client", description);
}

#[tokio::test]
async fn a_device_with_a_certificate_gets_tokens_that_are_bound_to_it() {
    let authority = Authority::new();
    let app = TestApp::with_config(|config| {
        config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
        config.mtls.header = ClientCertificateHeader::ClientCert;
        config.mtls.client_ca_file = Some(authority.file());
    })
    .await;
    let own = authority.issue(|_| {});
    let client = app
        .web_client_with(|settings| {
            of_a_television(settings);
            settings.token_endpoint_auth_method = ClientAuthMethod::ClientSecretBasic;
            settings.tls_client_certificate_bound_access_tokens = true;
        })
        .await;
    let device = Device::begin(&app, &client).await;
    device.approve(&mut app.browser(), &app.alice().await).await;
    let without = device.poll(&app).await;
    Device::told(
        &without,
        ("invalid_request", "the tokens of the client are bound to a certificate: a valid one must be shown"),
    );
    let call = client.sign(app.post("/token"), &device.form()).header("client-cert", &byte_sequence(&own.der));
    let tokens = Tokens { body: call.send().await.json() };
    assert_eq!(tokens.access_claims(&app).await["cnf"], json!({"x5t#S256": own.thumbprint()}));
}

#[tokio::test]
async fn a_session_does_not_guess_more_by_throwing_its_cookie_away() {
    let app = TestApp::with_config(|config| config.throttle.per_device = 3).await;
    let (client, alice, mut browser) = (television(&app).await, app.alice().await, app.browser());
    Device::begin(&app, &client).await.connect(&mut browser, &alice).await;
    let guess = async |browser: &mut Browser| {
        browser.forget_cookie("ostiary_browser");
        let page = browser.open("/device").await;
        browser.submit(&page, "device-submit", &[("user_code", "BBBB-BBBB")]).await
    };
    for _ in 0..3 {
        assert_eq!(guess(&mut browser).await.answer.status, 200);
    }
    assert_eq!(guess(&mut browser).await.answer.status, 429);
}

#[tokio::test]
async fn a_code_is_taken_from_a_form_of_ours_alone() {
    let app = TestApp::start().await;
    let (client, alice, mut browser) = (television(&app).await, app.alice().await, app.browser());
    let device = Device::begin(&app, &client).await;
    let fields = [("user_code", device.text("user_code"))];
    let page = browser.post_from_elsewhere("/device", &fields).await;
    page.assert_error("/device", 403, "access_denied", "the form did not come from this page, open it again");
    let page = browser.open("/device").await;
    let mut form = page.form("device-submit");
    form.set("user_code", device.text("user_code"));
    form.set("csrf", "AAAA");
    let page = browser.send_form(&page, form).await;
    page.assert_error("/device", 403, "access_denied", "the form did not come from this page, open it again");
    // What became of a device is told to the browser that decided.
    let question = device.connect(&mut browser, &alice).await;
    let done = browser.submit(&question, "consent-allow", &[]).await;
    let other = app.browser().open(done.url.as_str()).await;
    assert!(other.has("error-page") && other.answer.status == 400, "{other:?}");
    assert!(app.browser().open("/device/done").await.has("error-page"));
}

#[tokio::test]
async fn the_page_of_the_end_asks_while_nothing_is_decided() {
    let app = TestApp::start().await;
    let (client, alice, mut browser) = (television(&app).await, app.alice().await, app.browser());
    let device = Device::begin(&app, &client).await;
    let question = device.connect(&mut browser, &alice).await;
    let early = question.url.as_str().replace("/consent?", "/device/done?");
    assert_eq!(browser.open(&early).await.url.path(), "/consent");
    Device::told(&device.poll(&app).await, PENDING);
}

#[tokio::test]
async fn the_console_the_api_and_the_metadata_know_the_grant() {
    let app = TestApp::start().await;
    let metadata = app.get("/.well-known/oauth-authorization-server").send().await;
    let metadata: Value = serde_json::from_str(&metadata.body).unwrap();
    assert_eq!(metadata["device_authorization_endpoint"], format!("{}/device_authorization", app.issuer()));
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));
    let admin = app.admin(&["admin:clients"]).await;
    let client = json!({
        "grant_types": [GRANT, "refresh_token"], "scopes": ["openid", "photos.read"], "token_endpoint_auth_method": "none",
    });
    let made = admin.post("/admin/clients", &client).await.document(201);
    assert_eq!(made["grant_types"], json!([GRANT, "refresh_token"]));
    let id = made["client_id"].as_str().unwrap();
    let form = [("client_id", id), ("scope", "openid")];
    assert_eq!(app.post_form("/device_authorization", &form).await.status, 200);
    let wrong = json!({"grant_types": ["device_code"], "scopes": ["openid"]});
    let refused = admin.post("/admin/clients", &wrong).await;
    assert!((400..500).contains(&refused.status), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_postgres_an_approved_device_waits_and_is_served_afterwards() {
    let mut cluster = Cluster::start().await;
    let app = TestApp::on(Database::of_cluster(&cluster).await, |_| {}).await;
    let (device, ..) = approved(&app).await;
    cluster.kill().await;
    device.poll(&app).await.assert_unavailable();
    device.poll(&app).await.assert_unavailable();
    cluster.start_again().await;
    let served = || async {
        let answer = device.poll(&app).await;
        (answer.status == 200).then_some(answer)
    };
    let tokens = Tokens { body: eventually("the device is served", served).await.json() };
    app.assert_family_stands(&device.client, &tokens).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_valkey_no_device_is_judged_and_none_begins() {
    let mut valkey = Valkey::start().await;
    let app = TestApp::with_config(|config| config.state.valkey_url = Some(valkey.url().into())).await;
    let (device, _, mut browser) = approved(&app).await;
    let waiting = Device::begin(&app, &device.client).await;
    let page = browser.open("/device").await;
    valkey.kill();
    for answer in [device.poll(&app).await, waiting.poll(&app).await] {
        answer.assert_unavailable();
    }
    let answer = app.call_as(&device.client, "/device_authorization", &[("scope", "openid")]).await;
    answer.assert_unavailable();
    let typed = [("user_code", waiting.text("user_code"))];
    browser.submit(&page, "device-submit", &typed).await.assert_unavailable("/device");
    valkey.start_again().await;
    let ready = || async { (app.get("/ready").send().await.status == 200).then_some(()) };
    eventually("the server is ready", ready).await;
    // The store was emptied: whoever waited begins anew.
    Device::told(&device.poll(&app).await, EXPIRED);
}
