//! Signing out.

use super::{Chromium, RelyingParty};
use crate::harness::{Authorization, TestApp, encode, parameters};

#[tokio::test]
async fn without_a_hint_it_is_asked_first() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::trusted(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    let tokens = client.tokens(&app, &chromium, &request).await;
    chromium.open("/logout").await;
    assert!(chromium.visible_text().await.contains("Alice Adams"));
    chromium.click("logout-cancel").await;
    chromium.element("stayed-signed-in").await;
    app.assert_family_stands(&client.client, &tokens).await;
    chromium.open("/logout").await;
    chromium.click("logout-confirm").await;
    chromium.element("logged-out").await;
    app.assert_access_token_is_over(&client.client, tokens.access()).await;
    chromium.open(&Authorization::of(&client.client).path()).await;
    chromium.shows("/login").await;
    chromium.close().await;
}

#[tokio::test]
async fn with_a_hint_every_client_hears_of_it_in_a_frame_and_the_browser_returns() {
    let app = TestApp::start().await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let client = RelyingParty::with(&app, |settings, base| {
            settings.frontchannel_logout_uri = Some(format!("{base}/frontchannel"));
            settings.frontchannel_logout_session_required = true;
        });
        clients.push(client.await);
    }
    let alice = app.alice().await;
    let chromium = Chromium::start(&app).await;
    let mut issued = Vec::new();
    for client in &mut clients {
        let request = Authorization::of(&client.client);
        chromium.open(&request.path()).await;
        if issued.is_empty() {
            chromium.sign_in(&alice).await;
        }
        issued.push(client.tokens(&app, &chromium, &request).await);
    }
    let goodbye = clients[0].url("/goodbye");
    let asked = [("id_token_hint", issued[0].id()), ("post_logout_redirect_uri", goodbye.as_str()), ("state", "a b")];
    chromium.open(&format!("/logout?{}", encode(&asked))).await;
    chromium.leaves_for(&goodbye).await;
    let sid = issued[0].id_claims(&app).await["sid"].as_str().unwrap().to_owned();
    let expected = [("iss".to_owned(), app.issuer().to_owned()), ("sid".to_owned(), sid)].into();
    for client in &mut clients {
        let received = client.arrival("/frontchannel").await;
        assert_eq!(parameters(received.path.split_once('?').unwrap().1), expected);
    }
    let returned = clients[0].arrival("/goodbye").await;
    assert_eq!(parameters(returned.path.split_once('?').unwrap().1), [("state".into(), "a b".into())].into());
    for (client, tokens) in clients.iter().zip(&issued) {
        app.assert_access_token_is_over(&client.client, tokens.access()).await;
    }
    // Back does not send the person to the client once more.
    chromium.back().await;
    assert!(!chromium.url().await.path().starts_with("/logout"), "{}", chromium.url().await);
    chromium.close().await;
}

#[tokio::test]
async fn without_frames_the_browser_returns_at_once() {
    let app = TestApp::start().await;
    let (mut client, alice) = (RelyingParty::trusted(&app).await, app.alice().await);
    let chromium = Chromium::start(&app).await;
    let request = Authorization::of(&client.client);
    chromium.open(&request.path()).await;
    chromium.sign_in(&alice).await;
    client.tokens(&app, &chromium, &request).await;
    let goodbye = client.url("/goodbye");
    let asked = [("client_id", client.client.id.as_str()), ("post_logout_redirect_uri", goodbye.as_str())];
    chromium.open(&format!("/logout?{}", encode(&asked))).await;
    // Whoever knows the client's id can ask this: the person decides.
    chromium.click("logout-confirm").await;
    chromium.leaves_for(&goodbye).await;
    client.arrival("/goodbye").await;
    chromium.close().await;
}
