//! The contract of the metadata (OpenID Connect Discovery section 3, RFC 8414 section 2): whatever a member says works from end to end,
//! and what it does not say is refused. A member without a row fails.

use std::fs;
use std::path::Path;

use ostiary::config::{ClientCertificateHeader, RegistrationMode};
use ostiary::model::client::ClientAuthMethod;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Authority, Authorization, ClientKey, DecryptionKey, Page, TestApp, TestClient, copied_directory, jwt,
};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const CALLBACK: &str = "https://album.example/callback";

const HERE: &str = "metadata_contract";
const SIGNS: &[&str] = &["each_listed_alg_can_be_registered_and_no_other", "each_listed_alg_signs"];
const ENCRYPTS: &[&str] = &["each_listed_alg_can_be_registered_and_no_other"];
const AUTHENTICATES: &[&str] = &["each_listed_way_to_authenticate_works_where_it_is_listed_and_no_other"];
const REQUESTS: &[&str] = &["each_listed_value_of_a_request_is_taken_and_no_other"];

/// Each member, and the tests that try what it says.
const ROWS: &[(&str, &str, &[&str])] = &[
    ("issuer", "discovery", &["the_issuer_is_the_prefix_of_the_discovery_url_without_query_or_fragment"]),
    ("authorization_endpoint", HERE, &["each_endpoint_is_where_it_is_said_to_be"]),
    ("token_endpoint", HERE, &["each_endpoint_is_where_it_is_said_to_be"]),
    ("userinfo_endpoint", HERE, &["each_endpoint_is_where_it_is_said_to_be"]),
    ("jwks_uri", HERE, &["each_endpoint_is_where_it_is_said_to_be"]),
    ("registration_endpoint", HERE, &["each_endpoint_is_where_it_is_said_to_be"]),
    ("introspection_endpoint", HERE, &["each_endpoint_is_where_it_is_said_to_be"]),
    ("revocation_endpoint", HERE, &["each_endpoint_is_where_it_is_said_to_be"]),
    ("end_session_endpoint", HERE, &["each_endpoint_is_where_it_is_said_to_be"]),
    ("pushed_authorization_request_endpoint", HERE, &["each_endpoint_is_where_it_is_said_to_be"]),
    ("device_authorization_endpoint", HERE, &["each_endpoint_is_where_it_is_said_to_be"]),
    (
        "backchannel_authentication_endpoint",
        "ciba",
        &[
            "section_7_3_a_client_is_told_a_name_for_its_request",
            "a_person_allows_and_the_client_gets_tokens_like_any_client",
        ],
    ),
    (
        "backchannel_token_delivery_modes_supported",
        "ciba",
        &["section_4_a_client_that_registers_itself_says_how_it_learns_of_decisions"],
    ),
    ("backchannel_user_code_parameter_supported", "ciba", &["the_api_and_the_metadata_know_the_grant"]),
    (
        "mtls_endpoint_aliases",
        "mtls",
        &["a_proof_may_be_for_the_alias_of_an_endpoint", "an_assertion_may_name_the_alias_that_was_called"],
    ),
    (
        "client_id_metadata_document_supported",
        "client_documents",
        &[
            "a_client_that_nobody_registered_is_taken_by_its_document",
            "without_the_switch_nothing_is_called_and_nothing_is_said_of_it",
        ],
    ),
    ("require_pushed_authorization_requests", "par", &["where_pushing_is_required_nothing_else_will_do"]),
    (
        "tls_client_certificate_bound_access_tokens",
        "mtls",
        &["rfc_8705_section_3_a_bound_token_is_of_use_with_its_certificate_alone"],
    ),
    ("scopes_supported", HERE, REQUESTS),
    ("response_types_supported", HERE, REQUESTS),
    ("response_modes_supported", HERE, REQUESTS),
    ("grant_types_supported", HERE, &["each_listed_grant_is_known_at_the_token_endpoint_and_no_other"]),
    ("acr_values_supported", HERE, REQUESTS),
    ("subject_types_supported", HERE, &["each_listed_alg_can_be_registered_and_no_other"]),
    ("id_token_signing_alg_values_supported", HERE, SIGNS),
    ("id_token_encryption_alg_values_supported", HERE, ENCRYPTS),
    ("id_token_encryption_enc_values_supported", HERE, ENCRYPTS),
    ("authorization_signing_alg_values_supported", HERE, SIGNS),
    ("authorization_encryption_alg_values_supported", HERE, ENCRYPTS),
    ("authorization_encryption_enc_values_supported", HERE, ENCRYPTS),
    ("userinfo_signing_alg_values_supported", HERE, SIGNS),
    ("userinfo_encryption_alg_values_supported", HERE, ENCRYPTS),
    ("userinfo_encryption_enc_values_supported", HERE, ENCRYPTS),
    ("introspection_signing_alg_values_supported", HERE, SIGNS),
    ("introspection_encryption_alg_values_supported", HERE, ENCRYPTS),
    ("introspection_encryption_enc_values_supported", HERE, ENCRYPTS),
    ("token_endpoint_auth_methods_supported", HERE, AUTHENTICATES),
    ("token_endpoint_auth_signing_alg_values_supported", HERE, AUTHENTICATES),
    ("introspection_endpoint_auth_methods_supported", HERE, AUTHENTICATES),
    ("introspection_endpoint_auth_signing_alg_values_supported", HERE, AUTHENTICATES),
    ("revocation_endpoint_auth_methods_supported", HERE, AUTHENTICATES),
    ("revocation_endpoint_auth_signing_alg_values_supported", HERE, AUTHENTICATES),
    ("display_values_supported", "authorize", &["display_page_and_popup_are_tolerated"]),
    ("claim_types_supported", HERE, &["each_listed_claim_is_told"]),
    ("claims_supported", HERE, &["each_listed_claim_is_told"]),
    ("ui_locales_supported", HERE, REQUESTS),
    ("claims_parameter_supported", "userinfo", &["the_claims_parameter_is_honoured_at_userinfo_and_in_the_id_token"]),
    ("request_parameter_supported", "jar", &["a_signed_request_comes_through_the_browser_too"]),
    (
        "request_uri_parameter_supported",
        "jar",
        &["a_request_object_at_an_address_is_fetched_if_the_operator_and_the_registration_allow_it"],
    ),
    (
        "require_request_uri_registration",
        "jar",
        &["a_request_object_at_an_address_is_fetched_if_the_operator_and_the_registration_allow_it"],
    ),
    (
        "request_object_signing_alg_values_supported",
        "jar",
        &["a_signed_request_is_pushed_with_each_algorithm", "a_client_keeps_to_its_algorithm"],
    ),
    (
        "request_object_encryption_alg_values_supported",
        "jar_encrypted",
        &[
            "what_is_signed_and_encrypted_is_pushed_and_comes_through_the_browser",
            "a_client_says_how_it_will_encrypt_its_requests",
        ],
    ),
    (
        "request_object_encryption_enc_values_supported",
        "jar_encrypted",
        &["what_is_signed_and_encrypted_is_pushed_and_comes_through_the_browser"],
    ),
    ("code_challenge_methods_supported", HERE, REQUESTS),
    ("dpop_signing_alg_values_supported", HERE, &["each_listed_alg_of_a_proof_is_taken_and_no_other"]),
    ("prompt_values_supported", HERE, REQUESTS),
    ("authorization_response_iss_parameter_supported", "authorize", &["success_has_exactly_code_state_and_iss"]),
    ("backchannel_logout_supported", "backchannel_logout", &["rp_initiated_logout_posts_a_logout_token_and_redirects"]),
    (
        "backchannel_logout_session_supported",
        "backchannel_logout",
        &["rp_initiated_logout_posts_a_logout_token_and_redirects"],
    ),
    (
        "frontchannel_logout_supported",
        "frontchannel_logout",
        &["the_logged_out_page_loads_the_clients_address_with_iss_and_sid"],
    ),
    (
        "frontchannel_logout_session_supported",
        "frontchannel_logout",
        &["the_logged_out_page_loads_the_clients_address_with_iss_and_sid"],
    ),
    (
        "authorization_details_types_supported",
        "authorization_details",
        &[
            "section_10_the_metadata_names_the_types_but_not_those_of_restricted_resources",
            "sections_7_and_9_what_was_granted_is_in_the_response_the_token_and_the_introspection",
            "section_5_what_is_malformed_unknown_or_not_for_the_client_is_invalid_authorization_details",
        ],
    ),
    ("protected_resources", HERE, REQUESTS),
];

/// Algorithms that there are (RFC 7518 sections 3.1, 4.1 and 5.1), and some that there are not.
const SIGNING_ALGS: [&str; 14] = [
    "none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    "rs256",
];
const KEY_ALGS: [&str; 12] = [
    "RSA1_5",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "RSA-OAEP-512",
    "A128KW",
    "A256KW",
    "dir",
    "ECDH-ES",
    "ECDH-ES+A128KW",
    "ECDH-ES+A192KW",
    "ECDH-ES+A256KW",
    "PBES2-HS256+A128KW",
];
const CONTENT_ALGS: [&str; 7] =
    ["A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM", "XC20P"];

async fn start() -> TestApp {
    TestApp::with_config(|config| {
        config.registration.mode = RegistrationMode::Open;
        config.registration.per_network = 10_000;
        config.registration.token_endpoint_auth_methods.retain(|method| !method.has_certificate());
    })
    .await
}

async fn metadata(app: &TestApp) -> Value {
    app.get(DISCOVERY).send().await.json()
}

#[track_caller]
fn listed(metadata: &Value, member: &str) -> Vec<String> {
    let values = metadata[member].as_array().unwrap_or_else(|| panic!("{member} is a list: {metadata}"));
    values.iter().map(|value| value.as_str().expect("a text").to_owned()).collect()
}

async fn register(app: &TestApp, more: Value) -> Answer {
    let mut said = json!({"redirect_uris": [CALLBACK]});
    said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.post("/register").json(&said).send().await
}

/// A client that registered itself, with what it was told.
async fn registered(app: &TestApp, method: ClientAuthMethod, more: Value) -> TestClient {
    let mut more = more;
    more["token_endpoint_auth_method"] = json!(method.as_str());
    let made = register(app, more).await.document(201);
    let client = app.known_client(made["client_id"].as_str().unwrap(), method, CALLBACK);
    made["client_secret"].as_str().map_or(client.clone(), |secret| client.with_secret(secret))
}

#[track_caller]
fn refused(answer: &Answer, member: &str, value: &str) {
    let body = answer.document(400);
    let said = body["error_description"].as_str().unwrap();
    assert!(body["error"] == "invalid_client_metadata" && said.contains(&format!("/{member}: ")), "{value}: {body}");
}

#[tokio::test]
async fn every_member_has_a_row_and_every_row_a_member_and_tests() {
    let (keys, authority) = (copied_directory(), Authority::new());
    let app = TestApp::with_config(|config| {
        config.keys.directory = keys.path().to_owned();
        config.registration.mode = RegistrationMode::Open;
        config.client_documents.enabled = true;
        config.oidc.request_uri = true;
        config.server.trusted_proxy_cidrs = vec!["127.0.0.0/8".parse().unwrap()];
        config.mtls.header = ClientCertificateHeader::ClientCert;
        config.mtls.client_ca_file = Some(authority.file());
        config.mtls.alias_base_url = Some("https://mtls.login.example".into());
    })
    .await;
    let admin = app.admin(&["admin:keys", "admin:clients"]).await;
    let key = json!({"keys": [{"alg": "ECDH-ES", "purpose": "encryption"}]});
    let key = admin.post("/admin/keys", &key).await.document(200)["keys"][0]["kid"].as_str().unwrap().to_owned();
    admin.post(&format!("/admin/keys/{key}/activate"), &json!({"force": true})).await.document(200);
    let details = json!({"type": "payment", "schema": {"type": "object", "additionalProperties": false, "properties": {}},
        "name": {"en": "Payment"}});
    admin.post("/admin/authorization-details-types", &details).await.document(201);
    let metadata = metadata(&app).await;
    let members: Vec<&String> = metadata.as_object().unwrap().keys().collect();
    for member in &members {
        assert!(ROWS.iter().any(|(name, ..)| name == member), "{member} has no row: who tries what it says?");
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for (member, file, names) in ROWS {
        assert!(members.iter().any(|name| name == member), "{member} is in no metadata");
        let source = fs::read_to_string(tests.join(format!("{file}.rs"))).expect(file);
        assert!(!names.is_empty(), "{member}");
        for name in *names {
            let function = format!("#[tokio::test]\nasync fn {name}()");
            assert!(source.contains(&function), "there is no test {file}::{name} for {member}");
        }
    }
}

#[tokio::test]
async fn each_endpoint_is_where_it_is_said_to_be() {
    let app = start().await;
    let metadata = metadata(&app).await;
    for (member, status, code) in [
        ("token_endpoint", 400, "invalid_request"),
        ("introspection_endpoint", 401, "invalid_client"),
        ("revocation_endpoint", 400, "invalid_request"),
        ("pushed_authorization_request_endpoint", 400, "invalid_request"),
        ("device_authorization_endpoint", 400, "invalid_request"),
        ("registration_endpoint", 400, "invalid_client_metadata"),
    ] {
        let path = metadata[member].as_str().expect(member).strip_prefix(app.issuer()).expect(member);
        let answer = app.post_form(path, &[]).await;
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let is_known = answer.status == status && body["error"] == code;
        let is_anonymous = [400, 401].contains(&answer.status) && body["error"] == "invalid_client";
        assert!(is_known || is_anonymous, "{member}: {answer:?}");
    }
    for (member, status) in
        [("authorization_endpoint", 400), ("userinfo_endpoint", 401), ("jwks_uri", 200), ("end_session_endpoint", 200)]
    {
        let path = metadata[member].as_str().expect(member).strip_prefix(app.issuer()).expect(member);
        assert_eq!(app.get(path).send().await.status, status, "{member}");
    }
    let closed = TestApp::start().await;
    assert_eq!(closed.post("/register").json(&json!({})).send().await.status, 404);
}

#[tokio::test]
async fn each_listed_alg_can_be_registered_and_no_other() {
    let app = start().await;
    let metadata = metadata(&app).await;
    let (rsa, p256) = (DecryptionKey::generate("RSA-OAEP").jwk(), DecryptionKey::generate("ECDH-ES").jwk());
    let keys = json!({"keys": [rsa, p256]});
    let of_kind = |kind: &str| {
        let registered = if kind == "request_object" { kind.to_owned() } else { format!("{kind}_encrypted_response") };
        let separator = if kind == "request_object" { "_encryption" } else { "" };
        (format!("{registered}{separator}_alg"), format!("{registered}{separator}_enc"))
    };
    for kind in ["id_token", "authorization", "userinfo", "introspection"] {
        let (alg_member, enc_member) = of_kind(kind);
        let algs = listed(&metadata, &format!("{kind}_encryption_alg_values_supported"));
        let encs = listed(&metadata, &format!("{kind}_encryption_enc_values_supported"));
        for alg in KEY_ALGS {
            let answer = register(&app, json!({"jwks": keys, alg_member.as_str(): alg})).await;
            if algs.iter().any(|listed| listed == alg) {
                assert_eq!(answer.document(201)[&alg_member], alg);
            } else {
                refused(&answer, &alg_member, alg);
            }
        }
        for enc in CONTENT_ALGS {
            let said = json!({"jwks": keys, alg_member.as_str(): "ECDH-ES", enc_member.as_str(): enc});
            let answer = register(&app, said).await;
            if encs.iter().any(|listed| listed == enc) {
                assert_eq!(answer.document(201)[&enc_member], enc);
            } else {
                refused(&answer, &enc_member, enc);
            }
        }
        assert!(algs.iter().all(|alg| KEY_ALGS.contains(&alg.as_str())), "{algs:?}");
        assert!(encs.iter().all(|enc| CONTENT_ALGS.contains(&enc.as_str())), "{encs:?}");
    }
    // Without a key of the server for it nothing is listed, and nothing is registered.
    assert_eq!(metadata.get("request_object_encryption_alg_values_supported"), None);
    let answer = register(&app, json!({"request_object_encryption_alg": "ECDH-ES"})).await;
    refused(&answer, "request_object_encryption_alg", "ECDH-ES");
    for (list, member) in [
        ("id_token_signing_alg_values_supported", "id_token_signed_response_alg"),
        ("authorization_signing_alg_values_supported", "authorization_signed_response_alg"),
        ("userinfo_signing_alg_values_supported", "userinfo_signed_response_alg"),
        ("introspection_signing_alg_values_supported", "introspection_signed_response_alg"),
        ("token_endpoint_auth_signing_alg_values_supported", "token_endpoint_auth_signing_alg"),
        ("request_object_signing_alg_values_supported", "request_object_signing_alg"),
    ] {
        let algs = listed(&metadata, list);
        for alg in SIGNING_ALGS {
            let answer = register(&app, json!({ member: alg })).await;
            if algs.iter().any(|listed| listed == alg) {
                assert_eq!(answer.document(201)[member], alg);
            } else {
                refused(&answer, member, alg);
            }
        }
        assert!(algs.iter().all(|alg| SIGNING_ALGS.contains(&alg.as_str())), "{algs:?}");
    }
    let types = listed(&metadata, "subject_types_supported");
    for subject_type in ["public", "pairwise", "ephemeral", "Public"] {
        let answer = register(&app, json!({"subject_type": subject_type})).await;
        if types.iter().any(|listed| listed == subject_type) {
            assert_eq!(answer.document(201)["subject_type"], subject_type);
        } else {
            refused(&answer, "subject_type", subject_type);
        }
    }
}

#[tokio::test]
async fn each_listed_alg_signs() {
    let app = start().await;
    let (metadata, alice) = (metadata(&app).await, app.alice().await);
    let kinds = ["id_token", "authorization", "userinfo", "introspection"];
    for alg in listed(&metadata, "id_token_signing_alg_values_supported") {
        let mut said = json!({});
        for kind in kinds {
            let list = listed(&metadata, &format!("{kind}_signing_alg_values_supported"));
            assert!(list.contains(&alg), "{kind} {alg}");
            said[format!("{kind}_signed_response_alg")] = json!(alg);
        }
        let client = registered(&app, ClientAuthMethod::ClientSecretBasic, said).await;
        let request = Authorization::of(&client).with("response_mode", "jwt");
        let page = app.browser().authorize(&request, &alice).await;
        let response = jwt::verify(&app, &page.returned_to(CALLBACK)["response"]).await;
        let form = app.redemption(&request, response.claims["code"].as_str().unwrap());
        let tokens = app.token(&client, &form).await.json();
        let access = tokens["access_token"].as_str().unwrap();
        let userinfo = app.userinfo(access).await.body;
        let asked = client.sign(app.post("/introspect"), &[("token", access)]);
        let introspection = asked.header("accept", "application/token-introspection+jwt").send().await.body;
        assert_eq!(response.header["alg"], alg);
        for signed in [tokens["id_token"].as_str().unwrap(), userinfo.as_str(), introspection.as_str()] {
            assert_eq!(jwt::verify(&app, signed).await.header["alg"], alg);
        }
    }
}

#[tokio::test]
async fn each_listed_way_to_authenticate_works_where_it_is_listed_and_no_other() {
    let app = start().await;
    let metadata = metadata(&app).await;
    let of_today = [("token", "/token"), ("introspection", "/introspect"), ("revocation", "/revoke")];
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("token", "x")];
    let is_known = |answer: &Answer| !answer.body.contains("invalid_client");
    let algs_of = |endpoint: &str| listed(&metadata, &format!("{endpoint}_endpoint_auth_signing_alg_values_supported"));
    for (endpoint, path) in of_today {
        let methods = listed(&metadata, &format!("{endpoint}_endpoint_auth_methods_supported"));
        for method in ClientAuthMethod::ALL.into_iter().filter(|method| !method.has_certificate()) {
            let more = json!({"grant_types": ["authorization_code", "refresh_token"]});
            let is_listed = methods.iter().any(|listed| listed == method.as_str());
            if method == ClientAuthMethod::PrivateKeyJwt {
                assert!(is_listed, "{endpoint}");
                for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
                    assert!(algs_of(endpoint).iter().any(|listed| listed == alg), "{endpoint} {alg}");
                    let (key, mut more) = (ClientKey::generate(alg), more.clone());
                    more["jwks"] = key.jwks();
                    let client = registered(&app, method, more).await.with_key(key);
                    let answer = app.call_as(&client, path, &form).await;
                    assert!(is_known(&answer), "{endpoint} {alg}: {answer:?}");
                    let header = json!({"alg": "RS512", "kid": client.key.as_ref().unwrap().jwk()["kid"]});
                    let assertion =
                        client.key.as_ref().unwrap().sign_under(&header, &client.assertion_claims(json!({})));
                    let said = [
                        ("client_assertion_type", crate::harness::ASSERTION_TYPE),
                        ("client_assertion", assertion.as_str()),
                    ];
                    let answer = app.post_form(path, &[form.as_slice(), &said].concat()).await;
                    assert!(!is_known(&answer), "{endpoint} RS512: {answer:?}");
                }
                continue;
            }
            let client = registered(&app, method, more).await;
            let answer = app.call_as(&client, path, &form).await;
            assert_eq!(is_known(&answer), is_listed, "{endpoint} {}: {answer:?}", method.as_str());
            if method != ClientAuthMethod::None {
                let answer = app.call_as(&client.with_secret("wrong"), path, &form).await;
                assert!(!is_known(&answer), "{endpoint} {}: {answer:?}", method.as_str());
            }
        }
        assert_eq!(algs_of(endpoint).len(), 4, "each of them was tried");
    }
    for method in ["client_secret_jwt", "tls_client_auth", "attest_jwt_client_auth"] {
        let answer = register(&app, json!({"token_endpoint_auth_method": method})).await;
        refused(&answer, "token_endpoint_auth_method", method);
        for (endpoint, _) in of_today {
            let methods = listed(&metadata, &format!("{endpoint}_endpoint_auth_methods_supported"));
            assert!(!methods.iter().any(|listed| listed == method), "{methods:?}");
        }
    }
}

#[tokio::test]
async fn each_listed_grant_is_known_at_the_token_endpoint_and_no_other() {
    let app = start().await;
    let (metadata, client) = (metadata(&app).await, app.web_client().await);
    let grants = listed(&metadata, "grant_types_supported");
    let others =
        ["password", "implicit", "urn:ietf:params:oauth:grant-type:saml2-bearer", "Authorization_code", "none"];
    for grant in grants.iter().map(String::as_str).chain(others) {
        let answer = app.token(&client, &[("grant_type", grant)]).await;
        let is_known = !answer.body.contains("unsupported_grant_type");
        assert_eq!(is_known, grants.iter().any(|listed| listed == grant), "{grant}: {answer:?}");
    }
}

/// What the client is told of `request` by somebody who is not signed in, whichever way it is told.
fn told(page: &Page) -> String {
    format!("{} {}", page.url, page.answer.body)
}

#[tokio::test]
async fn each_listed_value_of_a_request_is_taken_and_no_other() {
    let app = start().await;
    let (metadata, client) = (metadata(&app).await, app.web_client().await);
    let request = || Authorization::of(&client);
    let open = async |request: Authorization| app.browser().open(&request.path()).await;
    let modes = listed(&metadata, "response_modes_supported");
    for mode in modes.iter().map(String::as_str).chain(["web_message", "code.jwt"]) {
        let said = told(&open(request().with("prompt", "none").with("response_mode", mode)).await);
        match modes.iter().any(|listed| listed == mode) {
            true if mode.ends_with("jwt") => assert!(said.contains("response") && !said.contains("error="), "{said}"),
            true => assert!(said.contains("login_required"), "{mode}: {said}"),
            false => assert!(said.contains("invalid_request"), "{mode}: {said}"),
        }
    }
    for (list, parameter, others, code) in [
        ("response_types_supported", "response_type", ["token", "code id_token"], "unsupported_response_type"),
        ("code_challenge_methods_supported", "code_challenge_method", ["plain", "S512"], "invalid_request"),
        ("scopes_supported", "scope", ["admin:clients", "no.such"], "invalid_scope"),
        ("protected_resources", "resource", ["https://no.example/", "urn:no"], "invalid_target"),
        ("prompt_values_supported", "prompt", ["create", "Login"], "invalid_request"),
    ] {
        let values = listed(&metadata, list);
        for value in values.iter().map(String::as_str).chain(others) {
            let page = open(request().with(parameter, value)).await;
            let is_refused = page.has_left && told(&page).contains(code);
            assert_eq!(is_refused, !values.iter().any(|listed| listed == value), "{parameter} {value}: {page:?}");
            let silent = parameter == "prompt" && value == "none";
            assert!(page.has_left || page.has("login-submit"), "{parameter} {value}: {page:?}");
            assert!(!page.has_left || is_refused || silent, "{parameter} {value}: {page:?}");
        }
    }
    let essential = |acr: &str| json!({"id_token": {"acr": {"essential": true, "value": acr}}}).to_string();
    for acr in listed(&metadata, "acr_values_supported") {
        open(request().with("claims", &essential(&acr))).await.assert_login();
    }
    let page = open(request().with("claims", &essential("urn:no"))).await;
    assert!(told(&page).contains("unmet_authentication_requirements"), "{page:?}");
    let locales = listed(&metadata, "ui_locales_supported");
    for locale in locales.iter().map(String::as_str).chain(["fr"]) {
        let shown = open(request().with("ui_locales", locale)).await.attributes("html", "lang");
        let expected = if locales.iter().any(|listed| listed == locale) { locale } else { "en" };
        assert_eq!(shown, [expected]);
    }
}

#[tokio::test]
async fn each_listed_alg_of_a_proof_is_taken_and_no_other() {
    let app = start().await;
    let (metadata, client) = (metadata(&app).await, app.machine_client().await);
    let algs = listed(&metadata, "dpop_signing_alg_values_supported");
    for alg in ["RS256", "PS256", "ES256", "EdDSA"] {
        let proof = ClientKey::generate(alg).proof(&app, "POST", "/token", json!({}));
        let answer = app.proven_token(&client, &[("grant_type", "client_credentials")], &proof).await;
        if algs.iter().any(|listed| listed == alg) {
            assert_eq!(answer.json()["token_type"], "DPoP", "{alg}");
        } else {
            assert_eq!(answer.document(400)["error"], "invalid_dpop_proof", "{alg}");
        }
    }
    assert_eq!(algs.len(), 3, "each of them was tried");
}

#[tokio::test]
async fn each_listed_claim_is_told() {
    let app = start().await;
    let (metadata, client, alice) = (metadata(&app).await, app.web_client().await, app.alice().await);
    let tokens = app.tokens(&client, &alice, "openid profile email address phone").await;
    let told = [tokens.id_claims(&app).await, app.userinfo(tokens.access()).await.json()];
    for claim in listed(&metadata, "claims_supported") {
        assert!(told.iter().any(|told| told.get(&claim).is_some()), "{claim}: {told:?}");
    }
    // Each of them itself: none is aggregated or distributed (OpenID Connect Core section 5.6).
    assert_eq!(listed(&metadata, "claim_types_supported"), ["normal"]);
    assert!(told.iter().all(|told| told.get("_claim_names").is_none() && told.get("_claim_sources").is_none()));
}
