//! The way of an agent that has never heard of a resource nor of its authorization server, as docs/agents.md tells it.

use ostiary::config::OutboundPurpose;
use ostiary::model::catalog::Resource;
use ostiary::model::id::ResourceUri;
use serde_json::{Value, json};

use crate::harness::{Authorization, TestApp, TlsPeer, Tokens};

const CALLBACK: &str = "http://127.0.0.1/callback";

/// A server with a resource, and the address of an agent.
async fn start() -> (TestApp, TlsPeer) {
    let peer = TlsPeer::start();
    let app = TestApp::with_config(|config| {
        config.oidc.sample_resource = true;
        config.client_documents.enabled = true;
        config.client_documents.scopes = vec!["photos.read".into(), "offline_access".into()];
        peer.is_trusted_by(&mut config.outbound, OutboundPurpose::ClientDocument);
    })
    .await;
    let resource = Resource {
        uri: ResourceUri::new(format!("{}/resource", app.issuer())),
        name: [("en".to_owned(), "Sample".to_owned())].into(),
        scopes: vec!["photos.read".into()],
        restricted: false,
    };
    app.app.postgres.upsert_resource(&resource, app.now()).await.unwrap();
    app.app.registry.forget();
    peer.serve_json(
        "",
        &json!({
            "client_id": peer.url("/agent.json"),
            "client_name": "Agent",
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
    );
    (app, peer)
}

fn path<'a>(app: &TestApp, address: &'a Value) -> &'a str {
    address.as_str().unwrap().strip_prefix(app.issuer()).expect("it is at this server")
}

#[tokio::test]
async fn from_a_refusal_to_an_answer_with_nothing_but_its_own_address() {
    let (app, peer) = start().await;
    let alice = app.alice().await;
    // 1. The resource says where it is described (RFC 9728 section 5.1).
    let refused = app.get("/resource").send().await;
    assert_eq!(refused.status, 401);
    let challenge = refused.header("www-authenticate").unwrap();
    let address = challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap();
    let resource = app.get(path(&app, &json!(address))).send().await.json();
    assert_eq!(resource["resource"], format!("{}/resource", app.issuer()), "section 3.3: the agent compares");
    // 2. That says which server gives tokens for it (RFC 8414 section 3).
    let issuer = resource["authorization_servers"][0].as_str().unwrap();
    let well_known = format!("{issuer}/.well-known/oauth-authorization-server");
    let server = app.get(path(&app, &json!(well_known))).send().await.json();
    assert_eq!(server["issuer"], issuer);
    assert_eq!(server["client_id_metadata_document_supported"], true);
    assert!(server["code_challenge_methods_supported"].as_array().unwrap().contains(&json!("S256")));
    assert_eq!(server.get("registration_endpoint"), None, "it does without");
    // 3. A person is asked, with PKCE and for that resource alone (RFC 7636, RFC 8707).
    let redirect_uri = "http://127.0.0.1:52731/callback";
    let client = app.client_named_by(&peer.url("/agent.json"), redirect_uri);
    let request = Authorization::of(&client)
        .with("scope", "photos.read offline_access")
        .with("resource", resource["resource"].as_str().unwrap());
    assert!(request.path().starts_with(path(&app, &server["authorization_endpoint"])));
    let mut browser = app.browser();
    let page = browser.open(&request.path()).await;
    let page = browser.log_in(&page, &alice).await;
    page.assert_consent();
    assert!(page.visible_text().contains("Sample") && page.has("named-by"));
    let page = browser.submit(&page, "consent-allow", &[]).await;
    let answer = page.returned_to(redirect_uri);
    assert_eq!(answer["iss"], issuer, "RFC 9207: the agent compares");
    // 4. The code is redeemed for that resource.
    let mut form = app.redemption(&request, &answer["code"]).to_vec();
    form.push(("client_id", client.id.as_str()));
    form.push(("resource", request.value("resource")));
    let tokens = Tokens { body: app.post_form(path(&app, &server["token_endpoint"]), &form).await.json() };
    assert_eq!(tokens.access_claims(&app).await["aud"], resource["resource"]);
    // 5. The resource answers, and goes on to after a refresh.
    let answer = app.get("/resource").bearer(tokens.access()).send().await.json();
    let expected = json!({"sub": alice.sub(), "client_id": client.id, "scope": "photos.read offline_access"});
    assert_eq!(answer, expected);
    let renewed = app.refreshed(&client, tokens.refresh()).await;
    assert_eq!(app.get("/resource").bearer(renewed.access()).send().await.status, 200);
    assert_eq!(peer.calls(), 1);
}
