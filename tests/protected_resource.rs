//! Metadata of protected resources (RFC 9728), and the sign-ins that they demand (RFC 9470).

use ostiary::config::AcrValue;
use ostiary::model::catalog::Resource;
use ostiary::model::id::ResourceUri;
use ostiary::model::session::AuthenticationMethod;
use serde_json::json;

use crate::harness::{ADMIN_API, Authorization, PHOTOS_API, TestApp, encode};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
const OF_THE_SAMPLE: &str = "/.well-known/oauth-protected-resource/resource";
const DPOP: &str = "DPoP realm=\"ostiary\", algs=\"PS256 ES256 EdDSA\"";

/// A server whose own resource is registered.
async fn start() -> TestApp {
    let app = TestApp::with_config(|config| {
        config.oidc.sample_resource = true;
        let class = |acr: &str| AcrValue { acr: acr.into(), methods: vec![AuthenticationMethod::Pwd] };
        config.oidc.acr_values = vec![class("urn:example:bronze"), class("urn:example:silver")];
    })
    .await;
    let resource = Resource {
        uri: ResourceUri::new(format!("{}/resource", app.issuer())),
        name: [("en".to_owned(), "Sample".to_owned()), ("de".to_owned(), "Beispiel".to_owned())].into(),
        scopes: vec!["photos.read".into(), "admin.write".into()],
        restricted: false,
    };
    app.app.postgres.upsert_resource(&resource, app.now()).await.unwrap();
    app.app.registry.forget();
    app
}

fn document(resource: &str) -> String {
    format!("{WELL_KNOWN}?{}", encode(&[("resource", resource)]))
}

#[tokio::test]
async fn rfc_9728_section_3_a_resource_of_this_origin_has_its_metadata_at_its_well_known_address() {
    let app = start().await;
    let identifier = format!("{}/resource", app.issuer());
    let expected = json!({
        "resource": identifier,
        "authorization_servers": [app.issuer()],
        // What is not published is nobody's business.
        "scopes_supported": ["photos.read"],
        "resource_name": "Sample",
        "resource_name#de": "Beispiel",
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
    });
    let answer = app.get(OF_THE_SAMPLE).send().await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json(), expected);
    assert_eq!(app.get(&document(&identifier)).send().await.json(), expected);
    let etag = answer.header("etag").unwrap();
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let again = app.get(OF_THE_SAMPLE).header("if-none-match", etag).send().await;
    assert_eq!(again.status, 304);
}

#[tokio::test]
async fn the_metadata_of_a_resource_elsewhere_is_there_for_its_operator_to_pass_on() {
    let app = TestApp::start().await;
    let expected = json!({
        "resource": PHOTOS_API,
        "authorization_servers": [app.issuer()],
        "scopes_supported": ["photos.read", "photos.write"],
        "resource_name": "Photos",
    });
    assert_eq!(app.get(&document(PHOTOS_API)).send().await.json(), expected);
    let listed = app.get("/.well-known/oauth-authorization-server").send().await.json();
    for resource in listed["protected_resources"].as_array().unwrap() {
        let told = app.get(&document(resource.as_str().unwrap())).send().await.json();
        assert_eq!(told["resource"], *resource, "section 3.3: the client compares");
    }
}

#[tokio::test]
async fn what_is_not_registered_or_restricted_has_no_metadata() {
    let app = TestApp::start().await;
    let unknown = ["https://photos.example/", "", "x", ADMIN_API, &app.admin_resource()];
    for path in unknown.map(document).iter().map(String::as_str).chain([WELL_KNOWN, OF_THE_SAMPLE]) {
        let answer = app.get(path).send().await;
        answer.assert_error(404, "invalid_target", "no such resource is registered");
    }
    let twice = format!("{}&resource=x", document(PHOTOS_API));
    app.get(&twice).send().await.assert_error(400, "invalid_request", "repeated parameter");
}

#[tokio::test]
async fn rfc_9728_section_5_1_every_refusal_of_a_registered_resource_names_its_metadata() {
    let app = start().await;
    let metadata = format!("resource_metadata=\"{}{OF_THE_SAMPLE}\"", app.issuer());
    let answer = app.get("/resource").send().await;
    let challenge = format!("Bearer realm=\"ostiary\", {metadata}, {DPOP}, {metadata}");
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some(challenge.as_str())));
    let description = "the access token is invalid, expired or revoked";
    let challenge =
        format!("Bearer realm=\"ostiary\", error=\"invalid_token\", error_description=\"{description}\", {metadata}");
    app.get("/resource").bearer("x").send().await.assert_challenge(401, "invalid_token", description, &challenge);
}

/// From the challenge alone to an answer, as an agent goes that has never heard of the resource.
#[tokio::test]
async fn a_client_finds_its_way_from_a_refusal_to_a_token_for_that_resource() {
    let app = start().await;
    let (client, alice) = (app.public_client().await, app.alice().await);
    let answer = app.get("/resource").send().await;
    let challenge = answer.header("www-authenticate").unwrap();
    let address = challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap();
    let metadata = app.get(address.strip_prefix(app.issuer()).unwrap()).send().await.json();
    assert_eq!(metadata["authorization_servers"], json!([app.issuer()]));
    let request =
        Authorization::of(&client).with("scope", "photos.read").and("resource", metadata["resource"].as_str().unwrap());
    let tokens = app.tokens_in(&mut app.browser(), &client, &request, &alice).await;
    assert_eq!(tokens.access_claims(&app).await["aud"], metadata["resource"]);
    let seen = app.get("/resource").bearer(tokens.access()).send().await.json();
    assert_eq!((&seen["sub"], &seen["scope"]), (&json!(alice.sub()), &json!("photos.read")));
}

#[tokio::test]
async fn rfc_9470_section_3_a_sign_in_of_another_class_is_demanded_and_got() {
    let app = start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    let call = |token: &str, demand: &str| app.get(&format!("/resource?{demand}")).bearer(token).send();
    assert_eq!(call(tokens.access(), "acr_values=urn:example:gold+urn:example:bronze").await.status, 200);
    let answer = call(tokens.access(), "acr_values=urn:example:silver").await;
    let description = "another kind of sign-in is required";
    let challenge = format!(
        "Bearer realm=\"ostiary\", error=\"insufficient_user_authentication\", error_description=\"{description}\", \
         acr_values=\"urn:example:silver\", resource_metadata=\"{}{OF_THE_SAMPLE}\"",
        app.issuer()
    );
    answer.assert_challenge(401, "insufficient_user_authentication", description, &challenge);
    let request = Authorization::of(&client).with("acr_values", "urn:example:silver");
    let better = app.tokens_in(&mut browser, &client, &request, &alice).await;
    assert_eq!(call(better.access(), "acr_values=urn:example:silver").await.status, 200);
}

#[tokio::test]
async fn rfc_9470_section_3_a_more_recent_sign_in_is_demanded_and_got() {
    let app = start().await;
    let (client, alice) = (app.web_client().await, app.alice().await);
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    let call = |token: &str| app.get("/resource?max_age=60").bearer(token).send();
    app.pass_seconds(60);
    assert_eq!(call(tokens.access()).await.status, 200);
    app.pass_seconds(1);
    let answer = call(tokens.access()).await;
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"insufficient_user_authentication\"") && challenge.contains(", max_age=\"60\""));
    let request = Authorization::of(&client).with("max_age", "60");
    let fresh = app.tokens_in(&mut browser, &client, &request, &alice).await;
    assert_eq!(call(fresh.access()).await.status, 200);
    // A machine never signed in.
    let machine = app.token(&app.machine_client().await, &[("grant_type", "client_credentials")]).await.json();
    assert_eq!(call(machine["access_token"].as_str().unwrap()).await.status, 401);
    assert_eq!(app.get("/resource?max_age=soon").bearer(fresh.access()).send().await.status, 400);
}
