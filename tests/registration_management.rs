//! Managing a registration (RFC 7592): `"/register/{client_id}"`.

use futures_util::future::join_all;
use http::Method;
use ostiary::config::RegistrationMode;
use ostiary::model::id::{ClientId, ResourceUri};
use ostiary::model::profile::Profile;
use serde_json::{Value, json};

use crate::harness::{Answer, ClientKey, DecryptionKey, TestApp};

const REFUSED: &str = "the registration access token is not valid for this client";

/// A client as it was told of itself.
struct Registered(Value);

impl Registered {
    async fn new(app: &TestApp, more: Value) -> Self {
        let mut said = json!({"client_name": "Album", "redirect_uris": ["https://album.example/callback"]});
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Self(app.post("/register").json(&said).send().await.document(201))
    }

    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.0))
    }

    fn path(&self) -> String {
        format!("/register/{}", self.text("client_id"))
    }

    async fn call(&self, app: &TestApp, method: Method) -> Answer {
        app.request(method, &self.path()).bearer(self.text("registration_access_token")).send().await
    }

    async fn put(&self, app: &TestApp, more: Value) -> Answer {
        let mut said =
            json!({"client_id": self.text("client_id"), "redirect_uris": ["https://album.example/callback"]});
        said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let call = app.request(Method::PUT, &self.path()).bearer(self.text("registration_access_token"));
        call.json(&said).send().await
    }
}

async fn server() -> TestApp {
    TestApp::with_config(|config| {
        config.registration.mode = RegistrationMode::Open;
        config.registration.per_network = 1000;
    })
    .await
}

#[track_caller]
fn unauthorized(answer: &Answer, what: &str) {
    let challenge = format!("Bearer realm=\"ostiary\", error=\"invalid_token\", error_description=\"{what}\"");
    answer.assert_challenge(401, "invalid_token", what, &challenge);
}

#[tokio::test]
async fn rfc_7592_section_2_1_a_client_reads_its_registration() {
    let app = server().await;
    let client = Registered::new(&app, json!({"initiate_login_uri": "https://album.example/begin"})).await;
    let read = client.call(&app, Method::GET).await.document(200);
    let mut expected = client.0.clone();
    // Only a MAC of it is kept.
    for secret in ["client_secret", "client_secret_expires_at"] {
        expected.as_object_mut().unwrap().remove(secret);
    }
    assert_eq!(read, expected);
    assert_eq!(read["initiate_login_uri"], "https://album.example/begin");
}

#[tokio::test]
async fn rfc_7592_section_2_2_a_client_replaces_its_registration() {
    let app = server().await;
    let more = json!({"contacts": ["ops@album.example"], "default_max_age": 60, "scope": "openid"});
    let client = Registered::new(&app, more).await;
    let more = json!({
        "client_name": "Pictures", "client_secret": client.text("client_secret"), "contacts": null,
        "redirect_uris": ["https://pictures.example/callback"],
    });
    let replaced = client.put(&app, more).await.document(200);
    assert_eq!((&replaced["client_name"], &replaced["client_id"]), (&json!("Pictures"), &client.0["client_id"]));
    assert_eq!(replaced["redirect_uris"], json!(["https://pictures.example/callback"]));
    // What is not said has its default, and a null says nothing.
    assert_eq!((replaced.get("contacts"), replaced.get("default_max_age")), (None, None));
    assert_eq!(replaced["scope"], "openid profile email address phone offline_access");
    assert_eq!(replaced["client_id_issued_at"], client.0["client_id_issued_at"]);
    assert_eq!(replaced.get("client_secret"), None, "it keeps the one that it has");
    // The token before is over.
    unauthorized(&client.call(&app, Method::GET).await, REFUSED);
    let client = Registered(replaced);
    assert_eq!(client.call(&app, Method::GET).await.document(200)["client_name"], "Pictures");
}

#[tokio::test]
async fn a_client_that_changes_how_it_authenticates_gets_and_loses_secrets() {
    let app = server().await;
    let client = Registered::new(&app, json!({"token_endpoint_auth_method": "none"})).await;
    let confidential = Registered(client.put(&app, json!({})).await.document(200));
    assert!(confidential.text("client_secret").len() >= 43);
    assert_eq!(confidential.0["client_secret_expires_at"], 0);
    let public = confidential.put(&app, json!({"token_endpoint_auth_method": "none"})).await.document(200);
    assert_eq!(public.get("client_secret"), None);
    let kept = app.app.postgres.find_client(&ClientId::new(client.text("client_id"))).await.unwrap().unwrap();
    assert!(kept.secrets.is_empty());
}

#[tokio::test]
async fn rfc_7592_section_2_2_what_only_the_server_gives_is_refused() {
    let app = server().await;
    let client = Registered::new(&app, json!({})).await;
    let table = [
        json!({"client_id": "another"}),
        json!({"client_id": null}),
        json!({"registration_access_token": client.0["registration_access_token"]}),
        json!({"registration_client_uri": client.0["registration_client_uri"]}),
        json!({"client_secret_expires_at": 0}),
        json!({"client_id_issued_at": client.0["client_id_issued_at"]}),
        json!({"client_secret": "another"}),
        json!({"client_secret": 5}),
        json!({"subject_type": "ephemeral"}),
    ];
    for more in table {
        let body = client.put(&app, more.clone()).await.document(400);
        assert_eq!(body["error"], "invalid_client_metadata", "{more} {body}");
    }
    let body = client.put(&app, json!({"redirect_uris": ["https://a.example/#b"]})).await.document(400);
    assert_eq!(body["error"], "invalid_redirect_uri");
    // Nothing was lost: the token and what was registered are as before.
    assert_eq!(client.call(&app, Method::GET).await.document(200)["client_name"], "Album");
}

#[tokio::test]
async fn rfc_7592_section_2_3_a_client_deletes_itself_and_can_do_nothing_any_more() {
    let app = server().await;
    let client = Registered::new(&app, json!({})).await;
    let answer = client.call(&app, Method::DELETE).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    for method in [Method::GET, Method::DELETE] {
        unauthorized(&client.call(&app, method).await, REFUSED);
    }
    unauthorized(&client.put(&app, json!({})).await, REFUSED);
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
        ("client_id", client.text("client_id")),
        ("client_secret", client.text("client_secret")),
    ];
    assert_eq!(app.post_form("/token", &form).await.document(400)["error"], "invalid_client");
}

#[tokio::test]
async fn rfc_7592_section_2_3_the_tokens_of_a_deleted_client_end_with_it() {
    let app = server().await;
    let more = json!({
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"],
    });
    let client = Registered::new(&app, more).await;
    let (alice, api) = (app.alice().await, app.resource_server(app.issuer()).await);
    let known = app.client_named_by(client.text("client_id"), "https://album.example/callback");
    let tokens = app.tokens(&known, &alice, "openid offline_access").await;
    assert_eq!(app.introspect(&api, tokens.access()).await.json()["active"], true);
    assert_eq!(client.call(&app, Method::DELETE).await.status, 204);
    app.introspect(&api, tokens.access()).await.assert_inactive();
    let over = "the access token is invalid, expired or revoked";
    app.userinfo(tokens.access()).await.assert_bearer_error(401, "invalid_token", over);
    app.refresh(&known, tokens.refresh()).await.assert_error(400, "invalid_client", "client authentication failed");
    // Not even for another client.
    app.refresh(&app.public_client().await, tokens.refresh()).await.assert_error(
        400,
        "invalid_grant",
        "the refresh token is not valid",
    );
}

#[tokio::test]
async fn a_script_of_an_allowed_origin_replaces_and_deletes_a_registration() {
    let origin = "https://spa.example";
    let app = TestApp::with_config(|config| {
        config.registration.mode = RegistrationMode::Open;
        config.server.cors_allowed_origins = vec![origin.into()];
    })
    .await;
    let client = Registered::new(&app, json!({})).await;
    let asked = async |path: &str, origin: &str, method: &str| {
        let call = app.request(Method::OPTIONS, path).header("origin", origin);
        let call = call.header("access-control-request-method", method);
        call.header("access-control-request-headers", "authorization,content-type").send().await
    };
    for (path, methods) in [(client.path().as_str(), ["GET", "PUT", "DELETE"]), ("/register", ["POST", "POST", "POST"])]
    {
        for method in methods {
            let answer = asked(path, origin, method).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
            let allowed = answer.header("access-control-allow-methods").unwrap();
            assert!(allowed.split(',').any(|allowed| allowed == method), "{allowed}");
            let stranger = asked(path, "https://other.example", method).await;
            assert_eq!(stranger.header("access-control-allow-origin"), None);
        }
    }
    // Where nothing is replaced or deleted, nobody may try.
    let allowed = asked("/token", origin, "DELETE").await;
    assert_eq!(allowed.header("access-control-allow-methods"), Some("GET,POST"));
    let call = app.request(Method::DELETE, &client.path()).bearer(client.text("registration_access_token"));
    let answer = call.header("origin", origin).send().await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some(origin)));
    let answer = app.request(Method::PATCH, &client.path()).header("origin", origin).send().await;
    answer.assert_method_not_allowed(&["DELETE", "GET", "HEAD", "PUT"]);
}

#[tokio::test]
async fn nobody_manages_a_client_without_its_own_token() {
    let app = server().await;
    let (client, other) = (Registered::new(&app, json!({})).await, Registered::new(&app, json!({})).await);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let call = |path: &str| app.request(method.clone(), path);
        let basic = call(&client.path()).header("authorization", "Basic eDp5");
        for answer in [call(&client.path()).send().await, basic.send().await] {
            // RFC 6750 section 3.1: who sent no token learns no error code.
            assert_eq!((answer.status, answer.body.as_str()), (401, ""), "{answer:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"ostiary\""), "{answer:?}");
        }
        for wrong in ["x", other.text("registration_access_token"), client.text("client_secret")] {
            unauthorized(&call(&client.path()).bearer(wrong).send().await, REFUSED);
        }
        let token = client.text("registration_access_token");
        for nobody in ["/register/nobody", "/register/a%00b", "/register/%ff"] {
            unauthorized(&call(nobody).bearer(token).send().await, REFUSED);
        }
    }
    // Clients that somebody registered have no such token.
    let web = app.web_client().await;
    let answer = app.get(&format!("/register/{}", web.id)).bearer("x").send().await;
    unauthorized(&answer, REFUSED);
}

#[tokio::test]
async fn of_many_changes_with_one_token_one_is_made() {
    let app = server().await;
    let client = &Registered::new(&app, json!({})).await;
    let changes = (0..16).map(|n| client.put(&app, json!({"client_name": format!("Album {n}")})));
    let answers = join_all(changes).await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!((made.len(), answers.iter().filter(|answer| answer.status == 401).count()), (1, 15), "{answers:?}");
    let made = Registered(made[0].document(200));
    assert_eq!(made.call(&app, Method::GET).await.document(200)["client_name"], made.0["client_name"]);
}

#[tokio::test]
async fn what_an_administrator_decided_stays_and_a_disabled_client_manages_nothing() {
    let app = server().await;
    let client = Registered::new(&app, json!({})).await;
    let admin = app.admin(&["admin:clients"]).await;
    let path = format!("/admin/clients/{}", client.text("client_id"));
    admin.patch(&path, &json!({"consent": "always", "pkce_required": false})).await.document(200);
    let client = Registered(client.put(&app, json!({"consent": "first_party"})).await.document(200));
    let shown = admin.get(&path).await.document(200);
    assert_eq!((&shown["consent"], &shown["pkce_required"]), (&json!("always"), &json!(false)));
    admin.patch(&path, &json!({"enabled": false})).await.document(200);
    for method in [Method::GET, Method::DELETE] {
        let body = client.call(&app, method).await.document(403);
        assert_eq!(body["error"], "access_denied");
    }
}

/// RFC 7592 section 2.2 lets the server put something else in the place of what a client says.
#[tokio::test]
async fn what_an_administrator_took_or_demands_a_client_does_not_undo() {
    let app = server().await;
    let client = Registered::new(&app, json!({"grant_types": ["authorization_code", "refresh_token"]})).await;
    let admin = app.admin(&["admin:clients"]).await;
    let path = format!("/admin/clients/{}", client.text("client_id"));
    let stricter = json!({
        "scopes": ["openid"],
        "grant_types": ["authorization_code"],
        "dpop_bound_access_tokens": true,
        "require_pushed_authorization_requests": true,
    });
    admin.patch(&path, &stricter).await.document(200);
    let client = Registered(client.put(&app, json!({"client_name": "Ours"})).await.document(200));
    let shown = admin.get(&path).await.document(200);
    for (name, value) in stricter.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(shown["client_name"]["en"], "Ours", "what is its own it changes: {shown}");
    // Whoever has its token could otherwise lead what is trusted to an address of their own.
    admin.patch(&path, &json!({"consent": "first_party"})).await.document(200);
    let body = client.put(&app, json!({"redirect_uris": ["https://thief.example/"]})).await.document(403);
    assert_eq!(body["error"], "access_denied");
}

#[tokio::test]
async fn a_client_that_was_given_the_admin_api_is_changed_by_administrators_alone() {
    let app = server().await;
    let client = Registered::new(&app, json!({})).await;
    let id = ClientId::new(client.text("client_id"));
    let mut stored = app.app.postgres.find_client(&id).await.unwrap().unwrap();
    stored.settings.resources = vec![ResourceUri::new(app.admin_resource())];
    assert!(app.app.postgres.update_client(&stored, app.now()).await.unwrap());
    let body = client.put(&app, json!({"redirect_uris": ["https://thief.example/"]})).await.document(403);
    assert_eq!(body["error"], "access_denied");
}

#[tokio::test]
async fn a_registration_is_changed_so_often_and_no_more() {
    let app = TestApp::with_config(|config| {
        config.registration.mode = RegistrationMode::Open;
        config.registration.per_network = 2;
    });
    let app = app.await;
    let (mut client, other) = (Registered::new(&app, json!({})).await, Registered::new(&app, json!({})).await);
    for _ in 0..2 {
        client = Registered(client.put(&app, json!({})).await.document(200));
    }
    for refused in [client.put(&app, json!({})).await, other.put(&app, json!({})).await] {
        assert_eq!(refused.document(429)["error"], "temporarily_unavailable");
        assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    }
    // Nothing was lost, and who has not its token is nobody whom that is told.
    client.call(&app, Method::GET).await.document(200);
    unauthorized(&app.request(Method::PUT, &client.path()).bearer("x").json(&json!({})).send().await, REFUSED);
    app.pass(chrono::TimeDelta::hours(2));
    client.put(&app, json!({})).await.document(200);
}

#[tokio::test]
async fn a_change_is_held_to_the_profile_of_now() {
    let app = server().await;
    let client = Registered::new(&app, json!({})).await;
    let stricter = app.second_instance_with(|config| config.oidc.profile = Profile::Fapi2Security).await;
    let body = client.put(&stricter, json!({})).await.document(400);
    assert_eq!(body["error"], "invalid_client_metadata");
    let description = body["error_description"].as_str().unwrap();
    for member in ["/token_endpoint_auth_method", "/dpop_bound_access_tokens", "/id_token_signed_response_alg"] {
        assert!(description.contains(&format!("{member}: fapi2-security ")), "{description}");
    }
    let good = json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks": ClientKey::generate("PS256").jwks(),
        "dpop_bound_access_tokens": true, "id_token_signed_response_alg": "PS256",
        "authorization_signed_response_alg": "PS256",
    });
    client.put(&stricter, good).await.document(200);
}

#[tokio::test]
async fn pages_and_names_of_others_are_refused_in_a_change_too() {
    let app = server().await;
    let client = Registered::new(&app, json!({})).await;
    for (more, member) in [
        (json!({"policy_uri": "https://bank.example/"}), "/policy_uri"),
        (json!({"client_name": "Bank\u{200b}"}), "/client_name"),
        (json!({"backchannel_logout_uri": "http://localhost/out"}), "/backchannel_logout_uri"),
    ] {
        let body = client.put(&app, more).await.document(400);
        assert_eq!(body["error"], "invalid_client_metadata");
        assert!(body["error_description"].as_str().unwrap().contains(member), "{body}");
    }
}

#[tokio::test]
async fn encryption_that_an_administrator_demands_a_client_does_not_undo() {
    let app = server().await;
    let key = DecryptionKey::generate("ECDH-ES");
    let client = Registered::new(&app, json!({"jwks": key.jwks()})).await;
    let admin = app.admin(&["admin:clients"]).await;
    let path = format!("/admin/clients/{}", client.text("client_id"));
    let stricter = json!({"id_token_encrypted_response_alg": "ECDH-ES", "id_token_encrypted_response_enc": "A256GCM"});
    admin.patch(&path, &stricter).await.document(200);
    // Nor by taking the key away.
    let body = client.put(&app, json!({})).await.document(400);
    assert!(body["error_description"].as_str().unwrap().contains("/id_token_encrypted_response_alg"), "{body}");
    let changed = client.put(&app, json!({"jwks": key.jwks()})).await.document(200);
    for (name, value) in stricter.as_object().unwrap() {
        assert_eq!(changed[name], *value, "{name}");
    }
}
