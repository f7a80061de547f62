//! Client applications, registered through the store verbs.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ostiary::clock::Clock;
use ostiary::model::client::{Client, ClientAuthMethod, ClientSecret, ClientSettings, ConsentPolicy, GrantType};
use ostiary::model::id::ClientId;
use ostiary::random;
use serde_json::{Value, json};

use super::answer::Answer;
use super::app::{Call, TestApp, encode};
use super::authorization::Authorization;
use super::client_key::ClientKey;

/// A registered client and what it knows.
#[derive(Clone, Debug)]
pub struct TestClient {
    pub id: String,
    pub secret: Option<String>,
    /// The first of its redirect URIs.
    pub redirect_uri: String,
    method: ClientAuthMethod,
    /// What it signs with, if it signs.
    pub key: Option<Arc<ClientKey>>,
    server: (String, Clock),
}

/// RFC 7523 section 2.2.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const SCOPES: [&str; 9] =
    ["openid", "profile", "email", "address", "phone", "offline_access", "photos.read", "photos.write", "mail.read"];

impl TestApp {
    /// A confidential client with codes and refresh tokens, trusted by the operator: no consent is asked.
    pub async fn web_client(&self) -> TestClient {
        self.web_client_with(|_| {}).await
    }

    pub async fn web_client_with(&self, change: impl FnOnce(&mut ClientSettings)) -> TestClient {
        self.register("web", |settings| {
            settings.token_endpoint_auth_method = ClientAuthMethod::ClientSecretBasic;
            change(settings);
        })
        .await
    }

    /// The same without a secret.
    pub async fn public_client(&self) -> TestClient {
        self.public_client_with(|_| {}).await
    }

    pub async fn public_client_with(&self, change: impl FnOnce(&mut ClientSettings)) -> TestClient {
        self.register("app", |settings| {
            settings.token_endpoint_auth_method = ClientAuthMethod::None;
            change(settings);
        })
        .await
    }

    /// A client that acts for itself.
    pub async fn machine_client(&self) -> TestClient {
        self.machine_client_with(|_| {}).await
    }

    pub async fn machine_client_with(&self, change: impl FnOnce(&mut ClientSettings)) -> TestClient {
        self.register("machine", |settings| {
            settings.grant_types = vec![GrantType::ClientCredentials];
            settings.redirect_uris = Vec::new();
            settings.scopes = vec!["photos.read".into(), "mail.read".into()];
            change(settings);
        })
        .await
    }

    /// An API that introspects tokens made for it.
    pub async fn resource_server(&self, resource: &str) -> TestClient {
        self.machine_client_with(|settings| settings.serves = vec![serde_json::from_value(json!(resource)).unwrap()])
            .await
    }

    /// A client with codes and refresh tokens that signs with `key`.
    pub async fn signing_web_client(&self, key: ClientKey) -> TestClient {
        self.signing_web_client_with(key, |_| {}).await
    }

    pub async fn signing_web_client_with(
        &self,
        key: ClientKey,
        change: impl FnOnce(&mut ClientSettings),
    ) -> TestClient {
        let client = self.web_client_with(|settings| {
            settings.token_endpoint_auth_method = ClientAuthMethod::PrivateKeyJwt;
            settings.jwks = Some(key.jwks());
            change(settings);
        });
        client.await.with_key(key)
    }

    /// A client that acts for itself and signs with `key`.
    pub async fn signing_client(&self, key: ClientKey) -> TestClient {
        self.signing_client_with(key, |_| {}).await
    }

    pub async fn signing_client_with(&self, key: ClientKey, change: impl FnOnce(&mut ClientSettings)) -> TestClient {
        let client = self.machine_client_with(|settings| {
            settings.token_endpoint_auth_method = ClientAuthMethod::PrivateKeyJwt;
            settings.jwks = Some(key.jwks());
            change(settings);
        });
        client.await.with_key(key)
    }

    async fn register(&self, kind: &str, change: impl FnOnce(&mut ClientSettings)) -> TestClient {
        let id = format!("{kind}-{}", random::id());
        let mut settings = ClientSettings {
            client_name: [("en".to_owned(), "Photo Album".to_owned())].into(),
            redirect_uris: vec![format!("https://{kind}.example/callback")],
            post_logout_redirect_uris: vec![format!("https://{kind}.example/goodbye")],
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            scopes: SCOPES.iter().map(|&scope| scope.to_owned()).collect(),
            consent: ConsentPolicy::FirstParty,
            ..ClientSettings::default()
        };
        change(&mut settings);
        self.insert_client(&id, settings).await
    }

    /// A client with that very id.
    pub async fn insert_client(&self, id: &str, settings: ClientSettings) -> TestClient {
        let secret = settings.token_endpoint_auth_method.has_secret().then(random::token);
        self.insert_client_with_secret(id, settings, secret).await
    }

    pub async fn insert_client_with_secret(
        &self,
        id: &str,
        settings: ClientSettings,
        secret: Option<String>,
    ) -> TestClient {
        let client = Client {
            id: ClientId::new(id),
            enabled: true,
            secrets: secret.iter().map(|secret| self.client_secret(id, secret)).collect(),
            settings,
            generation: 0,
            registered_through: None,
        };
        self.app.postgres.insert_client(&client, self.now()).await.expect("the client is inserted");
        TestClient {
            id: id.to_owned(),
            secret,
            redirect_uri: client.settings.redirect_uris.first().cloned().unwrap_or_default(),
            method: client.settings.token_endpoint_auth_method,
            key: None,
            server: (self.issuer().to_owned(), Clock::manual(&self.clock)),
        }
    }

    /// A client that is named by that address and has no secret, whoever knows it.
    pub fn client_named_by(&self, id: &str, redirect_uri: &str) -> TestClient {
        self.known_client(id, ClientAuthMethod::None, redirect_uri)
    }

    /// A client that was registered elsewhere. Its secret or its key has to be added.
    pub fn known_client(&self, id: &str, method: ClientAuthMethod, redirect_uri: &str) -> TestClient {
        TestClient {
            id: id.to_owned(),
            secret: None,
            redirect_uri: redirect_uri.to_owned(),
            method,
            key: None,
            server: (self.issuer().to_owned(), Clock::manual(&self.clock)),
        }
    }

    fn client_secret(&self, id: &str, secret: &str) -> ClientSecret {
        let key_id = self.app.master_keys.current();
        let mac = self.app.master_keys.client_secret_mac(key_id, &ClientId::new(id), secret).expect("a MAC");
        ClientSecret { id: uuid::Uuid::new_v4(), mac, key_id, expires_at: None }
    }

    /// Changes what a client registered; every instance notices at once.
    pub async fn change_client(&self, client: &TestClient, change: impl FnOnce(&mut Client)) {
        let id = ClientId::new(&client.id);
        let mut stored = self.app.postgres.find_client(&id).await.expect("Postgres answers").expect("it is there");
        change(&mut stored);
        self.app.postgres.update_client(&stored, self.now()).await.expect("the client is updated");
        self.app.registry.forget();
    }

    /// A token request of `client`, authenticated as it registered.
    pub async fn token(&self, client: &TestClient, form: &[(&str, &str)]) -> Answer {
        self.call_as(client, "/token", form).await
    }

    pub async fn introspect(&self, client: &TestClient, token: &str) -> Answer {
        self.call_as(client, "/introspect", &[("token", token)]).await
    }

    pub async fn revoke(&self, client: &TestClient, token: &str) -> Answer {
        self.call_as(client, "/revoke", &[("token", token)]).await
    }

    pub async fn userinfo(&self, access_token: &str) -> Answer {
        self.get("/userinfo").bearer(access_token).send().await
    }

    pub async fn call_as(&self, client: &TestClient, path: &str, form: &[(&str, &str)]) -> Answer {
        client.sign(self.post(path), form).send().await
    }
}

impl TestClient {
    /// Puts the form and the client's credentials into a request.
    pub fn sign(&self, call: Call, form: &[(&str, &str)]) -> Call {
        let secret = self.secret.as_deref().unwrap_or_default();
        let mut form = form.to_vec();
        match self.method {
            ClientAuthMethod::ClientSecretBasic => {
                return call.header("authorization", &basic(&self.id, secret)).form(&form);
            }
            ClientAuthMethod::ClientSecretPost => {
                form.extend([("client_id", self.id.as_str()), ("client_secret", secret)])
            }
            ClientAuthMethod::PrivateKeyJwt => {
                let assertion = self.assertion(json!({}));
                form.extend([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)]);
                return call.form(&form);
            }
            // A certificate is the connection's, or in a header that a test adds.
            ClientAuthMethod::None | ClientAuthMethod::TlsClientAuth | ClientAuthMethod::SelfSignedTlsClientAuth => {
                form.push(("client_id", &self.id));
            }
        }
        call.form(&form)
    }

    /// The same client with another key.
    pub fn with_key(&self, key: ClientKey) -> Self {
        Self { key: Some(Arc::new(key)), ..self.clone() }
    }

    /// The same client, which registered that it authenticates with `key` from now on.
    pub fn authenticating_with(&self, key: ClientKey) -> Self {
        Self { method: ClientAuthMethod::PrivateKeyJwt, ..self.with_key(key) }
    }

    /// A good assertion for the issuer, but for these claims; `null` leaves one out.
    pub fn assertion(&self, change: Value) -> String {
        self.key.as_ref().expect("a key").sign(&self.assertion_claims(change))
    }

    pub fn assertion_claims(&self, change: Value) -> Value {
        let (issuer, clock) = &self.server;
        let now = clock.now().timestamp();
        let claims = json!({
            "iss": self.id, "sub": self.id, "aud": issuer, "jti": random::id(), "iat": now, "exp": now + 60,
        });
        changed(claims, change)
    }

    /// A good request object with the parameters of `request`, but for these claims; `null` leaves one out.
    pub fn request_object(&self, request: &Authorization, change: Value) -> String {
        self.key.as_ref().expect("a key").sign(&self.request_object_claims(request, change))
    }

    pub fn request_object_claims(&self, request: &Authorization, change: Value) -> Value {
        let (issuer, clock) = &self.server;
        let now = clock.now().timestamp();
        let mut claims = json!({"iss": self.id, "aud": issuer, "nbf": now, "exp": now + 60});
        for (name, value) in request.parameters() {
            claims[name] = json!(value);
        }
        changed(claims, change)
    }

    pub fn secret(&self) -> &str {
        self.secret.as_deref().expect("a confidential client")
    }

    pub fn basic(&self) -> String {
        basic(&self.id, self.secret())
    }

    /// The same client under another name.
    pub fn called(&self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self.clone() }
    }

    /// The same client with another secret.
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), ..self.clone() }
    }
}

/// `claims` with those of `change` in their place; `null` leaves one out.
fn changed(mut claims: Value, change: Value) -> Value {
    for (name, value) in change.as_object().expect("claims") {
        if value.is_null() {
            claims.as_object_mut().expect("claims").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

/// RFC 6749 section 2.3.1: each half is form-encoded first.
pub fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| encode(&[("", text)]).split_off(1);
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))))
}
