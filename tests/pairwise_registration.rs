//! How clients come to pairwise subject identifiers (OpenID Connect Core section 8.1, Dynamic Registration sections 2 and 5): by
//! themselves, by administrators, at the console and by a document.

use std::path::Path;

use http::Method;
use ostiary::admin::desired;
use ostiary::config::{Config, OutboundPurpose, RegistrationMode};
use ostiary::model::client::{GrantType, SubjectType};
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp, TlsPeer};

const URI: &str = "https://album.example/callback";
const NATIVE: &str = "com.example.album:/callback";

/// A server where everybody may register, and a host that it may ask.
async fn open(change: impl FnOnce(&mut Config)) -> (TestApp, TlsPeer) {
    let peer = TlsPeer::start();
    let app = TestApp::with_config(|config| {
        config.registration.mode = RegistrationMode::Open;
        peer.is_trusted_by(&mut config.outbound, OutboundPurpose::SectorIdentifier);
        change(config);
    });
    (app.await, peer)
}

fn list(peer: &TlsPeer, document: &Value) {
    peer.serve("application/json", document.to_string().as_bytes());
}

fn pairwise(redirect_uris: &[&str], more: Value) -> Value {
    let mut metadata = json!({"client_name": "Album", "subject_type": "pairwise", "redirect_uris": redirect_uris});
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    metadata
}

async fn register(app: &TestApp, metadata: &Value) -> Answer {
    app.post("/register").json(metadata).send().await
}

/// RFC 7591 section 3.2.2, of the member and in these words.
#[track_caller]
fn refused(answer: &Answer, words: &str) {
    let body = answer.document(400);
    assert_eq!(body["error"], "invalid_client_metadata", "{body}");
    let description = body["error_description"].as_str().unwrap();
    assert!(description.contains(words), "{description}");
    assert!(description.bytes().all(|b| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\'), "{description}");
}

#[tokio::test]
async fn registration_section_2_a_client_of_one_host_registers_pairwise() {
    let (app, peer) = open(|_| {}).await;
    let made = register(&app, &pairwise(&[URI, "https://ALBUM.example:8443/other"], json!({}))).await.document(201);
    assert_eq!((&made["subject_type"], made.get("sector_identifier_uri")), (&json!("pairwise"), None));
    let plain = register(&app, &json!({"redirect_uris": [URI]})).await.document(201);
    assert_eq!(plain["subject_type"], "public");
    assert_eq!(peer.calls(), 0);
}

#[tokio::test]
async fn section_8_1_several_hosts_need_a_sector_identifier_uri() {
    let (app, _peer) = open(|_| {}).await;
    let several = register(&app, &pairwise(&[URI, "https://other.example/callback"], json!({}))).await;
    refused(&several, "/sector_identifier_uri: pairwise subjects need it where the redirect URIs are on several hosts");
    // Everybody is at home on a loopback address, and whoever takes a scheme has it.
    for uri in [NATIVE, "http://127.0.0.1/callback", "http://localhost/callback", "https://localhost/callback"] {
        let answer = register(&app, &pairwise(&[uri], json!({"application_type": "native"}))).await;
        refused(&answer, "/sector_identifier_uri: pairwise subjects need it where not every redirect URI");
    }
}

#[tokio::test]
async fn registration_section_5_the_array_at_the_uri_has_every_redirect_uri() {
    let (app, peer) = open(|_| {}).await;
    let uri = peer.url("/uris.json");
    let metadata = pairwise(&[URI, NATIVE], json!({"application_type": "native", "sector_identifier_uri": uri}));
    list(&peer, &json!(["https://other.example/", NATIVE, URI]));
    let made = register(&app, &metadata).await.document(201);
    assert_eq!((&made["subject_type"], &made["sector_identifier_uri"]), (&json!("pairwise"), &json!(uri)));
    assert_eq!(peer.calls(), 1);
    assert!(peer.last_request().starts_with("GET /uris.json HTTP/1.1\r\n"), "{}", peer.last_request());
    let lacking = "/sector_identifier_uri: the array that is there does not have all of the redirect URIs";
    for (document, words) in [
        (json!([URI]), lacking),
        (json!([URI, format!("{NATIVE}/")]), lacking),
        (json!([]), lacking),
        (json!({"redirect_uris": [URI, NATIVE]}), "/sector_identifier_uri: what is there is not a JSON array"),
        (json!([URI, NATIVE, 1]), "/sector_identifier_uri: what is there is not an array of texts"),
    ] {
        list(&peer, &document);
        refused(&register(&app, &metadata).await, words);
    }
    peer.serve("application/json", b"not JSON");
    refused(&register(&app, &metadata).await, "/sector_identifier_uri: what is there is not a JSON array");
    list(&peer, &json!([URI, NATIVE, "x".repeat(70_000)]));
    refused(&register(&app, &metadata).await, "/sector_identifier_uri: it could not be fetched");
    peer.answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec());
    refused(&register(&app, &metadata).await, "/sector_identifier_uri: it could not be fetched");
    peer.answer(b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".to_vec());
    refused(&register(&app, &metadata).await, "/sector_identifier_uri: it could not be fetched");
    // Also where subjects are public: the client says that it is there.
    list(&peer, &json!([URI]));
    let public = json!({"subject_type": "public"});
    let mut metadata = metadata;
    metadata.as_object_mut().unwrap().extend(public.as_object().unwrap().clone());
    refused(&register(&app, &metadata).await, lacking);
}

#[tokio::test]
async fn registration_section_2_a_sector_identifier_uri_that_is_not_https_or_not_public_is_never_called() {
    let (app, peer) = open(|_| {}).await;
    list(&peer, &json!([URI]));
    let http = peer.url("/uris.json").replace("https:", "http:");
    let malformed =
        [http.as_str(), "https://album.example/uris#all", "uris.json", "https://a@album.example/", "data:,[]"];
    for uri in malformed {
        let answer = register(&app, &pairwise(&[URI], json!({"sector_identifier_uri": uri}))).await;
        refused(&answer, "/sector_identifier_uri: it must be an absolute https URI without a fragment");
    }
    let inside = peer.url("/uris.json").replace("localhost", "127.0.0.1");
    for uri in [inside.as_str(), "https://10.0.0.1/uris.json", "https://[::1]/uris.json"] {
        let answer = register(&app, &pairwise(&[URI], json!({"sector_identifier_uri": uri}))).await;
        refused(&answer, "/sector_identifier_uri: it could not be fetched");
    }
    assert_eq!(peer.calls(), 0);
    // Nor is anything else, while something else is wrong.
    let metadata = pairwise(&[URI], json!({"sector_identifier_uri": peer.url("/uris.json"), "jwks": 1}));
    refused(&register(&app, &metadata).await, "/jwks");
    assert_eq!(peer.calls(), 0);
}

/// Whoever could be told without a redirect URI could choose anybody's sector.
#[tokio::test]
async fn a_client_that_registers_itself_is_in_a_sector_only_by_its_redirect_uris() {
    let (app, peer) = open(|config| config.registration.grant_types.push(GrantType::DeviceCode)).await;
    list(&peer, &json!([URI]));
    let words =
        "/subject_type: a client that registers itself has pairwise subjects only where all of them go to its redirect";
    let (code, device) = ("authorization_code", GrantType::DeviceCode.as_str());
    for (uris, grants) in [(vec![], vec![device]), (vec![URI], vec![code, device])] {
        let more = json!({"grant_types": grants, "sector_identifier_uri": peer.url("/uris.json")});
        refused(&register(&app, &pairwise(&uris, more)).await, words);
    }
    assert_eq!(peer.calls(), 0);
}

#[tokio::test]
async fn the_operator_says_what_clients_that_register_themselves_call_people() {
    let (app, _peer) = open(|config| config.registration.subject_types = vec![SubjectType::Pairwise]).await;
    let made = register(&app, &json!({"redirect_uris": [URI]})).await.document(201);
    assert_eq!(made["subject_type"], "pairwise");
    let public = register(&app, &json!({"redirect_uris": [URI], "subject_type": "public"})).await;
    refused(&public, "/subject_type: clients that register themselves may not call people like that");
    refused(&register(&app, &pairwise(&[URI], json!({"subject_type": "ephemeral"}))).await, "/subject_type");
}

#[tokio::test]
async fn rfc_7592_a_changed_registration_is_asked_about_again_where_its_sector_is() {
    let (app, peer) = open(|_| {}).await;
    list(&peer, &json!([URI]));
    let sector = json!({"sector_identifier_uri": peer.url("/uris.json")});
    let mut client = register(&app, &pairwise(&[URI], sector.clone())).await.document(201);
    let id = client["client_id"].as_str().unwrap().to_owned();
    let put = async |token: &Value, metadata: Value| {
        let mut metadata = metadata;
        metadata["client_id"] = id.as_str().into();
        let call = app.request(Method::PUT, &format!("/register/{id}")).bearer(token.as_str().unwrap());
        call.json(&metadata).send().await
    };
    // A host that is away keeps nobody from another name.
    peer.answer(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec());
    let mut renamed = pairwise(&[URI], sector.clone());
    renamed["client_name"] = "Pictures".into();
    client = put(&client["registration_access_token"], renamed).await.document(200);
    assert_eq!((&client["client_name"], peer.calls()), (&json!("Pictures"), 1));
    let token = &client["registration_access_token"];
    let longer = pairwise(&[URI, "https://album.example/other"], sector);
    refused(&put(token, longer.clone()).await, "/sector_identifier_uri: it could not be fetched");
    list(&peer, &json!([URI, "https://album.example/other"]));
    let changed = put(token, longer).await.document(200);
    assert_eq!(changed["subject_type"], "pairwise");
    let shown = app.get(&format!("/register/{id}")).bearer(changed["registration_access_token"].as_str().unwrap());
    assert_eq!(shown.send().await.document(200)["sector_identifier_uri"], peer.url("/uris.json"));
}

#[tokio::test]
async fn an_administrator_registers_and_changes_pairwise_clients() {
    let (app, peer) = open(|_| {}).await;
    let admin = app.admin(&["admin:clients"]).await;
    let several = json!({"redirect_uris": [URI, "https://other.example/"], "subject_type": "pairwise"});
    assert_eq!(admin.post("/admin/clients", &several).await.invalid_members(), ["/sector_identifier_uri"]);
    let with_sector = |uris: &[&str]| {
        let uri = peer.url("/uris.json");
        json!({"client_id": "album", "redirect_uris": uris, "subject_type": "pairwise", "sector_identifier_uri": uri})
    };
    list(&peer, &json!([URI]));
    let both = with_sector(&[URI, "https://other.example/"]);
    assert_eq!(admin.post("/admin/clients", &both).await.invalid_members(), ["/sector_identifier_uri"]);
    let made = admin.post("/admin/clients", &with_sector(&[URI])).await.document(201);
    assert_eq!(made["subject_type"], "pairwise");
    // An operator says by hand where a device is at home.
    let device = json!({
        "client_id": "television", "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"],
        "subject_type": "pairwise", "sector_identifier_uri": peer.url("/uris.json"),
    });
    admin.post("/admin/clients", &device).await.document(201);
    let calls = peer.calls();
    peer.answer(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec());
    admin.patch("/admin/clients/album", &json!({"enabled": false})).await.document(200);
    assert_eq!(peer.calls(), calls);
    let more = json!({"redirect_uris": [URI, "https://other.example/"]});
    assert_eq!(admin.patch("/admin/clients/album", &more).await.invalid_members(), ["/sector_identifier_uri"]);
    let without = json!({"sector_identifier_uri": null});
    let changed = admin.patch("/admin/clients/album", &without).await.document(200);
    assert_eq!((&changed["subject_type"], &changed["sector_identifier_uri"]), (&json!("pairwise"), &Value::Null));
}

#[tokio::test]
async fn the_console_has_both_members() {
    let app = TestApp::start().await;
    let admin = app.admin(&["admin:clients"]).await;
    admin.post("/admin/clients", &json!({"client_id": "album", "redirect_uris": [URI]})).await.document(201);
    let mut browser = app.console().await;
    let page = browser.open("/console/clients/album/edit").await;
    let page = browser.submit(&page, "save", &[("subject_type", "pairwise")]).await;
    page.assert_done("/console/clients/album", "The settings were saved.");
    assert_eq!(admin.get("/admin/clients/album").await.document(200)["subject_type"], "pairwise");
    let page = browser.open("/console/clients/album/edit").await;
    let page = browser.submit(&page, "save", &[("sector_identifier_uri", "https://10.0.0.1/uris.json")]).await;
    assert!(page.visible_text().contains("It could not be fetched."), "{page:?}");
    assert_eq!(admin.get("/admin/clients/album").await.document(200)["sector_identifier_uri"], Value::Null);
}

#[tokio::test]
async fn a_document_is_planned_only_where_its_sectors_are_right() {
    let (app, peer) = open(|_| {}).await;
    let document = format!(
        "clients:\n  - {{client_id: album, redirect_uris: ['{URI}'], subject_type: pairwise, sector_identifier_uri: '{}'}}",
        peer.url("/uris.json")
    );
    let plan = async || desired::plan(&app.app, &document, Path::new("."), app.now()).await;
    list(&peer, &json!([]));
    let refused = plan().await.err().unwrap().problems();
    let [problem] = &refused[..] else { panic!("one: {refused:?}") };
    assert_eq!(problem.pointer, "clients/album/sector_identifier_uri");
    list(&peer, &json!([URI]));
    let planned = plan().await.ok().unwrap();
    desired::apply(&app.app, &planned, app.now()).await.unwrap();
    // What is applied already is not asked about again.
    peer.answer(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_vec());
    assert!(plan().await.ok().unwrap().is_empty());
}

#[tokio::test]
async fn sectors_are_looked_at_so_often_and_no_more() {
    let (app, peer) = open(|config| config.registration.per_network = 2).await;
    list(&peer, &json!([]));
    let admin = app.admin(&["admin:clients"]).await;
    let invited = admin.post("/admin/initial-access-tokens", &json!({})).await.document(201);
    let token = invited["initial_access_token"].as_str().unwrap();
    // A refusal uses nothing of the invitation.
    let metadata = pairwise(&[URI], json!({"sector_identifier_uri": peer.url("/uris.json")}));
    let asked = || app.post("/register").bearer(token).json(&metadata).send();
    for _ in 0..2 {
        refused(&asked().await, "/sector_identifier_uri: the array that is there does not have all");
    }
    let answer = asked().await;
    assert_eq!(answer.document(429)["error"], "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert_eq!(peer.calls(), 2);
    // Who needs nothing looked at goes on.
    let plain = app.post("/register").bearer(token).json(&json!({"redirect_uris": [URI]})).send().await;
    plain.document(201);
    app.pass(chrono::TimeDelta::hours(2));
    refused(&asked().await, "/sector_identifier_uri: the array that is there does not have all");
}

#[tokio::test]
async fn one_host_of_sectors_is_called_so_often_and_no_more() {
    let (app, peer) = open(|config| {
        config.registration.per_network = 1000;
        config.registration.per_site = 1;
    })
    .await;
    list(&peer, &json!([URI]));
    let metadata = pairwise(&[URI], json!({"sector_identifier_uri": peer.url("/uris.json")}));
    register(&app, &metadata).await.document(201);
    register(&app, &metadata).await.document(429);
    assert_eq!(peer.calls(), 1);
}
