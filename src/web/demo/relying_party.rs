//! What an application says to an issuer: discovery, the authorization request, the token requests, userinfo, logout.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use super::id_token::{self, Expected, KeySet};
use super::page::TokenView;
use super::visits::{Pending, SignedIn};
use crate::protocol::pkce;

/// The client that `ostiary dev` registers for this application.
const CLIENT_ID: &str = "demo-browser";

const SCOPE: &str = "openid profile email address phone";

/// The longest answer that is read.
const LONGEST: usize = 256 * 1024;

/// Why something did not work, for the person at the browser. Holds no token.
#[derive(Debug)]
pub(super) struct Failure {
    what: String,
    /// The server's error code, if it answered with one.
    code: Option<String>,
}

/// An issuer, by its discovery document (OpenID Connect Discovery section 3).
#[derive(Deserialize)]
pub(super) struct RelyingParty {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
    jwks_uri: String,
    end_session_endpoint: String,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    token_type: String,
    refresh_token: Option<String>,
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Failure {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), code: None }
    }

    /// Whether the grant is over, so that its tokens are of no more use (RFC 6749 section 5.2).
    pub(super) fn is_invalid_grant(&self) -> bool {
        self.code.as_deref() == Some("invalid_grant")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl RelyingParty {
    /// Reads the discovery document of `issuer`.
    pub(super) async fn discover(issuer: &str) -> Result<Self, Failure> {
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let found: Self = send(client()?.get(address)).await?;
        // OpenID Connect Discovery section 4.3.
        if found.issuer == issuer {
            Ok(found)
        } else {
            Err(Failure::new("The discovery document is another issuer's."))
        }
    }

    /// Where the browser is sent to sign in.
    pub(super) fn authorization_url(&self, pending: &Pending) -> Result<String, Failure> {
        let challenge = pkce::challenge_of(&pending.verifier);
        let parameters = [
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", &self.redirect_uri()),
            ("scope", SCOPE),
            ("state", &pending.state),
            ("nonce", &pending.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        with_query(&self.authorization_endpoint, &parameters)
    }

    /// Where the browser is sent to sign out (OpenID Connect RP-Initiated Logout section 2).
    pub(super) fn end_session_url(&self, id_token: &str) -> Result<String, Failure> {
        let home = self.at("/");
        let parameters = [("id_token_hint", id_token), ("post_logout_redirect_uri", &home), ("client_id", CLIENT_ID)];
        with_query(&self.end_session_endpoint, &parameters)
    }

    /// Exchanges the code and verifies what comes of it (OpenID Connect Core sections 3.1.3 and 5.3).
    pub(super) async fn complete(
        &self,
        code: &str,
        pending: &Pending,
        now: DateTime<Utc>,
    ) -> Result<SignedIn, Failure> {
        let tokens = self
            .tokens(&[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", &self.redirect_uri()),
                ("code_verifier", &pending.verifier),
                ("client_id", CLIENT_ID),
            ])
            .await?;
        let id_token = tokens.id_token.ok_or_else(|| Failure::new("There is no ID token in the answer."))?;
        let verified = self.verify(&id_token, Some(&pending.nonce), &tokens.access_token, now).await?;
        let claims = self.userinfo(&tokens.access_token, &verified).await?;
        Ok(SignedIn {
            id_token: TokenView::new(id_token),
            access_token: TokenView::new(tokens.access_token),
            refresh_token: tokens.refresh_token,
            claims,
            refreshes: 0,
        })
    }

    /// Gets new tokens (OpenID Connect Core section 12). A refresh token that replaces the old one is in `visitor` as soon as
    /// it has come, whatever happens then: the old one is of no more use.
    pub(super) async fn refresh(&self, visitor: &mut SignedIn, now: DateTime<Utc>) -> Result<(), Failure> {
        let presented = visitor.refresh_token.clone().ok_or_else(|| Failure::new("There is no refresh token."))?;
        let tokens = self
            .tokens(&[("grant_type", "refresh_token"), ("refresh_token", &presented), ("client_id", CLIENT_ID)])
            .await?;
        if let Some(next) = tokens.refresh_token {
            visitor.refresh_token = Some(next);
        }
        let (id_token, verified) = match tokens.id_token {
            Some(id_token) => {
                let verified = self.verify(&id_token, None, &tokens.access_token, now).await?;
                (TokenView::new(id_token), verified)
            }
            None => (visitor.id_token.clone(), visitor.claims.clone()),
        };
        // Section 12.2: it must still be the same person.
        if verified.get("sub") != visitor.claims.get("sub") {
            return Err(Failure::new("The new ID token is somebody else's."));
        }
        visitor.claims = self.userinfo(&tokens.access_token, &verified).await?;
        visitor.id_token = id_token;
        visitor.access_token = TokenView::new(tokens.access_token);
        visitor.refreshes += 1;
        Ok(())
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Tokens, Failure> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request =
            client()?.post(&self.token_endpoint).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        let tokens: Tokens = send(request).await?;
        if tokens.token_type.eq_ignore_ascii_case("bearer") {
            Ok(tokens)
        } else {
            Err(Failure::new("The access token is of a type that this application does not know."))
        }
    }

    async fn verify(
        &self,
        id_token: &str,
        nonce: Option<&str>,
        access_token: &str,
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, Failure> {
        let keys: KeySet = send(client()?.get(&self.jwks_uri)).await?;
        let expected = Expected { issuer: &self.issuer, client_id: CLIENT_ID, nonce, access_token };
        id_token::verify(id_token, &keys, &expected, now)
            .map_err(|reason| Failure::new(format!("The ID token is not valid: {reason}.")))
    }

    async fn userinfo(&self, access_token: &str, verified: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
        let request = client()?.get(&self.userinfo_endpoint).header(AUTHORIZATION, format!("Bearer {access_token}"));
        let claims: Map<String, Value> = send(request).await?;
        // OpenID Connect Core section 5.3.2: or the claims could be those of another person.
        if claims.get("sub") == verified.get("sub") {
            Ok(claims)
        } else {
            Err(Failure::new("The claims are somebody else's."))
        }
    }

    fn redirect_uri(&self) -> String {
        self.at("/demo/callback")
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.issuer.trim_end_matches('/'))
    }
}

fn with_query(endpoint: &str, parameters: &[(&str, &str)]) -> Result<String, Failure> {
    let mut url = Url::parse(endpoint).map_err(|_| Failure::new("An endpoint is not an address."))?;
    url.query_pairs_mut().extend_pairs(parameters);
    Ok(url.into())
}

/// A client that follows nothing and trusts nobody: the development mode's issuer is plain http on loopback.
fn client() -> Result<Client, Failure> {
    let unavailable = || Failure::new("The application cannot make requests.");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| unavailable())?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(10))
        .build()
        .map_err(|_| unavailable())
}

async fn send<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, Failure> {
    let failed = |_| Failure::new("The server did not answer.");
    let mut response = request.header(ACCEPT, "application/json").send().await.map_err(failed)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if body.len() + part.len() > LONGEST {
            return Err(Failure::new("The server's answer is too long."));
        }
        body.extend_from_slice(&part);
    }
    if !status.is_success() {
        return Err(match serde_json::from_slice::<Refusal>(&body) {
            Ok(Refusal { error, error_description }) => {
                Failure { what: format!("{error}: {error_description}"), code: Some(error) }
            }
            Err(_) => Failure::new(format!("The server answered with the status {status}.")),
        });
    }
    serde_json::from_slice(&body).map_err(|_| Failure::new("The server's answer is not what it should be."))
}
