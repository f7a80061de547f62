//! OpenID Connect Front-Channel Logout 1.0.

use url::Url;

use crate::harness::{Authorization, TestApp, parameters};

const GOODBYE: &str = "https://web.example/goodbye";

#[tokio::test]
async fn the_logged_out_page_loads_the_clients_address_with_iss_and_sid() {
    let app = TestApp::start().await;
    let uri = "https://web.example/frontchannel?keep=this";
    let client = app
        .web_client_with(|settings| {
            settings.frontchannel_logout_uri = Some(uri.into());
            settings.frontchannel_logout_session_required = true;
        })
        .await;
    let plain = app
        .public_client_with(|settings| settings.frontchannel_logout_uri = Some("https://app.example/bye".into()))
        .await;
    let silent = app.web_client().await;
    let alice = app.alice().await;
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, &client, &Authorization::of(&client), &alice).await;
    for other in [&plain, &silent] {
        app.tokens_in(&mut browser, other, &Authorization::of(other), &alice).await;
    }
    let path = format!("/logout?id_token_hint={}&post_logout_redirect_uri={GOODBYE}&state=x", tokens.id());
    let page = browser.open(&path).await;
    assert!(page.has("logged-out"), "{page:?}");
    page.assert_page_headers();
    let mut frames = page.attributes("iframe", "src");
    frames.sort_unstable();
    let [first, second] = &frames[..] else { panic!("two frames: {frames:?}") };
    assert_eq!(first, "https://app.example/bye");
    let frame = Url::parse(second).unwrap();
    assert!(second.starts_with("https://web.example/frontchannel?keep=this&"), "{second}");
    let sent = parameters(frame.query().unwrap());
    let sid = tokens.id_claims(&app).await["sid"].as_str().unwrap().to_owned();
    let expected = [("iss", app.issuer()), ("keep", "this"), ("sid", sid.as_str())];
    assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let mut sources: Vec<String> = page.policy()["frame-src"].split(' ').map(ToOwned::to_owned).collect();
    sources.sort_unstable();
    assert_eq!(sources, ["https://app.example", "https://web.example"]);
    // And then on to the client, with the state only.
    assert_eq!(page.attribute("continue", "href").as_deref(), Some("https://web.example/goodbye?state=x"));
    let request = Authorization::of(&client).with("prompt", "none");
    let answer = browser.open(&request.path()).await.returned_error(&client.redirect_uri);
    let expected = [("error", "login_required"), ("iss", app.issuer()), ("state", request.value("state"))];
    assert_eq!(answer, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn clients_of_another_session_are_not_called() {
    let app = TestApp::start().await;
    let client =
        app.web_client_with(|settings| settings.frontchannel_logout_uri = Some("https://web.example/bye".into())).await;
    let other = app.web_client().await;
    let alice = app.alice().await;
    app.tokens(&client, &alice, "openid").await;
    let mut browser = app.browser();
    let tokens = app.tokens_in(&mut browser, &other, &Authorization::of(&other), &alice).await;
    let page = browser.open(&format!("/logout?id_token_hint={}", tokens.id())).await;
    assert!(page.has("logged-out"));
    assert_eq!(page.attributes("iframe", "src"), Vec::<String>::new());
}
