//! Authorization requests as a well-behaved client makes them, to be bent by tests.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ostiary::random;

use super::client::TestClient;

/// A request for a code with PKCE, state and nonce.
#[derive(Clone, Debug)]
pub struct Authorization {
    parameters: Vec<(String, String)>,
    /// What the token request must show.
    pub verifier: String,
    /// Under which name it was pushed.
    request_uri: Option<String>,
}

impl Authorization {
    /// A request of `client` for the scope `openid`.
    pub fn of(client: &TestClient) -> Self {
        Self::by(&client.id, &client.redirect_uri)
    }

    /// The same of the client with that identifier.
    pub fn by(client_id: &str, redirect_uri: &str) -> Self {
        let verifier = random::token();
        let request = Self { parameters: Vec::new(), verifier, request_uri: None };
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, request.verifier.as_bytes()));
        request
            .with("response_type", "code")
            .with("client_id", client_id)
            .with("redirect_uri", redirect_uri)
            .with("scope", "openid")
            .with("state", &random::id())
            .with("nonce", &random::id())
            .with("code_challenge", &challenge)
            .with("code_challenge_method", "S256")
    }

    /// The same without PKCE.
    pub fn without_pkce(self) -> Self {
        self.without("code_challenge").without("code_challenge_method")
    }

    /// Sets a parameter.
    pub fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// Adds a parameter, even if it is there.
    pub fn and(mut self, name: &str, value: &str) -> Self {
        self.parameters.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(sent, _)| sent != name);
        self
    }

    /// The same parameters in reverse order.
    pub fn reversed(mut self) -> Self {
        self.parameters.reverse();
        self
    }

    /// What was sent under that name.
    pub fn value(&self, name: &str) -> &str {
        let sent = self.parameters.iter().find(|(sent, _)| sent == name);
        sent.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("{name} was sent"))
    }

    pub fn parameters(&self) -> Vec<(&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The same, pushed before: the browser only brings the name.
    pub fn pushed_as(&self, request_uri: &str) -> Self {
        Self { request_uri: Some(request_uri.to_owned()), ..self.clone() }
    }

    /// The request as path and query.
    pub fn path(&self) -> String {
        if let Some(request_uri) = &self.request_uri {
            let named = [("client_id", self.value("client_id")), ("request_uri", request_uri)];
            return format!("/authorize?{}", super::app::encode(&named));
        }
        format!("/authorize?{}", super::app::encode(&self.parameters()))
    }
}
