//! A frontend of the operator's own: a page of another origin, of the same site, that takes the place of our pages.

use http::Method;
use ostiary::config::Config;
use ostiary::model::client::{ClientSettings, ConsentPolicy};
use serde_json::{Value, json};
use url::Url;

use crate::harness::{
    Answer, Authorization, Browser, PASSWORD, PHOTOS_API, Page, TestApp, TestClient, TestPerson, jwt, parameters,
};

/// Its origin: the port makes it another one than the issuer's, the host the same site.
const ORIGIN: &str = "http://127.0.0.1:5173";
/// Origins that are configured, but not as the frontend; and some that are not.
const CONFIGURED: &str = "http://127.0.0.1:5174";
const OTHERS: [&str; 4] = [CONFIGURED, "http://localhost:5173", "https://elsewhere.example", "null"];

const FORGED: &str = "the csrf token is missing or not the one of this browser";
const UNKNOWN: &str = "the sign-in is unknown in this browser, start again at the application";
const UNREADABLE: &str = "the body must be a JSON object with the members of this endpoint";
const JSON: &str = "application/json";

/// The frontend as it runs in one person's browser.
pub struct Frontend {
    pub app: TestApp,
    pub client: TestClient,
    alice: TestPerson,
    pub browser: Browser,
    csrf: String,
}

async fn server() -> TestApp {
    TestApp::with_config(settings).await
}

/// The settings of a server that has this frontend.
pub fn settings(config: &mut Config) {
    config.server.frontend_base_url = Some(format!("{ORIGIN}/app/"));
    config.server.cors_allowed_origins = vec![CONFIGURED.to_owned()];
    config.throttle.per_account_and_network = 3;
}

fn asking(settings: &mut ClientSettings) {
    settings.consent = ConsentPolicy::Remembered;
}

impl Frontend {
    async fn open() -> Self {
        Self::with_client(asking).await
    }

    async fn with_client(change: impl FnOnce(&mut ClientSettings)) -> Self {
        Self::at(server().await, change).await
    }

    /// The frontend of that server, whose person is asked for consent.
    pub async fn of(app: TestApp) -> Self {
        Self::at(app, asking).await
    }

    async fn at(app: TestApp, change: impl FnOnce(&mut ClientSettings)) -> Self {
        let (client, alice) = (app.web_client_with(change).await, app.alice().await);
        let mut frontend = Self { browser: app.browser(), app, client, alice, csrf: String::new() };
        frontend.csrf = frontend.session().await["csrf"].as_str().expect("a token").to_owned();
        frontend
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.browser.fetch(ORIGIN, Method::GET, path, None).await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.browser.fetch(ORIGIN, Method::POST, path, Some((JSON, &body.to_string()))).await
    }

    async fn session(&mut self) -> Value {
        read(&self.get("/auth/session").await)
    }

    /// What an attempt needs next.
    async fn step(&mut self, interaction: &str) -> Value {
        read(&self.get(&format!("/authorize/consent?interaction={interaction}")).await)
    }

    /// What `/auth/login` is sent.
    pub fn credentials(&self, interaction: &str, username: &str) -> Value {
        json!({ "interaction": interaction, "csrf": self.csrf, "username": username, "password": PASSWORD })
    }

    pub async fn log_in(&mut self, interaction: &str, username: &str) -> Value {
        let body = self.credentials(interaction, username);
        read(&self.post("/auth/login", &body).await)
    }

    /// What `/authorize/decision` is sent.
    pub fn decision(&self, interaction: &str, decision: &str, account: Option<&str>) -> Value {
        json!({ "interaction": interaction, "csrf": self.csrf, "decision": decision, "account": account })
    }

    async fn decide(&mut self, interaction: &str, decision: &str, account: Option<&str>) -> Value {
        let body = self.decision(interaction, decision, account);
        read(&self.post("/authorize/decision", &body).await)
    }

    /// Opens a request and is sent to a page of the frontend; answers the attempt.
    pub async fn begin(&mut self, request: &Authorization, page: &str) -> String {
        at_frontend(&self.browser.open(&request.path()).await, page, "")
    }
}

/// The browser left for that page of the frontend, with the attempt and `more` in the query.
#[track_caller]
fn at_frontend(page: &Page, path: &str, more: &str) -> String {
    assert!(page.has_left, "{page:?}");
    let query = parameters(page.url.query().expect("a query"));
    let interaction = query["interaction"].clone();
    assert_eq!(page.url.as_str(), format!("{ORIGIN}/app{path}?interaction={interaction}{more}"));
    interaction
}

/// The JSON of a success, if the browser lets the frontend's script read it.
#[track_caller]
pub fn read(answer: &Answer) -> Value {
    assert_readable(answer);
    answer.assert_not_stored();
    answer.json()
}

#[track_caller]
pub fn assert_readable(answer: &Answer) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"), "{answer:?}");
    assert!(answer.header("vary").is_some_and(|vary| vary.contains("origin")), "{answer:?}");
}

/// Where the browser is sent at the end: at the client, with these parameters.
#[track_caller]
pub fn returned(step: &Value, client: &TestClient) -> std::collections::BTreeMap<String, String> {
    assert_eq!(step["next"], "redirect", "{step}");
    let location = Url::parse(step["location"].as_str().expect("an address")).expect("an address");
    assert!(location.as_str().starts_with(&format!("{}?", client.redirect_uri)), "{location}");
    parameters(location.query().expect("a query"))
}

#[track_caller]
fn interaction(step: &Value) -> String {
    step["interaction"].as_str().unwrap_or_else(|| panic!("an attempt in {step}")).to_owned()
}

#[tokio::test]
async fn a_whole_sign_in_with_consent_ends_with_tokens() {
    let mut frontend = Frontend::open().await;
    let scope = "openid photos.read offline_access";
    let request = Authorization::of(&frontend.client).with("scope", scope).with("resource", PHOTOS_API);
    let request = request.with("login_hint", "alice");
    let id = frontend.begin(&request, "/login").await;
    let asker = json!({
        "client_id": frontend.client.id, "name": "Photo Album", "uri": null, "logo": null, "policy_uri": null,
        "tos_uri": null,
    });
    let login = json!({
        "next": "login", "interaction": id, "is_again": false, "username": "alice", "client": asker,
    });
    assert_eq!(frontend.step(&id).await, login);
    assert_eq!(frontend.session().await, json!({ "csrf": frontend.csrf, "person": null }));

    let consent = frontend.log_in(&id, "alice").await;
    let alice = frontend.alice.sub().to_owned();
    let question = json!({
        "client": asker,
        "scopes": [{ "name": "photos.read", "description": "See your photos" }],
        "resources": [{ "name": PHOTOS_API, "description": "Photos" }],
        "is_offline": true,
        "returns_to": "web.example",
    });
    let expected = json!({
        "next": "consent", "interaction": id, "account": alice,
        "person": { "name": "Alice Adams", "username": "alice" }, "question": question,
    });
    assert_eq!(consent, expected);
    assert_eq!(frontend.step(&id).await, expected, "asked again, the same");
    let person = json!({ "account": alice, "name": "Alice Adams", "username": "alice" });
    assert_eq!(frontend.session().await, json!({ "csrf": frontend.csrf, "person": person }));

    let answer = returned(&frontend.decide(&id, "allow", Some(&alice)).await, &frontend.client);
    assert_eq!(answer["state"], request.value("state"));
    assert_eq!(answer["iss"], frontend.app.issuer());
    let redemption = frontend.app.redemption(&request, &answer["code"]);
    let tokens = frontend.app.token(&frontend.client, &redemption).await.json();
    let claims = jwt::verify(&frontend.app, tokens["id_token"].as_str().unwrap()).await.claims;
    assert_eq!((&claims["sub"], &claims["nonce"]), (&json!(alice), &json!(request.value("nonce"))));

    // What was allowed is remembered, and no page is needed any more.
    let request = Authorization::of(&frontend.client).with("scope", "openid photos.read").with("resource", PHOTOS_API);
    frontend.browser.open(&request.path()).await.returned_code(&frontend.client.redirect_uri);
}

#[tokio::test]
async fn a_frontend_is_told_in_words_what_is_asked_for_in_particular() {
    let app = server().await;
    let known = json!({
        "type": "payment",
        "schema": {
            "type": "object", "additionalProperties": false,
            "properties": {"amount": {"type": "string"}, "to": {"type": "string"}},
        },
        "name": {"en": "Payment"},
        "sentence": {"en": "Pay {amount} to {to}"},
    });
    app.admin(&["admin:clients"]).await.post("/admin/authorization-details-types", &known).await.document(201);
    let may_pay = |settings: &mut ClientSettings| {
        asking(settings);
        settings.authorization_details_types = vec!["payment".into()];
    };
    let mut frontend = Frontend::at(app, may_pay).await;
    let details = json!([{"type": "payment", "amount": "5 EUR", "to": "Ada"}, {"type": "payment", "amount": "6 EUR"}]);
    let request = Authorization::of(&frontend.client).with("authorization_details", &details.to_string());
    let id = frontend.begin(&request, "/login").await;
    let consent = frontend.log_in(&id, "alice").await;
    let member = |name: &str, said: &str| json!({"name": name, "description": said});
    let expected = json!([
        {"name": "Payment", "sentence": "Pay 5 EUR to Ada", "members": [member("amount", "5 EUR"), member("to", "Ada")]},
        {"name": "Payment", "members": [member("amount", "6 EUR")]},
    ]);
    assert_eq!(consent["question"]["authorization_details"], expected);
}

#[tokio::test]
async fn the_preflight_lets_the_frontend_call_with_cookies_and_nobody_else() {
    let app = server().await;
    let preflight = async |app: &TestApp, origin: &str, path: &str, method: &str| {
        app.request(Method::OPTIONS, path)
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "content-type")
            .send()
            .await
    };
    let endpoints = [
        ("/auth/session", "GET"),
        ("/authorize/consent", "GET"),
        ("/auth/login", "POST"),
        ("/authorize/decision", "POST"),
    ];
    let without = TestApp::with_config(|config| {
        config.server.cors_allowed_origins = vec![CONFIGURED.to_owned()];
    })
    .await;
    for (path, method) in endpoints {
        let answer = preflight(&app, ORIGIN, path, method).await;
        assert_readable(&answer);
        assert_eq!(answer.header("access-control-allow-headers"), Some("content-type"), "{path}");
        assert!(answer.header("access-control-allow-methods").is_some_and(|allowed| allowed.contains(method)));
        for origin in OTHERS {
            let refused = preflight(&app, origin, path, method).await;
            assert_eq!(refused.header("access-control-allow-origin"), None, "{origin} {path}");
        }
        for origin in [ORIGIN, CONFIGURED] {
            let refused = preflight(&without, origin, path, method).await;
            assert_eq!(refused.header("access-control-allow-origin"), None, "no frontend, and {origin} is none");
        }
    }
    // What clients call is open to configured origins, without cookies.
    let token = preflight(&app, CONFIGURED, "/token", "POST").await;
    assert_eq!(token.header("access-control-allow-origin"), Some(CONFIGURED));
    assert_eq!(token.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn another_origin_reads_nothing_and_changes_nothing() {
    let mut frontend = Frontend::open().await;
    let id = frontend.begin(&Authorization::of(&frontend.client), "/login").await;
    let consent = frontend.log_in(&id, "alice").await;
    for origin in OTHERS {
        let session = frontend.browser.fetch(origin, Method::GET, "/auth/session", None).await;
        assert_eq!(session.header("access-control-allow-origin"), None, "{origin}");
        let login = json!({ "csrf": frontend.csrf, "username": "alice", "password": PASSWORD });
        let decision = json!({
            "csrf": frontend.csrf, "interaction": id, "decision": "allow", "account": consent["account"],
        });
        for (path, body) in [("/auth/login", login), ("/authorize/decision", decision)] {
            let body = body.to_string();
            let refused = frontend.browser.fetch(origin, Method::POST, path, Some((JSON, &body))).await;
            refused.assert_error(403, "access_denied", FORGED);
            assert_eq!(refused.header("access-control-allow-origin"), None, "{origin}");
        }
    }
    assert_eq!(frontend.step(&id).await["next"], "consent", "nothing was allowed meanwhile");
}

#[tokio::test]
async fn a_call_without_the_token_of_this_browser_does_nothing() {
    let mut frontend = Frontend::open().await;
    let id = frontend.begin(&Authorization::of(&frontend.client), "/login").await;
    let mut stranger = frontend.app.browser();
    let foreign = read(&stranger.fetch(ORIGIN, Method::GET, "/auth/session", None).await)["csrf"].clone();
    assert_ne!(foreign, frontend.csrf.as_str());
    for token in [json!(null), json!(""), json!("x"), foreign] {
        let login = json!({ "interaction": id, "csrf": token, "username": "alice", "password": PASSWORD });
        let refused = frontend.post("/auth/login", &login).await;
        refused.assert_error(403, "access_denied", FORGED);
        assert_readable(&refused);
        let decision = json!({ "interaction": id, "csrf": token, "decision": "deny" });
        frontend.post("/authorize/decision", &decision).await.assert_error(403, "access_denied", FORGED);
    }
    let login = json!({ "interaction": id, "username": "alice", "password": PASSWORD });
    frontend.post("/auth/login", &login).await.assert_error(403, "access_denied", FORGED);
    assert_eq!(frontend.session().await["person"], json!(null));
    assert_eq!(frontend.step(&id).await["next"], "login");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_guessing_is_slowed() {
    let mut frontend = Frontend::open().await;
    let id = frontend.begin(&Authorization::of(&frontend.client), "/login").await;
    let wrong = json!({ "interaction": id, "csrf": frontend.csrf, "username": "alice", "password": "wrong" });
    let nobody = json!({ "interaction": id, "csrf": frontend.csrf, "username": "nobody", "password": "wrong" });
    for body in [&wrong, &nobody, &wrong, &wrong] {
        let refused = frontend.post("/auth/login", body).await;
        assert_readable(&refused);
        assert_eq!((refused.status, refused.body.as_str()), (403, r#"{"problem":"refused"}"#));
    }
    let throttled = frontend.post("/auth/login", &wrong).await;
    assert_eq!((throttled.status, throttled.body.as_str()), (429, r#"{"problem":"throttled"}"#));
    assert!(throttled.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    let exposed = throttled.header("access-control-expose-headers").unwrap_or_default();
    assert!(exposed.contains("retry-after"), "the script can read it: {exposed}");
    for (username, password) in [("", PASSWORD), ("alice", ""), ("", "")] {
        let body = json!({ "interaction": id, "csrf": frontend.csrf, "username": username, "password": password });
        let refused = frontend.post("/auth/login", &body).await;
        refused.assert_error(400, "invalid_request", "username and password are needed");
    }
    assert_eq!(frontend.session().await["person"], json!(null));
}

#[tokio::test]
async fn denial_is_told_to_the_client_and_a_double_click_as_well() {
    let mut frontend = Frontend::open().await;
    for is_signed_in in [false, true] {
        let request = Authorization::of(&frontend.client);
        let id = frontend.begin(&request, if is_signed_in { "/consent" } else { "/login" }).await;
        for _ in 0..2 {
            let answer = returned(&frontend.decide(&id, "deny", None).await, &frontend.client);
            assert_eq!((answer["error"].as_str(), answer["iss"].as_str()), ("access_denied", frontend.app.issuer()));
            assert_eq!(answer["state"], request.value("state"));
        }
        frontend.app.pass_seconds(61);
        frontend.get(&format!("/authorize/consent?interaction={id}")).await.assert_error(
            400,
            "invalid_request",
            UNKNOWN,
        );
        if !is_signed_in {
            let id = frontend.begin(&Authorization::of(&frontend.client), "/login").await;
            frontend.log_in(&id, "alice").await;
        }
    }
}

#[tokio::test]
async fn an_expired_attempt_begins_anew_at_every_step() {
    let mut frontend = Frontend::open().await;
    let expire = |frontend: &Frontend| frontend.app.pass(chrono::TimeDelta::minutes(31));
    let request = Authorization::of(&frontend.client);
    let first = frontend.begin(&request, "/login").await;
    expire(&frontend);
    let login = frontend.step(&first).await;
    let second = interaction(&login);
    assert_eq!(login["next"], "login");
    assert_ne!(second, first);
    expire(&frontend);
    let consent = frontend.log_in(&second, "alice").await;
    let third = interaction(&consent);
    assert_eq!(consent["next"], "consent");
    assert_ne!(third, second);
    expire(&frontend);
    let alice = frontend.alice.sub().to_owned();
    let again = frontend.decide(&third, "allow", Some(&alice)).await;
    let fourth = interaction(&again);
    assert_eq!(again["next"], "consent", "an expired question allows nothing");
    expire(&frontend);
    let answer = returned(&frontend.decide(&fourth, "deny", None).await, &frontend.client);
    assert_eq!((answer["error"].as_str(), answer["state"].as_str()), ("access_denied", request.value("state")));
    // Nobody took a step in this one: it is soon forgotten.
    let left = frontend.begin(&Authorization::of(&frontend.client), "/consent").await;
    frontend.app.pass(chrono::TimeDelta::minutes(61));
    frontend.get(&format!("/authorize/consent?interaction={left}")).await.assert_error(400, "invalid_request", UNKNOWN);
}

#[tokio::test]
async fn an_attempt_belongs_to_its_browser() {
    let mut frontend = Frontend::open().await;
    let id = frontend.begin(&Authorization::of(&frontend.client), "/login").await;
    frontend.browser = frontend.app.browser();
    frontend.csrf = frontend.session().await["csrf"].as_str().unwrap().to_owned();
    for id in [id.as_str(), "x", "%20", &"a".repeat(43)] {
        let path = format!("/authorize/consent?interaction={id}");
        frontend.get(&path).await.assert_error(400, "invalid_request", UNKNOWN);
        let login = json!({ "interaction": id, "csrf": frontend.csrf, "username": "alice", "password": PASSWORD });
        frontend.post("/auth/login", &login).await.assert_error(400, "invalid_request", UNKNOWN);
        for decision in ["allow", "continue", "deny"] {
            let body = json!({ "interaction": id, "csrf": frontend.csrf, "decision": decision });
            frontend.post("/authorize/decision", &body).await.assert_error(400, "invalid_request", UNKNOWN);
        }
    }
    let missing = frontend.get("/authorize/consent").await;
    missing.assert_error(400, "invalid_request", "the parameter interaction is missing");
    assert_eq!(frontend.session().await["person"], json!(null), "nobody was signed in on the way");
}

#[tokio::test]
async fn a_body_that_is_not_as_described_is_refused() {
    let mut frontend = Frontend::open().await;
    let csrf = frontend.csrf.clone();
    let bodies = [
        String::new(),
        "{".to_owned(),
        "null".to_owned(),
        "\"text\"".to_owned(),
        format!("[\"{csrf}\", null, \"alice\", \"{PASSWORD}\"]"),
        format!("[\"{csrf}\", \"x\", \"deny\", null]"),
        format!("{{\"csrf\": \"{csrf}\"}} {{}}"),
        format!("{{\"csrf\": \"{csrf}\", \"csrf\": \"{csrf}\"}}"),
        format!("{{\"csrf\": \"{csrf}\", \"interaction\": 7, \"username\": [], \"decision\": \"allow\"}}"),
        format!("{{\"csrf\": \"{csrf}\", \"interaction\": \"x\", \"username\": {{}}, \"decision\": \"maybe\"}}"),
    ];
    for path in ["/auth/login", "/authorize/decision"] {
        for body in &bodies {
            let answer = frontend.browser.fetch(ORIGIN, Method::POST, path, Some((JSON, body))).await;
            answer.assert_error(400, "invalid_request", UNREADABLE);
            assert_readable(&answer);
        }
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"] {
            let body = json!({ "csrf": csrf, "interaction": "x", "decision": "deny" }).to_string();
            let answer = frontend.browser.fetch(ORIGIN, Method::POST, path, Some((content_type, &body))).await;
            answer.assert_error(415, "invalid_request", "the content type must be application/json");
        }
        let none = frontend.browser.fetch(ORIGIN, Method::POST, path, None).await;
        none.assert_error(415, "invalid_request", "the content type must be application/json");
        let large = json!({ "csrf": csrf, "password": "x".repeat(70_000) });
        let answer = frontend.post(path, &large).await;
        answer.assert_error(413, "invalid_request", "the request body is too large");
    }
}

#[tokio::test]
async fn members_that_are_not_known_are_ignored() {
    let mut frontend = Frontend::open().await;
    let id = frontend.begin(&Authorization::of(&frontend.client), "/login").await;
    let login = json!({
        "interaction": id, "csrf": frontend.csrf, "username": "alice", "password": PASSWORD, "remember": { "me": [true] },
    });
    let content_type = "application/json; charset=utf-8";
    let body = login.to_string();
    let consent = read(&frontend.browser.fetch(ORIGIN, Method::POST, "/auth/login", Some((content_type, &body))).await);
    let decision = json!({
        "interaction": id, "csrf": frontend.csrf, "decision": "allow", "account": consent["account"], "scopes": ["none"],
    });
    let answer = returned(&read(&frontend.post("/authorize/decision", &decision).await), &frontend.client);
    assert!(answer.contains_key("code"), "{answer:?}");
}

#[tokio::test]
async fn an_account_is_chosen_or_changed() {
    let mut frontend = Frontend::with_client(|_| {}).await;
    let bob = frontend.app.bob().await;
    let select = Authorization::of(&frontend.client).with("prompt", "select_account");
    let id = frontend.begin(&select, "/login").await;
    returned(&frontend.log_in(&id, "alice").await, &frontend.client);
    let alice = frontend.alice.sub().to_owned();
    // Going on with the account that is signed in.
    let id = frontend.begin(&select, "/select-account").await;
    let step = frontend.step(&id).await;
    assert_eq!((step["next"].as_str(), &step["account"]), (Some("select_account"), &json!(alice)));
    assert_eq!(step["person"], json!({ "name": "Alice Adams", "username": "alice" }));
    assert_eq!(step["client"]["name"], "Photo Album");
    for account in [None, Some(bob.sub()), Some("")] {
        let step = frontend.decide(&id, "continue", account).await;
        assert_eq!(step["next"], "select_account", "that account was not asked: {account:?}");
    }
    returned(&frontend.decide(&id, "continue", Some(&alice)).await, &frontend.client);
    // Another account is a sign-in.
    let id = frontend.begin(&select, "/select-account").await;
    let answer = returned(&frontend.log_in(&id, "bob").await, &frontend.client);
    assert!(answer.contains_key("code"), "{answer:?}");
    assert_eq!(frontend.session().await["person"]["account"], bob.sub());
}

#[tokio::test]
async fn whoever_must_sign_in_again_is_told_so_and_their_name_is_filled_in() {
    let mut frontend = Frontend::with_client(|_| {}).await;
    let request = Authorization::of(&frontend.client);
    let id = frontend.begin(&request, "/login").await;
    returned(&frontend.log_in(&id, "alice").await, &frontend.client);
    let again = Authorization::of(&frontend.client).with("prompt", "login").with("login_hint", "bob");
    let id = frontend.begin(&again, "/login").await;
    let step = frontend.step(&id).await;
    assert_eq!((&step["is_again"], &step["username"]), (&json!(true), &json!("alice")));
    returned(&frontend.log_in(&id, "alice").await, &frontend.client);
}

#[tokio::test]
async fn a_sign_in_without_an_attempt_ends_at_the_account() {
    let mut frontend = Frontend::open().await;
    let body = json!({ "csrf": frontend.csrf, "username": "alice", "password": PASSWORD });
    assert_eq!(read(&frontend.post("/auth/login", &body).await), json!({ "next": "account" }));
    assert_eq!(frontend.session().await["person"]["username"], "alice");
}

#[tokio::test]
async fn a_request_without_pages_gets_none_in_the_frontend_either() {
    let mut frontend = Frontend::open().await;
    let request = Authorization::of(&frontend.client).with("prompt", "none");
    let page = frontend.browser.open(&request.path()).await;
    assert_eq!(page.returned_error(&frontend.client.redirect_uri)["error"], "login_required");
    // A request in a form waits for the redirect after it; the frontend may not make a page of what waits.
    let posted = frontend.app.post("/authorize").form(&request.parameters()).send().await;
    let resume = Url::parse(posted.header("location").expect("a redirect")).unwrap();
    let id = parameters(resume.query().unwrap())["interaction"].clone();
    let answer = returned(&frontend.step(&id).await, &frontend.client);
    assert_eq!(answer["error"], "login_required");
    let answer = returned(&frontend.log_in(&id, "alice").await, &frontend.client);
    assert_eq!(answer["error"], "consent_required");
}

#[tokio::test]
async fn a_form_post_is_told_with_its_fields() {
    let mut frontend = Frontend::with_client(|_| {}).await;
    let request = Authorization::of(&frontend.client).with("response_mode", "form_post");
    let id = frontend.begin(&request, "/login").await;
    let step = frontend.log_in(&id, "alice").await;
    assert_eq!(
        (step["next"].as_str(), step["action"].as_str()),
        (Some("form_post"), Some("https://web.example/callback"))
    );
    let fields = step["fields"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["code", "state", "iss"]);
    assert_eq!(fields["state"], request.value("state"));
}

#[tokio::test]
async fn who_is_signed_in_is_not_told_of_a_session_that_is_over() {
    let mut frontend = Frontend::with_client(|_| {}).await;
    for is_idle in [false, true] {
        let id = frontend.begin(&Authorization::of(&frontend.client).with("prompt", "login"), "/login").await;
        frontend.log_in(&id, "alice").await;
        assert_eq!(frontend.session().await["person"]["username"], "alice");
        if is_idle {
            frontend.app.pass(chrono::TimeDelta::hours(2));
        } else {
            let (postgres, now) = (&frontend.app.app.postgres, frontend.app.now());
            postgres.sign_out_everywhere(&frontend.alice.subject, now).await.unwrap();
        }
        assert_eq!(frontend.session().await["person"], json!(null));
    }
}

#[tokio::test]
async fn every_page_redirect_of_an_attempt_leads_to_the_frontend() {
    let mut frontend = Frontend::open().await;
    let Frontend { app, browser, client, alice, .. } = &mut frontend;
    // From our own pages too, whose policy lets the browser follow.
    let id = at_frontend(&browser.open(&Authorization::of(client).path()).await, "/login", "");
    let own = browser.open(&format!("/login?interaction={id}")).await;
    own.assert_login();
    assert_eq!(at_frontend(&browser.log_in(&own, alice).await, "/consent", ""), id);
    let consent = browser.open(&format!("/consent?interaction={id}")).await;
    let switch = format!("{ORIGIN}/app/login?interaction={id}&switch=1");
    assert_eq!(consent.attribute("consent-switch", "href"), Some(switch));
    let select = Authorization::of(client).with("prompt", "select_account");
    let id = at_frontend(&browser.open(&select.path()).await, "/select-account", "");
    let own = browser.open(&format!("/select-account?interaction={id}")).await;
    at_frontend(&browser.submit(&own, "account-another", &[]).await, "/login", "&switch=1");
    at_frontend(&browser.submit(&own, "account-continue", &[]).await, "/consent", "");
    // A POST to the authorization endpoint, the back button, and an attempt that expired.
    let posted = app.browser().post_from_elsewhere("/authorize", &select.parameters()).await;
    at_frontend(&posted, "/login", "");
    at_frontend(&browser.open(&format!("/login?interaction={id}")).await, "/consent", "");
    app.pass(chrono::TimeDelta::minutes(31));
    let anew = browser.open(&format!("/login?interaction={id}")).await;
    assert_ne!(at_frontend(&anew, "/login", "&notice=expired"), id);
    let anew = browser.open(&format!("/consent?interaction={id}")).await;
    assert_ne!(at_frontend(&anew, "/select-account", ""), id);
}

#[tokio::test]
async fn whoever_finds_no_free_thread_is_told_when_to_come_again_and_nothing_is_counted() {
    let mut frontend = Frontend::open().await;
    let busy = frontend.app.busy_instance().await;
    let id = frontend.begin(&Authorization::of(&frontend.client), "/login").await;
    frontend.browser.use_instance(&busy.base);
    // More often than a wrong password may be tried.
    for username in ["alice", "alice", "nobody", "alice", "alice"] {
        let refused = frontend.post("/auth/login", &frontend.credentials(&id, username)).await;
        assert_readable(&refused);
        refused.assert_not_stored();
        assert_eq!((refused.status, refused.body.as_str()), (503, r#"{"problem":"busy"}"#));
        assert_eq!(refused.header("retry-after"), Some("5"));
    }
    frontend.browser.use_instance(&frontend.app.base);
    assert_eq!(frontend.log_in(&id, "alice").await["next"], "consent");
}
