//! What a person and a client do together, in one call.

use serde_json::Value;

use super::app::TestApp;
use super::authorization::Authorization;
use super::browser::Browser;
use super::client::TestClient;
use super::jwt::{self, Jwt};
use super::page::Page;
use super::person::{PASSWORD, TestPerson};

/// A successful token response.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub body: Value,
}

impl Tokens {
    fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.body))
    }

    pub fn access(&self) -> &str {
        self.text("access_token")
    }

    pub fn refresh(&self) -> &str {
        self.text("refresh_token")
    }

    pub fn id(&self) -> &str {
        self.text("id_token")
    }

    /// The claims of the ID token, its signature verified.
    pub async fn id_claims(&self, app: &TestApp) -> Value {
        jwt::verify(app, self.id()).await.claims
    }

    /// The claims of the access token, its signature verified.
    pub async fn access_claims(&self, app: &TestApp) -> Value {
        jwt::verify(app, self.access()).await.claims
    }

    pub async fn access_jwt(&self, app: &TestApp) -> Jwt {
        jwt::verify(app, self.access()).await
    }
}

impl Browser {
    /// Types the name and the password.
    pub async fn log_in(&mut self, page: &Page, person: &TestPerson) -> Page {
        assert!(page.has("login-submit"), "the sign-in page: {page:?}");
        self.submit(page, "login-submit", &[("username", &person.username), ("password", PASSWORD)]).await
    }

    /// Makes the request and says yes to everything, until the browser leaves for the client.
    pub async fn authorize(&mut self, request: &Authorization, person: &TestPerson) -> Page {
        let mut page = self.open(&request.path()).await;
        for _ in 0..4 {
            page = match page.url.path() {
                _ if page.has_left => return page,
                "/login" => self.log_in(&page, person).await,
                "/consent" => self.submit(&page, "consent-allow", &[]).await,
                "/select-account" => self.submit(&page, "account-continue", &[]).await,
                _ => panic!("an answer, or a page that leads to one: {page:?}"),
            };
        }
        assert!(page.has_left, "the browser leaves for the client: {page:?}");
        page
    }
}

impl TestApp {
    /// The request, pushed by `client` and ready for a browser.
    pub async fn pushed(&self, client: &TestClient, request: &Authorization) -> Authorization {
        // Whoever authenticates says who they are by that.
        let answer = self.call_as(client, "/par", &request.clone().without("client_id").parameters()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        request.pushed_as(body["request_uri"].as_str().expect("a name"))
    }

    /// A code, obtained in `browser`.
    pub async fn code(&self, browser: &mut Browser, request: &Authorization, person: &TestPerson) -> String {
        let page = browser.authorize(request, person).await;
        page.returned_code(request.value("redirect_uri"))
    }

    /// The token request for a code.
    pub fn redemption<'a>(&self, request: &'a Authorization, code: &'a str) -> [(&'static str, &'a str); 4] {
        [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", request.value("redirect_uri")),
            ("code_verifier", &request.verifier),
        ]
    }

    /// Tokens for `request`, obtained in `browser`.
    pub async fn tokens_in(
        &self,
        browser: &mut Browser,
        client: &TestClient,
        request: &Authorization,
        person: &TestPerson,
    ) -> Tokens {
        let code = self.code(browser, request, person).await;
        let answer = self.token(client, &self.redemption(request, &code)).await;
        answer.assert_not_stored();
        Tokens { body: answer.json() }
    }

    /// Tokens with `scope`, obtained in a browser of its own.
    pub async fn tokens(&self, client: &TestClient, person: &TestPerson, scope: &str) -> Tokens {
        let request = Authorization::of(client).with("scope", scope);
        self.tokens_in(&mut self.browser(), client, &request, person).await
    }

    /// The answer to a refresh.
    pub async fn refresh(&self, client: &TestClient, refresh_token: &str) -> super::answer::Answer {
        self.token(client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// A refresh that must succeed.
    pub async fn refreshed(&self, client: &TestClient, refresh_token: &str) -> Tokens {
        Tokens { body: self.refresh(client, refresh_token).await.json() }
    }

    /// Asserts that nothing of a family works any more: neither its access token, nor its refresh token, and that
    /// introspection says so.
    pub async fn assert_family_is_over(&self, client: &TestClient, tokens: &Tokens) {
        self.assert_access_token_is_over(client, tokens.access()).await;
        self.refresh(client, tokens.refresh()).await.assert_error(
            400,
            "invalid_grant",
            "the refresh token is not valid",
        );
        self.introspect(client, tokens.refresh()).await.assert_inactive();
    }

    pub async fn assert_access_token_is_over(&self, client: &TestClient, token: &str) {
        let description = "the access token is invalid, expired or revoked";
        self.userinfo(token).await.assert_bearer_error(401, "invalid_token", description);
        self.introspect(client, token).await.assert_inactive();
    }

    /// Asserts that a family still works: the access token at userinfo, and the refresh token by using it.
    pub async fn assert_family_stands(&self, client: &TestClient, tokens: &Tokens) -> Tokens {
        assert_eq!(self.userinfo(tokens.access()).await.status, 200, "the access token is still good");
        self.refreshed(client, tokens.refresh()).await
    }
}
