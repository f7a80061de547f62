//! The demo application of the development mode, in the same process as its issuer.

use ostiary::config::Installation;
use ostiary::model::client::{ClientAuthMethod, ClientSettings, ConsentPolicy, GrantType};

use url::Url;

use crate::harness::{Browser, Page, TestApp, TestClient, encode, parameters};

/// A server with the demo and its client.
pub async fn demo() -> (TestApp, TestClient) {
    let app = TestApp::with_config(|config| config.installation = Installation::Dev).await;
    let settings = ClientSettings {
        redirect_uris: vec![format!("{}/demo/callback", app.issuer())],
        post_logout_redirect_uris: vec![format!("{}/", app.issuer())],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scopes: ["openid", "profile", "email", "address", "phone"].map(str::to_owned).to_vec(),
        token_endpoint_auth_method: ClientAuthMethod::None,
        consent: ConsentPolicy::FirstParty,
        ..ClientSettings::default()
    };
    let client = app.insert_client("demo-browser", settings).await;
    (app, client)
}

async fn signed_in(app: &TestApp) -> (Browser, Page) {
    let alice = app.alice().await;
    let mut browser = app.browser();
    let home = browser.open("/").await;
    let login = browser.submit(&home, "demo-sign-in", &[]).await;
    let home = browser.log_in(&login, &alice).await;
    home.assert_shown("/", &["verified", "demo-refresh"]);
    (browser, home)
}

#[tokio::test]
async fn a_refresh_that_fails_for_a_while_forgets_nobody() {
    let (app, client) = demo().await;
    let (mut browser, home) = signed_in(&app).await;
    app.change_client(&client, |client| client.enabled = false).await;
    let failed = browser.submit(&home, "demo-refresh", &[]).await;
    assert!(failed.has("demo-failed"), "{failed:?}");
    assert!(failed.text("demo-failure").starts_with("invalid_client: "), "{failed:?}");
    assert!(failed.visible_text().contains("You stay signed in"), "{failed:?}");
    let home = browser.open("/").await;
    home.assert_shown("/", &["verified", "demo-refresh"]);
    app.change_client(&client, |client| client.enabled = true).await;
    let home = browser.submit(&home, "demo-refresh", &[]).await;
    home.assert_shown("/", &["refreshed"]);
    // What came with the refresh is what the next one needs.
    browser.submit(&home, "demo-refresh", &[]).await.assert_shown("/", &["refreshed"]);
}

#[tokio::test]
async fn a_refresh_after_the_end_of_the_grant_says_that_the_sign_in_is_over() {
    let (app, _) = demo().await;
    let (mut browser, home) = signed_in(&app).await;
    let question = browser.open("/logout").await;
    browser.submit(&question, "logout-confirm", &[]).await;
    let failed = browser.submit(&home, "demo-refresh", &[]).await;
    assert!(failed.text("demo-failure").starts_with("invalid_grant: "), "{failed:?}");
    assert!(failed.visible_text().contains("is over"), "{failed:?}");
    browser.open("/").await.assert_shown("/", &["demo-sign-in"]);
}

#[tokio::test]
async fn signing_out_signs_out_at_the_issuer_too() {
    let (app, _) = demo().await;
    let (mut browser, home) = signed_in(&app).await;
    let home = browser.submit(&home, "demo-sign-out", &[]).await;
    home.assert_shown("/", &["demo-sign-in"]);
    assert!(!home.has("verified") && !home.has("claims"), "{home:?}");
    browser.submit(&home, "demo-sign-in", &[]).await.assert_login();
}

#[tokio::test]
async fn a_form_of_another_site_does_nothing() {
    let (app, _) = demo().await;
    let (mut browser, _) = signed_in(&app).await;
    let foreign = [
        &[("origin", "https://elsewhere.example")][..],
        &[("origin", "null"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ];
    for path in ["/demo/sign-in", "/demo/refresh", "/demo/sign-out"] {
        for headers in foreign {
            let call = app.post(path).header("cookie", &browser.cookie_header()).form(&[]);
            let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
            let answer = call.send().await;
            assert_eq!(answer.status, 403, "{path} {headers:?} {answer:?}");
            assert!(answer.body.contains("the form did not come from this page"), "{path} {headers:?} {answer:?}");
            assert_eq!(answer.header("set-cookie"), None, "{path} {headers:?} {answer:?}");
        }
    }
    let home = browser.open("/").await;
    home.assert_shown("/", &["verified", "demo-refresh"]);
    assert!(!home.has("refreshed"), "{home:?}");
}

#[tokio::test]
async fn a_form_that_says_nothing_of_its_origin_counts() {
    let (app, _) = demo().await;
    let (mut browser, home) = signed_in(&app).await;
    let sign_out = || app.post("/demo/sign-out");
    // With another browser's memory, and with none: nobody is signed out.
    for call in [sign_out(), sign_out().header("cookie", "ostiary_demo=planted")] {
        let answer = call.send().await;
        assert_eq!(answer.status, 303, "{answer:?}");
        assert_eq!(answer.header("location"), Some(format!("{}/", app.issuer()).as_str()));
    }
    browser.open("/").await.assert_shown("/", &["verified"]);
    let answer = sign_out().header("cookie", &browser.cookie_header()).send().await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let location = Url::parse(answer.header("location").unwrap()).unwrap();
    assert_eq!(location.path(), "/logout");
    let said = parameters(location.query().unwrap());
    let raw = home.texts("#id-token details pre").pop().unwrap();
    let asked =
        [("client_id", "demo-browser"), ("id_token_hint", &raw), ("post_logout_redirect_uri", home.url.as_str())];
    assert_eq!(said, asked.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    browser.open("/").await.assert_shown("/", &["demo-sign-in"]);
}

#[tokio::test]
async fn only_the_issuers_answer_to_what_was_asked_is_taken() {
    let (app, _) = demo().await;
    let begun = app.post("/demo/sign-in").form(&[]).send().await;
    assert_eq!(begun.status, 303, "{begun:?}");
    let request = Url::parse(begun.header("location").unwrap()).unwrap();
    let request = parameters(request.query().unwrap());
    assert_eq!(request["redirect_uri"], format!("{}/demo/callback", app.issuer()));
    let cookie = begun.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let come_back = async |cookie: &str, answer: &[(&str, &str)]| {
        let call = app.get(&format!("/demo/callback?{}", encode(answer))).header("cookie", cookie);
        let answer = call.header("accept", "text/html").send().await;
        assert_eq!(answer.status, 400, "{answer:?}");
        Page { url: app.issuer().parse().unwrap(), answer, has_left: false }.text("demo-failure")
    };
    let (state, iss) = (("state", request["state"].as_str()), ("iss", app.issuer()));
    let unasked = "The state is not one that this application sent.";
    assert_eq!(come_back(&cookie, &[("code", "x"), ("state", "guessed"), iss]).await, unasked);
    assert_eq!(come_back(&cookie, &[("code", "x"), iss]).await, unasked);
    // Another browser did not ask.
    assert_eq!(come_back("ostiary_demo=planted", &[("code", "x"), state, iss]).await, unasked);
    let foreign = "The answer names another issuer (iss).";
    assert_eq!(come_back(&cookie, &[("code", "x"), state, ("iss", "https://evil.example")]).await, foreign);
    assert_eq!(come_back(&cookie, &[("code", "x"), state]).await, foreign);
    let nothing = "The answer has neither a code nor an error.";
    assert_eq!(come_back(&cookie, &[state, iss]).await, nothing);
    let refused = [("error", "access_denied"), ("error_description", "no"), state, iss];
    assert_eq!(come_back(&cookie, &refused).await, "access_denied: no");
    let said = come_back(&cookie, &[("code", "x"), state, iss]).await;
    assert!(said.starts_with("invalid_grant: "), "{said}");
}
