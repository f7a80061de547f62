//! `/token` with token exchange (RFC 8693): impersonation and delegation, and everything that must not come of it.

use futures_util::future::join_all;
use ostiary::flow::access_token::AccessTokenClaims;
use ostiary::keys::token::OpaqueAccessToken;
use ostiary::model::client::{AccessTokenFormat, ClientAuthMethod, ClientSettings, GrantType};
use ostiary::model::id::{ClientId, ResourceUri, Sid};
use ostiary::model::profile::Profile;
use ostiary::model::session::EndReason;
use ostiary::model::signing_alg::SigningAlg;
use serde_json::{Value, json};

use crate::harness::proof::ath;
use crate::harness::{
    ADMIN_API, ASSERTION_TYPE, Answer, Authorization, ClientCert, ClientKey, Cluster, Database, MAIL_API, PHOTOS_API,
    TestApp, TestClient, TestPerson, Tokens, jwt,
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

const INVALID: &str = "the subject_token is invalid, expired, revoked or not for this client";
const INVALID_ACTOR: &str = "the actor_token is invalid, expired, revoked or not for this client";
const NOT_THERE: &str = "the client may not exchange tokens for that resource or audience";
const TOO_LONG: &str = "the subject_token came of too many exchanges";
const TOO_WIDE: &str = "a scope was asked for that the subject_token does not have, or that this client may not have";
const UNPROVEN: &str = "a token is bound to a key or a certificate that the client did not prove to have";

/// Photos, an API that calls the one for mail on behalf of whoever called it.
struct World {
    app: TestApp,
    alice: TestPerson,
    /// What alice signs in to.
    front: TestClient,
    /// What is called by it.
    photos: TestClient,
    /// What is called in turn.
    mail: TestClient,
}

impl World {
    async fn new() -> Self {
        Self::on(TestApp::start().await).await
    }

    async fn on(app: TestApp) -> Self {
        let (alice, front) = (app.alice().await, app.web_client().await);
        let (photos, mail) = (service(&app, |_| {}).await, app.resource_server(MAIL_API).await);
        Self { app, alice, front, photos, mail }
    }

    /// Tokens that alice gave to the front for both APIs.
    async fn tokens(&self) -> Tokens {
        self.tokens_with("openid profile photos.read mail.read").await
    }

    async fn tokens_with(&self, scope: &str) -> Tokens {
        let request = Authorization::of(&self.front).with("scope", scope);
        let request = request.and("resource", PHOTOS_API).and("resource", MAIL_API);
        self.app.tokens_in(&mut self.app.browser(), &self.front, &request, &self.alice).await
    }

    /// What photos is answered that exchanges `token`.
    async fn exchange(&self, token: &str, more: &[(&str, &str)]) -> Answer {
        exchange(&self.app, &self.photos, token, more).await
    }

    async fn exchanged(&self, token: &str, more: &[(&str, &str)]) -> String {
        access(&self.exchange(token, more).await)
    }

    async fn is_active(&self, token: &str) -> bool {
        let told = self.app.introspect(&self.mail, token).await.json();
        if told["active"] == false {
            assert_eq!(told, json!({"active": false}));
        }
        told["active"] == true
    }

    /// Asserts that nothing is left of an exchanged token.
    async fn assert_over(&self, token: &str, what: &str) {
        assert!(!self.is_active(token).await, "{what}");
        let answer = self.app.userinfo(token).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
    }
}

fn uris(uris: &[&str]) -> Vec<ResourceUri> {
    uris.iter().copied().map(ResourceUri::new).collect()
}

fn of_a_service(settings: &mut ClientSettings) {
    settings.grant_types = vec![GrantType::TokenExchange, GrantType::ClientCredentials];
    settings.scopes = ["openid", "profile", "photos.read", "mail.read"].map(Into::into).into();
    settings.serves = uris(&[PHOTOS_API]);
    settings.token_exchange.resources = uris(&[MAIL_API]);
}

/// The API for photos, which may exchange for that for mail.
async fn service(app: &TestApp, change: impl FnOnce(&mut ClientSettings)) -> TestClient {
    app.machine_client_with(|settings| {
        of_a_service(settings);
        change(settings);
    })
    .await
}

fn form<'a>(token: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let form = [("grant_type", GRANT), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
    [form.as_slice(), more].concat()
}

async fn exchange(app: &TestApp, client: &TestClient, token: &str, more: &[(&str, &str)]) -> Answer {
    app.token(client, &form(token, more)).await
}

#[track_caller]
fn access(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// A token that `client` got for itself.
async fn own(app: &TestApp, client: &TestClient, scope: &str) -> String {
    access(&app.token(client, &[("grant_type", "client_credentials"), ("scope", scope)]).await)
}

fn actor(token: &str) -> [(&str, &str); 2] {
    [("actor_token", token), ("actor_token_type", ACCESS_TOKEN)]
}

/// An opaque token of this server that says what `token` says, but for `change`.
fn changed(app: &TestApp, token: &str, change: impl FnOnce(&mut AccessTokenClaims)) -> String {
    let mut claims = AccessTokenClaims::decode(&app.app, token, app.now()).unwrap();
    change(&mut claims);
    OpaqueAccessToken::seal(&app.app.master_keys, &serde_json::to_vec(&claims).unwrap()).ok().unwrap()
}

#[tokio::test]
async fn section_2_2_1_the_answer_and_the_token_say_exactly_this() {
    let w = World::new().await;
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        w.app.change_client(&w.photos, |client| client.settings.access_token_format = format).await;
        let tokens = w.tokens().await;
        w.app.pass_seconds(60);
        let answer = w.exchange(tokens.access(), &[("scope", "mail.read")]).await;
        answer.assert_not_stored();
        let mut body = answer.json();
        let token = body["access_token"].take().as_str().unwrap().to_owned();
        let expected = json!({
            "access_token": null, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 540,
            "scope": "mail.read",
        });
        assert_eq!(body, expected);
        let (now, before) = (w.app.now().timestamp(), tokens.access_claims(&w.app).await);
        let mut claims = json!({
            "iss": w.app.issuer(), "sub": w.alice.sub(), "aud": MAIL_API, "client_id": w.photos.id,
            "scope": "mail.read", "jti": null, "iat": now, "nbf": now - 30, "exp": before["exp"],
            "auth_time": before["auth_time"], "acr": before["acr"], "amr": before["amr"], "act": {"sub": w.photos.id},
        });
        if format == AccessTokenFormat::Jwt {
            let mut jwt = jwt::verify(&w.app, &token).await;
            assert_eq!(jwt.header["typ"], "at+jwt");
            jwt.claims["jti"].take();
            assert!(jwt.claims.as_object_mut().unwrap().remove("lineage").is_some());
            assert_eq!(jwt.claims, claims);
        } else {
            assert!(!token.contains('.'));
        }
        let mut told = w.app.introspect(&w.mail, &token).await.json();
        told["jti"].take();
        claims["active"] = json!(true);
        claims["token_type"] = json!("Bearer");
        assert_eq!(told, claims);
    }
}

#[tokio::test]
async fn section_2_1_what_a_request_must_have_and_must_not_have() {
    let w = World::new().await;
    let tokens = w.tokens().await;
    let token = tokens.access();
    let grant = ("grant_type", GRANT);
    let (subject, kind) = (("subject_token", token), ("subject_token_type", ACCESS_TOKEN));
    let cases = [
        (vec![kind], "the parameter subject_token is missing"),
        (vec![("subject_token", ""), kind], "the parameter subject_token is missing"),
        (vec![subject], "the parameter subject_token_type is missing"),
        (vec![subject, ("subject_token_type", "")], "the parameter subject_token_type is missing"),
        (vec![subject, ("subject_token_type", "access_token")], "the subject_token_type is not supported"),
        (vec![subject, ("subject_token_type", ID_TOKEN)], "the subject_token_type is not supported"),
        (vec![subject, kind, ("requested_token_type", ID_TOKEN)], "the requested_token_type is not supported"),
        (
            vec![subject, kind, ("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token")],
            "the requested_token_type is not supported",
        ),
        (vec![subject, kind, ("actor_token", token)], "the parameter actor_token_type is missing"),
        (
            vec![subject, kind, ("actor_token_type", ACCESS_TOKEN)],
            "there is an actor_token_type without an actor_token",
        ),
        (
            vec![subject, kind, ("actor_token", token), ("actor_token_type", ID_TOKEN)],
            "the actor_token_type is not supported",
        ),
        (vec![subject, subject, kind], "repeated parameter"),
        (vec![subject, kind, kind], "repeated parameter"),
        (vec![subject, kind, ("scope", "mail.read"), ("scope", "mail.read")], "repeated parameter"),
        (vec![subject, kind, ("unheard", "of"), ("unheard", "of")], "repeated parameter"),
    ];
    for (form, description) in cases {
        let answer = w.app.token(&w.photos, &[[grant].as_slice(), &form].concat()).await;
        answer.assert_error(400, "invalid_request", description);
    }
    // Only this grant has an audience.
    let twice = [("grant_type", "client_credentials"), ("audience", MAIL_API), ("audience", MAIL_API)];
    w.app.token(&w.photos, &twice).await.assert_error(400, "invalid_request", "repeated parameter");
    assert!(w.is_active(&w.exchanged(token, &[]).await).await, "nothing was used up");
}

#[tokio::test]
async fn section_2_1_resource_and_audience_may_be_repeated_and_say_where() {
    let w = World::new().await;
    let other = service(&w.app, |s| s.token_exchange.resources = uris(&[MAIL_API, PHOTOS_API])).await;
    let tokens = w.tokens().await;
    let aud = async |more: &[(&str, &str)]| {
        let answer = exchange(&w.app, &other, tokens.access(), more).await;
        let claims = jwt::verify(&w.app, &access(&answer)).await.claims;
        (claims["aud"].clone(), claims["scope"].as_str().unwrap().to_owned())
    };
    let (mail, both) = ("openid profile mail.read".to_owned(), "openid profile photos.read mail.read".to_owned());
    assert_eq!(aud(&[("resource", MAIL_API)]).await, (json!(MAIL_API), mail.clone()));
    assert_eq!(aud(&[("audience", MAIL_API)]).await, (json!(MAIL_API), mail.clone()));
    assert_eq!(aud(&[("audience", &w.mail.id)]).await, (json!(MAIL_API), mail.clone()));
    assert_eq!(aud(&[("audience", &w.mail.id), ("resource", MAIL_API)]).await, (json!(MAIL_API), mail));
    let expected = (json!([PHOTOS_API, MAIL_API]), both);
    assert_eq!(aud(&[("resource", PHOTOS_API), ("resource", MAIL_API)]).await, expected);
    assert_eq!(aud(&[("resource", PHOTOS_API), ("audience", MAIL_API)]).await, expected);
    assert_eq!(aud(&[("audience", &w.photos.id), ("audience", &w.mail.id)]).await, expected);
    // Several would be possible.
    let answer = exchange(&w.app, &other, tokens.access(), &[]).await;
    answer.assert_error(400, "invalid_target", "the parameter resource or audience is missing");
    let many: Vec<(&str, &str)> = vec![("audience", MAIL_API); 17];
    let answer = exchange(&w.app, &other, tokens.access(), &many).await;
    answer.assert_error(400, "invalid_target", "too many resources");
}

#[tokio::test]
async fn section_2_2_2_a_target_that_the_policy_does_not_name_is_invalid_target() {
    let w = World::new().await;
    let tokens = w.tokens().await;
    let unknown = "the resource is unknown, or not for this client";
    let disabled = w.app.resource_server(MAIL_API).await;
    w.app.change_client(&disabled, |client| client.enabled = false).await;
    let admin = w.app.admin_resource();
    let cases = [
        (("resource", "https://unknown.example/"), unknown),
        (("resource", "mail"), "a resource must be an absolute URI without a fragment"),
        (("resource", PHOTOS_API), NOT_THERE),
        (("resource", ADMIN_API), unknown),
        (("resource", admin.as_str()), unknown),
        (("audience", "unknown"), unknown),
        (("audience", &w.front.id), unknown),
        (("audience", &disabled.id), unknown),
        (("audience", &w.photos.id), NOT_THERE),
        (("audience", admin.as_str()), unknown),
    ];
    for (target, description) in cases {
        let answer = w.exchange(tokens.access(), &[target]).await;
        answer.assert_error(400, "invalid_target", description);
        let answer = w.exchange(tokens.access(), &[("resource", MAIL_API), target]).await;
        answer.assert_error(400, "invalid_target", description);
    }
    // What the client may ask for bounds what it may exchange for.
    w.app.change_client(&w.photos, |client| client.settings.resources = uris(&[PHOTOS_API])).await;
    w.exchange(tokens.access(), &[]).await.assert_error(400, "invalid_target", unknown);
}

#[tokio::test]
async fn the_admin_api_is_never_reached_and_its_tokens_are_never_exchanged() {
    let w = World::new().await;
    let admin = w.app.admin_resource();
    let tokens = w.tokens().await;
    let everywhere = service(&w.app, |s| {
        s.scopes.push("admin:clients".into());
        s.resources = uris(&[&admin, MAIL_API]);
        s.token_exchange.resources = uris(&[&admin, MAIL_API]);
        s.token_exchange.client_subjects = true;
    })
    .await;
    let answer = exchange(&w.app, &everywhere, tokens.access(), &[("resource", &admin)]).await;
    answer.assert_error(400, "invalid_target", NOT_THERE);
    // Its own token for it, which counts for nothing here.
    let form = [("grant_type", "client_credentials"), ("scope", "admin:clients"), ("resource", &admin)];
    let powerful = access(&w.app.token(&everywhere, &form).await);
    assert_eq!(w.app.get("/admin/clients").bearer(&powerful).send().await.status, 200);
    let answer = exchange(&w.app, &everywhere, &powerful, &[("resource", MAIL_API)]).await;
    answer.assert_error(400, "invalid_request", INVALID);
    let with_actor = [[("resource", MAIL_API)].as_slice(), &actor(&powerful)].concat();
    exchange(&w.app, &everywhere, tokens.access(), &with_actor).await.assert_error(
        400,
        "invalid_request",
        INVALID_ACTOR,
    );
    // Nobody can register that.
    let caller = w.app.admin(&["admin:clients"]).await;
    let document = json!({
        "grant_types": [GRANT], "scopes": ["openid"], "resources": [admin], "token_exchange": {"resources": [admin]},
    });
    let answer = caller.post("/admin/clients", &document).await;
    assert_eq!(answer.invalid_members(), ["/token_exchange/resources/0"]);
    // Even if there were such a token, it would open nothing.
    let exchanged = w.exchanged(tokens.access(), &[]).await;
    let forged = changed(&w.app, &powerful, |claims| {
        claims.lineage = AccessTokenClaims::decode(&w.app.app, &exchanged, w.app.now()).unwrap().lineage;
    });
    w.app.get("/admin/clients").bearer(&forged).send().await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn only_an_access_token_of_ours_that_stands_is_exchanged() {
    let w = World::new().await;
    let tokens = w.tokens().await;
    let read = jwt::read(tokens.access());
    let foreign = jwt::signed_by_another_key(&read);
    let unsigned = jwt::unsigned(&read);
    let widened = jwt::with_claim(tokens.access(), "scope", json!("openid mail.read photos.write"));
    let other = TestApp::start().await;
    let others = changed(&w.app, tokens.access(), |claims| claims.iss = other.issuer().to_owned());
    let bad = [
        foreign.as_str(),
        &unsigned,
        &widened,
        &others,
        tokens.id(),
        tokens.refresh(),
        "nonsense",
        "a.b.c",
        &format!("{}x", tokens.access()),
    ];
    for token in bad {
        w.exchange(token, &[]).await.assert_error(400, "invalid_request", INVALID);
        let answer = w.exchange(tokens.access(), &actor(token)).await;
        answer.assert_error(400, "invalid_request", INVALID_ACTOR);
    }
    // A JWT that is none.
    let opaque = changed(&w.app, tokens.access(), |_| {});
    let said = [("grant_type", GRANT), ("subject_token", &opaque), ("subject_token_type", JWT)];
    w.app.token(&w.photos, &said).await.assert_error(400, "invalid_request", INVALID);
    assert_eq!(w.exchange(&opaque, &[]).await.status, 200);
    w.app.pass_seconds(600);
    w.exchange(tokens.access(), &[]).await.assert_error(400, "invalid_request", INVALID);
}

#[tokio::test]
async fn a_jwt_may_be_sent_and_asked_for_as_such() {
    let w = World::new().await;
    let tokens = w.tokens().await;
    let form = [("grant_type", GRANT), ("subject_token", tokens.access()), ("subject_token_type", JWT)];
    let answer = w.app.token(&w.photos, &[form.as_slice(), &[("requested_token_type", JWT)]].concat()).await;
    assert_eq!(answer.json()["issued_token_type"], JWT);
    assert_eq!(answer.json()["token_type"], "Bearer");
    w.app.change_client(&w.photos, |client| client.settings.access_token_format = AccessTokenFormat::Opaque).await;
    let answer = w.app.token(&w.photos, &[form.as_slice(), &[("requested_token_type", JWT)]].concat()).await;
    answer.assert_error(400, "invalid_request", "the client gets opaque tokens, and no JWT");
}

#[tokio::test]
async fn a_confused_deputy_gets_nothing_for_a_token_that_does_not_concern_it() {
    let w = World::new().await;
    // For mail alone, and for no API at all.
    let request = Authorization::of(&w.front).with("scope", "openid mail.read").and("resource", MAIL_API);
    let for_mail = w.app.tokens_in(&mut w.app.browser(), &w.front, &request, &w.alice).await;
    let for_issuer = w.app.tokens(&w.front, &w.alice, "openid mail.read").await;
    let good = w.tokens().await;
    let others = own(&w.app, &w.mail, "mail.read").await;
    for token in [for_mail.access(), for_issuer.access(), &others] {
        w.exchange(token, &[]).await.assert_error(400, "invalid_request", INVALID);
        // Nor may it name another as who acts.
        w.exchange(good.access(), &actor(token)).await.assert_error(400, "invalid_request", INVALID_ACTOR);
    }
    // Nor once it is no longer that API.
    w.app.change_client(&w.photos, |client| client.settings.serves.clear()).await;
    w.exchange(good.access(), &[]).await.assert_error(400, "invalid_request", INVALID);
    // Whoever it was issued to may, if they may exchange at all.
    w.app
        .change_client(&w.front, |client| {
            client.settings.grant_types.push(GrantType::TokenExchange);
            client.settings.token_exchange.resources = uris(&[MAIL_API]);
        })
        .await;
    assert_eq!(exchange(&w.app, &w.front, for_issuer.access(), &[]).await.status, 200);
}

#[tokio::test]
async fn scopes_are_never_more_than_the_subjects_and_the_clients() {
    let w = World::new().await;
    w.app.change_client(&w.photos, |client| client.settings.scopes.push("offline_access".into())).await;
    let tokens = w.tokens_with("openid profile email photos.read mail.read offline_access").await;
    let scope = async |more: &[(&str, &str)]| w.exchange(tokens.access(), more).await.json()["scope"].clone();
    // Without what the client may not have, what means nothing there, and what is of no use.
    assert_eq!(scope(&[]).await, "openid profile mail.read");
    assert_eq!(scope(&[("scope", "mail.read")]).await, "mail.read");
    assert_eq!(scope(&[("scope", "mail.read photos.read")]).await, "mail.read");
    for wide in ["photos.write", "email", "mail.read email", "offline_access", "admin:clients", "unheard.of"] {
        let answer = w.exchange(tokens.access(), &[("scope", wide)]).await;
        answer.assert_error(400, "invalid_scope", TOO_WIDE);
    }
    let nothing = "no scope of the subject_token means anything at the resource";
    let answer = w.exchange(tokens.access(), &[("scope", "photos.read")]).await;
    answer.assert_error(400, "invalid_scope", nothing);
    let narrow = w.tokens_with("photos.read").await;
    w.exchange(narrow.access(), &[]).await.assert_error(400, "invalid_scope", nothing);
    w.exchange(narrow.access(), &[("scope", "mail.read")]).await.assert_error(400, "invalid_scope", TOO_WIDE);
}

/// RFC 9396 section 3.1: they limit what a scope is good for, and the next token would have the scope without them.
#[tokio::test]
async fn what_authorization_details_limit_is_not_exchanged() {
    let w = World::new().await;
    let token = w.tokens().await.access().to_owned();
    let limited = changed(&w.app, &token, |claims| {
        let detail = json!({"type": "payment", "amount": "5"});
        claims.authorization_details = vec![detail.as_object().unwrap().clone()];
    });
    let why = "the subject_token has authorization_details, which are not exchanged";
    w.exchange(&limited, &[]).await.assert_error(400, "invalid_request", why);
    let more = [("authorization_details", "[]")];
    let why = "authorization_details are not exchanged";
    w.exchange(&token, &more).await.assert_error(400, "invalid_authorization_details", why);
    w.exchanged(&token, &[]).await;
}

#[tokio::test]
async fn a_client_may_exchange_only_if_it_was_given_the_grant_and_can_authenticate() {
    let w = World::new().await;
    let tokens = w.tokens().await;
    let may_not = "the client may not use this grant_type";
    let without = service(&w.app, |s| s.grant_types = vec![GrantType::ClientCredentials]).await;
    let answer = exchange(&w.app, &without, tokens.access(), &[]).await;
    answer.assert_error(400, "unauthorized_client", may_not);
    exchange(&w.app, &w.front, tokens.access(), &[]).await.assert_error(400, "unauthorized_client", may_not);
    let public = service(&w.app, |s| s.token_endpoint_auth_method = ClientAuthMethod::None).await;
    let answer = exchange(&w.app, &public, tokens.access(), &[]).await;
    answer.assert_error(400, "unauthorized_client", "a public client may not use this grant_type");
    w.app.change_client(&w.photos, |client| client.enabled = false).await;
    w.exchange(tokens.access(), &[]).await.assert_basic_error("client authentication failed");
}

#[tokio::test]
async fn delegation_names_who_acts_and_impersonation_is_for_whoever_was_given_it() {
    let w = World::new().await;
    let tokens = w.tokens().await;
    let act = async |client: &TestClient, more: &[(&str, &str)]| {
        let answer = exchange(&w.app, client, tokens.access(), more).await;
        jwt::verify(&w.app, &access(&answer)).await.claims.get("act").cloned()
    };
    // Delegation alone is what a client is given.
    let machine = own(&w.app, &w.photos, "mail.read").await;
    assert_eq!(act(&w.photos, &[]).await, Some(json!({"sub": w.photos.id})));
    assert_eq!(act(&w.photos, &actor(&machine)).await, Some(json!({"sub": w.photos.id})));
    // A person at the help desk, who signed in for the API for photos.
    let bob = w.app.bob().await;
    let request = Authorization::of(&w.front).with("scope", "openid photos.read").and("resource", PHOTOS_API);
    let at_desk = w.app.tokens_in(&mut w.app.browser(), &w.front, &request, &bob).await;
    assert_eq!(act(&w.photos, &actor(at_desk.access())).await, Some(json!({"sub": bob.sub()})));
    let both = service(&w.app, |s| s.token_exchange.impersonation = true).await;
    assert_eq!(act(&both, &[]).await, None);
    let machine = own(&w.app, &both, "mail.read").await;
    assert_eq!(act(&both, &actor(&machine)).await, Some(json!({"sub": both.id})));
    let alone = service(&w.app, |s| {
        (s.token_exchange.delegation, s.token_exchange.impersonation) = (false, true);
    });
    let alone = alone.await;
    assert_eq!(act(&alone, &[]).await, None);
    let machine = own(&w.app, &alone, "mail.read").await;
    let may_not = "the client may not act for a subject by name";
    let answer = exchange(&w.app, &alone, tokens.access(), &actor(&machine)).await;
    answer.assert_error(400, "unauthorized_client", may_not);
    let neither = service(&w.app, |s| s.token_exchange.delegation = false).await;
    let answer = exchange(&w.app, &neither, tokens.access(), &[]).await;
    answer.assert_error(400, "unauthorized_client", may_not);
}

#[tokio::test]
async fn section_4_4_only_whom_may_act_names_may_act() {
    let w = World::new().await;
    let tokens = w.tokens().await;
    let naming = |sub: &str| {
        changed(&w.app, tokens.access(), |claims| claims.may_act = json!({"sub": sub}).as_object().cloned())
    };
    let refused = "the subject_token names another who may act";
    w.exchange(&naming("another"), &[]).await.assert_error(400, "invalid_request", refused);
    let good = naming(&w.photos.id);
    let claims = jwt::verify(&w.app, &w.exchanged(&good, &[]).await).await.claims;
    assert_eq!((&claims["act"]["sub"], &claims["may_act"]), (&json!(w.photos.id), &json!({"sub": w.photos.id})));
    // Leaving oneself out is no way around it.
    let both = service(&w.app, |s| s.token_exchange.impersonation = true).await;
    exchange(&w.app, &both, &good, &[]).await.assert_error(400, "invalid_request", refused);
    let bob = w.app.bob().await;
    let request = Authorization::of(&w.front).with("scope", "photos.read").and("resource", PHOTOS_API);
    let actors = w.app.tokens_in(&mut w.app.browser(), &w.front, &request, &bob).await;
    w.exchange(&good, &actor(actors.access())).await.assert_error(400, "invalid_request", refused);
    assert_eq!(w.exchange(&naming(bob.sub()), &actor(actors.access())).await.status, 200);
    assert!(jwt::verify(&w.app, &w.exchanged(tokens.access(), &[]).await).await.claims.get("may_act").is_none());
}

#[tokio::test]
async fn a_token_never_outlives_what_it_came_of() {
    let w = World::new().await;
    w.app.change_client(&w.photos, |client| client.settings.lifetimes.access_token = Some(3600)).await;
    let machine = service(&w.app, |s| s.lifetimes.access_token = Some(120)).await;
    let tokens = w.tokens().await;
    w.app.pass_seconds(100);
    assert_eq!(w.exchange(tokens.access(), &[]).await.json()["expires_in"], 500);
    let short = own(&w.app, &machine, "mail.read").await;
    let answer = exchange(&w.app, &machine, tokens.access(), &actor(&short)).await.json();
    assert_eq!(answer["expires_in"], 120);
    w.app.pass_seconds(100);
    let answer = exchange(&w.app, &machine, tokens.access(), &actor(&short)).await.json();
    assert_eq!(answer["expires_in"], 20);
    let last = w.exchanged(tokens.access(), &[]).await;
    w.app.pass_seconds(399);
    assert!(w.is_active(&last).await);
    w.app.pass_seconds(1);
    w.assert_over(&last, "the end of the subject token").await;
}

#[tokio::test]
async fn whatever_ends_the_subject_ends_the_exchanged_token_at_once() {
    for format in [AccessTokenFormat::Jwt, AccessTokenFormat::Opaque] {
        let w = World::new().await;
        w.app.change_client(&w.photos, |client| client.settings.access_token_format = format).await;
        let subject = async || {
            let tokens = w.tokens().await;
            let exchanged = w.exchanged(tokens.access(), &[]).await;
            assert!(w.is_active(&exchanged).await);
            assert_eq!(w.app.userinfo(&exchanged).await.json()["sub"], w.alice.sub());
            (tokens, exchanged)
        };
        let over = async |tokens: &Tokens, exchanged: &str, what: &str| {
            w.assert_over(exchanged, what).await;
            w.exchange(tokens.access(), &[]).await.assert_error(400, "invalid_request", INVALID);
        };
        let (tokens, exchanged) = subject().await;
        w.app.revoke(&w.front, tokens.refresh()).await;
        over(&tokens, &exchanged, "the refresh token").await;

        let (tokens, exchanged) = subject().await;
        w.app.revoke(&w.front, tokens.access()).await;
        over(&tokens, &exchanged, "the subject token").await;

        let (tokens, exchanged) = subject().await;
        let sid = Sid(tokens.id_claims(&w.app).await["sid"].as_str().unwrap().parse().unwrap());
        w.app.app.postgres.end_session(sid, EndReason::Logout, w.app.now()).await.unwrap();
        over(&tokens, &exchanged, "the session").await;

        let (tokens, exchanged) = subject().await;
        w.app.app.postgres.revoke_client(&ClientId::new(&w.front.id), w.app.now()).await.unwrap();
        w.app.app.registry.forget();
        over(&tokens, &exchanged, "everything of the first client").await;

        let (tokens, exchanged) = subject().await;
        w.app.change_client(&w.front, |client| client.enabled = false).await;
        over(&tokens, &exchanged, "the first client").await;
        w.app.change_client(&w.front, |client| client.enabled = true).await;

        let (tokens, exchanged) = subject().await;
        w.app.app.postgres.disable_subject(&w.alice.subject, w.app.now()).await.unwrap();
        over(&tokens, &exchanged, "the person").await;
    }
}

#[tokio::test]
async fn whatever_ends_who_exchanged_or_acts_ends_the_token_and_nothing_else() {
    let w = World::new().await;
    let bob = w.app.bob().await;
    let request = Authorization::of(&w.front).with("scope", "openid photos.read").and("resource", PHOTOS_API);
    let tokens = w.tokens().await;
    let (now, id) = (w.app.now(), |client: &TestClient| ClientId::new(&client.id));
    let admin = w.app.admin(&["admin:clients"]).await;

    // The client that exchanged: the token itself, its generation, whether it is enabled, whether it is there.
    let exchanged = w.exchanged(tokens.access(), &[]).await;
    assert_eq!(w.app.revoke(&w.photos, &exchanged).await.status, 200);
    w.assert_over(&exchanged, "the token itself").await;
    let exchanged = w.exchanged(tokens.access(), &[]).await;
    w.app.app.postgres.revoke_client(&id(&w.photos), now).await.unwrap();
    w.app.app.registry.forget();
    w.assert_over(&exchanged, "everything of the client that exchanged").await;
    let exchanged = w.exchanged(tokens.access(), &[]).await;
    w.app.change_client(&w.photos, |client| client.enabled = false).await;
    w.assert_over(&exchanged, "the client that exchanged").await;
    w.app.change_client(&w.photos, |client| client.enabled = true).await;
    let other = service(&w.app, |_| {}).await;
    let exchanged = access(&exchange(&w.app, &other, tokens.access(), &[]).await);
    assert_eq!(admin.delete(&format!("/admin/clients/{}", other.id)).await.status, 204);
    w.assert_over(&exchanged, "a client that is gone").await;

    // A client that acts.
    let machine = own(&w.app, &w.photos, "mail.read").await;
    let exchanged = w.exchanged(tokens.access(), &actor(&machine)).await;
    assert!(w.is_active(&exchanged).await);
    w.app.revoke(&w.photos, &machine).await;
    w.assert_over(&exchanged, "the token of the client that acts").await;
    w.exchange(tokens.access(), &actor(&machine)).await.assert_error(400, "invalid_request", INVALID_ACTOR);

    // A person who acts.
    let at_desk = w.app.tokens_in(&mut w.app.browser(), &w.front, &request, &bob).await;
    let exchanged = w.exchanged(tokens.access(), &actor(at_desk.access())).await;
    assert!(w.is_active(&exchanged).await);
    w.app.revoke(&w.front, at_desk.refresh()).await;
    w.assert_over(&exchanged, "the grant of the person who acts").await;
    let at_desk = w.app.tokens_in(&mut w.app.browser(), &w.front, &request, &bob).await;
    let exchanged = w.exchanged(tokens.access(), &actor(at_desk.access())).await;
    w.app.app.postgres.disable_subject(&bob.subject, now).await.unwrap();
    w.assert_over(&exchanged, "the person who acts").await;
    w.exchange(tokens.access(), &actor(at_desk.access())).await.assert_error(400, "invalid_request", INVALID_ACTOR);

    // The subject's own tokens are as good as before.
    w.app.assert_family_stands(&w.front, &tokens).await;
}

/// A chain of services, each of which exchanges what the one before got, for itself and those behind it.
async fn chain(w: &World, length: usize, change: fn(&mut ClientSettings)) -> (Vec<TestClient>, Vec<String>, Answer) {
    let (mut services, mut tokens) = (Vec::new(), vec![w.tokens().await.access().to_owned()]);
    loop {
        let service = service(&w.app, |s| {
            s.token_exchange.resources = uris(&[PHOTOS_API, MAIL_API]);
            change(s);
        });
        let service = service.await;
        let more = [("resource", PHOTOS_API), ("resource", MAIL_API)];
        let answer = exchange(&w.app, &service, tokens.last().unwrap(), &more).await;
        if tokens.len() > length || answer.status != 200 {
            return (services, tokens, answer);
        }
        tokens.push(access(&answer));
        services.push(service);
    }
}

#[tokio::test]
async fn section_4_1_a_chain_names_everybody_and_has_an_end() {
    let w = World::new().await;
    let (services, tokens, refused) = chain(&w, 9, |_| {}).await;
    assert_eq!(services.len(), 4);
    refused.assert_error(400, "invalid_request", TOO_LONG);
    let act = jwt::verify(&w.app, tokens.last().unwrap()).await.claims["act"].clone();
    let [one, two, three, four] = services.as_slice() else { panic!("{services:?}") };
    let nested = json!({"sub": one.id});
    let nested = [two, three, four].into_iter().fold(nested, |act, next| json!({"sub": next.id, "act": act}));
    assert_eq!(act, nested);
    assert_eq!(w.app.introspect(&w.mail, tokens.last().unwrap()).await.json()["act"], nested);
    // Nobody is taken out again by whoever leaves themselves out.
    let quiet = service(&w.app, |s| s.token_exchange.impersonation = true).await;
    let exchanged = access(&exchange(&w.app, &quiet, &tokens[1], &[]).await);
    assert_eq!(jwt::verify(&w.app, &exchanged).await.claims["act"], json!({"sub": one.id}));
    // Without names there is an end too.
    let (services, _, refused) = chain(&w, 20, |s| s.token_exchange.impersonation = true).await;
    assert_eq!(services.len(), 8);
    refused.assert_error(400, "invalid_request", TOO_LONG);
}

#[tokio::test]
async fn every_link_of_a_chain_ends_what_comes_after_it() {
    let w = World::new().await;
    let (services, tokens, _) = chain(&w, 3, |_| {}).await;
    let [_, two, _] = services.as_slice() else { panic!("{services:?}") };
    w.app.change_client(two, |client| client.enabled = false).await;
    for (token, is_good) in tokens.iter().zip([true, true, false, false]) {
        assert_eq!(w.is_active(token).await, is_good);
    }
    w.exchange(&tokens[3], &[]).await.assert_error(400, "invalid_request", INVALID);
    w.app.change_client(two, |client| client.enabled = true).await;
    assert!(w.is_active(&tokens[3]).await);
    assert_eq!(w.app.revoke(two, &tokens[2]).await.status, 200);
    for (token, is_good) in tokens.iter().zip([true, true, false, false]) {
        assert_eq!(w.is_active(token).await, is_good);
    }
    // Nobody but whom it was issued to.
    let answer = w.app.revoke(two, &tokens[1]).await;
    answer.assert_error(400, "invalid_grant", "the token was issued to another client");
    // The first one ends them all.
    let (_, tokens, _) = chain(&w, 3, |_| {}).await;
    w.app.revoke(&w.front, &tokens[0]).await;
    for token in &tokens {
        assert!(!w.is_active(token).await);
    }
}

#[tokio::test]
async fn a_chain_never_gets_back_what_it_lost() {
    let w = World::new().await;
    let both = service(&w.app, |s| s.token_exchange.resources = uris(&[PHOTOS_API, MAIL_API])).await;
    let tokens = w.tokens().await;
    let narrow =
        access(&exchange(&w.app, &both, tokens.access(), &[("resource", MAIL_API), ("scope", "mail.read")]).await);
    w.app.pass_seconds(100);
    let mail = service(&w.app, |s| {
        s.serves = uris(&[MAIL_API]);
        s.token_exchange.resources = uris(&[PHOTOS_API, MAIL_API]);
    });
    let mail = mail.await;
    for scope in ["photos.read", "openid"] {
        let answer = exchange(&w.app, &mail, &narrow, &[("resource", PHOTOS_API), ("scope", scope)]).await;
        answer.assert_error(400, "invalid_scope", TOO_WIDE);
    }
    let answer = exchange(&w.app, &mail, &narrow, &[("resource", MAIL_API)]).await.json();
    assert_eq!((&answer["scope"], &answer["expires_in"]), (&json!("mail.read"), &json!(500)));
    // Nor is it good where it is not for, although its subject token was.
    w.exchange(&narrow, &[]).await.assert_error(400, "invalid_request", INVALID);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_exchanged_while_the_grant_is_revoked_outlives_it() {
    let w = World::new().await;
    let other = w.app.second_instance().await;
    for round in 0..4 {
        let tokens = w.tokens().await;
        let at = |index: usize| if index.is_multiple_of(2) { &w.app } else { &other };
        let exchanges = join_all((0..8).map(|index| exchange(at(index), &w.photos, tokens.access(), &[])));
        let (answers, revoked) = tokio::join!(exchanges, w.app.revoke(&w.front, tokens.refresh()));
        assert_eq!(revoked.status, 200);
        for answer in answers {
            if answer.status == 200 {
                w.assert_over(&access(&answer), &format!("round {round}")).await;
            } else {
                answer.assert_error(400, "invalid_request", INVALID);
            }
        }
    }
}

#[tokio::test]
async fn whoever_acts_does_so_in_person() {
    let w = World::new().await;
    let tokens = w.tokens().await;
    let both = service(&w.app, |s| s.token_exchange.resources = uris(&[PHOTOS_API, MAIL_API])).await;
    let delegated = access(&exchange(&w.app, &both, tokens.access(), &[("resource", PHOTOS_API)]).await);
    let answer = w.exchange(tokens.access(), &actor(&delegated)).await;
    answer.assert_error(400, "invalid_request", "the actor_token came of an exchange itself");
}

#[tokio::test]
async fn a_client_that_acts_for_itself_is_a_subject_only_where_that_was_given() {
    let w = World::new().await;
    let machine = w.app.machine_client().await;
    let form = [("grant_type", "client_credentials"), ("resource", PHOTOS_API), ("resource", MAIL_API)];
    let subject = access(&w.app.token(&machine, &form).await);
    let refused = "the subject_token is of a client that acts for itself";
    w.exchange(&subject, &[]).await.assert_error(400, "invalid_request", refused);
    w.app.change_client(&w.photos, |client| client.settings.token_exchange.client_subjects = true).await;
    let exchanged = w.exchanged(&subject, &[]).await;
    let claims = jwt::verify(&w.app, &exchanged).await.claims;
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(machine.id), &json!(w.photos.id)));
    assert_eq!((&claims["act"], &claims["scope"]), (&json!({"sub": w.photos.id}), &json!("mail.read")));
    assert!(claims.get("auth_time").is_none());
    let answer = w.app.userinfo(&exchanged).await;
    answer.assert_bearer_error(403, "insufficient_scope", "the access token was not given by a person");
    assert!(w.is_active(&exchanged).await);
    w.app.revoke(&machine, &subject).await;
    assert!(!w.is_active(&exchanged).await);
    let subject = access(&w.app.token(&machine, &form).await);
    let exchanged = w.exchanged(&subject, &[]).await;
    assert!(w.is_active(&exchanged).await);
    w.app.change_client(&machine, |client| client.enabled = false).await;
    assert!(!w.is_active(&exchanged).await);
    w.exchange(&subject, &[]).await.assert_error(400, "invalid_request", INVALID);
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_needs_it_from_whom_it_was_issued_to() {
    let w = World::new().await;
    let (key, other) = (ClientKey::generate("ES256"), ClientKey::generate("ES256"));
    w.app
        .change_client(&w.front, |client| {
            client.settings.grant_types.push(GrantType::TokenExchange);
            client.settings.token_exchange.resources = uris(&[MAIL_API]);
        })
        .await;
    let request = Authorization::of(&w.front).with("scope", "openid photos.read mail.read");
    let request = request.and("resource", PHOTOS_API).and("resource", MAIL_API);
    let code = w.app.code(&mut w.app.browser(), &request, &w.alice).await;
    let proof = |key: &ClientKey| key.proof(&w.app, "POST", "/token", json!({}));
    let answer = w.app.proven_token(&w.front, &w.app.redemption(&request, &code), &proof(&key)).await;
    assert_eq!(answer.json()["token_type"], "DPoP");
    let bound = access(&answer);
    // The API was shown a proof, and has no key of the client's.
    let answer = w.exchange(&bound, &[]).await;
    assert_eq!(answer.json()["token_type"], "Bearer");
    exchange(&w.app, &w.front, &bound, &[]).await.assert_error(400, "invalid_request", UNPROVEN);
    let answer = w.app.proven_token(&w.front, &form(&bound, &[]), &proof(&other)).await;
    answer.assert_error(400, "invalid_request", UNPROVEN);
    let answer = w.app.proven_token(&w.front, &form(&bound, &[]), &proof(&key)).await;
    assert_eq!(answer.json()["token_type"], "DPoP");
    assert_eq!(jwt::verify(&w.app, &access(&answer)).await.claims["cnf"]["jkt"], key.thumbprint());
    // The same of whoever acts.
    let form_of_machine = [("grant_type", "client_credentials"), ("scope", "mail.read")];
    let machine = access(&w.app.proven_token(&w.photos, &form_of_machine, &proof(&key)).await);
    let subject = w.tokens().await;
    w.exchange(subject.access(), &actor(&machine)).await.assert_error(400, "invalid_request", UNPROVEN);
    let answer = w.app.proven_token(&w.photos, &form(subject.access(), &actor(&machine)), &proof(&key)).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_needs_it_from_whom_it_was_issued_to() {
    let app = TestApp::with_config(|config| {
        config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
        config.mtls.header = ostiary::config::ClientCertificateHeader::ClientCert;
    });
    let w = World::on(app.await).await;
    let (certificate, other) = (ClientCert::self_signed(|_| {}).header(), ClientCert::self_signed(|_| {}).header());
    w.app.change_client(&w.photos, |client| client.settings.tls_client_certificate_bound_access_tokens = true).await;
    let call = async |form: &[(&str, &str)], certificate: &str| {
        w.photos.sign(w.app.post("/token"), form).header("client-cert", certificate).send().await
    };
    let machine = access(&call(&[("grant_type", "client_credentials"), ("scope", "mail.read")], &certificate).await);
    let subject = w.tokens().await;
    let actor = actor(&machine);
    let form = form(subject.access(), &actor);
    call(&form, &other).await.assert_error(400, "invalid_request", UNPROVEN);
    let exchanged = access(&call(&form, &certificate).await);
    let x5t = &jwt::verify(&w.app, &machine).await.claims["cnf"]["x5t#S256"];
    assert_eq!(&jwt::verify(&w.app, &exchanged).await.claims["cnf"]["x5t#S256"], x5t);
    let unshown = w.exchange(subject.access(), &[]).await;
    let refused = "the tokens of the client are bound to a certificate: a valid one must be shown";
    unshown.assert_error(400, "invalid_request", refused);
}

#[tokio::test]
async fn a_client_of_fapi_2_gets_bound_tokens_and_proves_who_it_is() {
    let w = World::new().await;
    let key = ClientKey::generate("ES256");
    let strict = w
        .app
        .signing_client_with(ClientKey::generate("PS256"), |settings| {
            of_a_service(settings);
            settings.profile = Profile::Fapi2Security;
            settings.dpop_bound_access_tokens = true;
            settings.id_token_signed_response_alg = SigningAlg::PS256;
            settings.authorization_signed_response_alg = SigningAlg::PS256;
        })
        .await;
    let tokens = w.tokens().await;
    let answer = exchange(&w.app, &strict, tokens.access(), &[]).await;
    let refused = "the tokens of the client are bound to a key: a DPoP proof is required";
    answer.assert_error(400, "invalid_dpop_proof", refused);
    let proof = key.proof(&w.app, "POST", "/token", json!({}));
    let assertion = strict.assertion(json!({}));
    let signed = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
    let send = async |proof: &str| {
        let form = form(tokens.access(), &signed);
        w.app.post("/token").form(&form).header("dpop", proof).send().await
    };
    let answer = send(&proof).await;
    assert_eq!(answer.json()["token_type"], "DPoP");
    let token = access(&answer);
    assert_eq!(w.app.introspect(&w.mail, &token).await.json()["cnf"]["jkt"], key.thumbprint());
    let as_bearer = w.app.userinfo(&token).await;
    assert_eq!(as_bearer.status, 401, "{as_bearer:?}");
    assert!(as_bearer.body.contains("the access token is bound to a key: send it with a DPoP proof"), "{as_bearer:?}");
    let proof_there = key.proof(&w.app, "GET", "/userinfo", json!({"ath": ath(&token)}));
    assert_eq!(w.app.get("/userinfo").dpop(&token, &proof_there).send().await.status, 200);
    // Nothing of it can be sent twice.
    let again = send(&key.proof(&w.app, "POST", "/token", json!({}))).await;
    again.assert_error(400, "invalid_client", "the client assertion was used before");
}

#[tokio::test]
async fn what_the_first_client_asked_of_a_person_by_name_is_not_told_to_the_next() {
    let w = World::new().await;
    let claims = json!({"userinfo": {"email": null, "phone_number": {"essential": true}}}).to_string();
    let request = Authorization::of(&w.front).with("scope", "openid mail.read").with("claims", &claims);
    let request = request.and("resource", PHOTOS_API).and("resource", MAIL_API);
    let tokens = w.app.tokens_in(&mut w.app.browser(), &w.front, &request, &w.alice).await;
    assert_eq!(w.app.userinfo(tokens.access()).await.json()["email"], "alice@people.example");
    let exchanged = w.exchanged(tokens.access(), &[]).await;
    assert_eq!(w.app.userinfo(&exchanged).await.json(), json!({"sub": w.alice.sub()}));
}

#[tokio::test]
async fn a_signed_userinfo_answer_is_for_whom_the_token_was_issued_to() {
    let w = World::new().await;
    w.app
        .change_client(&w.photos, |client| client.settings.userinfo_signed_response_alg = Some(SigningAlg::ES256))
        .await;
    let tokens = w.tokens().await;
    assert_eq!(w.app.userinfo(tokens.access()).await.header("content-type"), Some("application/json"));
    let answer = w.app.userinfo(&w.exchanged(tokens.access(), &[]).await).await;
    assert_eq!(jwt::verify(&w.app, &answer.body).await.claims["aud"], w.photos.id.as_str());
}

#[tokio::test]
async fn an_exchanged_token_says_nothing_to_those_whom_it_does_not_concern() {
    let w = World::new().await;
    let tokens = w.tokens().await;
    let exchanged = w.exchanged(tokens.access(), &[]).await;
    w.app.introspect(&w.front, &exchanged).await.assert_inactive();
    w.app.introspect(&w.app.resource_server(PHOTOS_API).await, &exchanged).await.assert_inactive();
    let told = w.app.introspect(&w.mail, &exchanged).await.json();
    assert_eq!((&told["username"], told.get("lineage")), (&json!("alice"), None));
    assert_eq!(w.app.introspect(&w.photos, &exchanged).await.json()["active"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_is_down_nothing_is_judged() {
    let mut cluster = Cluster::start().await;
    let w = World::on(TestApp::on(Database::of_cluster(&cluster).await, |_| {}).await).await;
    let tokens = w.tokens().await;
    let exchanged = w.exchanged(tokens.access(), &[]).await;
    let machine = own(&w.app, &w.photos, "mail.read").await;
    w.exchange(tokens.access(), &actor(&machine)).await.json();
    cluster.kill().await;
    w.exchange(tokens.access(), &[]).await.assert_unavailable();
    w.exchange(tokens.access(), &actor(&machine)).await.assert_unavailable();
    w.app.introspect(&w.mail, &exchanged).await.assert_unavailable();
    w.app.userinfo(&exchanged).await.assert_unavailable();
}

#[tokio::test]
async fn the_policy_of_a_client_is_registered_changed_and_shown() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    let mut document = json!({
        "client_id": "photos", "grant_types": [GRANT], "scopes": ["mail.read"], "serves": [PHOTOS_API],
        "token_exchange": {"resources": [MAIL_API]},
    });
    let made = admin.post("/admin/clients", &document).await.document(201);
    let policy = json!({
        "resources": [MAIL_API], "delegation": true, "impersonation": false, "client_subjects": false,
    });
    assert_eq!(made["token_exchange"], policy);
    let patch = json!({"token_exchange": {"impersonation": true}});
    let changed = admin.patch("/admin/clients/photos", &patch).await.document(200);
    assert_eq!(changed["token_exchange"]["impersonation"], true);
    assert_eq!(changed["token_exchange"]["resources"], json!([MAIL_API]));
    // Nobody takes away what it needs.
    let mail = MAIL_API.replace(':', "%3A").replace('/', "%2F");
    admin.delete(&format!("/admin/resources/{mail}")).await.problem(409, "conflict");
    // What nobody could use, or is not there.
    for (change, pointer) in [
        (json!({"token_exchange": {"resources": []}}), "/token_exchange/resources"),
        (json!({"token_exchange": {"resources": ["https://unknown.example/"]}}), "/token_exchange/resources/0"),
        (json!({"token_exchange": {"delegation": false}}), "/token_exchange/delegation"),
        (json!({"token_exchange": {"anything": true}}), "/token_exchange/anything"),
        (json!({"token_endpoint_auth_method": "none"}), "/grant_types"),
    ] {
        document["client_id"] = json!("another");
        let mut wrong = document.clone();
        for (name, value) in change.as_object().unwrap() {
            match (wrong.get_mut(name), value) {
                (Some(Value::Object(old)), Value::Object(new)) => old.extend(new.clone()),
                _ => wrong[name] = value.clone(),
            }
        }
        assert_eq!(admin.post("/admin/clients", &wrong).await.invalid_members(), [pointer]);
    }
    let mut browser = app.console().await;
    let page = browser.open("/console/clients/photos").await;
    let text = page.visible_text();
    assert!(text.contains("Exchanges tokens for") && text.contains("may name the subject alone"), "{text}");
    let page = browser.open("/console/clients/photos/edit").await;
    let mut form = page.form("save");
    form.tick("token_exchange/client_subjects", "true");
    browser.send_form(&page, form).await;
    let told = admin.get("/admin/clients/photos").await.document(200);
    let policy = json!({
        "resources": [MAIL_API], "delegation": true, "impersonation": true, "client_subjects": true,
    });
    assert_eq!(told["token_exchange"], policy);
}
