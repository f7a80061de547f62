//! Pairwise subject identifiers (OpenID Connect Core section 8): what clients of different sectors are told of the same person, and
//! that it stays what it is.

use ostiary::bootstrap;
use ostiary::clock::Clock;
use ostiary::config::Config;
use ostiary::keys::private_key::RsaBits;
use ostiary::keys::store::directory;
use ostiary::model::client::{AccessTokenFormat, ClientSettings, ConsentPolicy, GrantType, SubjectType};
use ostiary::model::id::{ResourceUri, SubjectId};
use ostiary::model::signing_alg::SigningAlg;
use ostiary::random;
use serde_json::{Value, json};
use url::Url;

use crate::harness::{
    Authorization, Browser, MAIL_API, PHOTOS_API, Receiver, TestApp, TestClient, TestPerson, Tokens, jwt, master_key,
    parameters,
};

const SCOPE: &str = "openid profile offline_access photos.read";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Pairwise, at home on `host`.
fn pairwise_at(host: &str) -> impl FnOnce(&mut ClientSettings) {
    let (redirect_uri, goodbye) = (format!("https://{host}/callback"), format!("https://{host}/goodbye"));
    |settings| {
        settings.subject_type = SubjectType::Pairwise;
        settings.redirect_uris = vec![redirect_uri];
        settings.post_logout_redirect_uris = vec![goodbye];
    }
}

/// What a client of the sector `host` calls `person`.
fn expected(app: &TestApp, host: &str, person: &TestPerson) -> Value {
    json!(app.app.pairwise.subject(host, person.sub()))
}

/// What `client` is told of the person and the session, everywhere the same.
async fn seen(app: &TestApp, client: &TestClient, browser: &mut Browser, person: &TestPerson) -> (Value, Value) {
    let tokens = app.tokens_in(browser, client, &Authorization::of(client).with("scope", SCOPE), person).await;
    let first = tokens.id_claims(app).await;
    let refreshed = app.refreshed(client, tokens.refresh()).await;
    assert_eq!(refreshed.id_claims(app).await["sid"], first["sid"]);
    let mut subjects = vec![refreshed.id_claims(app).await["sub"].clone()];
    for access in [tokens.access(), refreshed.access()] {
        if access.contains('.') {
            subjects.push(jwt::verify(app, access).await.claims["sub"].clone());
        }
        subjects.push(app.userinfo(access).await.json()["sub"].clone());
        subjects.push(app.introspect(client, access).await.json()["sub"].clone());
    }
    subjects.push(app.introspect(client, refreshed.refresh()).await.json()["sub"].clone());
    for subject in subjects {
        assert_eq!(subject, first["sub"]);
    }
    (first["sub"].clone(), first["sid"].clone())
}

#[tokio::test]
async fn section_8_1_each_sector_has_its_own_identifier_and_public_clients_have_the_persons() {
    let app = TestApp::start().await;
    let (alice, bob, mut browser) = (app.alice().await, app.bob().await, app.browser());
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let at = async |host: &str| {
            let settings = pairwise_at(host);
            app.web_client_with(|s| {
                settings(s);
                s.access_token_format = format;
            })
            .await
        };
        let (one, same, other) = (at("one.example").await, at("one.example").await, at("other.example").await);
        let public = app.web_client_with(|settings| settings.access_token_format = format).await;
        let first = seen(&app, &one, &mut browser, &alice).await;
        assert_eq!(seen(&app, &same, &mut browser, &alice).await, first);
        let second = seen(&app, &other, &mut browser, &alice).await;
        let (sub, sid) = seen(&app, &public, &mut browser, &alice).await;
        assert_eq!(sub, alice.sub());
        // Sessions could be compared just as well.
        assert!(first.0 != second.0 && first.0 != sub && second.0 != sub, "{first:?} {second:?}");
        assert!(first.1 != second.1 && first.1 != sid && second.1 != sid, "{first:?} {second:?}");
        assert_ne!(seen(&app, &one, &mut app.browser(), &bob).await.0, first.0);
        let text = first.0.as_str().unwrap();
        assert!(text.is_ascii() && text.len() <= 255 && text.starts_with(SubjectId::PREFIX), "{text}");
    }
}

#[tokio::test]
async fn section_8_1_the_host_of_the_sector_identifier_uri_is_the_sector_wherever_people_are_sent() {
    let app = TestApp::start().await;
    let (alice, mut browser) = (app.alice().await, app.browser());
    let native = app.public_client_with(|settings| {
        settings.subject_type = SubjectType::Pairwise;
        settings.sector_identifier_uri = Some("https://one.example/uris.json".into());
        settings.redirect_uris = vec!["com.example.one:/callback".into(), "http://127.0.0.1/callback".into()];
    });
    let (native, web) = (native.await, app.web_client_with(pairwise_at("one.example")).await);
    let request = Authorization::of(&native).with("scope", "openid");
    let told = app.tokens_in(&mut browser, &native, &request, &alice).await.id_claims(&app).await;
    assert_eq!(told["sub"], seen(&app, &web, &mut browser, &alice).await.0);
    assert_eq!(told["sub"], expected(&app, "one.example", &alice));
}

#[tokio::test]
async fn who_has_no_sector_is_told_of_nobody() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = app.web_client_with(pairwise_at("one.example")).await;
    let tokens = app.tokens(&client, &alice, SCOPE).await;
    // No registration allows that.
    app.change_client(&client, |client| client.settings.redirect_uris.push("https://other.example/".into())).await;
    let answer = app.refresh(&client, tokens.refresh()).await;
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(!answer.body.contains(alice.sub()), "{answer:?}");
}

/// The subject that an installation with these settings makes.
async fn made_by(app: &TestApp, change: impl FnOnce(&mut Config)) -> Result<SubjectId, String> {
    let mut config = app.app.config.clone();
    change(&mut config);
    let built = bootstrap::build(config, Clock::manual(&app.clock)).await;
    built.map(|built| built.pairwise.subject("one.example", "u.alice")).map_err(|error| format!("{error:#}"))
}

#[tokio::test]
async fn identifiers_stay_with_other_keys_and_in_other_instances() {
    let app = TestApp::start().await;
    let (alice, mut browser) = (app.alice().await, app.browser());
    let client = app.web_client_with(pairwise_at("one.example")).await;
    let (sub, sid) = seen(&app, &client, &mut browser, &alice).await;
    assert_eq!(sub, expected(&app, "one.example", &alice));
    // Other signing keys, and a new master key that is current now.
    let keys = tempfile::tempdir().unwrap();
    let path = keys.path().join("keys");
    directory::generate_initial(&path, &[SigningAlg::RS256, SigningAlg::ES256], RsaBits::Two048, app.now()).unwrap();
    let (old, new) = (master_key(), format!("2:{}", random::token()));
    let both = format!("{new}\n{old}");
    let other = app
        .second_instance_with(|config| {
            config.keys.directory = path;
            config.keys.master_key = Some(both.into());
        })
        .await;
    let again = seen(&other, &client, &mut other.browser(), &alice).await;
    assert_eq!(again.0, sub);
    assert_ne!(again.1, sid, "another session");
    // The salt was sealed anew, so that the old key can go.
    let alone = made_by(&app, |config| config.keys.master_key = Some(new.into())).await;
    assert_eq!(alone, Ok(app.app.pairwise.subject("one.example", "u.alice")));
}

#[tokio::test]
async fn without_its_master_key_the_salt_is_not_made_anew() {
    let app = TestApp::start().await;
    let other = format!("2:{}", random::token());
    let refused = made_by(&app, |config| config.keys.master_key = Some(other.into())).await.unwrap_err();
    assert!(refused.contains("it was sealed with the master key of the id 1"), "{refused}");
    assert!(refused.contains("give that master key too"), "{refused}");
    assert_eq!(made_by(&app, |_| {}).await, Ok(app.app.pairwise.subject("one.example", "u.alice")));
}

#[tokio::test]
async fn a_salt_that_was_used_and_is_gone_is_not_made_anew() {
    let app = TestApp::start().await;
    let before = made_by(&app, |_| {}).await.unwrap();
    app.execute("UPDATE installation SET pairwise_salt = NULL").await;
    // As long as nobody used it there may be another; of two who make one at once both have the same.
    let (first, second) = tokio::join!(made_by(&app, |_| {}), made_by(&app, |_| {}));
    assert_eq!(first, second);
    assert_ne!(first.unwrap(), before);
    app.web_client_with(pairwise_at("one.example")).await;
    app.execute("UPDATE installation SET pairwise_salt = NULL").await;
    let refused = made_by(&app, |_| {}).await.unwrap_err();
    assert!(refused.contains("clients have pairwise subject identifiers, but the salt"), "{refused}");
    assert!(refused.contains("from a backup"), "{refused}");
}

/// What the client is answered that asks without a page.
async fn asked_silently(
    browser: &mut Browser,
    client: &TestClient,
    (name, value): (&'static str, &str),
) -> Option<String> {
    let request = Authorization::of(client).with("prompt", "none").with(name, value);
    browser.open(&request.path()).await.returned_to(&client.redirect_uri).get("error").cloned()
}

#[tokio::test]
async fn section_3_1_2_2_a_hint_and_a_claimed_sub_mean_whom_the_client_calls_so() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.alice().await, app.bob().await);
    let (client, other) =
        (app.web_client_with(pairwise_at("one.example")).await, app.web_client_with(pairwise_at("two.example")).await);
    let (mut of_alice, mut of_bob) = (app.browser(), app.browser());
    let request = Authorization::of(&client);
    let hint = app.tokens_in(&mut of_alice, &client, &request, &alice).await;
    app.tokens_in(&mut of_bob, &client, &request, &bob).await;
    let hinted = ("id_token_hint", hint.id());
    assert_eq!(asked_silently(&mut of_alice, &client, hinted).await, None);
    assert_eq!(asked_silently(&mut of_bob, &client, hinted).await.as_deref(), Some("login_required"));
    assert_eq!(asked_silently(&mut of_alice, &other, hinted).await.as_deref(), Some("invalid_request"));
    let claimed = |sub: &Value| json!({"id_token": {"sub": {"value": sub}}}).to_string();
    let own = claimed(&hint.id_claims(&app).await["sub"]);
    assert_eq!(asked_silently(&mut of_alice, &client, ("claims", &own)).await, None);
    assert_eq!(asked_silently(&mut of_bob, &client, ("claims", &own)).await.as_deref(), Some("login_required"));
    // What others call alice says nothing here: else a client could ask whether they are the same.
    for foreign in [json!(alice.sub()), expected(&app, "two.example", &alice)] {
        let asked = asked_silently(&mut of_alice, &client, ("claims", &claimed(&foreign))).await;
        assert_eq!(asked.as_deref(), Some("login_required"));
    }
    // With pages allowed alice is asked to sign in, and bob does not do.
    let request = Authorization::of(&client).with("id_token_hint", hint.id());
    let login = of_bob.open(&request.path()).await;
    let again = of_bob.log_in(&login, &bob).await;
    again.assert_login();
    of_bob.log_in(&again, &alice).await.returned_code(&client.redirect_uri);
}

#[tokio::test]
async fn the_hint_of_its_session_signs_a_person_out_and_every_client_is_told_by_its_own_names() {
    let mut receiver = Receiver::start().await;
    let exception = receiver.exception();
    let app = TestApp::with_config(|config| config.outbound.allow.push(exception)).await;
    let (alice, mut browser) = (app.alice().await, app.browser());
    let mut told = Vec::new();
    for host in ["one.example", "two.example"] {
        let (settings, uri) = (pairwise_at(host), receiver.url(&format!("/{host}")));
        let client = app.web_client_with(|s| {
            settings(s);
            s.backchannel_logout_uri = Some(uri);
            s.frontchannel_logout_uri = Some(format!("https://{host}/bye"));
            s.frontchannel_logout_session_required = true;
        });
        let client = client.await;
        let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
        told.push((host, tokens.id_claims(&app).await, tokens));
    }
    let [(_, first, hint), (_, second, _)] = &told[..] else { panic!("two") };
    assert!(first["sub"] != second["sub"] && first["sid"] != second["sid"]);
    // Somebody else's browser is asked: the hint is of another session.
    let mut elsewhere = app.browser();
    let other = app.web_client().await;
    app.tokens_in(&mut elsewhere, &other, &Authorization::of(&other), &alice).await;
    let path = format!("/logout?id_token_hint={}", hint.id());
    assert!(!elsewhere.open(&path).await.has("logged-out"));
    let page = browser.open(&path).await;
    assert!(page.has("logged-out"), "{page:?}");
    let frames = page.attributes("iframe", "src");
    for (host, id_token, _) in &told {
        let frame = frames.iter().find(|frame| frame.contains(host)).unwrap();
        let sent = parameters(Url::parse(frame).unwrap().query().unwrap());
        assert_eq!(json!(sent["sid"]), id_token["sid"]);
    }
    for _ in 0..2 {
        let received = receiver.next().await;
        let token = jwt::verify(&app, &parameters(&received.body)["logout_token"]).await.claims;
        let (_, id_token, _) = told.iter().find(|(host, ..)| received.path == format!("/{host}")).unwrap();
        assert_eq!((&token["sub"], &token["sid"]), (&id_token["sub"], &id_token["sid"]));
    }
}

#[tokio::test]
async fn a_device_is_told_by_the_names_of_its_sector() {
    let app = TestApp::start().await;
    let (alice, mut browser) = (app.alice().await, app.browser());
    let television = app.web_client_with(|settings| {
        settings.grant_types = vec![GrantType::DeviceCode, GrantType::RefreshToken];
        settings.redirect_uris.clear();
        settings.consent = ConsentPolicy::Remembered;
        settings.subject_type = SubjectType::Pairwise;
        settings.sector_identifier_uri = Some("https://one.example/uris.json".into());
    });
    let television = television.await;
    let begun = app.call_as(&television, "/device_authorization", &[("scope", "openid")]).await.json();
    let page = browser.open("/device").await;
    let page = browser.submit(&page, "device-submit", &[("user_code", begun["user_code"].as_str().unwrap())]).await;
    let page = browser.log_in(&page, &alice).await;
    browser.submit(&page, "consent-allow", &[]).await;
    let form = [("grant_type", DEVICE), ("device_code", begun["device_code"].as_str().unwrap())];
    let tokens = Tokens { body: app.token(&television, &form).await.json() };
    let sub = expected(&app, "one.example", &alice);
    assert_eq!(tokens.id_claims(&app).await["sub"], sub);
    assert_eq!(tokens.access_claims(&app).await["sub"], sub);
    assert_eq!(app.userinfo(tokens.access()).await.json()["sub"], sub);
}

#[tokio::test]
async fn a_resource_server_is_told_by_the_names_that_it_has_itself() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let served = || vec![ResourceUri::new(PHOTOS_API)];
    let public = app.resource_server(PHOTOS_API).await;
    let pairwise = app.machine_client_with(|settings| {
        settings.serves = served();
        settings.subject_type = SubjectType::Pairwise;
        settings.sector_identifier_uri = Some("https://photos.example/uris.json".into());
    });
    let (pairwise, own) = (pairwise.await, expected(&app, "photos.example", &alice));
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        for (scope, host) in [("openid photos.read", "one.example"), ("openid profile photos.read", "two.example")] {
            let settings = pairwise_at(host);
            let client = app.web_client_with(|s| {
                settings(s);
                s.access_token_format = format;
            });
            let client = client.await;
            let request = Authorization::of(&client).with("scope", scope).with("resource", PHOTOS_API);
            let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
            let told = async |caller: &TestClient| app.introspect(caller, tokens.access()).await.json()["sub"].clone();
            assert_eq!(told(&client).await, expected(&app, host, &alice));
            assert_eq!(told(&public).await, alice.sub());
            assert_eq!(told(&pairwise).await, own, "the same, whichever application sent the token");
            let accept = "application/token-introspection+jwt";
            let call = app.post("/introspect").header("accept", accept);
            let signed = pairwise.sign(call, &[("token", tokens.access())]).send().await;
            assert_eq!(jwt::verify(&app, &signed.body).await.claims["token_introspection"]["sub"], own);
        }
    }
    // Of a client that acts for itself there is nothing to hide.
    let machine = app.machine_client_with(|settings| settings.serves = served()).await;
    let form = [("grant_type", "client_credentials"), ("scope", "photos.read"), ("resource", PHOTOS_API)];
    let token = app.token(&machine, &form).await.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(app.introspect(&pairwise, &token).await.json()["sub"], machine.id);
}

/// A service of a sector of its own that may exchange tokens for one resource for such for another.
async fn service(app: &TestApp, host: &str, (serves, calls): (&str, &str)) -> TestClient {
    let uri = |uri: &str| vec![ResourceUri::new(uri)];
    let client = app.machine_client_with(|settings| {
        settings.grant_types = vec![GrantType::TokenExchange];
        settings.scopes = ["openid", "profile", "photos.read", "mail.read"].map(Into::into).into();
        settings.serves = uri(serves);
        settings.token_exchange.resources = uri(calls);
        settings.subject_type = SubjectType::Pairwise;
        settings.sector_identifier_uri = Some(format!("https://{host}/uris.json"));
    });
    client.await
}

async fn exchanged(app: &TestApp, client: &TestClient, token: &str, actor: Option<&str>) -> String {
    let mut form = vec![("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
    if let Some(actor) = actor {
        form.extend([("actor_token", actor), ("actor_token_type", ACCESS_TOKEN)]);
    }
    app.token(client, &form).await.json()["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_exchanged_token_names_nobody_by_the_names_of_another_sector() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.alice().await, app.bob().await);
    let front = app.web_client_with(pairwise_at("front.example")).await;
    let photos = service(&app, "photos.example", (PHOTOS_API, MAIL_API)).await;
    let mail = service(&app, "mail.example", (MAIL_API, PHOTOS_API)).await;
    let mut sent = Vec::new();
    for person in [&alice, &bob] {
        let request = Authorization::of(&front).with("scope", "openid photos.read mail.read");
        let request = request.and("resource", PHOTOS_API).and("resource", MAIL_API);
        sent.push(app.tokens_in(&mut app.browser(), &front, &request, person).await);
    }
    let [of_alice, of_bob] = &sent[..] else { panic!("two") };
    let own = exchanged(&app, &photos, of_alice.access(), None).await;
    let claims = jwt::verify(&app, &own).await.claims;
    assert_eq!(
        (&claims["sub"], &claims["act"]),
        (&expected(&app, "photos.example", &alice), &json!({"sub": photos.id}))
    );
    assert_eq!(app.userinfo(&own).await.status, 200);
    assert_eq!(app.userinfo(&own).await.json()["sub"], claims["sub"]);
    // A person acts.
    let acted = exchanged(&app, &photos, of_alice.access(), Some(of_bob.access())).await;
    let claims = jwt::verify(&app, &acted).await.claims;
    let bob_at_photos = expected(&app, "photos.example", &bob);
    assert_eq!(claims["sub"], expected(&app, "photos.example", &alice));
    assert_eq!(claims["act"], json!({"sub": bob_at_photos}));
    // Told to the next one, and exchanged by it: the name of who acted before is its own too, and always the same.
    let bob_at_mail = json!(app.app.pairwise.subject("mail.example", bob_at_photos.as_str().unwrap()));
    let told = app.introspect(&mail, &acted).await.json();
    assert_eq!((&told["sub"], &told["act"]["sub"]), (&expected(&app, "mail.example", &alice), &bob_at_mail));
    let next = exchanged(&app, &mail, &acted, None).await;
    let claims = jwt::verify(&app, &next).await.claims;
    assert_eq!(claims["sub"], expected(&app, "mail.example", &alice));
    assert_eq!(claims["act"], json!({"sub": mail.id, "act": {"sub": bob_at_mail}}));
    let public = app.resource_server(MAIL_API).await;
    let told = app.introspect(&public, &acted).await.json();
    assert_eq!(told["sub"], alice.sub());
    for name in [bob_at_photos, bob_at_mail, json!(bob.sub())] {
        assert_ne!(told["act"]["sub"], name);
    }
    // Between public clients everything is as it is.
    let (plain, service) = (app.web_client().await, service(&app, "x.example", (PHOTOS_API, MAIL_API)).await);
    app.change_client(&service, |client| client.settings.subject_type = SubjectType::Public).await;
    let request = Authorization::of(&plain).with("scope", "openid photos.read mail.read");
    let request = request.and("resource", PHOTOS_API).and("resource", MAIL_API);
    let tokens = app.tokens_in(&mut app.browser(), &plain, &request, &bob).await;
    let token = exchanged(&app, &service, of_alice.access(), Some(tokens.access())).await;
    let told = app.introspect(&public, &token).await.json();
    assert_eq!((&told["sub"], &told["act"]["sub"]), (&json!(alice.sub()), &json!(bob.sub())));
}

#[tokio::test]
async fn administrators_know_the_person_and_revoke_by_them() {
    let app = TestApp::start().await;
    let alice = app.alice().await;
    let client = app.web_client_with(pairwise_at("one.example")).await;
    let tokens = app.tokens(&client, &alice, SCOPE).await;
    let admin = app.admin(&["admin:grants", "admin:sessions"]).await;
    for path in ["/admin/tokens", "/admin/sessions"] {
        let listed = admin.get(&format!("{path}?subject={}", alice.sub())).await.document(200);
        assert_eq!(listed["items"][0]["subject"], alice.sub(), "{path} {listed}");
    }
    let told = tokens.id_claims(&app).await;
    let unknown = admin.get(&format!("/admin/tokens?subject={}", told["sub"].as_str().unwrap())).await.document(200);
    assert_eq!(unknown["items"], json!([]));
    admin.post("/admin/tokens/revoke", &json!({"by": "subject", "subject": alice.sub()})).await.document(200);
    app.assert_family_is_over(&client, &tokens).await;
}
