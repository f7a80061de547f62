//! Dynamic client registration (RFC 7591, OpenID Connect Registration 1.0): `/register`.

use futures_util::future::join_all;
use http::Method;
use ostiary::config::{Config, OutboundPurpose, RegistrationMode};
use ostiary::model::encryption_alg::{ContentEncryption, EncryptionAlg};
use serde_json::{Value, json};

use crate::harness::{Admin, Answer, Authorization, DecryptionKey, Page, Receiver, TestApp, jwt};

fn open(config: &mut Config) {
    config.registration.mode = RegistrationMode::Open;
}

fn by_invitation(config: &mut Config) {
    config.registration.mode = RegistrationMode::InitialAccessToken;
}

/// Whatever a client of the certification says, with `more`.
fn album(more: Value) -> Value {
    let mut metadata = json!({"client_name": "Album", "redirect_uris": ["https://album.example/callback"]});
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    metadata
}

async fn register(app: &TestApp, metadata: &Value) -> Answer {
    app.post("/register").json(metadata).send().await
}

/// RFC 7591 section 3.2.2: 400, JSON, not stored; what it says is about the member.
#[track_caller]
fn refused(answer: &Answer, code: &str, member: &str) {
    let body = answer.document(400);
    assert_eq!(body["error"], code, "{body}");
    let description = body["error_description"].as_str().unwrap();
    assert!(description.contains(member), "{description}");
    assert!(description.bytes().all(|b| matches!(b, 0x20..=0x7e) && b != b'"' && b != b'\\'), "{description}");
}

#[track_caller]
fn unauthorized(answer: &Answer, what: &str) {
    let challenge = format!("Bearer realm=\"ostiary\", error=\"invalid_token\", error_description=\"{what}\"");
    answer.assert_challenge(401, "invalid_token", what, &challenge);
}

/// RFC 6750 section 3.1: who sent no token learns no error code, and nothing else.
#[track_caller]
fn without_token(answer: &Answer) {
    assert_eq!((answer.status, answer.body.as_str()), (401, ""), "{answer:?}");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"ostiary\""), "{answer:?}");
    answer.assert_not_stored();
}

async fn invitation(admin: &Admin<'_>, input: Value) -> Value {
    admin.post("/admin/initial-access-tokens", &input).await.document(201)
}

async fn register_with(app: &TestApp, token: &str, metadata: &Value) -> Answer {
    app.post("/register").bearer(token).json(metadata).send().await
}

#[tokio::test]
async fn there_is_no_registration_unless_it_is_switched_on() {
    let app = TestApp::start().await;
    assert_eq!(register(&app, &album(json!({}))).await.status, 404);
    let metadata = app.get("/.well-known/openid-configuration").send().await.json();
    assert_eq!(metadata.get("registration_endpoint"), None);
    for mode in [open, by_invitation] {
        let app = TestApp::with_config(mode).await;
        let metadata = app.get("/.well-known/openid-configuration").send().await.json();
        assert_eq!(metadata["registration_endpoint"], format!("{}/register", app.issuer()));
    }
}

#[tokio::test]
async fn rfc_7591_section_3_2_1_a_client_is_told_everything_that_is_registered() {
    let app = TestApp::with_config(open).await;
    let made = register(&app, &album(json!({"unknown": {"deep": 1}}))).await.document(201);
    let id = made["client_id"].as_str().unwrap();
    let expected = json!({
        "client_id": id,
        "client_id_issued_at": app.now().timestamp(),
        "client_secret": made["client_secret"],
        "client_secret_expires_at": 0,
        "registration_access_token": made["registration_access_token"],
        "registration_client_uri": format!("{}/register/{id}", app.issuer()),
        "client_name": "Album",
        "redirect_uris": ["https://album.example/callback"],
        "application_type": "web",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": "openid profile email address phone offline_access",
        "subject_type": "public",
        "id_token_signed_response_alg": "RS256",
        "authorization_signed_response_alg": "RS256",
        "require_pushed_authorization_requests": false,
        "require_signed_request_object": false,
        "dpop_bound_access_tokens": false,
        "tls_client_certificate_bound_access_tokens": false,
        "require_auth_time": false,
        "backchannel_logout_session_required": false,
        "frontchannel_logout_session_required": false,
    });
    assert_eq!(made, expected);
    assert!(id.len() >= 22 && made["client_secret"].as_str().unwrap().len() >= 43);
    let other = register(&app, &album(json!({}))).await.document(201);
    for name in ["client_id", "client_secret", "registration_access_token"] {
        assert_ne!(made[name], other[name], "{name}");
    }
}

#[tokio::test]
async fn a_registered_client_can_authenticate_and_a_wrong_secret_cannot() {
    let app = TestApp::with_config(|config| {
        open(config);
        config.registration.grant_types.push(ostiary::model::client::GrantType::ClientCredentials);
    });
    let app = app.await;
    let metadata = json!({
        "grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_post", "scope": "email",
    });
    let made = register(&app, &metadata).await.document(201);
    assert_eq!((&made["response_types"], &made["scope"]), (&json!([]), &json!("email")));
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    let form = |secret| [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
    assert_eq!(app.post_form("/token", &form(secret)).await.json()["token_type"], "Bearer");
    assert_eq!(app.post_form("/token", &form("wrong")).await.document(400)["error"], "invalid_client");
}

#[tokio::test]
async fn a_public_client_gets_no_secret() {
    let app = TestApp::with_config(open).await;
    let made = register(&app, &album(json!({"token_endpoint_auth_method": "none"}))).await.document(201);
    assert_eq!((made.get("client_secret"), made.get("client_secret_expires_at")), (None, None));
}

#[tokio::test]
async fn oidf_metadata_is_accepted_and_kept() {
    let app = TestApp::with_config(open).await;
    let said = album(json!({
        "client_name#de": "Fotoalbum",
        "contacts": ["ops@album.example"],
        "client_uri": "https://album.example/",
        "logo_uri": "https://album.example/logo.png",
        "policy_uri": "https://album.example/policy",
        "tos_uri": "https://album.example/tos",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "jwks_uri": "https://album.example/jwks.json",
        "id_token_signed_response_alg": "RS256",
        "userinfo_signed_response_alg": "RS256",
        "request_object_signing_alg": "RS256",
        "request_uris": ["https://album.example/request#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM"],
        "post_logout_redirect_uris": ["https://album.example/bye"],
        "initiate_login_uri": "https://album.example/begin",
        "backchannel_logout_uri": "https://album.example/back",
        "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://album.example/front",
        "frontchannel_logout_session_required": true,
        "default_max_age": 600,
        "require_auth_time": true,
        "software_id": "4NRB1-0XZABZI9E6-5SM3R",
        "software_version": "2.1",
    }));
    let made = register(&app, &said).await.document(201);
    for (name, value) in said.as_object().unwrap() {
        assert_eq!(made[name], *value, "{name}");
    }
    assert_eq!(made.get("client_secret"), None, "it has a key");
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
    let with_keys = album(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys}));
    assert_eq!(register(&app, &with_keys).await.document(201)["jwks"], keys);
}

#[tokio::test]
async fn oidf_redirect_uris_with_a_fragment_are_refused() {
    let app = TestApp::with_config(open).await;
    let with = |uri: &str| album(json!({"redirect_uris": [uri]}));
    for uri in ["https://album.example/callback#part", "http://album.example/", "javascript:alert(1)", "/callback"] {
        refused(&register(&app, &with(uri)).await, "invalid_redirect_uri", "/redirect_uris/0");
    }
    refused(&register(&app, &json!({})).await, "invalid_redirect_uri", "/redirect_uris");
}

#[tokio::test]
async fn oidf_initiate_login_uri_must_be_https() {
    let app = TestApp::with_config(open).await;
    let said = album(json!({"initiate_login_uri": "http://album.example/begin"}));
    refused(&register(&app, &said).await, "invalid_client_metadata", "/initiate_login_uri");
}

#[tokio::test]
async fn metadata_that_cannot_be_registered_are_refused() {
    let app = TestApp::with_config(|config| {
        open(config);
        config.registration.token_endpoint_auth_methods.retain(|method| !method.has_certificate());
        config.registration.per_network = 1000;
    });
    let app = app.await;
    let keys = json!({"keys": [{"kty": "oct", "k": "AAAA"}]});
    let table = [
        (json!({"jwks": {"keys": [{"kty": "EC"}]}, "jwks_uri": "https://album.example/jwks"}), "/jwks_uri"),
        (json!({"jwks": keys}), "/jwks/keys/0"),
        (json!({"subject_type": "ephemeral"}), "/subject_type"),
        (json!({"token_endpoint_auth_method": "self_signed_tls_client_auth"}), "/token_endpoint_auth_method"),
        (json!({"token_endpoint_auth_method": "private_key_jwt"}), "/token_endpoint_auth_method"),
        (json!({"grant_types": ["implicit"]}), "/grant_types"),
        (json!({"grant_types": ["authorization_code"], "response_types": ["token"]}), "/response_types"),
        (json!({"scope": "admin:clients admin:users"}), "/scope"),
        (json!({"id_token_encrypted_response_alg": "RSA-OAEP"}), "/id_token_encrypted_response_alg"),
        (json!({"userinfo_encrypted_response_alg": "RSA1_5"}), "/userinfo_encrypted_response_alg"),
        (json!({"authorization_encrypted_response_enc": "A256GCM"}), "/authorization_encrypted_response_enc"),
        (json!({"introspection_encrypted_response_alg": "dir"}), "/introspection_encrypted_response_alg"),
        (json!({"introspection_signed_response_alg": "HS256"}), "/introspection_signed_response_alg"),
        (json!({"request_object_encryption_alg": "RSA-OAEP"}), "/request_object_encryption_alg"),
        (json!({"request_object_encryption_enc": "A192GCM"}), "/request_object_encryption_enc"),
        (json!({"frontchannel_logout_uri": "https://other.example/"}), "/frontchannel_logout_uri"),
        (json!({"default_max_age": -1}), "/default_max_age"),
    ];
    for (said, member) in table {
        refused(&register(&app, &album(said)).await, "invalid_client_metadata", member);
    }
}

#[tokio::test]
async fn a_body_that_is_no_metadata_is_refused_as_rfc_7591_says() {
    let app = TestApp::with_config(|config| {
        open(config);
        config.registration.per_network = 1000;
    });
    let app = app.await;
    let post = |media: &'static str, body: &'static str| app.post("/register").body(media, body).send();
    let code = "invalid_client_metadata";
    refused(&post("application/x-www-form-urlencoded", "redirect_uris=x").await, code, "application/json");
    refused(&post("text/plain", "{}").await, code, "application/json");
    refused(&post("application/json", "{").await, code, "JSON");
    refused(&post("application/json", "[]").await, code, "object");
    refused(&post("application/json", r#"{"scope": "a", "scope": "b"}"#).await, code, "twice");
    refused(&post("application/json", r#"{"client_name": "a\u0000"}"#).await, code, "U+0000");
}

#[tokio::test]
async fn a_client_that_registers_itself_never_reaches_the_admin_api() {
    let app = TestApp::with_config(open).await;
    let admin_api = app.admin_resource();
    let said = album(json!({
        "scope": "openid admin:clients", "resources": [admin_api], "consent": "first_party", "pkce_required": false,
        "serves": [admin_api],
    }));
    let made = register(&app, &said).await.document(201);
    assert_eq!(made["scope"], "openid");
    let shown = app.admin(&["admin:clients:read"]).await;
    let shown = shown.get(&format!("/admin/clients/{}", made["client_id"].as_str().unwrap())).await.document(200);
    assert_eq!((&shown["resources"], &shown["serves"], &shown["scopes"]), (&json!([]), &json!([]), &json!(["openid"])));
    assert_eq!((&shown["consent"], &shown["pkce_required"]), (&json!("remembered"), &json!(true)));
    assert_eq!(shown["registered_through"], "open");
}

#[tokio::test]
async fn a_network_registers_so_many_clients_and_no_more() {
    let app = TestApp::with_config(|config| {
        open(config);
        config.registration.per_network = 2;
    });
    let app = app.await;
    for _ in 0..2 {
        register(&app, &album(json!({}))).await.document(201);
    }
    let answer = register(&app, &album(json!({}))).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    app.pass(chrono::TimeDelta::hours(2));
    register(&app, &album(json!({}))).await.document(201);
}

#[tokio::test]
async fn an_initial_access_token_is_needed_where_the_mode_says_so() {
    let app = TestApp::with_config(by_invitation).await;
    without_token(&register(&app, &album(json!({}))).await);
    let basic = app.post("/register").header("authorization", "Basic eDp5").json(&album(json!({}))).send().await;
    without_token(&basic);
    let empty = app.post("/register").header("authorization", "Bearer").json(&album(json!({}))).send().await;
    let what = "the Authorization header has no token";
    let challenge = format!("Bearer realm=\"ostiary\", error=\"invalid_request\", error_description=\"{what}\"");
    empty.assert_challenge(400, "invalid_request", what, &challenge);
    let unknown = "the initial access token is unknown, used up or expired";
    unauthorized(&register_with(&app, "unknown", &album(json!({}))).await, unknown);
    // Who may not register learns nothing of what could be.
    without_token(&app.post("/register").body("text/plain", "x").send().await);
    let admin = app.admin(&["admin:clients"]).await;
    let token = invitation(&admin, json!({"note": "one", "expires_in": 60})).await;
    let plain = token["initial_access_token"].as_str().unwrap();
    refused(&register_with(&app, plain, &json!({})).await, "invalid_redirect_uri", "/redirect_uris");
    let made = register_with(&app, plain, &album(json!({}))).await.document(201);
    let listed = admin.get("/admin/initial-access-tokens").await.document(200);
    assert_eq!(
        (&listed["items"][0]["uses"], &listed["items"][0]["id"]),
        (&json!(1), &token["id"]),
        "refusals use nothing"
    );
    assert!(!listed.to_string().contains(plain));
    let shown = admin.get(&format!("/admin/clients/{}", made["client_id"].as_str().unwrap())).await.document(200);
    assert_eq!(shown["registered_through"], "initial_access_token");
    app.pass_seconds(60);
    unauthorized(&register_with(&app, plain, &album(json!({}))).await, unknown);
}

#[tokio::test]
async fn an_initial_access_token_ends_when_it_is_revoked() {
    let app = TestApp::with_config(open).await;
    let admin = app.admin(&["admin:clients"]).await;
    let token = invitation(&admin, json!({})).await;
    let plain = token["initial_access_token"].as_str().unwrap();
    register_with(&app, plain, &album(json!({}))).await.document(201);
    let path = format!("/admin/initial-access-tokens/{}", token["id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(admin.call(Method::DELETE, &path).send().await.status, 204);
    }
    // Also where everybody may register: whoever shows a token means that token.
    let answer = register_with(&app, plain, &album(json!({}))).await;
    unauthorized(&answer, "the initial access token is unknown, used up or expired");
    let nothing = "/admin/initial-access-tokens/00000000-0000-0000-0000-000000000000";
    admin.call(Method::DELETE, nothing).send().await.problem(404, "not-found");
}

#[tokio::test]
async fn the_policy_of_an_initial_access_token_stands_in_place_of_the_configuration() {
    let app = TestApp::with_config(by_invitation).await;
    let admin = app.admin(&["admin:clients"]).await;
    let policy = json!({"scopes": ["openid", "photos.read"], "grant_types": ["client_credentials"]});
    let token = invitation(&admin, json!({"policy": policy})).await;
    let plain = token["initial_access_token"].as_str().unwrap();
    let said = json!({"grant_types": ["client_credentials", "authorization_code"], "response_types": []});
    let made = register_with(&app, plain, &said).await.document(201);
    assert_eq!((&made["scope"], &made["grant_types"]), (&json!("openid photos.read"), &json!(["client_credentials"])));
    let input = json!({"policy": {"scopes": ["admin:clients"]}, "max_uses": 0, "expires_in": 0, "note": "a\nb"});
    let answer = admin.post("/admin/initial-access-tokens", &input).await;
    assert_eq!(answer.invalid_members(), ["/expires_in", "/max_uses", "/note", "/policy/scopes/0"]);
}

#[tokio::test]
async fn of_64_who_share_one_use_of_an_initial_access_token_one_registers() {
    let app = TestApp::with_config(by_invitation).await;
    let admin = app.admin(&["admin:clients"]).await;
    let token = invitation(&admin, json!({"max_uses": 1})).await;
    let plain = token["initial_access_token"].as_str().unwrap();
    let said = album(json!({}));
    let answers = join_all((0..64).map(|_| register_with(&app, plain, &said))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((made, refused), (1, 63));
    let listed = admin.get("/admin/initial-access-tokens").await.document(200);
    assert_eq!(listed["items"][0]["uses"], 1);
}

#[tokio::test]
async fn a_registration_is_recorded_as_what_the_client_did() {
    let app = TestApp::with_config(open).await;
    let made = register(&app, &album(json!({}))).await.document(201);
    let admin = app.admin(&["admin:audit:read"]).await;
    let listed = admin.get("/admin/audit-events").await.document(200);
    let event = &listed["items"][0];
    assert_eq!((&event["event"], &event["client_id"]), (&json!("client.registered"), &made["client_id"]));
    assert_eq!(event["actor"], json!({"kind": "client", "id": made["client_id"]}));
    for secret in ["client_secret", "registration_access_token"] {
        assert!(!listed.to_string().contains(made[secret].as_str().unwrap()), "{secret}");
    }
}

#[tokio::test]
async fn the_record_of_a_registration_names_the_initial_access_token() {
    let app = TestApp::with_config(by_invitation).await;
    let admin = app.admin(&["admin:clients", "admin:audit:read"]).await;
    let token = invitation(&admin, json!({"note": "one"})).await;
    let made = register_with(&app, token["initial_access_token"].as_str().unwrap(), &album(json!({}))).await;
    let made = made.document(201);
    let listed = admin.get("/admin/audit-events").await.document(200);
    let event = &listed["items"][0];
    assert_eq!((&event["event"], &event["client_id"]), (&json!("client.registered"), &made["client_id"]));
    assert_eq!(event["object"], token["id"], "{event}");
}

#[tokio::test]
async fn rfc_7591_section_5_pages_are_on_a_host_of_the_redirect_uris() {
    let app = TestApp::with_config(open).await;
    for member in ["client_uri", "logo_uri", "policy_uri", "tos_uri"] {
        for page in ["https://bank.example/", "https://album.example.evil.example/", "https://www.album.example/"] {
            let said = album(json!({ member: page }));
            refused(&register(&app, &said).await, "invalid_client_metadata", &format!("/{member}: "));
        }
        register(&app, &album(json!({ member: "https://album.example:8443/page" }))).await.document(201);
    }
    // An application without a host has no pages: a scheme of its own is whoever's that takes it.
    let native = json!({
        "application_type": "native", "redirect_uris": ["com.example.album:/callback"],
        "policy_uri": "https://album.example/policy",
    });
    refused(&register(&app, &album(native)).await, "invalid_client_metadata", "/policy_uri: ");
}

#[tokio::test]
async fn a_name_with_characters_that_nobody_sees_is_refused_in_every_language() {
    let app = TestApp::with_config(|config| {
        open(config);
        config.registration.per_network = 1000;
    });
    let app = app.await;
    for hidden in
        ["\u{200b}", "\u{ad}", "\u{202e}", "\u{2066}", "\u{feff}", "\u{3164}", "\u{e0041}", "\u{f8ff}", "\u{200f}"]
    {
        for member in ["client_name", "client_name#de"] {
            let said = album(json!({ member: format!("Pay{hidden}Bank") }));
            refused(&register(&app, &said).await, "invalid_client_metadata", "/client_name: ");
        }
        let said = album(json!({"contacts": [format!("ops{hidden}@album.example")]}));
        refused(&register(&app, &said).await, "invalid_client_metadata", "/contacts/0: ");
    }
    let said = album(
        json!({"client_name": "Fotoalbum f\u{fc}r \u{5d0}\u{5dc}\u{5d1}\u{5d5}\u{5dd} \u{76f8}\u{518a} \u{1f4f7}"}),
    );
    register(&app, &said).await.document(201);
}

#[tokio::test]
async fn whoever_is_asked_is_told_that_the_client_registered_itself() {
    let app = TestApp::with_config(open).await;
    let alice = app.alice().await;
    let made = register(&app, &album(json!({"token_endpoint_auth_method": "none"}))).await.document(201);
    let client = app.client_named_by(made["client_id"].as_str().unwrap(), "https://album.example/callback");
    let mut browser = app.browser();
    let page = browser.open(&Authorization::of(&client).path()).await;
    let page = browser.log_in(&page, &alice).await;
    page.assert_consent();
    assert!(page.text("registered-itself").contains("Nobody here has checked it"), "{page:?}");
    assert!(!page.has("named-by"));
    let german = Authorization::of(&client).with("ui_locales", "de");
    let page = browser.open(&german.path()).await;
    assert!(page.text("registered-itself").contains("Niemand hier hat sie gepr\u{fc}ft"), "{page:?}");
    let own = app.web_client().await;
    let page: Page = browser.open(&Authorization::of(&own).with("prompt", "consent").path()).await;
    page.assert_consent();
    assert!(!page.has("registered-itself"), "an administrator registered that one");
}

#[tokio::test]
async fn what_the_server_would_call_for_a_stranger_is_https_unless_the_operator_allows_it() {
    let receiver = Receiver::start().await;
    let exception = receiver.exception_for(OutboundPurpose::ClientKeys);
    let app = TestApp::with_config(|config| {
        open(config);
        config.outbound.allow.push(exception);
    });
    let app = app.await;
    for host in ["localhost", "127.0.0.1:6379", "[::1]"] {
        for member in ["jwks_uri", "backchannel_logout_uri", "logo_uri", "initiate_login_uri"] {
            let said =
                album(json!({ member: format!("http://{host}/x"), "redirect_uris": [format!("http://{host}/")] }));
            refused(&register(&app, &said).await, "invalid_client_metadata", &format!("/{member}: "));
        }
    }
    let said = album(json!({"request_uris": ["https://album.example/a", "http://localhost/b"]}));
    refused(&register(&app, &said).await, "invalid_client_metadata", "/request_uris/1: ");
    // For that and nothing else.
    let keys = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": receiver.url("/keys")});
    register(&app, &album(keys)).await.document(201);
    let said = album(json!({"backchannel_logout_uri": receiver.url("/out")}));
    refused(&register(&app, &said).await, "invalid_client_metadata", "/backchannel_logout_uri: ");
}

#[tokio::test]
async fn a_refusal_is_not_longer_for_what_was_sent() {
    let app = TestApp::with_config(open).await;
    let uris: Vec<String> = (0..1500).map(|n| format!("https://album.example/#{n}")).collect();
    let answer = register(&app, &album(json!({ "redirect_uris": uris }))).await;
    refused(&answer, "invalid_redirect_uri", "and 1491 more");
    assert!(answer.body.len() < 1200, "{}", answer.body.len());
}

/// Everything that discovery lists can be registered, and is what then happens.
#[tokio::test]
async fn a_client_that_registers_for_encrypted_answers_gets_them() {
    let app = TestApp::with_config(|config| {
        open(config);
        config.registration.per_network = 1000;
    });
    let app = app.await;
    let alice = app.alice().await;
    for (alg, enc) in EncryptionAlg::ALL.into_iter().zip(ContentEncryption::ALL.into_iter().cycle()) {
        let key = DecryptionKey::generate(alg.as_str());
        let (alg, enc) = (alg.as_str(), enc.as_str());
        let mut said = album(json!({"jwks": key.jwks(), "introspection_signed_response_alg": "PS256"}));
        for kind in ["id_token", "userinfo", "authorization", "introspection"] {
            said[format!("{kind}_encrypted_response_alg")] = json!(alg);
            said[format!("{kind}_encrypted_response_enc")] = json!(enc);
        }
        let made = register(&app, &said).await.document(201);
        for (name, value) in said.as_object().unwrap() {
            assert_eq!(made[name], *value, "{name}");
        }
        let client = app.client_named_by(made["client_id"].as_str().unwrap(), "https://album.example/callback");
        let basic = crate::harness::basic(&client.id, made["client_secret"].as_str().unwrap());
        let request = Authorization::of(&client).with("response_mode", "jwt").with("scope", "openid email");
        let page = app.browser().authorize(&request, &alice).await;
        let opened = key.open(&page.returned_to(&client.redirect_uri)["response"]);
        assert_eq!((&opened.header["alg"], &opened.header["enc"]), (&json!(alg), &json!(enc)));
        let response = jwt::verify(&app, &opened.content).await.claims;
        let form = app.redemption(&request, response["code"].as_str().unwrap());
        let told = app.post("/token").header("authorization", &basic).form(&form).send().await.json();
        let id_token = jwt::verify(&app, &key.open(told["id_token"].as_str().unwrap()).content).await.claims;
        assert_eq!(id_token["sub"], alice.sub());
        let access = told["access_token"].as_str().unwrap();
        let userinfo: Value = serde_json::from_str(&key.open(&app.userinfo(access).await.body).content).unwrap();
        assert_eq!(userinfo["email"], "alice@people.example");
        let asked = app.post("/introspect").header("authorization", &basic).form(&[("token", access)]).send().await;
        let introspection = jwt::verify(&app, &key.open(&asked.body).content).await;
        assert_eq!(
            (&introspection.header["alg"], &introspection.claims["token_introspection"]["active"]),
            (&json!("PS256"), &json!(true))
        );
    }
}
