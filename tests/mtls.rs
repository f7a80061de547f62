//! Clients that show a certificate (RFC 8705).

use ostiary::config::{ClientCertificateHeader, OutboundPurpose};
use ostiary::model::client::{AccessTokenFormat, ClientAuthMethod, ClientSettings};
use ostiary::model::id::ResourceUri;
use ostiary::model::profile::Profile;
use ostiary::model::signing_alg::SigningAlg;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{ExtendedKeyUsagePurpose, SanType};
use serde_json::json;

use crate::harness::proof::ath;
use crate::harness::{
    ASSERTION_TYPE, Answer, Authority, Authorization, ClientCert, ClientKey, Receiver, TestApp, TestClient, Tokens,
    byte_sequence, ends_at, jwt,
};

const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// A server behind a proxy that writes RFC 9440, and believes `authority`.
async fn behind_proxy(authority: &Authority) -> TestApp {
    behind(authority, "127.0.0.0/8", ClientCertificateHeader::ClientCert).await
}

async fn behind(authority: &Authority, proxies: &str, header: ClientCertificateHeader) -> TestApp {
    let proxies = proxies.parse().unwrap();
    TestApp::with_config(|config| {
        config.server.trusted_proxy_cidrs = vec![proxies];
        config.mtls.header = header;
        config.mtls.client_ca_file = Some(authority.file());
    })
    .await
}

async fn named_client(app: &TestApp, change: impl FnOnce(&mut ClientSettings)) -> TestClient {
    app.machine_client_with(|settings| {
        settings.token_endpoint_auth_method = ClientAuthMethod::TlsClientAuth;
        change(settings);
    })
    .await
}

async fn shop(app: &TestApp) -> TestClient {
    named_client(app, |s| s.tls_client_auth_subject_dn = Some("CN=shop, O=Example".into())).await
}

async fn self_signed_client(app: &TestApp, keys: serde_json::Value) -> TestClient {
    app.machine_client_with(|settings| {
        settings.token_endpoint_auth_method = ClientAuthMethod::SelfSignedTlsClientAuth;
        settings.jwks = Some(json!({ "keys": keys }));
    })
    .await
}

/// A token request with that value of `Client-Cert`.
async fn token(app: &TestApp, client: &TestClient, certificate: &str) -> Answer {
    client.sign(app.post("/token"), &GRANT).header("client-cert", certificate).send().await
}

#[track_caller]
fn assert_refused(answer: &Answer) {
    answer.assert_error(400, "invalid_client", "client authentication failed");
}

#[tokio::test]
async fn tls_client_auth_a_name_that_an_authority_vouches_for_is_the_client() {
    let authority = Authority::new();
    let app = behind_proxy(&authority).await;
    let client = shop(&app).await;
    let good = authority.issue(|_| {});
    assert_eq!(token(&app, &client, &good.header()).await.status, 200);
    // Its own request without a certificate, or with one that is not its own.
    assert_refused(&app.token(&client, &GRANT).await);
    assert_refused(&token(&app, &client, &ClientCert::self_signed(|_| {}).header()).await);
    assert_refused(&token(&app, &client, &Authority::new().issue(|_| {}).header()).await);
    let named = |name: &'static str| {
        authority.issue(|params| params.distinguished_name.push(rcgen::DnType::CommonName, name)).header()
    };
    assert_eq!(token(&app, &client, &named("SHOP")).await.status, 200);
    assert_refused(&token(&app, &client, &named("other")).await);
    // A server's certificate is none of a client's.
    let of_server = authority.issue(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    assert_refused(&token(&app, &client, &of_server.header()).await);
    let ended = authority.issue(|params| ends_at(params, app.now() - chrono::TimeDelta::seconds(1)));
    assert_refused(&token(&app, &client, &ended.header()).await);
}

#[tokio::test]
async fn tls_client_auth_each_kind_of_alternative_name() {
    let authority = Authority::new();
    let app = behind_proxy(&authority).await;
    let names = vec![
        SanType::DnsName("shop.example".try_into().unwrap()),
        SanType::URI("https://shop.example/client".try_into().unwrap()),
        SanType::IpAddress("192.0.2.1".parse().unwrap()),
        SanType::Rfc822Name("shop@shop.example".try_into().unwrap()),
    ];
    let good = authority.issue(|params| params.subject_alt_names = names);
    let without = authority.issue(|_| {});
    let clients = [
        named_client(&app, |s| s.tls_client_auth_san_dns = Some("shop.example".into())).await,
        named_client(&app, |s| s.tls_client_auth_san_uri = Some("https://shop.example/client".into())).await,
        named_client(&app, |s| s.tls_client_auth_san_ip = Some("192.0.2.1".into())).await,
        named_client(&app, |s| s.tls_client_auth_san_email = Some("shop@shop.example".into())).await,
    ];
    for client in clients {
        assert_eq!(token(&app, &client, &good.header()).await.status, 200, "{client:?}");
        assert_refused(&token(&app, &client, &without.header()).await);
    }
}

#[tokio::test]
async fn self_signed_tls_client_auth_a_registered_key_or_certificate_is_the_client() {
    let app = behind_proxy(&Authority::new()).await;
    let own = ClientCert::self_signed(|_| {});
    let again = byte_sequence(&own.again(|params| params.serial_number = Some(vec![7].into())));
    let by_key = self_signed_client(&app, json!([own.jwk()])).await;
    assert_eq!(token(&app, &by_key, &own.header()).await.status, 200);
    assert_eq!(token(&app, &by_key, &again).await.status, 200, "another certificate for the same key");
    let mut jwk = own.jwk();
    jwk["x5c"] = json!([own.header().trim_matches(':')]);
    let by_certificate = self_signed_client(&app, json!([jwk])).await;
    assert_eq!(token(&app, &by_certificate, &own.header()).await.status, 200);
    assert_refused(&token(&app, &by_certificate, &again).await);
    let other = ClientCert::self_signed(|_| {});
    for client in [&by_key, &by_certificate] {
        assert_refused(&token(&app, client, &other.header()).await);
        assert_refused(&app.token(client, &GRANT).await);
    }
    let ended = byte_sequence(&own.again(|params| ends_at(params, app.now() - chrono::TimeDelta::seconds(1))));
    assert_refused(&token(&app, &by_key, &ended).await);
}

#[tokio::test]
async fn self_signed_tls_client_auth_keys_at_an_address_are_fetched_anew_for_a_new_certificate() {
    let mut receiver = Receiver::start().await;
    let exception = receiver.exception_for(OutboundPurpose::ClientKeys);
    let app = TestApp::with_config(|config| {
        config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
        config.mtls.header = ClientCertificateHeader::ClientCert;
        config.outbound.allow.push(exception);
    })
    .await;
    let (first, second) = (ClientCert::self_signed(|_| {}), ClientCert::self_signed(|_| {}));
    let with_x5c = |certificate: &ClientCert| {
        let mut jwk = certificate.jwk();
        jwk["x5c"] = json!([certificate.header().trim_matches(':')]);
        json!({ "keys": [jwk] })
    };
    receiver.serve("/keys", &with_x5c(&first));
    let uri = receiver.url("/keys");
    let client = app
        .machine_client_with(|settings| {
            settings.token_endpoint_auth_method = ClientAuthMethod::SelfSignedTlsClientAuth;
            settings.jwks_uri = Some(uri);
        })
        .await;
    for _ in 0..2 {
        assert_eq!(token(&app, &client, &first.header()).await.status, 200);
    }
    assert_eq!(receiver.next().await.path, "/keys");
    receiver.assert_nothing_more();
    receiver.serve("/keys", &with_x5c(&second));
    // At most every 30 seconds, so that strangers' certificates make no load.
    assert_refused(&token(&app, &client, &second.header()).await);
    receiver.assert_nothing_more();
    app.pass_seconds(30);
    assert_eq!(token(&app, &client, &second.header()).await.status, 200);
    assert_refused(&token(&app, &client, &first.header()).await);
}

#[tokio::test]
async fn a_certificate_is_one_mechanism_and_only_that_of_who_registered_it() {
    let authority = Authority::new();
    let app = behind_proxy(&authority).await;
    let good = authority.issue(|_| {});
    let client = shop(&app).await;
    // Beside another mechanism it is not the registered method that is used.
    let with_secret = client.sign(app.post("/token"), &[GRANT[0], ("client_secret", "guess")]);
    assert_refused(&with_secret.header("client-cert", &good.header()).send().await);
    let by_secret = app.machine_client().await;
    let bare = app.post("/token").form(&[GRANT[0], ("client_id", &by_secret.id)]);
    assert_refused(&bare.header("client-cert", &good.header()).send().await);
    // Who authenticates otherwise may show one.
    assert_eq!(token(&app, &by_secret, &good.header()).await.status, 200);
    let signing = app.signing_client(ClientKey::generate("ES256")).await;
    assert_eq!(token(&app, &signing, &good.header()).await.status, 200);
    app.change_client(&client, |client| client.enabled = false).await;
    assert_refused(&token(&app, &client, &good.header()).await);
}

#[tokio::test]
async fn every_endpoint_that_authenticates_clients_takes_a_certificate() {
    let authority = Authority::new();
    let app = behind_proxy(&authority).await;
    let client = app
        .web_client_with(|settings| {
            settings.token_endpoint_auth_method = ClientAuthMethod::TlsClientAuth;
            settings.tls_client_auth_subject_dn = Some("CN=shop,O=Example".into());
        })
        .await;
    let good = authority.issue(|_| {}).header();
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let request = [
        ("response_type", "code"),
        ("redirect_uri", client.redirect_uri.as_str()),
        ("scope", "openid"),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    for (path, form, status) in
        [("/par", &request[..], 201), ("/introspect", &[("token", "x")], 200), ("/revoke", &[("token", "x")], 200)]
    {
        let call = || client.sign(app.post(path), form);
        assert_eq!(call().header("client-cert", &good).send().await.status, status, "{path}");
        call().send().await.assert_client_refused(path, "client authentication failed");
    }
}

#[tokio::test]
async fn each_proxy_is_read_in_its_own_header_and_no_other() {
    let authority = Authority::new();
    let good = authority.issue(|_| {});
    let escaped = utf8_percent_encode(&good.pem(), NON_ALPHANUMERIC).to_string();
    let forms = [
        (ClientCertificateHeader::ClientCert, "client-cert", good.header()),
        (ClientCertificateHeader::Nginx, "x-ssl-client-cert", escaped.clone()),
        (ClientCertificateHeader::Envoy, "x-forwarded-client-cert", format!("Hash=ab;Cert=\"{escaped}\"")),
        (ClientCertificateHeader::Traefik, "x-forwarded-tls-client-cert", good.header().trim_matches(':').to_owned()),
    ];
    for (mode, _, _) in &forms {
        let app = behind(&authority, "127.0.0.0/8", *mode).await;
        let client = shop(&app).await;
        for (other, name, value) in &forms {
            let answer = client.sign(app.post("/token"), &GRANT).header(name, value).send().await;
            assert_eq!(answer.status, if mode == other { 200 } else { 400 }, "{mode:?} {name}");
        }
    }
}

#[tokio::test]
async fn a_header_of_anybody_but_a_trusted_proxy_is_as_if_it_were_not_there() {
    let authority = Authority::new();
    let app = behind(&authority, "10.0.0.0/8", ClientCertificateHeader::ClientCert).await;
    let client = shop(&app).await;
    assert_refused(&token(&app, &client, &authority.issue(|_| {}).header()).await);
    // Not even refused for what it says.
    let by_secret = app.machine_client().await;
    assert_eq!(token(&app, &by_secret, "nonsense").await.status, 200);
    let none = behind(&authority, "127.0.0.0/8", ClientCertificateHeader::None).await;
    let client = shop(&none).await;
    assert_refused(&token(&none, &client, &authority.issue(|_| {}).header()).await);
}

#[tokio::test]
async fn a_header_that_is_repeated_or_cannot_be_read_is_refused() {
    let authority = Authority::new();
    let app = behind_proxy(&authority).await;
    let client = shop(&app).await;
    let good = authority.issue(|_| {}).header();
    let twice = client.sign(app.post("/token"), &GRANT).header("client-cert", &good).header("client-cert", &good);
    let twice = twice.send().await;
    twice.assert_error(400, "invalid_request", "the header of the client certificate is there more than once");
    for wrong in [":AAAA:", "nonsense", &format!("{good}, {good}"), &format!("{good};a=1")] {
        let answer = token(&app, &client, wrong).await;
        answer.assert_error(400, "invalid_request", "the client certificate cannot be read");
    }
    assert_refused(&token(&app, &client, "").await);
    // The chain is a list, which may be in several lines.
    let with_chain = |lines: [&'static str; 2]| {
        let call = client.sign(app.post("/token"), &GRANT).header("client-cert", &good);
        lines.into_iter().fold(call, |call, line| call.header("client-cert-chain", line)).send()
    };
    assert_eq!(with_chain([":AAAA:", ":AAAA:"]).await.status, 200);
    let answer = with_chain([":AAAA:", "nonsense"]).await;
    answer.assert_error(400, "invalid_request", "the client certificate cannot be read");
}

#[tokio::test]
async fn an_authority_between_is_believed_if_the_proxy_passes_it_on() {
    let authority = Authority::new();
    let app = behind_proxy(&authority).await;
    let client = shop(&app).await;
    let between = authority.issue_authority();
    let own = between.issue(|_| {});
    assert_refused(&token(&app, &client, &own.header()).await);
    let call = client.sign(app.post("/token"), &GRANT).header("client-cert", &own.header());
    assert_eq!(call.header("client-cert-chain", &byte_sequence(&between.der())).send().await.status, 200);
}

/// A client of people that signs its requests, and whose tokens are bound to a certificate.
async fn bound_client(app: &TestApp) -> TestClient {
    let bound = |settings: &mut ClientSettings| settings.tls_client_certificate_bound_access_tokens = true;
    app.signing_web_client_with(ClientKey::generate("ES256"), bound).await
}

async fn bound_tokens(app: &TestApp, client: &TestClient, certificate: &str) -> Answer {
    let (request, alice) = (Authorization::of(client).with("scope", "openid offline_access"), app.alice().await);
    let code = app.code(&mut app.browser(), &request, &alice).await;
    let redemption = app.redemption(&request, &code);
    // Not shown, none is given, and the code is still good.
    let answer = app.token(client, &redemption).await;
    answer.assert_error(400, "invalid_request", NOT_SHOWN);
    client.sign(app.post("/token"), &redemption).header("client-cert", certificate).send().await
}

const NOT_SHOWN: &str = "the tokens of the client are bound to a certificate: a valid one must be shown";

#[tokio::test]
async fn rfc_8705_section_3_a_bound_token_is_of_use_with_its_certificate_alone() {
    let app = behind_proxy(&Authority::new()).await;
    let client = bound_client(&app).await;
    let (own, other) = (ClientCert::self_signed(|_| {}), ClientCert::self_signed(|_| {}));
    let tokens = bound_tokens(&app, &client, &own.header()).await.json();
    assert_eq!(tokens["token_type"], "Bearer");
    let access = tokens["access_token"].as_str().unwrap();
    let cnf = json!({"x5t#S256": own.thumbprint()});
    assert_eq!(jwt::read(access).claims["cnf"], cnf);
    assert_eq!(app.introspect(&client, access).await.json()["cnf"], cnf);
    let userinfo = |certificate: Option<String>| {
        let call = app.get("/userinfo").bearer(access);
        certificate.into_iter().fold(call, |call, certificate| call.header("client-cert", &certificate)).send()
    };
    assert_eq!(userinfo(Some(own.header())).await.status, 200);
    for wrong in [None, Some(other.header())] {
        let refusal = "the access token is bound to a certificate that was not shown";
        userinfo(wrong).await.assert_bearer_error(401, "invalid_token", refusal);
    }
    // A new certificate goes on with the same refresh token, and what it gets is bound to that one.
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    app.token(&client, &refresh).await.assert_error(400, "invalid_request", NOT_SHOWN);
    let rotated = client.sign(app.post("/token"), &refresh).header("client-cert", &other.header()).send().await.json();
    let cnf = &jwt::read(rotated["access_token"].as_str().unwrap()).claims["cnf"];
    assert_eq!(*cnf, json!({"x5t#S256": other.thumbprint()}));
}

#[tokio::test]
async fn rfc_8705_section_4_the_refresh_token_of_a_public_client_is_bound_to_its_certificate() {
    const OTHER: &str = "the refresh token is bound to another key or certificate";
    let app = behind_proxy(&Authority::new()).await;
    let client = app.public_client_with(|settings| settings.tls_client_certificate_bound_access_tokens = true).await;
    let (own, other) = (ClientCert::self_signed(|_| {}), ClientCert::self_signed(|_| {}));
    let first = Tokens { body: bound_tokens(&app, &client, &own.header()).await.json() };
    let refresh = async |tokens: &Tokens, certificate: &ClientCert| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
        client.sign(app.post("/token"), &form).header("client-cert", &certificate.header()).send().await
    };
    app.refresh(&client, first.refresh()).await.assert_error(400, "invalid_request", NOT_SHOWN);
    refresh(&first, &other).await.assert_error(400, "invalid_grant", OTHER);
    let second = Tokens { body: refresh(&first, &own).await.json() };
    assert_eq!(second.access_claims(&app).await["cnf"], json!({"x5t#S256": own.thumbprint()}));
    // Whoever lacks the certificate cannot end the family with an old token.
    app.pass_seconds(60);
    refresh(&first, &other).await.assert_error(400, "invalid_grant", OTHER);
    let third = Tokens { body: refresh(&second, &own).await.json() };
    // Nor is a token set free by a change of the registration.
    app.change_client(&client, |client| client.settings.tls_client_certificate_bound_access_tokens = false).await;
    app.refresh(&client, third.refresh()).await.assert_error(400, "invalid_grant", OTHER);
}

#[tokio::test]
async fn the_sample_resource_and_the_admin_api_take_a_bound_token_with_its_certificate() {
    let app = TestApp::with_config(|config| {
        config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
        config.mtls.header = ClientCertificateHeader::ClientCert;
        config.oidc.sample_resource = true;
    })
    .await;
    let (own, other) = (ClientCert::self_signed(|_| {}), ClientCert::self_signed(|_| {}));
    let tokens = Tokens { body: bound_tokens(&app, &bound_client(&app).await, &own.header()).await.json() };
    let resource = ResourceUri::new(app.admin_resource());
    let machine = app
        .machine_client_with(|settings| {
            settings.resources = vec![resource];
            settings.scopes = vec!["admin:clients".into()];
            settings.tls_client_certificate_bound_access_tokens = true;
        })
        .await;
    let form = [GRANT[0], ("resource", &app.admin_resource()), ("scope", "admin:clients")];
    let call = machine.sign(app.post("/token"), &form).header("client-cert", &own.header());
    let of_machine = Tokens { body: call.send().await.json() };
    for (path, token) in [("/resource", tokens.access()), ("/admin/clients", of_machine.access())] {
        let status = async |certificate: Option<&ClientCert>| {
            let call = app.get(path).bearer(token);
            let call = match certificate {
                Some(certificate) => call.header("client-cert", &certificate.header()),
                None => call,
            };
            call.send().await.status
        };
        assert_eq!(status(Some(&own)).await, 200, "{path}");
        assert_eq!((status(Some(&other)).await, status(None).await), (401, 401), "{path}");
    }
    let refusal = "the access token is bound to a certificate that was not shown";
    app.get("/resource").bearer(tokens.access()).send().await.assert_bearer_error(401, "invalid_token", refusal);
}

#[tokio::test]
async fn a_proof_may_be_for_the_alias_of_an_endpoint() {
    let app = TestApp::with_config(|config| {
        config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
        config.mtls.header = ClientCertificateHeader::ClientCert;
        config.mtls.alias_base_url = Some("https://mtls.login.example".into());
        config.oidc.sample_resource = true;
    })
    .await;
    let (client, key) = (app.web_client().await, ClientKey::generate("ES256"));
    let request = Authorization::of(&client);
    let code = app.code(&mut app.browser(), &request, &app.alice().await).await;
    let at = |path: &str| format!("https://mtls.login.example{path}");
    let proof = key.proof(&app, "POST", "/token", json!({ "htu": at("/token") }));
    let answer = app.proven_token(&client, &app.redemption(&request, &code), &proof).await;
    let tokens = Tokens { body: answer.json() };
    let status = async |htu: String| {
        let claims = json!({ "htu": htu, "ath": ath(tokens.access()) });
        let proof = key.proof(&app, "GET", "/resource", claims);
        app.get("/resource").dpop(tokens.access(), &proof).send().await.status
    };
    assert_eq!(status(at("/resource")).await, 200);
    assert_eq!((status(at("/userinfo")).await, status("https://other.example/resource".into()).await), (401, 401));
}

/// A client of people that shows a certificate of `authority`, as FAPI 2.0 wants it.
async fn fapi_client(app: &TestApp, change: impl FnOnce(&mut ClientSettings)) -> TestClient {
    app.web_client_with(|settings| {
        settings.token_endpoint_auth_method = ClientAuthMethod::TlsClientAuth;
        settings.tls_client_auth_subject_dn = Some("CN=shop,O=Example".into());
        settings.profile = Profile::Fapi2Security;
        settings.id_token_signed_response_alg = SigningAlg::PS256;
        settings.authorization_signed_response_alg = SigningAlg::PS256;
        change(settings);
    })
    .await
}

/// A code of a request that `client` pushed with its certificate, and the form that redeems it.
async fn pushed_code(app: &TestApp, client: &TestClient, certificate: &str) -> (Authorization, String) {
    let request = Authorization::of(client);
    let unsigned = request.clone().without("client_id");
    let pushed = client.sign(app.post("/par"), &unsigned.parameters()).header("client-cert", certificate).send().await;
    assert_eq!(pushed.status, 201, "{pushed:?}");
    let uri = serde_json::from_str::<serde_json::Value>(&pushed.body).unwrap()["request_uri"].clone();
    let request = request.pushed_as(uri.as_str().unwrap());
    let code = app.code(&mut app.browser(), &request, &app.alice().await).await;
    (request, code)
}

#[tokio::test]
async fn fapi_2_a_certificate_may_bind_the_tokens_instead_of_a_key() {
    let authority = Authority::new();
    let app = behind_proxy(&authority).await;
    let own = authority.issue(|_| {});
    let client = fapi_client(&app, |settings| settings.tls_client_certificate_bound_access_tokens = true).await;
    let (request, code) = pushed_code(&app, &client, &own.header()).await;
    let form = app.redemption(&request, &code);
    assert_refused(&app.token(&client, &form).await);
    let call = client.sign(app.post("/token"), &form).header("client-cert", &own.header());
    let tokens = Tokens { body: call.send().await.json() };
    assert_eq!(tokens.body["token_type"], "Bearer");
    assert_eq!(tokens.access_claims(&app).await["cnf"], json!({"x5t#S256": own.thumbprint()}));
}

#[tokio::test]
async fn fapi_2_who_authenticates_with_a_certificate_and_binds_to_a_key_binds_to_the_key_alone() {
    let authority = Authority::new();
    let app = behind_proxy(&authority).await;
    let (own, key) = (authority.issue(|_| {}), ClientKey::generate("ES256"));
    let client = fapi_client(&app, |settings| settings.dpop_bound_access_tokens = true).await;
    let (request, code) = pushed_code(&app, &client, &own.header()).await;
    let form = app.redemption(&request, &code);
    let call = || client.sign(app.post("/token"), &form).header("client-cert", &own.header());
    let needed = "the tokens of the client are bound to a key: a DPoP proof is required";
    call().send().await.assert_error(400, "invalid_dpop_proof", needed);
    let proof = key.proof(&app, "POST", "/token", json!({}));
    let tokens = Tokens { body: call().header("dpop", &proof).send().await.json() };
    assert_eq!(tokens.body["token_type"], "DPoP");
    assert_eq!(tokens.access_claims(&app).await["cnf"], json!({"jkt": key.thumbprint()}));
    // So the certificate is not needed with the token.
    assert_eq!(app.get_with_key("/userinfo", tokens.access(), &key).await.status, 200);
}

#[tokio::test]
async fn opaque_and_machine_tokens_are_bound_too_and_those_of_others_are_not() {
    let authority = Authority::new();
    let app = behind_proxy(&authority).await;
    let good = authority.issue(|_| {});
    let bound = named_client(&app, |settings| {
        settings.tls_client_auth_subject_dn = Some("CN=shop,O=Example".into());
        settings.tls_client_certificate_bound_access_tokens = true;
        settings.access_token_format = AccessTokenFormat::Opaque;
    })
    .await;
    let introspected = async |client: &TestClient| {
        let tokens = token(&app, client, &good.header()).await.json();
        let call = client.sign(app.post("/introspect"), &[("token", tokens["access_token"].as_str().unwrap())]);
        call.header("client-cert", &good.header()).send().await.json()
    };
    assert_eq!(introspected(&bound).await["cnf"], json!({"x5t#S256": good.thumbprint()}));
    // To say who one is with a certificate does not bind anything by itself.
    assert_eq!(introspected(&shop(&app).await).await.get("cnf"), None);
}

#[tokio::test]
async fn a_certificate_out_of_its_time_binds_nothing() {
    let app = behind_proxy(&Authority::new()).await;
    let bound = |settings: &mut ClientSettings| settings.tls_client_certificate_bound_access_tokens = true;
    let client = app.signing_client_with(ClientKey::generate("ES256"), bound).await;
    let ended = ClientCert::self_signed(|params| ends_at(params, app.now() - chrono::TimeDelta::seconds(1)));
    token(&app, &client, &ended.header()).await.assert_error(400, "invalid_request", NOT_SHOWN);
    assert_eq!(token(&app, &client, &ClientCert::self_signed(|_| {}).header()).await.status, 200);
}

#[tokio::test]
async fn an_assertion_may_name_the_alias_that_was_called() {
    let app = TestApp::with_config(|config| {
        config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
        config.mtls.header = ClientCertificateHeader::ClientCert;
        config.mtls.alias_base_url = Some("https://mtls.login.example".into());
    })
    .await;
    let client = app.signing_client(ClientKey::generate("ES256")).await;
    let present = async |aud: &str| {
        let assertion = client.assertion(json!({ "aud": aud }));
        let form = [GRANT[0], ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)];
        app.post("/token").form(&form).send().await.status
    };
    assert_eq!(present("https://mtls.login.example/token").await, 200);
    assert_eq!(present("https://mtls.login.example/userinfo").await, 400);
    assert_eq!(present("https://mtls.login.example").await, 400);
}
