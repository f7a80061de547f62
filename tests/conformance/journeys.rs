//! What the suite does with what was generated: its browser's steps on the real pages, and whole journeys with the generated
//! clients, keys and certificates.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ostiary::config::ClientCertificateHeader;
use ostiary::model::client::ClientAuthMethod;
use serde_json::{Value, json};

use super::browser::Scripted;
use super::{Setup, setup, setup_with};
use crate::harness::proof::ath;
use crate::harness::{
    Authorization, ClientCert, ClientKey, Page, TestClient, byte_sequence, encode, free_port, jwt, parameters,
    server_certificate, tls_client,
};
use crate::mtls_listener::first_token;

/// A client of a configuration.
fn client_of(setup: &Setup, name: &str, role: &str) -> TestClient {
    let configuration = setup.configuration(name);
    let given = &configuration[role];
    let method = match name {
        name if name.contains("private-key-jwt") => ClientAuthMethod::PrivateKeyJwt,
        name if name.contains("mtls") => ClientAuthMethod::SelfSignedTlsClientAuth,
        _ if role == "client_secret_post" => ClientAuthMethod::ClientSecretPost,
        _ => ClientAuthMethod::ClientSecretBasic,
    };
    let query = if name.contains("fapi2") && role == "client2" { "?dummy1=lorem&dummy2=ipsum" } else { "" };
    let returns_to = format!("{}/test/a/ostiary/callback{query}", setup.suite.url());
    let client = setup.app.known_client(given["client_id"].as_str().unwrap(), method, &returns_to);
    match (given["client_secret"].as_str(), given.get("jwks")) {
        (Some(secret), _) => client.with_secret(secret),
        (None, Some(jwks)) => client.with_key(ClientKey::from_jwk(&jwks["keys"][0])),
        (None, None) => client,
    }
}

/// What a PEM file says, without its frame.
pub fn pem_body(pem: &Value) -> String {
    pem.as_str().unwrap().lines().filter(|line| !line.starts_with("-----")).collect()
}

/// The certificate that a client shows, as the proxy in front passes it on.
fn certificate(setup: &Setup, name: &str, role: &str) -> String {
    let pem = &setup.configuration(name)[role]["cert"];
    byte_sequence(&STANDARD.decode(pem_body(pem)).unwrap())
}

/// A browser of the suite with the steps of a module.
fn scripted(setup: &Setup, name: &str, module: &str) -> Scripted {
    Scripted::new(&setup.configuration(name), module, setup.app.browser())
}

async fn visit(setup: &Setup, browser: &mut Scripted, request: &Authorization) -> Page {
    browser.visit(setup.app.issuer(), &request.path()).await
}

/// A journey as the module `oidcc-server` makes it: what userinfo says in the end.
pub async fn basic_client(setup: &Setup) -> Value {
    let scope = "openid profile email address phone offline_access";
    for role in ["client", "client2", "client_secret_post"] {
        let client = client_of(setup, "oidcc-basic-static", role);
        // Neither a code challenge nor a nonce, and a question that is asked although it was answered.
        let request =
            Authorization::of(&client).without_pkce().without("nonce").with("scope", scope).with("prompt", "consent");
        let mut browser = scripted(setup, "oidcc-basic-static", "oidcc-server");
        let code = visit(setup, &mut browser, &request).await.returned_code(&client.redirect_uri);
        let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &client.redirect_uri)];
        let tokens = setup.app.token(&client, &form).await.json();
        assert!(tokens["refresh_token"].is_string() && tokens["id_token"].is_string(), "{tokens}");
        let answer = setup.app.userinfo(tokens["access_token"].as_str().unwrap()).await;
        if role == "client_secret_post" {
            return answer.json();
        }
    }
    unreachable!("the last role answers")
}

#[tokio::test]
async fn a_second_sign_in_is_seen_and_pictured() {
    let setup = setup().await;
    setup.prepared(&["oidcc-basic-static"]).await;
    let client = client_of(&setup, "oidcc-basic-static", "client");
    for (module, parameter) in [("oidcc-prompt-login", ("prompt", "login")), ("oidcc-max-age-1", ("max_age", "1"))] {
        let mut browser = scripted(&setup, "oidcc-basic-static", module);
        let first = Authorization::of(&client);
        visit(&setup, &mut browser, &first).await.returned_code(&client.redirect_uri);
        setup.app.pass_seconds(2);
        // Signed in as it is, the steps for pages that do not come are left out.
        visit(&setup, &mut browser, &Authorization::of(&client)).await.returned_code(&client.redirect_uri);
        assert_eq!(browser.pictures, ["login-submit"]);
        let again = Authorization::of(&client).with(parameter.0, parameter.1);
        visit(&setup, &mut browser, &again).await.returned_code(&client.redirect_uri);
        assert_eq!(browser.pictures, ["login-submit", "login-submit"], "{module}");
    }
}

#[tokio::test]
async fn errors_at_the_authorization_endpoint_are_pictured() {
    let setup = setup().await;
    let fapi = "fapi2-sp-private-key-jwt-dpop-openid";
    setup.prepared(&["oidcc-basic-static", fapi]).await;
    let client = client_of(&setup, "oidcc-basic-static", "client");
    let mut browser = scripted(&setup, "oidcc-basic-static", "oidcc-ensure-registered-redirect-uri");
    let elsewhere = Authorization::of(&client).with("redirect_uri", "https://suite.example/elsewhere");
    assert!(visit(&setup, &mut browser, &elsewhere).await.has("error-page"));
    assert_eq!(browser.pictures, ["error-code"]);
    let module = "fapi2-security-profile-final-par-attempt-to-use-request_uri-for-different-client";
    let (first, second) = (client_of(&setup, fapi, "client"), client_of(&setup, fapi, "client2"));
    let pushed = setup.app.pushed(&first, &Authorization::of(&first)).await.with("client_id", &second.id);
    let mut browser = scripted(&setup, fapi, module);
    assert!(visit(&setup, &mut browser, &pushed).await.has("error-page"));
    assert_eq!(browser.pictures, ["error-code"]);
}

#[tokio::test]
async fn a_person_may_refuse_and_look_twice() {
    let setup = setup().await;
    let fapi = "fapi2-sp-private-key-jwt-dpop-openid";
    setup.prepared(&[fapi]).await;
    let client = client_of(&setup, fapi, "client");
    let module = "fapi2-security-profile-final-user-rejects-authentication";
    let pushed = setup.app.pushed(&client, &Authorization::of(&client)).await;
    let refused = visit(&setup, &mut scripted(&setup, fapi, module), &pushed).await;
    assert_eq!(refused.returned_error(&client.redirect_uri)["error"], "access_denied");
    let module = "fapi2-security-profile-final-par-ensure-reused-request-uri-prior-to-auth-completion-succeeds";
    let mut browser = scripted(&setup, fapi, module);
    let pushed = setup.app.pushed(&client, &Authorization::of(&client)).await;
    visit(&setup, &mut browser, &pushed).await.assert_login();
    visit(&setup, &mut browser, &pushed).await.returned_code(&client.redirect_uri);
    // What was used answers at once, and the usual steps get by with that.
    let used = visit(&setup, &mut browser, &pushed).await;
    assert_eq!(used.returned_error(&client.redirect_uri)["error"], "invalid_request_uri");
    // And so they do with a request that was not pushed, and with one that came too late.
    let mut browser = scripted(&setup, fapi, "any");
    let plain = visit(&setup, &mut browser, &Authorization::of(&client)).await;
    assert_eq!(plain.returned_error(&client.redirect_uri)["error"], "invalid_request");
    let pushed = setup.app.pushed(&client, &Authorization::of(&client)).await;
    setup.app.pass_seconds(61);
    let late = visit(&setup, &mut browser, &pushed).await;
    assert_eq!(late.returned_error(&client.redirect_uri)["error"], "invalid_request_uri");
}

/// A signed-in browser of the suite at a logout plan, and the ID token.
async fn before_logout(setup: &Setup, name: &str, module: &str) -> (Scripted, String) {
    let client = client_of(setup, name, "client");
    let mut browser = scripted(setup, name, module);
    let request = Authorization::of(&client).without_pkce();
    let code = visit(setup, &mut browser, &request).await.returned_code(&client.redirect_uri);
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &client.redirect_uri)];
    let tokens = setup.app.token(&client, &form).await.json();
    (browser, tokens["id_token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_logout_that_may_return_does() {
    let setup = setup().await;
    let plans = ["oidcc-rp-initiated-logout", "oidcc-backchannel-logout", "oidcc-frontchannel-logout"];
    setup.prepared(&plans).await;
    let back = format!("{}/test/a/ostiary/post_logout_redirect", setup.suite.url());
    for name in plans {
        let (mut browser, hint) = before_logout(&setup, name, "any").await;
        let form = encode(&[("id_token_hint", &hint), ("post_logout_redirect_uri", &back), ("state", "of-the-suite")]);
        let page = browser.visit(setup.app.issuer(), &format!("/logout?{form}")).await;
        assert_eq!(page.url.as_str(), format!("{back}?state=of-the-suite"), "{name}");
        let client = client_of(&setup, name, "client");
        let request = Authorization::of(&client).with("prompt", "none");
        let answer = visit(&setup, &mut browser, &request).await.returned_error(&client.redirect_uri);
        assert_eq!(answer["error"], "login_required", "{name}");
    }
}

#[tokio::test]
async fn a_logout_that_may_not_return_is_pictured() {
    let setup = setup().await;
    let name = "oidcc-rp-initiated-logout";
    setup.prepared(&[name]).await;
    let back = format!("{}/test/a/ostiary/post_logout_redirect", setup.suite.url());
    let (bad, added) = (format!("{back}/bad_post_logout_redirect_uri"), format!("{back}?foo=bar"));
    let of = |module: &str| format!("oidcc-rp-initiated-logout-{module}");
    let cases = [
        ("bad-post-logout-redirect-uri", Some("good"), Some(bad), "error-code"),
        ("query-added-to-post-logout-redirect-uri", Some("good"), Some(added), "error-code"),
        ("modified-id-token-hint", Some("modified"), Some(back.clone()), "error-code"),
        ("bad-id-token-hint", Some("bad"), Some(back.clone()), "error-code"),
        ("no-id-token-hint", None, Some(back), "error-code"),
        ("no-params", None, None, "logged-out"),
        ("only-state", None, None, "logged-out"),
        ("no-post-logout-redirect-uri", Some("good"), None, "logged-out"),
    ];
    for (module, hint, returns_to, seen) in cases {
        let (mut browser, good) = before_logout(&setup, name, &of(module)).await;
        let hint = hint.map(|kind| match kind {
            "modified" => format!("{}x", good.rsplit_once('.').unwrap().0),
            "bad" => jwt::signed_by_another_key(&jwt::read(&good)),
            _ => good.clone(),
        });
        let mut form: Vec<(&str, &str)> = Vec::new();
        form.extend(hint.as_deref().map(|hint| ("id_token_hint", hint)));
        form.extend(returns_to.as_deref().map(|uri| ("post_logout_redirect_uri", uri)));
        form.extend((module != "no-params").then_some(("state", "of-the-suite")));
        browser.visit(setup.app.issuer(), &format!("/logout?{}", encode(&form))).await;
        assert_eq!(browser.pictures, [seen], "{module}");
    }
}

/// A resource is asked with a token, as a module of FAPI 2.0 does.
async fn assert_at_resource(setup: &Setup, tokens: &Value, key: Option<&ClientKey>, certificate: Option<&str>) {
    let token = tokens["access_token"].as_str().unwrap();
    let call = |certificate: Option<&str>| {
        let call = match key {
            Some(key) => call_with(setup, token, key),
            None => setup.app.get("/resource").bearer(token),
        };
        match certificate {
            Some(certificate) => call.header("client-cert", certificate),
            None => call,
        }
    };
    let answer = call(certificate).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(tokens["token_type"], if key.is_some() { "DPoP" } else { "Bearer" });
    if key.is_none() {
        assert_eq!(call(None).send().await.status, 401, "the token is bound to the certificate");
    }
}

fn call_with(setup: &Setup, token: &str, key: &ClientKey) -> crate::harness::Call {
    let proof = key.proof(&setup.app, "GET", "/resource", json!({"ath": ath(token)}));
    setup.app.get("/resource").dpop(token, &proof)
}

/// What happens in `fapi2-security-profile-final-happy-flow`, for one client of a configuration.
async fn happy_flow(setup: &Setup, name: &str, role: &str) {
    let app = &setup.app;
    let client = client_of(setup, name, role);
    let shown = name.contains("mtls").then(|| certificate(setup, name, &role.replace("client", "mtls")));
    let key = name.contains("-dpop-").then(|| ClientKey::generate("PS256"));
    let configuration = setup.configuration(name);
    let post = |path: &'static str, form: Vec<(String, String)>| {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut call = client.sign(app.post(path), &form);
        if let Some(key) = key.as_ref().filter(|_| path == "/token") {
            call = call.header("dpop", &key.proof(app, "POST", path, json!({})));
        }
        if let Some(shown) = &shown {
            call = call.header("client-cert", shown);
        }
        call.send()
    };
    let owned =
        |form: &[(&str, &str)]| form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut request = Authorization::of(&client).with("scope", configuration[role]["scope"].as_str().unwrap());
    if name.ends_with("-jarm") {
        request = request.with("response_mode", "jwt");
    }
    let form = if name.contains("-ms-") {
        let refused = post("/par", owned(&request.clone().without("client_id").parameters())).await;
        assert_eq!(refused.status, 400, "an unsigned request is refused: {refused:?}");
        owned(&[("request", &client.request_object(&request, json!({})))])
    } else {
        owned(&request.clone().without("client_id").parameters())
    };
    let pushed = post("/par", form).await;
    assert_eq!(pushed.status, 201, "{pushed:?}");
    let pushed: Value = serde_json::from_str(&pushed.body).unwrap();
    let opened = request.pushed_as(pushed["request_uri"].as_str().unwrap());
    let page = visit(setup, &mut scripted(setup, name, "any"), &opened).await;
    let answer = parameters(page.url.query().unwrap());
    let code = match answer.get("response") {
        Some(response) => {
            assert!(name.ends_with("-jarm"), "{name}");
            jwt::verify(app, response).await.claims["code"].as_str().unwrap().to_owned()
        }
        None => answer["code"].clone(),
    };
    assert_eq!(answer.get("dummy1").map(String::as_str), (role == "client2").then_some("lorem"));
    let tokens = post("/token", owned(&app.redemption(&request, &code))).await.json();
    assert_eq!(tokens.get("id_token").is_some(), name.contains("-openid"), "{name}");
    if let Some(id_token) = tokens["id_token"].as_str() {
        assert_eq!(jwt::verify(app, id_token).await.header["alg"], "PS256");
    }
    let bound_to_certificate = shown.as_deref().filter(|_| key.is_none());
    assert_at_resource(setup, &tokens, key.as_ref(), bound_to_certificate).await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    let again = post("/token", owned(&refresh)).await.json();
    assert_at_resource(setup, &again, key.as_ref(), bound_to_certificate).await;
}

#[tokio::test]
async fn the_clients_of_the_security_profile_go_the_whole_way() {
    let setup = setup().await;
    let names = [
        "fapi2-sp-private-key-jwt-dpop-openid",
        "fapi2-sp-private-key-jwt-mtls-oauth",
        "fapi2-sp-mtls-dpop-openid",
        "fapi2-sp-mtls-mtls-openid",
    ];
    setup.prepared(&names).await;
    for name in names {
        happy_flow(&setup, name, "client").await;
        happy_flow(&setup, name, "client2").await;
    }
}

#[tokio::test]
async fn the_clients_of_message_signing_go_the_whole_way() {
    let setup = setup().await;
    let names = [
        "fapi2-ms-private-key-jwt-dpop-openid-jarm",
        "fapi2-ms-private-key-jwt-mtls-openid-plain",
        "fapi2-ms-mtls-dpop-oauth-plain",
        "fapi2-ms-mtls-mtls-oauth-jarm",
    ];
    setup.prepared(&names).await;
    for name in names {
        happy_flow(&setup, name, "client").await;
        happy_flow(&setup, name, "client2").await;
    }
}

#[tokio::test]
async fn the_clients_that_act_for_themselves_go_the_whole_way() {
    let setup = setup().await;
    let names =
        ["fapi2-cc-private-key-jwt-dpop", "fapi2-cc-private-key-jwt-mtls", "fapi2-cc-mtls-dpop", "fapi2-cc-mtls-mtls"];
    setup.prepared(&names).await;
    for name in names {
        let client = client_of(&setup, name, "client");
        let scope = setup.configuration(name)["client"]["scope"].as_str().unwrap().to_owned();
        let mut call =
            client.sign(setup.app.post("/token"), &[("grant_type", "client_credentials"), ("scope", &scope)]);
        let key = name.ends_with("dpop").then(|| ClientKey::generate("PS256"));
        if let Some(key) = &key {
            call = call.header("dpop", &key.proof(&setup.app, "POST", "/token", json!({})));
        }
        let shown = name.contains("mtls").then(|| certificate(&setup, name, "mtls"));
        if let Some(shown) = &shown {
            call = call.header("client-cert", shown);
        }
        let tokens = call.send().await.json();
        assert_eq!((&tokens["scope"], tokens.get("refresh_token")), (&json!(scope), None), "{name}");
        assert_at_resource(&setup, &tokens, key.as_ref(), shown.as_deref().filter(|_| key.is_none())).await;
    }
}

/// RFC 8705 over a connection, without a proxy: the certificate and its key belong together, and aliases are used.
#[tokio::test]
async fn a_generated_certificate_is_shown_in_a_handshake() {
    let (name, folder) = ("fapi2-cc-mtls-mtls", tempfile::tempdir().expect("a folder"));
    let (server, port, mtls_port) = (server_certificate(folder.path()), free_port(), free_port());
    let setup = setup_with(|config| {
        config.server.trusted_proxy_cidrs = Vec::new();
        config.mtls.header = ClientCertificateHeader::None;
        config.mtls.alias_base_url = Some(format!("https://localhost:{mtls_port}"));
        config.tls.bind = Some(([127, 0, 0, 1], port).into());
        config.tls.mtls_bind = Some(([127, 0, 0, 1], mtls_port).into());
        config.tls.certificate_file = Some(folder.path().join("tls.pem"));
        config.tls.private_key_file = Some(folder.path().join("tls.key"));
    })
    .await;
    setup.prepared(&[name, "fapi2-sp-mtls-dpop-oauth"]).await;
    for role in ["client", "client2"] {
        let shown = &setup.configuration(name)[role.replace("client", "mtls")];
        let own = ClientCert::from_pem(shown["cert"].as_str().unwrap(), shown["key"].as_str().unwrap());
        let tls = tls_client(&server, Some(&own), &rustls::version::TLS13);
        let (status, body) = first_token(mtls_port, &tls, &client_of(&setup, name, role)).await;
        assert_eq!(status, 200, "{body}");
        let claims = jwt::read(body["access_token"].as_str().unwrap()).claims;
        assert_eq!(claims["cnf"], json!({"x5t#S256": own.thumbprint()}));
    }
    let resource = |name: &str| setup.configuration(name)["resource"]["resourceUrl"].clone();
    assert_eq!(resource(name), format!("https://localhost:{mtls_port}/resource"));
    assert_eq!(resource("fapi2-sp-mtls-dpop-oauth"), format!("{}/resource", setup.app.issuer()));
}

/// RFC 7591: what the suite registers itself.
#[tokio::test]
async fn a_client_that_the_suite_registers_goes_the_whole_way() {
    let (setup, name) = (setup().await, "oidcc-basic-dynamic");
    setup.prepared(&[name]).await;
    let configuration = setup.configuration(name);
    let returns_to = format!("{}/test/a/ostiary/callback", setup.suite.url());
    for role in ["client", "client2"] {
        let given = &configuration[role];
        let wanted = json!({
            "client_name": given["client_name"], "redirect_uris": [returns_to], "response_types": ["code"],
            "grant_types": ["authorization_code"], "token_endpoint_auth_method": "client_secret_basic",
            "contacts": ["certification@suite.example"],
        });
        let token = given["initial_access_token"].as_str().unwrap();
        let registered = setup.app.post("/register").bearer(token).json(&wanted).send().await;
        assert_eq!(registered.status, 201, "{registered:?}");
        let registered: Value = serde_json::from_str(&registered.body).unwrap();
        let text = |member: &str| registered[member].as_str().unwrap();
        let method = ClientAuthMethod::ClientSecretBasic;
        let client = setup.app.known_client(text("client_id"), method, &returns_to).with_secret(text("client_secret"));
        let request = Authorization::of(&client).without_pkce().without("nonce");
        let code = visit(&setup, &mut scripted(&setup, name, "any"), &request).await.returned_code(&returns_to);
        let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", &returns_to)];
        assert!(setup.app.token(&client, &form).await.json()["id_token"].is_string());
        let path = text("registration_client_uri").strip_prefix(setup.app.issuer()).unwrap();
        let deleted = setup.app.request(http::Method::DELETE, path).bearer(text("registration_access_token"));
        assert_eq!(deleted.send().await.status, 204);
    }
}
