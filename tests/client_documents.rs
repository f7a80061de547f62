//! Clients that are named by an address (draft-ietf-oauth-client-id-metadata-document).

use chrono::TimeDelta;
use futures_util::future::join_all;
use ostiary::config::{Config, OutboundPurpose};
use ostiary::model::client::{ClientAuthMethod, ClientSettings};
use ostiary::model::id::ClientId;
use ostiary::model::profile::Profile;
use serde_json::{Value, json};

use crate::harness::{Authorization, ClientKey, Page, TestApp, TestClient, TlsPeer};

const CALLBACK: &str = "https://agent.example/callback";
const UNUSABLE: &str = "the document at the address that is the client_id cannot be used: ";

/// A server that takes such clients, and the host of one.
struct Scene {
    app: TestApp,
    peer: TlsPeer,
}

impl Scene {
    async fn start() -> Self {
        Self::with_config(|_| {}).await
    }

    async fn with_config(change: impl FnOnce(&mut Config)) -> Self {
        let peer = TlsPeer::start();
        let app = TestApp::with_config(|config| {
            config.client_documents.enabled = true;
            peer.is_trusted_by(&mut config.outbound, OutboundPurpose::ClientDocument);
            change(config);
        });
        let scene = Self { app: app.await, peer };
        scene.serve(json!({}));
        scene
    }

    fn id(&self) -> String {
        self.peer.url("/client.json")
    }

    fn client(&self) -> TestClient {
        self.app.client_named_by(&self.id(), CALLBACK)
    }

    fn document(&self, more: Value) -> Value {
        let mut document = json!({
            "client_id": self.id(), "client_name": "Agent", "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
        });
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        document
    }

    fn serve(&self, more: Value) {
        self.peer.serve_json("", &self.document(more));
    }

    fn request(&self) -> Authorization {
        Authorization::of(&self.client())
    }

    async fn open(&self, request: &Authorization) -> Page {
        self.app.browser().open(&request.path()).await
    }

    /// What a person is told who comes with the client.
    async fn assert_refused(&self, description: &str) {
        self.open(&self.request()).await.assert_error("/authorize", 400, "invalid_client", description);
    }

    async fn assert_taken(&self) {
        self.open(&self.request()).await.assert_login();
    }

    async fn assert_nothing_is_kept(&self) {
        let stored = self.app.app.postgres.find_client(&ClientId::new(self.id())).await.unwrap();
        assert_eq!(stored, None);
    }
}

#[tokio::test]
async fn a_client_that_nobody_registered_is_taken_by_its_document() {
    let scene = Scene::start().await;
    let (app, client, alice) = (&scene.app, scene.client(), scene.app.alice().await);
    let mut browser = app.browser();
    let page = browser.open(&scene.request().path()).await;
    let page = browser.log_in(&page, &alice).await;
    page.assert_consent();
    let place = scene.id().replace("https://", "").replace("/client.json", "");
    let notice = page.text("named-by");
    assert!(notice.contains(&format!("belongs to {place}:")), "{notice}");
    let request = Authorization::of(&client).with("scope", "openid offline_access");
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!(tokens.access_claims(app).await["client_id"], scene.id());
    app.refreshed(&client, tokens.refresh()).await;
    assert_eq!(scene.peer.calls(), 1);
    let head = scene.peer.last_request();
    assert!(head.starts_with("GET /client.json HTTP/1.1\r\n"), "{head}");
    // What they allowed is remembered as anybody's.
    browser.open(&scene.request().path()).await.returned_code(CALLBACK);
}

#[tokio::test]
async fn section_6_consent_is_asked_the_first_time_and_not_skipped() {
    let scene = Scene::start().await;
    scene.serve(json!({"consent": "first_party", "pkce_required": false, "lifetimes": {"access_token": 86400}}));
    let (app, alice) = (&scene.app, scene.app.alice().await);
    let mut browser = app.browser();
    let own = app.web_client().await;
    browser.authorize(&Authorization::of(&own), &alice).await;
    let page = browser.open(&scene.request().with("prompt", "none").path()).await;
    assert_eq!(page.returned_error(CALLBACK)["error"], "consent_required");
    let page = browser.open(&scene.request().without_pkce().path()).await;
    assert_eq!(page.returned_error(CALLBACK)["error"], "invalid_request");
    let page = browser.open(&scene.request().path()).await;
    assert!(page.text("named-by").contains("localhost"));
    let page = browser.open(&Authorization::of(&own).with("prompt", "consent").path()).await;
    assert!(!page.has("named-by"), "an administrator registered that one");
}

#[tokio::test]
async fn without_the_switch_nothing_is_called_and_nothing_is_said_of_it() {
    let scene = Scene::with_config(|config| config.client_documents.enabled = false).await;
    scene.assert_refused("the client is unknown or disabled").await;
    assert_eq!(scene.peer.calls(), 0);
    let member = "client_id_metadata_document_supported";
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        assert_eq!(scene.app.get(path).send().await.json().get(member), None);
    }
    let scene = Scene::start().await;
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        assert_eq!(scene.app.get(path).send().await.json()[member], true);
    }
    scene.assert_taken().await;
    let off = scene.app.second_instance_with(|config| config.client_documents.enabled = false).await;
    let page = off.browser().open(&scene.request().path()).await;
    let description = "clients that are named by an address are not taken here any more";
    page.assert_error("/authorize", 400, "invalid_client", description);
}

#[tokio::test]
async fn section_3_an_identifier_that_is_no_such_address_is_not_called() {
    let scene = Scene::start().await;
    let port = scene.peer.url("").replace("https://localhost:", "");
    for id in [
        format!("http://localhost:{port}/client.json"),
        format!("https://localhost:{port}"),
        format!("https://me@localhost:{port}/client.json"),
        format!("https://localhost:{port}/client.json#a"),
        format!("https://localhost:{port}/a/../client.json"),
        format!("https://LOCALHOST:{port}/client.json"),
        format!("https://127.0.0.1:{port}/client.json"),
    ] {
        let page = scene.open(&Authorization::by(&id, CALLBACK)).await;
        page.assert_error("/authorize", 400, "invalid_client", "the client is unknown or disabled");
    }
    assert_eq!(scene.peer.calls(), 0);
}

#[tokio::test]
async fn section_4_1_what_a_document_may_not_say_is_refused_and_not_kept() {
    let scene = Scene::start().await;
    let method = "/token_endpoint_auth_method: clients that register themselves may not authenticate like that";
    let cases = [
        (json!({"client_id": "https://other.example/client.json"}), "its client_id is not its own address"),
        (json!({"client_secret": "x"}), "it has a client_secret, which everybody could read"),
        (json!({"software_statement": "x"}), "it has a software_statement, which is not supported there"),
        (json!({"token_endpoint_auth_method": "client_secret_basic"}), method),
        (json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a.example"}), method),
        (
            json!({"redirect_uris": ["com.example.app:/cb"], "application_type": "native"}),
            "/redirect_uris/0: a client that is named by an address has https or loopback redirect URIs",
        ),
        (json!({"redirect_uris": []}), "/redirect_uris: authorization_code needs a redirect URI"),
        (json!({"grant_types": ["client_credentials"]}), "/grant_types: none of them can be registered"),
        (json!({"jwks": {"keys": [{"kty": "oct", "k": "AA"}]}}), "/jwks/keys/0: "),
        (json!({"id_token_signed_response_alg": "none"}), "/id_token_signed_response_alg: "),
    ];
    for (called, (more, what)) in cases.into_iter().enumerate() {
        scene.serve(more);
        let page = scene.open(&scene.request()).await;
        let told = page.text("error-description");
        assert!(told.starts_with(&format!("{UNUSABLE}{what}")), "{told}");
        page.assert_error("/authorize", 400, "invalid_client", &told);
        assert_eq!(scene.peer.calls(), called + 1);
        scene.assert_nothing_is_kept().await;
        scene.app.pass_seconds(10);
    }
    scene.serve(json!({}));
    scene.assert_taken().await;
}

#[tokio::test]
async fn section_4_what_is_no_document_is_refused_and_nothing_is_followed() {
    let scene = Scene::start().await;
    let document = scene.document(json!({})).to_string();
    let answer = |head: &str, body: &str| {
        format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    let (json, gone) = ("Content-Type: application/json", "there is no document at the address that is the client_id");
    let long = scene.document(json!({"filler": "x".repeat(16 * 1024)})).to_string();
    let cases = [
        (answer("404 Not Found", ""), gone),
        (answer(&format!("302 Found\r\nLocation: {}", scene.peer.url("/other")), ""), gone),
        (answer(&format!("203 Changed\r\n{json}"), &document), gone),
        (answer("500 Failed", ""), "the document at the address that is the client_id cannot be fetched"),
        (
            answer("200 OK\r\nContent-Type: text/html", &document),
            "what is at the address that is the client_id is not JSON",
        ),
        (answer("200 OK", &document), "what is at the address that is the client_id is not JSON"),
        (answer(&format!("200 OK\r\n{json}"), &long), "the document at the address that is the client_id is too long"),
        (
            answer(&format!("200 OK\r\n{json}"), "{"),
            "the document at the address that is the client_id cannot be used: it is not JSON in which no member is there twice",
        ),
    ];
    for (called, (bytes, description)) in cases.into_iter().enumerate() {
        scene.peer.answer(bytes);
        // Who comes again at once hears the same, and nobody is called again.
        for _ in 0..2 {
            scene.assert_refused(description).await;
            assert_eq!(scene.peer.calls(), called + 1);
        }
        scene.assert_nothing_is_kept().await;
        scene.app.pass_seconds(10);
    }
    scene.serve(json!({}));
    scene.assert_taken().await;
}

#[tokio::test]
async fn section_4_4_a_document_is_fetched_again_when_it_says_so_and_what_changed_counts() {
    let scene = Scene::start().await;
    scene.peer.serve_json("Cache-Control: max-age=120\r\n", &scene.document(json!({})));
    scene.assert_taken().await;
    let moved = "https://agent.example/moved";
    scene.serve(json!({"redirect_uris": [moved], "client_name": "Agent 2"}));
    scene.app.pass_seconds(119);
    scene.assert_taken().await;
    assert_eq!(scene.peer.calls(), 1);
    scene.app.pass_seconds(1);
    let refused = "the redirect_uri is not registered for this client";
    scene.open(&scene.request()).await.assert_error("/authorize", 400, "invalid_request", refused);
    scene.open(&Authorization::by(&scene.id(), moved)).await.assert_login();
    assert_eq!(scene.peer.calls(), 2);
    // An hour, unless it says something.
    scene.app.pass(TimeDelta::minutes(59));
    scene.open(&Authorization::by(&scene.id(), moved)).await.assert_login();
    assert_eq!(scene.peer.calls(), 2);
    scene.app.pass(TimeDelta::minutes(1));
    scene.open(&Authorization::by(&scene.id(), moved)).await.assert_login();
    assert_eq!(scene.peer.calls(), 3);
    let admin = scene.app.admin(&["admin:clients"]).await;
    let path = format!("/admin/clients/{}", encoded(&scene.id()));
    let shown = admin.get(&path).await.document(200);
    assert_eq!(shown["registered_through"], "client_metadata_document");
    assert_eq!((&shown["client_name"]["en"], &shown["pkce_required"]), (&json!("Agent 2"), &json!(true)));
}

#[tokio::test]
async fn while_a_document_cannot_be_had_what_is_stored_is_believed_for_a_day() {
    let scene = Scene::start().await;
    scene.assert_taken().await;
    scene.peer.refuse(503);
    scene.app.pass(TimeDelta::hours(1));
    scene.assert_taken().await;
    scene.app.pass(TimeDelta::hours(23));
    scene.assert_taken().await;
    scene.app.pass(TimeDelta::hours(1));
    let calls = scene.peer.calls();
    scene.assert_refused("the document at the address that is the client_id cannot be fetched").await;
    assert_eq!(scene.peer.calls(), calls + 1);
    scene.serve(json!({}));
    scene.app.pass_seconds(10);
    scene.assert_taken().await;
}

#[tokio::test]
async fn a_client_whose_document_is_gone_begins_nothing_and_keeps_what_it_has() {
    let scene = Scene::start().await;
    let (client, alice) = (scene.client(), scene.app.alice().await);
    let tokens = scene.app.tokens(&client, &alice, "openid offline_access").await;
    scene.peer.refuse(410);
    scene.app.pass(TimeDelta::hours(1));
    scene.assert_refused("there is no document at the address that is the client_id").await;
    let calls = scene.peer.calls();
    scene.app.pass(TimeDelta::hours(1));
    scene.app.refreshed(&client, tokens.refresh()).await;
    assert_eq!(scene.peer.calls(), calls, "the token endpoint calls nobody");
}

#[tokio::test]
async fn many_who_come_at_once_cause_one_fetch_and_another_instance_finds_what_it_stored() {
    let scene = Scene::start().await;
    let other = scene.app.second_instance().await;
    join_all((0..8).map(|_| scene.assert_taken())).await;
    assert_eq!(scene.peer.calls(), 1);
    other.browser().open(&scene.request().path()).await.assert_login();
    assert_eq!(scene.peer.calls(), 1);
    // Both at once have one client.
    scene.app.pass(TimeDelta::hours(2));
    scene.serve(json!({"client_name": "Agent 2"}));
    let (path, mut there) = (scene.request().path(), other.browser());
    let (_, page) = tokio::join!(scene.assert_taken(), there.open(&path));
    page.assert_login();
    assert!((2..=3).contains(&scene.peer.calls()));
    let id = ClientId::new(scene.id());
    let stored = scene.app.app.postgres.find_client(&id).await.unwrap().unwrap();
    assert_eq!(stored.display_name("en"), "Agent 2");
}

#[tokio::test]
async fn nobody_comes_back_whom_an_administrator_disabled_or_deleted() {
    let scene = Scene::start().await;
    scene.assert_taken().await;
    let admin = scene.app.admin(&["admin:clients"]).await;
    let path = format!("/admin/clients/{}", encoded(&scene.id()));
    admin.patch(&path, &json!({"enabled": false})).await.document(200);
    scene.serve(json!({"client_name": "Agent 2"}));
    for _ in 0..2 {
        scene.assert_refused("the client is unknown or disabled").await;
        scene.app.pass(TimeDelta::days(2));
    }
    let admin = scene.app.admin(&["admin:clients"]).await;
    admin.patch(&path, &json!({"enabled": true})).await.document(200);
    scene.assert_taken().await;
    assert_eq!(admin.delete(&path).await.status, 204);
    let calls = scene.peer.calls();
    for _ in 0..2 {
        scene.assert_refused("the client is unknown or disabled").await;
        scene.app.pass(TimeDelta::days(2));
    }
    assert_eq!(scene.peer.calls(), calls);
}

#[tokio::test]
async fn what_an_administrator_decided_stays_when_the_document_changes() {
    let scene = Scene::start().await;
    scene.assert_taken().await;
    let admin = scene.app.admin(&["admin:clients"]).await;
    let path = format!("/admin/clients/{}", encoded(&scene.id()));
    admin.patch(&path, &json!({"consent": "always", "lifetimes": {"access_token": 60}})).await.document(200);
    scene.serve(json!({"client_name": "Agent 2"}));
    scene.app.pass(TimeDelta::hours(1));
    scene.assert_taken().await;
    let admin = scene.app.admin(&["admin:clients"]).await;
    let shown = admin.get(&path).await.document(200);
    assert_eq!((&shown["consent"], &shown["lifetimes"]["access_token"]), (&json!("always"), &json!(60)));
    assert_eq!(shown["client_name"]["en"], "Agent 2");
}

#[tokio::test]
async fn a_client_that_somebody_registered_under_an_address_is_as_it_was_registered() {
    let scene = Scene::start().await;
    let settings = ClientSettings {
        redirect_uris: vec!["https://registered.example/callback".into()],
        token_endpoint_auth_method: ClientAuthMethod::None,
        ..ClientSettings::default()
    };
    let client = scene.app.insert_client(&scene.id(), settings).await;
    scene.open(&Authorization::of(&client)).await.assert_login();
    assert_eq!(scene.peer.calls(), 0);
}

#[tokio::test]
async fn only_hosts_that_are_allowed_and_public_are_called() {
    let scene = Scene::with_config(|config| config.client_documents.allowed_hosts = vec!["*.example.com".into()]).await;
    scene.assert_refused("clients that are named by an address of that host are not taken here").await;
    let scene = Scene::with_config(|config| config.client_documents.allowed_hosts = vec!["localhost".into()]).await;
    scene.assert_taken().await;
    let scene = Scene::with_config(|config| config.outbound.allow.clear()).await;
    scene.assert_refused("the document at the address that is the client_id cannot be fetched").await;
    assert_eq!(scene.peer.calls(), 0);
}

#[tokio::test]
async fn a_network_has_so_many_documents_fetched_and_no_more() {
    let scene = Scene::with_config(|config| config.client_documents.fetches_per_network = 2).await;
    scene.assert_taken().await;
    scene.app.pass_seconds(1);
    let other = |path: &str| Authorization::by(&scene.peer.url(path), CALLBACK);
    assert_eq!(scene.open(&other("/a")).await.answer.status, 400, "that is the document of somebody else");
    assert_eq!(scene.open(&other("/b")).await.answer.status, 429);
    assert_eq!(scene.peer.calls(), 2);
    // Who is known goes on.
    scene.assert_taken().await;
    scene.app.pass(TimeDelta::hours(1));
    assert_eq!(scene.open(&other("/b")).await.answer.status, 400);
}

#[tokio::test]
async fn a_client_with_keys_pushes_its_requests_and_rotates_them_in_its_document() {
    let scene = Scene::start().await;
    let (first, second) = (ClientKey::generate("ES256"), ClientKey::generate("ES256"));
    let signs = |key: &ClientKey| json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": key.jwks()});
    scene.serve(signs(&first));
    let jwks = signs(&second);
    let client = scene.client().authenticating_with(first);
    let pushed = scene.app.pushed(&client, &scene.request()).await;
    scene.open(&pushed).await.assert_login();
    assert_eq!(scene.peer.calls(), 1);
    scene.serve(jwks);
    scene.app.pass(TimeDelta::hours(1));
    let answer = scene.app.call_as(&client, "/par", &scene.request().without("client_id").parameters()).await;
    answer.assert_error(400, "invalid_client", "client authentication failed");
    let client = client.authenticating_with(second);
    scene.app.pushed(&client, &scene.request()).await;
    // A document that is none is told to the client itself.
    scene.peer.refuse(404);
    scene.app.pass(TimeDelta::hours(1));
    let answer = scene.app.call_as(&client, "/par", &scene.request().without("client_id").parameters()).await;
    answer.assert_error(400, "invalid_client", "there is no document at the address that is the client_id");
}

#[tokio::test]
async fn a_device_is_begun_by_a_client_that_is_named_by_an_address() {
    let scene = Scene::start().await;
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    scene.serve(json!({"grant_types": [device, "refresh_token"], "redirect_uris": []}));
    let form = [("client_id", scene.id()), ("scope", "openid".to_owned())];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    let begun = scene.app.post_form("/device_authorization", &form).await.json();
    assert!(begun["user_code"].is_string());
}

#[tokio::test]
async fn a_program_on_somebodys_machine_listens_on_whatever_port_it_gets() {
    let scene = Scene::start().await;
    scene.serve(json!({"redirect_uris": ["http://127.0.0.1/callback", CALLBACK]}));
    for uri in ["http://127.0.0.1:49152/callback", "http://127.0.0.1:1234/callback", CALLBACK] {
        scene.open(&Authorization::by(&scene.id(), uri)).await.assert_login();
    }
    let refused = "the redirect_uri is not registered for this client";
    for uri in ["http://localhost:1234/callback", "http://127.0.0.1:1234/other"] {
        let page = scene.open(&Authorization::by(&scene.id(), uri)).await;
        page.assert_error("/authorize", 400, "invalid_request", refused);
    }
}

#[tokio::test]
async fn a_profile_for_everybody_holds_for_these_clients_too() {
    let scene = Scene::with_config(|config| config.oidc.profile = Profile::Fapi2Security).await;
    let page = scene.open(&scene.request()).await;
    assert!(page.answer.status == 400 && page.visible_text().contains("fapi2-security needs"), "{page:?}");
}

#[tokio::test]
async fn nothing_of_the_admin_api_can_be_asked_for() {
    let scene = Scene::start().await;
    scene.serve(json!({"scope": "openid admin:clients photos.read", "resources": [scene.app.admin_resource()]}));
    scene.assert_taken().await;
    let admin = scene.app.admin(&["admin:clients:read"]).await;
    let shown = admin.get(&format!("/admin/clients/{}", encoded(&scene.id()))).await.document(200);
    assert_eq!((&shown["scopes"], &shown["resources"]), (&json!(["openid"]), &json!([])));
}

fn encoded(id: &str) -> String {
    id.replace(':', "%3A").replace('/', "%2F")
}
