//! Callers of the admin API.

use http::Method;
use ostiary::model::admin_scope::AdminArea;
use ostiary::model::client::GrantType;
use ostiary::model::id::ResourceUri;
use serde_json::Value;

use super::answer::Answer;
use super::app::{Call, TestApp};
use super::authorization::Authorization;
use super::browser::Browser;
use super::client::TestClient;
use super::person::TestPerson;

/// Somebody with an access token for the admin API.
pub struct Admin<'a> {
    app: &'a TestApp,
    pub token: String,
}

impl TestApp {
    /// The resource indicator of the admin API.
    pub fn admin_resource(&self) -> String {
        format!("{}/admin", self.issuer())
    }

    /// A machine with these scopes at the admin API.
    pub async fn admin(&self, scopes: &[&str]) -> Admin<'_> {
        let client = self.admin_client(scopes).await;
        let resource = self.admin_resource();
        let form = [("grant_type", "client_credentials"), ("resource", &resource), ("scope", &scopes.join(" "))];
        let answer = self.token(&client, &form).await;
        let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        Admin { app: self, token }
    }

    /// Whoever has that token.
    pub fn admin_with(&self, token: &str) -> Admin<'_> {
        Admin { app: self, token: token.to_owned() }
    }

    /// A machine with every scope in full: whatever an administrator in person may do, it may.
    pub async fn admin_of_everything(&self) -> Admin<'_> {
        let every: Vec<String> = AdminArea::ALL.map(|area| area.full().name()).into();
        self.admin(&every.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// A client for itself that may ask for these scopes at the admin API.
    pub async fn admin_client(&self, scopes: &[&str]) -> TestClient {
        let (resource, scopes) = (ResourceUri::new(self.admin_resource()), scopes.to_vec());
        self.machine_client_with(|settings| {
            settings.grant_types = vec![GrantType::ClientCredentials];
            settings.resources = vec![resource];
            settings.scopes = scopes.into_iter().map(str::to_owned).collect();
        })
        .await
    }

    /// A token for the admin API that a person gave to an application.
    pub async fn admin_in_person(&self, person: &TestPerson, scopes: &[&str]) -> Admin<'_> {
        let (resource, wanted) = (self.admin_resource(), scopes.join(" "));
        let client = self
            .web_client_with(|settings| {
                settings.resources = vec![ResourceUri::new(&resource)];
                settings.scopes = wanted.split(' ').chain(["openid"]).map(str::to_owned).collect();
            })
            .await;
        let scope = format!("openid {wanted}");
        let request = Authorization::of(&client).with("scope", &scope).and("resource", &resource);
        let code = self.code(&mut self.browser(), &request, person).await;
        let answer = self.token(&client, &self.redemption(&request, &code)).await;
        let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        Admin { app: self, token }
    }
}

impl Admin<'_> {
    pub fn call(&self, method: Method, path: &str) -> Call {
        self.app.request(method, path).bearer(&self.token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path).json(body).send().await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path).json(body).send().await
    }

    /// A change of whatever is there.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        let call = self.call(Method::PATCH, path).header("if-match", "*");
        call.body("application/merge-patch+json", &body.to_string()).send().await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path).header("if-match", "*").send().await
    }
}

impl Answer {
    /// The JSON body of a success with that status.
    #[track_caller]
    pub fn document(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        self.assert_not_stored();
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// A problem (RFC 9457) of that type; what it says beside.
    #[track_caller]
    pub fn problem(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        self.assert_not_stored();
        let body: Value = serde_json::from_str(&self.body).expect("the body is JSON");
        assert_eq!(body["type"], format!("urn:ostiary:problem:{kind}"), "{body}");
        assert_eq!(body["status"], status, "{body}");
        body
    }

    /// The pointers of what is wrong with a body.
    #[track_caller]
    pub fn invalid_members(&self) -> Vec<String> {
        let body = self.problem(422, "invalid-body");
        let errors = body["errors"].as_array().expect("errors");
        errors.iter().map(|error| error["pointer"].as_str().expect("a pointer").to_owned()).collect()
    }
}

impl TestApp {
    /// A call with the cookies of a browser, as the script of a page of ours makes it.
    pub fn fetch(&self, browser: &Browser, method: Method, path: &str) -> Call {
        let call = self.request(method, path).header("cookie", &browser.cookie_header());
        call.header("sec-fetch-site", "same-origin").header("origin", self.issuer())
    }

    /// A browser in which this person is signed in, and its CSRF token.
    pub async fn signed_in(&self, person: &TestPerson) -> (Browser, String) {
        let client = self.web_client().await;
        let mut browser = self.browser();
        browser.authorize(&Authorization::of(&client), person).await;
        let session = self.fetch(&browser, Method::GET, "/auth/session").send().await.json();
        (browser, session["csrf"].as_str().expect("a token").to_owned())
    }
}
